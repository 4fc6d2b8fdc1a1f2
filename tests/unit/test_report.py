"""The sheet for a one-to-one talk: what is chosen, what is said where figures are thin."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.base.errors import WrongUse
from orchestration.base.terminal import Screen
from orchestration.metrics.glossary import read_metrics
from orchestration.report import paper, screen, words
from orchestration.report.people import Person, find_person
from orchestration.report.sheet import Rate, Sheet, read_sheet
from tests.conftest import ROOT

CATALOGUE = read_metrics(ROOT)
ANN = Person("m1", "Иванова Анна", "Север", "hunter")
MARCH = date(2026, 3, 1)


def rate(metric: str, **given: Any) -> Rate:
    """A rate of 50 cases, at the team's median of 0.5 in a team of three."""
    values: dict[str, Any] = {
        **{"metric": metric, "value": 0.5, "numerator": 25, "denominator": 50},
        **{"team_median": 0.5, "team_managers": 3, "own_previous": None, "low": 0.37},
        **{"high": 0.63, "is_small_sample": False, "funnel": None, "from_step": None},
        **{"to_step": None, "gap_in_deals": None, "gap_in_money": None, "verdict": None},
    }
    return Rate(**(values | given))


def step(metric: str, start: int, end: int, money: float | None, deals: float = 1.0) -> Rate:
    return rate(
        metric,
        **{"funnel": "meetings", "from_step": start, "to_step": end},
        **{"gap_in_deals": deals, "gap_in_money": money},
    )


def sheet(**given: Any) -> Sheet:
    values: dict[str, Any] = {
        **{"person": ANN, "month": MARCH, "as_of": date(2026, 3, 31), "results": [], "rates": []},
        **{"trend": {}, "load": None, "calls": [], "evaluated_calls": 0, "deals": []},
        **{"open_deals": 0, "has_outlook": False, "missing": {}, "unpriced": {}},
    }
    return Sheet(**(values | given))


def text_of(given: Sheet, language: str = "en") -> dict[str, str]:
    """What the sheet says, by its parts."""
    page = words.write_page(given, CATALOGUE, language, "RUB")
    return {
        block.name: "\n".join(
            [
                block.about,
                *(" | ".join(cell.text for cell in row) for row in block.rows),
                *block.below,
                *block.notes,
            ]
        ).replace("\u2009", " ")
        for block in page.blocks
    }


# What is chosen


def test_certain_strengths_come_first_and_small_samples_last() -> None:
    found = sheet(
        rates=[
            rate("csat", value=0.9, is_small_sample=True),
            rate("answer_rate", value=0.6),
            rate("won_share", value=0.55),
            rate("win_rate", value=0.52, low=0.51, high=0.53, verdict="strength"),
            rate("next_step_rate", value=0.4),
            rate("needs_found_rate", value=0.7, team_managers=1),
        ]
    ).strengths
    assert [it.metric for it in found] == ["win_rate", "answer_rate", "won_share"]


def test_gaps_are_the_dearest_of_which_no_two_speak_of_the_same_step() -> None:
    given = sheet(
        rates=[
            step("call_to_meeting_rate", 1, 2, 300),
            step("meeting_confirmation_rate", 2, 3, 500),
            step("confirmed_to_held_rate", 3, 4, 100),
            step("meeting_show_rate", 2, 4, 700),
            step("held_to_paid_rate", 4, 5, -50, -0.5),
            rate("answer_rate", value=0.2, verdict="weakness"),
            rate("csat", value=0.4),
        ]
    )
    assert [it.metric for it in given.gaps] == ["meeting_show_rate", "call_to_meeting_rate"]
    # A rate with a price is not named twice, one without a price is not forgotten.
    assert [it.metric for it in given.weaknesses] == ["answer_rate"]


def test_steps_without_a_price_come_by_deals_behind_those_with_one() -> None:
    given = sheet(
        rates=[
            step("call_to_meeting_rate", 1, 2, None, 2.0),
            step("held_to_paid_rate", 4, 5, None, 3.0),
            step("meeting_show_rate", 2, 4, 1, 0.1),
        ]
    )
    assert [it.metric for it in given.gaps] == [
        *("meeting_show_rate", "held_to_paid_rate", "call_to_meeting_rate"),
    ]
    assert "price of a deal unknown" in text_of(given)["gaps"]


# What is said


