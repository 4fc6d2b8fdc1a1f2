"""Every cell of a Parquet file reads as the independent reading of the contract says.

The reference in tests/reference knows nothing of the SQL; what both read here passes through the
views over the files and through staging, whatever type the file gives the column.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import register
from tests.conftest import examples
from tests.reference.contract import TABLES
from tests.reference.values import read
from tests.unit.conftest import PROJECT, SOURCE_TIMEZONE

CONTRACT = load_contract(PROJECT)
# An optional column of each type of the contract.
COLUMNS = [
    ("crm.deals", "lost_reason"),
    ("crm.deals", "currency"),
    ("crm.deals", "deal_type"),
    ("crm.deals", "amount"),
    ("crm.deals", "expected_close_on"),
    ("crm.leads", "is_target"),
    ("crm.meetings", "scheduled_for"),
    ("marketing.ad_spend", "impressions"),
    ("telephony.calls", "source_id"),
]
_MOMENTS = st.datetimes(datetime(1960, 1, 1), datetime(2110, 1, 1))
_INSTANTS = _MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))
_WORDS = (
    "true F Yes n 1 0 1.0 0.0 1.0000000000 -0 10e-1 in Incoming outgoing NaN UpSell up-sell new "
    "usd 17.0 2.3851234567890124e+16 1970-01-01 1970-01-02 2100-01-01"
)
_WRITTEN = st.one_of(
    st.text(string.digits + "+-.eE :TZ_", max_size=20),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.floats().map(repr),
    st.integers().map(str),
    _MOMENTS.map(str),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.dates().map(str),
    st.sampled_from(_WORDS.split()),
)
_TEXTS = st.builds(
    "{}{}{}".format, st.text(" \t\r\n", max_size=2), _WRITTEN, st.text(" \n", max_size=1)
)
_FLOATS = st.one_of(
    st.floats(width=32),
    st.integers(-2, 2).map(float),
    st.integers(-(2**70), 2**70).map(float),
    st.sampled_from([23_851_234_567_890_124.0, 1e16, 1e22, -0.0, 0.1, 1e-7, 2.0**63]),
)


def _decimals(precision: int, scale: int) -> st.SearchStrategy[pa.Array]:
    greatest = 10**precision - 1
    whole = st.integers(-2, 2).map(lambda number: number * 10**scale)
    numbers = st.integers(-greatest, greatest) | whole.filter(lambda it: abs(it) <= greatest)
    # Not scaleb, which rounds to the digits of the context.
    values = numbers.map(lambda number: Decimal(f"{number}e-{scale}"))
    return _arrays(values, pa.decimal128(precision, scale))


def _arrays(values: st.SearchStrategy[Any], kind: pa.DataType) -> st.SearchStrategy[pa.Array]:
    cells = st.lists(st.none() | values, min_size=20, max_size=40)
    return cells.map(lambda found: pa.array(found, kind, from_pandas=False))


NUMBERS_AND_TEXTS = st.one_of(
    _arrays(_TEXTS, pa.string()),
    _arrays(_TEXTS.map(str.encode), pa.binary()),
    _arrays(_FLOATS, pa.float64()),
    _arrays(st.floats(width=32), pa.float32()),
    _arrays(st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2), pa.int64()),
    _arrays(st.integers(0, 2**64 - 1) | st.integers(0, 2), pa.uint64()),
    _arrays(st.integers(-128, 127), pa.int8()),
    _arrays(st.booleans(), pa.bool_()),
    _arrays(st.dates(date(1900, 1, 1), date(2200, 1, 1)), pa.date32()),
    st.integers(1, 38).flatmap(lambda p: st.integers(0, p).flatmap(lambda s: _decimals(p, s))),
)  # fmt: skip
MOMENTS = st.one_of(
    _arrays(_MOMENTS, pa.timestamp("us")),
    _arrays(_MOMENTS.map(lambda moment: moment.replace(microsecond=0)), pa.timestamp("ms")),
    _arrays(_INSTANTS, pa.timestamp("us", "UTC")),
    _arrays(_INSTANTS, pa.timestamp("ns", "Asia/Tokyo")),
)  # fmt: skip


Read = Callable[[str, str, pa.Array], list[Any]]


@pytest.fixture(scope="module")
def as_staged(compiled_sql: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Read:
    """What staging reads in a file whose column has this type, beside one of texts."""
    place = tmp_path_factory.mktemp("cells")
    return lambda *cells: _as_staged(compiled_sql, place, *cells)


def _as_staged(
    compiled_sql: Mapping[str, str], place: Path, table: str, column: str, cells: pa.Array
) -> list[Any]:
    names = [it.name for it in TABLES[table].columns]
    key = TABLES[table].key[-1].name
    numbers = pa.array([str(number) for number in range(len(cells))])
    empty = {name: pa.nulls(len(cells), pa.string()) for name in names}
    folder = place / column / table.replace(".", "/")
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(empty), folder / "texts.parquet")
    pq.write_table(pa.table(empty | {key: numbers, column: cells}), folder / "cells.parquet")
    zone_file = place / "raw_zone.duckdb"
    register(scan(place / column, CONTRACT), zone_file)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{zone_file}' as raw_zone (read_only)")
        rows = connection.execute(
            f"select {column} from ({compiled_sql['base_' + table.replace('.', '__')]}) "
            f"where _file like '%cells.parquet' order by try_cast({key} as integer)"
        ).fetchall()
    return [value for (value,) in rows]


def as_specified(table: str, column: str, cells: pa.Array) -> list[Any]:
    """What the reference reads; None for a value that does not read."""
    (wanted,) = (it for it in TABLES[table].columns if it.name == column)
    return [read(wanted, cell, SOURCE_TIMEZONE).value for cell in cells.to_pylist()]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
@settings(
    max_examples=examples(6),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_cell_of_any_type_reads_as_the_contract_says(
    as_staged: Read, table: str, column: str, data: st.DataObject
) -> None:
    """A text column is not asked for the text of a time: the contract gives it none."""
    is_text = {it.name: it.type for it in TABLES[table].columns}[column] == "text"
    cells = data.draw(NUMBERS_AND_TEXTS if is_text else NUMBERS_AND_TEXTS | MOMENTS)
    assert as_staged(table, column, cells) == as_specified(table, column, cells)
