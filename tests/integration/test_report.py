"""`voronka report manager` on the demo: on the screen, and on paper in a real browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from orchestration.metrics.glossary import read_metrics
from orchestration.report.paper import write_paper
from orchestration.report.people import Person
from orchestration.report.sheet import FLAGS, Call, Deal, Load, Rate, Result, Sheet
from orchestration.report.words import write_page
from tests import needs
from tests.conftest import ROOT, query, voronka


@pytest.fixture
def data(demo_publication: Path) -> Mapping[str, str]:
    """The environment in which the demo is published."""
    return {"VORONKA_DATA_DIR": str(demo_publication.parents[1])}


def test_the_sheet_says_what_the_marts_hold(
    demo_publication: Path, data: Mapping[str, str]
) -> None:
    done = voronka("report", "manager", "m-01", "--month", "2026-08", "--lang", "en", env=data)
    assert done.returncode == 0, done.stderr
    said = done.stdout.replace("\u2009", " ")
    ((paid, target),) = query(
        demo_publication,
        "select actual::int, target::int from marts.quota_attainment where manager_id = 'm-01' "
        "and metric = 'set_meetings_paid' and period = 'month' and period_start = '2026-08-01'",
    )
    assert re.search(rf"Set meetings paid +{paid} +{target} ", said)
    gaps = query(
        demo_publication,
        "select gap_in_deals, gap_in_money from marts.manager_profile where manager_id = 'm-01' "
        "and period_start = '2026-08-01' and gap_in_deals > 0 and metric <> 'meeting_show_rate' "
        "order by gap_in_money desc limit 1",
    )
    ((deals, money),) = gaps
    priced = f"{money:,.0f} ₽".replace(",", " ")
    assert re.search(rf" {f'{deals:.1f}'.removesuffix('.0')} +{priced} ", said)
    ((score, url),) = query(
        demo_publication,
        "select score::double, recording_url from marts.fct_call_evaluations "
        "where manager_id = 'm-01' and credited_on between '2026-08-01' and '2026-08-31' "
        "and recording_url is not null order by score, credited_on desc, call_id limit 1",
    )
    assert f"{score:g}" in said and Path(url).name in said.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    ("arguments", "what", "more"),
    [
        (("m-1",), "no manager “m-1”", "m-01: Журавлёв Павел"),
        (("Журавлов",), "no manager “Журавлов”", "m-01: Журавлёв Павел"),
        (("ов",), "may be any of 8", "m-12: Орлов Виктор"),
        (("m-01", "--month", "2026-13"), "“2026-13” is no month", "2026-09"),
        (("m-01", "--month", "август"), "“август” is no month", "2026-09"),
        (("m-01", "--month", "2031-01"), "has not begun", "earlier month"),
    ],
)
def test_who_or_which_month_is_not_clear_is_told(
    data: Mapping[str, str], arguments: tuple[str, ...], what: str, more: str
) -> None:
    done = voronka("report", "manager", *arguments, env=data)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert what in said and more in said


def test_without_a_publication_it_says_what_to_do(tmp_path: Path) -> None:
    done = voronka("report", "manager", "m-01", env={"VORONKA_DATA_DIR": str(tmp_path)})
    assert done.returncode == 2 and "Run `voronka refresh` first" in done.stderr


def full_sheet() -> Sheet:
    """As much as a sheet ever says, with long names and next steps of three lines."""
    metrics = ("call_to_meeting_rate", "held_to_paid_rate", "responded_in_5min_rate")
    rates = [
        Rate(
            *(name, 0.9, 18, 19, 0.5, 4, 0.4, 0.7, 0.97, True, "meetings", at, at + 1),
            *(3.4, 1_234_567.0, "strength"),
        )
        for at, name in enumerate(metrics, start=1)
    ]
    weak = Rate(
        *("next_step_rate", 0.1, 5, 50, 0.5, 4, 0.4, 0.04, 0.21, False, None, None, None),
        *(None, None, "weakness"),
    )
    results = ("revenue", "deals_won", "meetings_held", "sales_actions", "new_customers")
    lacks = tuple(FLAGS.values())
    step = "Перезвонить и договориться о встрече с тем, кто принимает решение, до конца недели"
    why = "нет контакта 19 дней: −12 п. п. против обычной сделки на этом этапе"
    return Sheet(
        person=Person("m", "Константинопольский Александр Вениаминович", "Продажи", "hunter"),
        month=date(2026, 9, 1),
        as_of=date(2026, 9, 17),
        results=[Result(name, 1e6, 1e6, 2e6, 0.5, 1.5e6, 0.7) for name in (*results, *metrics)],
        rates=[*rates, weak],
        trend={name: [1_234_567.0] * 6 for name in results},
        load=Load("breadth", 160, 2.6, 120.5, 4.1),
        calls=[
            Call(date(2026, 9, 1), 10.5, lacks, f"https://pbx.example/recordings/{'0' * 90}.mp3")
        ]
        * 4,
        evaluated_calls=40,
        deals=[
            Deal("12345678", "Согласование договора", 9e6, 40, 19, 0.3, {"ru": step}, {"ru": why})
        ]
        * 5,
        open_deals=90,
        has_outlook=True,
        missing={"csat": "crm.surveys", "calls": "telephony.calls"},
        unpriced={"revenue": 4},
    )


def test_the_longest_sheet_is_one_page(tmp_path: Path) -> None:
    page = write_page(full_sheet(), read_metrics(ROOT), "ru", "RUB")
    write_paper(page, tmp_path / "full.html")
    assert printed_pages(tmp_path / "full.html") == 1


def printed_pages(file: Path) -> int:
    """How many sheets of A4 a browser prints."""
    executable = needs.chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto(file.as_uri())
        page.screenshot(path=file.with_suffix(".png"), full_page=True)
        found = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
        browser.close()
    return len(found)


def test_every_manager_fits_on_one_printed_page_and_on_a_phone(
    demo_publication: Path, data: Mapping[str, str], tmp_path: Path
) -> None:
    executable = needs.chromium()
    from playwright.sync_api import sync_playwright

    files = []
    # Every role, somebody who left, and who did next to nothing.
    for key, language in (
        *(("m-01", "ru"), ("m-06", "en"), ("m-08", "ru"), ("m-10", "ru"), ("m-12", "en")),
        ("m-91", "ru"),
    ):
        file = tmp_path / f"{key}.html"
        options = ("--output", file, "--language", language)
        done = voronka("report", "manager", key, *options, env=data)
        assert done.returncode == 0 and str(file) in done.stdout, done.stderr
        files.append((file, language))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        for file, language in files:
            page = browser.new_page(viewport={"width": 390, "height": 844})
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, file.name
            assert page.evaluate("document.documentElement.lang") == language
            assert len(page.query_selector_all("[data-block]")) == 6
            pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
            assert len(pages) == 1, file.name
            assert asked == [file.as_uri()]
            page.close()
        browser.close()
