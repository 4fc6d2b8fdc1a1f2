"""Twilio's sample, its filter by days, and what its legs mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.connectors.adapter import FIRST, SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.phones import COMPANY_TALK, calls, expected, met, talked
from tests.standins.company import small_company
from tests.standins.server import json_reply
from tests.standins.twilio import (
    ACCOUNT,
    KEY,
    KEY_SECRET,
    TOKEN,
    Store,
    TwilioStandIn,
    basic,
    company_store,
)

FOLDER = SAMPLES / "twilio"
NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
SECRETS = {"TWILIO_TOKEN": TOKEN}


def keys(standin: TwilioStandIn, **more: Any) -> dict[str, Any]:
    return {"kind": "twilio", "base_url": standin.address, "account_sid": ACCOUNT,
            "auth_token": "env:TWILIO_TOKEN", "start_date": "2026-11-23",
            "agents": {"client:anna": "anna", "client:ivan": "ivan"},
            "managers": {"anna": "7001", "ivan": "7002"}, **more}  # fmt: skip


def sample() -> list[dict[str, Any]]:
    text = (FOLDER / "twilio_calls_page.json").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text)["calls"]
    return found


def read(place: Place, listed: list[dict[str, Any]], **more: Any) -> dict[str, dict[str, Any]]:
    with TwilioStandIn(lambda: Store(listed)) as standin:
        place.connect("twilio", keys(standin, **more), SECRETS)
        place.good(now=NOW)
    return calls(place.raw)


def test_the_sample_gives_the_expected_rows(place: Place) -> None:
    assert met(read(place, sample()), expected(FOLDER / "expected_calls.csv"))


def test_the_company_s_calls_are_those_that_there_were(place: Place) -> None:
    company = small_company()
    with TwilioStandIn(lambda: company_store(company), page_size=2) as standin:
        place.connect("twilio", keys(standin, start_date="2026-03-01"), SECRETS)
        place.good(now=FIRST)
    assert talked(place.raw) == COMPANY_TALK


def test_rows_outside_of_what_was_asked_for_stop_the_run(place: Place) -> None:
    late = [{**sample()[0], "start_time": "Mon, 02 Nov 2026 07:00:00 +0000"}]
    with TwilioStandIn(Store) as standin:
        place.connect("twilio", keys(standin), SECRETS)
        standin.always = lambda it: (
            json_reply({"calls": late}) if it.path.endswith("/Calls.json") else None
        )
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "2026-11-02" in outcome.failure.message
    assert calls(place.raw) == {}


def test_a_leg_after_midnight_belongs_to_the_conversation_before_it(place: Place) -> None:
    parent, child = sample()[0], sample()[2]
    parent |= {"start_time": "Sun, 22 Nov 2026 23:59:50 +0000"}
    child |= {"start_time": "Mon, 23 Nov 2026 00:00:05 +0000"}
    found = read(place, [parent, child], start_date="2026-11-22")
    assert {it["linked_id"] for it in found.values()} == {f"twilio:{parent['sid']}"}
    assert {it["direction"] for it in found.values()} == {"in"}


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress"])
def test_a_call_that_goes_on_is_pending(place: Place, status: str) -> None:
    with TwilioStandIn(lambda: Store([{**sample()[3], "status": status}])) as standin:
        place.connect("twilio", keys(standin), SECRETS)
        assert place.good(now=NOW).report.pending == {"Calls": 1}
    assert calls(place.raw) == {}


@pytest.mark.parametrize(
    ("values", "way", "employee"),
    [({"direction": "trunking-originating"}, "in", None),
     ({"direction": "trunking-terminating"}, "out", None),
     ({"from": "sip:anna@x.example"}, "out", None),
     ({"to": "sip:anna@x.example"}, "in", "anna"),
     ({"to": "+74990000100", "direction": "outbound-api"}, "out", None),
     ({"from": "client:anna", "to": "client:ivan"}, "internal", "anna")],
)  # fmt: skip
def test_directions(place: Place, values: dict[str, Any], way: str, employee: str | None) -> None:
    (row,) = read(place, [{**sample()[3], **values}]).values()
    assert (row["direction"], row["extension"]) == (way, employee)


def test_an_agent_s_mobile_is_his(place: Place) -> None:
    parent, child = sample()[0], {**sample()[2], "to": "+79990000900"}
    found = read(place, [parent, child], agents={"+79990000900": "103"})
    assert found[f"twilio:{child['sid']}"]["extension"] == "103"
    assert found[f"twilio:{child['sid']}"]["talk_seconds"] == "170"


def test_recordings_are_those_of_their_leg(place: Place) -> None:
    company = small_company()
    with TwilioStandIn(lambda: company_store(company)) as standin:
        place.connect("twilio", keys(standin, start_date="2026-03-01"), SECRETS)
        place.good(now=FIRST)
    assert calls(place.raw)["twilio:CA0000000501"]["recording_url"] == (
        f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE0000000501.mp3"
    )


def test_subaccounts_are_read_too_each_with_its_recordings(place: Place) -> None:
    parent, child = sample()[0], sample()[2]
    own = [{**it, "sid": f"{it['sid']}x", "parent_call_sid": it["parent_call_sid"] and
            f"{it['parent_call_sid']}x"} for it in (parent, child)]  # fmt: skip
    recording = {"sid": "RE1", "call_sid": own[1]["sid"], "date_created": child["end_time"],
                 "uri": "/2010-04-01/Accounts/AC0002/Recordings/RE1.json"}  # fmt: skip
    with TwilioStandIn(lambda: Store([parent, child])) as standin:
        standin.below["AC0002"] = Store(own, [recording])
        place.connect("twilio", keys(standin, accounts=["AC0002", ACCOUNT]), SECRETS)
        report = place.good(now=NOW).report
    found = calls(place.raw)
    assert found.keys() == {f"twilio:{it['sid']}" for it in (parent, child, *own)}
    legs = {sid: found[f"twilio:{sid}"] for sid in (child["sid"], own[1]["sid"])}
    assert {it["talk_seconds"] for it in legs.values()} == {"170"}
    assert legs[child["sid"]]["recording_url"] is None
    assert legs[own[1]["sid"]]["recording_url"] == (
        "https://api.twilio.com/2010-04-01/Accounts/AC0002/Recordings/RE1.mp3"
    )
    assert legs[own[1]["sid"]]["linked_id"] == f"twilio:{own[0]['sid']}"
    assert report.fetched["Calls"] == 4
    # The account named twice is asked once.
    assert sum(it.path.endswith(f"{ACCOUNT}.json") for it in standin.requests) == 1


def test_a_subaccount_that_is_none_is_named(place: Place) -> None:
    with TwilioStandIn(Store) as standin:
        place.connect("twilio", keys(standin, accounts=["AC0009"]), SECRETS)
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "Correct account_sid, or accounts" in outcome.failure.remedy


def test_an_api_key_logs_in_instead_of_the_token(place: Place) -> None:
    own = {"auth_token": None, "api_key_sid": KEY, "api_key_secret": "env:TWILIO_KEY_SECRET"}
    with TwilioStandIn(lambda: Store(sample())) as standin:
        place.connect("twilio", keys(standin, **own), {"TWILIO_KEY_SECRET": KEY_SECRET})
        place.good(now=NOW)
        assert {it.headers["authorization"] for it in standin.requests} == {basic(KEY, KEY_SECRET)}
        assert met(calls(place.raw), expected(FOLDER / "expected_calls.csv"))
        place.connect("twilio", keys(standin, **own), {"TWILIO_KEY_SECRET": "another-secret"})
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "env:TWILIO_KEY_SECRET" in outcome.failure.remedy
    hidden = basic(KEY, KEY_SECRET).removeprefix("Basic ").encode()
    for file in place.root.rglob("*"):
        if file.is_file():
            assert KEY_SECRET.encode() not in file.read_bytes()
            assert hidden not in file.read_bytes()
