"""The command, doctor and Dagster around messages."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from orchestration.base.findings import Finding
from orchestration.base.record import Failure, Record
from orchestration.base.settings import Settings
from orchestration.cli.doctor_notifications import examine_notifications
from orchestration.defs.digest import ALERTS_JOB, DIGEST_JOB, build_digest
from tests.conftest import voronka
from tests.standins.server import Reply, Request, StandIn, json_reply
from tests.unit.digest_company import ANNA, NOW, OLGA, ON_CALL, notify, publish


class Hook(StandIn):
    """Takes any request."""

    def answer(self, request: Request) -> Reply:
        return json_reply({})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return publish(tmp_path)


def environment(settings: Settings) -> dict[str, str]:
    return {
        "VORONKA_PROJECT_DIR": str(settings.root),
        "VORONKA_DATA_DIR": str(settings.data),
        "VORONKA_NOTIFICATIONS": str(settings.notifications_file),
        "VORONKA_NOW": NOW.isoformat(),
        "VORONKA_PAGE_URL": "",
    }


def test_a_dry_run_prints_each_message_and_says_why_it_is_held(settings):
    notify(settings, OLGA.replace("role", "quiet: '22:00-10:00', role"), ON_CALL)
    done = voronka("digest", "--dry-run", "--language", "en", env=environment(settings))
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout.replace("\u00a0", " ")
    assert text.startswith(
        "olga (json)\n! not now: quiet hours until 10:00\nMorning: Thursday, 12 March\n\n"
        "Yesterday, 11 March\n• Revenue: 2.0 M ₽\n"
    )
    assert "on_call (json)\nWarehouse: Thursday, 12 March\n" in text
    assert text.endswith("Nothing was sent.\n")


def test_the_command_says_what_went_wrong_and_its_exit_code_too(settings):
    with Hook() as hook:
        good = ANNA.replace("json://localhost", hook.address.replace("http", "json"))
        notify(settings, good, OLGA.replace("localhost/olga", "127.0.0.1:9/?retry=0"))
        done = voronka("digest", env=environment(settings))
    assert done.returncode == 75
    assert "anna (json): Morning: Thursday, 12\u00a0March" in done.stdout
    assert "olga (json): A Connection error occurred sending JSON" in done.stderr
    unknown = voronka("digest", "--to", "anny", env=environment(settings))
    assert unknown.returncode == 2
    assert "There is no recipient anny." in unknown.stderr and "Traceback" not in unknown.stderr


def found(settings: Settings, words: str) -> Finding:
    (finding,) = (it for it in examine_notifications(settings) if words in it.text)
    return finding


def test_doctor_says_nothing_without_a_file(settings):
    assert list(examine_notifications(settings)) == []


def test_doctor_checks_syntax_secrets_addresses_and_roles(settings, monkeypatch):
    monkeypatch.setenv("WRONG_BOT", "no-token")
    notify(
        settings, ANNA,
        "a: {role: head, to: ['tgram://${NO_SUCH_TOKEN}/1', 'tgram://${WRONG_BOT}/1']}",
        "b: {role: manager, viewer: nobody, to: 'json://localhost'}",
    )  # fmt: skip
    assert found(settings, "3 recipients").text == "3 recipients of messages: anna, a, b"
    unset = found(settings, "A secret of notifications.yml is not set")
    assert (unset.grade, unset.details) == ("note", ["a: tgram: NO_SUCH_TOKEN"])
    unreadable = found(settings, "apprise cannot read an address")
    assert (unreadable.grade, unreadable.details) == ("bad", ["a: tgram"])
    assert found(settings, "b: This role sees nothing here.").grade == "bad"
    assert found(settings, "VORONKA_PAGE_URL is not set").grade == "note"
    settings.notifications_file.write_text("recipients: {c: {role: boss, to: 'json://localhost'}}")
    (broken,) = examine_notifications(settings)
    assert broken.grade == "bad" and broken.details == [
        "c: role: Input should be 'head', 'manager' or 'engineer'"
    ]


def run_job(settings: Settings, name: str) -> dg.ExecuteInProcessResult:
    messages = build_digest(settings, "Europe/Moscow")
    definitions = dg.Definitions(jobs=messages.jobs)
    return definitions.resolve_job_def(name).execute_in_process(raise_on_error=False)


def test_dagsters_jobs_send_the_same(settings):
    Record(run_id="1", started_at="x", failure=Failure("It broke.", "", [], 1)).save(
        settings.record_file
    )
    with Hook() as hook:
        place = hook.address.replace("http", "json")
        notify(settings, *(it.replace("json://localhost", place) for it in (OLGA, ON_CALL)))
        assert run_job(settings, DIGEST_JOB).success
        assert run_job(settings, ALERTS_JOB).success
        assert run_job(settings, DIGEST_JOB).success
    assert [it.json["title"].replace("\u00a0", " ") for it in hook.requests] == [
        "Утро: четверг, 12 марта", "Warehouse: Thursday, 12 March", "Voronka: The refresh failed",
    ]  # fmt: skip


def test_a_message_that_is_not_taken_fails_dagsters_run_with_its_words(settings):
    notify(settings, OLGA.replace("localhost/olga", "127.0.0.1:9/?retry=0"))
    result = run_job(settings, DIGEST_JOB)
    assert not result.success
    (failed,) = (it for it in result.all_events if it.is_step_failure)
    failure = failed.step_failure_data.user_failure_data
    assert failure.description.startswith("olga (json): A Connection error occurred")


def test_the_schedule_and_the_sensor_are_off_until_turned_on(settings):
    messages = build_digest(settings, "Europe/Moscow")
    assert messages.schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert messages.sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert messages.schedule.execution_timezone == "Europe/Moscow"


def test_the_sensor_starts_alerts_once_for_each_refresh_that_ended(settings):
    sensor = build_digest(settings, "Europe/Moscow").sensor

    def ask(cursor: str | None) -> dg.SensorResult:
        with dg.build_sensor_context(cursor=cursor) as context:
            result = sensor(context)
            assert isinstance(result, dg.SensorResult)
            return result

    assert ask(None).skip_reason.skip_message == "There is no notifications.yml."
    notify(settings, ON_CALL)
    assert ask(None).skip_reason.skip_message == "No refresh has ended since."
    Record(run_id="1", started_at="x").save(settings.record_file)
    first = ask(None)
    assert len(first.run_requests) == 1
    assert ask(first.cursor).run_requests in (None, [])
    Record(run_id="2", started_at="x").save(settings.record_file)
    assert len(ask(first.cursor).run_requests) == 1
