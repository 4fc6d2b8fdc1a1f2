"""Whole messages: of a head, a manager and an engineer, and of what nobody knows."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.base.errors import VoronkaError
from orchestration.base.record import STEPS, CheckOutcome, Record
from orchestration.base.settings import Settings
from orchestration.digest.message import LONGEST, Block, Message, Span, line, name
from orchestration.digest.run import Run
from orchestration.digest.words import Words
from orchestration.metrics.choices import Language
from tests.unit.digest_company import ANNA, NOW, OLGA, ON_CALL, load, notify, publish

PAGE = "https://sales.example.com/"


def messages(settings: Settings, *recipients: str, now: datetime = NOW, **run) -> list[Message]:
    notify(settings, *recipients)
    outcome = Run(settings, now=now, **run).digests(is_dry=True)
    assert outcome.wrong == []
    return [draft.message for draft in outcome.drafts]


def said(settings: Settings, recipient: str = OLGA, **options) -> str:
    (message,) = messages(settings, recipient, **options)
    # Spaces that keep a number and its unit together read as any other.
    return f"{message.title}\n\n{message.text}".replace("\u00a0", " ")


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Settings:
    return publish(tmp_path_factory.mktemp("company"), page_url=PAGE)


def test_the_morning_of_a_head(company):
    assert (
        said(company)
        == """Утро: четверг, 12 марта

Вчера, 11 марта
• Выручка: 2,0 млн ₽
• Выигранные сделки: 1 из 2
• Назначено встреч: 2

Март, по 11 марта
• Выручка: 2,5 млн ₽ из 2,8 млн ₽, 89 % плана, темп 238 % ✓ (с планом: 2)
• Назначено встреч (неделя с 9 марта): 5 из 20, 25 % плана, темп 50 % ▼
• Выигранные сделки: 3, плана нет
• Прогноз на март: 3,1 млн ₽ (от 2,9 млн ₽ до 3,3 млн ₽), план 2,8 млн ₽

Требует внимания
• Vera, неделя 2 – 8 марта: назначено меньше встреч. calls_60s 20 → 10. Проверьте загрузку.
• Boris <b>, неделя 2 – 8 марта: встречи назначаются, но не проходят. """
        + """Проверки причины не нашли: послушайте звонки и поговорите с сотрудником.

С кем и о чём поговорить сегодня
• Boris <b>: Доля выигранных 20 %, у команды 35 % (февраль), цена вопроса 1,2 млн ₽
• Сделка 78 (Boris <b>, 800 000 ₽): Отправить КП.
• Сделка 77 (Anna, 900 000 ₽, дней без контакта: 3): Позвонить.

Обзор: https://sales.example.com/#overview?grain=month&period=2026-03-01&lang=ru
Диагностика: https://sales.example.com/#diagnosis?grain=month&period=2026-03-01&lang=ru
Сделки в работе: https://sales.example.com/#pipeline?grain=month&period=2026-03-01&lang=ru
Люди: https://sales.example.com/#people?grain=month&period=2026-03-01&lang=ru"""
    )


MANAGER = """Morning: Thursday, 12 March

Yesterday, 11 March
• Deals won: 1 of 2
• Revenue: 1,500 ₽

March, through 11 March
• Revenue: 1,500 ₽ of 400,000 ₽, 0% of plan, pace 1% ▼
• Win rate: 30%, planned 40%, pace 75% ▼
• Deals won: 2, no plan
• Forecast for March: 300,000 ₽, plan 400,000 ₽

Needs attention
• Results did not fall: week 2 – 8 March, February.

Three deals for today
• Deal 77 (900,000 ₽, days without contact: 3): Call back.

Overview: https://sales.example.com/#overview?grain=month&period=2026-03-01&manager=m1&lang=en
Diagnosis: https://sales.example.com/#diagnosis?grain=month&period=2026-03-01&manager=m1&lang=en
Pipeline: https://sales.example.com/#pipeline?grain=month&period=2026-03-01&manager=m1&lang=en"""


def test_the_morning_of_a_manager_holds_his_rows_alone(company):
    assert said(company, ANNA) == MANAGER


@pytest.mark.parametrize("language", Language)
def test_no_trace_of_others_comes_to_a_manager_whatever_they_did(tmp_path, language):
    """Others' names, deals, money and plans change; his message does not."""
    before = said(publish(tmp_path / "a"), ANNA, language=language)
    assert not re.search(r"Boris|Vera|\bm[23]\b|78|800|2[.,]0|2[.,]5|3[.,]1", before)
    more = " ".join(
        f"update {table} set {change} where manager_id <> 'm1';"
        for table, change in (
            ("marts.fct_payments", "amount = amount + 1234567"),
            ("marts.quota_attainment", "target = 9999, actual = 1, actual_to_date = 8888"),
            ("marts.deal_outlook", "amount = 777777, next_step_lift = 1"),
            ("marts.revenue_forecast", "forecast = 6666666"),
            ("marts.kpi_diagnostics", "manager_name = 'Somebody else'"),
            ("marts.fct_deals", "won_on = date '2026-03-11'"),
        )
    )
    assert said(publish(tmp_path / "b", more), ANNA, language=language) == before


