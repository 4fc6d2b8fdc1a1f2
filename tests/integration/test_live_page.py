"""The page on the server, in a real browser: small questions, whole views, rows behind figures."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
import uvicorn

from orchestration.base.settings import Settings
from orchestration.dashboard.page import MAX_BYTES, write_dashboard
from orchestration.serving.limits import Limits, Runner
from orchestration.serving.session import SEED, Warehouse
from orchestration.serving.site import build
from tests import needs
from tests.conftest import ROOT, query
from tests.integration.test_dashboard import CHARTS, FLAGS, agree, row

if TYPE_CHECKING:
    from playwright.sync_api import Page

MONTH = {"grain": "month", "period": "2026-08-01", "lang": "en"}
SELECTIONS: tuple[dict[str, str], ...] = (
    MONTH,
    {"grain": "week", "period": "2026-08-31", "lang": "ru", "team": "Продажи"},
    {
        **{"grain": "week", "from": "2026-08-05", "to": "2026-09-20", "lang": "en"},
        **{"compare": "none", "source": "website"},
    },
)
# Each screen is tried with one of them, and each night with all.
TURNS = pytest.mark.parametrize(
    "turn", [0, *(pytest.param(turn, marks=pytest.mark.nightly) for turn in (1, 2))]
)
PAGE_DATA = re.compile("/api/page")
ROLES = "role_name,scope,value\nhead_of_sales,team,Продажи\n"
# Everything that a screen draws and says in figures.
SHOWN = """() => ({
    charts: Object.fromEntries([...document.querySelectorAll("[data-chart]")].map(place => [
        place.dataset.chart,
        echarts.getInstanceByDom(place).getOption().series.map(series => [series.name,
            series.data.map(item => [item?.value ?? item].flat(9))])])),
    tables: Object.fromEntries([...document.querySelectorAll("[data-table]")].map(table => [
        table.dataset.table, [...table.rows].map(row => row.innerText)])),
    texts: {
        tiles: [...document.querySelectorAll(".kpi")].map(tile => tile.innerText),
        notes: [...document.querySelectorAll(".card > footer, .attention")].map(it => it.innerText),
    },
})"""

GO = """address => new Promise(done => {
    const before = location.hash;
    location.hash = address;
    if (location.hash === before) return done();
    addEventListener("hashchange", () => done(), {once: true});
})"""


def alike(one: Any, other: Any) -> bool:
    """Whether both are the same; a sum may end in another digit than the sum of its parts."""
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return bool(one == pytest.approx(other, rel=1e-6))
    return bool(one == other)


@dataclass
class AsRole:
    """Whoever asks is of one role; None: sees everything."""

    now: str | None = None
    in_words: str = "a test"

    def role(self, headers: object, peer: object) -> str | None:
        return self.now


@dataclass
class Live:
    """A server of a private copy of the demo's publication, and a browser on it."""

    settings: Settings
    identity: AsRole
    address: str
    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, screen: str, **chosen: str | int) -> None:
        """Go to a screen as a link to it does, and wait until it is whole."""
        address = f"#{screen}?" + "&".join(f"{name}={value}" for name, value in chosen.items())
        self.page.evaluate(GO, address)
        self.settle(screen)

    def settle(self, screen: str) -> None:
        """Wait for a screen that waits for nothing."""
        self.page.wait_for_selector(f'main[data-screen="{screen}"]:not([aria-busy])')

    def begin(self) -> None:
        """Load the page anew."""
        self.page.goto("about:blank")
        self.page.goto(self.address)
        self.settle("overview")

    def figures(self) -> dict[str, float | None]:
        found = self.page.eval_on_selector_all(
            ".kpi", "all => all.map(one => [one.dataset.metric, one.dataset.value])"
        )
        return {name: float(value) if value else None for name, value in found}

    def chosen(self) -> dict[str, list[str]]:
        """What the address says."""
        return parse_qs(urlsplit(self.page.url).fragment.partition("?")[2])


