"""What the footers of Parquet files declare, judged before a row is read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import duckdb

from orchestration.base.errors import Problem, first_line
from orchestration.base.object_store import OBJECT_STORES
from orchestration.base.sql import literal
from orchestration.raw_zone.contract import Table
from orchestration.raw_zone.listing import NO_ACCESS, UNREADABLE, escape_glob
from orchestration.raw_zone.zone import NESTED, RawFile

_BATCH = 500
# DuckDB reads wider ones as floating numbers, and wrongly.
_GREATEST_PRECISION = 38
# What a file's size lets us believe (docs/decisions/0001). The setting `max_file_rows` is believed
# of any file; each of its rows stands for these bytes.
_ROWS_A_BYTE = 100
_GREATEST_RATIO = 1_000
_BYTES_A_ROW = 1_000
_BYTES_A_ROW_OF_THE_SETTING = 32
_DECIMAL = re.compile(r"DECIMAL\((\d+),\d+\)")
_MAGIC = b"PAR1"


def read_footers(
    connection: duckdb.DuckDBPyConnection, root: str, listed: Mapping[str, Sequence[str]]
) -> tuple[dict[str, RawFile], list[Problem]]:
    """All files by path, and a problem for each one that cannot be read."""
    table_of = {path: table for table, paths in listed.items() for path in paths}
    files: dict[str, RawFile] = {}
    problems = []
    for batch in _batches(sorted(table_of)):
        pending = [batch]
        while pending:
            paths = pending.pop()
            try:
                files.update(_footers(connection, root, paths))
            except (duckdb.Error, OSError) as error:
                if len(paths) > 1:
                    middle = len(paths) // 2
                    pending += [paths[middle:], paths[:middle]]
                    continue
                path = paths[0]
                problems.append(Problem(table_of[path], path, "", unreadable(error, root, path)))
    return files, problems


def problems_of_footers(table: Table, files: Iterable[RawFile], max_rows: int) -> list[Problem]:
    """What the declared columns, types and sizes of a table's files break.

    `max_rows` is the setting `max_file_rows`.
    """
    problems = []
    for file in files:
        problems += [
            Problem(table.full_name, file.path, column, "missing")
            for column in table.required_columns
            if file.position(column) is None
        ]
        problems += [
            Problem(table.full_name, file.path, column, reason)
            for column, reason in _misread_columns(table, file)
        ]
        reason = _incredible_rows(file, max_rows)
        reason = reason or incredible_bytes(file, file.unpacked_bytes, max_rows)
        if reason:
            problems.append(Problem(table.full_name, file.path, "", reason))
    return problems


def incredible_bytes(file: RawFile, unpacked: int, max_rows: int) -> str:
    """Why so many unpacked bytes are not believed of a file; empty where they are."""
    believed = max(
        file.bytes * _GREATEST_RATIO,
        file.rows * _BYTES_A_ROW,
        max_rows * _BYTES_A_ROW_OF_THE_SETTING,
    )
    if unpacked <= believed:
        return ""
    needed = -(-unpacked // _BYTES_A_ROW_OF_THE_SETTING)
    return f"unpacks to {unpacked:,} bytes from {file.bytes:,}; {_remedy(needed)}"


def unreadable(error: Exception, root: str, path: str) -> str:
    """Why a file cannot be read, from what DuckDB or the system says of it."""
    text = re.sub(r"^[A-Za-z ]+Error: ", "", first_line(error))
    text = re.sub(r'^Failed to read file ".*": ', "", text)
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return NO_ACCESS
    if isinstance(error, FileNotFoundError) or "No files found that match" in text:
        return "went away while the zone was read: refresh again"
    if "magic bytes" in text or "too small" in text:
        return _no_footer(root, path)
    if "is encrypted" in text:
        return "is encrypted: export it without"
    if "Invalid unicode" in text:
        return "has names of columns that are not UTF-8"
    if isinstance(error, duckdb.OutOfMemoryException):
        return f"needs more memory than VORONKA_MEMORY allows: {text}"
    return f"{UNREADABLE}: {text}"


def _no_footer(root: str, path: str) -> str:
    cut = "is not a whole Parquet file; its end is missing, as after a copy that was cut short"
    if root.startswith(OBJECT_STORES):
        return cut
    with open(os.path.join(root, path), "rb") as file:
        begin = file.read(len(_MAGIC))
    if not begin:
        return "is empty: it has 0 bytes"
    return cut if begin == _MAGIC else "is not a Parquet file, whatever its name says"


def _misread_columns(table: Table, file: RawFile) -> Iterator[tuple[str, str]]:
    for column in table.columns:
        position = file.position(column.name)
        data_type = "" if position is None else file.columns[position][1]
        decimal = _DECIMAL.fullmatch(data_type)
        if data_type == NESTED:
            yield column.name, f"is a structure or a list, where {column.data_type} is expected"
        elif decimal and int(decimal[1]) > _GREATEST_PRECISION:
            yield (
                column.name,
                f"is a decimal of {decimal[1]} digits: the engine misreads more than "
                f"{_GREATEST_PRECISION}; export it as DECIMAL({_GREATEST_PRECISION}, …) or text",
            )


def _incredible_rows(file: RawFile, max_rows: int) -> str:
    if file.rows <= max(max_rows, file.bytes * _ROWS_A_BYTE):
        return ""
    return f"declares {file.rows:,} rows in {file.bytes:,} bytes; {_remedy(file.rows)}"


def _remedy(rows: int) -> str:
    return f"if that is right, set VORONKA_MAX_FILE_ROWS={rows}"


def _footers(
    connection: duckdb.DuckDBPyConnection, root: str, paths: Sequence[str]
) -> dict[str, RawFile]:
    patterns = ", ".join(literal(f"{escape_glob(root)}/{escape_glob(path)}") for path in paths)
    counts = connection.execute(
        f"select file_name, num_rows, file_size_bytes from parquet_file_metadata([{patterns}])"
    ).fetchall()
    groups = _groups(connection, patterns, is_one=len(paths) == 1)
    nodes = connection.execute(
        "select file_name, name, duckdb_type, coalesce(num_children, 0), repetition_type, "
        "coalesce(precision, 0), coalesce(scale, 0), coalesce(type, '') || case "
        "when logical_type like '%NanoSeconds%' then ' NANOS' "
        "when logical_type like 'Float16%' then ' FLOAT16' else '' end "
        f"from parquet_schema([{patterns}])"
    ).fetchall()
    schemas: dict[str, list[tuple[Any, ...]]] = {}
    for file_name, *node in nodes:
        schemas.setdefault(file_name, []).append(tuple(node))
    found = {}
    for file_name, declared, size in counts:
        path = file_name[len(root) + 1 :]
        schema = schemas[file_name][1:]
        shape = tuple((name, _type_of(*rest), rest[1]) for name, *rest, _ in schema)
        stamp = "" if root.startswith(OBJECT_STORES) else str(os.stat(file_name).st_mtime_ns)
        top = _top_level(shape)
        columns = tuple((shape[place][0], _of_column(shape[place][1])) for place in top)
        stored = tuple(schema[place][-1] for place in top)
        # What is read are the groups, whatever the footer says of the whole file.
        rows, unpacked = groups.get(file_name, (0, 0))
        rows = max(declared, rows)
        found[path] = RawFile(path, rows, size, columns, shape, stamp, unpacked, stored)
    return found


def _groups(
    connection: duckdb.DuckDBPyConnection, patterns: str, is_one: bool
) -> dict[str, tuple[int, int]]:
    """Rows and unpacked bytes of all groups of rows, by file."""
    try:
        found = connection.execute(
            "select file_name, sum(row_group_num_rows) filter (where column_id = 0), "
            f"sum(total_uncompressed_size) from parquet_metadata([{patterns}]) group by file_name"
        ).fetchall()
    except duckdb.ConversionException:
        if not is_one:
            raise
        # Statistics that have no text, perhaps of a column that nobody reads; the contents tell.
        return {}
    return {file_name: (int(rows or 0), int(unpacked or 0)) for file_name, rows, unpacked in found}


def _type_of(
    data_type: str | None, children: int, repetition: str | None, precision: int, scale: int
) -> str:
    if children or data_type is None:
        return NESTED
    if repetition == "REPEATED":
        # A list, as old writers have it.
        return f"{data_type}[]"
    if precision > _GREATEST_PRECISION:
        return f"DECIMAL({precision},{scale})"
    return data_type


def _top_level(shape: Sequence[tuple[str, str, int]]) -> list[int]:
    """Where the columns of a schema stand that is listed depth first."""
    places = []
    nested = 0
    for place, (_, _, children) in enumerate(shape):
        if nested:
            nested += children - 1
            continue
        nested = children
        places.append(place)
    return places


def _of_column(data_type: str) -> str:
    return NESTED if data_type.endswith("[]") else data_type


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _BATCH):
        yield paths[start : start + _BATCH]
