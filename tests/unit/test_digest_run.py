"""Who gets what, when, and never twice: the journal, days off, quiet hours, failures, kills."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.base.errors import WrongUse
from orchestration.base.record import STEPS, Failure, Record
from orchestration.base.settings import Settings
from orchestration.digest.addresses import Address
from orchestration.digest.journal import MOST_RUNS, Busy, Journal, only_sender
from orchestration.digest.run import Run, alert_after_refresh
from tests.unit.digest_company import ANNA, NOW, ON_CALL, notify, publish
from tests.unit.digest_company import OLGA as HEAD

# Her message asks nothing of the metrics layer: what it says is not what these tests are about.
OLGA = "olga: {role: engineer, alerts: false, to: 'json://localhost/olga'}"
SATURDAY = datetime(2026, 3, 14, 6, 0, tzinfo=UTC)
HOLIDAY = datetime(2026, 3, 9, 6, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 15, 6, 0, tzinfo=UTC)


class Courier:
    """Takes messages; `refusals` by the end of an address are what it says instead."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str]] = []
        self.tried: list[str] = []
        self.refusals: dict[str, str] = {}
        self.kills = False

    def __call__(self, address: Address, title: str, text: str, html: str) -> str:
        who = address.template.rpartition("/")[2]
        self.tried.append(who)
        if who in self.refusals:
            return self.refusals[who]
        self.taken.append((who, title, text))
        if self.kills:
            raise KeyboardInterrupt
        return ""

    @property
    def whom(self) -> list[str]:
        return [who for who, _, _ in self.taken]

    @property
    def titles(self) -> list[str]:
        return [title for _, title, _ in self.taken]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return publish(tmp_path)


@pytest.fixture
def courier() -> Courier:
    return Courier()


def run(settings: Settings, courier: Courier, now: datetime = NOW) -> Run:
    return Run(settings, courier=courier, now=now)


def refreshed(settings: Settings, message: str = "", run_id: str = "1") -> None:
    failure = Failure(message, "Mend it.", [], 1) if message else None
    done = [] if message else list(STEPS)
    Record(run_id=run_id, started_at="x", failure=failure, finished_steps=done).save(
        settings.record_file
    )


def test_everybody_gets_a_digest_once_a_day(settings, courier):
    notify(settings, HEAD, ANNA, ON_CALL)
    first = run(settings, courier).digests()
    assert courier.whom == ["olga", "anna", "on_call"]
    assert first.sent == [
        "olga (json): Утро: четверг, 12\u00a0марта",
        "anna (json): Morning: Thursday, 12\u00a0March",
        "on_call (json): Warehouse: Thursday, 12\u00a0March",
    ]
    again = run(settings, courier, NOW + timedelta(hours=3)).digests()
    assert again.skipped == [f"{it}: sent already" for it in ("olga", "anna", "on_call")]
    assert (again.sent, again.exit_code, len(courier.taken)) == ([], 0, 3)
    run(settings, courier, NOW + timedelta(days=1)).digests()
    assert len(courier.taken) == 6


def test_only_who_is_named_gets_it(settings, courier):
    notify(settings, OLGA, ON_CALL)
    run(settings, courier).digests(["on_call"])
    assert courier.whom == ["on_call"]
    run(settings, courier).digests()
    assert courier.whom == ["on_call", "olga"]


@pytest.mark.parametrize("day", [SATURDAY, SUNDAY, HOLIDAY])
def test_nothing_comes_on_a_day_off_unless_asked(settings, courier, day):
    notify(settings, OLGA, OLGA.replace("olga", "keen").replace("role", "days_off: true, role"))
    outcome = run(settings, courier, day).digests()
    assert courier.whom == ["keen"]
    assert outcome.held == ["olga: a day off"]


def test_quiet_hours_hold_it_until_they_end(settings, courier):
    quiet = OLGA.replace("role", "quiet: '22:00-09:30', time_zone: Europe/Moscow, role")
    notify(settings, quiet)
    outcome = run(settings, courier).digests()
    assert (courier.taken, outcome.held) == ([], ["olga: quiet hours until 09:30"])
    run(settings, courier, NOW + timedelta(minutes=30)).digests()
    assert courier.titles == ["Хранилище: четверг, 12\u00a0марта"]


def test_the_day_is_that_of_the_readers_clock(settings, courier):
    """At 22 o'clock in Moscow it is tomorrow in Novosibirsk."""
    late = datetime(2026, 3, 11, 19, 0, tzinfo=UTC)
    east = OLGA.replace("olga", "east").replace("role", "time_zone: Asia/Novosibirsk, role")
    notify(settings, OLGA, east)
    run(settings, courier, late).digests()
    assert courier.titles == [
        "Хранилище: среда, 11\u00a0марта", "Хранилище: четверг, 12\u00a0марта",
    ]  # fmt: skip


