"""Cells that people typed, as the contract reads them; what does not convert stays as typed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.base.durations import DAY

# How the names of months begin, in whatever case they stand; `мар` before `ма`.
MONTHS = {
    "янв": 1, "фев": 2, "мар": 3, "апр": 4, "май": 5, "мая": 5, "мае": 5, "июн": 6, "июл": 7,
    "авг": 8, "сен": 9, "окт": 10, "ноя": 11, "дек": 12,
}  # fmt: skip
_YES = frozenset({"да", "истина", "yes", "true", "+", "1", "y", "on"})
_NO = frozenset({"нет", "ложь", "no", "false", "-", "−", "0", "n", "off"})
_NONE = frozenset({"", "н/п", "n/a", "—"})
_BLANKS = re.compile(r"[\s\u00a0\u2009\u202f'’]+")
_MONEY = re.compile(r"(₽|руб\.?|р\.|\$|€|usd|eur|rub)", re.IGNORECASE)
_UNITS = re.compile(r"[^\d.,()+\-−]+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,])\d{3}(\1\d{3})*")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_CURRENCIES = {"₽": "RUB", "р": "RUB", "$": "USD", "u": "USD", "€": "EUR", "e": "EUR"}
_SCIENTIFIC = re.compile(r"\d[.,]\d+[eE]\+\d+")
_PARTS = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?"
    r"(?:\.\d+)?\s*([AaPp][Mm])?)?"
)
_WORDS = re.compile(
    r"(\d{1,2})\s+([а-яё]+)\.?\s+(\d{4})(?:\s*г\.?)?"
    r"(?:,?\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?"
)
_SERIAL = re.compile(r"\d{1,5}([.,]\d+)?")
_EPOCH = datetime.combine(date(1899, 12, 30), time())


class Undecided(ValueError):
    """The values of a column can be read in two ways; the message asks for the key."""


def cell_text(value: Any) -> str | None:
    """A cell as text: edges cut, empty is None, whole numbers without a point."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(format(value, ".15g")), "f")
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    found = str(value).replace("\u00a0", " ").strip()
    return found or None


def decimal_sign(values: Sequence[Any], wanted: str) -> str:
    """The decimal sign of a column. Raises Undecided where its values leave it open."""
    if wanted in (",", "."):
        return wanted
    open_ones, signs = [], set()
    for value in values:
        text = _bare(value) if isinstance(value, str) else None
        if not text:
            continue
        marks = [it for it in text if it in ".,"]
        if len(set(marks)) == 2:
            signs.add(marks[-1])
        elif len(marks) > 1:
            signs.add("," if marks[0] == "." else ".")
        elif len(marks) == 1:
            whole, _, rest = text.partition(marks[0])
            if len(rest) == 3 and whole.lstrip("+-") not in ("", "0"):
                open_ones.append(str(value))
            else:
                signs.add(marks[0])
    if open_ones and len(signs) != 1:
        raise Undecided(f"{open_ones[0]!r} can mean two numbers; write decimal: ',' or '.'")
    if not open_ones:
        return ""
    return signs.pop()


def _bare(value: str) -> str:
    text = _BLANKS.sub("", _MONEY.sub("", value)).replace("−", "-")
    return text.strip("()").removesuffix("-")


