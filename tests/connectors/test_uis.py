"""UIS's samples, its points, its login and what its legs mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from orchestration.connectors.run import check
from tests.connectors.adapter import FIRST, SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.phones import COMPANY_TALK, calls, expected, manager_rows, met, talked
from tests.standins.company import small_company
from tests.standins.uis import LIMITS, PASSWORD, TOKEN, Store, UisStandIn, company_store

FOLDER = SAMPLES / "uis"
NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
SECRETS = {"UIS_TOKEN": TOKEN, "UIS_PASSWORD": PASSWORD}


def keys(standin: UisStandIn, **more: Any) -> dict[str, Any]:
    return {
        "kind": "uis",
        "base_url": standin.address,
        "token": "env:UIS_TOKEN",
        "managers": {"51": "7001", "52": "7002"},
        "start_date": "2026-11-23",
        **more,
    }


def rows_of(name: str) -> list[dict[str, Any]]:
    text = (FOLDER / f"uis_get_{name}.json").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text)["result"]["data"]
    return found


def sample_store(**session: Any) -> Store:
    sessions = [{**it, **session} for it in rows_of("calls_report")]
    return Store(sessions, rows_of("call_legs_report"), timezone=rows_of("account")[0]["timezone"])


def read(place: Place, store: Store, **more: Any) -> dict[str, dict[str, Any]]:
    with UisStandIn(lambda: store) as standin:
        place.connect("uis", keys(standin, **more), SECRETS)
        place.good(now=NOW)
    return calls(place.raw)


def test_the_sample_gives_the_expected_rows(place: Place) -> None:
    assert met(read(place, sample_store()), expected(FOLDER / "expected_calls.csv"))
    assert manager_rows(place.raw) == {"51": "7001", "52": "7002"}


def test_the_company_s_calls_are_those_that_there_were(place: Place) -> None:
    company = small_company()
    with UisStandIn(lambda: company_store(company), page_size=2) as standin:
        place.connect("uis", keys(standin, start_date="2026-03-01"), SECRETS)
        place.good(now=FIRST)
    assert talked(place.raw) == COMPANY_TALK


@pytest.mark.parametrize(
    ("leg", "wanted"),
    [({"finish_reason": "operator_busy"}, "busy"), ({"finish_reason": "sip_offline"}, "failed"),
     ({"finish_reason": "called_number_problems"}, "failed"),
     ({"finish_reason": "no_answer"}, "no_answer"), ({"is_talked": True}, "answered")],
)  # fmt: skip
def test_how_an_employee_s_leg_ended(place: Place, leg: dict[str, Any], wanted: str) -> None:
    store = sample_store()
    store.legs = [{**store.legs[1], **leg}]
    assert read(place, store)["uis:9100002"]["disposition"] == wanted


def test_a_coach_is_no_employee_of_the_call(place: Place) -> None:
    store = sample_store()
    store.legs[2] = {**store.legs[2], "is_coach": True}
    row = read(place, store)["uis:9100003"]
    assert (row["extension"], row["talk_seconds"]) == (None, "0")


def test_a_message_and_a_session_without_legs(place: Place) -> None:
    store = sample_store(is_lost=True, voice_mail_records=["v1"])
    store.legs = store.legs[:1]
    found = read(place, store)
    assert {key: it["disposition"] for key, it in found.items()} == {
        "uis:9100001": "voicemail",
        "uis:s700002": "voicemail",
    }
    assert found["uis:s700002"]["ended_at"] == "2026-11-23T10:10:18+03:00"


def test_a_session_without_a_customer_is_internal(place: Place) -> None:
    found = read(place, sample_store(contact_phone_number=None))
    assert {it["direction"] for it in found.values()} == {"internal"}


def test_the_account_s_zone_wins_and_a_difference_is_reported(place: Place) -> None:
    with UisStandIn(sample_store) as standin:
        place.connect("uis", keys(standin, timezone="Asia/Omsk"), SECRETS)
        report = place.good(now=NOW).report
    assert any("Asia/Omsk" in it and "Europe/Moscow" in it for it in report.warnings)
    assert calls(place.raw)["uis:9100001"]["started_at"] == "2026-11-23T10:00:00+03:00"


def test_points_are_waited_for_and_the_day_s_last_ones_left(place: Place) -> None:
    with UisStandIn(sample_store) as standin:
        place.connect("uis", keys(standin), SECRETS)
        standin.limits = [{**LIMITS, "minute_remaining": 0, "minute_reset": 42}]
        place.good(now=NOW)
        assert place.clock is not None
        assert 42.0 in place.clock.waits
        standin.limits = [{**LIMITS, "day_remaining": 149, "day_reset": 600}]
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 75
    assert outcome.failure is not None
    assert "149 of 3000" in outcome.failure.message
    assert "10 min" in outcome.failure.remedy


def test_a_session_that_has_expired_is_opened_anew_once(place: Place) -> None:
    with UisStandIn(sample_store) as standin:
        login = {"login": "reader", "password": "env:UIS_PASSWORD", "token": None}
        place.connect("uis", keys(standin, **login), SECRETS)

        def expire(request: Any) -> None:
            if request.json["method"] == "get.call_legs_report":
                standin.tokens = set()
                standin.always = None

        standin.always = expire
        place.good(now=NOW)
    assert standin.logins == 2
    assert len(calls(place.raw)) == 4
    for file in place.root.rglob("*"):
        assert not file.is_file() or b"session-secret" not in file.read_bytes()


def test_a_field_that_the_tariff_lacks_is_done_without_and_said(place: Place) -> None:
    with UisStandIn(sample_store) as standin:
        place.connect("uis", keys(standin), SECRETS)
        standin.without = {"call_records", "voice_mail_records"}
        report = place.good(now=NOW).report
    assert {it["recording_url"] for it in calls(place.raw).values()} == {None}
    assert "The tariff lacks call_records: read without." in report.warnings


def test_more_rows_than_pages_reach_are_asked_for_in_halves(place: Place) -> None:
    """Sessions and legs apart: legs are asked for with a day more on both sides."""
    company = small_company()
    with UisStandIn(lambda: company_store(company)) as standin:
        standin.crowded = 6 * 3600
        place.connect("uis", keys(standin, start_date="2026-03-01", slice="2d"), SECRETS)
        report = place.good(now=FIRST).report
    assert talked(place.raw) == COMPANY_TALK
    assert report.fetched["get.calls_report"] == len(company.calls)
    for method in ("get.calls_report", "get.call_legs_report"):
        spans = [(it["date_from"], it["date_till"]) for it in standin.asked
                 if it["method"] == method]  # fmt: skip
        lengths = [_seconds(*it) for it in spans]
        assert max(lengths) > 6 * 3600
        # Nothing is asked for twice, and no second is left out.
        small = sorted(it for it in set(spans) if _seconds(*it) < 6 * 3600)
        if method == "get.calls_report":
            assert len(small) == len([it for it in spans if _seconds(*it) < 6 * 3600])
            assert all(_seconds(end, begin) == 1 for (_, end), (begin, _) in pairwise(small))


def test_more_rows_in_a_second_than_pages_reach_are_not_left_out(place: Place) -> None:
    with UisStandIn(sample_store) as standin:
        standin.crowded = 0
        place.connect("uis", keys(standin), SECRETS)
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 75
    assert outcome.failure is not None
    assert "more than 100000 rows in a second" in outcome.failure.message
    assert calls(place.raw) == {}


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def test_a_check_shows_zone_and_calls(place: Place) -> None:
    with UisStandIn(sample_store) as standin:
        place.connect("uis", keys(standin), SECRETS)
        said = [it.text for it in check(place.settings(NOW), "uis")]
    assert said[0] == "Account ООО Вымысел: times in Europe/Moscow"
    assert any("4 rows of calls: 4 in" in it for it in said)
