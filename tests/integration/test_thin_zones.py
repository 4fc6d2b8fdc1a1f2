"""A small company without meetings, in a real browser: nobody is told 0 where nobody can know.

January and February 2026. In February revenue halves; referrals pay and cost nothing; missed
callers have no number; some deals have no amount. No meetings, evaluations, extensions, surveys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Parsed, query, voronka, write_zone
from tests.integration.test_dashboard import Browser, launched

MONTHS = ("2026-01", "2026-02")
PAID = {"2026-01": (600, 400), "2026-02": (200, 200)}


def rows_of_a_month(month: str) -> dict[str, list[dict[str, Any]]]:
    """Ten leads, two won deals with payments, an open one without an amount, four calls."""
    leads = [
        {
            "lead_id": f"l-{month}-{at}",
            "contact_id": f"c-{month}-{at}",
            "manager_id": "bob",
            "source_id": "ads" if at % 2 else "referral",
            "created_at": f"{month}-0{1 + at % 9}T10:00:00Z",
        }
        for at in range(10)
    ]
    deals, payments = [], []
    for at, amount in enumerate(PAID[month]):
        closed = f"{month}-{10 + 10 * at}T12:00:00Z"
        deals.append(
            {
                "deal_id": f"d-{month}-{at}",
                "lead_id": f"l-{month}-{at}",
                "manager_id": "bob",
                "pipeline_id": "p",
                "stage_id": "won",
                "amount": str(amount),
                "created_at": f"{month}-05T10:00:00Z",
                "closed_at": closed,
            }
        )
        payments.append(
            {
                "payment_id": f"p-{month}-{at}",
                "deal_id": f"d-{month}-{at}",
                "paid_at": closed,
                "amount": str(amount),
                "kind": "payment",
            }
        )
    deals.append(
        {
            **deals[0],
            "deal_id": f"open-{month}",
            "stage_id": "new",
            "amount": None,
            "closed_at": None,
        }
    )
    calls = [
        {
            "call_id": f"{month}-{at}",
            "direction": "in",
            "from_number": None,
            "to_number": None,
            "extension": "101",
            "started_at": f"{month}-1{at}T09:00:00Z",
            "answered_at": f"{month}-1{at}T09:00:{10 * at}Z" if at > 1 else None,
            "ended_at": f"{month}-1{at}T09:02:00Z",
            "disposition": "answered" if at > 1 else "no_answer",
        }
        for at in range(4)
    ]
    spend = [
        {"spend_date": f"{month}-03", "source_id": "ads", "campaign": "a", "cost": "100"},
    ]
    contacts = [
        {"contact_id": lead["contact_id"], "created_at": lead["created_at"]} for lead in leads
    ]
    return {
        "crm.contacts": contacts,
        "crm.leads": leads,
        "crm.deals": deals,
        "crm.payments": payments,
        "telephony.calls": calls,
        "marketing.ad_spend": spend,
    }


def company() -> dict[str, list[dict[str, Any]]]:
    months = [rows_of_a_month(month) for month in MONTHS]
    return {
        **{table: [row for month in months for row in month[table]] for table in months[0]},
        "crm.managers": [{"manager_id": "bob", "full_name": "Bob", "role": "hunter"}],
        "crm.sources": [
            {"source_id": "ads", "name": "Ads"},
            {"source_id": "referral", "name": "Referral"},
        ],
        "crm.pipelines": [{"pipeline_id": "p", "name": "Sales"}],
        "crm.stages": [
            {"stage_id": "new", "pipeline_id": "p", "name": "New", "position": 1, "kind": "open"},
            {"stage_id": "won", "pipeline_id": "p", "name": "Won", "position": 2, "kind": "won"},
        ],
        "crm.quotas": [
            {
                **{"manager_id": "bob", "metric": "revenue", "period": "month"},
                **{"period_start": "2026-02-01", "target": "1000"},
            },
            # The month has ended for all of its events.
            {
                **{"manager_id": "bob", "metric": "deals_won", "period": "month"},
                **{"period_start": "2026-02-01", "target": "4"},
            },
        ],
    }


def published(data: Path, parsed: Parsed, raw: Path, *arguments: str) -> tuple[Path, str]:
    """The published file of a refresh, and what its summary says."""
    env = {"VORONKA_DATA_DIR": str(parsed(data))}
    done = voronka("refresh", "--raw-dir", raw, *arguments, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return data / "published/voronka.duckdb", done.stdout


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # One more event gives the last day of February.
    tables = company()
    tables["crm.contacts"].append({"contact_id": "last", "created_at": "2026-02-28T10:00:00Z"})
    return write_zone(tmp_path_factory.mktemp("thin") / "raw", tables)


@pytest.fixture(scope="module")
def whole(raw: Path, parsed: Parsed) -> tuple[Path, str]:
    return published(raw.parent / "whole", parsed, raw)


@pytest.fixture(scope="module")
def show() -> Iterator[Callable[[Path], Browser]]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def browser(whole: tuple[Path, str], show: Callable[[Path], Browser]) -> Iterator[Browser]:
    found = show(whole[0].with_name("dashboard.html"))
    yield found
    assert found.complaints == []


def text_of(browser: Browser, selector: str) -> str:
    return browser.page.inner_text(selector).replace("\u202f", " ").replace("\u00a0", " ")


def test_the_summary_says_what_is_not_loaded(whole: tuple[Path, str]) -> None:
    _, summary = whole
    (line,) = [line for line in summary.splitlines() if "Meetings held" in line]
    assert "not loaded" in line and "no crm.meetings" in line and " 0 " not in line
    (line,) = [line for line in summary.splitlines() if " Revenue " in line]
    assert "400" in line and "1 000" in line and "-60%" in line


def test_scorecards_name_their_unknown_figures(whole: tuple[Path, str]) -> None:
    ((remark,),) = query(
        whole[0], "select distinct not_loaded from metrics.company_scorecard_monthly"
    )
    assert "meetings_set, set_meetings_held" in remark and "crm.meetings" in remark
    assert "csat: crm.surveys" in remark and "revenue" not in remark


def test_falls_of_the_headline_figures_need_attention(browser: Browser) -> None:
    browser.open("overview", grain="month", period="2026-02-01", lang="en")
    assert browser.page.inner_text(".attention h2") == "Needs attention"
    (fall,) = browser.page.query_selector_all("[data-fall]")
    assert fall.get_attribute("data-fall") == "revenue"
    text = fall.inner_text().replace("\u00a0", " ")
    assert text == "Company, February 2026. Revenue ₽1,000 → ₽400 (−60%)"
    browser.open("overview", grain="month", period="2026-02-01", lang="en", source="referral")
    assert "₽600 → ₽200" in text_of(browser, "[data-fall]")


def test_what_cannot_be_judged_is_said_and_why(browser: Browser) -> None:
    for screen in ("overview", "diagnosis"):
        browser.open(screen, grain="month", period="2026-02-01", lang="en")
        silent = text_of(browser, "[data-unjudged]")
        assert "“Meetings are held but not paid”" in silent and "meetings (crm.meetings)" in silent
    assert "the diagnosis can judge nothing" in text_of(browser, "main")
    # A month alone has none before it, whatever is loaded.
    browser.open("overview", grain="month", period="2026-01-01", lang="en")
    assert browser.page.query_selector_all("[data-fall]") == []
    title = browser.page.inner_text(".attention h2")
    assert title == "No falls seen, but not all could be judged"
    assert "None of the headline figures can be compared." in text_of(browser, ".attention")


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_figure_without_its_tables_is_not_0(browser: Browser, language: str) -> None:
    words = {"ru": "Не загружено", "en": "Not loaded"}[language]
    browser.open("overview", grain="month", period="2026-02-01", lang=language)
    card = '[data-metric="set_meetings_held"]'
    assert browser.figures()["set_meetings_held"] is None
    assert words in text_of(browser, card) and "crm.meetings" in text_of(browser, f"{card} footer")
    assert words in text_of(browser, '[data-card="meetings"] .empty')
    browser.open("customers", grain="month", period="2026-02-01", lang=language)
    assert browser.figures()["csat"] is None and words in text_of(browser, '[data-metric="csat"]')


def test_a_managers_calls_need_the_extensions(browser: Browser) -> None:
    browser.open("calls", grain="month", period="2026-02-01", lang="en")
    assert browser.figures()["calls"] == 4
    browser.open("calls", grain="month", period="2026-02-01", lang="en", manager="bob")
    assert browser.figures()["calls"] is None
    assert "telephony.extensions" in text_of(browser, '[data-metric="calls"] footer')


def test_recovery_of_callers_without_a_number_cannot_be_known(
    browser: Browser, whole: tuple[Path, str]
) -> None:
    ((rate,),) = query(
        whole[0],
        "select missed_recovery_rate from marts.kpi_company_period "
        "where period_grain = 'month' and period_start = '2026-02-01'",
    )
    assert rate == 0
    browser.open("calls", grain="month", period="2026-02-01", lang="en")
    assert browser.figures()["missed_recovery_rate"] is None
    assert "2 missed calls have no number" in text_of(
        browser, '[data-metric="missed_recovery_rate"] footer'
    )


def test_waiting_is_on_the_page(browser: Browser, whole: tuple[Path, str]) -> None:
    ((answered, missed),) = query(
        whole[0],
        "select avg(wait_seconds) filter (where is_answered), "
        "avg(wait_seconds) filter (where not is_answered) from marts.fct_call_sessions "
        "where direction = 'in' and started_on >= '2026-02-01'",
    )
    browser.open("calls", grain="month", period="2026-02-01", lang="en")
    shown = browser.figures()
    assert (shown["avg_answer_wait_seconds"], shown["avg_missed_wait_seconds"]) == (
        *(answered, missed),
    )
    assert (answered, missed) == (25, 120)
    assert browser.series("waiting")["Mean wait for an answer, s"] == [25, 25]


def test_return_is_on_sources_that_cost_and_free_ones_have_no_price(
    browser: Browser, whole: tuple[Path, str]
) -> None:
    by_source = {
        source: (cpl, romi)
        for source, cpl, romi in query(
            whole[0],
            "select source_id, cpl, romi from marts.kpi_source_period "
            "where period_grain = 'month' and period_start = '2026-02-01'",
        )
    }
    assert by_source == {"ads": (20, 1.0), "referral": (0, None)}
    browser.open("sources", grain="month", period="2026-02-01", lang="en")
    # 200 of advertised sources for 100 of advertising; referrals brought 200 more.
    assert browser.figures()["romi"] == 1
    for metric, shown in (("cpl", ["₽20", "—"]), ("source_cac", ["₽100", "—"])):
        cells = browser.page.eval_on_selector_all(
            f'[data-table="sources"] tbody [data-metric="{metric}"]',
            "all => all.map(one => one.textContent)",
        )
        assert sorted(cells) == sorted(shown)


def test_a_chart_keeps_its_series_and_its_legend(browser: Browser) -> None:
    browser.open("customers", grain="month", period="2026-02-01", lang="en")
    legend = """id => {
        const [found] = echarts.getInstanceByDom(document.querySelector(`[data-chart="${id}"]`))
            .getOption().legend;
        return found.data.map(name => found.formatter(name));
    }"""
    # Nobody left, so there is no lifetime value: its line stays, and nothing takes its place.
    assert browser.page.evaluate(legend, "clv") == [
        "Customer lifetime value — no figures",
        "Revenue per active customer",
    ]
    assert browser.series("clv")["Customer lifetime value"] == [None, None]
    assert browser.page.inner_text('[data-card="clv"] h3').startswith("CLV and revenue per active")
    assert browser.page.evaluate(legend, "active") == ["Active customers"]


def test_deals_without_an_amount_are_told_where_the_amount_stands(browser: Browser) -> None:
    browser.open("pipeline", grain="month", period="2026-02-01", lang="en")
    shown = browser.figures()
    assert (shown["open_deals"], shown["open_amount"]) == (2, None)
    assert "2 open deals have no amount" in text_of(browser, '[data-metric="open_amount"] footer')
    assert text_of(browser, '[data-card="open_by_stage"] .empty') == (
        "No row has an amount in base currency."
    )
    assert sum(sum(values) for values in browser.series("ageing").values()) == 2


# By day test_late_money.py has events after the as-of date, and test_reference.py freezes a zone.
@pytest.mark.nightly
def test_the_past_is_frozen(raw: Path, parsed: Parsed, show: Callable[[Path], Browser]) -> None:
    """As of 14 February nothing later is in any period, and what there is later is said."""
    file, summary = published(raw.parent / "frozen", parsed, raw, "--var", "as_of=2026-02-14")
    ((month, to_date, pace),) = query(
        file,
        "select actual, actual_to_date, pace from marts.quota_attainment where metric = 'revenue'",
    )
    assert (month, to_date) == (400, 200) and pace < 1
    assert "After 2026-02-14 there is more: revenue 200, won deals 1" in " ".join(summary.split())
    browser = show(file.with_name("dashboard.html"))
    browser.open("overview", grain="month", period="2026-02-01", lang="en")
    shown = browser.figures()
    assert (shown["revenue"], shown["deals_won"]) == (200, 1)
    card = text_of(browser, '[data-metric="revenue"]')
    assert "same days before: ₽600" in card and "20% of plan: ₽200 of ₽1,000" in card
    assert "After 14 February 2026 there is more: Revenue ₽200" in card
    assert "Revenue ₽200, Amount won ₽200, Deals won 1" in text_of(browser, "[data-later]")
    (bars,) = browser.series("attainment").values()
    assert sorted(bars) == [0.2, 0.25]
    browser.open("customers", grain="month", period="2026-02-01", lang="en")
    shown = browser.figures()
    assert (shown["new_customers"], shown["active_customers"]) == (1, 3)
    assert shown["arpc"] == pytest.approx(200 / 3)
    assert "no comparison" not in text_of(browser, '[data-metric="new_customers"]')
    browser.open("sources", grain="month", period="2026-02-01", lang="en")
    # 100 of advertising for one customer, who came by a referral.
    assert (browser.figures()["cac"], browser.figures()["romi"]) == (100, -1)
    browser.open("calls", grain="month", period="2026-02-01", lang="en")
    assert browser.figures()["calls"] == 4
    assert browser.figures()["median_response_minutes"] is None
    assert browser.complaints == []
