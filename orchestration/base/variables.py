"""dbt's variables as one typed object: read, normalised and checked before anything uses them.

They stand in dbt_project.yml, in VORONKA_DBT_VARS and in `--var`; wherever one is given, it is read
the same way.
"""

from __future__ import annotations

import json
import math
import re
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from functools import cache
from reprlib import repr as short_repr
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from orchestration.base.durations import DAY
from orchestration.base.errors import WrongUse

_FIRST_DAY, _LAST_DAY = date(1970, 1, 2), date(2099, 12, 31)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])\s*(\d{1,2})(?::?00)?", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)


def _whole_number(low: int, high: int) -> Callable[[Any], int]:
    """A reader of whole numbers from `low` to `high`."""

    def read(value: Any) -> int:
        number = _number(value)
        if number is None or not low <= number <= high or number != int(number):
            raise ValueError(f"write a whole number from {low:,} to {high:,}")
        return int(number)

    return read


def _positive_number(high: int) -> Callable[[Any], float]:
    """A reader of numbers above 0, up to `high`; whole ones are integers."""

    def read(value: Any) -> float:
        number = _number(value)
        if number is None or not 0 < number <= high:
            raise ValueError(f"write a number above 0, up to {high:,}")
        return int(number) if number == int(number) else number

    return read


def _number(value: Any) -> float | None:
    """A finite number, also from its text."""
    number = parse_value(value.strip()) if isinstance(value, str) else value
    if isinstance(number, float):
        return number if math.isfinite(number) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


@cache
def _time_zones() -> Mapping[str, str]:
    """The names of the tz database by their casefolded spelling."""
    # Some systems list a name of their own, which DuckDB does not know.
    return {name.casefold(): name for name in zoneinfo.available_timezones() - {"localtime"}}


def _time_zone(value: Any) -> str:
    """A name of the tz database in its own spelling."""
    known = _time_zones()
    name = value.strip().casefold() if isinstance(value, str) else ""
    if name in known:
        return known[name]
    offset = _OFFSET.fullmatch(name)
    # The tz database counts westward: Etc/GMT-3 is three hours ahead of UTC.
    of_offset = f"etc/gmt{'-' if offset[1] == '+' else '+'}{int(offset[2])}" if offset else ""
    if of_offset in known:
        ahead = "ahead of" if offset and offset[1] == "+" else "behind"
        raise ValueError(
            "there is no such time zone; write a city's, for example Europe/Moscow, or "
            f"{known[of_offset]}, which is as far {ahead} UTC"
        )
    # A short name is nearest to some other short name, which helps nobody.
    near = get_close_matches(name, known, 1, 0.8) if "/" in name else []
    hint = f"did you mean {known[near[0]]}?" if near else "write for example Europe/Moscow"
    raise ValueError(f"there is no such time zone; {hint}")


def _currency(value: Any) -> str:
    code = value.strip().upper() if isinstance(value, str) else ""
    if not re.fullmatch("[A-Z]{3}", code):
        raise ValueError("write a currency's code of three letters, for example RUB")
    return code


def _day(value: Any) -> date | None:
    """A date; an empty text is none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    day = value if isinstance(value, date) and not isinstance(value, datetime) else None
    if isinstance(value, str) and _DATE.fullmatch(value.strip()):
        try:
            day = date.fromisoformat(value.strip())
        except ValueError as error:
            raise ValueError("the calendar has no such day") from error
    if day is None or not _FIRST_DAY <= day <= _LAST_DAY:
        raise ValueError(f"write a day from {_FIRST_DAY} to {_LAST_DAY}, for example 2026-09-30")
    return day


def _weekdays(value: Any) -> tuple[int, ...]:
    """Sorted and unique, from a list or from `1, 2, 3`."""
    if isinstance(value, str):
        value = [part for part in re.split(r"[\s,;]+", value.strip(" []")) if part]
    if isinstance(value, int | float):
        value = [value]
    read = _whole_number(1, 7)
    try:
        days = {read(part) for part in value} if isinstance(value, list | tuple) else set()
    except ValueError:
        days = set()
    if not days:
        raise ValueError("write weekdays as [1, 2, 3, 4, 5]; Monday is 1")
    return tuple(sorted(days))


def _wall_time(value: Any) -> str:
    """`HH:MM`."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found and int(found[1]) < 24 and int(found[2]) < 60:
        return f"{int(found[1]):02}:{found[2]}"
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML 1.1 takes 18:00 for a number of base sixty.
        raise ValueError('write a time in quotes, for example "18:00"')
    raise ValueError("write a time from 00:00 to 23:59")


