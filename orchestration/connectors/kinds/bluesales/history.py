"""Stage entries of a system without a history, derived from dated loads (connectors_crm.md 2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)
_DATE = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?")

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Entry:
    """A customer or an order came into a status: at `at`, and surely not before `after`."""

    status_id: str
    at: datetime
    after: datetime | None
    quality: str


@dataclass(frozen=True)
class Dated:
    """What a date of BlueSales says: an interval of UTC, closed below and open above."""

    start: datetime
    end: datetime
    has_time: bool


def dated(text: object, zone: ZoneInfo) -> Dated | None:
    """`14.03.2026`, `14.03.2026 11:42[:10]` or ISO, local; None for anything else.

    Midnight to the second is how a date without time is often written, and counts as one.
    """
    if not isinstance(text, str) or not text.strip():
        return None
    moment = _moment(text.strip())
    if moment is None:
        return None
    if moment.tzinfo is None and moment.time() == time():
        day = moment.date()
        start = datetime.combine(day, time(), zone)
        end = datetime.combine(day + timedelta(days=1), time(), zone)
        return Dated(start.astimezone(UTC), end.astimezone(UTC), False)
    start = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    return Dated(start, start + _SECOND, True)


def _moment(text: str) -> datetime | None:
    found = _DATE.fullmatch(text)
    if found:
        day, month, year, hour, minute, second = found.groups()
        text = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}"
    elif not _ISO.match(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def next_entry(
    status_id: str, changed: Dated | None, seen: datetime | None, loaded_at: datetime
) -> Entry:
    """The entry into a status that differs from the one seen before.

    `seen`: until when the row surely had the former status, as far as the loads tell.
    """
    after = seen
    if changed is None or after is None:
        return Entry(status_id, _whole(loaded_at, after), after, "load")
    if not (changed.end > after + timedelta(microseconds=1) and changed.start <= loaded_at):
        return Entry(status_id, _whole(loaded_at, after), after, "load")
    # Not the day's midnight: the nightly load came after it, and every move would be a day late.
    at = min(max(changed.start, after + _SECOND), loaded_at)
    quality = "exact" if changed.has_time else "day" if changed.start > after else "day_cut"
    return Entry(status_id, _whole(at, after), after, quality)


def first_entry(
    status_id: str,
    changed: Dated | None,
    created_at: datetime | None,
    is_first_status: bool,
    loaded_at: datetime,
) -> Entry:
    """The entry of a row that was never seen before."""
    if changed is not None and changed.start <= loaded_at:
        at = changed.start
    elif is_first_status and created_at is not None:
        at = min(created_at, loaded_at)
    else:
        at = loaded_at
    return Entry(status_id, _whole(at, None), None, "first")


def _whole(at: datetime, after: datetime | None) -> datetime:
    """Without parts of a second, unless that would be before the row was last seen otherwise."""
    whole = at.replace(microsecond=0)
    return whole if after is None or whole > after else at