def number(value: Any, sign: str, strip_units: bool = False) -> Decimal | None:
    """A number without going through binary floats; None where it is none.

    `sign` is the column's decimal sign; empty: the last of point and comma.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return Decimal(format(value, ".15g"))
    text = _BLANKS.sub("", _MONEY.sub("", str(value))).replace("−", "-")
    if strip_units:
        # A point that is left at the end was the unit's.
        text = _UNITS.sub("", text).rstrip(".,")
    negative = False
    if text.startswith("(") and text.endswith(")"):
        text, negative = text[1:-1], True
    elif text.endswith("-"):
        text, negative = text[:-1], True
    marks = [it for it in text if it in ".,"]
    point = sign or (marks[-1] if marks and marks.count(marks[-1]) == 1 else "")
    whole, _, rest = text.partition(point) if point else (text, "", "")
    # Marks that do not part thousands make no number: 12.11.2026 is none, nor 7.5 where `,` is it.
    if any(it in ".," for it in whole):
        if not _THOUSANDS.fullmatch(whole):
            return None
        whole = whole.replace(",", "").replace(".", "")
    text = f"{whole}.{rest}" if rest else whole
    if not _NUMBER.fullmatch(text):
        return None
    found = Decimal(text)
    return -found if negative else found


def currency_of(value: Any) -> str | None:
    """The currency whose sign stands at an amount."""
    found = _MONEY.search(value) if isinstance(value, str) else None
    return _CURRENCIES.get(found[0][0].lower()) if found else None


def boolean(value: Any) -> str | None:
    """`true`, `false`, or None for what people write where nothing is to be said."""
    text = (cell_text(value) or "").casefold()
    if text in _YES:
        return "true"
    if text in _NO:
        return "false"
    return None if text in _NONE else cell_text(value)


def date_order(values: Sequence[Any], wanted: str | None) -> str:
    """`dmy` or `mdy`, for the whole column. Raises Undecided where its values leave it open."""
    if wanted:
        return wanted
    open_one = None
    orders = set()
    for value in values:
        parts = _PARTS.fullmatch(value.strip()) if isinstance(value, str) else None
        if parts is None or len(parts[1]) == 4:
            continue
        first, second = int(parts[1]), int(parts[3])
        if parts[2] == "." or first > 12:
            orders.add("dmy")
        elif second > 12:
            orders.add("mdy")
        else:
            open_one = value
    if len(orders) > 1 or (open_one and not orders):
        shown = open_one or "its dates"
        raise Undecided(f"{shown!r} can be day or month first; write date_order: dmy or mdy")
    return orders.pop() if orders else "dmy"


def moment(
    value: Any, order: str, formats: Sequence[str] = (), has_serials: bool = False
) -> datetime | None:
    """A date or time as typed, without zone; None where it is none."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not has_serials or not 1 <= value < 100_000:
            return None
        return _EPOCH + timedelta(seconds=round(float(value) * DAY))
    if has_serials and isinstance(value, str) and _SERIAL.fullmatch(value.strip()):
        return moment(float(value.strip().replace(",", ".")), order, has_serials=True)
    text = str(value or "").replace("\u00a0", " ").strip()
    for written in formats:
        try:
            return datetime.strptime(text, written)  # noqa: DTZ007 - as typed, without a zone
        except ValueError:
            continue
    if formats:
        return None
    return _typed(text, order)


def _typed(text: str, order: str) -> datetime | None:
    words = _WORDS.fullmatch(text.casefold())
    if words:
        month = month_number(words[2])
        if month is None:
            return None
        clock = [int(it or 0) for it in words.groups()[3:]]
        return _made(int(words[3]), month, int(words[1]), *clock)
    parts = _PARTS.fullmatch(text)
    if parts is None:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None
    first, _, second, third, hour, minute, second_of, half = parts.groups()
    if len(first) == 4:
        year, month, day = int(first), int(second), int(third)
    else:
        day, month = (int(first), int(second)) if order == "dmy" else (int(second), int(first))
        year = int(third)
        if len(third) <= 2:
            if year > 69:
                return None
            year += 2000
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    return _made(year, month, day, hours, int(minute or 0), int(second_of or 0))


def _made(
    year: int, month: int, day: int, hour: int, minute: int, second: int = 0
) -> datetime | None:
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - as typed
    except ValueError:
        return None


def month_number(text: str) -> int | None:
    """The month that a Russian (or English) name means, in any case."""
    folded = text.casefold()
    for name, found in MONTHS.items():
        if folded.startswith(name):
            return found
    english = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    return next((it for it, name in enumerate(english, 1) if folded.startswith(name)), None)


def unix(value: Any) -> str | None:
    """A Unix time in seconds, in thousandths from 12 digits on; None where it is none."""
    found = number(value, ".")
    if found is None or not 0 < found < 10**15:
        return None
    seconds = found / 1000 if found >= 10**11 else found
    try:
        return datetime.fromtimestamp(float(seconds), UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def zoned(found: datetime, zone: ZoneInfo) -> str:
    """The instant as ISO text with the offset of the zone."""
    return (found if found.tzinfo else found.replace(tzinfo=zone)).isoformat()


def is_spoilt(value: Any) -> bool:
    """Whether Excel made a long number into `7,91612E+10`."""
    return isinstance(value, str) and bool(_SCIENTIFIC.fullmatch(value.strip()))


def mapped(text: str | None, by: Mapping[str, Any]) -> tuple[bool, str | None]:
    """Whether a map has a value, and what it makes of it; `*` is for all others."""
    folded = {fold(key): value for key, value in by.items()}
    if text is not None and fold(text) in folded:
        return True, plain(folded[fold(text)])
    if "*" in by:
        return True, plain(by["*"])
    return False, text


def plain(value: Any) -> str | None:
    """A value of YAML as the contract's text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def fold(text: str) -> str:
    """For comparison: without case, BOM, edge and repeated blanks; `ё` as `е`."""
    clean = text.replace("\ufeff", "").replace("\u00a0", " ")
    return " ".join(clean.split()).casefold().replace("ё", "е")
