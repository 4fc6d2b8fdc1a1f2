"""The rows behind a figure add up to it, exactly, for every metric that has rows."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.cli import app
from orchestration.metrics.choices import Grain
from orchestration.metrics.query import PublishedMetrics, Request, published_metrics
from orchestration.metrics.rows import (
    RECORDING,
    VALUE,
    RowsRequest,
    all_rows,
    parts_of,
    rows_behind,
)
from orchestration.serving.session import Warehouse
from orchestration.serving.viewer import Viewer

AUGUST = date(2026, 8, 1)
# No rows of their own: quotients, and what adds up rows of different facts. Their parts have rows.
OF_PARTS = {
    *("lead_conversion_rate", "win_rate", "won_share", "avg_deal_size", "avg_cycle_days"),
    *("sales_actions", "missed_recovery_rate", "avg_recovery_minutes", "conversion_to_next"),
    *("cac", "cpl", "cost_per_target_lead", "source_cac", "arpc", "mean_arpc_3m"),
    *("mean_churn_3m", "clv", "avg_call_score", "needs_found_rate", "presentation_rate"),
    *("objections_rate", "next_step_rate", "csat", "answered_rate", "responded_in_5min_rate"),
    *("avg_response_minutes", "avg_response_working_minutes", "answer_rate", "target_lead_rate"),
    *("avg_answer_wait_seconds", "avg_missed_wait_seconds", "call_to_meeting_rate"),
    *("meeting_confirmation_rate", "confirmed_to_held_rate", "meeting_show_rate"),
    *("held_to_paid_rate", "attainment", "pace", "win_probability"),
    *(f"{name}{variant}" for name in ("churn_rate", "retention_rate", "romi")
      for variant in ("", "_by_day", "_by_week", "_by_quarter", "_by_year")),
    "romi_ever",
}  # fmt: skip


@pytest.fixture(scope="module")
def published(demo_publication: Path) -> Iterator[PublishedMetrics]:
    with published_metrics(demo_publication) as metrics:
        yield metrics


def add_up(published: PublishedMetrics, name: str, where: tuple[str, ...] = ()) -> None:
    """The rows come to the figure: of all time, and of a month, where it is the layer's own."""
    metric = published.catalogue.metrics[name]
    grain = Grain.MONTH if "month" in metric.all_grains else Grain(metric.all_grains[0])
    start = date(2026, 7, 1) if grain in (Grain.QUARTER, Grain.YEAR) else AUGUST
    start = date(2026, 1, 1) if grain is Grain.YEAR else start
    start = date(2026, 8, 3) if grain is Grain.WEEK else start
    for period in ((None, None), (grain, start)):
        asked = RowsRequest(name, True, *period, where=where, limit=1)
        rows = rows_behind(published, asked)
        assert (rows.total or 0) == (rows.figure or 0), (name, period)
        # What is 0 may still be a mean, or refunds that make up for payments.
        assert rows.count > 0 or not rows.figure, (name, period)
        if period[0] and not where:
            answer = published.answer(Request((name,), grain=period[0])).rows
            assert rows.figure in [value for day, value in answer if day == start] or (
                not rows.figure and start not in dict(answer)
            ), name


def test_the_rows_of_a_metric_of_each_kind_add_up_to_it(published: PublishedMetrics) -> None:
    for name in (
        *("won_amount", "talk_minutes", "contacts_called", "median_response_minutes", "reached"),
        *("open_amount", "active_customers", "churned_customers_by_week", "cumulative_revenue"),
        *("advertised_revenue", "lead_to_meeting_30d_rate", "deals_closed", "sales_cost", "target"),
    ):
        add_up(published, name)


@pytest.mark.nightly
def test_the_rows_of_every_metric_add_up_to_it(published: PublishedMetrics) -> None:
    filtered = 0
    for name in published.catalogue.metrics:
        if name not in OF_PARTS:
            add_up(published, name)
            for where in ("manager = 'm-06'", "source__channel = 'google_ads'"):
                try:
                    published.by_keys([name], (), (where,))
                except WrongUse:
                    # The metric has no such dimension.
                    continue
                filtered += 1
                add_up(published, name, (where,))
    assert filtered > 200


