"""What the page is given of the days ahead: which deals, in which words, and nothing where none."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pytest

from orchestration.dashboard.outlook import (
    MAX_BACKTEST_ROWS,
    MAX_BY_GAIN,
    MAX_BY_MANAGER,
    OPEN_DEALS,
    OPEN_DEALS_SQL,
    outlook,
)
from orchestration.dashboard.sections import Sections

_STEP = "'Позвонить. Чаще на 9 п. п.' as next_step_ru, 'Call back. 9 pp more' as next_step_en"
_REASONS = ", ".join(
    f"null::varchar as reason_{number}_{language}"
    for number in (1, 2, 3)
    for language in ("ru", "en")
)
# Deals of two managers: the one has twice as many as are listed, and all the gain.
DEALS = f"""
select
    printf('%s-%04d', manager, n) as deal_id, manager as manager_id, '0' as source_id,
    '0' as stage_id, '0' as pipeline_id, (1000000 - n)::decimal(18, 2) as amount,
    0::decimal(18, 2) as paid_amount, n % 50 = 0 as is_stale, 'model' as method,
    0.123456 as win_probability, 0.1 as win_probability_low, 0.2 as win_probability_high,
    date '2026-10-12' as expected_close_on, 1000.4::decimal(18, 2) as expected_amount,
    7 as days_since_contact, case when manager = '0' then 0.2 end as next_step_lift,
    row_number() over (partition by manager order by n % 50 = 0, n) as "rank",
    {_STEP}, {_REASONS}
from (select unnest(['0', '1']) as manager), range(1, {2 * MAX_BY_GAIN + 1}) as t (n)
"""
FORECAST = """
select period_start, manager_id, 1.25 as paid_so_far, null::double as expected_open,
    0 as expected_won_unpaid, 0 as expected_new, 0 as expected_repeat, null::double as forecast,
    null::double as forecast_low, null::double as forecast_high, 10 as target,
    null::double as attainment_forecast
from (select unnest([date '2026-10-01', date '2026-09-01']) as period_start),
    (select unnest(['0', '*']) as manager_id)
"""
BACKTEST = """
select date '2026-01-31' + n::int as as_of_on, '0' as pipeline_id, method, 10 as deals, 3 as won,
    0.2 as brier, 0.5 as log_loss, null::double as auc, 0.3 as mean_predicted, 0.3 as win_rate
from range({days}) as t (n), (select unnest(['model', 'stage_rate', 'company_rate']) as method)
"""
CALIBRATION = (
    "select '0' as pipeline_id, 'model' as method, 3 as tenth, 30::bigint as predictions, "
    "20::bigint as deals, 0.25 as predicted, 0.3 as observed"
)
FORECASTS = (
    "select 0 as months_ahead, date '2026-08-10' as as_of_on, date '2026-08-01' as period_start, "
    "10.4 as forecast, 9.6 as actual, null::double as forecast_low, null::double as forecast_high, "
    "null::boolean as is_inside"
)


def tiny_marts(days: list[date], managers: int, sources: int) -> duckdb.DuckDBPyConnection:
    """As much of a published file as every page begins with."""
    connection = duckdb.connect()
    connection.execute("create schema marts; create schema quality")
    connection.execute(
        f"create table quality.publication as select date '{days[-1]}' as as_of_date"
    )
    connection.execute(
        "create table marts.kpi_daily as select date_day, manager_id::varchar as manager_id, "
        "source_id::varchar as source_id, 1 as calls "
        f"from (select unnest({[str(day) for day in days]}::date[]) as date_day), "
        f"range({managers}) as m (manager_id), range({sources}) as s (source_id)"
    )
    connection.execute("create table marts.open_deals (age_from_days integer, age_to_days integer)")
    for name in ("manager", "source", "stage", "pipeline"):
        connection.execute(f"create table marts.dim_{name} as select '0' as {name}_id")
    return connection


def marts(where: str = "true", backtest_days: int = 3) -> Sections:
    connection = tiny_marts([date(2026, 9, 30)], managers=2, sources=1)
    connection.execute(
        "create or replace table marts.dim_manager as select '0' as manager_id "
        "union all select '1' order by 1"
    )
    for name, sql in (
        ("deal_outlook", DEALS),
        ("revenue_forecast", FORECAST),
        ("outlook_backtest", BACKTEST.format(days=backtest_days)),
        ("outlook_calibration", CALIBRATION),
        ("forecast_backtest", FORECASTS),
    ):
        connection.execute(f"create table marts.{name} as select * from ({sql}) where {where}")
    return Sections(connection)


def columns(table: dict[str, Any]) -> dict[str, list[Any]]:
    """A table's columns as the page decodes them."""
    return {name: decoded(column) for name, column in table["columns"].items()}


