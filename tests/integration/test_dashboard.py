"""The dashboard of the demo in a real browser: it shows what SQL finds, in both languages.

Needs a Chromium or Chrome on this machine; nothing is downloaded.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from orchestration.dashboard.page import PARTS
from orchestration.dashboard.sections import Sections
from orchestration.metrics.catalogue import Catalogue
from tests import needs
from tests.conftest import query, voronka

if TYPE_CHECKING:
    from playwright.sync_api import Page

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
ROLES = ("lead_generator", "hunter", "farmer", "other")
# The charts of each screen, in their order.
CHARTS = {
    "overview": ("revenue", "meetings", "leads", "rates", "attainment", "pipeline_amount"),
    "funnel": (
        *("way", "way_rates", "touches", "offers", "stages", "lost_here", "reasons", "cohorts"),
    ),
    "people": (
        *("people_set_meetings_held", "people_target_lead_rate", "people_held_to_paid_rate"),
        *("people_calls_60s", "people_meeting_show_rate"),
    ),
    "sources": (
        *("target_by_source", "leads_by_source", "sources_cpl", "sources_romi"),
        *("spend_by_source", "revenue_by_source"),
    ),
    "calls": (*("hours", "calls_answered", "missed", "waiting", "quality", "call_kinds", "speed"),),
    "pipeline": ("forecast", "open_by_stage", "stage_amount", "ageing"),
    "diagnosis": (),
    "customers": (
        *("cohort_map", "active", "come_and_go", "retention", "clv", "csat", "cumulative"),
    ),
    "quality": (
        *("quarantine_tables", "found", "backtest_error", "calibration", "past_forecasts"),
    ),
}
# Each chart, where it ends on the right, its filled shapes, the figures of each of its series, and
# the room between the last line of its legend and the highest text of its axes.
DRAWN = """() => [...document.querySelectorAll("[data-chart]")].map(place => {
    const marks = place.querySelectorAll("svg path[fill]:not([fill=none])").length;
    const given = item => (item?.value ?? item) !== null;
    const {series, legend} = echarts.getInstanceByDom(place).getOption();
    const names = legend?.[0]?.data || [];
    const texts = [...place.querySelectorAll("svg text")];
    const isOfLegend = text => names.includes(text.textContent);
    const box = text => text.getBoundingClientRect();
    const room = Math.min(...texts.filter(text => !isOfLegend(text)).map(text => box(text).top))
        - Math.max(...texts.filter(isOfLegend).map(text => box(text).bottom));
    return [
        place.dataset.chart, place.getBoundingClientRect().right,
        marks, series.map(one => one.data.filter(given).length), names.length ? room : null,
    ];
})"""
SERIES = """id => {
    const option = echarts.getInstanceByDom(document.querySelector(`[data-chart="${id}"]`))
        .getOption();
    return Object.fromEntries(option.series.map(series =>
        [series.name, series.data.map(item => item?.value ?? item)]));
}"""

# What the charts of a printed screen draw as lines, and the small lines beside figures: colors. The
# dashes of a line are filled in a PDF.
LINES = """() => {
    dispatchEvent(new Event("beforeprint"));
    const [canvas] = [document.createElement("canvas").getContext("2d")];
    const hex = color => { canvas.fillStyle = color; return canvas.fillStyle; };
    const lines = [...document.querySelectorAll("[data-chart]")].flatMap(place =>
        echarts.getInstanceByDom(place).getOption().series
            .filter(one => one.type === "line" && !Array.isArray(one.lineStyle.type)
                && one.data.filter(item => (item?.value ?? item) !== null).length > 1)
            .map(one => hex(one.color)));
    const hollow = [...document.querySelectorAll("[data-chart]")].flatMap(place =>
        echarts.getInstanceByDom(place).getOption().series.filter(one => one.type === "line")
            .flatMap(one => one.data.filter(item => item?.symbol === "emptyCircle")
                .map(() => hex(one.color))));
    const small = [...document.querySelectorAll(".spark path")]
        .filter(one => one.getClientRects().length)
        .map(one => hex(getComputedStyle(one).stroke));
    const found = [lines.length, [...lines, ...hollow, ...small]];
    dispatchEvent(new Event("afterprint"));
    return found;
}"""


class Browser:
    """One page, and everything that it asked for or complained about."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.file = file
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file://", "data:"))
                else self.complaints.append(request.url)
            ),
        )
        page.goto(file.as_uri())

    def open(self, screen: str, **chosen: str | int) -> None:
        """Go to a screen as a link to it does."""
        address = f"#{screen}?" + "&".join(f"{name}={value}" for name, value in chosen.items())
        self.page.evaluate(
            """address => new Promise(done => {
                if (location.hash === address) return done();
                addEventListener("hashchange", () => done(), {once: true});
                location.hash = address;
            })""",
            address,
        )

    def figures(self) -> dict[str, float | None]:
        """The headline figures of the screen."""
        found = self.page.eval_on_selector_all(
            ".kpi", "all => all.map(one => [one.dataset.metric, one.dataset.value])"
        )
        return {name: float(value) if value else None for name, value in found}

    def series(self, chart: str) -> dict[str, list[Any]]:
        """A chart's series by name, as the chart has them."""
        found: dict[str, list[Any]] = self.page.evaluate(SERIES, chart)
        return found

    def column(self, table: str, at: int) -> list[str]:
        """The cells of a table's column."""
        texts: list[str] = self.page.eval_on_selector_all(
            f'[data-table="{table}"] tbody tr > :nth-child({at})',
            "all => all.map(one => one.textContent)",
        )
        return [text.replace("\u202f", " ").replace("\u00a0", " ") for text in texts]