def test_a_message_that_is_not_taken_stops_nobody_and_is_tried_by_the_next_run(settings, courier):
    notify(settings, OLGA, ON_CALL)
    courier.refusals["olga"] = "Unauthorized"
    outcome = run(settings, courier).digests()
    assert courier.whom == ["on_call"]
    assert (outcome.failed, outcome.exit_code) == (["olga (json): Unauthorized"], 75)
    courier.refusals.clear()
    assert run(settings, courier).digests().exit_code == 0
    assert courier.whom == ["on_call", "olga"]


def test_of_two_addresses_only_the_one_that_failed_is_tried_again(settings, courier):
    both = OLGA.replace("'json://localhost/olga'", "['json://localhost/a', 'json://localhost/b']")
    notify(settings, both)
    courier.refusals["a"] = "busy"
    run(settings, courier).digests()
    courier.refusals.clear()
    run(settings, courier).digests()
    assert courier.tried == ["a", "b", "a"]


def test_a_kill_between_sending_and_noting_sends_once_more_at_most(settings, courier):
    notify(settings, OLGA)
    courier.kills = True
    with pytest.raises(KeyboardInterrupt):
        run(settings, courier).digests()
    courier.kills = False
    run(settings, courier).digests()
    run(settings, courier).digests()
    assert courier.whom == ["olga", "olga"]


def test_a_secret_that_is_not_set_is_named_and_others_get_theirs(settings):
    notify(settings, "bot: {role: engineer, to: 'tgram://${NO_SUCH_TOKEN}/1'}")
    outcome = Run(settings).digests()
    assert [str(it) for it in outcome.wrong] == [
        "bot: tgram: the variable NO_SUCH_TOKEN is not set.\n"
        "Set it where voronka runs: export NO_SUCH_TOKEN='…'"
    ]
    assert outcome.exit_code == 2


def test_without_recipients_the_command_says_what_to_do(settings, courier):
    with pytest.raises(WrongUse, match="Nobody is named in"):
        run(settings, courier).digests()


def test_a_dry_run_sends_notes_and_locks_nothing(settings, courier):
    notify(settings, OLGA, ON_CALL)
    refreshed(settings, "It broke.")
    dry = run(settings, courier, SATURDAY).digests(is_dry=True)
    assert [(it.recipient, it.schemes, it.reason) for it in dry.drafts] == [
        ("olga", ("json",), "a day off"), ("on_call", ("json",), ""),
    ]  # fmt: skip
    (alert,) = run(settings, courier).alerts(is_dry=True).drafts
    assert (alert.recipient, alert.message.title) == ("on_call", "Voronka: The refresh failed")
    assert courier.tried == [] and not settings.notifications_dir.exists()


def test_a_dry_run_prints_exactly_what_is_sent(settings, courier):
    notify(settings, HEAD, ANNA, ON_CALL)
    drafts = run(settings, courier).digests(is_dry=True).drafts
    run(settings, courier).digests()
    assert [(it.recipient, it.message.title, it.message.text) for it in drafts] == courier.taken
    assert {it.reason for it in run(settings, courier).digests(is_dry=True).drafts} == {
        "sent already"
    }


def test_engineers_hear_of_a_failure_once_and_of_its_end(settings, courier):
    notify(settings, OLGA, ON_CALL)
    refreshed(settings, "It broke.")
    for _ in range(3):
        run(settings, courier).alerts()
    assert courier.taken == [
        ("on_call", "Voronka: The refresh failed", "It broke.\nWhat to do: Mend it.")
    ]
    refreshed(settings, run_id="2")
    run(settings, courier).alerts()
    run(settings, courier).alerts()
    assert courier.titles[1:] == ["Voronka: The refresh is good again"]
    refreshed(settings, "It broke.", run_id="3")
    run(settings, courier).alerts()
    assert courier.titles[2:] == ["Voronka: The refresh failed"]


def test_an_alert_in_quiet_hours_waits_for_any_run_after_them(settings, courier):
    notify(settings, ON_CALL.replace("role", "quiet: '22:00-09:30', role"))
    refreshed(settings, "It broke.")
    held = run(settings, courier).alerts().held
    assert held == ["on_call: Voronka: The refresh failed: quiet hours until 09:30"]
    # It recovers meanwhile: both are told, in their order.
    refreshed(settings, run_id="2")
    run(settings, courier).alerts()
    assert courier.taken == []
    run(settings, courier, NOW + timedelta(hours=1)).digests()
    assert courier.titles == [
        "Voronka: The refresh failed", "Voronka: The refresh is good again",
        "Warehouse: Thursday, 12\u00a0March",
    ]  # fmt: skip


def test_an_alert_that_is_not_taken_is_tried_in_a_few_runs_and_then_given_up(settings, courier):
    notify(settings, ON_CALL)
    refreshed(settings, "It broke.")
    courier.refusals["on_call"] = "busy"
    outcomes = [run(settings, courier).alerts() for _ in range(MOST_RUNS + 1)]
    assert [it.exit_code for it in outcomes] == [75] * MOST_RUNS + [0]
    assert outcomes[MOST_RUNS - 1].failed == [
        "on_call (json): busy", "on_call: given up: Voronka: The refresh failed",
    ]  # fmt: skip
    assert len(courier.tried) == MOST_RUNS


