"""Sessions on the published file, each with the rows that its viewer may see.

This is the one place where rows are limited and names are masked. All sessions of a publication
are cursors of one DuckDB instance, so that they share its memory and its limit. For each set of
visible rows there is a catalogue of views in memory, named as the tables of the file; a session
finds its views under `marts.fct_calls` and has no other way to name a table, since nobody's text
becomes a statement. The instance opens no file but the one that was attached.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from pathlib import Path

import duckdb

from orchestration.base.errors import VoronkaError, WrongUse, first_line
from orchestration.base.outside import close_but_for, facts_on_cluster
from orchestration.base.settings import Settings
from orchestration.base.sql import literal, quote
from orchestration.metrics.catalogue import MANIFEST_TABLE, SCHEMA
from orchestration.metrics.choices import Language
from orchestration.metrics.query import PublishedMetrics
from orchestration.publication.access import (
    MASK,
    PUBLICATION,
    TABLE_ACCESS,
    Members,
    ShownTo,
    read_members,
)
from orchestration.serving.viewer import NotAllowed, Viewer

FILE = "published"
SEED = Path("seeds/reference/access_roles.csv")
# What a table says that is not for a viewer, after its name.
_HIDDEN = "is not shown to this role"
_MANAGERS = "marts.dim_manager"
# Which raw tables were loaded at all decides whether a figure is known; how many rows, does not.
_LOADED = "quality.raw_reconciliation"
_LOADED_COLUMNS = "table_name, sign(rows_kept)::bigint as rows_kept"

_Stamp = tuple[int, ...]
_Scope = tuple[frozenset[str] | None, bool]


@dataclass(frozen=True)
class Session:
    """An open question: `connection` shows one publication, and of it what the viewer may see."""

    viewer: Viewer
    connection: duckdb.DuckDBPyConnection
    publication_id: str
    metrics: PublishedMetrics
    # Tables that fail when they are read: they are not for this viewer.
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Access:
    """What the published file says about one of its tables."""

    shown_to: ShownTo = ShownTo.PERSONAL
    personal: frozenset[str] = frozenset()
    managers: frozenset[str] = frozenset()


class NothingPublished(WrongUse):
    """There is no published file, or none that can be served."""


class Warehouse:
    """The published file, followed: a question sees one publication from its begin to its end.

    Its methods may be called from several threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options = {
            "memory_limit": settings.serve_memory,
            "threads": str(settings.threads),
        }
        self._lock = threading.Lock()
        self._publication: _Publication | None = None
        self._members: tuple[object, Members] | None = None

    @contextmanager
    def session(self, viewer: Viewer) -> Iterator[Session]:
        """A session of the newest publication.

        Raises WrongUse where nothing is published, NotAllowed where the question needs a table
        that is not for the viewer.
        """
        publication = self._enter()
        try:
            with publication.cursor(viewer) as connection:
                metrics = PublishedMetrics(connection, publication.metrics)
                yield Session(
                    viewer,
                    connection,
                    publication.publication_id,
                    metrics,
                    publication.hidden(viewer),
                )
        except (duckdb.Error, WrongUse) as error:
            if _HIDDEN in str(error):
                raise _not_allowed(error) from error
            raise
        finally:
            self._leave(publication)

    def viewer(self, role: str, language: Language = Language.RUSSIAN) -> Viewer:
        """The viewer of a role: of the seed, the reader or the personal one.

        Raises NotAllowed where there is no such role.
        """
        publication = self._enter()
        try:
            members = self._read_members(publication)
        finally:
            self._leave(publication)
        if role in members.roles:
            return Viewer(role, language, members.of(role))
        if role and role == self._settings.postgres_personal:
            return Viewer(role, language, is_personal=True)
        if role and role == self._settings.postgres_reader:
            return Viewer(role, language)
        raise NotAllowed(
            "This role sees nothing here.",
            f"Add it to {SEED}, or use a role that is in it.",
        )

    @property
    def publication_id(self) -> str:
        """The newest publication. Raises WrongUse where nothing is published."""
        publication = self._enter()
        try:
            return publication.publication_id
        finally:
            self._leave(publication)

    def peek(self) -> str | None:
        """The newest publication if it is open already; None costs nothing, either."""
        publication = self._publication
        if publication is None or publication.stamp != _stamp(self._settings.published_file):
            return None
        return publication.publication_id

    def close(self) -> None:
        """Close the file once the questions that are open have ended."""
        with self._lock:
            publication, self._publication = self._publication, None
            if publication is not None:
                publication.retire()

    def _enter(self) -> _Publication:
        """The publication that the file holds now; the one before is closed after its last use."""
        file = self._settings.published_file
        with self._lock:
            stamp = _stamp(file)
            if self._publication is None or self._publication.stamp != stamp:
                opened = _Publication(file, stamp, self._options, self._publication)
                if self._publication is not None:
                    self._publication.retire()
                self._publication = opened
            self._publication.users += 1
            return self._publication

    def _leave(self, publication: _Publication) -> None:
        with self._lock:
            publication.users -= 1
            publication.close_if_unused()

    def _read_members(self, publication: _Publication) -> Members:
        """The seed as it is now, with the teams of the publication."""
        file = self._settings.root / SEED
        key = (publication.publication_id, _stamp(file))
        with self._lock:
            if self._members is not None and self._members[0] == key:
                return self._members[1]
        members = _members(file, publication)
        with self._lock:
            self._members = (key, members)
        return members


