"""What a published file holds, in Postgres's terms; refused here is refused before any load."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb

from orchestration.base.errors import TargetFailed
from orchestration.base.outside import facts_on_cluster
from orchestration.base.sql import quote
from orchestration.models.dbt import PublishedModel
from orchestration.postgres.target import NUL_SIGN
from orchestration.publication.names import RUSSIAN_SCHEMA

# A row of a B-tree takes 2,704 bytes at most.
_KEY_BYTES = 2_000
_NAME_BYTES = 63
_DIMENSION = "dim_"

_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "INTERVAL": "interval",
    "UUID": "uuid",
    "BLOB": "bytea",
}
# DuckDB's type, what it is cast to on the way, and the Postgres type.
_CASTS = {
    "UTINYINT": ("smallint", "smallint"),
    "USMALLINT": ("integer", "integer"),
    "UINTEGER": ("bigint", "bigint"),
    "UBIGINT": ("decimal(20, 0)", "numeric(20, 0)"),
    "HUGEINT": ("decimal(38, 0)", "numeric(38, 0)"),
    "UHUGEINT": ("decimal(38, 0)", "numeric(38, 0)"),
    "TIMESTAMP_S": ("timestamp", "timestamp"),
    "TIMESTAMP_MS": ("timestamp", "timestamp"),
    "TIMESTAMP_NS": ("timestamp", "timestamp"),
    "TIME WITH TIME ZONE": ("varchar", "text"),
    "BIT": ("varchar", "text"),
    "JSON": ("varchar", "text"),
    '"NULL"': ("varchar", "text"),
}
_NESTED = re.compile(r"^(STRUCT|MAP|UNION)\(|\[\d*\]$")
_DECIMAL = re.compile(r"^DECIMAL\((\d+),\s*(\d+)\)$")
# The first day that Postgres knows, and no client shows anything before it anyway.
_FIRST_DAY = "date '4712-01-01 (BC)'"


@dataclass(frozen=True)
class Column:
    """A column: its Postgres type, the DuckDB expression that gives it, what it means."""

    name: str
    type: str
    expression: str
    comment: str | None = None
    is_personal: bool = False
    is_manager: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the published file as it will be in Postgres. A view becomes a table.

    `key` is empty where there is none, or where it may be NULL or is too long for an index.
    `is_described` says whether a model told what is personal in it.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    comment: str | None = None
    is_personal: bool = False
    is_described: bool = False

    @property
    def full_name(self) -> str:
        """`marts.kpi_daily`."""
        return f"{self.schema}.{self.name}"

    @property
    def is_dimension(self) -> bool:
        """Whether it describes members and holds no figures."""
        return self.name.startswith(_DIMENSION)

    @property
    def personal(self) -> tuple[str, ...]:
        """Columns with personal data."""
        return tuple(column.name for column in self.columns if column.is_personal)

    @property
    def managers(self) -> tuple[str, ...]:
        """Columns that hold a manager's key; a row belongs to each of them."""
        return tuple(column.name for column in self.columns if column.is_manager)


@dataclass
class Found:
    """What reading a published file gave; `notes` are for people and stop nothing."""

    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def schemas(self) -> list[str]:
        """Schemas, sorted."""
        return sorted({table.schema for table in self.tables})


def read_tables(
    connection: duckdb.DuckDBPyConnection, catalogue: str, models: Sequence[PublishedModel]
) -> Found:
    """The tables of an attached published file.

    Raises TargetFailed with every value, type and name that Postgres cannot take.
    """
    described = {model.full_name: model for model in (*models, *_in_russian(models))}
    dimension_keys = {
        model.grain[0]
        for model in described.values()
        if model.name.startswith(_DIMENSION) and len(model.grain) == 1
    }
    found, problems = Found(), list[str]()
    outside = {
        fact.table.partition(".")[2]: fact for fact in facts_on_cluster(connection, catalogue)
    }
    found.notes += [f"{fact} are not copied to Postgres." for fact in outside.values()]
    for table, types in _listed(connection, catalogue, described):
        if table.name in outside:
            continue
        problems += _bad_names(table) + _bad_types(table, types)
        if any(column.type == "" for column in table.columns):
            continue
        model = described.get(table.full_name)
        grain = model.grain if model else ()
        seen = _Values.of(connection, catalogue, table, types, grain)
        problems += seen.problems
        key, note = _key(table, grain, seen)
        found.notes += [note] if note else []
        indexes = _indexes(table, types, key, dimension_keys, seen)
        found.tables.append(_with_fitting_names(replace(table, key=key, indexes=indexes)))
    if problems:
        raise TargetFailed(
            f"{len(problems)} columns of the published file cannot go to Postgres, which shows "
            "the version before.",
            "Cast or clean them in their models, then refresh again.",
            problems,
        )
    return found


