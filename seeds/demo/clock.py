"""Working days and moments of the demo company.

Moments are whole seconds since 1970-01-01T00:00:00Z. Local time is Moscow's, UTC+3 all year
since 2014, so no time zone database is needed here.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

MOSCOW_OFFSET_SECONDS = 3 * 3600
DAY_SECONDS = 86_400
EPOCH = date(1970, 1, 1)
CALENDAR_CSV = Path(__file__).parents[1] / "reference" / "work_calendar_exceptions.csv"

Hours = tuple[int, int]


def moment(day: date, second_of_day: int) -> int:
    """Seconds since the epoch of a local day and second of that day."""
    return (day - EPOCH).days * DAY_SECONDS + second_of_day - MOSCOW_OFFSET_SECONDS


def local_day(at: int) -> date:
    """Local day of a moment."""
    return EPOCH + timedelta(days=(at + MOSCOW_OFFSET_SECONDS) // DAY_SECONDS)


def add_months(day: date, months: int) -> date:
    """First day of the month that lies `months` after the month of `day`."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _seconds(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60


@dataclass(frozen=True)
class Calendar:
    """Days of the simulated range and their working hours (seconds of the local day)."""

    start: date
    months: int

    @cached_property
    def end(self) -> date:
        """First day after the range."""
        return add_months(self.start, self.months)

    @cached_property
    def exceptions(self) -> dict[date, Hours | None]:
        """Working hours of the days that differ from the ordinary week; None: a day off."""
        with CALENDAR_CSV.open(encoding="utf-8", newline="") as file:
            return {
                date.fromisoformat(row["date_day"]): (
                    (_seconds(row["opens_at"]), _seconds(row["closes_at"]))
                    if row["opens_at"]
                    else None
                )
                for row in csv.DictReader(file)
            }

    @cached_property
    def days(self) -> list[date]:
        """Every day of the range."""
        return [self.start + timedelta(days=i) for i in range((self.end - self.start).days)]

    @cached_property
    def working_days(self) -> list[date]:
        """Working days of the range."""
        return [day for day in self.days if self.hours(day)]

    def hours(self, day: date) -> Hours | None:
        """Give the opening and closing second of a local day; None on a day off."""
        if day in self.exceptions:
            return self.exceptions[day]
        return (9 * 3600, 18 * 3600) if day.weekday() < 5 else None

    def next_working_day(self, day: date) -> date:
        """First working day after `day`."""
        day += timedelta(days=1)
        while not self.hours(day):
            day += timedelta(days=1)
        return day

    def month_index(self, day: date) -> int:
        """Count the months from the range's first to that of a day."""
        return (day.year - self.start.year) * 12 + day.month - self.start.month
