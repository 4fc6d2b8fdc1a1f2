"""What an engine spells differently says the same: each `spark__` macro against its DuckDB twin.

Values go through both engines as one table for each test, and Spark names the rows where the two
differ: in the value, in its type, or in what is NULL.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestration.base.sql import literal
from orchestration.spark.connection import Spark
from tests.conftest import examples
from tests.spark.rendering import Macros

T = TypeVar("T")
# The SQL of each column to compare, by the column's name.
Columns = Callable[[Macros], Mapping[str, str]]

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))
DAYS = st.dates(date(1900, 1, 1), date(2200, 12, 31))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
MONEY = pa.decimal128(18, 4)


class Engines:
    """DuckDB and Spark, and what they make of the same rows."""

    def __init__(self, spark: Spark, place: Path) -> None:
        self._spark = spark
        self._place = place

    def agree(self, rows: pa.Table, columns: Columns, **variables: Any) -> None:
        """Fails with the rows for which the engines differ, or where a column is NULL in all."""
        given = self._place / "given.parquet"
        pq.write_table(rows.append_column("n", pa.array(range(len(rows)), pa.int64())), given)
        found = self._place / "found.parquet"
        of_duckdb = _values(columns(Macros("duckdb", **variables)))
        of_spark = _values(columns(Macros("spark", **variables)))
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(
                f"copy (select n, {of_duckdb} from read_parquet({literal(str(given))})) "
                f"to {literal(str(found))} (format parquet)"
            )
            names = [row[0] for row in connection.sql(f"describe from '{found}'").fetchall()[1:]]
            counts = ", ".join(f"count({name})" for name in names)
            counted = connection.sql(f"select {counts} from '{found}'").fetchall()[0]
        assert [name for name, count in zip(names, counted, strict=True) if not count] == []
        inputs = ", ".join(
            f"coalesce(cast(given.`{it}` as string), 'NULL')" for it in rows.schema.names
        )
        differences = ", ".join(_difference(name) for name in names)
        answer = self._spark.rows(
            f"""
            with given as (select * from parquet.`{given}`),
            duckdb as (select * from parquet.`{found}`),
            spark as (select n, {of_spark} from given),
            compared as (
                select concat_ws(' | ', {inputs}) as given_row, {differences}
                from given
                inner join duckdb on given.n = duckdb.n
                inner join spark on given.n = spark.n
            )
            select * from compared where coalesce({", ".join(names)}) is not null limit 30
            """
        )
        shown = [
            f"{name} of {row[0]!r}: {difference}"
            for row in answer
            for name, difference in zip(names, row[1:], strict=True)
            if difference
        ]
        assert shown == []


def _values(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} as {name}" for name, sql in columns.items())


def _difference(name: str) -> str:
    """What each engine says, with the type, where they differ."""
    said = " || ' <> ' || ".join(
        f"typeof({engine}.{name}) || ' ' || coalesce(cast({engine}.{name} as string), 'NULL')"
        for engine in ("duckdb", "spark")
    )
    return (
        f"case when duckdb.{name} <=> spark.{name} "
        f"and typeof(duckdb.{name}) = typeof(spark.{name}) then null else {said} end as {name}"
    )


@pytest.fixture
def engines(spark: Spark, tmp_path: Path) -> Engines:
    return Engines(spark, tmp_path)


def drawn(strategy: st.SearchStrategy[T], by_day: int) -> list[T]:
    """Values of a strategy, always the same ones."""
    found: list[T] = []

    @settings(
        max_examples=examples(by_day),
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(value: T) -> None:
        found.append(value)

    draw()
    return found


def table(**columns: tuple[Sequence[Any], pa.DataType]) -> pa.Table:
    """A table of these columns and, at its end, a row without values."""
    return pa.table(
        {name: pa.array([*values, None], kind) for name, (values, kind) in columns.items()}
    )


def test_each_dispatched_macro_has_a_twin() -> None:
    names = Macros("spark").names
    of = {
        engine: {
            name.removeprefix(f"{engine}__") for name in names if name.startswith(f"{engine}__")
        }
        for engine in ("duckdb", "spark")
    }
    # dbt's own, which only Spark wants otherwise.
    assert of["spark"] - of["duckdb"] == {"load_csv_rows", "safe_cast"}
    assert of["duckdb"] - of["spark"] == set()


def since_epoch(macros: Macros, instant: str) -> str:
    """An instant as a number: years before the first have none in Parquet."""
    return macros.render(
        "microseconds_between", macros.render("utc_instant", "1970-01-01 00:00:00"), instant
    )


# Texts: what a raw zone may hold ------------------------------------------------------------------

_BLANKS = st.text(" \t\r\n\u00a0\u0085\u2028\x00", max_size=2)
_DIGITS = st.text(string.digits, min_size=1, max_size=40)
_NUMBERS = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["", "+", "-"]), _DIGITS),
    st.builds("{}{}.{}".format, st.sampled_from(["", "+", "-"]), _DIGITS, _DIGITS),
    st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from(["", "+", "-"]),
        st.sampled_from(["0", "1", "00010", "0.1", "0.00", "5", "9.99995", "123456789.987654321"]),
        st.sampled_from(["e", "E"]),
        st.sampled_from(["", "+", "-"]),
        st.one_of(st.integers(0, 30).map(str), st.integers(190, 210).map(str), _DIGITS),
    ),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.floats().map(repr),
    INTEGERS.map(str),
    # Half of the last digit, which rounds away from zero.
    st.builds("{}.{:04}5".format, st.integers(-(10**14), 10**14), st.integers(0, 9999)),
)  # fmt: skip
_OFFSETS = st.one_of(
    st.sampled_from(["", "", "Z", "z", " UTC", "+00", "-00:30", "-1830", "+23:59", "+24", "+5"]),
    st.builds(
        "{}{:02}{}{:02}".format,
        st.sampled_from("+-"),
        st.integers(0, 24),
        st.sampled_from(["", ":"]),
        st.integers(0, 60),
    ),
)
_TIMES = st.one_of(
    st.times().map(str),
    st.times().map(lambda it: f"{it:%H:%M}"),
    st.builds("{:%H:%M:%S}.{}".format, st.times(), _DIGITS),
    st.sampled_from(["24:00", "23:59:60", "7:05", "07:5", "07", "00:00:00.", "00:00:00,5"]),
)
_DATES = (
    "2026-02-29 2024-02-29 2026-13-01 2026-00-10 2026-04-31T10:00 0000-01-01 "
    "0000-03-01T00:00Z 0001-01-01T00:00:00+23:59 9999-12-31T23:59:59.999999-23:59 "
    "10000-01-01 2026-1-01 20260101 01.02.2026 2026/01/02 1970-01-01T00:00:00Z "
    "2026-01-01T10:00:00+05:30:15"
)
_INSTANTS = st.one_of(
    st.builds(
        "{}{}{}{}".format,
        st.one_of(DAYS, st.dates()).map(str),
        st.sampled_from(["T", " ", " ", "t", "  ", ""]),
        _TIMES,
        _OFFSETS,
    ),
    st.dates().map(str),
    st.sampled_from(_DATES.split()),
)
_PHONES = st.one_of(
    st.text(string.digits + "+-() .xXдобДОБext,;#\n\u2028٣", max_size=24),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "+", "8", "+7", "7", "810", "00", "тел. +", "ext ", "(+", "8 10 "]),
        st.text(string.digits + "- ", min_size=6, max_size=15),
        st.sampled_from(["", " доб. 12", " ДОБ12", "x5", " ext. 7", ",,3", ";ext=1", "\nдоб\n5"]),
    ),
)  # fmt: skip
_CODES = (
    "true TRUE T yes Y 1 1.0 01 1e0 10e-1 0.1e1 0.01E2 +1 -1 false F no N 0 0.0 -0 0e9 "
    "000e-99 1.00000000000000000001 NO-ANSWER İstanbul ΟΔΟΣ ß ﬁ ŉ ǆ ᾳ usd rUb inf NaN "
    "-Infinity"
)
_WORDS = st.one_of(
    st.sampled_from(_CODES.split()),
    st.sampled_from(["No Answer", "in coming", "up-sell", "\\", "\\n", "a'b", '"', "%", "$1"]),
    st.text(max_size=8),
    st.text(st.characters(categories=["Lu", "Ll", "Lt"]), max_size=4),
    st.text(min_size=499, max_size=502, alphabet="aя𝄞"),
)  # fmt: skip
WRITTEN = st.one_of(_NUMBERS, _INSTANTS, _INSTANTS, _PHONES, _WORDS)
# Letters that Unicode got after DuckDB's release have no other case to it.
_LATER_LETTERS = frozenset(
    chr(code)
    for first, last in [
        (0x019B, 0x019B), (0x0264, 0x0264), (0x1C89, 0x1C8A), (0xA7CB, 0xA7CF), (0xA7D2, 0xA7D5),
        (0xA7DA, 0xA7DC), (0x10D50, 0x10D85), (0x16EA0, 0x16ED3),
    ]
    for code in range(first, last + 1)
)  # fmt: skip


@pytest.fixture(scope="module")
def texts() -> list[str]:
    spaced = st.builds("{}{}{}".format, _BLANKS, WRITTEN, _BLANKS)
    return drawn(st.one_of(WRITTEN, WRITTEN, WRITTEN, spaced), 3000)


def test_texts_are_read_alike(engines: Engines, texts: list[str]) -> None:
    def columns(macros: Macros) -> Mapping[str, str]:
        clean = macros.render("clean_text", "given")
        return {
            "clean_text": clean,
            "display_text": macros.render("display_text", "given"),
            "given_value": macros.render("given_value", "given", _TEXT[macros.engine]),
            "as_boolean": macros.render("text_as_boolean", "given"),
            "as_integer": macros.render("text_as_integer", "given"),
            "as_decimal": macros.render("text_as_decimal", "given", "decimal(18, 4)"),
            "as_rate": macros.render("text_as_decimal", "given", "decimal(18, 8)"),
            "as_score": macros.render("text_as_decimal", "given", "decimal(9, 4)"),
            "as_wide_decimal": macros.render("text_as_decimal", "given", "decimal(38, 10)"),
            "as_date": macros.render(
                "days_between", "date '1970-01-01'", macros.render("text_as_date", "given")
            ),
            "as_code": macros.render("text_as_code", "given", {"incoming": "in"}),
            "as_phone_number": macros.render("text_as_phone_number", "given"),
            "clean_integer": macros.render("text_as_integer", clean),
            "clean_decimal": macros.render("text_as_decimal", clean, "decimal(18, 4)"),
            "clean_boolean": macros.render("text_as_boolean", clean),
            "clean_phone_number": macros.render("text_as_phone_number", clean),
        }  # fmt: skip

    known = [text for text in texts if not _LATER_LETTERS.intersection(text)]
    engines.agree(table(given=(known, pa.string())), columns)


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"]
)
def test_times_are_read_alike(engines: Engines, texts: list[str], zone: str) -> None:
    def columns(macros: Macros) -> Mapping[str, str]:
        clean = macros.render("clean_text", "given")
        return {
            "as_timestamp": since_epoch(macros, macros.render("text_as_timestamp", "given")),
            "clean_timestamp": since_epoch(macros, macros.render("text_as_timestamp", clean)),
        }

    engines.agree(table(given=(texts, pa.string())), columns, source_timezone=zone)


def test_every_letter_has_the_same_other_case(engines: Engines) -> None:
    """Each alone and at the end of a word."""
    letters = [
        letter
        for letter in map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000)])
        if letter not in _LATER_LETTERS and (letter.lower(), letter.upper()) != (letter, letter)
    ]
    assert len(letters) > 2500

    def columns(macros: Macros) -> Mapping[str, str]:
        return {
            "lower_case": macros.render("lower_case", "given"),
            "upper_case": macros.render("upper_case", "given"),
            "last_lower_case": macros.render("lower_case", "'a' || given"),
            "last_upper_case": macros.render("upper_case", "'a' || given"),
        }

    engines.agree(table(given=(letters, pa.string())), columns)


# What files hold with types of their own ----------------------------------------------------------

_TEXT = {"duckdb": "VARCHAR", "spark": "STRING"}
_TYPES: Mapping[str, tuple[str, str, pa.DataType, st.SearchStrategy[Any]]] = {
    "a_text": ("VARCHAR", "STRING", pa.string(), st.text(max_size=5)),
    "a_wall_time": ("TIMESTAMP", "TIMESTAMP_NTZ", pa.timestamp("us"), MOMENTS),
    "an_instant": (
        "TIMESTAMP WITH TIME ZONE", "TIMESTAMP", pa.timestamp("us", "UTC"),
        MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    ),
    "a_day": ("DATE", "DATE", pa.date32(), DAYS),
    "an_integer": ("BIGINT", "BIGINT", pa.int64(), INTEGERS),
    "a_small_integer": ("TINYINT", "TINYINT", pa.int8(), st.integers(-128, 127)),
    "a_truth": ("BOOLEAN", "BOOLEAN", pa.bool_(), st.booleans()),
    "an_amount": (
        "DECIMAL(18,4)", "DECIMAL(18,4)", MONEY, st.integers(-(10**18) + 1, 10**18 - 1).map(
            lambda number: Decimal(number).scaleb(-4)
        ),
    ),
    "a_fraction": (
        "DECIMAL(4,4)", "DECIMAL(4,4)", pa.decimal128(4, 4), st.integers(-9999, 9999).map(
            lambda number: Decimal(number).scaleb(-4)
        ),
    ),
    "a_tiny_rate": (
        "DECIMAL(18,10)", "DECIMAL(18,10)", pa.decimal128(18, 10), st.integers(-(10**6), 10**6).map(
            lambda number: Decimal(number).scaleb(-10)
        ),
    ),
}  # fmt: skip


def test_typed_values_are_read_and_given_back_alike(engines: Engines) -> None:
    rows = drawn(st.tuples(*(strategy for *_, strategy in _TYPES.values())), 300)
    columns = {
        f"{name}__raw": ([row[place] for row in rows], kind)
        for place, (name, (_, _, kind, _)) in enumerate(_TYPES.items())
    }

    def compared(macros: Macros) -> Mapping[str, str]:
        types = {name: it[macros.engine == "spark"] for name, it in _TYPES.items()}
        given_values = macros.render("given_values", [{"name": it} for it in types], types)
        read = {
            f"{name}__read": macros.render("given_value", f"{name}__raw", types[name])
            for name in types
        }
        return {**read, "given_values": given_values}

    engines.agree(table(**columns), compared, source_timezone="America/St_Johns")