def _in_russian(models: Sequence[PublishedModel]) -> Iterator[PublishedModel]:
    """The views with Russian names, described as the tables that they show."""
    for model in models:
        names = model.russian_names
        if names:
            yield replace(
                model,
                schema=RUSSIAN_SCHEMA,
                grain=tuple(names[it] for it in model.grain)
                if names.keys() >= {*model.grain}
                else (),
                columns={names[it]: text for it, text in model.columns.items() if it in names},
                personal=frozenset(names[it] for it in model.personal if it in names),
                managers=frozenset(names[it] for it in model.managers if it in names),
                russian_names={},
            )


def _listed(
    connection: duckdb.DuckDBPyConnection,
    catalogue: str,
    described: Mapping[str, PublishedModel],
) -> Iterator[tuple[Table, dict[str, str]]]:
    """Tables and views with their columns' DuckDB types, by name."""
    rows = connection.execute(
        "select c.schema_name, c.table_name, c.column_name, c.data_type, c.comment, t.comment "
        "from duckdb_columns() as c left join ("
        "select database_name, schema_name, table_name, comment from duckdb_tables() union all "
        "select database_name, schema_name, view_name, comment from duckdb_views()) as t "
        "using (database_name, schema_name, table_name) "
        f"where c.database_name = '{catalogue}' and not c.internal "
        "order by c.schema_name, c.table_name, c.column_index"
    ).fetchall()
    grouped: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for schema, name, *column in rows:
        grouped.setdefault((schema, name), []).append(tuple(column))
    for (schema, name), columns in grouped.items():
        model = described.get(f"{schema}.{name}")
        personal = model.personal if model else frozenset()
        managers = model.managers if model else frozenset()
        types = {column: data_type for column, data_type, _, _ in columns}
        yield (
            Table(
                schema,
                name,
                tuple(
                    Column(
                        column,
                        *_translated(column, data_type),
                        comment,
                        column in personal,
                        column in managers,
                    )
                    for column, data_type, comment, _ in columns
                ),
                comment=columns[0][3],
                is_personal=bool(model and model.is_personal),
                is_described=model is not None,
            ),
            types,
        )


def _translated(column: str, data_type: str) -> tuple[str, str]:
    """The Postgres type (empty: there is none) and the expression of that type."""
    name = quote(column)
    if data_type in _TYPES:
        return _TYPES[data_type], name
    if data_type in _CASTS:
        through, target = _CASTS[data_type]
        return target, f"{name}::{through}"
    if match := _DECIMAL.match(data_type):
        return f"numeric({match[1]}, {match[2]})", name
    if data_type.startswith("ENUM("):
        return "text", f"{name}::varchar"
    if _NESTED.search(data_type):
        return "text", f"to_json({name})::varchar"
    return "", name


def _bad_types(table: Table, types: Mapping[str, str]) -> list[str]:
    return [
        f"{table.full_name}.{column.name}: Postgres has no type for {types[column.name]}"
        for column in table.columns
        if not column.type
    ]


def _bad_names(table: Table) -> list[str]:
    return [
        f"{table.full_name}: the name {name} has more than {_NAME_BYTES} bytes"
        for name in (table.schema, table.name)
        if _is_too_long(name)
    ]


def _with_fitting_names(table: Table) -> Table:
    """Cut names of columns that are too long, as Russian ones may be; comments begin with them."""
    fitting: dict[str, str] = {}
    taken = {column.name for column in table.columns}
    for name in (column.name for column in table.columns if _is_too_long(column.name)):
        number = 1
        while (short := _cut(name, "…" if number == 1 else f"… {number}")) in taken:
            number += 1
        fitting[name] = short
        taken.add(short)
    if not fitting:
        return table
    return replace(
        table,
        columns=tuple(
            replace(column, name=fitting[column.name], comment=_named(column))
            if column.name in fitting
            else column
            for column in table.columns
        ),
        key=tuple(fitting.get(name, name) for name in table.key),
        indexes=tuple(fitting.get(name, name) for name in table.indexes),
    )


