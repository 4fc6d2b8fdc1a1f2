"""Holds a published warehouse against the reference.

python -m tests.reference.compare PUBLISHED RAW_DIR [--var name=value ...]
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from .marts import KEYS, Mart, Reference, build
from .variables import Calendar, Variables, read_calendar, variables_from_text

CALENDAR = Path(__file__).parents[2] / "seeds/reference/work_calendar_exceptions.csv"
TOLERANCE = 1e-9
SHOWN = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZONED = "TIMESTAMP WITH TIME ZONE"
# Columns that hold values of several metrics have no type of their own.
_MIXED = ("quota_attainment", "kpi_diagnostics")


def differences(
    published: Path,
    raw_dir: Path,
    variables: Variables,
    calendar: Calendar,
    only_existing: bool = False,
) -> list[str]:
    """Every difference between a published DuckDB file and the reference, at most 20 a table.

    With `only_existing` tables and columns that the file does not have are passed over.
    """
    return disagreements(published, build(raw_dir, variables, calendar), only_existing)


def disagreements(published: Path, reference: Reference, only_existing: bool = False) -> list[str]:
    """The same against a reference that is already built."""
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = _quarantine_differences(connection, reference, only_existing)
        tables = _columns(connection, "marts")
        for name, rows in reference.tables.items():
            if name in tables:
                found += _table_differences(connection, name, rows, tables[name], only_existing)
            elif not only_existing:
                found.append(f"marts.{name}: no such table")
    return found


def _columns(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, dict[str, str]]:
    """The columns of every table of a schema and their types."""
    rows = connection.execute(
        "select table_name, column_name, data_type from information_schema.columns "
        "where table_schema = ?",
        [schema],
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, type_ in rows.fetchall():
        found.setdefault(table, {})[column] = type_
    return found


def _quarantine_differences(
    connection: duckdb.DuckDBPyConnection, reference: Reference, only_existing: bool
) -> list[str]:
    found = []
    tables = _columns(connection, "quarantine")
    for name, reasons in reference.quarantine.items():
        table = name.replace(".", "_")
        if table not in tables:
            if reasons and not only_existing:
                found.append(f"quarantine.{table}: no such table, {len(reasons)} rows expected")
            continue
        rows = connection.execute(f"select reasons from quarantine.{table}").fetchall()
        published, expected = Counter(tuple(row[0]) for row in rows), Counter(reasons)
        found += [
            f"quarantine.{table}: {list(key)}: reference {expected[key]} rows, "
            f"published {published[key]}"
            for key in sorted(published | expected)
            if published[key] != expected[key]
        ][:SHOWN]
    return found


def _table_differences(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    rows: Mart,
    types: dict[str, str],
    only_existing: bool,
) -> list[str]:
    wanted = list(dict.fromkeys([*KEYS[name], *(column for row in rows[:1] for column in row)]))
    columns = [column for column in wanted if column in types]
    missing = [column for column in wanted if column not in types]
    if any(column in KEYS[name] for column in missing):
        return [f"marts.{name}: no key column {missing}"]
    found = [] if only_existing else [f"marts.{name}: no column {column}" for column in missing]
    if name not in _MIXED:
        found += _type_differences(name, rows, {column: types[column] for column in columns})
    published = _published_rows(connection, name, {column: types[column] for column in columns})
    return found[:SHOWN] + _row_differences(name, columns, rows, published)[:SHOWN]


def _type_differences(name: str, rows: Mart, types: dict[str, str]) -> list[str]:
    found = []
    for column, type_ in types.items():
        kinds = {type(row[column]) for row in rows if row[column] is not None}
        expected = {Decimal: "DECIMAL", float: "DOUBLE", datetime: _ZONED}
        names = {expected[kind] for kind in kinds if kind in expected}
        if len(names) == 1 and not type_.startswith(next(iter(names))):
            found.append(f"marts.{name}.{column}: type {type_}, expected {names.pop()}")
    return found


def _published_rows(
    connection: duckdb.DuckDBPyConnection, name: str, types: dict[str, str]
) -> Mart:
    selected = ", ".join(
        f'epoch_us("{column}")' if type_ == _ZONED else f'"{column}"'
        for column, type_ in types.items()
    )
    rows = connection.execute(f"select {selected} from marts.{name}").fetchall()
    return [
        {
            column: _EPOCH + timedelta(microseconds=value)
            if types[column] == _ZONED and value is not None
            else value
            for column, value in zip(types, row, strict=True)
        }
        for row in rows
    ]


def _row_differences(name: str, columns: list[str], rows: Mart, published: Mart) -> list[str]:
    key_columns = KEYS[name]
    ours, theirs = _by_key(key_columns, rows), _by_key(key_columns, published)
    found = []
    for key in sorted(ours | theirs, key=repr):
        where = f"marts.{name} {_shown_key(key_columns, key)}"
        mine, other = ours.get(key, []), theirs.get(key, [])
        if len(mine) != 1 or len(other) != 1:
            extra = mine[0] if mine else other[0]
            found.append(f"{where}: reference {len(mine)} rows, published {len(other)}: {extra}")
            continue
        found += [
            f"{where} {column}: reference {mine[0][column]!r}, published {other[0][column]!r}"
            for column in columns
            if not same(mine[0][column], other[0][column])
        ]
    return found


def _by_key(key_columns: tuple[str, ...], rows: Mart) -> dict[Any, Mart]:
    found: dict[Any, Mart] = {}
    for row in rows:
        found.setdefault(tuple(row[column] for column in key_columns), []).append(row)
    return found


def _shown_key(columns: tuple[str, ...], key: tuple[Any, ...]) -> str:
    return (
        "(" + ", ".join(f"{name}={value}" for name, value in zip(columns, key, strict=True)) + ")"
    )


def same(reference: Any, published: Any) -> bool:
    """Equal; a float within 1e-9, NULL only to NULL, a boolean only to a boolean."""
    if reference is None or published is None:
        return reference is published
    if isinstance(reference, bool) or isinstance(published, bool):
        return reference is published
    if isinstance(reference, float) or isinstance(published, float):
        numbers = int | float | Decimal
        if not (isinstance(reference, numbers) and isinstance(published, numbers)):
            return False
        ours, theirs = float(reference), float(published)
        return math.isclose(ours, theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(reference, datetime) != isinstance(published, datetime):
        return False
    return bool(reference == published)


def main() -> None:
    """Prints the differences; exits with 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("published", type=Path)
    parser.add_argument("raw_dir", type=Path)
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--calendar", type=Path, default=CALENDAR)
    parser.add_argument("--only-existing", action="store_true")
    arguments = parser.parse_args()
    found = differences(
        arguments.published,
        arguments.raw_dir,
        variables_from_text(arguments.var),
        read_calendar(arguments.calendar),
        only_existing=arguments.only_existing,
    )
    print("\n".join(found) or "no differences")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