def decoded(column: Any) -> list[Any]:
    """A column's values."""
    if isinstance(column, list):
        return column
    if "w" in column:
        return [None if at is None else column["w"][at] for at in decoded(column["i"])]
    runs = column["r"]
    return [value for at in range(0, len(runs), 2) for value in runs[at : at + 1] * runs[at + 1]]


def test_the_first_by_gain_and_the_first_of_each_manager_are_listed() -> None:
    sections = marts()
    deals = columns(outlook(sections.rows, sections.table)["deals"])
    by_manager = {at: deals["manager_id"].count(at) for at in (0, 1)}
    # Half of the second hundred go by turns to the manager whose deals gain nothing.
    assert by_manager == {0: MAX_BY_GAIN, 1: MAX_BY_MANAGER // 2}
    assert deals["deal_id"][:2] == ["0-0001", "0-0002"]
    gains = [gain for gain in deals["gain"] if gain is not None]
    assert len(gains) == MAX_BY_GAIN and gains == sorted(gains, reverse=True)
    assert gains[0] == round(0.2 * 999_999)
    # Stale deals gain as much and stand last: none of them is among the first.
    assert set(deals["is_stale"]) == {False}
    assert (deals["probability"][0], deals["expected"][0]) == (0.1235, 1000)


def test_what_is_said_is_written_once_and_nothing_where_nothing_is() -> None:
    sections = marts()
    found = outlook(sections.rows, sections.table)
    assert found["phrases"] == ["Позвонить. Чаще на 9 п. п.\nCall back. 9 pp more"]
    deals = columns(found["deals"])
    assert set(deals["step"]) == {0} and set(deals["reason_1"]) == {None}


def test_the_companys_forecast_is_marked_and_unknown_parts_stay_unknown() -> None:
    sections = marts()
    forecast = columns(outlook(sections.rows, sections.table)["forecast"])
    rows = list(
        zip(forecast["is_company"], forecast["period_start"], forecast["manager_id"], strict=True)
    )
    assert rows == [
        (True, "2026-09-01", -1),
        (True, "2026-10-01", -1),
        (False, "2026-09-01", 0),
        (False, "2026-10-01", 0),
    ]
    assert forecast["paid_so_far"] == [1.25] * 4 and forecast["forecast"] == [None] * 4


def test_a_long_back_test_is_cut_at_a_month_end() -> None:
    days = MAX_BACKTEST_ROWS // 3 + 1
    sections = marts(backtest_days=days)
    found = outlook(sections.rows, sections.table)
    assert found["backtest"]["rows"] == MAX_BACKTEST_ROWS
    assert min(columns(found["backtest"])["as_of_on"]) == "2026-02-01"


@pytest.mark.parametrize(
    "table", ["deals", "forecast", "methods", "backtest", "calibration", "forecasts"]
)
def test_empty_marts_are_empty_tables(table: str) -> None:
    sections = marts(where="false")
    found = outlook(sections.rows, sections.table)
    assert found["phrases"] == []
    assert found[table]["rows"] == 0 and not any(columns(found[table]).values())


def test_open_deals_add_up_by_manager() -> None:
    connection: duckdb.DuckDBPyConnection = duckdb.connect()
    connection.execute(f"create schema marts; create table marts.deal_outlook as {DEALS}")
    sums = ", ".join(f"sum({name})::double" for name in OPEN_DEALS)
    found = connection.execute(f"select {sums} from {OPEN_DEALS_SQL}").fetchone()
    deals = 4 * MAX_BY_GAIN
    amount = 2 * sum(1_000_000 - at for at in range(1, deals // 2 + 1))
    assert found == (deals, deals // 50, 0, 0, amount, pytest.approx(deals * 1000.4))
