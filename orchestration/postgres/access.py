"""The rule of `publication.access` in Postgres: roles, policies and masks as SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from orchestration.base.errors import TargetFailed
from orchestration.base.sql import literal, quote
from orchestration.postgres.names import ACCESS, PERSONAL, Names
from orchestration.postgres.tables import Table
from orchestration.postgres.target import Target
from orchestration.publication.access import MASK, ShownTo, read_members, shown_to

if TYPE_CHECKING:
    import psycopg

SEED = "reference.access_roles"


@dataclass(frozen=True)
class Access:
    """Access of one publication: pairs of a role and a manager whose rows it sees."""

    personal: str
    roles: tuple[str, ...]
    members: tuple[tuple[str, str], ...]


def read_access(
    connection: duckdb.DuckDBPyConnection, build: str, published: str, personal: str
) -> tuple[Access, list[str]]:
    """The seed's roles with the managers of their teams, and notes on lines that name nobody.

    Teams are those of `marts.dim_manager` in the same publication. `build` and `published` are
    the catalogues of attached files. Raises TargetFailed where the build lacks the seed.
    """
    try:
        members = read_members(
            connection, f"{quote(build)}.{SEED}", f"{quote(published)}.marts.dim_manager"
        )
    except duckdb.CatalogException as error:
        raise TargetFailed(
            f"VORONKA_POSTGRES_ACCESS is on, and the build has no {SEED} or no marts.dim_manager.",
            "Refresh with the whole project; nothing was changed in Postgres.",
        ) from error
    return Access(personal, members.roles, members.pairs), list(members.notes)


def home(table: Table, access: Access | None) -> str:
    """The schema that a table is loaded into: apart if its columns are masked."""
    return table.schema + PERSONAL if _is_masked(table, access) else table.schema


def access_schemas(tables: Iterable[Table], access: Access | None) -> set[str]:
    """Schemas that are needed beside those of the file."""
    return ({home(table, access) for table in tables} | {ACCESS}) if access else set()


def access_statements(
    tables: Sequence[Table], access: Access, names: Names, reader: str
) -> Iterator[str]:
    """Masks, policies and grants on the new schemas, before anybody can see them."""
    yield from _membership(access, names)
    full = [role for role in (reader, access.personal) if role]
    for table in tables:
        if _is_masked(table, access):
            yield from _masked_view(table, access, names, full)
        elif _shown_to(table) is ShownTo.OWN_ROWS:
            yield from _policies(table, access, names, full)
    for schema in sorted({table.schema for table in tables} | {ACCESS}):
        for role in (*full, *access.roles):
            yield f"grant usage on schema {quote(names.new(schema))} to {quote(role)}"
    for role in (*full, *access.roles):
        yield f"grant select on {_mine(names)} to {quote(role)}"
    for table in tables:
        roles = ", ".join(quote(role) for role in _readers(table, access, full))
        yield f"grant select on {_new(names, table.schema, table.name)} to {roles}"


def grant_all(tables: Sequence[Table], names: Names, reader: str) -> Iterator[str]:
    """Grants where access is not limited: the reader reads everything."""
    for schema in sorted({table.schema for table in tables}):
        yield f"grant usage on schema {quote(names.new(schema))} to {quote(reader)}"
        yield f"grant select on all tables in schema {quote(names.new(schema))} to {quote(reader)}"


def check_roles(server: psycopg.Connection, access: Access, target: Target) -> None:
    """Raise TargetFailed where a role is missing, or would see more than its rows."""
    problems = []
    for role in access.roles:
        found = server.execute(
            "select array_agg(wide.rolname) filter (where pg_has_role(r.oid, wide.oid, 'member')) "
            "from pg_roles as r left join pg_roles as wide on wide.rolname = any(%s) "
            "where r.rolname = %s group by r.oid",
            [[target.reader, access.personal], role],
        ).fetchone()
        if found is None:
            problems.append(f"{role}: there is no such role; create it")
        elif found[0]:
            problems.append(f"{role}: is a member of {', '.join(found[0])}, which sees every row")
    if problems:
        raise TargetFailed(
            f"{len(problems)} roles of access_roles.csv cannot be limited; Postgres shows the "
            "version before.",
            "Correct the roles in the database or the lines in seeds/reference/access_roles.csv, "
            "then refresh again.",
            problems,
        )


def _readers(table: Table, access: Access, full: Sequence[str]) -> list[str]:
    """Who may read a table: what cannot be limited is not shown to limited roles."""
    match _shown_to(table):
        case ShownTo.EVERYBODY | ShownTo.OWN_ROWS:
            return [*full, *access.roles]
        case ShownTo.UNLIMITED:
            return [*full]
        case ShownTo.PERSONAL:
            return [access.personal]


def _shown_to(table: Table) -> ShownTo:
    return shown_to(
        table.full_name,
        is_described=table.is_described,
        is_personal=table.is_personal,
        managers=table.managers,
    )


def _is_masked(table: Table, access: Access | None) -> bool:
    return bool(access and table.personal and not table.is_personal)


def _membership(access: Access, names: Names) -> Iterator[str]:
    managers = _new(names, ACCESS, "managers")
    yield (
        f"create table {managers} (role_name text, manager_id text, "
        "primary key (role_name, manager_id))"
    )
    if access.members:
        values = ", ".join(f"({literal(role)}, {literal(key)})" for role, key in access.members)
        # Keys that differ by what Postgres cannot hold are one there.
        yield f"insert into {managers} values {values} on conflict do nothing"
    yield (
        f"create view {_mine(names)} with (security_barrier) as select m.manager_id "
        f"from {managers} as m join pg_catalog.pg_roles as r on r.rolname = m.role_name "
        "where pg_catalog.pg_has_role(current_user, r.oid, 'usage')"
    )
    yield f"comment on view {_mine(names)} is 'Managers whose rows the current role sees.'"


def _policies(table: Table, access: Access, names: Names, full: Sequence[str]) -> Iterator[str]:
    name = _new(names, table.schema, table.name)
    yield f"alter table {name} enable row level security"
    roles = ", ".join(quote(role) for role in full)
    yield f"create policy all_rows on {name} for select to {roles} using (true)"
    if access.roles:
        roles = ", ".join(quote(role) for role in access.roles)
        own = _own_rows(table, names)
        yield f"create policy own_rows on {name} for select to {roles} using ({own})"


def _masked_view(table: Table, access: Access, names: Names, full: Sequence[str]) -> Iterator[str]:
    sees = f"(select {_is_member(access.personal)})"
    columns = []
    for column in table.columns:
        name = quote(column.name)
        if column.is_personal:
            mask = literal(MASK) if column.type == "text" else f"null::{column.type}"
            name = f"case when {sees} then {name} when {name} is not null then {mask} end as {name}"
        columns.append(name)
    view = _new(names, table.schema, table.name)
    rows = ""
    if table.managers:
        everything = " or ".join(_is_member(role) for role in full)
        rows = f" where (select {everything}) or {_own_rows(table, names)}"
    yield (
        f"create view {view} with (security_barrier) as select {', '.join(columns)} "
        f"from {_new(names, home(table, access), table.name)}{rows}"
    )


def _own_rows(table: Table, names: Names) -> str:
    """The condition that one of a row's managers is the current role's."""
    mine = f"any (array(select manager_id from {_mine(names)}))"
    return "(" + " or ".join(f"{quote(column)} = {mine}" for column in table.managers) + ")"


def _is_member(role: str) -> str:
    return f"pg_catalog.pg_has_role(current_user, {literal(role)}, 'usage')"


def _mine(names: Names) -> str:
    return _new(names, ACCESS, "mine")


def _new(names: Names, schema: str, name: str) -> str:
    return f"{quote(names.new(schema))}.{quote(name)}"
