"""The shipped work calendar, as the demo company reads it."""

from __future__ import annotations

from datetime import date

import pytest

from seeds.demo.clock import Calendar

HOUR = 3600
LUNCH_HOURS = 1


@pytest.mark.parametrize(
    ("year", "days", "hours"),
    # Official totals of the five-day week of 40 hours.
    [(2023, 247, 1973), (2024, 248, 1979), (2025, 247, 1972), (2026, 247, 1972), (2027, 247, 1972)],
)
def test_a_year_has_the_official_working_days_and_hours(year: int, days: int, hours: int) -> None:
    calendar = Calendar(date(year, 1, 1), 12)
    worked = [calendar.hours(day) for day in calendar.working_days]
    assert len(worked) == days
    assert sum((end - start) // HOUR - LUNCH_HOURS for start, end in filter(None, worked)) == hours


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (date(2024, 4, 27), (9, 18)),  # exchanged for a full day
        (date(2024, 11, 2), (9, 17)),  # exchanged for a short one
        (date(2025, 11, 1), (9, 17)),
        (date(2026, 4, 30), (9, 17)),
        (date(2026, 5, 11), None),
        (date(2026, 12, 31), None),
        (date(2027, 2, 20), (9, 17)),
        (date(2027, 2, 22), None),
        (date(2027, 2, 24), (9, 18)),
    ],
)
def test_special_days(day: date, hours: tuple[int, int] | None) -> None:
    found = Calendar(date(2026, 4, 1), 6).hours(day)
    assert found == (hours and (hours[0] * HOUR, hours[1] * HOUR))
