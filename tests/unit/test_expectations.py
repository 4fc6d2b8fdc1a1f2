"""Each suite on good and on bad data, and an expectation that breaks."""

from pathlib import Path

import duckdb
import pytest

from orchestration.lib.errors import WrongUse
from orchestration.lib.expectations import Expectation, Suite, load_suites, run_suites
from tests.conftest import ROOT

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
    assert between.rows == [{"id": "b", "rate": 1.5}]
    assert (rows.status, rows.failing_rows) == ("warn", 1)
    assert rows.rows == [{"id": "b", "rate": 1.5}]
    assert rows.message == "No rate is above one. Not so, for example: id b, rate 1.5"


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
    create schema intermediate;
    create table intermediate.int_refresh__as_of as select date '2026-02-10' as as_of_date;
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