@dataclass
class _Publication:
    """One state of the published file, open; `users` are the sessions on it."""

    file: Path
    stamp: _Stamp
    options: Mapping[str, str]
    before: InitVar[_Publication | None] = None
    users: int = 0
    is_retired: bool = False
    publication_id: str = field(init=False)
    metrics: PublishedMetrics = field(init=False)

    def __post_init__(self, before: _Publication | None) -> None:
        self._database = _open(self.file, self.options)
        try:
            self.metrics = _metrics(self._database, before)
            row = self._database.execute(f"select publication_id from {PUBLICATION}").fetchone()
            assert row is not None
            self.publication_id = row[0]
        except duckdb.Error as error:
            self._database.close()
            raise NothingPublished(
                "The published file is of an older version.", "Run `voronka refresh --full`."
            ) from error
        self._lock = threading.Lock()
        # As many as there are roles: a catalogue of views, and the tables that it hides.
        self._catalogues: dict[_Scope, tuple[str, frozenset[str]]] = {}
        self._number = 0

    @contextmanager
    def cursor(self, viewer: Viewer) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that finds a viewer's views under the names of the tables."""
        with self._database.cursor() as connection:
            connection.execute(f"use {quote(self._catalogue(viewer)[0])}")
            yield connection

    def hidden(self, viewer: Viewer) -> frozenset[str]:
        """Tables that are not for a viewer."""
        return self._catalogue(viewer)[1]

    def rows(self, sql: str) -> list[tuple[str, ...]]:
        """What a statement of ours finds in the whole file."""
        with self._database.cursor() as connection:
            connection.execute(f"use {quote(FILE)}")
            return connection.execute(sql).fetchall()

    def retire(self) -> None:
        """Let no new question in; close with the last one."""
        self.is_retired = True
        self.close_if_unused()

    def close_if_unused(self) -> None:
        if self.is_retired and not self.users:
            self._database.close()

    def _catalogue(self, viewer: Viewer) -> tuple[str, frozenset[str]]:
        """The catalogue with a viewer's views, those of all who see the same."""
        if viewer.is_personal and viewer.managers is None:
            return FILE, frozenset()
        scope = (viewer.managers, viewer.is_personal)
        with self._lock:
            if scope not in self._catalogues:
                self._number += 1
                name = f"viewer_{self._number}"
                with self._database.cursor() as connection:
                    hidden = _create_views(connection, name, viewer, self.metrics)
                self._catalogues[scope] = (name, hidden)
            return self._catalogues[scope]


def _open(file: Path, options: Mapping[str, str]) -> duckdb.DuckDBPyConnection:
    if not file.is_file():
        raise NothingPublished("Nothing is published yet.", "Run `voronka refresh`.")
    database = duckdb.connect(config={**options, "temp_directory": ""})
    try:
        database.execute("set global TimeZone = 'UTC'")
        database.execute(f"attach {literal(str(file))} as {quote(FILE)} (read_only)")
        close_but_for(database, facts_on_cluster(database, FILE))
        database.execute(f"use {quote(FILE)}")
    except duckdb.Error as error:
        database.close()
        raise NothingPublished(
            f"The published file cannot be read: {first_line(error)}", "Run `voronka refresh`."
        ) from error
    return database


def _metrics(database: duckdb.DuckDBPyConnection, before: _Publication | None) -> PublishedMetrics:
    """The file's metrics; what was compiled for the file before holds where it defines the same."""
    opened = PublishedMetrics(database)
    if before is not None and before.metrics.catalogue.manifest == opened.catalogue.manifest:
        return PublishedMetrics(database, before.metrics)
    return opened


def _stamp(file: Path) -> _Stamp:
    """What changes when another file takes a file's place."""
    try:
        state = os.stat(file)
    except OSError:
        return ()
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)


def _members(file: Path, publication: _Publication) -> Members:
    """The seed's roles. Raises VoronkaError where it cannot be read: then nobody is let in."""
    managers = publication.rows(f"select manager_id, team from {_MANAGERS}")
    with duckdb.connect() as connection:
        try:
            connection.execute("create table managers (manager_id varchar, team varchar)")
            if managers:
                values = ", ".join(
                    f"({literal(key)}, {literal(team) if team is not None else 'null'})"
                    for key, team in managers
                )
                connection.execute(f"insert into managers values {values}")
            lines = f"read_csv({literal(str(file))}, header = true, all_varchar = true)"
            return read_members(connection, lines, "managers")
        except duckdb.Error as error:
            raise VoronkaError(
                f"{SEED} cannot be read: {first_line(error)}", "Correct it."
            ) from error