def test_few_cases_and_chance_are_said_beside_the_rate() -> None:
    said = text_of(
        sheet(
            rates=[
                rate("answer_rate", value=0.6, is_small_sample=True, denominator=7),
                rate("win_rate", value=0.8, verdict="strength"),
            ]
        )
    )["strengths"]
    assert "Win rate | 80% | 50% | – | 50 | surely above the team" in said
    assert "60% | 50% | – | 7 | may be chance, few cases: 7" in said


def test_what_is_not_there_is_said_in_words() -> None:
    said = text_of(sheet())
    assert "There are no plans for this month." in said["results"]
    assert "There are no rates for this month." in said["strengths"]
    assert said["calls"].strip() == "No call of this month was evaluated."
    assert said["deals"].strip() == "There are no open deals."
    alone = text_of(sheet(rates=[rate("csat", value=0.9, team_managers=1)]))
    assert "Nobody else has this role" in alone["strengths"]
    lacking = dict.fromkeys(("calls_60s", "answer_rate"), "telephony.calls")
    page = words.write_page(sheet(missing=lacking), CATALOGUE, "ru", "RUB")
    assert page.notes == (
        "Содержательные разговоры, Доля отвеченных: не загружено, нет строк в telephony.calls",
    )


def test_both_languages_say_the_same_things() -> None:
    ru, en = words.texts("ru"), words.texts("en")
    assert list(ru) == list(en)
    for key, text in ru.items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", en[key])), key
    source = "".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "orchestration/report").glob("*.py")
    )
    asked = set(re.findall(r"_text\(\s*\"(\w+)\"", source))
    assert asked and asked <= set(ru)


def test_lines_over_time_leave_gaps_and_stay_inside() -> None:
    assert screen.sparkline([1, None, 2, 3]) == "▁ ▅█"
    assert screen.sparkline([5, 5]) == "▄▄"
    assert screen.sparkline([None]) == ""
    assert paper.points([1, None, 3]) == "1.0,13.0 63.0,1.0"
    assert paper.points([None, 2]) == ""


# From the marts


@pytest.fixture
def marts() -> Iterator[duckdb.DuckDBPyConnection]:
    """As much of a published file as a sheet reads, as of 15 April."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            create schema marts; create schema quality;
            create table quality.publication as select date '2026-04-15' as as_of_date;
            create table quality.raw_reconciliation as
            select * from (values ('crm.deals', 5), ('finance.sales_costs', 0))
                as t(table_name, rows_kept);
            create table marts.dim_manager as
            select * from (values ('m1', 'Иванова Анна', 'Север', 'hunter'),
                ('m2', 'Иванов Пётр', 'Север', 'hunter'), ('m3', 'Ким <b>Вера</b>', null, null),
                ('unknown', 'Unknown', null, null)) as t(manager_id, manager_name, team, role);
            create table marts.unpriced_daily as
            select date '2026-03-05' as date_day, 'm1' as manager_id, 2 as payments_unpriced,
                1 as deals_won_unpriced;
            create table marts.dim_stage as select 's1' as stage_id, 'Счёт' as stage_name;
            create table marts.quota_attainment as
            select * from (values
                ('m1', 'revenue', 'month', date '2026-04-01', 1000.0, 0.4, 500.0, 0.8),
                ('m1', 'revenue', 'month', date '2026-03-01', 800.0, 1.25, 800.0, 1.25),
                ('m1', 'revenue', 'quarter', date '2026-04-01', 9.0, 9.0, 9.0, 9.0),
                ('m1', 'happiness', 'month', date '2026-04-01', 9.0, null, null, null))
                as t(manager_id, metric, period, period_start, target, attainment,
                    target_to_date, pace);
            create table marts.kpi_manager_period as
            select * from (values
                ('month', date '2026-01-01', 'm1', 100.0, 1, 0.25),
                ('month', date '2026-03-01', 'm1', 1000.0, 2, 0.5),
                ('month', date '2026-04-01', 'm1', 400.0, 0, null),
                ('week', date '2026-03-30', 'm1', 7.0, 7, 0.7))
                as t(period_grain, period_start, manager_id, revenue, deals_won, win_rate);
            create table marts.open_deals as
            select * from (values ('d1', 'Счёт', 'presale', 'm1', 100.5, 3),
                ('d2', 'Встреча', 'open', 'm1', 900.0, 40), ('d3', 'Встреча', 'open', 'm2', 1.0, 1))
                as t(deal_id, stage_name, stage_kind, manager_id, amount, days_in_stage);
            create table marts.fct_call_evaluations as
            select * from (values
                ('c1', 'm1', date '2026-04-02', 30.0, 'https://pbx.example/1', false, null, true,
                    false),
                ('c2', 'm1', date '2026-04-03', 20.5, 'javascript:alert(1)', true, true, true,
                    true),
                ('c3', 'm1', date '2026-04-03', 90.0, null, true, true, true, true),
                ('c4', 'm1', date '2026-03-31', 1.0, null, true, true, true, true),
                ('c5', 'm2', date '2026-04-03', 1.0, null, true, true, true, true))
                as t(call_id, manager_id, credited_on, score, recording_url, needs_found,
                    presentation_made, objections_handled, next_step_agreed);
            """
        )
        columns = ", ".join(
            f"null::{'varchar' if kind in ('str', 'str | None') else 'double'} as {name}"
            for name, kind in Rate.__annotations__.items()
            if name not in ("metric", "value", "denominator", "team_managers", "is_small_sample")
        )
        connection.execute(
            "create table marts.manager_profile as select 'm1' as manager_id, "
            "date '2026-04-01' as period_start, 'win_rate' as metric, null::double as value, "
            f"0 as denominator, 0 as team_managers, true as is_small_sample, {columns}, "
            "'breadth' as depth_or_breadth, 45 as deals_in_work, 2.5 as actions_per_deal, "
            "30.0 as team_deals_in_work, 4.0 as team_actions_per_deal"
        )
        yield connection