@contextmanager
def launched() -> Iterator[Callable[[Path], Browser]]:
    """What shows a page in a browser; skips where this machine has none."""
    executable = needs.chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))

        def show(file: Path) -> Browser:
            viewport: Any = {"width": 1360, "height": 900}
            return Browser(chromium.new_page(viewport=viewport, reduced_motion="reduce"), file)

        yield show
        chromium.close()


@pytest.fixture(scope="module")
def browser(demo_publication: Path) -> Iterator[Browser]:
    with launched() as show:
        yield show(demo_publication.with_name("dashboard.html"))


def row(publication: Path, mart: str, where: str) -> dict[str, Any]:
    """The one row of a mart as numbers by column."""
    names = [
        name
        for (name,) in query(
            publication,
            "select column_name from duckdb_columns() where schema_name = 'marts' "
            f"and table_name = '{mart}' order by column_index",
        )
    ]
    ((*values,),) = query(publication, f"from marts.{mart} where {where}")
    return dict(zip(names, values, strict=True))


def agree(shown: dict[str, float | None], mart: dict[str, Any], least: int) -> None:
    """Figures of both are the same; at least so many are in both."""
    both = [name for name in shown if name in mart]
    assert len(both) >= least, (sorted(shown), sorted(mart))
    for name in both:
        value = mart[name]
        expected = None if value is None else pytest.approx(float(value), rel=1e-6)
        assert shown[name] == expected, name


def strokes(pdf: bytes) -> Counter[str]:
    """How many lines a PDF draws in each color: paths that are stroked; bars are filled."""
    found: Counter[str] = Counter()
    for stream in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            text = zlib.decompress(stream[1])
        except zlib.error:
            continue
        color = ""
        for part in re.finditer(rb"((?:[\d.]+ ){3})RG|^(?:[^\n]* [lc]\n)+S$", text, re.MULTILINE):
            if part[1]:
                color = "#" + "".join(f"{round(255 * float(v)):02x}" for v in part[1].split())
            else:
                found[color] += 1
    return found


def test_only_what_is_hidden_or_not_there_is_unseen(demo_publication: Path) -> None:
    """Another error is none of rights: a question that was stopped must not look like one."""
    with duckdb.connect(str(demo_publication), read_only=True) as connection:
        for name, failure in (("hidden", "error('no')"), ("broken", "'x'::date")):
            connection.execute(
                f"create temp view {name} as select 1 as one where {failure} is not null"
            )
        sections = Sections(connection)
        assert [sections.sees(it) for it in ("marts.fct_deals", "marts.nothing")] == [True, False]
        assert not sections.sees("hidden")
        with pytest.raises(duckdb.ConversionException):
            sections.sees("broken")


@pytest.mark.parametrize(
    ("screen", "least"),
    [("overview", 8), ("sources", 4), ("calls", 8), ("pipeline", 4), ("customers", 6)],
)
@pytest.mark.parametrize("period", ["month|2026-09-01", "quarter|2026-04-01"])
def test_headline_figures_are_the_companys(
    browser: Browser, demo_publication: Path, screen: str, least: int, period: str
) -> None:
    grain, start = period.split("|")
    browser.open(screen, grain=grain, period=start, lang="ru")
    mart = row(
        demo_publication,
        "kpi_company_period",
        f"period_grain = '{grain}' and period_start = '{start}'",
    )
    agree(browser.figures(), mart, least)