def _named(column: Column) -> str:
    return f"{column.name}: {column.comment}" if column.comment else column.name


def _is_too_long(name: str) -> bool:
    return len(name.encode()) > _NAME_BYTES


def _cut(name: str, end: str) -> str:
    """The name's beginning with `end`, in no more bytes than a name may have."""
    room = _NAME_BYTES - len(end.encode())
    return name.encode()[:room].decode(errors="ignore").rstrip(" ,.:;") + end


@dataclass(frozen=True)
class _Values:
    """What one pass over a table's values says."""

    problems: list[str]
    nulls: Mapping[str, int]
    bytes: Mapping[str, int]
    has_nul: Mapping[str, bool]

    @classmethod
    def of(
        cls,
        connection: duckdb.DuckDBPyConnection,
        catalogue: str,
        table: Table,
        types: Mapping[str, str],
        grain: Sequence[str],
    ) -> _Values:
        """Count NULLs, bytes of texts, and values that do not fit; look for NUL in the grain."""
        names = [column.name for column in table.columns]
        parts = []
        for name in names:
            column = quote(name)
            is_text = types[name] == "VARCHAR"
            size = f"max(strlen({column}))" if is_text else "0"
            nul = f"bool_or(contains({column}, chr(0)))" if is_text and name in grain else "false"
            bad = _misfit(column, types[name])
            parts.append(
                f"count(*) - count({column}), coalesce({size}, 0), coalesce({nul}, false), "
                + (f"count(*) filter (where {bad})" if bad else "0")
            )
        row = connection.execute(
            f"select {', '.join(parts)} "
            f"from {quote(catalogue)}.{quote(table.schema)}.{quote(table.name)}"
        ).fetchone()
        assert row is not None
        nulls, sizes, nuls, misfits = (dict(zip(names, row[i::4], strict=True)) for i in range(4))
        problems = [
            f"{table.full_name}.{name}: {count:,} values of {types[name]} are "
            + ("beyond 38 digits" if "INT" in types[name] else "infinite or before 4713 BC")
            for name, count in misfits.items()
            if count
        ]
        return cls(problems, nulls, sizes, nuls)


def _misfit(column: str, data_type: str) -> str:
    """The condition on which a value does not fit; empty where all do."""
    if data_type in ("HUGEINT", "UHUGEINT"):
        return f"try_cast({column} as decimal(38, 0)) is null and {column} is not null"
    if data_type == "TIMESTAMP_NS":
        return f"not isfinite({column})"
    if data_type == "DATE" or data_type.startswith("TIMESTAMP"):
        return f"not isfinite({column}) or {column} < {_FIRST_DAY}"
    return ""


def _key(table: Table, grain: Sequence[str], seen: _Values) -> tuple[tuple[str, ...], str]:
    """The primary key, and why there is none where a model states a grain."""
    if not grain:
        return (), ""
    nullable = [name for name in grain if seen.nulls.get(name, 1)]
    if nullable:
        return (), f"{table.full_name} has no primary key: {', '.join(nullable)} may be NULL."
    if any(seen.has_nul[name] for name in grain):
        return (
            (),
            f"{table.full_name} has no primary key: its values hold NUL, shown as {NUL_SIGN}.",
        )
    if sum(seen.bytes[name] for name in grain) > _KEY_BYTES:
        return (), f"{table.full_name} has no primary key: its values are too long for an index."
    return tuple(grain), ""


def _indexes(
    table: Table,
    types: Mapping[str, str],
    key: Sequence[str],
    dimension_keys: set[str],
    seen: _Values,
) -> tuple[str, ...]:
    """What dashboards filter and join by: dates, managers and the keys of dimensions."""
    return tuple(
        column.name
        for column in table.columns
        if (types[column.name] == "DATE" or column.name in dimension_keys or column.is_manager)
        and column.name != (key[0] if key else None)
        and seen.bytes[column.name] <= _KEY_BYTES
    )
