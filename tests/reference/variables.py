"""The dbt variables, local time, periods and working time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

GRAINS = ("day", "week", "month", "quarter", "year")
Calendar = dict[date, tuple[time, time] | None]


@dataclass(frozen=True)
class Variables:
    """The variables of dbt_project.yml with the specification's defaults."""

    source_timezone: str = "UTC"
    reporting_timezone: str = "Europe/Moscow"
    base_currency: str = "RUB"
    as_of: date | None = None
    lead_match_tolerance_seconds: int = 300
    meaningful_call_seconds: int = 60
    recovery_window_hours: float = 24
    churn_days: int = 90
    diagnostic_drop: float = 0.8
    working_weekdays: tuple[int, ...] = (1, 2, 3, 4, 5)
    working_from: time = time(9)
    working_to: time = time(18)


def variables_from_text(assignments: list[str]) -> Variables:
    """Variables from `name=value` texts; raises ValueError for an unknown name."""
    values: dict[str, object] = {}
    known = {field.name for field in fields(Variables)}
    for assignment in assignments:
        name, _, text = assignment.partition("=")
        if name not in known:
            raise ValueError(f"unknown variable {name!r}; known: {', '.join(sorted(known))}")
        values[name] = _variable(name, text.strip())
    return Variables(**values)  # type: ignore[arg-type]  # read from text by name


def _variable(name: str, text: str) -> object:
    if name == "as_of":
        return date.fromisoformat(text) if text and text.lower() not in ("null", "none") else None
    if name == "working_weekdays":
        return tuple(int(part) for part in text.strip("[]").split(","))
    if name in ("working_from", "working_to"):
        return time.fromisoformat(text)
    if name in ("recovery_window_hours", "diagnostic_drop"):
        return float(text)
    if name in ("lead_match_tolerance_seconds", "meaningful_call_seconds", "churn_days"):
        return int(text)
    return text


def read_calendar(path: Path) -> Calendar:
    """The exceptions of the working calendar: date -> (opens, closes), None for a day off."""
    calendar: Calendar = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            opens, closes = row["opens_at"].strip(), row["closes_at"].strip()
            hours = (time.fromisoformat(opens), time.fromisoformat(closes)) if opens else None
            calendar[date.fromisoformat(row["date_day"])] = hours
    return calendar


def instant(wall: datetime, zone: str) -> datetime:
    """The UTC instant of a wall-clock time: a repeated one the later, a skipped one moved on."""
    both = (wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(both)


@dataclass(frozen=True)
class Clock:
    """Local dates and working time under given variables and calendar."""

    variables: Variables
    calendar: Calendar

    def day(self, moment: datetime) -> date:
        """The local date of an instant."""
        return moment.astimezone(ZoneInfo(self.variables.reporting_timezone)).date()

    def end_of_day(self, day: date) -> datetime:
        """The instant at which a local day ends."""
        midnight = datetime.combine(day + timedelta(days=1), time())
        return instant(midnight, self.variables.reporting_timezone)

    def hours(self, day: date) -> tuple[time, time] | None:
        """When work starts and ends on a local day; None for a day off."""
        if day in self.calendar:
            return self.calendar[day]
        if day.isoweekday() in self.variables.working_weekdays:
            return self.variables.working_from, self.variables.working_to
        return None

    def working_minutes(self, first: date, last: date) -> float:
        """Working minutes of the local days first … last."""
        total = timedelta()
        for day in days(first, last):
            hours = self.hours(day)
            if hours:
                total += datetime.combine(day, hours[1]) - datetime.combine(day, hours[0])
        return total / timedelta(minutes=1)

    def working_seconds(self, start: datetime, end: datetime) -> int:
        """Whole seconds of working time between two instants, summed first and then cut."""
        total = timedelta()
        for day in days(self.day(start), self.day(end)):
            hours = self.hours(day)
            if hours:
                opens, closes = (
                    instant(datetime.combine(day, at), self.variables.reporting_timezone)
                    for at in hours
                )
                total += max(min(end, closes) - max(start, opens), timedelta())
        return total // timedelta(seconds=1)


def days(first: date, last: date) -> Iterator[date]:
    """Every date from first to last, both included."""
    while first <= last:
        yield first
        first += timedelta(days=1)


def period_start(day: date, grain: str) -> date:
    """The first day of the period a date lies in."""
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(days=day.weekday())
    month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}[grain]
    return date(day.year, month, 1)


def next_period(start: date, grain: str) -> date:
    """The first day of the following period."""
    longest = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[grain]
    return period_start(start + timedelta(days=longest), grain)


def previous_period(start: date, grain: str) -> date:
    """The first day of the period before."""
    return period_start(start - timedelta(days=1), grain)


def period_end(start: date, grain: str) -> date:
    """The last day of a period."""
    return next_period(start, grain) - timedelta(days=1)


def seconds_between(start: datetime | None, end: datetime | None) -> int | None:
    """Whole seconds from start to end, cut down, never below 0; None if either is missing."""
    if start is None or end is None:
        return None
    return max((end - start) // timedelta(seconds=1), 0)