def test_what_waits_for_somebody_who_is_gone_is_dropped(settings, courier):
    notify(settings, ON_CALL)
    refreshed(settings, "It broke.")
    courier.refusals["on_call"] = "busy"
    run(settings, courier).alerts()
    notify(settings, ON_CALL.replace("localhost", "127.0.0.1"))
    outcome = run(settings, courier).alerts()
    assert outcome.skipped == ["on_call: has no such address any more"]
    assert Journal(settings.notifications_dir).waiting == []


def test_heads_and_engineers_without_alerts_get_none(settings, courier):
    notify(settings, OLGA, ON_CALL.replace("role", "alerts: false, role"))
    refreshed(settings, "It broke.")
    run(settings, courier).alerts()
    assert courier.tried == []


def test_one_process_sends_at_a_time(settings, courier):
    notify(settings, OLGA)
    with only_sender(settings.notifications_dir), pytest.raises(Busy) as error:
        run(settings, courier).digests()
    assert error.value.exit_code == 75 and courier.tried == []


def test_the_journal_forgets_what_is_too_old_to_come_again(settings, courier):
    notify(settings, OLGA)
    run(settings, courier).digests()
    run(settings, courier, NOW + timedelta(days=70)).digests()
    stored = json.loads((settings.notifications_dir / "journal.json").read_text())
    assert [key.rpartition(":")[2] for key in stored["sent"]] == ["2026-05-21"]


def test_the_journal_holds_no_address(settings, courier, monkeypatch):
    monkeypatch.setenv("SECRET_PLACE", "json://localhost/very-secret")
    notify(settings, "on_call: {role: engineer, to: '${SECRET_PLACE}'}")
    refreshed(settings, "It broke.")
    courier.refusals["${SECRET_PLACE}"] = "busy"
    run(settings, courier).alerts()
    text = (settings.notifications_dir / "journal.json").read_text()
    assert "very-secret" not in text and "localhost" not in text


@pytest.mark.parametrize("content", ["", "{", "[]", "\ud800"])
def test_a_damaged_journal_sends_nothing(settings, courier, content):
    notify(settings, OLGA)
    settings.notifications_dir.mkdir(parents=True)
    file = settings.notifications_dir / "journal.json"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(WrongUse, match=r"journal\.json"):
        run(settings, courier).digests()
    assert courier.tried == []


def test_a_data_directory_that_cannot_be_written_sends_nothing(settings, courier):
    notify(settings, OLGA)
    settings.notifications_dir.write_text("a file in its place")
    with pytest.raises(WrongUse, match="notifications cannot be written"):
        run(settings, courier).digests()
    assert courier.tried == []


def test_a_publication_without_our_marts_is_told_in_words_and_stops_nobody(tmp_path, courier):
    settings = publish(tmp_path, "drop table marts.deal_outlook")
    settings.raw_zone_file.write_bytes(b"damaged")
    notify(settings, HEAD, ON_CALL)
    outcome = run(settings, courier).digests()
    (wrong,) = outcome.wrong
    assert wrong.message.startswith("olga: What is published cannot be read: ")
    assert courier.whom == ["on_call"]


def test_after_a_refresh_alerts_go_out_only_where_the_file_asks_for_it(settings, courier):
    said: list[str] = []
    refreshed(settings, "It broke.")
    notify(settings, ON_CALL)
    alert_after_refresh(settings, said.append)
    assert not settings.notifications_dir.exists() and said == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alerts_after_refresh: true\nrecipients: [", "Alerts were not sent: "),
        (
            "alerts_after_refresh: true\nrecipients:\n  bot: {role: engineer, days_off: true, "
            "to: 'tgram://${NO_SUCH_TOKEN}/1'}",
            "An alert was not sent. bot: tgram: the variable NO_SUCH_TOKEN is not set.",
        ),
    ],
)
def test_whatever_is_wrong_with_alerts_a_refresh_only_hears_of_it(settings, text, said):
    heard: list[str] = []
    refreshed(settings, "It broke.")
    settings.notifications_file.write_text(text)
    alert_after_refresh(settings, heard.append)
    (line,) = heard
    assert line.startswith(said)


def _state(settings: Settings) -> dict[str, Any]:
    return Journal(settings.notifications_dir).seen


def test_what_is_new_and_what_is_seen_reach_the_disk_together(settings, courier):
    """A kill while an alert is sent loses nothing: it waits in the journal."""
    notify(settings, ON_CALL)
    refreshed(settings, "It broke.")
    courier.kills = True
    with pytest.raises(KeyboardInterrupt):
        run(settings, courier).alerts()
    assert _state(settings)["failed"]["message"] == "It broke."
    assert len(Journal(settings.notifications_dir).waiting) == 1
    courier.kills = False
    run(settings, courier).alerts()
    run(settings, courier).alerts()
    assert courier.titles == ["Voronka: The refresh failed"] * 2
