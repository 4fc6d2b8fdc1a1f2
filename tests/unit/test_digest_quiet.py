"""Quiet hours: over midnight, and when clocks are changed."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.digest.quiet import Quiet

BERLIN = ZoneInfo("Europe/Berlin")
MINUTES = st.integers(0, 24 * 60 - 1)


def clock(minutes: int) -> time:
    return time(minutes // 60, minutes % 60)


@pytest.mark.parametrize(
    ("hours", "at", "holds"),
    [
        ("22:00-08:00", "21:59", False),
        ("22:00-08:00", "22:00", True),
        ("22:00-08:00", "00:00", True),
        ("22:00-08:00", "07:59", True),
        ("22:00-08:00", "08:00", False),
        ("12:00-13:30", "12:00", True),
        ("12:00-13:30", "13:29", True),
        ("12:00-13:30", "13:30", False),
        ("12:00-13:30", "00:00", False),
        ("22:00-00:00", "23:59", True),
        ("22:00-00:00", "00:00", False),
        ("0:00-7:00", "0:00", True),
    ],
)
def test_the_begin_is_quiet_and_the_end_is_not(hours, at, holds):
    hour, minute = map(int, at.split(":"))
    assert Quiet.parse(hours).holds(datetime(2026, 3, 2, hour, minute)) is holds


@given(MINUTES, MINUTES, MINUTES)
def test_it_is_quiet_for_as_many_minutes_after_the_begin_as_lie_before_the_end(begin, end, now):
    if begin == end:
        return
    quiet = Quiet(clock(begin), clock(end))
    day = 24 * 60
    expected = (now - begin) % day < (end - begin) % day
    assert quiet.holds(datetime.combine(datetime(2026, 3, 2), clock(now))) is expected


@given(MINUTES, MINUTES, MINUTES)
def test_quiet_hours_end_at_their_end_within_a_day(begin, end, now):
    local = datetime.combine(datetime(2026, 3, 2), clock(now), BERLIN)
    if begin == end or not Quiet(clock(begin), clock(end)).holds(local):
        return
    quiet = Quiet(clock(begin), clock(end))
    ends = quiet.end_after(local)
    assert local < ends <= local + timedelta(days=1)
    assert ends.time() == clock(end) and not quiet.holds(ends)


@pytest.mark.parametrize(
    ("instant", "holds"),
    [
        # Clocks go from 2:00 to 3:00: the night is an hour shorter, the morning begins at 8 all
        # the same.
        (datetime(2026, 3, 29, 5, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 29, 6, 0, tzinfo=UTC), False),
        # Clocks go from 3:00 to 2:00: 2:30 comes twice and is quiet twice.
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 6, 59, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 7, 0, tzinfo=UTC), False),
    ],
)
def test_the_clock_on_the_wall_decides_when_clocks_are_changed(instant, holds):
    assert Quiet.parse("22:00-08:00").holds(instant.astimezone(BERLIN)) is holds


def test_the_end_after_a_change_of_clocks_is_by_the_new_time():
    night = datetime(2026, 3, 28, 22, 30, tzinfo=UTC).astimezone(BERLIN)
    ends = Quiet.parse("22:00-08:00").end_after(night)
    assert ends.astimezone(UTC) == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "22-8", "22:00", "25:00-08:00", "22:00-08:60", "x-y"])
def test_other_texts_are_no_hours(text):
    with pytest.raises(ValueError, match="write quiet hours as 22:00-08:00"):
        Quiet.parse(text)


def test_hours_that_hold_nothing_or_all_are_refused():
    with pytest.raises(ValueError, match="two different times"):
        Quiet.parse("08:00-08:00")
