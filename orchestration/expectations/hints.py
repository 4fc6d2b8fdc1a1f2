"""What values that do not read probably are, in words for whoever runs the exporter."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from orchestration.raw_zone.contract import Column

_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_COMPACT_DATE = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", re.ASCII)
_DAY_FIRST = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b.*", re.ASCII)
_SLASHES = re.compile(r"\d{4}[/.]\d{1,2}[/.]\d{1,2}\b.*", re.ASCII)
_EPOCH = re.compile(r"1970-01-01\b.*|0+(\.0*)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d[\d\s.']*,\d+", re.ASCII)
_GROUPS = re.compile(r"[+-]?\d{1,3}([\s']\d{3})+(\.\d+)?")
_LETTERS = re.compile(r"[+-]?[\d\s.,']*[^\d\s.,'eE+-]+[\d\s.,']*")
_EXCEL_DAYS = range(20_000, 80_000)
_EXCEL_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
# Digits of a number of seconds in this century, and how many of its units make a second.
_UNIX = {10: ("seconds", 1), 13: ("milliseconds", 10**3), 16: ("microseconds", 10**6)}
_UNIX[19] = ("nanoseconds", 10**9)
_TIMES = ("timestamp", "date")


def hint(column: Column, rule: str, values: Sequence[str]) -> str:
    """What to tell the exporter about values that broke a rule of a column; empty: nothing known.

    `values` are examples as they were given. A hint is about more than half of them.
    """
    if rule == "enum":
        known = ", ".join(column.meta.get("values", ()))
        return f"the contract knows {known}" if known else ""
    if column.data_type in _TIMES and rule == "type":
        return _first(values, _unix_time, _compact_date, _excel_day, _day_first, _slashes)
    if column.data_type in _TIMES and rule == "range":
        return _first(values, _epoch)
    if column.data_type in ("decimal", "integer") and rule == "type":
        return _first(values, _comma, _groups, _letters)
    return ""


def _first(values: Sequence[str], *guesses: Callable[[str], str]) -> str:
    """The first guess that holds for more than half of the values, as said of the first of them."""
    for guess in guesses:
        said = [text for value in values if (text := guess(value.strip()))]
        if 2 * len(said) > len(values):
            return said[0]
    return ""


def _unix_time(value: str) -> str:
    digits = value.partition(".")[0]
    if not _NUMBER.fullmatch(value) or len(digits) not in _UNIX:
        return ""
    unit, per_second = _UNIX[len(digits)]
    at = datetime.fromtimestamp(int(digits) // per_second, UTC)
    return (
        f"numbers of {len(digits)} digits are Unix {unit}: write {value} as {at:%Y-%m-%dT%H:%M:%S}Z"
    )


def _compact_date(value: str) -> str:
    if not _COMPACT_DATE.fullmatch(value):
        return ""
    return f"a date has hyphens: write {value} as {value[:4]}-{value[4:6]}-{value[6:]}"


def _excel_day(value: str) -> str:
    if not _NUMBER.fullmatch(value) or int(float(value)) not in _EXCEL_DAYS:
        return ""
    at = _EXCEL_EPOCH + timedelta(days=float(value))
    return (
        f"numbers of five digits are days of Excel's calendar: write {value} as {at:%Y-%m-%d %H:%M}"
    )


def _day_first(value: str) -> str:
    return "a date begins with its year: write 2026-09-30" if _DAY_FIRST.fullmatch(value) else ""


def _slashes(value: str) -> str:
    return "a date has hyphens: write 2026-09-30" if _SLASHES.fullmatch(value) else ""


def _epoch(value: str) -> str:
    if not _EPOCH.fullmatch(value):
        return ""
    return "1970-01-01 is how systems write that there is no date: leave the value empty"


def _comma(value: str) -> str:
    return "a decimal has a point: write 1234.56" if _COMMA.fullmatch(value) else ""


def _groups(value: str) -> str:
    return "digits are not grouped: write 1234567.89" if _GROUPS.fullmatch(value) else ""


def _letters(value: str) -> str:
    is_amount = _LETTERS.fullmatch(value) and any(it.isdigit() for it in value)
    return "an amount is digits alone, without a currency or a unit" if is_amount else ""
