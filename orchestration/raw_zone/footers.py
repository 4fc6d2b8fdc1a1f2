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
from orchestration.raw_zone.listing import escape_glob
from orchestration.raw_zone.zone import NESTED, RawFile

_BATCH = 500
# DuckDB reads wider ones as floating numbers, and wrongly.
_GREATEST_PRECISION = 38
# What is believed of a file without VORONKA_MAX_FILE_ROWS. Rows have keys of their own, so that an
# honest file has some bytes for a dozen of them; equal texts in all rows are no honest file either.
_GREATEST_ROWS = 100_000_000
_ROWS_A_BYTE = 100
_ALWAYS_BELIEVED_ROWS = 1_000_000
_GREATEST_RATIO = 1_000
_BYTES_A_ROW = 10
_REMEDY = "if that is right, set VORONKA_MAX_FILE_ROWS higher"
_WIDE = re.compile(r"DECIMAL\((\d+),\s*\d+\) of \d+ digits")


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
                problems.append(Problem(table_of[path], path, "", _unreadable(error)))
    return files, problems


def problems_of_footers(
    table: Table, files: Iterable[RawFile], max_rows: int | None
) -> list[Problem]:
    """What the declared columns, types and sizes of a table's files break.

    `max_rows` is the setting `max_file_rows`: more rows in a file are not believed.
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
        reason = _incredible_size(file, max_rows)
        if reason:
            problems.append(Problem(table.full_name, file.path, "", reason))
    return problems


def incredible_bytes(file: RawFile, unpacked: int, max_rows: int | None) -> str:
    """Why so many unpacked bytes are not believed of a file; empty where they are."""
    believed = (max_rows or _GREATEST_ROWS) * _BYTES_A_ROW
    if unpacked <= max(believed, file.bytes * _GREATEST_RATIO):
        return ""
    return f"unpacks to {unpacked:,} bytes from {file.bytes:,}; {_REMEDY}"


def _misread_columns(table: Table, file: RawFile) -> Iterator[tuple[str, str]]:
    for column in table.columns:
        position = file.position(column.name)
        data_type = "" if position is None else file.columns[position][1]
        if data_type == NESTED:
            yield column.name, f"is a structure or a list, where {column.data_type} is expected"
        elif wide := _WIDE.fullmatch(data_type):
            yield (
                column.name,
                f"is a decimal of {wide[1]} digits: the engine misreads more than "
                f"{_GREATEST_PRECISION}; export it as DECIMAL({_GREATEST_PRECISION}, …) or text",
            )


def _incredible_size(file: RawFile, max_rows: int | None) -> str:
    believed = max_rows or min(
        _GREATEST_ROWS, max(_ALWAYS_BELIEVED_ROWS, file.bytes * _ROWS_A_BYTE)
    )
    if file.rows > believed:
        return f"declares {file.rows:,} rows in {file.bytes:,} bytes; {_REMEDY}"
    return incredible_bytes(file, file.unpacked_bytes, max_rows)


def _footers(
    connection: duckdb.DuckDBPyConnection, root: str, paths: Sequence[str]
) -> dict[str, RawFile]:
    patterns = ", ".join(literal(f"{escape_glob(root)}/{escape_glob(path)}") for path in paths)
    counts = connection.execute(
        "select file_name, num_rows, file_size_bytes, coalesce(unpacked, 0) "
        f"from parquet_file_metadata([{patterns}]) left join ("
        "select file_name, sum(total_uncompressed_size)::hugeint as unpacked "
        f"from parquet_metadata([{patterns}]) group by all) using (file_name)"
    ).fetchall()
    nodes = connection.execute(
        "select file_name, name, duckdb_type, coalesce(num_children, 0), repetition_type, "
        f"coalesce(precision, 0), coalesce(scale, 0) from parquet_schema([{patterns}])"
    ).fetchall()
    schemas: dict[str, list[tuple[Any, ...]]] = {}
    for file_name, *node in nodes:
        schemas.setdefault(file_name, []).append(tuple(node))
    found = {}
    for file_name, rows, size, unpacked in counts:
        path = file_name[len(root) + 1 :]
        schema = schemas[file_name][1:]
        shape = tuple((name, _type_of(*rest), rest[1]) for name, *rest in schema)
        stamp = "" if root.startswith(OBJECT_STORES) else str(os.stat(file_name).st_mtime_ns)
        columns = tuple(_top_level(shape))
        found[path] = RawFile(path, rows, size, columns, shape, stamp, int(unpacked))
    return found


def _type_of(
    data_type: str | None, children: int, repetition: str | None, precision: int, scale: int
) -> str:
    if children or data_type is None or repetition == "REPEATED":
        return NESTED
    if precision > _GREATEST_PRECISION:
        return f"DECIMAL({precision}, {scale}) of {precision} digits"
    return data_type


def _top_level(shape: Sequence[tuple[str, str, int]]) -> Iterator[tuple[str, str]]:
    """Columns of a schema that is listed depth first."""
    nested = 0
    for name, data_type, children in shape:
        if nested:
            nested += children - 1
            continue
        nested = children
        yield name, data_type


def _unreadable(error: Exception) -> str:
    text = first_line(error)
    text = re.sub(r"^[A-Za-z ]+Error: ", "", text)
    if "magic bytes" in text or "too small" in text:
        return "not a whole Parquet file; its end is missing, as after a copy that was cut short"
    return f"cannot be read: {text}"


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _BATCH):
        yield paths[start : start + _BATCH]
