"""The words that people choose among: what `voronka query` and `voronka metrics` take."""

from __future__ import annotations

from enum import StrEnum


class Language(StrEnum):
    """The language of names and headings."""

    ENGLISH = "en"
    RUSSIAN = "ru"


class Grain(StrEnum):
    """Lengths of periods, the shortest first."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Group(StrEnum):
    """Groups of metrics, in the glossary's order."""

    ACTIVITY = "activity"
    FUNNEL = "funnel"
    PRODUCTIVITY = "productivity"
    RESULT = "result"
    CALL_QUALITY = "call_quality"


class Comparison(StrEnum):
    """What a period is compared with: the one before it, or the same a year ago."""

    PREVIOUS = "previous"
    YEAR = "year"


class Format(StrEnum):
    """How an answer leaves: on the screen, as text or as a file."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    PARQUET = "parquet"
