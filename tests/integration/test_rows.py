"""The rows behind a figure add up to it, exactly, for every metric that has rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.base.errors import WrongUse
from orchestration.cli import app
from orchestration.metrics.choices import Grain
from orchestration.metrics.query import PublishedMetrics, published_metrics
from orchestration.metrics.rows import VALUE, RowsRequest, parts_of, rows_behind

AUGUST = date(2026, 8, 1)
# Balances, plans and what is derived from days: no event is theirs alone.
WITHOUT_ROWS = {
    *("open_deals", "open_amount", "open_deals_without_amount", "presale_deals"),
    *("presale_amount", "presale_deals_without_amount", "sales_cost", "sales_costs_unpriced"),
    *("active_customers", "target", "actual", "target_to_date", "actual_to_date", "rows"),
    *("forecast", "advertised_revenue", "advertised_revenue_by_day"),
    *("advertised_revenue_by_week", "advertised_revenue_by_quarter"),
    *("advertised_revenue_by_year", "advertised_revenue_ever", "churned_customers"),
    *("churned_customers_by_day", "churned_customers_by_week"),
    *("churned_customers_by_quarter", "churned_customers_by_year"),
}


@pytest.fixture(scope="module")
def published(demo_publication: Path) -> Iterator[PublishedMetrics]:
    with published_metrics(demo_publication) as metrics:
        yield metrics


def add_up(published: PublishedMetrics, name: str) -> None:
    rows = rows_behind(published, RowsRequest(name, limit=1, is_brief=True))
    if rows.is_sum:
        assert (rows.total or 0) == (rows.figure or 0), name
    assert (rows.count > 0) == bool(rows.figure), name


def test_the_rows_of_a_metric_of_each_fact_add_up_to_it(published: PublishedMetrics) -> None:
    for name in (
        *("deals_created", "won_amount", "revenue", "surveys", "ad_spend", "talk_seconds"),
        *("missed_calls", "evaluation_score", "leads_created", "leads_taken", "leads_target"),
        *("emails_sent", "meetings_set", "meetings_confirmed", "set_meetings_held"),
        *("meetings_held", "set_meetings_paid", "expected_amount", "stage_entries", "exited"),
        *("median_stay_hours", "reached"),
    ):
        add_up(published, name)


@pytest.mark.nightly
def test_the_rows_of_every_metric_add_up_to_it(published: PublishedMetrics) -> None:
    catalogue = published.catalogue
    simple = [name for name in catalogue.metrics if parts_of(catalogue, name) == [name]]
    for name in simple:
        if name not in WITHOUT_ROWS:
            add_up(published, name)
    assert len(simple) - len(WITHOUT_ROWS) > 80


def test_a_metric_without_rows_is_one_of_states(published: PublishedMetrics) -> None:
    models = published.catalogue.manifest["semantic_models"]
    stateless = {
        measure["name"]
        for model in models
        for measure in model["measures"]
        if "row" not in ((model.get("config") or {}).get("meta") or {})
    }
    measured = {
        name
        for name in published.catalogue.metrics
        if parts_of(published.catalogue, name) == [name]
        and published.catalogue.measures_of([name]) <= stateless
    }
    assert measured == WITHOUT_ROWS


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("revenue", "payment_id, amount from marts.fct_payments where paid_on {}"),
        ("deals_won", "deal_id, 1 from marts.fct_deals where outcome = 'won' and closed_on {}"),
        ("set_meetings_held", "meeting_id, 1 from marts.fct_meetings where held_on {}"),
        ("calls_60s", "session_id, 1 from marts.fct_calls where is_meaningful and started_on {}"),
    ],
)
def test_a_months_rows_are_the_facts_of_that_month(
    published: PublishedMetrics, name: str, sql: str
) -> None:
    found = rows_behind(published, RowsRequest(name, grain=Grain.MONTH, period_start=AUGUST))
    place = {column: number for number, column in enumerate(found.answer.columns)}
    rows = sorted((row[place[found.keys[0]]], row[place[VALUE]]) for row in found.answer.rows)
    month = "between date '2026-08-01' and date '2026-08-31'"
    wanted = sql.replace("started_on", "session_started_on").format(month)
    assert rows == sorted(published.run(f"select {wanted}").fetchall())
    assert found.count == len(rows) > 0


def test_conditions_cut_rows_as_they_cut_figures(published: PublishedMetrics) -> None:
    where = ("manager__team = 'Продажи'", "source = 'referral'")
    some = rows_behind(published, RowsRequest("revenue", where=where, limit=2))
    whole = rows_behind(published, RowsRequest("revenue", limit=0))
    place = {column: number for number, column in enumerate(some.answer.columns)}
    assert 2 == len(some.answer.rows) < some.count < whole.count
    assert some.total == some.figure and whole.answer.rows == []
    assert {row[place["team"]] for row in some.answer.rows} == {"Продажи"}
    assert {row[place["source_id"]] for row in some.answer.rows} == {"referral"}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (RowsRequest("win_rate"), "win_rate = deals_won / deals_closed: it has no rows of its own"),
        (RowsRequest("open_deals"), "open_deals is a state"),
        (RowsRequest("revenu"), "There is no metric revenu. Near it: revenue"),
        (RowsRequest("revenue", period_start=AUGUST), "A period needs its length"),
        (RowsRequest("revenue", where=("1=1); copy x to 'y'; select (1",)), ""),
    ],
)
def test_what_has_no_rows_says_why(
    published: PublishedMetrics, request_: RowsRequest, message: str
) -> None:
    with pytest.raises(WrongUse) as error:
        rows_behind(published, request_)
    assert message in str(error.value)


def test_the_command_shows_rows_and_of_a_rate_its_parts(
    demo_publication: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VORONKA_DATA_DIR", str(demo_publication.parents[1]))
    runner = CliRunner()
    shown = runner.invoke(
        app, ["explain", "revenue", "-g", "month", "-p", "2026-08-01", "--limit", "3"]
    )
    assert shown.exit_code == 0
    assert "= sum of" in shown.output and "rows of marts.fct_payments, sum(amount)" in shown.output
    assert len([line for line in shown.output.splitlines() if line.startswith("2026-08-")]) == 3
    parts = runner.invoke(app, ["explain", "win_rate", "--lang", "ru"])
    assert "Доля выигранных (win_rate) = deals_won / deals_closed" in parts.output
    assert "voronka explain win_rate --part deals_won" in parts.output
