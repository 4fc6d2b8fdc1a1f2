"""The page's forecast, deals by expected gain and back-test, held against SQL in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.base.settings import Settings
from orchestration.dashboard.page import write_dashboard
from tests.conftest import query
from tests.integration.test_dashboard import Browser, launched

PARTS = {
    "ru": (
        *("Уже оплачено", "Выиграно, ждём оплату", "Открытые сделки"),
        *("Новые, которых ещё нет", "Повторные, которых ещё нет"),
    ),
    "en": (
        *("Paid so far", "Won, to be paid", "Open deals"),
        *("New, not there yet", "Repeat, not there yet"),
    ),
}
COLUMNS = ("paid_so_far", "expected_won_unpaid", "expected_open", "expected_new", "expected_repeat")
GAIN = "coalesce(next_step_lift, 0) * coalesce(amount::double, 0)"
ORDER = f"is_stale, {GAIN} desc, expected_amount desc nulls last, deal_id"
# What a figure of the page may differ by: it has whole units of money, and four digits of a share.
UNIT, SHARE = 0.51, 0.00006


@pytest.fixture(scope="module")
def show() -> Iterator[Callable[[Path], Browser]]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def browser(show: Callable[[Path], Browser], demo_publication: Path) -> Iterator[Browser]:
    found = show(demo_publication.with_name("dashboard.html"))
    yield found
    assert found.complaints == []


def number(value: Any, off: float = 1e-6) -> Any:
    """A mart's value as the page's may be; None and NULL are the same."""
    return None if value is None else pytest.approx(float(value), abs=off, rel=1e-9)


def cells(browser: Browser, selector: str, *names: str) -> list[list[str]]:
    """The `data-…` of elements, in their order."""
    found: list[list[str]] = browser.page.eval_on_selector_all(
        selector,
        "(all, names) => all.map(one => names.map(name => one.dataset[name]))",
        list(names),
    )
    return found


def value_of(text: str) -> float | None:
    return float(text) if text else None


def text_of(browser: Browser, selector: str) -> str:
    return browser.page.inner_text(selector).replace("\u202f", " ").replace("\u00a0", " ")


def forecast_rows(publication: Path, where: str) -> list[tuple[Any, ...]]:
    return query(
        publication,
        f"select {', '.join(f'sum({name})' for name in COLUMNS)}, sum(forecast), sum(target), "
        "any_value(forecast_low), any_value(forecast_high), sum(forecast) / sum(target) "
        f"from marts.revenue_forecast where {where} group by period_start order by period_start",
    )


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize(
    ("chosen", "where"),
    [
        ({}, "manager_id = '*'"),
        ({"manager": "m-05"}, "manager_id = 'm-05'"),
        ({"team": "Продажи"}, "team = 'Продажи'"),
    ],
)
def test_the_forecast_is_the_mart(
    browser: Browser, demo_publication: Path, language: str, chosen: dict[str, str], where: str
) -> None:
    is_team = "team" in chosen
    rows = forecast_rows(demo_publication, where)
    assert len(rows) == 3
    browser.open("pipeline", grain="month", period="2026-06-01", lang=language, **chosen)
    drawn = browser.series("forecast")
    for at, name in enumerate(PARTS[language]):
        assert drawn[name] == [number(row[at]) for row in rows], name
    assert drawn["План" if language == "ru" else "Plan"] == [number(row[6]) for row in rows]
    spans = [[at, row[7], row[8]] for at, row in enumerate(rows) if row[8] and row[8] > row[7]]
    assert drawn.get("Интервал 80\u00a0%" if language == "ru" else "80% interval", []) == [
        *([] if is_team else [[at, number(low), number(high)] for at, low, high in spans])
    ]
    table = '[data-table="forecast"] tr[data-part="{}"] [data-value]'
    for name, at in (*zip(COLUMNS, range(5), strict=True), ("forecast", 5), ("target", 6)):
        shown = [value_of(text) for (text,) in cells(browser, table.format(name), "value")]
        assert shown == [number(row[at]) for row in rows], name
    attained = cells(browser, table.format("attainment_forecast"), "value")
    assert [value_of(text) for (text,) in attained] == [number(row[9]) for row in rows]
    bounds = [text.split("|") for (text,) in cells(browser, table.format("interval"), "value")]
    assert [[float(bound) for bound in pair if bound] for pair in bounds] == [
        [] if is_team or row[7] is None else [number(row[7]), number(row[8])] for row in rows
    ]
    said = {
        "ru": "Интервалы сотрудников не складываются",
        "en": "Intervals of people do not add up",
    }
    assert (said[language] in text_of(browser, '[data-card="forecast"] footer')) == is_team


def test_months_without_a_plan_or_an_interval_are_named(
    browser: Browser, demo_publication: Path
) -> None:
    without = {
        column: [
            f"{month:%B %Y}"
            for (month,) in query(
                demo_publication,
                "select period_start from marts.revenue_forecast where manager_id = '*' "
                f"and {column} is null order by 1",
            )
        ]
        for column in ("target", "forecast_low")
    }
    browser.open("pipeline", grain="month", lang="en")
    foot = text_of(browser, '[data-card="forecast"] footer')
    assert without["target"] and f"No revenue plan: {', '.join(without['target'])}." in foot
    for month in without["forecast_low"]:
        assert "No interval" in foot and month in foot


def test_peoples_forecasts_add_up_to_the_companys(browser: Browser, demo_publication: Path) -> None:
    browser.open("pipeline", grain="month", lang="en")
    for at, (whole,) in enumerate(
        query(
            demo_publication,
            "select forecast from marts.revenue_forecast where manager_id = '*' "
            "order by period_start",
        )
    ):
        browser.page.click(f'[data-card="forecast_people"] .choice button:nth-child({at + 1})')
        shown = cells(browser, '[data-table="forecast_people"] [data-forecast]', "forecast")
        assert sum(float(text) for (text,) in shown) == pytest.approx(float(whole), abs=0.01)


@pytest.mark.parametrize(
    ("chosen", "where"),
    [({}, "true"), ({"manager": "m-06"}, "manager_id = 'm-06'")],
)
@pytest.mark.parametrize("language", ["ru", "en"])
def test_deals_stand_by_what_their_next_step_gains(
    browser: Browser, demo_publication: Path, language: str, chosen: dict[str, str], where: str
) -> None:
    browser.open("pipeline", grain="month", lang=language, **chosen)
    deals = [deal for (deal,) in cells(browser, '[data-table="deals_ahead"] [data-deal]', "deal")]
    found = query(
        demo_publication,
        "select deal_id, win_probability, win_probability_low, win_probability_high, "
        "expected_amount, next_step_lift * amount::double, days_since_contact, method, is_stale, "
        f"next_step_{language}, reason_1_{language}, reason_3_{language}, manager_name "
        f"from marts.deal_outlook where {where} order by {ORDER} limit {len(deals)}",
    )
    assert deals == [row[0] for row in found] and len(deals) > 20
    shown = zip(
        cells(
            browser, '[data-table="deals_ahead"] [data-probability]', "probability", "low", "high"
        ),
        cells(browser, '[data-table="deals_ahead"] [data-expected]', "expected"),
        cells(browser, '[data-table="deals_ahead"] [data-gain]', "gain"),
        strict=True,
    )
    for row, (shares, expected, gain) in zip(found, shown, strict=True):
        assert [value_of(text) for text in shares] == [number(v, SHARE) for v in row[1:4]], row[0]
        assert [value_of(text) for text in expected] == [number(row[4], UNIT)], row[0]
        assert [value_of(text) for text in gain] == [number(row[5], UNIT)], row[0]
    texts = [
        " ".join(line.replace("\u00a0", " ").split())
        for line in browser.page.eval_on_selector_all(
            '[data-table="deals_ahead"] tbody tr', "all => all.map(one => one.innerText)"
        )
    ]
    stale = {"ru": "застряла", "en": "stale"}[language]
    for row, text in zip(found, texts, strict=True):
        assert row[12] in text and (f"{row[0]} {stale}" in text) == row[8]
        # The evidence stands below the step, without the stop between them.
        assert row[9] is None or row[9].replace(". ", " ", 1) in text, row[9]
        for reason in row[10:12]:
            assert reason is None or reason in text, reason
    ((count, stale_deals, amount, expected_sum),) = query(
        demo_publication,
        "select count(*), count(*) filter (where is_stale), sum(amount), sum(expected_amount) "
        f"from marts.deal_outlook where {where}",
    )
    ((*said,),) = cells(browser, ".lead [data-deals]", "deals", "stale", "amount", "expected")
    assert [float(text) for text in said] == [
        *(count, stale_deals, number(amount, 0.01), number(expected_sum, 0.01))
    ]
    foot = text_of(browser, '[data-card="deals_ahead"] footer')
    first = {"ru": "Показаны первые {} из {}.", "en": "The first {} of {} are shown."}[language]
    assert (first.format(len(deals), count) in foot) == (len(deals) < count)
    no_cause = {"ru": "что он их причина, данные не говорят", "en": "the data do not say that it"}
    assert no_cause[language] in foot


def test_a_source_cuts_the_deals_and_their_sums(browser: Browser, demo_publication: Path) -> None:
    source = "referral"
    browser.open("pipeline", grain="month", lang="en", source=source)
    listed = [deal for (deal,) in cells(browser, '[data-table="deals_ahead"] [data-deal]', "deal")]
    found = query(
        demo_publication, f"select deal_id from marts.deal_outlook where source_id = '{source}'"
    )
    assert listed and set(listed) <= {deal for (deal,) in found}
    ((count,),) = cells(browser, ".lead [data-deals]", "deals")
    assert int(count) == len(found)
    # The forecast does not know sources, and says so.
    assert "Not filtered by" in text_of(browser, '[data-card="forecast"] footer')


def pipelines(publication: Path) -> list[str]:
    """Those of the back-test, the most judged first, as the buttons stand."""
    return [
        pipeline
        for (pipeline,) in query(
            publication,
            "select pipeline_id from marts.outlook_backtest group by 1 order by sum(deals) desc, 1",
        )
    ]


METHODS = {"model": "Model", "stage_rate": "Stage's share", "company_rate": "Company's share"}


def test_the_back_test_is_the_marts(browser: Browser, demo_publication: Path) -> None:
    browser.open("quality", lang="en")
    names = pipelines(demo_publication)
    assert names
    for at, pipeline in enumerate(names):
        if len(names) > 1:
            browser.page.click(f".section > .choice button:nth-child({at + 1})")
        rows = query(
            demo_publication,
            "select as_of_on::varchar, method, deals, mean_predicted, win_rate, brier, auc "
            f"from marts.outlook_backtest where pipeline_id = '{pipeline}' order by 1 desc, 2",
        )
        table = '[data-table="backtest"] tbody '
        shown = zip(
            *(
                [text for (text,) in cells(browser, f"{table}[data-{name}]", key)]
                for name, key in (
                    *(("day", "day"), ("method", "method"), ("deals", "deals")),
                    *(("mean-predicted", "meanPredicted"), ("win-rate", "winRate")),
                    *(("brier", "brier"), ("auc", "auc")),
                )
            ),
            strict=True,
        )
        page = sorted(
            (
                (day, method, *(value_of(text) for text in figures))
                for day, method, *figures in shown
            ),
            key=lambda row: (row[0], row[1]),
        )
        assert page == [
            (day, method, *(number(value, SHARE) for value in figures))
            for day, method, *figures in sorted(rows, key=lambda row: (row[0], row[1]))
        ]
        drawn = browser.series("backtest_error")
        calibration = browser.series("calibration")
        for method, name in METHODS.items():
            errors = [number(row[5], SHARE) for row in reversed(rows) if row[1] == method]
            assert [value for value in drawn.get(name, []) if value is not None] == errors
            points = query(
                demo_publication,
                "select predicted, observed from marts.outlook_calibration "
                f"where pipeline_id = '{pipeline}' and method = '{method}' order by tenth",
            )
            assert calibration.get(name, []) == [
                [number(predicted, SHARE), number(observed, SHARE)]
                for predicted, observed in points
            ]
        assert calibration["Exact"] == [[0, 0], [1, 1]]


def test_the_method_in_use_is_told_by_pipeline(browser: Browser, demo_publication: Path) -> None:
    browser.open("quality", lang="en")
    shown = cells(browser, '[data-table="methods"] [data-method]', "method", "deals")
    found = query(
        demo_publication,
        "select method, count(*) from marts.deal_outlook group by pipeline_id, method",
    )
    assert sorted(shown) == sorted([method, str(deals)] for method, deals in found)
    # Errors of both methods over the month ends that have both.
    expected = query(
        demo_publication,
        "with paired as (select model.pipeline_id, model.deals, rate.deals as rate_deals, "
        "model.brier, rate.brier as rate_brier from marts.outlook_backtest as model "
        "join marts.outlook_backtest as rate using (pipeline_id, as_of_on) "
        "where model.method = 'model' and rate.method = 'stage_rate') "
        "select sum(brier * deals) / sum(deals), sum(rate_brier * rate_deals) / sum(rate_deals) "
        "from paired group by pipeline_id order by 1",
    )
    errors = [
        [value_of(text) for (text,) in cells(browser, f'[data-error="{method}"]', "value")]
        for method in ("model", "stage_rate")
    ]
    pairs = sorted(pair for pair in zip(*errors, strict=True) if pair[0] is not None)
    assert pairs == [(number(model, SHARE), number(rate, SHARE)) for model, rate in expected]


@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_past_forecasts_stand_beside_what_came(
    browser: Browser, demo_publication: Path, ahead: int
) -> None:
    browser.open("quality", lang="en")
    browser.page.click(f'[data-card="past_forecasts"] .choice button:nth-child({ahead + 1})')
    rows = query(
        demo_publication,
        "select actual, forecast, forecast_low, forecast_high, is_inside, period_start "
        f"from marts.forecast_backtest where months_ahead = {ahead} order by as_of_on",
    )
    drawn = browser.series("past_forecasts")
    assert rows and drawn["Came in"] == [number(row[0], UNIT) for row in rows]
    assert drawn["Forecast"] == [number(row[1], UNIT) for row in rows]
    assert drawn.get("80% interval", []) == [
        [at, number(low, UNIT), number(high, UNIT)]
        for at, (_, _, low, high, *_) in enumerate(rows)
        if low is not None and high > low
    ]
    foot = text_of(browser, '[data-card="past_forecasts"] footer')
    judged = [row for row in rows if row[4] is not None]
    if not judged:
        assert foot == "No intervals yet: too few past months that can be judged."
        return
    inside = sum(row[4] for row in judged)
    months = len({row[5] for row in judged})
    counted = f"{len(judged)} forecast{'s' if len(judged) > 1 else ''}, "
    assert counted + f"{months} month{'s' if months > 1 else ''}; {inside} came inside" in foot


@pytest.mark.parametrize("screen", ["pipeline", "quality"])
def test_what_will_come_fits_a_phone(browser: Browser, screen: str) -> None:
    browser.page.set_viewport_size({"width": 390, "height": 844})
    for language in ("ru", "en"):
        browser.open(screen, grain="month", lang=language, theme="dark")
        assert browser.page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = browser.page.eval_on_selector_all(
            '.scroll:has([data-table="forecast"], [data-table="deals_ahead"])',
            "all => all.filter(one => one.scrollWidth > one.clientWidth).length",
        )
        assert wide == 0
    browser.page.set_viewport_size({"width": 1360, "height": 900})


UNKNOWN = (
    "update marts.deal_outlook set win_probability = null, win_probability_low = null, "
    "win_probability_high = null, expected_amount = null, expected_close_on = null, "
    "method = 'none', next_step_lift = null, next_step_cases = null, "
    "next_step_ru = split_part(next_step_ru, '. ', 1), "
    "next_step_en = split_part(next_step_en, '. ', 1), "
    + ", ".join(f"reason_{no}{end} = null" for no in (1, 2, 3) for end in ("", "_ru", "_en")),
    "update marts.revenue_forecast set expected_open = null, forecast = null, "
    "forecast_low = null, forecast_high = null, attainment_forecast = null",
    "delete from marts.outlook_backtest",
    "delete from marts.outlook_calibration",
    "delete from marts.forecast_backtest",
)


@pytest.fixture(scope="module")
def thinned(
    show: Callable[[Path], Browser],
    demo_publication: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Browser]:
    """A browser on the demo's page after statements that take from what its outlook knows."""
    data = tmp_path_factory.mktemp("thinned")
    file = data / "published/voronka.duckdb"
    file.parent.mkdir()

    def shown(*statements: str) -> Browser:
        file.unlink(missing_ok=True)
        shutil.copyfile(demo_publication, file)
        with duckdb.connect(str(file)) as connection:
            for statement in statements:
                connection.execute(statement)
        return show(write_dashboard(Settings(data_dir=data)).file)

    return shown