@pytest.fixture(scope="module")
def live(demo_publication: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    executable = needs.chromium()
    from playwright.sync_api import sync_playwright

    place = tmp_path_factory.mktemp("live")
    settings = Settings(project_dir=place / "project", data_dir=place / "data")
    (settings.root / SEED).parent.mkdir(parents=True)
    (settings.root / SEED).write_text(ROLES, encoding="utf-8")
    shutil.copy(ROOT / "dbt_project.yml", settings.root)
    settings.published_file.parent.mkdir(parents=True)
    shutil.copy(demo_publication, settings.published_file)
    identity = AsRole()
    warehouse = Warehouse(settings)
    runner = Runner(warehouse, Limits(seconds=20))
    listener = socket.create_server(("127.0.0.1", 0))
    app = build(settings, runner, identity)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
            page = chromium.new_context(
                viewport={"width": 1360, "height": 900}, reduced_motion="reduce"
            ).new_page()
            page.set_default_timeout(20_000)
            port = listener.getsockname()[1]
            found = Live(settings, identity, f"http://127.0.0.1:{port}/", page)
            page.on("console", lambda message: found.complaints.append(message.text))
            page.on("pageerror", lambda error: found.complaints.append(str(error)))
            page.on("request", lambda request: found.asked.append(request.url))
            found.begin()
            yield found
            chromium.close()
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        runner.close()
        warehouse.close()


@pytest.mark.parametrize(
    ("screen", "least"),
    [("overview", 8), ("sources", 4), ("calls", 8), ("pipeline", 4), ("customers", 6)],
)
def test_headline_figures_are_the_companys(live: Live, screen: str, least: int) -> None:
    live.open(screen, **MONTH)
    where = "period_grain = 'month' and period_start = '2026-08-01'"
    file = live.settings.published_file
    agree(live.figures(), row(file, "kpi_company_period", where), least)
    if screen == "overview":
        live.open(screen, **MONTH, manager="m-06")
        where += " and manager_id = 'm-06'"
        agree(live.figures(), row(file, "kpi_manager_period", where), 8)
    assert live.complaints == []


@TURNS
def test_every_screen_is_that_of_the_file(live: Live, tmp_path: Path, turn: int) -> None:
    """Charts, tables, tiles and notes: screens do not know where their figures come from."""
    file = write_dashboard(live.settings, tmp_path / "dashboard.html").file
    other = live.page.context.new_page()
    other.goto(file.as_uri())
    for at, screen in enumerate(CHARTS):
        chosen = SELECTIONS[(at + turn) % len(SELECTIONS)]
        live.open(screen, **chosen)
        other.evaluate(GO, f"#{urlsplit(live.page.url).fragment}")
        mine, its = live.page.evaluate(SHOWN), other.evaluate(SHOWN)
        for part in ("texts", "tables", "charts"):
            about = (screen, chosen, part)
            assert mine[part].keys() == its[part].keys(), about
            for name, shown in mine[part].items():
                assert alike(shown, its[part][name]), (*about, shown, its[part][name])
    # In a file nothing opens, and it says what would.
    assert other.query_selector(".open") is None
    assert "voronka serve" in other.inner_text("footer.about")
    other.close()
    assert live.complaints == []


def test_what_has_come_is_not_asked_for_again(live: Live) -> None:
    live.begin()
    live.open("overview", **MONTH)
    live.open("people", **MONTH)
    live.asked.clear()
    live.open("overview", **MONTH)
    live.open("people", **MONTH, role="hunter")
    live.open("overview", **(MONTH | {"compare": "none"}))
    assert [url for url in live.asked if "/api/page" in url] == []


def test_free_dates_are_the_sums_of_their_days(live: Live) -> None:
    live.open("overview", **MONTH)
    live.page.fill("#choose-from", "2026-07-13")
    live.page.fill("#choose-to", "2026-08-20")
    live.page.wait_for_url(re.compile("to=2026-08-20"))
    live.settle("overview")
    sums = "sum(revenue)::double, sum(deals_won)::double, sum(leads_created)::double"
    file = live.settings.published_file

    def of_days(first: str, last: str) -> tuple[Any, ...]:
        ((*found,),) = query(
            file,
            f"select {sums} from marts.kpi_daily where date_day between '{first}' and '{last}'",
        )
        return tuple(pytest.approx(value) for value in found)

    shown = live.figures()
    assert (shown["revenue"], shown["deals_won"], shown["leads_created"]) == of_days(
        "2026-07-13", "2026-08-20"
    )
    # 39 days, and the 39 before them.
    before = live.page.inner_text('[data-metric="deals_won"] .against')
    assert before.endswith(f"was {int(of_days('2026-06-04', '2026-07-12')[1].expected)}")
    # The same by days of the calendar is a period of it, with all that is known of one.
    live.open("customers", grain="day", **{"from": "2026-08-01", "to": "2026-08-31"})
    assert live.figures()["active_customers"] is not None
    live.open("customers", grain="day", **{"from": "2026-08-02", "to": "2026-08-31"})
    assert live.figures()["active_customers"] is None
    # A date that is none, or that the page does not have, is as if it were not there.
    for first, last in (("2026-08-02", ""), ("2026-13-02", "2026-13-03"),
                        ("1999-01-01", "2026-08-31"), ("x", "'")):  # fmt: skip
        live.open("overview", **MONTH, **{"from": first, "to": last})
        assert live.page.input_value("#choose-period") == "2026-08-01"


@TURNS
def test_every_tile_opens_the_rows_that_it_is_made_of(live: Live, turn: int) -> None:
    opened = 0
    for at, screen in enumerate(("overview", "sources", "calls", "pipeline", "customers")):
        chosen = SELECTIONS[(at + turn) % len(SELECTIONS)]
        live.open(screen, **chosen)
        for metric, value in live.figures().items():
            if value is None:
                continue
            live.page.click(f'.kpi[data-metric="{metric}"] .open')
            live.page.wait_for_selector(".drill-rows:not([aria-busy])")
            found = live.page.evaluate(
                """() => ({...document.querySelector("[data-total]")?.dataset,
                    parts: document.querySelectorAll("[data-formula]").length,
                    wrong: document.querySelector(".drill .notice, .drill .failure")?.innerText,
                    rows: document.querySelectorAll('[data-table="rows"] tbody tr').length})"""
            )
            about = (screen, chosen, metric, value, found)
            assert found.get("wrong") is None, about
            if not found["parts"]:
                opened += 1
                assert float(found["figure"] or 0) == pytest.approx(value, rel=1e-9), about
                assert float(found["total"] or 0) == pytest.approx(value, rel=1e-9), about
            assert found["rows"] == min(int(found["count"]), 200), about
            live.page.keyboard.press("Escape")
            live.page.wait_for_selector("dialog", state="detached")
    assert opened > 12
    assert live.complaints == []


def test_a_rate_opens_what_is_above_and_below_its_line(live: Live) -> None:
    live.open("overview", **MONTH)
    live.page.click('.kpi[data-metric="win_rate"] .open')
    live.page.wait_for_selector(".drill-rows:not([aria-busy])")
    ((won, lost),) = query(
        live.settings.published_file,
        "select deals_won, deals_lost from marts.kpi_company_period "
        "where period_grain = 'month' and period_start = '2026-08-01'",
    )

    def total() -> int:
        return int(live.page.get_attribute("[data-total]", "data-total") or -1)

    assert total() == won
    live.page.click(".drill-part button:has-text('Deals closed')")
    live.page.wait_for_selector(f'[data-total]:not([data-total="{won}"])')
    live.page.wait_for_selector(".drill-rows:not([aria-busy])")
    assert total() in (won + lost, won, lost)
    live.page.keyboard.press("Escape")
    # A cell of a table and a point of a chart are figures like any other.
    live.open("people", **MONTH, role="hunter")
    cell = '[data-table="people"] [data-metric="deals_won"] .open'
    shown = live.page.inner_text(cell)
    live.page.click(cell)
    live.page.wait_for_selector(".drill-rows:not([aria-busy])")
    assert total() == int(shown)
    live.page.keyboard.press("Escape")


def test_a_table_is_saved_as_it_is_shown(live: Live) -> None:
    live.open("people", **MONTH, role="hunter")
    heads = live.page.eval_on_selector_all(
        '[data-table="people"] thead th', "all => all.map(one => one.innerText)"
    )
    with live.page.expect_download() as download:
        live.page.click('[data-card="people"] .exports button:has-text("CSV")')
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    head, *lines = csv.reader(text.splitlines())
    # The line of the trend is a picture.
    assert len(head) == len(heads) - 1
    ((revenue,),) = query(
        live.settings.published_file,
        "select sum(revenue)::double from marts.kpi_manager_period where role = 'hunter' "
        "and period_grain = 'month' and period_start = '2026-08-01'",
    )
    at = head.index("Revenue")
    assert sum(float(line[at]) for line in lines) == pytest.approx(revenue)
    with live.page.expect_download() as download:
        live.page.click('[data-card="people"] .exports button:has-text("XLSX")')
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as book:
        assert book.testzip() is None
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row>") == len(lines) + 1
    assert f"<v>{lines[0][at]}</v>" in sheet


def test_a_link_holds_everything_and_back_undoes_it(live: Live) -> None:
    live.begin()
    page = live.page
    live.open("people", **MONTH)
    page.select_option("#choose-compare", "year")
    page.select_option("#choose-team", "Продажи")
    page.select_option("#choose-source", "website")
    page.select_option("#choose-period", "2026-07-01")
    live.settle("people")
    expected = {
        "grain": ["month"], "period": ["2026-07-01"], "compare": ["year"], "team": ["Продажи"],
        "source": ["website"], "lang": ["en"],
    }  # fmt: skip
    assert live.chosen() == expected
    link, shown = page.url, page.inner_text("main")
    page.go_back()
    page.wait_for_url(re.compile("period=2026-08-01"))
    live.settle("people")
    assert page.input_value("#choose-period") == "2026-08-01"
    assert page.input_value("#choose-source") == "website"
    page.go_back()
    page.wait_for_url(re.compile("^((?!source=).)*$"))
    live.settle("people")
    assert page.input_value("#choose-source") == ""
    page.go_forward()
    page.go_forward()
    page.wait_for_url(re.compile("period=2026-07-01"))
    live.settle("people")
    assert (page.url, page.inner_text("main")) == (link, shown)
    # Somebody else opens the link.
    page.goto("about:blank")
    page.goto(link)
    live.settle("people")
    assert page.inner_text("main") == shown
    assert page.input_value("#choose-compare") == "year"


def test_without_an_answer_it_says_what_to_do(live: Live) -> None:
    live.begin()
    live.open("overview", **MONTH)
    live.page.route(PAGE_DATA, lambda route: route.abort())
    live.page.evaluate("location.hash = '#funnel?grain=month&period=2026-05-01&lang=en'")
    failure = live.page.wait_for_selector('[data-failure="unreachable"]')
    assert failure and "Check that voronka serve runs" in failure.inner_text()
    assert live.page.query_selector("main[aria-busy]") is None
    live.page.unroute(PAGE_DATA)
    live.page.click('[data-failure] button:has-text("Try again")')
    live.settle("funnel")
    assert live.page.query_selector_all("[data-failure]") == []
    assert len(live.page.query_selector_all("[data-chart]")) == len(CHARTS["funnel"])
    live.page.route(
        PAGE_DATA,
        lambda route: route.fulfill(
            status=422,
            content_type="application/problem+json",
            body=json.dumps({"detail": "It took too long.", "remedy": "Ask for less."}),
        ),
    )
    live.page.evaluate("location.hash = '#calls?grain=month&period=2026-05-01&lang=en'")
    failure = live.page.wait_for_selector('[data-failure="wrong"]')
    assert failure and "It took too long.\n\nAsk for less." in failure.inner_text()
    live.page.unroute(PAGE_DATA)
    live.complaints.clear()


def republish(live: Live, publication_id: str, change: str) -> None:
    """Another publication takes the place of the present one, as a refresh does it."""
    draft = live.settings.published_file.with_name("draft")
    shutil.copy(live.settings.published_file, draft)
    os.chmod(draft, 0o644)
    with duckdb.connect(str(draft)) as connection:
        connection.execute(
            f"update quality.publication set publication_id = '{publication_id}'; {change}"
        )
    os.replace(draft, live.settings.published_file)


def test_a_new_publication_is_told_and_never_mixed_in(live: Live) -> None:
    live.begin()
    live.open("overview", **MONTH)
    before = live.figures()["leads_created"]
    assert before
    double = "update marts.kpi_daily set leads_created = 2 * leads_created"
    republish(live, "second", double)
    live.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    note = live.page.wait_for_selector('[data-renewed="second"]')
    assert note and "New figures have been published." in note.inner_text()
    # What is looked at stays as it is until somebody says so.
    assert live.figures()["leads_created"] == before
    live.page.click("[data-renewed] button")
    live.page.wait_for_selector('footer.about:has-text("second")')
    live.settle("overview")
    assert live.figures()["leads_created"] == 2 * before
    assert live.page.query_selector("[data-renewed]") is None
    # Whoever goes on without it gets a view of the new one as a whole.
    republish(live, "third", double)
    live.open("overview", **(MONTH | {"period": "2026-09-01"}))
    live.page.wait_for_selector('footer.about:has-text("third")')
    live.settle("overview")
    ((september, august),) = query(
        live.settings.published_file,
        "select sum(leads_created) filter (where month(date_day) = 9)::double, "
        "sum(leads_created) filter (where month(date_day) = 8)::double from marts.kpi_daily",
    )
    assert live.figures()["leads_created"] == september
    live.open("overview", **MONTH)
    assert live.figures()["leads_created"] == august == 4 * before
    assert live.complaints == []


def test_a_limited_viewer_sees_his_own_and_no_zeros(live: Live) -> None:
    live.identity.now = "head_of_sales"
    try:
        live.begin()
        live.open("overview", **MONTH)
        text = live.page.inner_text("main")
        assert "Only the rows of these people are shown" in text
        ((won,),) = query(
            live.settings.published_file,
            "select sum(deals_won)::double from marts.kpi_daily join marts.dim_manager "
            "using (manager_id) where dim_manager.team = 'Продажи' "
            "and date_trunc('month', date_day) = '2026-08-01'",
        )
        assert live.figures()["deals_won"] == won
        names = live.page.eval_on_selector_all(
            "#choose-manager option", "all => all.map(one => one.value)"
        )
        own = query(
            live.settings.published_file,
            "select manager_id from marts.dim_manager where team = 'Продажи'",
        )
        assert sorted(names[1:]) == sorted(name for (name,) in own)
        for screen in CHARTS:
            live.open(screen, **MONTH)
            hidden = live.page.eval_on_selector_all(
                ".kpi[data-lack]", "all => all.map(one => [one.dataset.metric, one.innerText])"
            )
            if screen == "sources":
                assert {"ad_spend", "cpl", "cac"} <= {name for name, _ in hidden}
            assert all("not visible" in said for _, said in hidden), hidden
        # Of others he asks in vain.
        live.open("overview", **MONTH, manager="m-01")
        assert "manager" not in live.chosen() or live.figures()["deals_won"] == won
        live.open("overview", **MONTH)
        live.page.click('.kpi[data-metric="deals_won"] .open')
        live.page.wait_for_selector(".drill-rows:not([aria-busy])")
        assert float(live.page.get_attribute("[data-total]", "data-total") or 0) == won
        live.page.keyboard.press("Escape")
        assert live.complaints == []
    finally:
        live.identity.now = None


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_and_the_filters_fit(live: Live, width: int, theme: str) -> None:
    live.begin()
    live.page.set_viewport_size({"width": width, "height": 844})
    live.open("overview", **MONTH, theme=theme, **{"from": "2026-08-05", "to": "2026-09-20"})
    assert live.page.evaluate("document.documentElement.scrollWidth") <= width
    live.page.focus('.kpi[data-metric="revenue"] .open')
    live.page.keyboard.press("Enter")
    live.page.wait_for_selector(".drill-rows:not([aria-busy])")
    right, page_right = live.page.evaluate(
        "[document.querySelector('.drill-body').getBoundingClientRect().right, innerWidth]"
    )
    assert right <= page_right
    live.page.keyboard.press("Escape")
    live.page.wait_for_selector("dialog", state="detached")
    # Who came by keyboard is where he was.
    assert live.page.evaluate("document.activeElement.closest('.kpi')?.dataset.metric") == "revenue"
    live.page.set_viewport_size({"width": 1360, "height": 900})


def test_the_file_of_a_large_company_fits_and_says_what_it_leaves_out(
    demo_publication: Path, tmp_path: Path
) -> None:
    """Ten times as many managers, each with his days, hours and cases, in half the room."""
    settings = Settings(project_dir=ROOT, data_dir=tmp_path)
    settings.published_file.parent.mkdir(parents=True)
    shutil.copy(demo_publication, settings.published_file)
    os.chmod(settings.published_file, 0o644)
    with duckdb.connect(str(settings.published_file)) as connection:
        for mart in ("dim_manager", "kpi_daily", "calls_by_hour", "kpi_diagnostics",
                     "kpi_manager_period", "manager_profile", "quota_attainment",
                     "fct_pipeline_days", "funnel_conversion", "lost_reasons"):  # fmt: skip
            connection.execute(
                f"insert into marts.{mart} by name "
                "select copy.* replace (copy.manager_id || '-' || n as manager_id) "
                f"from (from marts.{mart}) as copy, range(9) as t(n)"
            )
    most = 2_200_000
    written = write_dashboard(settings, max_bytes=most)
    assert most * 0.8 < written.bytes <= most < MAX_BYTES
    text = written.file.read_text(encoding="utf-8")
    begin = text.index('id="data">') + len('id="data">')
    about = json.loads(text[begin : text.index("</script>", begin)])["about"]
    assert "daily" in about["left_out"]
    assert about["is_whole"] or about["start"] > "2026-04-01"
