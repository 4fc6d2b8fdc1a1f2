"""What lies in a folder of Parquet files, for who copies it or reads it without a catalogue."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from orchestration.lib.dbt import PublishedModel
from orchestration.lib.files import sync, write_json
from orchestration.lib.raw_zone import literal, quote

FILE_NAME = "manifest.json"


def write_manifest(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    publication_id: str,
    models: Sequence[PublishedModel],
) -> None:
    """Write `manifest.json`: the publication, and for each file its rows, bytes and columns.

    Types are DuckDB's names; checksums are SHA-256 in hex. The session reads the published file.
    """
    manifest = {
        "publication_id": publication_id,
        "tables": [_table(connection, folder, model) for model in models],
    }
    file = folder / FILE_NAME
    write_json(file, manifest)
    file.chmod(0o444)
    sync(file)


def _table(
    connection: duckdb.DuckDBPyConnection, folder: Path, model: PublishedModel
) -> dict[str, Any]:
    file = folder / f"{model.name}.parquet"
    count = connection.execute(
        f"select count(*) from {quote(model.schema)}.{quote(model.name)}"
    ).fetchone()
    columns = connection.execute(
        "select column_name, data_type, comment from duckdb_columns() "
        f"where schema_name = {literal(model.schema)} and table_name = {literal(model.name)} "
        "order by column_index"
    ).fetchall()
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
        "columns": [
            {"name": name, "type": data_type, "description": comment or ""}
            for name, data_type, comment in columns
        ],
    }