@pytest.mark.parametrize("width", [390, 1400])
def test_a_company_without_a_past_is_told_nothing(
    thinned: Callable[..., Browser], width: int
) -> None:
    browser = thinned(*UNKNOWN)
    browser.page.set_viewport_size({"width": width, "height": 900})
    browser.open("pipeline", grain="month", lang="en")
    notice = text_of(browser, "[data-unjudged-deals]")
    assert notice.startswith("Fewer than 30 deals were closed: no probability is told")
    cards = {
        name: text_of(browser, f'[data-card="{name}"]')
        for name in ("forecast", "forecast_table", "deals_ahead")
    }
    assert "No forecast (September 2026, October 2026, November 2026)" in cards["forecast"]
    part = '[data-table="forecast"] tr[data-part="{}"] td'
    for name in ("expected_open", "forecast", "interval", "attainment_forecast"):
        cells_of = browser.page.query_selector_all(part.format(name))
        assert [cell.inner_text() for cell in cells_of] == ["—"] * 3, name
    assert browser.page.inner_text(f"{part.format('paid_so_far')}") != "—"
    assert "The past does not show which step" in cards["deals_ahead"]
    assert "%" not in browser.page.inner_text('[data-table="deals_ahead"]')
    assert "Expected amount" not in text_of(browser, ".lead:has([data-deals])")
    browser.open("quality", lang="en")
    assert "Nothing to judge by" in text_of(browser, '[data-card="backtest_none"]')
    assert "No forecast can be held" in text_of(browser, '[data-card="past_forecasts"] .empty')
    assert {
        method for (method,) in cells(browser, '[data-table="methods"] [data-method]', "method")
    } == {"none"}
    assert browser.page.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []


