"""Each suite on good and on bad data, and an expectation that breaks."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.base.cache import CacheEntry
from orchestration.base.errors import WrongUse
from orchestration.expectations.suites import (
    Expectation,
    Suite,
    cached_results,
    load_suites,
    run_suites,
)
from tests.conftest import ROOT, clean_environment

BETWEEN = Expectation(
    "rate_is_a_share",
    "expect_column_values_to_be_between",
    {"column": "rate", "min_value": 0, "max_value": 1},
    "critical",
    "A rate is a share.",
)
ROWS = Expectation(
    "no_lost_rows",
    "unexpected_rows_expectation",
    {"unexpected_rows_query": "select id, rate from {batch} where rate > 1"},
    "warning",
    "No rate is above one.",
)
BROKEN = Expectation(
    "broken",
    "unexpected_rows_expectation",
    {"unexpected_rows_query": "select no_such_column from {batch}"},
    "warning",
    "",
)
NO_SUCH_TYPE = Expectation("unknown", "expect_the_unexpected", {}, "critical", "")


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("gx") / "build.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create schema marts; "
            "create table marts.good as select 'a' as id, 0.5::double as rate; "
            "create table marts.bad as select 'a' as id, 0.5::double as rate "
            "union all select 'b', 1.5 union all select 'c', null"
        )
    return file


def suite(table: str, *expectations: Expectation) -> Suite:
    return Suite("marts", "marts", table, ("id",), expectations)


def test_good_data_passes(database):
    results = run_suites(database, [suite("good", BETWEEN, ROWS)])
    assert [(result.status, result.failing_rows) for result in results] == [("pass", 0)] * 2


def test_bad_data_fails_with_the_rows(database):
    between, rows = run_suites(database, [suite("bad", BETWEEN, ROWS)])
    assert (between.status, between.failing_rows) == ("fail", 1)
    assert between.rows == ["id b, rate 1.5"]
    assert (rows.status, rows.failing_rows) == ("warn", 1)
    assert rows.rows == ["id b, rate 1.5"]
    assert rows.message == "No rate is above one. Not so, for example: id b, rate 1.5"


def test_a_message_names_the_columns_that_it_is_about(database):
    pair = Expectation(
        "rate_is_above_itself",
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "rate", "column_B": "rate"},
        "warning",
        "It cannot be.",
    )
    between, pair_result = run_suites(database, [suite("bad", BETWEEN, pair)])
    assert between.message == "rate: A rate is a share. Not so, for example: id b, rate 1.5"
    assert pair_result.message.startswith("rate, rate: It cannot be. Not so, for example: ")


def test_every_expectation_of_raw_values_names_its_column():
    for suite_ in load_suites(ROOT / "expectations"):
        for expectation in suite_.expectations:
            column, is_about, _ = expectation.name.partition("_is_")
            if suite_.layer == "raw" and is_about:
                assert column in expectation.description, expectation
            if expectation.name == "events_are_recent":
                assert "_loaded_at" in expectation.description, expectation


@pytest.mark.parametrize("machine", ["Asia/Tokyo", "America/New_York"])
def test_what_is_said_does_not_depend_on_the_machines_time_zone(tmp_path, machine):
    """DuckDB asks for the machine's zone once, when it is loaded: so it is in a new process."""
    file = tmp_path / "zone.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create schema crm; create table crm.payments as select '2026-03-01 23:30:00' as "
            "paid_at, timestamptz '2026-03-02 00:30:00+00' as _loaded_at"
        )
    asked = (
        "from pathlib import Path\n"
        "from orchestration.expectations.suites import Expectation, Suite, run_suites\n"
        "query = 'select _loaded_at, try_cast(paid_at as timestamptz) as paid_at from {batch}'\n"
        "late = Expectation('late', 'unexpected_rows_expectation', "
        "{'unexpected_rows_query': query}, 'warning', 'Nothing is late.')\n"
        "suite = Suite('raw', 'crm', 'payments', (), (late,))\n"
        f"(found,) = run_suites(Path({str(file)!r}), [suite])\n"
        "print(found.rows)"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env={**clean_environment(), "TZ": machine},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == str(
        ["_loaded_at 2026-03-02 00:30:00+00:00, paid_at 2026-03-01 23:30:00+00:00"]
    )


def test_only_critical_expectations_stop_the_publication(database):
    between, rows = run_suites(database, [suite("bad", BETWEEN, ROWS)])
    assert between.outcome().stops_publication
    assert not rows.outcome().stops_publication


def test_an_expectation_that_breaks_is_an_error_and_the_others_still_run(database):
    results = run_suites(database, [suite("bad", BROKEN, NO_SUCH_TYPE, BETWEEN)])
    assert [result.status for result in results] == ["error", "error", "fail"]
    assert "no_such_column" in results[0].message


def test_a_table_that_is_not_there_is_an_error(database):
    (result,) = run_suites(database, [suite("missing", BETWEEN)])
    assert (result.status, result.outcome().stops_publication) == ("error", True)
    assert "marts.missing cannot be read" in result.message


def test_results_are_cached_for_the_same_data_and_suites(tmp_path, database):
    cache, ran = CacheEntry(tmp_path / "cache.json"), []

    def results(version: str, *suites: Suite):
        def run():
            ran.append(version)
            return run_suites(database, suites)

        return cached_results(cache, version, suites, run)

    bad = suite("bad", BETWEEN, ROWS)
    first = results("1", bad)
    assert results("1", bad) == first
    assert [result.status for result in first] == ["fail", "warn"]
    assert ran == ["1"]
    assert results("2", bad) == first
    assert [result.status for result in results("2", suite("good", BETWEEN))] == ["pass"]
    assert ran == ["1", "2", "2"]


def test_what_broke_is_tried_again(tmp_path, database):
    cache, ran = CacheEntry(tmp_path / "cache.json"), []

    def run():
        ran.append(1)
        return run_suites(database, broken)

    broken = [suite("good", BROKEN)]
    for _ in range(2):
        (result,) = cached_results(cache, "1", broken, run)
        assert result.status == "error"
    assert len(ran) == 2


def test_the_file_is_free_for_writers_afterwards(database):
    run_suites(database, [suite("good", BETWEEN)])
    duckdb.connect(str(database)).close()


def test_every_suite_of_the_project_reads():
    suites = load_suites(ROOT / "expectations")
    assert {suite.layer for suite in suites} == {"raw", "marts"}
    assert all(suite.expectations for suite in suites)
    names = [(s.full_name, e.name) for s in suites for e in s.expectations]
    assert len(set(names)) == len(names)


def test_what_comes_in_never_blocks(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "leads.yml").write_text(
        "meta: {table: crm.leads}\nexpectations:\n"
        "  - {type: expect_column_to_exist, severity: critical, meta: {name: a}}\n"
    )
    with pytest.raises(WrongUse, match="what comes in never blocks"):
        load_suites(tmp_path)


CELL = "date '2026-01-01' as date_day, 'a' as manager_id, 's' as source_id"
MANAGER = (
    "* from (select date '2026-01-01' as period_start, 'a' as manager_id, "
    "1::double as answer_rate, "
    "1::double as win_rate, 1::double as target_lead_rate, 1::double as responded_in_5min_rate, "
    "1::double as csat, 1::double as needs_found_rate, 1::double as presentation_rate, "
    "1::double as objections_rate, 1::double as next_step_rate, 100::double as avg_call_score, "
    "3 as calls, 2 as leads_created, 1 as deals_won, 10.5 as revenue)"
)
# What suites read beside their own mart.
OTHERS = """
    create schema metrics;
    create table metrics.time_spine_day as select date '2026-02-10' as date_day;
    create table if not exists marts.kpi_daily as
    select 3 as calls, 2 as leads_created, 1 as deals_won, 10.5 as revenue;
"""
# A good and a bad version of what each mart suite reads; columns that it does not read are left
# out. Good data passes all its expectations, bad data fails each of them.
MARTS = {
    "marts.dim_date": (
        "select date '2026-01-01' as date_day union all select date '2026-01-02'",
        "select date '2026-01-01' as date_day union all select date '2026-01-03'",
    ),
    "marts.lost_reasons": (
        "select 'month' as period_grain, date '2026-01-01' as period_start, 'a' as manager_id, "
        "unnest(['x', 'y']) as lost_reason, 0.5::double as share",
        "select 'month' as period_grain, date '2026-01-01' as period_start, 'a' as manager_id, "
        "'x' as lost_reason, 0.5::double as share",
    ),
    "marts.missed_call_recovery": (
        "select 4 as missed_calls, 1 as recovered_by_agent, 1 as recovered_by_client, "
        "1 as missed_calls_lost, 1 as missed_calls_open",
        "select 5 as missed_calls, 1 as recovered_by_agent, 1 as recovered_by_client, "
        "1 as missed_calls_lost, 1 as missed_calls_open",
    ),
    "marts.deal_outlook": (
        "select 'a' as deal_id, 'model' as method, 'x' as reason_1, "
        "0.5::double as win_probability, "
        "0.4::double as win_probability_low, 0.6::double as win_probability_high, "
        "0.2::double as closes_this_month_probability, "
        "0.3::double as closes_next_month_probability "
        "union all select 'b', 'none', null, null, null, null, null, null",
        "select 'a' as deal_id, 'none' as method, 'x' as reason_1, 0.5::double as win_probability, "
        "0.4::double as win_probability_low, 0.6::double as win_probability_high, "
        "0.3::double as closes_this_month_probability, "
        "0.3::double as closes_next_month_probability",
    ),
    "marts.revenue_forecast": (
        "select date '2026-01-01' as period_start, unnest(['*', 'a', 'b']) as manager_id, "
        "unnest([3, 1, 2]) as paid_so_far, unnest([3, 1, 2]) as expected_open, "
        "unnest([3, 1, 2]) as expected_new, unnest([9, 3, 6]) as forecast, "
        "unnest([8, null, null]) as forecast_low, unnest([10, null, null]) as forecast_high",
        "select date '2026-01-01' as period_start, unnest(['*', 'a', 'b']) as manager_id, "
        "unnest([4, 1, 2]) as paid_so_far, unnest([3, 1, 2]) as expected_open, "
        "unnest([3, 1, 2]) as expected_new, unnest([9, 3, 6]) as forecast, "
        "unnest([8, 4, null]) as forecast_low, unnest([10, 5, null]) as forecast_high",
    ),
    "marts.customer_cohorts": (
        "select date '2026-01-01' as cohort_month, unnest([0, 1]) as months_since, "
        "2 as customers, 1 as active",
        "select date '2026-01-01' as cohort_month, unnest([0, 2]) as months_since, "
        "2 as customers, 3 as active",
    ),
    "marts.funnel_conversion": (
        "select 'p' as pipeline_id, unnest([1, 2]) as stage_no, unnest([5, 3]) as reached, "
        "unnest([5, 2]) as entered, unnest([3, 0]) as advanced",
        "select 'p' as pipeline_id, unnest([1, 2]) as stage_no, unnest([3, 5]) as reached, "
        "unnest([4, 2]) as entered, unnest([4, 0]) as advanced",
    ),
    "marts.kpi_daily": (
        f"select {CELL}, 60 as talk_seconds, 2 as calls, 2 as calls_answered, 1 as calls_60s",
        f"select {CELL}, -1 as talk_seconds, 1 as calls, 2 as calls_answered, 3 as calls_60s",
    ),
    "marts.kpi_company_period": (
        "select 'month' as period_grain, unnest([date '2026-01-01', date '2026-02-01']) "
        "as period_start, 0.5::double as churn_rate, 1::double as missed_recovery_rate",
        "select 'month' as period_grain, date '2026-01-01' as period_start, "
        "1.5::double as churn_rate, 2::double as missed_recovery_rate",
    ),
    "marts.kpi_manager_period": (
        f"select unnest(['day', 'week', 'month', 'quarter', 'year']) as period_grain, {MANAGER}",
        "select unnest(['day', 'week', 'month', 'quarter']) as period_grain, "
        + MANAGER.replace("1::double as win_rate", "1.5::double as win_rate").replace(
            "100::double", "101::double"
        ),
    ),
}


def test_every_mart_suite_is_tried():
    suites = load_suites(ROOT / "expectations")
    assert {suite.full_name for suite in suites if suite.layer == "marts"} == set(MARTS)


@pytest.mark.parametrize("table", MARTS)
def test_a_mart_suite_passes_good_data_and_fails_bad(tmp_path, table):
    (wanted,) = [s for s in load_suites(ROOT / "expectations") if s.full_name == table]
    for is_bad, sql in enumerate(MARTS[table]):
        file = tmp_path / f"{is_bad}.duckdb"
        with duckdb.connect(str(file)) as connection:
            connection.execute(f"create schema marts; create table {table} as {sql}; {OTHERS}")
        statuses = {result.status for result in run_suites(file, [wanted])}
        assert statuses == ({"fail"} if is_bad else {"pass"}), sql


LOADED = "timestamp '2026-03-01 10:00' as _loaded_at"
# The raw columns that suites read, good and bad; times come as text and as timestamps.
RAW_TABLES = {
    "crm.activities": (
        f"select '2026-02-27T09:00:00+03:00' as happened_at, ' EMAIL ' as kind, {LOADED}",
        f"select '2026-02-20 09:00' as happened_at, 'fax' as kind, {LOADED}",
    ),
    "crm.deals": (
        f"select '2026-02-27' as created_at, 'New' as deal_type, 1 as amount, {LOADED}",
        f"select '2026-02-01' as created_at, 'old' as deal_type, null as amount, {LOADED}",
    ),
    "crm.leads": (
        "select timestamptz '2026-02-27 09:00:00+03' as created_at, 'c' as contact_id, "
        f"'s' as source_id, {LOADED}",
        "select timestamptz '2026-02-01 09:00:00+03' as created_at, null as contact_id, "
        f"null as source_id, {LOADED}",
    ),
    "crm.meetings": (
        f"select '2026-02-27' as set_at, ' DEMO ' as kind, 'm' as set_by, {LOADED}",
        f"select '2026-02-01' as set_at, 'dinner' as kind, null as set_by, {LOADED}",
    ),
    "crm.payments": (
        f"select '2026-02-27' as paid_at, 'refund' as kind, {LOADED}",
        f"select '2026-01-01' as paid_at, 'gift' as kind, {LOADED}",
    ),
    "crm.stages": ("select 'won' as kind", "select 'done' as kind"),
    "marketing.ad_spend": (
        f"select date '2026-02-27' as spend_date, {LOADED}",
        f"select date '2026-02-01' as spend_date, {LOADED}",
    ),
    "telephony.calls": (
        "select '2026-02-27 09:00' as started_at, 'IN' as direction, "
        f"'no answer' as disposition, {LOADED}",
        "select '2026-02-20 09:00' as started_at, 'sideways' as direction, "
        f"'lost' as disposition, {LOADED}",
    ),
}


def test_every_raw_suite_is_tried():
    suites = load_suites(ROOT / "expectations")
    assert {suite.full_name for suite in suites if suite.layer == "raw"} == set(RAW_TABLES)


@pytest.mark.parametrize("is_bad", [False, True], ids=["good", "bad"])
@pytest.mark.parametrize("table", RAW_TABLES)
def test_a_raw_suite_passes_good_data_and_warns_of_bad(tmp_path, table, is_bad):
    found = statuses_of(tmp_path, table, RAW_TABLES[table][is_bad], rows=1)
    assert found.pop("files_hold_rows") == "pass"
    assert set(found.values()) == ({"warn"} if is_bad else {"pass"}), found


@pytest.mark.parametrize("table", RAW_TABLES)
def test_a_raw_suite_warns_of_files_without_a_row(tmp_path, table):
    found = statuses_of(tmp_path, table, f"{RAW_TABLES[table][0]} limit 0", rows=0)
    assert found.pop("files_hold_rows") == "warn"
    assert set(found.values()) == {"pass"}, found


def statuses_of(directory: Path, table: str, sql: str, rows: int) -> dict[str, str]:
    """What the suite of a raw table says of such rows, by expectation."""
    (wanted,) = [s for s in load_suites(ROOT / "expectations") if s.full_name == table]
    file = directory / "raw_zone.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            f"create schema {wanted.schema}; create schema zone; create table {table} as {sql}; "
            f"create table zone.tables as select '{table}' as table_name, 1 as files, "
            f"{rows} as rows, true as is_present"
        )
    results = run_suites(file, [wanted])
    assert all(result.status != "error" for result in results), results
    return {result.expectation.name: result.status for result in results}
