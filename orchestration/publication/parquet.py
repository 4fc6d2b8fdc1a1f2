"""The marts as Parquet: a file for each, of large facts one for each month, and what lies in them.

Rows are in the order of the grain, so the same rows give the same bytes. A month whose rows are as
they were published before is not written again: the new folder names the same file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.cache import code_fingerprint, fingerprint_of
from orchestration.base.files import forbid_writing, read_json, sync, write_json
from orchestration.base.sql import literal, quote
from orchestration.models.dbt import PublishedModel

MANIFEST = "manifest.json"
_SUFFIX = ".parquet"
# Rows without a day.
_NO_MONTH = "none"


@dataclass(frozen=True)
class ParquetFile:
    """A file, named from its publication's folder; `content` is a fingerprint of its rows."""

    file: str
    rows: int
    bytes: int
    sha256: str
    content: str = ""


def write_parquet(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    marts: Sequence[PublishedModel],
    publication_id: str,
    previous: Path | None,
) -> None:
    """Write marts of the session's database into a new folder, with `manifest.json`.

    `previous` is the folder of the present publication, from which months are taken over; None
    writes all. Types in the manifest are DuckDB's names, checksums SHA-256 in hex.
    """
    folder.mkdir()
    writer = fingerprint_of(duckdb.__version__, code_fingerprint())
    known = _known_months(previous, writer) if previous else {}
    columns = _columns(connection)
    tables = []
    for mart in marts:
        if mart.month_column:
            files = _write_months(connection, folder, mart, previous, known)
        else:
            files = [_write(connection, folder, f"{mart.name}{_SUFFIX}", mart, "true")]
        tables.append(_described(mart, files, columns[mart.schema, mart.name]))
    manifest = folder / MANIFEST
    write_json(manifest, {"publication_id": publication_id, "written_by": writer, "tables": tables})
    forbid_writing(manifest)
    sync(manifest)
    sync(folder)


def _write_months(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    mart: PublishedModel,
    previous: Path | None,
    known: Mapping[str, ParquetFile],
) -> list[ParquetFile]:
    directory = folder / f"{mart.name}{_SUFFIX}"
    directory.mkdir()
    month = f"strftime({quote(mart.month_column)}, '%Y-%m')"
    found = connection.execute(
        f"select {month}, count(*) || ' ' || sum(hash(_row)) "
        f"from {_table(mart)} as _row group by all order by all"
    ).fetchall()
    files = []
    # Without any row there is one file, from which the columns can be read.
    for name, rows_fingerprint in found or [(None, "")]:
        file = f"{directory.name}/{name or _NO_MONTH}{_SUFFIX}"
        content = fingerprint_of(rows_fingerprint, list(mart.grain), mart.month_column)
        before = known.get(file)
        if (
            previous
            and before
            and before.content == content
            and _taken_over(previous / file, folder / file, before.bytes)
        ):
            files.append(before)
            continue
        rows = f"{month} is not distinct from {literal(name) if name else 'null'}"
        files.append(_write(connection, folder, file, mart, rows, content))
    sync(directory)
    return files


def _write(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    file: str,
    mart: PublishedModel,
    condition: str,
    content: str = "",
) -> ParquetFile:
    target = folder / file
    order = ", ".join(f"{quote(column)} nulls first" for column in mart.grain) or "all"
    row = connection.execute(
        f"copy (from {_table(mart)} where {condition} order by {order}) "
        f"to {literal(str(target))} (format parquet, compression zstd)"
    ).fetchone()
    forbid_writing(target)
    sync(target)
    with target.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return ParquetFile(file, row[0] if row else 0, target.stat().st_size, digest, content)


def _taken_over(source: Path, target: Path, size: int) -> bool:
    """Whether the same file could be given a place in the new folder, too."""
    with suppress(OSError):
        if source.stat().st_size != size:
            return False
        try:
            os.link(source, target)
        except OSError:
            # A file system without a second name for a file.
            shutil.copyfile(source, target)
            forbid_writing(target)
            sync(target)
        return True
    return False


def _known_months(folder: Path, writer: str) -> dict[str, ParquetFile]:
    """The files of a publication that may be taken over, if the same code wrote them."""
    manifest = read_json(folder / MANIFEST)
    if manifest.get("written_by") != writer:
        return {}
    files = [ParquetFile(**file) for table in manifest["tables"] for file in table["files"]]
    return {file.file: file for file in files if file.content}


def _described(
    mart: PublishedModel, files: Sequence[ParquetFile], columns: list[dict[str, str]]
) -> dict[str, Any]:
    return {
        "table": mart.full_name,
        "file": f"{mart.name}{_SUFFIX}",
        "rows": sum(file.rows for file in files),
        "bytes": sum(file.bytes for file in files),
        "sha256": None if mart.month_column else files[0].sha256,
        "files": [asdict(file) for file in files],
        "grain": list(mart.grain),
        "description": mart.description,
        "columns": columns,
    }


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], list[dict[str, str]]]:
    columns: dict[tuple[str, str], list[dict[str, str]]] = {}
    found = connection.execute(
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns() "
        "where database_name = current_database() order by schema_name, table_name, column_index"
    ).fetchall()
    for schema, table, name, data_type, comment in found:
        column = {"name": name, "type": data_type, "description": comment or ""}
        columns.setdefault((schema, table), []).append(column)
    return columns


def _table(model: PublishedModel) -> str:
    return f"{quote(model.schema)}.{quote(model.name)}"
