"""Views over a raw zone's files, in one small DuckDB file that dbt and the checks read.

The views give every contract column under its own name: in its Parquet type where all files agree
on a type that the contract knows, else as text, so that staging casts one or the other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import duckdb

from orchestration.base.object_store import load_object_store
from orchestration.base.sql import insert, literal, quote
from orchestration.raw_zone.contract import Column, Table
from orchestration.raw_zone.listing import escape_glob
from orchestration.raw_zone.zone import RawFile, RawTable, RawZone

FILE_COLUMN = "_file"
ReadFiles = Mapping[str, AbstractSet[tuple[str, int, int, str]]]

# Ends the schemas of views over files that the build has not read; what it has read it keeps.
NEW = "_new"
# What Parquet writers leave behind for a column without a single value.
NO_TYPE = '"NULL"'
_FILES_OF = "files_of__"
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT"})
_INTEGERS |= frozenset({"UTINYINT", "USMALLINT", "UINTEGER"})
FLOATS = frozenset({"FLOAT", "DOUBLE"})
_NATIVE = {
    "text": frozenset({"VARCHAR"}),
    "timestamp": frozenset({"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}),
    "date": frozenset({"DATE"}),
    "integer": _INTEGERS,
    "decimal": _INTEGERS,
    "boolean": frozenset({"BOOLEAN"}),
}
DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def files_read(build_file: Path) -> ReadFiles:
    """The files that the private build was made from, by table; none where there is no build."""
    found: dict[str, set[tuple[str, int, int, str]]] = {}
    if not build_file.exists():
        return found
    try:
        with duckdb.connect(str(build_file), read_only=True) as connection:
            tables = connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'state' "
                f"and starts_with(table_name, {literal(_FILES_OF)})"
            ).fetchall()
            for (table,) in tables:
                rows = connection.execute(f"from state.{quote(table)}").fetchall()
                found[table.removeprefix(_FILES_OF)] = set(rows)
    except duckdb.Error:
        # A build that cannot be read is rebuilt.
        return {}
    return found


def register(zone: RawZone, path: Path, read: ReadFiles | None = None) -> int:
    """Write the DuckDB file of views over the zone's files, replacing an older one at once.

    Returns how many files are new.

    The file has two schemas for each source with a view for each table, one over all files and
    `<source>_new` over those that are not `read`, and a schema `zone` with the tables `tables`,
    `files` and `schema_drift`. Raises ContractBroken if the zone is broken.
    """
    zone.raise_problems()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(draft)) as connection:
            load_object_store(connection, zone.raw_dir)
            for source in sorted({table.contract.source for table in zone.tables}):
                connection.execute(f"create schema {quote(source)}")
                connection.execute(f"create schema {quote(source + NEW)}")
            new = {it.contract.full_name: new_files(it, read or {}) for it in zone.tables}
            for table in zone.tables:
                connection.execute(view_sql(zone, table))
                connection.execute(view_sql(zone, table, new[table.contract.full_name]))
            all_new = {file for files in new.values() for file in files}
            _write_lists(connection, zone, all_new)
            connection.execute("checkpoint")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return len(all_new)


def view_sql(zone: RawZone, table: RawTable, new: Sequence[RawFile] | None = None) -> str:
    """The `create view` statement of one raw table, or of its `new` files alone.

    Both have the same columns of the same types, those of all files.
    """
    schema = table.contract.source + ("" if new is None else NEW)
    name = f"{quote(schema)}.{quote(table.contract.name)}"
    types = view_types(table)
    shapes: dict[object, list[RawFile]] = {}
    for file in table.files if new is None else new:
        if file.rows:
            shapes.setdefault(file.shape, []).append(file)
    selects = [_select(zone.raw_dir, table.contract, types, files) for files in shapes.values()]
    if not selects:
        columns = [f"null::{types[it.name]} as {quote(it.name)}" for it in table.contract.columns]
        columns.append(f"null::varchar as {FILE_COLUMN}")
        selects = [f"select {', '.join(columns)} where false"]
    return f"create view {name} as\n" + "\nunion all\n".join(selects)


def view_types(table: RawTable) -> dict[str, str]:
    """The columns of a table's views with their DuckDB types; every engine's views follow them."""
    with_rows = [file for file in table.files if file.rows]
    return {column.name: _view_type(column, with_rows) for column in table.contract.columns}


def _view_type(column: Column, files: Sequence[RawFile]) -> str:
    """The column's type in the view: the one native type of all files, else VARCHAR."""
    found = set()
    for file in files:
        position = file.position(column.name)
        if position is not None and file.columns[position][1] != NO_TYPE:
            found.add(_read_type(file.columns[position][1]))
    if len(found) == 1:
        (data_type,) = found
        if _is_native(column, data_type):
            return data_type
    return "VARCHAR"