OUTLOOK = """
    create table marts.deal_outlook as
    select * from (values
        ('d2', 'Счёт', 'm1', 900.0, 40, 19, 0.25, 'Позвонить', 'Call back (+7 pp)',
            'молчит', 'silent for 19 days: −12 pp', 1),
        ('d1', 'Встреча', 'm1', null, 3, null, null, null, null, null, null, 2),
        ('d3', 'Счёт', 'm2', 1.0, 1, 1, 0.5, 'x', 'x', null, null, 1))
        as t(deal_id, stage_name, manager_id, amount, days_in_stage, days_since_contact,
            win_probability, next_step_ru, next_step_en, reason_1_ru, reason_1_en, rank)
"""


def test_a_running_month_is_held_against_the_plan_to_date(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    found = read_sheet(marts, CATALOGUE, ANN, date(2026, 4, 1))
    assert found.is_running
    said = text_of(found)
    # A plan on an unknown name is no figure to show; what happened last month is beside.
    assert "Revenue | 400 ₽ | 1 000 ₽ | 500 ₽ | 80% | 1 000 ₽" in said["results"]
    assert "happiness" not in said["results"]
    # No row between two months is nothing won; before the first month nobody knows.
    assert found.trend["deals_won"] == [None, None, 1, 0, 2, 0]
    assert found.trend["win_rate"] == [None, None, 0.25, None, 0.5, None]
    assert "45 deals in work (team 30), 2.5 actions a deal (team 4)" in said["gaps"]


def test_the_default_is_the_last_month_that_ended(marts: duckdb.DuckDBPyConnection) -> None:
    found = read_sheet(marts, CATALOGUE, ANN, None)
    assert (found.month, found.is_running) == (MARCH, False)
    assert "Revenue | 1 000 ₽ | 800 ₽ | 125% | 0 ₽" in text_of(found)["results"]
    with pytest.raises(WrongUse, match=r"2026-05 has not begun: the data end on 2026-04-15"):
        read_sheet(marts, CATALOGUE, ANN, date(2026, 5, 1))


def test_without_older_months_the_running_one_is_shown(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    marts.execute("delete from marts.kpi_manager_period where period_start < date '2026-04-01'")
    assert read_sheet(marts, CATALOGUE, ANN, None).month == date(2026, 4, 1)


def test_money_without_a_rate_is_told_and_not_shown_as_nothing(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    found = read_sheet(marts, CATALOGUE, ANN, MARCH)
    page = words.write_page(found, CATALOGUE, "en", "RUB")
    assert page.notes == ("Revenue: lacks money without a rate to the base currency, rows: 2.",)
    assert "Revenue | 1 000 ₽" in text_of(found)["results"]
    marts.execute("update marts.kpi_manager_period set revenue = 0")
    said = text_of(read_sheet(marts, CATALOGUE, ANN, MARCH))["results"]
    assert "Revenue | – | 800 ₽ | – |" in said


def test_calls_are_the_lowest_scored_of_the_month_with_what_they_lacked(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    found = read_sheet(marts, CATALOGUE, ANN, date(2026, 4, 1))
    said = text_of(found)["calls"].splitlines()
    assert said[:4] == [
        "The lowest scores of 3, those with a recording first.",
        "2026-04-03 | 20.5 | all marks are there | javascript:alert(1)",
        "2026-04-02 | 30 | needs, next step | https://pbx.example/1",
        "2026-04-03 | 90 | all marks are there | no recording",
    ]
    html = paper.render(words.write_page(found, CATALOGUE, "en", "RUB"))
    assert re.findall(r'href="([^"]*)"', html) == ["https://pbx.example/1"]


def test_deals_come_without_next_steps_where_there_is_no_outlook(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    said = text_of(read_sheet(marts, CATALOGUE, ANN, None))["deals"]
    assert said.splitlines()[:3] == [
        "2 are open, the first are shown.",
        "d1 | Счёт | 100 ₽ | 3",
        "d2 | Встреча | 900 ₽ | 40",
    ]
    assert "has no table deal_outlook" in said


def test_deals_come_by_the_outlooks_rank_with_their_next_step(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    marts.execute(OUTLOOK)
    found = read_sheet(marts, CATALOGUE, ANN, None)
    said = text_of(found)["deals"].splitlines()
    assert said[1:] == [
        "d2 | Счёт | 900 ₽ | 40 | 19 | 25%",
        "d1 | Встреча | – | 3 | – | –",
        "Call back (+7 pp) · silent for 19 days: −12 pp",
        "none",
    ]
    assert "Позвонить · молчит" in text_of(found, "ru")["deals"]
    marts.execute("update marts.deal_outlook set win_probability = null")
    without = text_of(read_sheet(marts, CATALOGUE, ANN, None))["deals"]
    assert "There are no chances yet" in without and "Call back" in without


@pytest.mark.parametrize("width", [80, 160])
def test_on_the_screen_a_deals_step_stands_below_it(
    marts: duckdb.DuckDBPyConnection, width: int
) -> None:
    marts.execute(OUTLOOK)
    found = read_sheet(marts, CATALOGUE, ANN, None)
    shown = io.StringIO()
    console = Screen(file=shown, width=width, force_terminal=True, color_system=None)
    screen.show_page(console, words.write_page(found, CATALOGUE, "en", "RUB"))
    lines = [line.rstrip() for line in shown.getvalue().replace("\u2009", " ").splitlines()]
    at = next(at for at, line in enumerate(lines) if line.startswith("d2 "))
    assert lines[at + 1] == "    → Call back (+7 pp) · silent for 19 days: −12 pp"
    assert lines[at + 2].split() == ["d1", "Встреча", "–", "3", "–", "–"]
    # A narrow screen has the latest four months; a figure is never broken.
    months = next(line for line in lines if "Mar 26" in line)
    assert ("Oct 25" in months) == (width == 160) and "Dec 25" in months
    assert max(map(len, lines)) <= width
    assert any(line.startswith("Revenue, ₽") and "1 000" in line for line in lines)


def test_a_manager_is_found_by_key_or_by_words_of_the_name(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    for text in ("m2", "петр", "Пётр ИВАНОВ"):
        assert find_person(marts, text).key == "m2"
    with pytest.raises(WrongUse, match="may be any of 2 managers") as several:
        find_person(marts, "Иванов")
    assert several.value.details == ["m2: Иванов Пётр", "m1: Иванова Анна"]
    with pytest.raises(WrongUse, match="no manager “Ивнова”") as nobody:
        find_person(marts, "Ивнова")
    assert nobody.value.details[0] == "m1: Иванова Анна" and nobody.value.exit_code == 2
    for text in ("unknown", "", "  "):
        with pytest.raises(WrongUse):
            find_person(marts, text)


def test_names_of_the_crm_are_no_markup_on_paper(marts: duckdb.DuckDBPyConnection) -> None:
    found = read_sheet(marts, CATALOGUE, find_person(marts, "m3"), None)
    html = paper.render(words.write_page(found, CATALOGUE, "ru", "RUB"))
    assert "Ким &lt;b&gt;Вера" in html and "<b>" not in html
    assert "За этот месяц у сотрудника нет ни одного события." in html
    assert not re.search(r"<(link|img|script|iframe)\b", html)


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    page = words.write_page(sheet(), CATALOGUE, "ru", "RUB")
    with pytest.raises(WrongUse, match="cannot be written"):
        paper.write_paper(page, tmp_path / "file/sheet.html")
    with pytest.raises(WrongUse, match=r"sheet\.pdf: the sheet is HTML"):
        paper.write_paper(page, tmp_path / "sheet.pdf")
    assert not (tmp_path / "sheet.pdf").exists()
