"""Which rows of a table changed since they were last looked at, by day and member.

A cell is what a table has of one day and one member (a manager, say). A fingerprint of each cell's
rows is noted; cells whose fingerprints differ from those noted have other rows, whatever wrote
them. NULL and the value that stands for it share a cell, which makes a cell larger and nothing
wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace

import duckdb

from orchestration.base.sql import literal, quote

NO_DAY = "date '0001-01-01'"
DAY, MEMBER = "day", "member"


@dataclass(frozen=True)
class Rows:
    """Rows of a table, told apart by expressions over its columns.

    Without `day` all rows are of no day, without `member` of no member. Cells of no member are
    added up from those of `parts`, where that is given: it may tell apart what others look at too.
    Only `columns` are looked at, where some are named.
    """

    schema: str
    table: str
    day: str | None = None
    member: str | None = None
    where: str | None = None
    parts: str | None = None
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The table, quoted."""
        return f"{quote(self.schema)}.{quote(self.table)}"


def day_of(expression: str | None, grain: str = "day") -> str:
    """The first day of a period, never NULL."""
    if expression is None:
        return NO_DAY
    return f"coalesce(date_trunc({literal(grain)}, {expression})::date, {NO_DAY})"


def member_of(expression: str | None) -> str:
    """A member's key as text, never NULL."""
    return "''" if expression is None else f"coalesce(({expression})::varchar, '')"


class Cells:
    """Cells of tables as they are, and as they were noted in the attached database `catalog`.

    The session uses the database whose tables are looked at. `noted` are the names that `note`
    gave, where what they hold is to be believed.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, catalog: str, noted: Iterable[str]
    ) -> None:
        self._connection, self._catalog, self._noted = connection, catalog, set(noted)
        self._looked_at: dict[Rows, str] = {}
        self._changes: dict[str, bool] = {}

    def of(self, rows: Rows) -> str:
        """A table of the present cells: `day`, `member`, `rows` and `fingerprint`."""
        if rows not in self._looked_at:
            name = f"cells_{hashlib.sha256(repr(astuple(rows)).encode()).hexdigest()[:24]}"
            self._connection.execute(f"create temp table {name} as {self._sql(rows)}")
            self._looked_at[rows] = name
        return f"temp.main.{self._looked_at[rows]}"

    def before(self, rows: Rows) -> str | None:
        """A table of the cells as they were noted; None where they were not."""
        name = self.of(rows).rpartition(".")[2]
        return f"{self._catalog}.main.{name}" if name in self._noted else None

    def changed(self, rows: Rows) -> str:
        """A table of the cells with other rows than were noted: `day` and `member`."""
        now, before = self.of(rows), self.before(rows)
        if before is None:
            return now
        changed = f"{now}_changed"
        if changed not in self._changes:
            self._connection.execute(
                f"create temp table {changed.rpartition('.')[2]} as "
                f"select {DAY}, {MEMBER} from {now} as now full join {before} as before "
                f"using ({DAY}, {MEMBER}) where (now.rows, now.fingerprint) "
                f"is distinct from (before.rows, before.fingerprint)"
            )
            self._changes[changed] = self._has_rows(changed)
        return changed

    def has_changed(self, rows: Rows) -> bool:
        """Whether any cell has other rows than were noted."""
        changed = self.changed(rows)
        if changed not in self._changes:
            return self._has_rows(changed)
        return self._changes[changed]

    def note(self) -> list[str]:
        """Note the cells that were looked at, and nothing else; their names."""
        names = sorted(self._looked_at.values())
        for rows, name in self._looked_at.items():
            noted = f"{self._catalog}.main.{name}"
            if name not in self._noted:
                self._connection.execute(f"create table {noted} as from temp.main.{name}")
            elif self.has_changed(rows):
                theirs = f"({DAY}, {MEMBER}) in (from {self.changed(rows)})"
                self._connection.execute(f"delete from {noted} where {theirs}")
                self._connection.execute(
                    f"insert into {noted} from temp.main.{name} where {theirs}"
                )
        for name in self._noted.difference(names):
            self._connection.execute(f"drop table if exists {self._catalog}.main.{name}")
        return names

    def _sql(self, rows: Rows) -> str:
        if rows.member is None and rows.parts is not None:
            parts = self.of(replace(rows, member=rows.parts))
            return (
                f"select {DAY}, '' as {MEMBER}, sum(rows)::bigint as rows, "
                f"sum(fingerprint) as fingerprint from {parts} group by all"
            )
        where = f" where {rows.where}" if rows.where else ""
        looked_at = ", ".join(map(quote, rows.columns)) or "_row"
        return (
            f"select {day_of(rows.day)} as {DAY}, {member_of(rows.member)} as {MEMBER}, "
            f"count(*) as rows, sum(hash({looked_at})) as fingerprint "
            f"from {rows.name} as _row{where} group by all"
        )

    def _has_rows(self, table: str) -> bool:
        return bool(self._connection.execute(f"from {table} limit 1").fetchall())
