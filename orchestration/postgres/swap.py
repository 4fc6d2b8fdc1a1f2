"""The swap of schemas, and what becomes of the replaced ones."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestration.base.sql import quote
from orchestration.postgres.names import ACCESS, Names

if TYPE_CHECKING:
    import psycopg

# While a swap waits for statements to end, new ones wait behind it: this long at most, in ms.
_STRICT_WAIT = 150
_STRICT_TRIES = 6
_PLAIN_WAIT = 2_000
_PLAIN_TRIES = 10
_PAUSE = 0.2
# Below the second after which Postgres looks for deadlocks, which would end a reader.
_DROP_WAIT = 500
_CLEAN_WAIT = 20_000


def swap(
    server: psycopg.Connection,
    names: Names,
    schemas: Iterable[str],
    live: Collection[str],
    publication_id: str,
) -> None:
    """Give the new schemas the names of the live ones, all in one transaction.

    A statement looks up its tables one after another. So the swap first tries to be alone with
    the old tables for a moment; where long readers do not let it, it renames without waiting for
    them, and only a statement that is looking up two marts in that very instant could get one of
    each.
    """
    import psycopg

    old = _names_of_replaced(server, names, live, publication_id)
    for attempt in range(_STRICT_TRIES + _PLAIN_TRIES):
        strict = attempt < _STRICT_TRIES
        try:
            with server.transaction():
                _limit_waits(server, _STRICT_WAIT if strict else _PLAIN_WAIT)
                if strict:
                    _lock(server, old)
                for schema, name in old.items():
                    _rename(server, schema, name)
                for schema in schemas:
                    _rename(server, names.new(schema), names.live(schema))
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if attempt == _STRICT_TRIES + _PLAIN_TRIES - 1:
                raise
            time.sleep(_PAUSE)


def _names_of_replaced(
    server: psycopg.Connection, names: Names, live: Collection[str], publication_id: str
) -> dict[str, str]:
    """Names that no leftover has: who may see what can change within one publication."""
    taken = {name for (name,) in server.execute("select nspname from pg_namespace").fetchall()}
    number = 1
    while not taken.isdisjoint(names.old(schema, publication_id, number) for schema in live):
        number += 1
    return {schema: names.old(schema, publication_id, number) for schema in live}


def drop_half_loaded(server: psycopg.Connection, schemas: Sequence[str]) -> None:
    """Remove what a load that ended early left; nobody reads it."""
    if schemas:
        with server.transaction():
            _limit_waits(server, _CLEAN_WAIT)
            _execute(server, f"drop schema {_listed(schemas)} cascade")


def drop_replaced(server: psycopg.Connection, names: Names, mark: str) -> list[str]:
    """Drop replaced versions that nobody reads and nothing depends on; notes on the others."""
    import psycopg

    notes = []
    for version in _replaced(server, names).values():
        try:
            with server.transaction():
                _limit_waits(server, _DROP_WAIT)
                _drop(server, names, version)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            notes.append("A replaced version is still read; the next refresh removes it.")
        except psycopg.errors.DependentObjectsStillExist as error:
            who = (error.diag.message_detail or "").splitlines()
            notes.append(
                f"A replaced version is kept, and shown as it was, because {who[0]}. Create that "
                "again on the present schema."
                if who
                else "A replaced version is kept because something depends on it."
            )
    return notes


def _replaced(server: psycopg.Connection, names: Names) -> Mapping[str, list[str]]:
    """Replaced schemas of each version, by its stamp."""
    rows = server.execute(
        "select nspname, obj_description(oid, 'pg_namespace') from pg_namespace "
        "where pg_has_role(nspowner, 'usage') order by 1"
    ).fetchall()
    versions: dict[str, list[str]] = {}
    for schema, comment in rows:
        replacement = names.replaced_by(schema) if names.is_ours(comment) else None
        if replacement:
            versions.setdefault(replacement, []).append(schema)
    return versions


def _drop(server: psycopg.Connection, names: Names, schemas: Sequence[str]) -> None:
    """Drop one version without taking along what people built on it.

    Policies hold on to the view in the access schema, so that goes last.
    """
    access = f"{names.live(ACCESS)}__"
    inner = [schema for schema in schemas if schema.startswith(access)]
    outer = [schema for schema in schemas if schema not in inner]
    for kind, keyword in (("v", "view"), ("r", "table")):
        relations = _relations(server, outer, kind)
        if relations:
            _execute(server, f"drop {keyword} {', '.join(relations)} restrict")
    if outer:
        _execute(server, f"drop schema {_listed(outer)} restrict")
    if inner:
        _execute(server, f"drop schema {_listed(inner)} cascade")


def _lock(server: psycopg.Connection, schemas: Iterable[str]) -> None:
    tables = _relations(server, list(schemas), "r")
    if tables:
        _execute(server, f"lock table {', '.join(tables)} in access exclusive mode")


def _relations(server: psycopg.Connection, schemas: Sequence[str], kind: str) -> list[str]:
    rows = server.execute(
        "select nspname, relname from pg_class join pg_namespace as n on relnamespace = n.oid "
        "where nspname = any(%s) and relkind = %s order by 1, 2",
        [list(schemas), kind],
    ).fetchall()
    return [f"{quote(schema)}.{quote(name)}" for schema, name in rows]


def _rename(server: psycopg.Connection, schema: str, name: str) -> None:
    _execute(server, f"alter schema {quote(schema)} rename to {quote(name)}")


def _limit_waits(server: psycopg.Connection, milliseconds: int) -> None:
    _execute(server, f"set local lock_timeout = {milliseconds}")


def _listed(schemas: Iterable[str]) -> str:
    return ", ".join(quote(schema) for schema in schemas)


def _execute(server: psycopg.Connection, statement: str) -> None:
    server.execute(statement.encode())
