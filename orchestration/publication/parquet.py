"""The marts as Parquet: a file for each, of large facts one for each month, and what lies in them.

Rows are in the order of the grain, so the same rows give the same bytes. A file whose rows are as
they were published before is not written again: the new folder names the same one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    content: str


@dataclass(frozen=True)
class _Wanted:
    """A file to be there: rows of a mart under a condition, and a fingerprint of them."""

    mart: PublishedModel
    file: str
    condition: str
    content: str


def write_parquet(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    marts: Sequence[PublishedModel],
    publication_id: str,
    previous: Path | None,
    threads: int = 1,
    outside: Mapping[str, str] | None = None,
) -> None:
    """Write marts of the session's database into a new folder, with `manifest.json`.

    `previous` is the folder of the present publication, from which files are taken over; None
    writes all. So many files are written at a time as there are `threads`. Of marts `outside`, by
    full name, there are no files: the manifest says where they lie. Types in the manifest are
    DuckDB's names, checksums SHA-256 in hex.
    """
    folder.mkdir()
    outside = outside or {}
    order = [mart.full_name for mart in marts]
    elsewhere = [mart for mart in marts if mart.full_name in outside]
    marts = [mart for mart in marts if mart.full_name not in outside]
    for mart in marts:
        if mart.month_column:
            (folder / f"{mart.name}{_SUFFIX}").mkdir()
    writer = fingerprint_of(duckdb.__version__, code_fingerprint())
    known = _known_files(previous, writer) if previous else {}
    columns = _columns(connection)

    def written(wanted: _Wanted) -> ParquetFile:
        before = known.get(wanted.file)
        if previous and before and before.content == wanted.content:
            place = folder / wanted.file
            if _taken_over(previous / wanted.file, place, before.bytes):
                return before
        with connection.cursor() as session:
            return _write(session, folder, wanted)

    with ThreadPoolExecutor(threads) as pool:
        wanted = [_wanted(connection, mart) for mart in marts]
        # All at once: a large mart's months are shared among the threads.
        pending = [[pool.submit(written, file) for file in files] for files in wanted]
        tables = [
            _described(mart, [it.result() for it in files], columns[mart.schema, mart.name])
            for mart, files in zip(marts, pending, strict=True)
        ]
    tables += [
        _elsewhere(connection, mart, outside[mart.full_name], columns[mart.schema, mart.name])
        for mart in elsewhere
    ]
    tables.sort(key=lambda table: order.index(table["table"]))
    for directory in (path for path in folder.iterdir() if path.is_dir()):
        sync(directory)
    manifest = folder / MANIFEST
    write_json(manifest, {"publication_id": publication_id, "written_by": writer, "tables": tables})
    forbid_writing(manifest)
    sync(manifest)
    sync(folder)


def _wanted(connection: duckdb.DuckDBPyConnection, mart: PublishedModel) -> list[_Wanted]:
    """The files of a mart: one, or one for each month."""
    column = mart.month_column
    month = f"strftime({quote(column)}, '%Y-%m')" if column else "null::varchar"
    found = connection.execute(
        f"select {month}, count(*) || ' ' || coalesce(sum(hash(_row)), 0) "
        f"from {_table(mart)} as _row group by 1 order by 1 nulls last"
    ).fetchall()
    files = []
    # Without any row there is one file, from which the columns can be read.
    for name, rows in found or [(None, "0 0")]:
        file = f"{mart.name}{_SUFFIX}" + (f"/{name or _NO_MONTH}{_SUFFIX}" if column else "")
        condition = f"{month} is not distinct from {literal(name) if name else 'null'}"
        content = fingerprint_of(rows, list(mart.grain), column)
        files.append(_Wanted(mart, file, condition if column else "true", content))
    return files


def _write(connection: duckdb.DuckDBPyConnection, folder: Path, wanted: _Wanted) -> ParquetFile:
    target = folder / wanted.file
    order = ", ".join(f"{quote(column)} nulls first" for column in wanted.mart.grain) or "all"
    row = connection.execute(
        f"copy (from {_table(wanted.mart)} where {wanted.condition} order by {order}) "
        f"to {literal(str(target))} (format parquet, compression zstd)"
    ).fetchone()
    forbid_writing(target)
    sync(target)
    with target.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    rows, size = row[0] if row else 0, target.stat().st_size
    return ParquetFile(wanted.file, rows, size, digest, wanted.content)


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


def _known_files(folder: Path, writer: str) -> dict[str, ParquetFile]:
    """The files of a publication that may be taken over, if the same code wrote them."""
    manifest = read_json(folder / MANIFEST)
    if manifest.get("written_by") != writer:
        return {}
    files = [ParquetFile(**file) for table in manifest["tables"] for file in table["files"]]
    return {file.file: file for file in files}


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


def _elsewhere(
    connection: duckdb.DuckDBPyConnection,
    mart: PublishedModel,
    location: str,
    columns: list[dict[str, str]],
) -> dict[str, Any]:
    """A mart that is read from a cluster's Parquet."""
    found = connection.execute(f"select count(*) from {_table(mart)}").fetchone()
    return {
        "table": mart.full_name,
        "file": None,
        "location": location,
        "rows": found[0] if found else 0,
        "bytes": 0,
        "sha256": None,
        "files": [],
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
