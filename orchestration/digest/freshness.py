"""How fresh the raw tables are, and which of them are later than they use to be.

The days on which a table was loaded are read from `_loaded_at` of its rows. Between two of them
lie so many working days: the table's gaps. Its rhythm is the gap that nine of ten do not exceed
(the greatest where there are fewer than ten), at least one day. A table is late when as many
working days as its rhythm have wholly passed since its last load: the day by which it was always
there is over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Protocol

import duckdb

from orchestration.base.errors import VoronkaError
from orchestration.base.object_store import load_object_store
from orchestration.base.settings import Settings
from orchestration.base.sql import literal, quote
from orchestration.raw_zone.spark_questions import in_spark_sql, tables_on_cluster
from orchestration.spark.connection import connected

# Gaps that are needed to call something a rhythm, and those that are looked at, the latest.
FEWEST_GAPS, MOST_GAPS = 4, 30
_USUAL = 0.9


class WorkingDays(Protocol):
    """The company's calendar."""

    def is_working(self, day: date) -> bool:
        """Whether anybody works on a day."""
        ...


@dataclass(frozen=True)
class Calendar:
    """Days of `dim_date`; a day beyond them is working from Monday to Friday."""

    days: Mapping[date, bool] = field(default_factory=dict)

    def is_working(self, day: date) -> bool:
        """Whether anybody works on a day."""
        known = self.days.get(day)
        return day.isoweekday() <= 5 if known is None else known

    @classmethod
    def published(cls, settings: Settings) -> Calendar:
        """The calendar of what is published; Monday to Friday where that is nothing."""
        if not settings.published_file.is_file():
            return cls()
        try:
            with duckdb.connect(str(settings.published_file), read_only=True) as connection:
                rows = connection.execute("select date_day, is_working_day from marts.dim_date")
                return cls(dict(rows.fetchall()))
        except duckdb.Error:
            # No calendar is published that can be read: as where nothing is.
            return cls()


@dataclass(frozen=True)
class Rhythm:
    """When a table was loaded last, in UTC, on which local day, and after how many days it is due.

    `due` is in working days; None where too few loads are known to tell.
    """

    last_at: datetime
    last_on: date
    due: int | None

    def is_late(self, today: date, calendar: WorkingDays) -> bool | None:
        """Whether it should have been loaded before today; None where nobody can tell."""
        if self.due is None:
            return None
        return working_days(self.last_on, today - timedelta(days=1), calendar) >= self.due


def rhythm_of(last_at: datetime, days: Sequence[date], calendar: WorkingDays) -> Rhythm:
    """The rhythm of a table with these load days, in any order."""
    ordered = sorted(set(days))
    pairs = list(pairwise(ordered))[-MOST_GAPS:]
    gaps = sorted(working_days(earlier, later, calendar) for earlier, later in pairs)
    if len(gaps) < FEWEST_GAPS:
        return Rhythm(last_at, ordered[-1], None)
    usual = gaps[math.ceil(_USUAL * len(gaps)) - 1]
    return Rhythm(last_at, ordered[-1], max(1, usual))


def working_days(after: date, until: date, calendar: WorkingDays) -> int:
    """Working days after a day, up to another, which counts."""
    count = (until - after).days
    return sum(calendar.is_working(after + timedelta(days=it)) for it in range(1, count + 1))


@dataclass(frozen=True)
class Loads:
    """The rhythm of every raw table that has rows, by its name."""

    tables: Mapping[str, Rhythm] = field(default_factory=dict)

    def late(self, today: date, calendar: WorkingDays) -> dict[str, Rhythm]:
        """The tables that are late."""
        return {
            name: it for name, it in self.tables.items() if it.is_late(today, calendar)
        }  # fmt: skip

    def last_of(self, source: str) -> datetime | None:
        """When anything of a source system was loaded last, as `crm`.

        A table without news gets no row; that its source was read shows in the others.
        """
        found = [it.last_at for name, it in self.tables.items() if name.partition(".")[0] == source]
        return max(found, default=None)


def read_loads(settings: Settings, zone: str, calendar: WorkingDays) -> Loads:
    """The loads of the raw zone as the last refresh registered it; none where that is not there.

    Days are those of the time zone `zone`. A table whose files have gone since is unknown.
    """
    if not settings.raw_zone_file.is_file():
        return Loads()
    try:
        opened = duckdb.connect(str(settings.raw_zone_file), True, settings.session())
        large = tables_on_cluster(settings)
    except duckdb.Error:
        # It is damaged; the next refresh writes it again.
        return Loads()
    found = {}
    with opened as connection, ExitStack() as stack:
        connection.execute("set TimeZone = 'UTC'")
        names = connection.execute("select table_name from zone.tables where rows > 0").fetchall()
        load_object_store(connection, settings.raw_zone)
        for (name,) in sorted(names):
            question = _loads_of(name, zone)
            try:
                if name in large:
                    spark = stack.enter_context(connected(settings))
                    days = spark.rows(in_spark_sql(question, settings.spark_prefix))
                else:
                    days = connection.execute(question).fetchall()
            except (duckdb.Error, VoronkaError):
                # Its files have gone since, or the cluster is silent: unknown, and the next refresh
                # says why.
                continue
            if days:
                found[name] = rhythm_of(
                    datetime.fromisoformat(days[-1][1]).replace(tzinfo=UTC),
                    [date.fromisoformat(day) for day, _ in days],
                    calendar,
                )
    return Loads(found)


def _loads_of(table: str, zone: str) -> str:
    """The local days on which a table was loaded and their last moment in UTC, both as text."""
    source, _, name = table.partition(".")
    return f"""
        select
            cast(cast(loaded_at at time zone {literal(zone)} as date) as varchar),
            cast(max(loaded_at) as varchar)
        from (
            select try_cast(_loaded_at as timestamptz) as loaded_at
            from {quote(source)}.{quote(name)}
        ) as loads
        where loaded_at >= timestamptz '1970-01-01 00:00:00+00'
            and loaded_at < timestamptz '9999-01-01 00:00:00+00'
        group by 1
        order by 1
    """