def test_a_head_of_a_team_sees_his_team(company):
    head = "head: {role: head, viewer: head_north, language: en, to: 'json://localhost'}"
    text = said(company, head)
    assert "• Revenue: 2.0 M ₽\n• Deals won: 1 of 2\n• Meetings set: 0\n" in text
    assert "Boris <b>" in text and "Anna" in text and "Vera" not in text
    # The company's forecast is not the team's, and a team has none of its own.
    assert "Forecast" not in text


def test_a_role_that_sees_nobody_is_told_to_who_runs_it_and_others_get_theirs(company):
    notify(
        company,
        "gone: {role: manager, viewer: left_long_ago, to: 'json://localhost'}",
        "typo: {role: head, viewer: annna, to: 'json://localhost'}",
        ANNA,
    )
    outcome = Run(company).digests(is_dry=True)
    assert [it.message for it in outcome.wrong] == [
        "gone: left_long_ago sees no manager's rows of its own.",
        "typo: This role sees nothing here.",
    ]
    assert [it.recipient for it in outcome.drafts] == ["anna"]
    assert outcome.exit_code == 2


def test_what_was_never_loaded_is_not_known(tmp_path):
    settings = publish(
        tmp_path,
        "update quality.raw_reconciliation set rows_kept = 0 "
        "where table_name in ('crm.payments', 'crm.quotas', 'crm.meetings');"
        "delete from marts.fct_payments; delete from marts.quota_attainment; "
        "delete from marts.fct_meetings",
    )
    text = said(settings)
    assert "• Выручка: не известно, нет строк в crm.payments\n• Выигранные сделки: 1\n" in text
    assert "• Назначено встреч: не известно, нет строк в crm.meetings\n" in text
    assert "• План не известен: нет строк в crm.quotas\n" in text
    assert "Требует внимания\n• Не известно: нет строк в crm.meetings." in text
    assert "• Прогноз на март: не известен" in text


def test_a_day_that_is_not_loaded_whole_is_said_so(tmp_path):
    settings = publish(tmp_path)
    # In the middle of yesterday.
    load(settings, {"crm": datetime(2026, 3, 11, 9, 30, tzinfo=UTC)})
    assert "• Выручка: 2,0 млн ₽ (пока: crm загружено по 11 марта, 12:30)\n" in said(settings)
    load(settings, {"crm": datetime(2026, 3, 10, 20, 0, tzinfo=UTC)})
    text = said(settings)
    assert "• Выручка: не известно, crm загружено по 10 марта, 23:00\n" in text
    # Wednesday has passed without a load.
    assert "⚠ Опаздывают данные: crm.deals, crm.meetings, " in text
    assert text.count("(последняя загрузка 10 марта)") == 1


def test_a_day_after_the_last_that_is_known_is_not_known(company):
    text = said(company, now=datetime(2026, 4, 3, 6, 0, tzinfo=UTC))
    assert "Вчера, 2 апреля\n• Не известно: данные загружены по 11 марта.\n" in text
    assert "Март, по 11 марта\n" in text


def test_an_empty_warehouse_knows_nothing(tmp_path):
    settings = publish(tmp_path, "update quality.publication set as_of_date = null")
    text = said(settings)
    assert "• Не известно: в хранилище ещё нет событий." in text
    assert "Требует внимания\n• Не известно: сравнить ещё не с чем." in text


def test_on_the_first_of_a_month_the_month_is_the_one_that_ended(tmp_path):
    settings = publish(tmp_path, "update quality.publication set as_of_date = date '2026-03-01'")
    text = said(settings, now=datetime(2026, 3, 1, 6, 0, tzinfo=UTC))
    assert "Вчера, 28 февраля" in text and "Февраль, по 28 февраля" in text


def test_a_plan_up_to_a_day_that_runs_says_so(tmp_path):
    settings = publish(tmp_path, "update quality.publication set as_of_date = date '2026-03-12'")
    assert "Март, по 12 марта (сегодня в плане целиком)\n" in said(settings)


def test_a_day_is_the_companys_and_hours_are_the_readers(tmp_path):
    settings = publish(tmp_path)
    load(settings, {"crm": datetime(2026, 3, 11, 9, 30, tzinfo=UTC)})
    text = said(settings, OLGA.replace("to:", "time_zone: Asia/Novosibirsk, to:"))
    assert "(пока: crm загружено по 11 марта, 16:30)" in text