def _read_type(data_type: str) -> str:
    """What the view gives for a column of this type: bytes are read as text."""
    return "VARCHAR" if data_type == "BLOB" else data_type


def _is_native(column: Column, data_type: str) -> bool:
    """Whether staging can take the type as it is: a cast to the contract's type is exact."""
    if column.data_type == "decimal" and (found := DECIMAL.fullmatch(data_type)):
        return int(found[1]) <= column.precision and int(found[2]) <= column.scale
    return data_type in _NATIVE[column.data_type]


def _select(raw_dir: str, table: Table, types: dict[str, str], files: Sequence[RawFile]) -> str:
    """One branch of a view: the files of one shape, their columns named by position."""
    example = files[0]
    columns = []
    for column in table.columns:
        position = example.position(column.name)
        if position is None or example.columns[position][1] == NO_TYPE:
            value = f"null::{types[column.name]}"
        elif types[column.name] != "VARCHAR":
            value = f"c{position}"
        else:
            value = _as_text(f"c{position}", column, example.columns[position][1])
        columns.append(f"    {value} as {quote(column.name)}")
    columns.append(f"    substr(f, {len(raw_dir.rstrip('/')) + 2}) as {FILE_COLUMN}")
    paths = ", ".join(
        literal(f"{escape_glob(raw_dir.rstrip('/'))}/{escape_glob(file.path)}") for file in files
    )
    names = ", ".join([*(f"c{position}" for position in range(len(example.columns))), "f"])
    return (
        "select\n" + ",\n".join(columns) + f"\nfrom read_parquet([{paths}], filename = "
        "'voronka raw file', hive_partitioning = false, "
        f"union_by_name = false) as raw_file({names})"
    )


def _as_text(value: str, column: Column, data_type: str) -> str:
    """The value's text, the same in every session."""
    if data_type == "VARCHAR":
        return value
    if data_type == "BLOB":
        # What is not UTF-8 is bad, and for people to see: its bytes as \xD0.
        return f"coalesce(try(decode({value})), {value}::varchar)"
    if data_type == "TIMESTAMP WITH TIME ZONE":
        return f"(({value} at time zone 'UTC')::varchar || '+00')"
    if data_type in FLOATS:
        number = f"{value}::double"
        text = f"(case when not isnan({number}) then {number} end)::varchar"
        if column.data_type not in ("text", "integer"):
            return text
        # An integral number is its digits, without .0 and without an exponent, as a key or a
        # count; 0.0 is added for minus zero.
        return (
            f"case when isfinite({number}) and {number} = trunc({number}) "
            f"then format('{{:.0f}}', {number} + 0.0) else {text} end"
        )
    if found := DECIMAL.fullmatch(data_type):
        text = f"{value}::varchar"
        if found[1] == found[2]:  # DuckDB writes .5
            text = rf"regexp_replace({text}, '^(-?)\.', '\10.')"
        return rf"regexp_replace({text}, '\.0+$', '')" if column.data_type == "text" else text
    return f"{value}::varchar"


def new_files(table: RawTable, read: ReadFiles) -> list[RawFile]:
    """The table's files that the build has not read."""
    known = read.get(table.contract.full_name.replace(".", "_"), set())
    return [file for file in table.files if file.identity not in known]


def _write_lists(
    connection: duckdb.DuckDBPyConnection, zone: RawZone, new: Collection[RawFile]
) -> None:
    connection.execute("create schema zone")
    connection.execute(
        "create table zone.tables (table_name varchar, files bigint, rows bigint, "
        "is_present boolean)"
    )
    connection.execute(
        "create table zone.files (table_name varchar, file varchar, rows bigint, bytes bigint, "
        "stamp varchar, is_new boolean)"
    )
    connection.execute(
        "create table zone.schema_drift (table_name varchar, file varchar, column_name varchar, "
        "data_type varchar)"
    )
    connection.execute(f"create table zone.origin as select {literal(zone.raw_dir)} as raw_dir")
    insert(
        connection,
        "zone.tables",
        [(t.contract.full_name, len(t.files), t.rows, bool(t.files)) for t in zone.tables],
    )
    insert(
        connection,
        "zone.files",
        [(t.contract.full_name, *f.identity, f in new) for t in zone.tables for f in t.files],
    )
    insert(
        connection,
        "zone.schema_drift",
        [(d.table, d.file, d.column, d.data_type) for d in zone.drift],
    )
