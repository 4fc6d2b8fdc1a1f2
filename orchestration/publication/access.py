"""Who is shown what: one rule for every place that limits rows and masks names.

Three kinds of roles. The reader sees every row, masked. The personal role sees every row as it
is, quarantine too. A role of the seed `access_roles` sees the rows of its managers, masked, in
every table that names a manager, and the dimensions.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import duckdb

MASK = "***"
# Says which version is shown; everybody may know.
PUBLICATION = "quality.publication"
# What the published file says of its own tables.
TABLE_ACCESS = "quality.table_access"


class ShownTo(StrEnum):
    """Who is shown a table."""

    EVERYBODY = "everybody"
    # Limited roles see the rows of their managers.
    OWN_ROWS = "own_rows"
    # Whose rows belong to no manager: not for limited roles.
    UNLIMITED = "unlimited"
    PERSONAL = "personal"


def shown_to(
    table: str, *, is_described: bool, is_personal: bool, managers: Collection[str]
) -> ShownTo:
    """Who is shown a table, as `marts.dim_source`.

    `is_described` says whether a model told what is personal in it, `is_personal` that all of it
    is, `managers` are its columns with a manager's key.
    """
    if table == PUBLICATION:
        return ShownTo.EVERYBODY
    if not is_described or is_personal:
        return ShownTo.PERSONAL
    if managers:
        return ShownTo.OWN_ROWS
    is_dimension = table.partition(".")[2].startswith("dim_")
    return ShownTo.EVERYBODY if is_dimension else ShownTo.UNLIMITED


@dataclass(frozen=True)
class Members:
    """The seed's roles, and pairs of a role and a manager whose rows it sees.

    `notes` are about lines of the seed that name nobody.
    """

    roles: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def of(self, role: str) -> frozenset[str]:
        """The managers whose rows a role sees."""
        return frozenset(manager for name, manager in self.pairs if name == role)


def read_members(connection: duckdb.DuckDBPyConnection, lines: str, managers: str) -> Members:
    """The seed's roles with the managers of their teams.

    `lines` is a relation with the seed's columns, `managers` is `marts.dim_manager` of the
    publication that is shown: teams are those of its day. Raises duckdb.Error.
    """
    found = connection.execute(
        f"select distinct role_name, scope, value, manager_id from {lines} "
        f"left join {managers} "
        "on value = case scope when 'manager' then manager_id when 'team' then team end "
        "order by all"
    ).fetchall()
    return Members(
        tuple(sorted({role for role, _, _, _ in found})),
        tuple(sorted({(role, manager) for role, _, _, manager in found if manager is not None})),
        tuple(
            f"access_roles: {role} has nobody to see, there is no {scope} {value}."
            for role, scope, value, manager in found
            if manager is None
        ),
    )
