"""Schemas in Postgres: which are ours, and what they are called before and after their time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.base.errors import TargetFailed
from orchestration.postgres.target import Target

if TYPE_CHECKING:
    import psycopg

_NEW = "__new"
_OLD = "__old_"
_STAMP = "20260101T000000000Z_2"
_BYTES = 63
# The instant of the publication that replaced the schema; a number, if it did so twice.
_REPLACED = re.compile(r".+__old_(\d{8}t\d{9}z(?:_\d+)?)")
# Added to a schema's name: its tables with personal data, unmasked, granted to nobody.
PERSONAL = "_personal"
ACCESS = "voronka_access"


@dataclass(frozen=True)
class Names:
    """The names of one target's schemas."""

    prefix: str

    def live(self, schema: str) -> str:
        """Where readers find a schema of the published file."""
        return f"{self.prefix}{schema}"

    def new(self, schema: str) -> str:
        """Where it is loaded."""
        return f"{self.live(schema)}{_NEW}"

    def old(self, live: str, publication_id: str, number: int = 1) -> str:
        """What a live schema is called once a publication replaces it, the n-th time it does."""
        stamp = publication_id.split("-")[0].lower()
        return f"{live}{_OLD}{stamp}{f'_{number}' if number > 1 else ''}"

    def replaced_by(self, name: str) -> str | None:
        """Which replacement a schema of ours fell to, None for a live one.

        The prefix is no part of that: it may be anything, `x__old_` too.
        """
        found = _REPLACED.fullmatch(name.removeprefix(self.prefix))
        return found[1] if found else None

    def is_half_loaded(self, name: str) -> bool:
        """Whether a schema of ours has not come to its name."""
        return name.removeprefix(self.prefix).endswith(_NEW)

    def can_be(self, schema: str) -> bool:
        """Whether a live schema may have this name: short enough, and no leftover's."""
        live = self.live(schema)
        is_leftover = self.is_half_loaded(live) or self.replaced_by(live) is not None
        return len(self.old(live, _STAMP).encode()) <= _BYTES and not is_leftover

    def mark(self, publication_id: str, digest: str) -> str:
        """The comment that makes a schema ours; equal comments mean equal contents."""
        return f"{self._begin()} publication {publication_id} ({digest}). Keep nothing here."

    def is_ours(self, comment: str | None) -> bool:
        """Whether a schema's comment is one of `mark`."""
        return bool(comment and comment.startswith(self._begin()))

    def _begin(self) -> str:
        return f'Voronka replaces this schema with every refresh; prefix "{self.prefix}",'


@dataclass(frozen=True)
class Present:
    """Our schemas in the database, by name with their comments: live ones and leftovers."""

    live: dict[str, str]
    half_loaded: list[str]
    replaced: list[str]


def find_present(
    server: psycopg.Connection, names: Names, schemas: Iterable[str], target: Target
) -> Present:
    """Our schemas. Raises TargetFailed where a name that we need is somebody else's."""
    rows = server.execute(
        "select nspname, obj_description(oid, 'pg_namespace'), pg_has_role(nspowner, 'usage') "
        "from pg_namespace where nspname not like 'pg\\_%' order by 1"
    ).fetchall()
    wanted = {names.live(schema) for schema in schemas} | {names.new(schema) for schema in schemas}
    foreign = [
        f"{name}: {'not made by Voronka' if may else 'owned by another login'}"
        for name, comment, may in rows
        if name in wanted and not (names.is_ours(comment) and may)
    ]
    unfit = sorted(schema for schema in schemas if not names.can_be(schema))
    if unfit:
        raise TargetFailed(
            f"{', '.join(unfit)} cannot be a schema in Postgres: with prefix and what is added "
            f"while it is replaced the name has more than {_BYTES} bytes, or it looks replaced.",
            "Give the schema or VORONKA_POSTGRES_PREFIX another name; then refresh again.",
        )
    if foreign:
        raise TargetFailed(
            f"Postgres at {target.address} has {len(foreign)} schemas of our names that are not "
            "ours; nothing was touched there.",
            "Rename or drop them, or set VORONKA_POSTGRES_PREFIX so that ours get other names; "
            "then refresh again.",
            foreign,
        )
    ours = {name: comment for name, comment, may in rows if names.is_ours(comment) and may}
    half_loaded = [name for name in ours if names.is_half_loaded(name)]
    replaced = [name for name in ours if names.replaced_by(name)]
    left_over = {*half_loaded, *replaced}
    live = {name: comment for name, comment in ours.items() if name not in left_over}
    return Present(live, half_loaded, replaced)
