"""Alerts: what is told when it begins, once, and when it is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.base.lock import only_refresh
from orchestration.base.record import STEPS, CheckOutcome, Failure, Record, TargetOutcome
from orchestration.base.settings import Settings
from orchestration.digest.alerts import Alert, Look, Trouble, look, news, write_alert
from orchestration.digest.freshness import Calendar, Rhythm, read_loads
from orchestration.digest.links import Page
from orchestration.digest.words import Words
from tests.unit.digest_company import NOW, load, publish

DAY = date(2026, 3, 12)
GOOD = Look(True, run_id="good")
BAD = Look(True, Trouble("A check stopped publication.", "Look at it."), "bad")
LATE = {"crm.deals": Rhythm(datetime(2026, 3, 5, tzinfo=UTC), date(2026, 3, 5), 1)}


def told(*looks: Look, days: list[date] | None = None) -> list[list[Alert]]:
    """The alerts of each look."""
    seen: dict[str, Any] = {}
    found = []
    for number, it in enumerate(looks):
        alerts, seen = news(seen, it, days[number] if days else DAY)
        found.append(alerts)
    return found


def kinds(*looks: Look, **options) -> list[list[str]]:
    return [[alert.kind for alert in alerts] for alerts in told(*looks, **options)]


def test_a_failure_is_told_once_and_then_its_end():
    other = Look(True, Trouble("The disk is full.", ""), "other")
    assert kinds(GOOD, BAD, BAD, other, GOOD, GOOD, BAD) == [
        [], ["failed"], [], ["failed"], ["recovered"], [], ["failed"],
    ]  # fmt: skip


def test_a_failure_at_the_first_look_is_told():
    assert kinds(BAD) == [["failed"]]


def test_a_refresh_that_runs_or_was_stopped_says_nothing():
    unknown = Look(False)
    assert kinds(BAD, unknown, BAD, unknown, GOOD) == [["failed"], [], [], [], ["recovered"]]


def test_a_late_table_is_told_once_for_its_last_load():
    again = {"crm.deals": Rhythm(datetime(2026, 3, 9, tzinfo=UTC), date(2026, 3, 9), 1)}
    late, later = Look(True, late=LATE), Look(True, late=again)
    assert kinds(late, late, GOOD, later, later, late) == [["late"], [], [], ["late"], [], ["late"]]


def test_growth_is_told_once_a_day_against_what_was_told():
    def counts(**rows: int) -> Look:
        return Look(True, quarantined={f"crm.{table}": count for table, count in rows.items()})

    alerts = told(
        counts(deals=5), counts(deals=7), counts(deals=9), counts(deals=9, leads=1),
        counts(deals=4), counts(deals=5),
        days=[DAY, DAY, DAY, *(DAY + timedelta(days=it) for it in (1, 2, 3))],
    )  # fmt: skip
    assert [[it.grown for it in found] for found in alerts] == [
        [],  # the baseline
        [{"crm.deals": (5, 7)}],
        [],  # told today already
        [{"crm.deals": (7, 9), "crm.leads": (0, 1)}],
        [],
        [{"crm.deals": (4, 5)}],
    ]


@pytest.mark.parametrize(("kind", "key"), [("drift", "drift"), ("checks", "warning")])
def test_what_is_new_is_told_and_what_comes_back_is_new_again(kind, key):
    def names(*found: str) -> Look:
        return Look(True, run_id="r", **{key: found})

    alerts = told(names("a"), names("a", "b"), names("a", "b"), names("b"), names("a", "b"))
    assert [[(it.kind, it.names) for it in found] for found in alerts] == [
        [], [(kind, ("b",))], [], [], [(kind, ("a",))],
    ]  # fmt: skip


def test_where_nothing_is_published_the_baseline_stays():
    some = Look(True, quarantined={"crm.deals": 5}, warning=("a",))
    more = Look(True, quarantined={"crm.deals": 6}, warning=("a", "b"))
    assert kinds(some, Look(True), more) == [[], [], ["quarantined", "checks"]]


LOOKS = st.builds(
    Look,
    st.booleans(),
    st.none() | st.sampled_from([Trouble("one", ""), Trouble("two", "")]),
    st.just("run"),
    st.none() | st.dictionaries(st.sampled_from("ab"), st.integers(1, 3)),
    st.none() | st.dictionaries(st.sampled_from("ab"), st.integers(1, 3)),
    st.none() | st.lists(st.sampled_from("ab"), unique=True).map(tuple),
    st.none() | st.lists(st.sampled_from("ab"), unique=True).map(tuple),
    st.just(LATE) | st.just({}),
)


@given(st.lists(LOOKS, max_size=8), LOOKS)
def test_the_same_look_twice_tells_nothing_the_second_time(before, last):
    assert told(*before, last, last)[-1] == []


@given(st.lists(LOOKS, max_size=12))
def test_failures_and_their_ends_take_turns(looks):
    """Each end follows a failure, and nothing is told of a failure that is known."""
    state = ""
    for found, seen in zip(told(*looks), looks, strict=True):
        for alert in found:
            if alert.kind == "failed":
                assert alert.trouble.message != state
                state = alert.trouble.message
            elif alert.kind == "recovered":
                assert alert.trouble.message == state and seen.trouble is None
                state = ""


@pytest.fixture
def settings(tmp_path) -> Settings:
    return publish(tmp_path)


def seen(settings: Settings) -> Look:
    calendar = Calendar.published(settings)
    return look(settings, read_loads(settings, "Europe/Moscow", calendar), DAY, calendar)


def remember(settings: Settings, **values: Any) -> None:
    Record(run_id="7", started_at=str(NOW), **values).save(settings.record_file)


def test_without_a_refresh_nothing_is_judged(settings):
    found = seen(settings)
    assert (found.is_judged, found.quarantined) == (False, {"crm.deals": 2})
    assert found.unpriced == {"crm.payments, KZT": 2}


def test_a_good_refresh_is_looked_at_with_its_checks_and_its_drift(settings):
    with duckdb.connect(str(settings.raw_zone_file)) as connection:
        connection.execute(
            "insert into zone.schema_drift values ('crm.deals', 'a', 'colour', 'VARCHAR'), "
            "('crm.deals', 'b', 'colour', 'VARCHAR'), ('crm.deals', 'x.csv', null, null), "
            "('crm.tasks', 'x.parquet', null, null)"
        )
    checks = [
        CheckOutcome("kind_is_known", "gx", "crm.stages", "warn", "warn", 2, "+7 900"),
        CheckOutcome("fine", "dbt", "marts.fct_deals", "error", "pass", 0, ""),
    ]
    remember(settings, finished_steps=list(STEPS), checks=checks)
    found = seen(settings)
    assert found.is_judged and found.trouble is None
    # However many files have a column; a file that is no Parquet file is no schema.
    assert found.drift == ("crm.deals: colour (VARCHAR)", "crm.tasks/")
    assert found.warning == ("kind_is_known (crm.stages)",)


def test_a_failed_refresh_a_lacking_target_and_a_missing_page_are_troubles(settings):
    remember(settings, failure=Failure("It broke.", "Mend it.", ["secret detail"], 1))
    assert seen(settings).trouble == Trouble("It broke.", "Mend it.")
    failed = TargetOutcome("postgres", failure=Failure("No answer.", "Start it.", [], 3))
    remember(settings, finished_steps=list(STEPS), targets=[failed])
    assert seen(settings).trouble == Trouble("postgres: No answer.", "Start it.")
    remember(settings, finished_steps=list(STEPS), dashboard_failure="The page is not there.")
    assert seen(settings).trouble == Trouble("The page is not there.", "voronka dashboard")


def test_what_stopped_a_refresh_is_named_and_no_value_of_the_data(settings):
    checks = [
        CheckOutcome("amount_is_positive", "gx", "marts.fct_deals", "error", "fail", 3, "+7 900"),
        CheckOutcome("kind_is_known", "gx", "crm.stages", "warn", "warn", 2, "Anna"),
    ]
    stopped = Failure("1 blocking check failed.", "Correct it.", ["+7 900"], 1)
    remember(settings, failure=stopped, checks=checks)
    expected = ("amount_is_positive (marts.fct_deals)",)
    assert seen(settings).trouble == Trouble("1 blocking check failed.", "Correct it.", expected)
    message = write_alert(
        Alert("failed", "7", seen(settings).trouble), Words("en", "RUB"), Page("", "en")
    )
    assert message.text == (
        "1 blocking check failed.\namount_is_positive (marts.fct_deals)\nWhat to do: Correct it."
    )
    # The words of an error that is not ours may hold a value.
    remember(settings, failure=Failure.of(ValueError("Could not convert '+7 900' to a number")))
    trouble = seen(settings).trouble
    assert trouble.message == "ValueError" and "fault of the program" in trouble.remedy


def test_another_check_that_stops_is_another_failure():
    one, other = (Look(True, Trouble("1 check.", "", (name,)), "r") for name in ("a", "b"))
    assert kinds(one, one, other, GOOD) == [["failed"], [], ["failed"], ["recovered"]]


def test_who_stopped_a_refresh_knows_of_it(settings):
    remember(settings, failure=Failure.of(KeyboardInterrupt()))
    assert not seen(settings).is_judged


def test_a_refresh_that_runs_is_not_judged(settings):
    remember(settings, failure=Failure("It broke.", "", [], 1))
    with only_refresh(settings):
        assert not seen(settings).is_judged
    remember(settings, failure=Failure("It broke.", "", [], 1))
    assert seen(settings).trouble is not None


def test_a_table_that_is_late_by_its_own_rhythm_is_seen(settings):
    assert seen(settings).late == {}
    # Loaded every day up to Tuesday; on Thursday a Wednesday has passed.
    load(settings, {"crm": datetime(2026, 3, 10, 9, 0, tzinfo=UTC)})
    assert set(seen(settings).late) == {"crm.payments", "crm.deals", "crm.meetings", "crm.quotas"}


@pytest.mark.parametrize(
    ("alert", "title", "text"),
    [
        (
            Alert("failed", "7", Trouble("It broke.", "Mend it.")),
            "Voronka: Обновление не прошло",
            "It broke.\nЧто делать: Mend it.",
        ),
        (
            Alert("recovered", "7", Trouble("It broke.", "")),
            "Voronka: Обновление снова проходит",
            "Прежде было: It broke.",
        ),
        (
            Alert("late", "k", late=LATE),
            "Voronka: Данные опаздывают",
            "crm.deals: последняя загрузка 5\u00a0марта, обычно не реже чем раз в 1 раб. дн.",
        ),
        (
            Alert("quarantined", "d", grown={"crm.deals": (5, 1200)}),
            "Voronka: Карантин вырос",
            "crm.deals: 5 → 1\u00a0200 строк",
        ),
        (
            Alert("unpriced", "d", grown={"crm.payments, KZT": (0, 3)}),
            "Voronka: Выросли деньги без курса",
            "crm.payments, KZT: 0 → 3 строк",
        ),
        (
            Alert("drift", "r", names=("crm.deals: colour (VARCHAR)",)),
            "Voronka: Изменилась схема выгрузок",
            "crm.deals: colour (VARCHAR)",
        ),
        (
            Alert("checks", "r", names=("kind_is_known (crm.stages)",)),
            "Voronka: Проверки стали предупреждать",
            "kind_is_known (crm.stages)",
        ),
    ],
)
def test_each_alert_in_words(alert, title, text):
    message = write_alert(alert, Words("ru", "RUB"), Page("https://p.example/", "ru"))
    link = "\n\nДанные: https://p.example/#quality?lang=ru"
    assert (message.title, message.text) == (title, text + link)
    english = write_alert(alert, Words("en", "RUB"), Page("", "en"))
    assert english.text and english.title != title and "https" not in english.text