def test_every_metric_has_rows_or_parts_that_have_them(published: PublishedMetrics) -> None:
    catalogue = published.catalogue
    parts = {name: parts_of(catalogue, name) for name in catalogue.metrics}
    assert {name for name, own in parts.items() if own != [name]} == OF_PARTS

    def reach(name: str) -> bool:
        own = parts[name]
        return own == [name] or (bool(own) and all(map(reach, own)))

    assert [name for name in OF_PARTS if not reach(name)] == []


def test_a_state_has_the_rows_that_stand_in_it(published: PublishedMetrics) -> None:
    august = {"grain": Grain.MONTH, "period_start": AUGUST}
    deals = rows_behind(
        published, RowsRequest("open_amount", where=("stage__kind = 'presale'",), **august)
    )
    place = {column: number for number, column in enumerate(deals.answer.columns)}
    assert deals.table == "marts.fct_stage_entries"
    assert sorted(
        (row[place["deal_id"]], row[place[VALUE]]) for row in deals.answer.rows
    ) == sorted(
        published.run(
            "select deal_id, amount from marts.fct_stage_entries where stage_kind = 'presale' "
            "and entered_on <= date '2026-08-31' and amount <> 0 "
            "and (exited_on is null or exited_on > date '2026-08-31')"
        ).fetchall()
    )
    customers = rows_behind(published, RowsRequest("active_customers", limit=3, **august))
    assert customers.figure == customers.total == customers.count > 3
    assert "contact_name" in customers.answer.columns and len(customers.answer.rows) == 3


def test_pages_fit_together(published: PublishedMetrics) -> None:
    whole = rows_behind(published, RowsRequest("deals_created", is_brief=True))
    pages = [
        rows_behind(published, RowsRequest("deals_created", True, offset=start, limit=700))
        for start in range(0, whole.count, 700)
    ]
    assert [row for page in pages for row in page.answer.rows] == whole.answer.rows
    assert {(page.count, page.total) for page in pages} == {(whole.count, whole.total)}
    columns, rows = all_rows(published, RowsRequest("deals_created", is_brief=True, offset=5))
    assert columns == whole.answer.columns and list(rows) == whole.answer.rows[5:]


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
    ("grain", "day", "first"),
    [
        (Grain.WEEK, "2026-09-01", "2026-08-31"),
        (Grain.MONTH, "2026-09-15", "2026-09-01"),
        (Grain.QUARTER, "2026-08-01", "2026-07-01"),
        (Grain.YEAR, "2026-02-01", "2026-01-01"),
    ],
)
def test_a_period_begins_on_its_first_day(grain: Grain, day: str, first: str) -> None:
    with pytest.raises(WrongUse, match=f"(?s)No {grain} begins on {day}.*{first}"):
        RowsRequest("revenue", grain=grain, period_start=date.fromisoformat(day))
    RowsRequest("revenue", grain=grain, period_start=date.fromisoformat(first))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (RowsRequest("win_rate"), "win_rate = deals_won / deals_closed: it has no rows of its own"),
        (RowsRequest("churned_customers", grain=Grain.HOUR), "has no figure by hour"),
        (
            RowsRequest("reached", grain=Grain.DAY, period_start=AUGUST),
            "reached has no figure by day",
        ),
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


def test_viewers_have_their_rows_and_masks(
    published: PublishedMetrics, demo_publication: Path
) -> None:
    warehouse = Warehouse(Settings(data_dir=demo_publication.parents[1]))
    whole = rows_behind(published, RowsRequest("revenue", limit=50))
    with warehouse.session(Viewer("voronka_reader")) as session:
        masked = rows_behind(session.metrics, RowsRequest("revenue", limit=50))
        calls = rows_behind(session.metrics, RowsRequest("calls_60s", limit=50))
    assert (masked.figure, masked.total, masked.count) == (whole.figure, whole.total, whole.count)
    name = masked.answer.columns.index("contact_name")
    assert {row[name] for row in masked.answer.rows} == {"***"}
    assert "***" not in {row[name] for row in whole.answer.rows}
    # A mask is no address to listen to.
    recording = calls.answer.columns.index(RECORDING)
    assert {row[recording] for row in calls.answer.rows} == {None}
    own = Viewer("m", managers=frozenset({"m-06"}))
    with warehouse.session(own) as session:
        for metric in ("revenue", "open_amount", "contacts_called", "deals_closed"):
            seen = rows_behind(session.metrics, RowsRequest(metric, limit=0))
            where = ("manager = 'm-06'",)
            wanted = rows_behind(published, RowsRequest(metric, limit=0, where=where))
            assert (seen.figure, seen.total) == (wanted.figure, wanted.total) != (0, 0), metric
    warehouse.close()


