"""Whether a publication to Postgres could work: connection, rights and names; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.base.errors import VoronkaError
from orchestration.base.settings import Settings
from orchestration.base.sql import quote
from orchestration.models.dbt import PUBLISHED_SCHEMAS
from orchestration.postgres.names import ACCESS, Names, find_present
from orchestration.postgres.target import Target, extension

if TYPE_CHECKING:
    import psycopg

OLDEST = 12


@dataclass(frozen=True)
class Trouble:
    """What stands against a publication, and what to do about it."""

    text: str
    remedy: str
    details: tuple[str, ...] = ()


def inspect(settings: Settings) -> tuple[str, list[Trouble]]:
    """What was found at the address, and all that stands against publishing there."""
    try:
        target = Target.of(settings)
        extension()
        with target.failures(), target.connect() as server:
            version = server.info.server_version // 10_000
            found = f"Postgres {version} at {target.address}, as {server.info.user}"
            return found, list(_troubles(server, target, version))
    except VoronkaError as error:
        return "", [Trouble(error.message, error.remedy, tuple(error.details))]


def _troubles(server: psycopg.Connection, target: Target, version: int) -> Iterator[Trouble]:
    if version < OLDEST:
        yield Trouble(
            f"Postgres {version} is older than {OLDEST}, and not tried", "Use a newer one."
        )
    user, database = server.info.user, server.info.dbname
    ((may_create_schemas, may_create_roles),) = server.execute(
        "select has_database_privilege(current_database(), 'create'), rolcreaterole or rolsuper "
        "from pg_roles where rolname = current_user"
    ).fetchall()
    if not may_create_schemas:
        yield Trouble(
            f"{user} may not create schemas in {database}",
            f"Let an administrator run: grant create on database {quote(database)} "
            f"to {quote(user)}",
        )
    wanted = [role for role in (target.reader, target.personal) if role]
    present = server.execute(
        "select rolname::text from pg_roles where rolname = any(%s)", [wanted]
    ).fetchall()
    for role in sorted(set(wanted) - {role for (role,) in present}):
        if not may_create_roles:
            yield Trouble(
                f"There is no role {role}, and {user} may not create one",
                f"Let an administrator run: create role {quote(role)} nologin",
            )
    try:
        find_present(server, Names(target.prefix), (*PUBLISHED_SCHEMAS, ACCESS), target)
    except VoronkaError as error:
        yield Trouble(error.message, error.remedy, tuple(error.details))
