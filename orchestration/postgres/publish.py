"""Load a published file into Postgres beside what is there, then swap all schemas at once.

Readers see the old version or the new one: the schemas are renamed in one transaction, and an old
one is dropped when nobody reads it. A load that ends early leaves the old version in place.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from orchestration.base import progress
from orchestration.base.errors import TargetFailed
from orchestration.base.settings import Settings
from orchestration.base.sql import literal, quote
from orchestration.models.dbt import PublishedModel
from orchestration.postgres.access import (
    Access,
    access_schemas,
    access_statements,
    check_roles,
    grant_all,
    home,
    read_access,
)
from orchestration.postgres.names import Names, find_present
from orchestration.postgres.swap import drop_half_loaded, drop_replaced, swap
from orchestration.postgres.tables import Found, Table, read_tables
from orchestration.postgres.target import CATALOGUE, NUL_SIGN, Target

if TYPE_CHECKING:
    import psycopg

STEP = "postgres"
# Seconds that another refresh may take with the same database before we give up.
LOCK_WAIT = 120.0
_BUILD = "build_file"
# Rows of a table that the planner's statistics are made of where its rows are not to be counted.
_SAMPLE = 10_000


@dataclass(frozen=True)
class Loaded:
    """What is in Postgres now; `rows` is 0 where it was there before."""

    publication_id: str
    address: str
    tables: int
    rows: int
    notes: list[str] = field(default_factory=list)


def publish_to_postgres(settings: Settings, models: Sequence[PublishedModel]) -> Loaded:
    """Bring Postgres to the version of the published file; nothing is done where it has it.

    Raises TargetFailed where it cannot; readers then keep the version they have.
    """
    target = Target.of(settings)
    names = Names(target.prefix)
    with target.failures(), duckdb.connect(config=settings.session()) as files:
        publication_id, found, access = _read(files, settings, models, target)
        with target.connect() as server, _only_loader(server, target):
            schemas = {*found.schemas, *access_schemas(found.tables, access)}
            present = find_present(server, names, schemas, target)
            _make_roles(server, target)
            if access:
                check_roles(server, access, target)
            mark = names.mark(publication_id, _digest(target, access, found.tables))
            rows = 0
            if {names.live(schema): mark for schema in schemas} != present.live:
                drop_half_loaded(server, present.half_loaded)
                rows = _load(server, files, target, settings, found.tables, access, mark)
                _complete(server, found.tables, access, names, target)
                swap(server, names, schemas, present.live, publication_id)
            notes = [*found.notes, *drop_replaced(server, names, mark)]
    return Loaded(publication_id, target.address, len(found.tables), rows, notes)


def _read(
    files: duckdb.DuckDBPyConnection,
    settings: Settings,
    models: Sequence[PublishedModel],
    target: Target,
) -> tuple[str, Found, Access | None]:
    """What the published file holds and who may see it; refuses what Postgres cannot take."""
    published = settings.published_file.stem
    # Views of the file name its catalogue, so it keeps its own name.
    _attach(files, settings.published_file, published)
    files.execute("set TimeZone = 'UTC'")
    row = files.execute(
        f"select publication_id from {quote(published)}.quality.publication"
    ).fetchone()
    assert row is not None
    found = read_tables(files, published, models)
    if target.personal is None:
        return row[0], found, None
    _attach(files, settings.build_file, _BUILD)
    access, notes = read_access(files, _BUILD, published, target.personal)
    found.notes += notes
    return row[0], found, access


def _attach(files: duckdb.DuckDBPyConnection, file: Path, name: str) -> None:
    files.execute(f"attach {literal(str(file))} as {quote(name)} (read_only)")


def _digest(target: Target, access: Access | None, tables: Sequence[Table]) -> str:
    """Eight digits of everything but the rows that decides what is in the database."""
    state = repr((target.reader, access, tables))
    return hashlib.sha256(state.encode()).hexdigest()[:8]


@contextmanager
def _only_loader(server: psycopg.Connection, target: Target) -> Iterator[None]:
    """Hold the database's lock of our name: refreshes on other machines wait for it.

    It ends with the session, so a killed refresh leaves none behind.
    """
    key = int.from_bytes(hashlib.sha256(f"voronka {target.prefix}".encode()).digest()[:7])
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        row = server.execute("select pg_try_advisory_lock(%s)", [key]).fetchone()
        if row and row[0]:
            break
        if time.monotonic() > deadline:
            raise TargetFailed(
                f"Another refresh has been loading Postgres at {target.address} for more than "
                f"{LOCK_WAIT:.0f} s: {_holder(server, key)}.",
                "Wait until it ends, or end its session in Postgres; the next refresh catches up.",
            )
        time.sleep(0.25)
    try:
        yield
    finally:
        if not server.closed and not server.broken:
            server.execute("select pg_advisory_unlock(%s)", [key])


def _holder(server: psycopg.Connection, key: int) -> str:
    row = server.execute(
        "select a.pid, coalesce(host(a.client_addr), 'this machine'), a.backend_start "
        "from pg_locks as l join pg_stat_activity as a using (pid) "
        "where l.locktype = 'advisory' and l.granted and l.objsubid = 1 "
        "and (l.classid::bigint << 32) + l.objid::bigint = %s",
        [key],
    ).fetchone()
    return f"session {row[0]} from {row[1]}, since {row[2]:%Y-%m-%d %H:%M}" if row else "unknown"


def _make_roles(server: psycopg.Connection, target: Target) -> None:
    """Create the roles that read, where they are missing."""
    for role in (target.reader, target.personal):
        if not role:
            continue
        found = server.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
        if found:
            continue
        import psycopg

        try:
            server.execute(f"create role {quote(role)} nologin".encode())
        except psycopg.errors.InsufficientPrivilege as error:
            raise TargetFailed(
                f"Postgres at {target.address} has no role {role}, and this login may not create "
                "one.",
                f"Let an administrator run: create role {quote(role)} nologin; then refresh again.",
            ) from error


def _load(
    server: psycopg.Connection,
    files: duckdb.DuckDBPyConnection,
    target: Target,
    settings: Settings,
    tables: Sequence[Table],
    access: Access | None,
    mark: str,
) -> int:
    """Make the new schemas, fill their tables and index them; the number of rows.

    Where access is limited, the catalogue that everybody reads does not say how many rows there
    are: nothing counts them. The planner knows the values from a sample, and the size from the
    file.
    """
    names = Names(target.prefix)
    schemas = {table.schema for table in tables} | access_schemas(tables, access)
    with server.transaction():
        for schema in sorted(schemas):
            name = quote(names.new(schema))
            run(server, f"create schema {name}", f"comment on schema {name} is {literal(mark)}")
        for table in tables:
            columns = ", ".join(f"{quote(column.name)} {column.type}" for column in table.columns)
            uncounted = " with (autovacuum_enabled = false)" if access else ""
            run(server, f"create table {_place(table, access, names)} ({columns}){uncounted}")
    target.attach(files)
    places = {_place(table, access, names): table for table in tables}
    listed = ", ".join(places)
    file = settings.published_file.stem
    if access:
        _fill(files, places, file, f" using sample reservoir({_SAMPLE} rows) repeatable (1)")
        # Emptied, a table keeps what is known of its values. An index counts what it is built on.
        run(server, f"analyze {listed}", f"truncate {listed}")
        _index(server, places)
    progress.tell(STEP, total=len(tables))
    rows = _fill(files, places, file)
    if not access:
        _index(server, places)
        run(server, f"analyze {listed}")
    return rows


def _fill(
    files: duckdb.DuckDBPyConnection, places: Mapping[str, Table], file: str, sample: str = ""
) -> int:
    """Bring the rows of tables, or a sample of them; the number of rows."""
    rows = 0
    # One transaction, so one session: a table takes milliseconds instead of a connection.
    files.execute("begin")
    for place, table in places.items():
        columns = ", ".join(column.expression for column in table.columns)
        source = ".".join(quote(part) for part in (file, table.schema, table.name))
        done = files.execute(
            f"insert into {CATALOGUE}.{place} select {columns} from {source}{sample}"
        ).fetchone()
        rows += int(done[0]) if done else 0
        if not sample:
            progress.tell(STEP, table.full_name, "ok")
    files.execute("commit")
    return rows


def _index(server: psycopg.Connection, places: Mapping[str, Table]) -> None:
    """Keys and indexes."""
    for place, table in places.items():
        if table.key:
            key = ", ".join(quote(column) for column in table.key)
            run(server, f"alter table {place} add primary key ({key})")
        for column in table.indexes:
            run(server, f"create index on {place} ({quote(column)})")


def _complete(
    server: psycopg.Connection,
    tables: Sequence[Table],
    access: Access | None,
    names: Names,
    target: Target,
) -> None:
    """Masks, grants and comments."""
    with server.transaction():
        if access:
            run(server, *access_statements(tables, access, names, target.reader))
        elif target.reader:
            run(server, *grant_all(tables, names, target.reader))
        for table in tables:
            run(server, *_comments(table, access, names))


def _comments(table: Table, access: Access | None, names: Names) -> Iterator[str]:
    """Comments where readers look: on the view, where a view masks the table."""
    name = f"{quote(names.new(table.schema))}.{quote(table.name)}"
    kind = "table" if home(table, access) == table.schema else "view"
    if table.comment:
        yield f"comment on {kind} {name} is {literal(table.comment)}"
    for column in table.columns:
        if column.comment:
            yield f"comment on column {name}.{quote(column.name)} is {literal(column.comment)}"


def _place(table: Table, access: Access | None, names: Names) -> str:
    return f"{quote(names.new(home(table, access)))}.{quote(table.name)}"


def run(server: psycopg.Connection, *statements: str) -> None:
    """Run statements in one round trip. They are composed of quoted names and literals alone.

    A NUL would end them where it stands, so literals have what the tables have in its place.
    """
    if statements:
        server.execute("; ".join(statements).replace("\0", NUL_SIGN).encode())
