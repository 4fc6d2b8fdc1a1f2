"""`voronka report manager` on the demo: on the screen, and on paper in a real browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import needs
from tests.conftest import query, voronka


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
