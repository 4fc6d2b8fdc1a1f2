"""When a raw table is late: by its own rhythm, in working days."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.base.settings import Settings
from orchestration.digest.freshness import (
    FEWEST_GAPS,
    Calendar,
    Loads,
    Rhythm,
    read_loads,
    rhythm_of,
    working_days,
)

WEEK = Calendar()
MONDAY = date(2026, 3, 2)


def days_from(first: date, count: int, step: int = 1) -> list[date]:
    return [first + timedelta(days=step * it) for it in range(count)]


def weekdays(first: date, count: int) -> list[date]:
    return [it for it in days_from(first, 2 * count) if it.isoweekday() <= 5][:count]


def late(days: list[date], today: date, calendar: Calendar = WEEK) -> bool | None:
    at = datetime.combine(max(days), datetime.min.time(), UTC)
    return rhythm_of(at, days, calendar).is_late(today, calendar)


@pytest.mark.parametrize(
    ("today", "is_late"),
    [
        # Loaded each working day up to Friday the 13th.
        (date(2026, 3, 13), False),
        (date(2026, 3, 15), False),
        (date(2026, 3, 16), False),  # Monday: today's load may still come
        (date(2026, 3, 17), True),  # Monday has passed without one
    ],
)
def test_a_daily_table_is_late_when_a_working_day_has_passed_without_a_load(today, is_late):
    assert late(weekdays(MONDAY, 10), today) is is_late


def test_holidays_are_waited_for():
    days = weekdays(MONDAY, 10)
    holidays = Calendar(dict.fromkeys(days_from(date(2026, 3, 16), 3), False))
    assert late(days, date(2026, 3, 19), holidays) is False
    assert late(days, date(2026, 3, 20), holidays) is True


def test_a_weekly_table_is_late_when_its_day_of_the_week_has_passed():
    days = days_from(MONDAY, 6, 7)
    last = days[-1]
    assert late(days, last + timedelta(days=7)) is False
    assert late(days, last + timedelta(days=8)) is True


def test_one_long_gap_of_many_makes_nothing_slower():
    days = weekdays(MONDAY, 12) + weekdays(MONDAY + timedelta(days=42), 10)
    assert rhythm_of(datetime(2026, 5, 1, tzinfo=UTC), days, WEEK).due == 1


def test_loads_at_the_weekend_make_no_rhythm_of_no_days():
    days = days_from(MONDAY, 20)
    assert rhythm_of(datetime(2026, 3, 21, tzinfo=UTC), days, WEEK).due == 1


def test_loads_on_days_off_alone_make_no_rhythm_of_no_days():
    closed = Calendar(dict.fromkeys(days_from(MONDAY, 10), False))
    last = MONDAY + timedelta(days=9)
    assert late(days_from(MONDAY, 10), last, closed) is False
    assert late(days_from(MONDAY, 10), last + timedelta(days=1), closed) is False
    assert late(days_from(MONDAY, 10), last + timedelta(days=2), closed) is True


def test_with_few_loads_nobody_can_tell():
    days = weekdays(MONDAY, FEWEST_GAPS)
    assert late(days, date(2027, 1, 1)) is None
    assert (
        Loads({"crm.deals": Rhythm(datetime(2026, 3, 5, tzinfo=UTC), days[-1], None)}).late(
            date(2027, 1, 1), WEEK
        )
        == {}
    )


DAYS = st.lists(
    st.integers(0, 400).map(lambda it: MONDAY + timedelta(days=it)),
    min_size=FEWEST_GAPS + 1, max_size=80, unique=True,
)  # fmt: skip


@settings(deadline=None)
@given(DAYS, st.lists(st.integers(0, 800), max_size=60))
def test_late_means_that_nine_of_ten_gaps_were_over_by_now(days, free):
    calendar = Calendar({MONDAY + timedelta(days=it): False for it in free})
    ordered = sorted(days)
    gaps = [
        sum(calendar.is_working(a + timedelta(days=it)) for it in range(1, (b - a).days + 1))
        for a, b in pairwise(ordered)
    ][-30:]
    today = ordered[-1]
    was_late = False
    for _ in range(60):
        passed = sum(
            calendar.is_working(ordered[-1] + timedelta(days=it))
            for it in range(1, (today - ordered[-1]).days)
        )
        is_late = late(days, today, calendar)
        over = sum(gap <= passed for gap in gaps)
        assert is_late is (over >= 0.9 * len(gaps) and passed >= 1)
        # Once late, it stays late until it is loaded.
        assert is_late or not was_late
        was_late = bool(is_late)
        today += timedelta(days=1)


@given(st.dates(date(2026, 1, 1), date(2026, 12, 31)), st.integers(0, 60), st.integers(0, 60))
def test_working_days_add_up(first, some, more):
    middle = first + timedelta(days=some)
    last = middle + timedelta(days=more)
    assert working_days(first, last, WEEK) == (
        working_days(first, middle, WEEK) + working_days(middle, last, WEEK)
    )


def test_a_system_is_as_fresh_as_its_freshest_table():
    early, later = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    loads = Loads(
        {
            "crm.deals": Rhythm(later, date(2026, 3, 2), None),
            "crm.payments": Rhythm(early, date(2026, 3, 1), None),
        }
    )
    assert loads.last_of("crm") == later
    assert loads.last_of("telephony") is None


def test_loads_are_read_from_the_raw_zone_by_local_days(tmp_path: Path):
    settings = Settings(data_dir=tmp_path)
    assert read_loads(settings, "Europe/Moscow", WEEK) == Loads()
    settings.build_dir.mkdir(parents=True)
    settings.temporary_dir.mkdir()
    with duckdb.connect(str(settings.raw_zone_file)) as connection:
        connection.execute(
            "create schema zone; create schema crm;"
            "create table zone.tables as select * from (values ('crm.deals', 7), ('crm.leads', 0), "
            "('crm.gone', 5)) as t(table_name, rows);"
            # As text, and so late in the evening that it is the next day in Moscow.
            "create table crm.deals as select (timestamptz '2026-03-01 22:30:00+00' "
            "+ i * interval 1 day)::varchar as _loaded_at from range(7) as t(i);"
            "insert into crm.deals values (null), ('yesterday'), ('infinity'), ('0044-03-15 (BC)')"
        )
    loads = read_loads(settings, "Europe/Moscow", WEEK)
    assert loads.tables == {
        "crm.deals": Rhythm(datetime(2026, 3, 7, 22, 30, tzinfo=UTC), date(2026, 3, 8), 1)
    }


def test_the_calendar_is_that_of_what_is_published(tmp_path: Path):
    settings = Settings(data_dir=tmp_path)
    saturday, monday = date(2026, 3, 7), date(2026, 3, 9)
    assert not Calendar.published(settings).is_working(saturday)
    settings.published_dir.mkdir(parents=True)
    with duckdb.connect(str(settings.published_file)) as connection:
        connection.execute(
            "create schema marts; create table marts.dim_date as select * from (values "
            "(date '2026-03-07', true), (date '2026-03-09', false)) as t(date_day, is_working_day)"
        )
    calendar = Calendar.published(settings)
    assert calendar.is_working(saturday) and not calendar.is_working(monday)
    # Beyond its last day it is Monday to Friday.
    assert calendar.is_working(date(2026, 3, 10)) and not calendar.is_working(date(2026, 3, 14))
