"""What lies in a folder of Parquet files, for who copies it or reads it without a catalogue."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.files import forbid_writing, sync, write_json
from orchestration.base.sql import quote
from orchestration.models.dbt import PublishedModel

FILE_NAME = "manifest.json"


def described_files(
    connection: duckdb.DuckDBPyConnection, folder: Path, models: Sequence[PublishedModel]
) -> list[dict[str, Any]]:
    """Each model's file: its rows, bytes, checksum and columns. The session reads the database.

    Types are DuckDB's names; checksums are SHA-256 in hex.
    """
    columns: dict[tuple[str, str], list[dict[str, str]]] = {}
    found = connection.execute(
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns() "
        "where database_name = current_database() order by schema_name, table_name, column_index"
    ).fetchall()
    for schema, table, name, data_type, comment in found:
        column = {"name": name, "type": data_type, "description": comment or ""}
        columns.setdefault((schema, table), []).append(column)
    return [
        _described(connection, folder, model, columns[model.schema, model.name]) for model in models
    ]


def write_manifest(folder: Path, publication_id: str, files: Sequence[dict[str, Any]]) -> None:
    """Write `manifest.json`: the publication and its files."""
    file = folder / FILE_NAME
    write_json(file, {"publication_id": publication_id, "tables": list(files)})
    forbid_writing(file)
    sync(file)


def _described(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    model: PublishedModel,
    columns: list[dict[str, str]],
) -> dict[str, Any]:
    file = folder / f"{model.name}.parquet"
    count = connection.execute(
        f"select count(*) from {quote(model.schema)}.{quote(model.name)}"
    ).fetchone()
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {
        "table": model.full_name,
        "file": file.name,
        "rows": count[0] if count else 0,
        "bytes": file.stat().st_size,
        "sha256": digest,
        "grain": list(model.grain),
        "description": model.description,
        "columns": columns,
    }