TimeZone = Annotated[str, BeforeValidator(_time_zone)]
WallTime = Annotated[str, BeforeValidator(_wall_time)]


class Variables(BaseModel):
    """The variables, normalised. Their names and defaults are those of dbt_project.yml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source_timezone: TimeZone = Field(
        default="UTC", description="Zone of timestamps that have no offset."
    )
    reporting_timezone: TimeZone = Field(
        default="Europe/Moscow", description="Zone of dates, hours and weekdays of every KPI."
    )
    base_currency: Annotated[str, BeforeValidator(_currency)] = Field(
        default="RUB", description="Currency of all amounts in the marts."
    )
    as_of: Annotated[date | None, BeforeValidator(_day)] = Field(
        default=None, description="The warehouse's today; empty: the latest event that was loaded."
    )
    lead_match_tolerance_seconds: Annotated[int, BeforeValidator(_whole_number(0, DAY))] = Field(
        default=300, description="How long after its call a lead may be created."
    )
    meaningful_call_seconds: Annotated[int, BeforeValidator(_whole_number(0, DAY))] = Field(
        default=60, description="Talk from which a call is a conversation."
    )
    recovery_window_hours: Annotated[int | float, BeforeValidator(_positive_number(8_784))] = Field(
        default=24, description="How soon a missed caller must be reached."
    )
    churn_days: Annotated[int, BeforeValidator(_whole_number(1, 36_500))] = Field(
        default=90, description="Days without a payment after which a customer has left."
    )
    diagnostic_drop: Annotated[float, BeforeValidator(_positive_number(1))] = Field(
        default=0.8, description="Share of the previous period's figure below which it fell."
    )
    working_weekdays: Annotated[tuple[int, ...], BeforeValidator(_weekdays)] = Field(
        default=(1, 2, 3, 4, 5), description="Working days of the week; Monday is 1."
    )
    working_from: WallTime = Field(default="09:00", description="When work begins, local time.")
    working_to: WallTime = Field(default="18:00", description="When work ends, local time.")
    quarantine_stop_share: Annotated[float, BeforeValidator(_positive_number(1))] = Field(
        default=0.5,
        description="Share of a table's new rows in quarantine that stops the publication.",
    )

    @model_validator(mode="after")
    def _working_time_is_some(self) -> Variables:
        if self.working_from >= self.working_to:
            raise ValueError(
                f"working_from {self.working_from} is not before working_to {self.working_to}"
            )
        return self

    def as_json(self) -> dict[str, Any]:
        """The values as dbt gets them."""
        return self.model_dump(mode="json")


def read_variables(given: Mapping[str, Any]) -> Variables:
    """Variables from what people wrote; what is not given has its default.

    Raises WrongUse, in one line, for a name that is unknown or a value that cannot be right.
    """
    unknown = [_unknown(name) for name in given if name not in Variables.model_fields]
    if unknown:
        raise WrongUse(_sentence(unknown), _REMEDY)
    try:
        return Variables(**given)
    except ValidationError as error:
        raise WrongUse(_sentence(_wrong_values(error)), _REMEDY) from error


def parse_value(text: str) -> Any:
    """A value as JSON where it reads as it, else as text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # Not JSON, a number of thousands of digits, thousands of brackets.
        return text


def _unknown(name: str) -> str:
    near = get_close_matches(name.casefold(), Variables.model_fields, 1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(Variables.model_fields)}"
    return f"Unknown variable {_shown(name)}: {hint}"


def _wrong_values(error: ValidationError) -> list[str]:
    found = []
    for item in error.errors():
        reason = item["msg"].removeprefix("Value error, ")
        of_one = item["loc"][:1]
        found.append(f"{of_one[0]} is {_shown(item['input'])}: {reason}" if of_one else reason)
    return found


def _shown(value: Any) -> str:
    """A value that somebody gave, short and safe to print."""
    return short_repr(str(value) if isinstance(value, date) else value)


def _sentence(parts: list[str]) -> str:
    text = "; ".join(parts)
    return text if text.endswith("?") else f"{text}."


_REMEDY = "Correct it in dbt_project.yml, VORONKA_DBT_VARS or --var; README.md lists the variables."