@pytest.mark.parametrize(
    ("manager", "period"),
    [
        ("m-01", "month|2026-06-01"),
        ("m-03", "week|2026-06-29"),
        ("m-05", "day|2026-06-02"),
        ("m-10", "quarter|2026-07-01"),
    ],
)
def test_a_manager_filter_gives_the_managers_figures(
    browser: Browser, demo_publication: Path, manager: str, period: str
) -> None:
    grain, start = period.split("|")
    mart = row(
        demo_publication,
        "kpi_manager_period",
        f"period_grain = '{grain}' and period_start = '{start}' and manager_id = '{manager}'",
    )
    browser.open("overview", grain=grain, period=start, manager=manager)
    agree(browser.figures(), mart, 8)


def test_a_source_filter_gives_the_sources_figures(
    browser: Browser, demo_publication: Path
) -> None:
    source = "yandex_direct"
    mart = row(
        demo_publication,
        "kpi_source_period",
        f"period_grain = 'month' and period_start = '2026-08-01' and source_id = '{source}'",
    )
    browser.open("sources", grain="month", period="2026-08-01", source=source)
    agree(browser.figures(), mart, 4)
    # What the company has as a whole stays, and says so.
    assert "Источник" in browser.page.inner_text('[data-metric="cac"] footer')


def test_a_team_filter_adds_up_its_people(browser: Browser, demo_publication: Path) -> None:
    ((won, revenue),) = query(
        demo_publication,
        "select sum(deals_won), sum(revenue) from marts.kpi_manager_period where team = 'Продажи' "
        "and period_grain = 'month' and period_start = '2026-08-01'",
    )
    browser.open("overview", grain="month", period="2026-08-01", team="Продажи")
    shown = browser.figures()
    assert shown["deals_won"] == won
    assert shown["revenue"] == pytest.approx(float(revenue))


def test_charts_draw_what_the_marts_hold(browser: Browser, demo_publication: Path) -> None:
    def months(column: str, mart: str = "kpi_company_period", where: str = "true") -> list[Any]:
        found = query(
            demo_publication,
            f"select {column} from marts.{mart} where period_grain = 'month' "
            f"and period_start <= '2026-09-01' and {where} order by period_start",
        )
        return [None if value is None else pytest.approx(float(value)) for (value,) in found]

    browser.open("overview", grain="month", period="2026-09-01", lang="ru")
    assert browser.series("revenue") == {
        "Выручка новых": months("revenue_new"),
        "Выручка повторных": months("revenue_repeat"),
    }
    assert browser.series("rates")["Доля выигранных"] == months("win_rate")
    assert browser.series("pipeline_amount")["Сумма открытых"] == months("open_amount")
    browser.open("sources", grain="month", period="2026-09-01", lang="en")
    assert browser.series("target_by_source")["Яндекс Директ"] == months(
        "target_lead_rate", "kpi_source_period", "source_id = 'yandex_direct'"
    )
    browser.open("people", grain="month", period="2026-09-01", lang="ru")
    assert browser.series("people_held_to_paid_rate")["Галиев Т."] == months(
        "held_to_paid_rate", "kpi_manager_period", "manager_id = 'm-03'"
    )


def test_the_funnel_is_the_marts(browser: Browser, demo_publication: Path) -> None:
    def reached(where: str = "true") -> list[float]:
        found = query(
            demo_publication,
            "select sum(reached) from marts.funnel_conversion where pipeline_id = 'sales' "
            f"and {where} group by stage_id, stage_no order by stage_no",
        )
        return [value for (value,) in found]

    def to_next(where: str = "true") -> list[list[Any]]:
        """Each stage but the last one by its place, and the share of its deals that went on."""
        found = query(
            demo_publication,
            "select sum(advanced) / sum(reached) from marts.funnel_conversion "
            f"where pipeline_id = 'sales' and {where} group by stage_id, stage_no "
            "order by stage_no",
        )
        return [[at, pytest.approx(share)] for at, (share,) in enumerate(found[:-1])]

    for where, chosen in (("true", {}), ("source_id = 'website'", {"source": "website"})):
        browser.open("funnel", grain="month", period="2026-09-01", lang="en", **chosen)
        assert browser.series("stages") == {
            "Reached the stage": reached(where),
            "Conversion to the next stage": to_next(where),
        }
    # Any pipeline has an address.
    ((other,),) = query(
        demo_publication,
        "select pipeline_id from marts.funnel_conversion where pipeline_id <> 'sales' "
        "group by all order by sum(reached) desc limit 1",
    )
    browser.open("funnel", grain="month", period="2026-09-01", lang="en", pipeline=other)
    of_other = query(
        demo_publication,
        "select sum(reached) from marts.funnel_conversion "
        f"where pipeline_id = '{other}' group by stage_id, stage_no order by stage_no",
    )
    assert browser.series("stages")["Reached the stage"] == [value for (value,) in of_other]
    browser.open("funnel", grain="month", period="2026-09-01", lang="en", source="website")
    ((target, show, won),) = query(
        demo_publication,
        "select target_lead_rate, set_meetings_held / meetings_set, deals_won / deals_created "
        "from marts.kpi_source_period where period_grain = 'month' "
        "and period_start = '2026-09-01' and source_id = 'website'",
    )
    steps = [[at, pytest.approx(share)] for at, share in ((0, target), (2, show), (4, won))]
    assert browser.series("way")["Conversions"] == steps
    browser.open("funnel", grain="month", period="2026-09-01", lang="en", manager="m-06")
    lost = query(
        demo_publication,
        "select sum(deals_lost) from marts.lost_reasons where period_grain = 'month' "
        "and manager_id = 'm-06' group by lost_reason order by 1 desc",
    )
    assert browser.series("reasons")["Deals lost"] == [value for (value,) in lost]


