"""The published database: a copy of the marts' file, with what the other steps add to it."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb

from orchestration.base.object_store import load_object_store
from orchestration.base.outside import FactOnCluster, write_facts_on_cluster
from orchestration.base.record import ERROR, FAIL, PASS, WARN, Record
from orchestration.base.settings import Settings
from orchestration.base.sql import attach, insert, literal, quote
from orchestration.models.dbt import PublishedModel
from orchestration.models.handover import read_handed_over
from orchestration.publication.access import PUBLICATION, TABLE_ACCESS, ShownTo, shown_to
from orchestration.publication.names import RUSSIAN_SCHEMA

# Tables that no model makes.
_OWN_TABLES = (
    PublishedModel(
        "quality",
        "publication",
        (),
        "One row: what this file is, when it was made, from what and how it was found.",
        {
            "publication_id": "When the set was published and what it was made from.",
            "project_version": "Version of Voronka.",
            "as_of_date": "The warehouse's today: the local day of the latest event.",
            "published_at": "When the file was written.",
            "raw_dir": "The raw zone.",
            "is_demo": "Whether that is the demo company.",
            "raw_files": "Files in the raw zone.",
            "raw_rows": "Rows in them, all versions and deletions included.",
            "rows_quarantined": "Rows that broke the contract; they are in `quarantine`.",
            "checks_passed": "Checks that found nothing.",
            "checks_warned": "Checks that found what does not stop a publication.",
            "checks_failed": "Checks that failed without stopping the publication.",
        },
    ),
    PublishedModel(
        "quality",
        "raw_files",
        (),
        "The raw files that this publication was made from.",
        {
            "table_name": "Raw table, as `crm.deals`.",
            "file": "Path of the file in the raw zone.",
            "rows": "Rows by the file's footer.",
            "bytes": "Size of the file.",
        },
    ),
    PublishedModel(
        "quality",
        "checks",
        (),
        "Every check of the refresh that made this file.",
        {
            "check_name": "What is checked.",
            "kind": "Who checks: `dbt`, `metricflow`, `gx` (Great Expectations) or `voronka`.",
            "asset": "The table that is checked.",
            "severity": "`error`: a failure stops the publication; `warn`: it does not.",
            "status": "`pass`, `warn`, `fail`, or `error`: the check itself broke.",
            "failing_rows": "Rows that it found; NULL where it does not count rows.",
            "message": "What it found, in words.",
        },
    ),
    PublishedModel(
        "quality",
        "schema_drift",
        (),
        "Columns, files and folders of the raw zone that the contract does not know.",
        {
            "table_name": "Raw table, as `crm.deals`, or the folder that is none.",
            "file": "Path of the file in the raw zone; NULL for such a folder.",
            "column_name": "The unknown column; NULL for a file or a folder.",
            "data_type": "The column's type.",
        },
    ),
    PublishedModel(
        "quality",
        "facts_on_cluster",
        (),
        "Facts that are too large for this file: views of a cluster's Parquet. Mostly not there.",
        {
            "table_name": "Table, as `marts.fct_calls`.",
            "rows": "Rows in it.",
            "location": "Where the view reads them.",
        },
    ),
    PublishedModel(
        "quality",
        "table_access",
        (),
        "Who is shown which table where rows are limited and names are masked.",
        {
            "table_name": "Table, as `marts.fct_calls`.",
            "shown_to": "`everybody`; `own_rows`: limited roles see those of their managers; "
            "`unlimited`: not for limited roles; `personal`: only the role that sees all.",
            "personal_columns": "Columns that are masked for all other roles.",
            "manager_columns": "Columns with a manager's key; a row belongs to each of them.",
        },
    ),
)


@dataclass(frozen=True)
class Edition:
    """What a publication is called, which version of Voronka made it, and when."""

    publication_id: str
    version: str
    published_at: datetime


@dataclass(frozen=True)
class Contents:
    """What a published database holds; `rows` by full table name.

    `outside` are facts of which it has views alone.
    """

    rows: Mapping[str, int]
    as_of_date: date | None
    outside: Sequence[FactOnCluster] = ()


def write_database(
    file: Path,
    settings: Settings,
    models: Sequence[PublishedModel],
    record: Record,
    edition: Edition,
) -> Contents:
    """Write the database: what dbt built, the scorecards, and what the refresh found.

    Raises duckdb.Error and OSError where it cannot be written.
    """
    _checkpoint(settings.marts_file)
    shutil.copyfile(settings.marts_file, file)
    with duckdb.connect(str(file), config=settings.session()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        attached = [*settings.build_files, settings.raw_zone_file]
        scorecards = [model for model in models if model.is_scorecard]
        if scorecards:
            attached.append(settings.scorecards_file)
        attach(connection, *attached)
        outside = _outside(connection)
        connection.execute("begin")
        _drop_private(connection, models)
        for schema in sorted({model.schema for model in models} | {"quality"}):
            connection.execute(f"create schema if not exists {quote(schema)}")
        _replace_views(connection, settings.marts_file, {fact.table for fact in outside})
        for model in scorecards:
            table, catalogue = _table(model), quote(settings.scorecards_file.stem)
            connection.execute(f"create table {table} as from {catalogue}.{table}")
        _create_russian_views(connection, models)
        contents = Contents(
            _rows(connection, models), _as_of(connection, settings.build_file), outside
        )
        _write_quality(connection, settings, record, edition, contents)
        write_facts_on_cluster(connection, outside)
        write_access(connection, models)
        connection.execute("commit")
        _describe_all(connection, [*models, *_OWN_TABLES], {fact.table for fact in outside})
        for path in attached:
            connection.execute(f"detach {quote(path.stem)}")
        connection.execute("checkpoint")
    return contents


def _checkpoint(file: Path) -> None:
    """Bring into a file what a writer that was killed left beside it: only the file is copied."""
    if file.with_name(f"{file.name}.wal").exists():
        with duckdb.connect(str(file)) as connection:
            connection.execute("checkpoint")


def _drop_private(connection: duckdb.DuckDBPyConnection, models: Sequence[PublishedModel]) -> None:
    """Drop the state of incremental models, and whatever is not to be published."""
    connection.execute("drop schema if exists state cascade")
    published = {(model.schema, model.name) for model in models}
    for kind in ("table", "view"):
        for schema, name in connection.execute(
            f"select schema_name, {kind}_name from duckdb_{kind}s() "
            "where database_name = current_database() and not internal order by all"
        ).fetchall():
            if (schema, name) not in published:
                connection.execute(f"drop {kind} {quote(schema)}.{quote(name)}")


def _outside(connection: duckdb.DuckDBPyConnection) -> list[FactOnCluster]:
    """The facts that stay on a cluster; the session can read them then."""
    staying = [it for it in read_handed_over(connection) if it.stays]
    for fact in staying:
        load_object_store(connection, fact.location)
    return [FactOnCluster(it.full_name, it.rows, it.location) for it in staying]


def _replace_views(
    connection: duckdb.DuckDBPyConnection, marts: Path, outside: Collection[str]
) -> None:
    """Publish models that are views as tables: what they read stays private.

    Facts that are `outside` stay views.
    """
    for schema, name in connection.execute(
        "select schema_name, view_name from duckdb_views() "
        "where database_name = current_database() and not internal order by all"
    ).fetchall():
        if f"{schema}.{name}" in outside:
            continue
        view = f"{quote(schema)}.{quote(name)}"
        connection.execute(f"drop view {view}")
        connection.execute(f"create table {view} as from {quote(marts.stem)}.{view}")


def _table(model: PublishedModel) -> str:
    return f"{quote(model.schema)}.{quote(model.name)}"


def _rows(
    connection: duckdb.DuckDBPyConnection, models: Sequence[PublishedModel]
) -> dict[str, int]:
    counts = [f"select {literal(it.full_name)}, count(*) from {_table(it)}" for it in models]
    return dict(connection.execute(" union all ".join(counts)).fetchall()) if counts else {}


def _as_of(connection: duckdb.DuckDBPyConnection, build: Path) -> date | None:
    found = connection.execute(
        f"select max(as_of_date) from {quote(build.stem)}.intermediate.int_refresh__as_of"
    ).fetchone()
    return found[0] if found else None


def _create_russian_views(
    connection: duckdb.DuckDBPyConnection, models: Sequence[PublishedModel]
) -> None:
    """The marts under Russian column names; no view names its catalogue, so any may attach it."""
    connection.execute(f"create schema {quote(RUSSIAN_SCHEMA)}")
    for model in models:
        if model.russian_names:
            listed = ", ".join(
                f"{quote(column)} as {quote(name)}" for column, name in model.russian_names.items()
            )
            connection.execute(
                f"create view {quote(RUSSIAN_SCHEMA)}.{quote(model.name)} as "
                f"select {listed} from {quote(model.schema)}.{quote(model.name)}"
            )


def _describe_all(
    connection: duckdb.DuckDBPyConnection,
    models: Sequence[PublishedModel],
    outside: Collection[str],
) -> None:
    """Give tables and columns the descriptions of the models as comments.

    Apart from the tables: one transaction for both takes a second and a half longer.
    """
    present = set(
        connection.execute(
            "select schema_name, table_name, lower(column_name) from duckdb_columns() "
            "where database_name = current_database()"
        ).fetchall()
    )
    tables = {(schema, name) for schema, name, _ in present}
    connection.execute("begin")
    for model in models:
        own_kind = "view" if model.full_name in outside else "table"
        described = [(own_kind, model.schema, model.columns)]
        if model.russian_names:
            texts = {
                name: model.columns[column]
                for column, name in model.russian_names.items()
                if column in model.columns
            }
            described.append(("view", RUSSIAN_SCHEMA, texts))
        for kind, schema, columns in described:
            relation = f"{quote(schema)}.{quote(model.name)}"
            comments = [
                f"comment on column {relation}.{quote(column)} is {literal(text)}"
                for column, text in columns.items()
                if (schema, model.name, column.lower()) in present
            ]
            if model.description and (schema, model.name) in tables:
                comments.append(f"comment on {kind} {relation} is {literal(model.description)}")
            if comments:
                connection.execute("; ".join(comments))
    connection.execute("commit")


def _write_quality(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    record: Record,
    edition: Edition,
    contents: Contents,
) -> None:
    as_of = contents.as_of_date
    quarantined = sum(
        count for table, count in contents.rows.items() if table.startswith("quarantine.")
    )
    connection.execute(
        "create table quality.publication (publication_id varchar, project_version varchar, "
        "as_of_date date, published_at timestamptz, raw_dir varchar, is_demo boolean, "
        "raw_files bigint, raw_rows bigint, rows_quarantined bigint, checks_passed bigint, "
        "checks_warned bigint, checks_failed bigint)"
    )
    insert(
        connection,
        "quality.publication",
        [
            (
                *(edition.publication_id, edition.version),
                *(as_of.isoformat() if as_of else None, edition.published_at.isoformat()),
                *(record.raw_dir, record.is_demo, record.raw_files, record.raw_rows, quarantined),
                *(record.count(PASS), record.count(WARN), record.count(FAIL, ERROR)),
            )
        ],
    )
    raw_zone = quote(settings.raw_zone_file.stem)
    for table, columns in (
        ("raw_files", "table_name, file, rows, bytes from {}.zone.files"),
        ("schema_drift", "* from {}.zone.schema_drift"),
    ):
        connection.execute(
            f"create table quality.{table} as select {columns.format(raw_zone)} order by all"
        )
    connection.execute(
        "create table quality.checks (check_name varchar, kind varchar, asset varchar, "
        "severity varchar, status varchar, failing_rows bigint, message varchar)"
    )
    insert(
        connection,
        "quality.checks",
        [
            (c.name, c.kind, c.asset, c.severity, c.status, c.failing_rows, c.message)
            for c in sorted(record.checks, key=lambda check: (check.kind, check.asset, check.name))
        ],
    )


def write_access(connection: duckdb.DuckDBPyConnection, models: Sequence[PublishedModel]) -> None:
    """What each model says about who may see it, for those who serve the file."""
    connection.execute(
        f"create table {TABLE_ACCESS} (table_name varchar, shown_to varchar, "
        "personal_columns varchar[], manager_columns varchar[])"
    )
    described = [
        (
            model.full_name,
            shown_to(
                model.full_name,
                is_described=True,
                is_personal=model.is_personal,
                managers=model.managers,
            ),
            model.personal,
            model.managers,
        )
        for model in models
    ]
    none = frozenset[str]()
    values = ", ".join(
        f"({literal(table)}, {literal(shown)}, {_list(personal)}, {_list(managers)})"
        for table, shown, personal, managers in [
            *described,
            (PUBLICATION, ShownTo.EVERYBODY, none, none),
        ]
    )
    connection.execute(f"insert into {TABLE_ACCESS} values {values}")


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, sorted(names)))}]::varchar[]"