ENGINEER = """Warehouse: Thursday, 12 March

Published
• Data through 11 March, published 1 March, 07:00
• Rows read: 4, in quarantine: 1
• Checks: 9 passed, 1 warned, 0 failed

Last refresh
• Good: 12 March, 08:30

Checks that warn
• kind_is_known (crm.stages): 2 rows

Loads
• Tables that come on time: 4, all

Quarantine and money without a rate
• crm.deals: 2 of 5 rows in quarantine
• crm.payments, KZT: no rate for 2 of 10 rows"""


def test_the_morning_of_an_engineer_has_counts_and_no_values(tmp_path):
    settings = publish(tmp_path)
    message = "For example: phone +7 900 000-00-00"
    check = CheckOutcome("kind_is_known", "gx", "crm.stages", "warn", "warn", 2, message)
    record = Record(run_id="1", started_at="x", finished_steps=list(STEPS), checks=[check])
    record.save(settings.record_file)
    text = re.sub("Good: .*", "Good: 12 March, 08:30", said(settings, ON_CALL))
    assert text == ENGINEER


def test_an_engineer_hears_that_nothing_is_published_and_a_head_stops_nobody(tmp_path):
    settings = publish(tmp_path)
    settings.published_file.unlink()
    notify(settings, OLGA, ON_CALL)
    outcome = Run(settings).digests(is_dry=True)
    assert [it.message for it in outcome.wrong] == ["olga: Nothing is published yet."]
    (draft,) = outcome.drafts
    assert "Published\n• Nothing is published.\n" in draft.message.text


def tagless(html: str) -> str:
    return unescape(re.sub("<[^>]*>", "", html.replace("<br>", "\n")))


@pytest.mark.parametrize("recipient", [OLGA, ANNA, ON_CALL])
def test_html_says_what_the_text_says(company, recipient):
    (message,) = messages(company, recipient)
    body = message.text.rpartition("\n\n")[0]
    assert tagless(message.html).startswith(body)
    for link in message.links:
        assert f">{link.text}</a>" in message.html
    # Names of the CRM are no markup.
    assert "<b> " not in message.html and "Boris <b>" not in message.html


TEXTS = st.text(max_size=80)
BLOCKS = st.lists(
    st.builds(
        Block,
        TEXTS,
        st.lists(TEXTS.map(lambda it: line(Span(name(it), True), ": x")), max_size=30).map(tuple),
    ),
    max_size=6,
)


@given(TEXTS, BLOCKS)
def test_every_message_fits_telegram_and_says_what_is_left_out(title, blocks):
    whole = Message(title, tuple(blocks))
    fitted = whole.fitted()
    assert len(fitted.title) + len(fitted.html) <= LONGEST
    for before, after in zip(whole.blocks, fitted.blocks, strict=True):
        assert after.lines == before.lines[: len(after.lines)]
        assert after.more == len(before.lines) - len(after.lines)
        assert (f"+{after.more}" in fitted.text) or not after.more


def test_names_stay_on_one_line_and_show_what_they_hide():
    assert name("A\nB\t\u202eC") == "A B <U+202E>C"
    assert name("x" * 100) == "x" * 59 + "…"


@pytest.mark.parametrize(
    ("value", "unit", "russian", "english"),
    [
        (1234.5, "currency", "1 234 ₽", "1,234 ₽"),
        (999_949, "currency", "999 949 ₽", "999,949 ₽"),
        (999_950, "currency", "1,0 млн ₽", "1.0 M ₽"),
        (-1_500_000, "currency", "-1,5 млн ₽", "-1.5 M ₽"),
        (-0.2, "currency", "0 ₽", "0 ₽"),
        (0.805, "ratio", "80 %", "80%"),
        (12, "count", "12", "12"),
        (12.5, "count", "12,5", "12.5"),
        (90.25, "minutes", "90,2 мин", "90.2 min"),
        (3600, "seconds", "3 600 с", "3,600 s"),
        (4.5, "score", "4,5", "4.5"),
    ],
)
def test_figures_are_written_as_the_language_does(value, unit, russian, english):
    for language, expected in (("ru", russian), ("en", english)):
        assert Words(language, "RUB").value(value, unit).replace("\u00a0", " ") == expected


def test_both_languages_have_the_same_texts_with_the_same_places():
    from orchestration.digest import words

    file = Path(words.__file__).with_name("texts.json")
    texts = json.loads(file.read_text(encoding="utf-8"))
    places = {
        language: {key: sorted(re.findall(r"\{(\w+)\}", text)) for key, text in found.items()}
        for language, found in texts.items()
    }
    assert places["ru"] == places["en"]
    code = "".join(it.read_text(encoding="utf-8") for it in file.parent.glob("*.py"))
    prefixes = tuple(re.findall(r"""f["'](\w+_)\{""", code))
    unused = [it for it in texts["ru"] if f'"{it}"' not in code and not it.startswith(prefixes)]
    assert unused == []


def test_a_message_that_cannot_be_written_is_an_error_of_ours(company):
    with pytest.raises(VoronkaError, match="There is no recipient nobody"):
        Run(company).digests(["nobody"])