def test_hours_cohorts_and_ageing_are_the_marts(browser: Browser, demo_publication: Path) -> None:
    browser.open("calls", grain="month", period="2026-09-01", lang="en", manager="m-05")
    ((calls,),) = query(
        demo_publication,
        "select sum(calls) from marts.kpi_daily where manager_id = 'm-05'",
    )
    (cells,) = browser.series("hours").values()
    assert sum(value for _, _, value in cells) == calls
    browser.open("customers", grain="month", period="2026-09-01", lang="en")
    shares = query(
        demo_publication,
        "select active_share from marts.customer_cohorts where months_since > 0 order by "
        "cohort_month, months_since",
    )
    (cells,) = browser.series("cohort_map").values()
    assert [value for _, _, value in cells] == [pytest.approx(share) for (share,) in shares]
    browser.open("pipeline", grain="month", period="2026-09-01", lang="en", manager="m-07")
    ((open_deals,),) = query(
        demo_publication,
        "select count(*) from marts.fct_deals as d join marts.dim_stage as s using (stage_id) "
        "where outcome = 'open' and d.manager_id = 'm-07' and s.pipeline_id = 'sales'",
    )
    assert sum(sum(values) for values in browser.series("ageing").values()) == open_deals


@pytest.mark.parametrize(
    ("address", "month", "role", "language"),
    [
        ({"grain": "month", "period": "2026-08-01"}, "2026-08-01", "lead_generator", "ru"),
        ({"grain": "month", "period": "2026-09-01"}, "2026-09-01", "hunter", "en"),
        ({"grain": "quarter", "period": "2026-04-01"}, "2026-06-01", "farmer", "en"),
    ],
)
@pytest.mark.parametrize("width", [390, 1400])
def test_profiles_are_the_marts(
    browser: Browser,
    demo_publication: Path,
    address: dict[str, str],
    month: str,
    role: str,
    language: str,
    width: int,
) -> None:
    page = browser.page
    page.set_viewport_size({"width": width, "height": 900})
    browser.open("people", **address, lang=language)
    roles = "main > .choice button:nth-child({})"
    at = ("lead_generator", "hunter", "farmer").index(role)
    page.click(roles.format(at + 1))
    assert f"role={role}" in page.url
    shown = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("[data-rate]")].map(
            row => [`${row.closest("[data-profile]").dataset.profile} ${row.dataset.rate}`, [
                Number(row.dataset.value), Number(row.dataset.median),
                row.querySelector("[data-verdict]")?.dataset.verdict ?? null,
                Boolean(row.querySelector("[data-small]"))]]))"""
    )
    found = query(
        demo_publication,
        "select manager_id || ' ' || metric, value, team_median, verdict, is_small_sample "
        f"from marts.manager_profile where period_start = '{month}' and role = '{role}' "
        "and value is not null",
    )
    assert shown == {
        key: [pytest.approx(value, abs=1e-5), pytest.approx(median, abs=1e-5), *rest]
        for key, value, median, *rest in found
    }
    assert found and page.evaluate("document.documentElement.scrollWidth") <= width
    gaps = page.eval_on_selector_all(
        "[data-gap]",
        "all => all.map(o => `${o.closest('[data-profile]').dataset.profile} ${o.dataset.gap}`)",
    )
    # The dearest step of each, and no other step before it.
    dearest = query(
        demo_publication,
        "select arg_max(manager_id || ' ' || metric, gap_in_money) from marts.manager_profile "
        f"where period_start = '{month}' and role = '{role}' and gap_in_deals > 0 "
        "group by manager_id",
    )
    assert dearest and {key for (key,) in dearest} <= set(gaps)
    page.click(roles.format(1))
    page.set_viewport_size({"width": 1360, "height": 900})
    assert browser.complaints == []


def test_the_diagnosis_tells_the_demos_stories(browser: Browser, demo_publication: Path) -> None:
    for language in ("ru", "en"):
        browser.open("diagnosis", grain="month", period="2026-09-01", lang=language)
        cases = browser.page.eval_on_selector_all(
            "[data-case]", "all => all.map(o => o.dataset.case)"
        )
        found = query(
            demo_publication,
            "select distinct period_start || '|' || manager_id || '|' || situation "
            "from marts.kpi_diagnostics where period_grain = 'month'",
        )
        assert sorted(cases) == sorted(case for (case,) in found)
        text = browser.page.inner_text("main")
        for (advice,) in query(
            demo_publication,
            f"select distinct advice_{language} from marts.kpi_diagnostics "
            "where period_grain = 'month' and verdict = 'cause'",
        ):
            assert advice in text


MONTH = "period_grain = 'month' and period_start = '2026-09-01'"
# By screen and table: the marts' figures of each row.
BY_ROW = {
    ("people", "actions"): (
        "select manager_id, sales_actions, first_calls, followup_calls, emails_sent, "
        "messages_sent, social_touches, proposals_sent, presentations, demos_held, visits_held "
        f"from marts.kpi_manager_period where role = 'hunter' and {MONTH} and sales_actions > 0"
    ),
    ("customers", "satisfaction"): (
        "select manager_id, csat, surveys from marts.kpi_manager_period "
        f"where {MONTH} and surveys > 0"
    ),
    ("calls", "waiting_by_source"): (
        "with waits as (select source_id, sum(answer_wait_seconds) / nullif(sum(answer_waits), 0) "
        "as avg_answer_wait_seconds, sum(missed_wait_seconds) / nullif(sum(missed_waits), 0) "
        "as avg_missed_wait_seconds from marts.call_waiting "
        "where date_trunc('month', date_day) = '2026-09-01' group by all), "
        "missed as (select source_id, sum(missed_calls) as missed_calls, "
        "sum(missed_calls_lost) as missed_calls_lost, sum(recovery_seconds) / 60 "
        "/ nullif(sum(recovered_by_agent + recovered_by_client), 0) as avg_recovery_minutes "
        "from marts.missed_call_recovery where date_trunc('month', date_day) = '2026-09-01' "
        "group by all), speed as (select source_id, sum(leads_answered_in_5min) "
        "/ sum(leads_created) as responded_in_5min_rate from marts.speed_to_lead "
        "where month_start = '2026-09-01' group by all having sum(leads_created) > 0) "
        "select source_id, * exclude (source_id) from waits left join missed using (source_id) "
        "left join speed using (source_id) where avg_answer_wait_seconds is not null"
    ),
}


@pytest.mark.parametrize(("screen", "table"), list(BY_ROW))
def test_what_people_did_and_customers_felt_is_the_marts(
    browser: Browser, demo_publication: Path, screen: str, table: str
) -> None:
    browser.open(screen, grain="month", period="2026-09-01", lang="en", role="hunter")
    shown = browser.page.eval_on_selector_all(
        f'[data-table="{table}"] tbody tr',
        "all => all.map(row => [row.dataset.row, Object.fromEntries([...row"
        '.querySelectorAll("[data-value]")].map(o => [o.dataset.metric, o.dataset.value]))])',
    )
    by_row = {
        row: {name: float(value) if value else None for name, value in figures.items()}
        for row, figures in shown
    }
    with duckdb.connect(str(demo_publication), read_only=True) as connection:
        found = connection.execute(BY_ROW[screen, table])
        names = [name for name, *_ in found.description][1:]
        rows = found.fetchall()
    assert len(rows) > 3
    for row, *values in rows:
        of_marts = dict(zip(names, values, strict=True))
        for name in ("missed_calls", "missed_calls_lost"):
            if name in of_marts:
                of_marts[name] = of_marts[name] or 0
        agree(by_row[row], of_marts, len(names))


def test_actions_are_drawn_as_the_marts_have_them(browser: Browser, demo_publication: Path) -> None:
    charts = {
        "touches": ("emails_sent", "messages_sent", "social_touches"),
        "offers": ("proposals_sent", "presentations", "demos_held", "visits_held"),
        "call_kinds": ("first_calls", "followup_calls"),
    }
    for chart, names in charts.items():
        browser.open(
            "calls" if chart == "call_kinds" else "funnel",
            **{"grain": "month", "period": "2026-09-01", "manager": "m-06"},
        )
        months = query(
            demo_publication,
            f"select {', '.join(names)} from marts.kpi_manager_period where manager_id = 'm-06' "
            "and period_grain = 'month' order by period_start",
        )
        by_name = [list(values) for values in zip(*months, strict=True)]
        assert list(browser.series(chart).values()) == by_name


def test_each_screen_says_which_filters_do_not_act(browser: Browser) -> None:
    def deaf() -> dict[str, str]:
        found = browser.page.eval_on_selector_all(
            "[data-deaf]", "all => all.map(o => [o.dataset.deaf, o.textContent])"
        )
        return dict(found)

    said = {}
    for screen in CHARTS:
        browser.open(screen, grain="month", period="2026-09-01", lang="en")
        said[screen] = deaf()
        # A card says the same once the filter is chosen.
        browser.open(screen, grain="month", period="2026-09-01", lang="en", source="website")
        mute = browser.page.query_selector_all("main footer:text('Not filtered')")
        assert not mute or "source" in said[screen], screen
    assert said["quality"] == {
        "all": "The period and the filters do not act on this screen: "
        "it is about the whole publication."
    }
    assert said["diagnosis"] == {"source": "“Source” does not act on this screen."}
    assert said["overview"] == {"source": "“Source” does not act on “Plan attainment”."}
    assert set(said["customers"]) == {"period", "manager", "source"}
    assert "“Forecast against plan”" in said["pipeline"]["period"]


def test_what_needs_attention_leads_to_the_person_and_the_period(browser: Browser) -> None:
    browser.open("overview", grain="month", period="2026-09-01", lang="en")
    link = '.attention a:has-text("Галиев Тимур")'
    assert "July 2026" in browser.page.inner_text(link)
    browser.page.click(link)
    # A link is followed after the click has returned.
    browser.page.wait_for_selector('main[data-screen="diagnosis"]')
    assert browser.page.input_value("#choose-manager") == "m-03"
    assert browser.page.input_value("#choose-period") == "2026-07-01"
    assert browser.page.get_attribute("[data-case]", "data-case") == (
        "2026-07-01|m-03|meetings_without_payments"
    )


def test_checks_speak_the_language_of_the_page(browser: Browser, demo_publication: Path) -> None:
    remarks = query(
        demo_publication,
        "select check_name, failing_rows from quality.checks where status <> 'pass' order by all",
    )
    texts = json.loads((PARTS / "texts.json").read_text(encoding="utf-8"))
    for language in ("ru", "en"):
        browser.open("quality", lang=language)
        shown = browser.page.eval_on_selector_all(
            "[data-check]", "all => all.map(o => [o.dataset.check, o.innerText])"
        )
        assert sorted(name for name, _ in shown) == [name for name, _ in remarks]
        for name, text in shown:
            assert texts[language][f"check_{name}"] in text
            assert str(dict(remarks)[name]) in text
        reasons = browser.page.inner_text('[data-card="reasons"]')
        assert texts[language]["rule_range"] in reasons and ": range" not in reasons


def test_plans_are_the_quotas(browser: Browser, demo_publication: Path) -> None:
    browser.open("overview", grain="month", period="2026-09-01", lang="en")
    found = query(
        demo_publication,
        "select sum(actual) / sum(target) from marts.quota_attainment where metric = 'revenue' "
        "and period = 'month' and period_start = '2026-09-01'",
    )
    (values,) = browser.series("attainment").values()
    # The worst first.
    assert values[0] == pytest.approx(found[0][0]) and values == sorted(values)
    browser.open("people", grain="month", period="2026-09-01", lang="en", role="lead_generator")
    shares = query(
        demo_publication,
        "select actual / target from marts.quota_attainment as q "
        "join marts.dim_manager as m using (manager_id) where m.role = 'lead_generator' "
        "and period = 'month' and period_start = '2026-09-01' order by 1",
    )
    shown = list(zip(browser.column("plans", 2), browser.column("plans", 5), strict=True))
    # Plans of days make one of a month, too.
    ours = [share for metric, share in shown if metric != "Conversations"]
    assert ours == [f"{float(share):.0%}" for (share,) in shares] and len(ours) > 4
    of_all = [int(share.removesuffix("%")) for _, share in shown]
    assert of_all == sorted(of_all) and len(of_all) > len(ours)


def test_numbers_and_names_follow_the_language(browser: Browser, demo_publication: Path) -> None:
    ((manifest,),) = query(demo_publication, "select manifest from metrics.semantic_manifest")
    metrics = Catalogue(manifest).metrics
    ((revenue,),) = query(
        demo_publication,
        "select revenue from marts.kpi_company_period "
        "where period_grain = 'month' and period_start = '2026-09-01'",
    )
    page = browser.page
    browser.open("overview", grain="month", period="2026-09-01", lang="ru")
    title = page.inner_text('[data-metric="revenue"] h3')
    assert title.startswith(metrics["revenue"].labels["ru"])
    full = page.get_attribute('[data-metric="revenue"] .figure', "title")
    assert full == f"{revenue:,.0f}".replace(",", "\u202f") + "\u00a0₽"
    # At most one digit after the comma: 23 million are not 23,0.
    millions = f"{revenue / 1000000:.1f}".removesuffix(".0").replace(".", ",")
    assert page.inner_text('[data-metric="revenue"] .figure') == f"{millions}\u00a0млн\u00a0₽"
    assert page.input_value("#choose-period") == "2026-09-01"
    assert "сентябрь 2026" in page.inner_text("#choose-period")
    browser.open("overview", grain="month", period="2026-09-01", lang="en")
    assert page.get_attribute('[data-metric="revenue"] .figure', "title") == f"₽{revenue:,.0f}"
    assert "September 2026" in page.inner_text("#choose-period")
    assert page.evaluate("document.documentElement.lang") == "en"


def test_a_running_period_says_so(browser: Browser) -> None:
    browser.open("overview", grain="week", period="2026-09-28", lang="en")
    assert "day 3 of 7" in browser.page.inner_text(".as-of mark")
    browser.open("overview", grain="month", period="2026-09-01", lang="en")
    assert browser.page.query_selector(".as-of mark") is None


@pytest.mark.parametrize(
    ("language", "rows", "named"),
    [
        ("ru", "оплат", "Нет курса валют, за всю историю: "),
        ("en", "payment", "Currencies without a rate, in all history: "),
    ],
)
def test_money_without_a_rate_is_told_with_its_currencies_and_rows(
    browser: Browser, demo_publication: Path, language: str, rows: str, named: str
) -> None:
    found = query(
        demo_publication,
        "select currency, rows_unpriced from quality.unpriced_money "
        "where figure = 'revenue' and rows_unpriced > 0 order by 2 desc, 1",
    )
    assert found
    browser.open("overview", grain="month", period="2026-09-01", lang=language)
    foot = browser.page.inner_text('[data-card="revenue"] footer')
    assert f"{sum(count for _, count in found)} {rows}" in foot
    listed = named + ", ".join(f"{currency} ({count})" for currency, count in found)
    assert listed in foot
    # Where all history is shown, its rows are the ones that it lacks.
    browser.open("customers", grain="month", period="2026-09-01", lang=language)
    for card in ("cumulative", "customers_by_source"):
        assert listed in browser.page.inner_text(f'[data-card="{card}"] footer')


def test_tables_sort_by_their_columns(browser: Browser, demo_publication: Path) -> None:
    browser.open("people", grain="month", period="2026-06-01", lang="ru")
    by_main = query(
        demo_publication,
        "select manager_name from marts.kpi_manager_period where role = 'lead_generator' and "
        "period_grain = 'month' and period_start = '2026-06-01' order by set_meetings_held desc",
    )
    assert browser.column("people", 1) == [name for (name,) in by_main]
    browser.page.click('[data-table="people"] thead th:nth-child(3) button')
    calls = [int(text.replace(" ", "")) for text in browser.column("people", 3)]
    assert calls == sorted(calls, reverse=True) and calls[-1] == 132


def test_the_data_screen_tells_the_publication(browser: Browser, demo_publication: Path) -> None:
    ((name, quarantined),) = query(
        demo_publication, "select publication_id, rows_quarantined from quality.publication"
    )
    browser.open("quality", lang="en")
    text = browser.page.inner_text("main")
    assert name in text and f"In quarantine\n{quarantined}" in text


def test_a_month_without_a_remark_is_no_gap(browser: Browser, demo_publication: Path) -> None:
    by_month = query(
        demo_publication,
        "select date_trunc('month', date_day)::date, sum(rows) "
        "from marts.data_quality_daily group by 1 order by 1",
    )
    (first, _), (last, _) = by_month[0], by_month[-1]
    all_months = (last.year - first.year) * 12 + last.month - first.month + 1
    # The demo has a month without a remark.
    assert all_months > len(by_month)
    browser.open("quality", lang="en")
    series = browser.series("found").values()
    assert {len(values) for values in series} == {all_months}
    shown = [sum(values) for values in zip(*series, strict=True)]
    assert [count for count in shown if count] == [count for _, count in by_month]


@pytest.mark.parametrize(("width", "language"), [(390, "ru"), (820, "en")])
def test_every_screen_fits_and_is_filled(browser: Browser, width: int, language: str) -> None:
    """On a phone too: nothing to scroll sideways, no chart without its figures, no complaint."""
    browser.page.set_viewport_size({"width": width, "height": 844})
    for screen, charts in CHARTS.items():
        browser.open(screen, grain="month", period="2026-09-01", lang=language)
        drawn = browser.page.evaluate(DRAWN)
        assert tuple(name for name, *_ in drawn) == charts, screen
        for name, right, marks, figures, room in drawn:
            assert room is None or room > 4, name
            assert right <= width, name
            # The demo has figures for each series, and whatever is drawn has an area or a point.
            assert figures and min(figures) > 0 and marks > 0, name
        assert browser.page.evaluate("document.documentElement.scrollWidth") <= width, screen
        assert browser.page.query_selector_all(".card .empty") == [], screen
    browser.page.set_viewport_size({"width": 1360, "height": 900})
    assert browser.complaints == []


@pytest.mark.parametrize("language", ["ru", "en"])
def test_tables_fit_their_cards_on_a_desk(browser: Browser, language: str) -> None:
    """Nobody scrolls a table sideways on a screen that is 1400 pixels wide."""
    browser.page.set_viewport_size({"width": 1400, "height": 900})
    for screen in CHARTS:
        for role in ROLES if screen == "people" else ("",):
            browser.open(screen, grain="month", period="2026-09-01", lang=language, role=role)
            wide = browser.page.eval_on_selector_all(
                ".scroll",
                "all => all.filter(one => one.scrollWidth > one.clientWidth)"
                ".map(one => one.closest('[data-card], .card').dataset.card)",
            )
            assert wide == [], (screen, role)
    browser.page.set_viewport_size({"width": 1360, "height": 900})


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_printed_screen_is_whole(browser: Browser, language: str) -> None:
    """A4 between its margins is 702 pixels wide, and nobody can scroll or wait there."""
    browser.page.set_viewport_size({"width": 702, "height": 1000})
    browser.page.emulate_media(media="print", reduced_motion="no-preference")
    for screen in CHARTS:
        browser.open(screen, grain="month", period="2026-09-01", lang=language)
        browser.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        over = browser.page.eval_on_selector_all(
            "table",
            "all => all.map(one => [one.dataset.table, one.getBoundingClientRect().right"
            " - one.closest('.card').getBoundingClientRect().right])",
        )
        assert [name for name, pixels in over if pixels > 0] == [], screen
        assert browser.page.evaluate("document.documentElement.scrollWidth") <= 702, screen
        moving = browser.page.eval_on_selector_all(
            "[data-chart]",
            "all => all.filter(one => echarts.getInstanceByDom(one).getOption().animation)"
            ".map(one => one.dataset.chart)",
        )
        assert moving == []
        browser.page.evaluate("dispatchEvent(new Event('afterprint'))")
    browser.page.emulate_media(media="screen", reduced_motion="reduce")
    browser.page.set_viewport_size({"width": 1360, "height": 900})


def test_charts_print_with_their_lines(browser: Browser) -> None:
    """The PDF of each screen has every line of its charts, each as one stroke of its color."""
    printed = 0
    # What paper leaves out is not counted.
    browser.page.emulate_media(media="print")
    for screen in CHARTS:
        browser.open(screen, grain="month", period="2026-09-01", lang="ru", theme="dark")
        lines, colors = browser.page.evaluate(LINES)
        found = strokes(browser.page.pdf(prefer_css_page_size=True))
        expected = Counter(colors)
        # A line near the end of a sheet may be in the next one, too, beyond its edge.
        assert {color for color in expected if found[color] < expected[color]} == set(), screen
        printed += lines
    assert printed > 30
    browser.page.emulate_media(media="screen")
    browser.open("overview", grain="month", period="2026-09-01", lang="ru", theme="auto")


def test_the_command_writes_where_it_is_told(demo_publication: Path, tmp_path: Path) -> None:
    file = tmp_path / "sales.html"
    data = {"VORONKA_DATA_DIR": str(demo_publication.parents[1])}
    done = voronka("dashboard", "--lang", "en", "--output", file, env=data)
    assert done.returncode == 0, done.stderr
    assert str(file) in done.stdout
    text = file.read_text(encoding="utf-8")
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert len(text.encode()) < 2_100_000
    start = text.index('id="data">') + len('id="data">')
    data_part = json.loads(text[start : text.index("</script>", start)])
    assert data_part["about"]["end"] == "2026-09-30"
    wrong = voronka("dashboard", "--lang", "de", env=data)
    assert wrong.returncode == 2 and "ru" in wrong.stderr
