"""What passes from the simulation to the writer: batches, one table of one export each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from seeds.demo import finance
from seeds.demo.calls import Calls
from seeds.demo.clock import EPOCH, Calendar, add_months, moment
from seeds.demo.dealers import Dealers
from seeds.demo.sales import Sales
from seeds.demo.touches import Touches

EXPORT_SECOND = 3 * 3600
# An incremental export reaches back this far, so its first rows were in the one before.
OVERLAP_SECONDS = 12 * 3600
INFINITY = 1 << 60


@dataclass(frozen=True)
class Export:
    """One nightly export: its number, its moment and its file name without suffix."""

    number: int
    at: int
    stem: str


@dataclass
class Batch:
    """One table of one export: columns of equal length by name, each with its kind."""

    table: str
    export: Export
    kinds: dict[str, str]
    rows: Sequence[Sequence[object]]
    shared: bool = False


@dataclass
class Department:
    """The simulated department."""

    calendar: Calendar
    sales: Sales
    calls: Calls
    touches: Touches
    dealers: Dealers
    rates: list[finance.Rate]
    spend: list[finance.Spend]
    costs: list[tuple[date, str, int]]
    quotas: list[finance.Quota]


def export_days(calendar: Calendar) -> list[date]:
    """List the days of the exports: a full one after half of the months, then one a month."""
    first = max(1, calendar.months // 2)
    days = [add_months(calendar.start, month) for month in range(first, calendar.months + 1)]
    return days if len(days) > 1 else [calendar.start + timedelta(days=14), *days]


def exports(calendar: Calendar) -> list[Export]:
    """List the exports of a range, in order."""
    return [
        Export(number, moment(day, EXPORT_SECOND), f"{day.isoformat()}T0300")
        for number, day in enumerate(export_days(calendar))
    ]


def days_of(at: date | None) -> int | None:
    """Count days since 1970-01-01."""
    return None if at is None else (at - EPOCH).days


def seen(at: int | None, export: Export) -> int | None:
    """Give a moment, if the export can know it."""
    return at if at is not None and at <= export.at else None


def last(moments: Iterable[int | None], export: Export) -> int:
    """Give the latest moment that the export can know."""
    return max(at for at in moments if at is not None and at <= export.at)


def is_new(at: int, export: Export, since: int) -> bool:
    """Whether an incremental export since a moment holds what happened at another."""
    return since - OVERLAP_SECONDS < at <= export.at