def test_a_company_without_open_deals_or_plans_says_so(thinned: Callable[..., Browser]) -> None:
    browser = thinned(
        "delete from marts.deal_outlook",
        "update marts.revenue_forecast set target = null, attainment_forecast = null, "
        "expected_new = 0, expected_repeat = 0",
    )
    browser.open("pipeline", grain="month", lang="en")
    assert text_of(browser, '[data-card="deals_ahead"] .empty') == "There are no open deals."
    foot = text_of(browser, '[data-card="forecast"] footer')
    assert "No revenue plan: September 2026, October 2026, November 2026." in foot
    assert "Deals that are not there yet add nothing" in foot
    assert browser.series("forecast")["Plan"] == [None, None, None]
    browser.open("pipeline", grain="month", lang="ru", manager="m-08")
    # He has no row in the running month: that is not a forecast of 0.
    first = browser.page.query_selector('[data-table="forecast"] tr[data-part="forecast"] td')
    assert first is not None and first.inner_text() == "—"
    browser.open("quality", lang="en")
    assert text_of(browser, '[data-card="methods"] .empty') == "There are no open deals."
    assert browser.complaints == []


def test_an_interval_wider_than_the_chart_is_cut_and_said(
    thinned: Callable[..., Browser],
) -> None:
    browser = thinned(
        "update marts.revenue_forecast set forecast_high = 100 * forecast "
        "where manager_id = '*' and period_start = '2026-10-01'"
    )
    browser.open("pipeline", grain="month", lang="en")
    assert "An interval is wider than the chart" in text_of(
        browser, '[data-card="forecast"] footer'
    )
    most = browser.page.evaluate(
        """() => echarts.getInstanceByDom(document.querySelector('[data-chart="forecast"]'))
            .getOption().yAxis[0].max"""
    )
    cell = '[data-part="forecast"] [data-month="2026-10-01"] [data-value]'
    ((text,),) = cells(browser, cell, "value")
    forecast = float(text)
    assert forecast < most < 4 * forecast
    assert browser.complaints == []
