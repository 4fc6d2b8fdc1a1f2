"""How one cell of a Parquet file becomes a value: rules 3 and 4 of the contract."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from .contract import Column
from .variables import instant

EARLIEST, LATEST = date(1970, 1, 2), date(2100, 1, 1)

_ZONE = r"(Z|[+-]\d\d(?::?\d\d)?)?"
_TIME = r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?" + _ZONE + r")?"
_TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)" + _TIME, re.ASCII)
_INTEGER = re.compile(r"([+-]?\d+)(?:\.0+)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_WORDS = {
    "direction": {"inbound": "in", "incoming": "in", "outbound": "out", "outgoing": "out"},
    "disposition": {
        "completed": "answered",
        **dict.fromkeys(("noanswer", "cancel", "canceled", "cancelled"), "no_answer"),
        **dict.fromkeys(("congestion", "chanunavail"), "failed"),
    },
}


@dataclass(frozen=True)
class Reading:
    """A value, or why there is none: `required` (missing), `type`, `enum` or `range`."""

    value: Any = None
    problem: str | None = None


def clean(cell: Any) -> Any:
    """Trimmed text; None for text that is then empty and for the floating value NaN."""
    if isinstance(cell, bytes):
        cell = cell.decode()
    if isinstance(cell, str):
        return cell.strip(" \t\r\n") or None
    if isinstance(cell, float) and math.isnan(cell):
        return None
    return cell


def as_text(cell: Any) -> str:
    """The text a cell of another type is read through; an integral float loses its `.0`."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return repr(cell).removesuffix(".0")
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return str(cell)


def read(column: Column, raw: Any, zone: str) -> Reading:
    """The value of one cell under its column; `zone` is where times without offset are."""
    cell = clean(raw)
    if cell is None:
        return Reading(problem="required")
    value = _READERS[column.type](column, cell, zone)
    if value is None:
        return Reading(problem="type")
    if column.type in ("timestamp", "date") and not _in_range(value):
        return Reading(problem="range")
    if column.enum and value not in column.enum:
        return Reading(problem="enum")
    return Reading(value)


def _in_range(value: Any) -> bool:
    day = value.date() if isinstance(value, datetime) else value
    return EARLIEST <= day < LATEST


def _read_text(column: Column, cell: Any, zone: str) -> str:
    text = _digits(cell)
    if column.fold == "currency":
        return text.upper()
    if column.fold:
        text = text.lower().replace(" ", "_").replace("-", "_")
    return _WORDS.get(column.fold, {}).get(text, text)


def _digits(cell: Any) -> str:
    """The text of a key or a count: an integral number is its digits, without an exponent."""
    is_number = isinstance(cell, float | Decimal) and math.isfinite(cell)
    return str(int(cell)) if is_number and cell == int(cell) else as_text(cell)


def _read_integer(column: Column, cell: Any, zone: str) -> int | None:
    match = _INTEGER.fullmatch(_digits(cell))
    if not match:
        return None
    number = int(match[1])
    return number if -(2**63) <= number < 2**63 else None


def _read_decimal(column: Column, cell: Any, zone: str) -> Decimal | None:
    """Excess digits are rounded half away from zero; more than 18 digits do not read."""
    text = as_text(cell)
    if not _DECIMAL.fullmatch(text):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return None
    if number and number.adjusted() > 20:
        return None
    wide = Context(prec=60)
    rounded = number.quantize(Decimal(1).scaleb(-column.scale), ROUND_HALF_UP, context=wide)
    return rounded if abs(rounded) < Decimal(10) ** (18 - column.scale) else None


def _read_boolean(column: Column, cell: Any, zone: str) -> bool | None:
    text = as_text(cell).lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if not _DECIMAL.fullmatch(text):
        return None
    if not Decimal(text.partition("e")[0]):
        return False
    try:
        return True if Decimal(text) == 1 else None
    except InvalidOperation:  # an exponent of twenty digits
        return None


def _read_timestamp(column: Column, cell: Any, zone: str) -> datetime | None:
    wall, offset = _moment(cell)
    if wall is None:
        return None
    try:
        return (wall - offset).replace(tzinfo=UTC) if offset is not None else instant(wall, zone)
    except OverflowError:  # year 1 or 9999: out of range in any zone
        return datetime.min.replace(tzinfo=UTC)


def _read_date(column: Column, cell: Any, zone: str) -> date | None:
    """The date as written; of a Parquet timestamp with a zone its UTC date."""
    wall, _ = _moment(cell)
    return wall.date() if wall is not None else None


def _moment(cell: Any) -> tuple[datetime | None, timedelta | None]:
    """The wall-clock time of a cell and its offset, both None if it does not read."""
    if isinstance(cell, datetime):
        if cell.tzinfo is None:
            return cell, None
        return cell.astimezone(UTC).replace(tzinfo=None), timedelta()
    if isinstance(cell, date):
        return datetime.combine(cell, time()), None
    match = _TIMESTAMP.fullmatch(as_text(cell))
    if not match:
        return None, None
    *numbers, fraction, offset = match.groups()
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
        # A wall-clock time has no zone yet.
        wall = datetime(year, month, day, hour, minute, second, microsecond)
        return wall, _offset(offset)
    except ValueError:
        return None, None


def _offset(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if text == "Z":
        return timedelta()
    sign, hours, minutes = text[0], int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(f"no such offset: {text}")
    size = timedelta(hours=hours, minutes=minutes)
    return -size if sign == "-" else size


_READERS = {
    "text": _read_text,
    "integer": _read_integer,
    "decimal": _read_decimal,
    "boolean": _read_boolean,
    "timestamp": _read_timestamp,
    "date": _read_date,
}
