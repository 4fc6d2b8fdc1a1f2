"""A company whose exporter writes a load time that is too early, and whose money lacks rates.

Everything was loaded on 14 February 2026 by its own word, but one deal was won and paid on the
20th. Some deals and costs are in currencies without a rate; a deal stands in a stage that is not
there; another was won before it was lost; telephony has extensions since 2000.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Parsed, query, voronka, write_zone
from tests.integration.test_dashboard import Browser, launched

LOADED_AT = "2026-02-14T03:00:00Z"


def deal(
    deal_id: str, stage: str, closed: str | None, amount: str, currency: str
) -> dict[str, Any]:
    return {
        **{"deal_id": deal_id, "contact_id": "c", "manager_id": "bob", "source_id": "ads"},
        **{"pipeline_id": "p", "stage_id": stage, "amount": amount, "currency": currency},
        "created_at": "2026-02-02T10:00:00Z",
        "closed_at": closed and f"{closed}T12:00:00Z",
    }


def company() -> dict[str, list[dict[str, Any]]]:
    deals = [
        deal("in_time", "won", "2026-02-05", "600", "RUB"),
        deal("late", "won", "2026-02-20", "400", "RUB"),
        deal("lost", "lost", "2026-02-06", "50", "GEL"),
        deal("won_and_lost", "lost", "2026-02-07", "20", "RUB"),
        deal("open", "new", None, "70", "GEL"),
        deal("nowhere", "gone", None, "10", "RUB"),
    ]
    tables: dict[str, list[dict[str, Any]]] = {
        "crm.managers": [{"manager_id": "bob", "full_name": "Bob", "team": "T", "role": "hunter"}],
        "crm.sources": [{"source_id": "ads", "name": "Ads"}],
        "crm.contacts": [{"contact_id": "c", "created_at": "2026-02-02T09:00:00Z"}],
        "crm.pipelines": [{"pipeline_id": "p", "name": "Sales"}],
        "crm.stages": [
            {"stage_id": kind, "pipeline_id": "p", "name": kind, "position": at, "kind": kind}
            for at, kind in enumerate(("won", "lost"), 2)
        ],
        "crm.deals": deals,
        "crm.deal_stage_history": [
            {
                **{"event_id": "e", "deal_id": "won_and_lost", "stage_id": "won"},
                "entered_at": "2026-02-03T10:00:00Z",
            }
        ],
        "crm.payments": [
            {
                **{"payment_id": it["deal_id"], "deal_id": it["deal_id"], "kind": "payment"},
                **{"paid_at": it["closed_at"], "amount": it["amount"]},
            }
            for it in deals[:2]
        ],
        "marketing.ad_spend": [
            {
                **{"spend_date": "2026-02-03", "source_id": "ads", "campaign": "a"},
                **{"cost": "5", "currency": "USD"},
            }
        ],
        "finance.sales_costs": [
            {"month": "2026-02-01", "team": "T", "cost": "9", "currency": "EUR"}
        ],
        "telephony.extensions": [
            {"extension": "101", "valid_from": "2000-01-01T00:00:00Z", "manager_id": "bob"}
        ],
        "telephony.calls": [
            {
                **{"call_id": "1", "direction": "out", "extension": "101"},
                **{"started_at": "2026-02-04T09:00:00Z", "disposition": "no_answer"},
            }
        ],
    }
    tables["crm.stages"].append(
        {"stage_id": "new", "pipeline_id": "p", "name": "new", "position": 1, "kind": "open"}
    )
    return {
        table: [{"_loaded_at": LOADED_AT, **row} for row in rows] for table, rows in tables.items()
    }


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, parsed: Parsed) -> tuple[Path, str, str]:
    """The published file, and what the refresh and `voronka status` said."""
    place = tmp_path_factory.mktemp("late")
    raw = write_zone(place / "raw", company())
    env = {"VORONKA_DATA_DIR": str(parsed(place / "data"))}
    done = voronka("refresh", "--raw-dir", raw, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    status = voronka("status", env=env)
    assert status.returncode == 0, status.stdout
    return place / "data/published/voronka.duckdb", *map(in_one_line, (done.stdout, status.stdout))


def in_one_line(screen: str) -> str:
    return " ".join(screen.replace("│", " ").split())


@pytest.fixture(scope="module")
def browser(said: tuple[Path, str, str]) -> Iterator[Browser]:
    with launched() as show:
        found = show(said[0].with_name("dashboard.html"))
        yield found
        assert found.complaints == []


def text_of(browser: Browser, selector: str) -> str:
    return browser.page.inner_text(selector).replace("\u202f", " ").replace("\u00a0", " ")


def test_events_after_the_last_load_are_counted_with_their_money(
    said: tuple[Path, str, str],
) -> None:
    file, _, _ = said
    assert query(file, "select as_of_date::varchar from quality.publication") == [("2026-02-14",)]
    assert query(
        file,
        "select table_name, rows, rows_after, last_event_on::varchar, amount_after "
        "from quality.events_after_as_of where rows_after > 0 order by 1",
    ) == [
        ("crm.deals", 6, 1, "2026-02-20", 400),
        ("crm.payments", 2, 1, "2026-02-20", 400),
    ]
    # Additive marts hide nothing; the state of the pipeline ends with the as-of date.
    assert query(file, "select sum(revenue), sum(deals_won) from marts.kpi_daily") == [(1000, 2)]
    assert query(file, "select max(date_day)::varchar from marts.pipeline_daily") == [
        ("2026-02-14",)
    ]


def test_the_check_the_summary_and_status_name_late_events(said: tuple[Path, str, str]) -> None:
    _, summary, status = said
    for text in (summary, status):
        assert (
            "crm.payments: 1 row of 2 is after the as-of date 2026-02-14, up to 2026-02-20, with "
            "400.00 RUB; that date is the day of the last load" in text
        )
        assert "crm.deals: 1 row of 6 is after the as-of date" in text
        assert "let the exporter write into _loaded_at when it read a row" in text
    assert "After 2026-02-14 there is more: revenue 400, won deals 1" in summary


def test_the_page_says_what_it_does_not_show(browser: Browser) -> None:
    browser.open("overview", grain="month", period="2026-02-01", lang="en")
    shown = browser.figures()
    assert (shown["revenue"], shown["deals_won"]) == (600, 1)
    later = "After 14 February 2026 there is more: Revenue ₽400"
    assert later in text_of(browser, '[data-metric="revenue"]')
    assert "Revenue ₽400, Amount won ₽400, Deals won 1" in text_of(browser, "[data-later]")


def test_every_figure_names_the_currencies_that_it_lacks(
    said: tuple[Path, str, str], browser: Browser
) -> None:
    _, summary, status = said
    for text in (summary, status):
        assert "lost_amount lacks 1 of 2 lost deals (50.0%): no rate of GEL (1 row)" in text
        assert "open_amount lacks 1 of 2 open deals (50.0%): no rate of GEL (1 row)" in text
        assert "ad_spend lacks 1 of 1 advertising cost (100.0%): no rate of USD (1 row)" in text
        assert "sales_cost lacks 1 of 1 cost of the sales department (100.0%): no rate of EUR" in (
            text
        )
    for screen, place, rows, currency in (
        ("funnel", '[data-card="reasons"]', "1 lost deal", "GEL"),
        ("pipeline", '[data-metric="open_amount"]', "1 open deal", "GEL"),
        ("sources", '[data-metric="ad_spend"]', "1 advertising cost", "USD"),
        ("sources", '[data-metric="cac"]', "1 monthly cost of the sales department", "EUR"),
    ):
        browser.open(screen, grain="month", period="2026-02-01", lang="en")
        foot = text_of(browser, f"{place} footer")
        assert rows in foot
        assert f"Currencies without a rate, in all history: {currency} (1)" in foot
    assert browser.figures()["ad_spend"] is browser.figures()["cac"] is None


def test_won_lost_and_open_deals_are_all_deals(browser: Browser) -> None:
    browser.open("funnel", grain="month", period="2026-02-01", lang="en")
    counts = [browser.column("funnel_manager", at) for at in range(1, 6)]
    assert counts == [["Bob"], ["6"], ["2"], ["2"], ["2"]]
    shares = browser.series("cohorts")
    assert [shares["Won"], shares["Still open"]] == [[pytest.approx(1 / 3)]] * 2
    # Where they are lost and wait: the one that was won before, and the one in no stage, too.
    assert browser.series("lost_here") == {"Lost here": [1, 1, 0], "Still here": [1, 0, 1]}
    assert browser.page.evaluate(
        "echarts.getInstanceByDom(document.querySelector('[data-chart=lost_here]'))"
        ".getOption().yAxis[0].data"
    ) == ["new", "won", "Stage unknown"]


def test_the_calendar_does_not_begin_with_the_extensions(said: tuple[Path, str, str]) -> None:
    file, _, _ = said
    for table, column in (
        ("dim_date", "date_day"),
        ("fct_customer_base", "date_day"),
        ("fct_pipeline_days", "date_day"),
    ):
        found = query(file, f"select min({column})::varchar from marts.{table}")
        assert found == [("2026-01-01",)], table