def _create_views(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    viewer: Viewer,
    metrics: PublishedMetrics,
) -> frozenset[str]:
    """A catalogue in memory with what a viewer may see of each table, under the table's name.

    Gives the tables that are not for the viewer at all.
    """
    connection.execute(f"use {quote(FILE)}")
    try:
        rules = {
            table: _Access(ShownTo(shown), frozenset(personal), frozenset(managers))
            for table, shown, personal, managers in connection.execute(
                "select table_name, shown_to, personal_columns, manager_columns "
                f"from {TABLE_ACCESS}"
            ).fetchall()
        }
    except duckdb.CatalogException as error:
        raise NothingPublished(
            "The published file does not say what is personal in it.",
            "It is of an older version: run `voronka refresh --full`.",
        ) from error
    columns: dict[str, dict[str, str]] = {}
    for schema, table, column, data_type in connection.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        f"where database_name = {literal(FILE)} and schema_name || '.' || table_name in "
        "(select schema_name || '.' || table_name from duckdb_tables() "
        f"where database_name = {literal(FILE)}) order by table_name, column_index"
    ).fetchall():
        columns.setdefault(f"{schema}.{table}", {})[column] = data_type
    spines = metrics.catalogue.manifest["project_configuration"]["time_spines"]
    definitions = {f"{SCHEMA}.{MANIFEST_TABLE}"} | {
        f"{it['node_relation']['schema_name']}.{it['node_relation']['alias']}" for it in spines
    }
    hidden = set()
    connection.execute(f"attach ':memory:' as {quote(name)}")
    try:
        for schema in sorted({table.partition(".")[0] for table in columns}):
            connection.execute(f"create schema {quote(name)}.{quote(schema)}")
        for table, types in columns.items():
            if table in definitions:
                shown = f"select * from {_relation(FILE, table)}"
            else:
                shown = _visible(table, types, rules.get(table, _Access()), viewer)
            if not shown:
                hidden.add(table)
                shown = _failing(table, types)
            connection.execute(f"create view {_relation(name, table)} as {shown}")
    except duckdb.Error:
        connection.execute(f"detach {quote(name)}")
        raise
    return frozenset(hidden)


def _visible(table: str, types: Mapping[str, str], access: _Access, viewer: Viewer) -> str:
    """What a viewer sees of a table, as a select; empty where it is not for the viewer."""
    relation = _relation(FILE, table)
    is_limited = viewer.managers is not None
    if access.shown_to is ShownTo.PERSONAL and not viewer.is_personal:
        return ""
    if access.shown_to is ShownTo.UNLIMITED and is_limited:
        if table == _LOADED:
            return f"select {_LOADED_COLUMNS} from {relation}"
        return ""
    columns = [
        _masked(column, data_type)
        if column in access.personal and not viewer.is_personal
        else quote(column)
        for column, data_type in types.items()
    ]
    where = ""
    if viewer.managers is not None and access.shown_to is not ShownTo.EVERYBODY:
        where = f" where {_own_rows(access.managers, viewer.managers)}"
    return f"select {', '.join(columns)} from {relation}{where}"


def _own_rows(columns: frozenset[str], managers: frozenset[str]) -> str:
    """The condition that one of a row's managers is among these."""
    if not columns or not managers:
        return "false"
    keys = ", ".join(literal(key) for key in sorted(managers))
    return " or ".join(f"{quote(column)} in ({keys})" for column in sorted(columns))


def _masked(column: str, data_type: str) -> str:
    name = quote(column)
    is_text = data_type in ("VARCHAR", "JSON") or data_type.startswith("ENUM(")
    mask = literal(MASK) if is_text else f"null::{data_type}"
    return f"case when {name} is not null then {mask} end as {name}"


def _failing(table: str, types: Mapping[str, str]) -> str:
    """A table that fails when it is read, so that nobody takes its silence for a zero.

    Every column comes from the failing expression: no condition can be answered without it.
    """
    columns = ", ".join(f"failure::{kind} as {quote(name)}" for name, kind in types.items())
    text = literal(f"{table} {_HIDDEN}.")
    return f"select {columns} from (select error({text}) as failure) where failure is null"


def _not_allowed(error: Exception) -> NotAllowed:
    text = str(error).partition(_HIDDEN)[0].split()
    table = text[-1] if text else "It"
    return NotAllowed(
        f"{table} {_HIDDEN}.",
        "A role of some managers sees the tables whose rows name a manager, and names masked; "
        "ask with a role that sees more.",
    )


def _relation(catalogue: str, table: str) -> str:
    schema, _, name = table.partition(".")
    return f"{quote(catalogue)}.{quote(schema)}.{quote(name)}"