def test_the_command_shows_rows_and_of_a_rate_its_parts(
    demo_publication: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VORONKA_DATA_DIR", str(demo_publication.parents[1]))
    connections = tmp_path / "connections.yml"
    connections.write_text(
        "ours:\n  kind: amocrm\n  subdomain: romashka\n  long_lived_token: env:NONE\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("VORONKA_CONNECTIONS", str(connections))
    runner = CliRunner()
    august = ["-g", "month", "-p", "2026-08-01"]
    shown = runner.invoke(app, ["explain", "revenue", *august, "--limit", "3", "--by", "team"])
    assert shown.exit_code == 0, shown.output
    assert "= sum of" in shown.output and "rows of marts.fct_payments, sum(amount)" in shown.output
    assert "dbt_project/models/semantic/metrics/revenue.yml" in shown.output
    assert "dbt_project/models/facts/fct_payments.sql (docs/marts.md#fct_payments)" in shown.output
    lines = shown.output.splitlines()
    assert len([line for line in lines if line.startswith("2026-08-") and "PAY-" in line]) == 3
    assert "https://romashka.amocrm.ru/leads/detail/" in lines[-1]
    assert [line for line in lines if line.startswith("2026-08-01  Продажи")]

    parts = runner.invoke(app, ["explain", "win_rate", "--lang", "ru", *august])
    assert re.search(
        r"Доля выигранных \(win_rate\): [\d.]+% = deals_won / deals_closed", parts.output
    )
    assert "voronka explain win_rate --part deals_won or deals_closed" in parts.output


def test_all_rows_leave_as_a_workbook_and_as_csv(
    demo_publication: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VORONKA_DATA_DIR", str(demo_publication.parents[1]))
    with published_metrics(demo_publication) as published:
        rows = rows_behind(
            published, RowsRequest("revenue", grain=Grain.MONTH, period_start=AUGUST)
        )
    runner = CliRunner()
    asked = ["explain", "revenue", "-g", "month", "-p", "2026-08-01", "--lang", "ru"]
    for option, name in (("--xlsx", "august.xlsx"), ("--csv", "august.csv")):
        done = runner.invoke(app, [*asked, option, str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        assert f"{rows.count} rows in" in done.output
    workbook = CalamineWorkbook.from_path(str(tmp_path / "august.xlsx"))
    heading, *cells = workbook.get_sheet_by_index(0).to_python()
    assert heading[:5] == ["Дата оплаты", "Ключ оплаты", "Выручка", "Компания", "Ключ сделки"]
    assert sum(round(Decimal(str(row[2])), 2) for row in cells) == rows.total
    with (tmp_path / "august.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert sum(Decimal(row["Выручка"]) for row in read) == rows.figure
    refused = runner.invoke(app, [*asked, "--csv", "a", "--xlsx", "b"])
    assert "each name a file" in str(refused.exception)


def test_a_row_leads_to_its_raw_file_where_the_build_is(
    demo_publication: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = demo_publication.parents[1]
    monkeypatch.setenv("VORONKA_DATA_DIR", str(data))
    runner = CliRunner()
    for metric, key in (
        *(("revenue", "PAY-"), ("calls_60s", "call-"), ("sales_cost", "2026-")),
        *(("ad_spend", "2026-"), ("target", "m-"), ("open_deals", "")),
    ):
        done = runner.invoke(app, ["explain", metric, "--raw", "--format", "json", "-n", "50"])
        assert done.exit_code == 0, done.output
        rows = json.loads(done.stdout)
        assert len(rows) == 50 or metric in ("sales_cost", "target")
        for row in rows:
            assert row["raw_file"].endswith(".parquet") and row["raw_row"].startswith(key)
    many = runner.invoke(app, ["explain", "rows", "--raw"])
    assert "comes from many raw rows" in str(many.exception)
    # Somebody else has the published file alone.
    (tmp_path / "published").mkdir()
    (tmp_path / "published/voronka.duckdb").symlink_to(demo_publication)
    monkeypatch.setenv("VORONKA_DATA_DIR", str(tmp_path))
    alone = runner.invoke(app, ["explain", "revenue", "--raw", "-n", "1"])
    assert "there is none in" in str(alone.exception)
