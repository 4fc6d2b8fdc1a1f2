"""SQL texts that are safe whatever a name or a value holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

Scalar = str | int | bool | None


def quote(identifier: str) -> str:
    """An SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_value(value: Scalar) -> str:
    """A value in SQL. Bound parameters make DuckDB import pandas: two seconds of a refresh."""
    if value is None:
        return "null"
    return literal(value) if isinstance(value, str) else str(value).lower()


def attach(connection: duckdb.DuckDBPyConnection, *files: Path) -> None:
    """Attach DuckDB files to be read, each under its stem: views of a file name its catalogue."""
    for file in files:
        connection.execute(f"attach {literal(str(file))} as {quote(file.stem)} (read_only)")


def insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Sequence[Scalar]]
) -> None:
    """Insert rows, a thousand at a time: executemany takes a millisecond for each."""
    pending = [f"({', '.join(sql_value(value) for value in row)})" for row in rows]
    for start in range(0, len(pending), 1_000):
        connection.execute(
            f"insert into {table} values {', '.join(pending[start : start + 1_000])}"
        )
