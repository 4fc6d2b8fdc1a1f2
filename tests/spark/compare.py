"""Whether two builds hold the same: every table and view, its types, and its rows as a multiset.

Doubles are equal within 1e-9 of the greater one, everything else exactly.

    python -m tests.spark.compare DATA_DIR OTHER_DATA_DIR
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.settings import Settings
from orchestration.base.sql import attach, quote

TOLERANCE = 1e-9
SHOWN = 5
_RELATIONS = """
    select database_name, schema_name, table_name from duckdb_tables()
    where database_name in ({0}) and schema_name != 'state'
    union all
    select database_name, schema_name, view_name from duckdb_views()
    where database_name in ({0}) and schema_name != 'state' and not internal
"""

Columns = Mapping[str, str]
Row = tuple[Any, ...]


def differences(one: Sequence[Path], other: Sequence[Path]) -> list[str]:
    """What the files of two builds do not have in common, a line each; at most 5 a table.

    State of incremental models, which each engine has its own of, is no part of it.
    """
    with _opened(one) as left, _opened(other) as right:
        names = _relations(left, one), _relations(right, other)
        found = [f"{name}: only in the first" for name in sorted(names[0] - names[1])]
        found += [f"{name}: only in the second" for name in sorted(names[1] - names[0])]
        for name in sorted(names[0] & names[1]):
            found += _of_relation(left, right, name)
    return found


def relations(files: Sequence[Path]) -> set[str]:
    """What is compared of a build: database.schema.name of its tables and views."""
    with _opened(files) as connection:
        return _relations(connection, files)


def _opened(files: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """Each build by itself: its views name its databases."""
    connection = duckdb.connect()
    attach(connection, *files)
    connection.execute("set TimeZone = 'UTC'")
    return connection


def _relations(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> set[str]:
    databases = ", ".join(f"'{file.stem}'" for file in files)
    rows = connection.execute(_RELATIONS.format(databases)).fetchall()
    return {".".join(quote(part) for part in row).replace('"', "") for row in rows}


def _of_relation(
    left: duckdb.DuckDBPyConnection, right: duckdb.DuckDBPyConnection, name: str
) -> list[str]:
    types, other_types = _columns(left, name), _columns(right, name)
    if list(types.items()) != list(other_types.items()):
        return [f"{name}: {line}" for line in _type_differences(types, other_types)]
    rows = [it.execute(f"select * from {name}").to_arrow_table() for it in (left, right)]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("left_rows", rows[0])
        connection.register("right_rows", rows[1])
        only_left = _only(connection, "left_rows", "right_rows", types)
        only_right = _only(connection, "right_rows", "left_rows", types)
    only_left, only_right = unmatched(only_left, only_right, _approximate(types))
    if not only_left and not only_right:
        return []
    return [
        f"{name}: {len(only_left)} rows are only in the first of {rows[0].num_rows}, "
        f"{len(only_right)} only in the second of {rows[1].num_rows}",
        *(f"  {line}" for line in told(list(types), only_left, only_right)),
    ]


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> Columns:
    rows = connection.execute(f"describe {name}").fetchall()
    return {str(column): str(type_) for column, type_, *_ in rows}


def _type_differences(one: Columns, other: Columns) -> list[str]:
    found = [
        f"{column} is {one.get(column, 'missing')} | {other.get(column, 'missing')}"
        for column in {**one, **other}
        if one.get(column) != other.get(column)
    ]
    return found or [f"the columns stand in another order: {list(one)} | {list(other)}"]


def _approximate(types: Columns) -> list[bool]:
    return ["DOUBLE" in type_ or "FLOAT" in type_ for type_ in types.values()]


def _only(connection: duckdb.DuckDBPyConnection, one: str, other: str, types: Columns) -> list[Row]:
    """Rows that one side has more often; what must be equal exactly comes as text."""
    shown = ", ".join(
        quote(name) if is_approximate else f"{quote(name)}::varchar"
        for name, is_approximate in zip(types, _approximate(types), strict=True)
    )
    return connection.execute(
        f"select {shown} from (from {one} except all from {other})"
    ).fetchall()


def unmatched(
    left: list[Row], right: list[Row], approximate: Sequence[bool]
) -> tuple[list[Row], list[Row]]:
    """Rows without one on the other side that is equal but for doubles within the tolerance."""
    if not any(approximate):
        return left, right
    waiting: dict[Row, list[Row]] = defaultdict(list)
    for row in right:
        waiting[_exact(row, approximate)].append(row)
    alone = []
    for row in left:
        candidates = waiting[_exact(row, approximate)]
        match = next((it for it in candidates if is_close(row, it)), None)
        if match is None:
            alone.append(row)
        else:
            candidates.remove(match)
    return alone, [row for rows in waiting.values() for row in rows]


def _exact(row: Row, approximate: Sequence[bool]) -> Row:
    return tuple(it for it, is_double in zip(row, approximate, strict=True) if not is_double)


def is_close(one: Any, other: Any) -> bool:
    """Equal, doubles within the tolerance, whatever they are nested in; NaN equals NaN."""
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return math.isclose(one, other, rel_tol=TOLERANCE)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_close, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_close(one[it], other[it]) for it in one)
    return bool(one == other)


def told(columns: Sequence[str], left: Sequence[Row], right: Sequence[Row]) -> list[str]:
    """Rows without a partner, each beside the most similar one of the other side."""
    lines = []
    for row in left[:SHOWN]:
        like = max(right, key=lambda it: _equal_values(row, it), default=None)
        if like is None or 2 * _equal_values(row, like) < len(columns):
            lines.append(f"only in the first: {_shown(columns, row)}")
            continue
        pairs = list(zip(columns, row, like, strict=True))
        same = [f"{name}={one}" for name, one, it in pairs if is_close(one, it)]
        differing = [
            f"{name}: {one!r} | {it!r}" for name, one, it in pairs if not is_close(one, it)
        ]
        lines.append(f"{', '.join(same[:SHOWN])}: {'; '.join(differing)}")
    if not left:
        lines += [f"only in the second: {_shown(columns, row)}" for row in right[:SHOWN]]
    return lines


def _equal_values(one: Row, other: Row) -> int:
    return sum(map(is_close, one, other))


def _shown(columns: Sequence[str], row: Row) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(columns, row, strict=True))


def main() -> None:
    """Print what differs; exit with 1 where something does."""
    one, other = (Settings(data_dir=Path(it).resolve()) for it in sys.argv[1:3])
    found = differences(one.build_files, other.build_files)
    print("\n".join(found) or f"{len(relations(one.build_files))} tables and views are equal")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
