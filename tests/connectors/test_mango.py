"""Mango Office's samples, and the oddities of its statistics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.connectors.run import check
from tests.connectors.adapter import FIRST, SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.phones import (
    COMPANY_TALK,
    calls,
    expected,
    manager_rows,
    met,
    talked,
    write_managers,
)
from tests.connectors.zone import all_rows, current
from tests.standins import amocrm
from tests.standins.amocrm import AmocrmStandIn
from tests.standins.company import Call, Ring, at, small_company
from tests.standins.mango import KEY, SALT, MangoStandIn, Store, company_store
from tests.standins.server import Reply, Request, json_reply

FOLDER = SAMPLES / "mango"
NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
SECRETS = {"MANGO_KEY": KEY, "MANGO_SALT": SALT}


def keys(standin: MangoStandIn, **more: Any) -> dict[str, Any]:
    return {
        "kind": "mango",
        "base_url": standin.address,
        "api_key": "env:MANGO_KEY",
        "api_salt": "env:MANGO_SALT",
        "managers": {"101": "7001", "10002": "7002"},
        "start_date": "2026-11-22",
        **more,
    }


def sample(name: str) -> Any:
    return json.loads((FOLDER / f"mango_{name}.json").read_text(encoding="utf-8"))


def sample_store() -> Store:
    calls = [call for day in sample("stats_calls_result")["data"] for call in day["list"]]
    basic = (FOLDER / "mango_stats_result_basic.txt").read_text(encoding="utf-8").splitlines()
    return Store(calls, sample("config_users")["users"], basic)


def read(place: Place, store: Store, now: datetime = NOW, **more: Any) -> dict[str, dict[str, Any]]:
    """What the raw zone has of these calls in the end."""
    with MangoStandIn(lambda: store) as standin:
        place.connect("mango", keys(standin, **more), SECRETS)
        place.good(now=now)
    return calls(place.raw)


def call(**values: Any) -> dict[str, Any]:
    """The sample's inbound call with one leg of an employee."""
    base = sample("stats_calls_result")["data"][0]["list"][3]
    return {**base, "context_type": 1, "caller_id": None, "caller_number": "79990000001",
            "called_number": "74990000100", **values}  # fmt: skip


def leg(**values: Any) -> dict[str, Any]:
    return {**call()["context_calls"][0], **values}


def only(place: Place, *listed: dict[str, Any], **more: Any) -> Sequence[dict[str, Any]]:
    return list(read(place, Store(list(listed), sample_store().users), **more).values())


def test_the_sample_gives_the_expected_rows(place: Place) -> None:
    assert met(read(place, sample_store()), expected(FOLDER / "expected_calls.csv"))
    held = current(place.raw, "telephony.extensions").values()
    assert {(it["extension"], it["manager_id"], it["valid_from"]) for it in held} == {
        ("10001", "7001", "2000-01-01T00:00:00+00:00"),
        ("10002", "7002", "2000-01-01T00:00:00+00:00"),
    }


def test_the_sample_of_an_order_is_what_the_stand_in_gives() -> None:
    assert list(sample("stats_request_key")) == ["key"]


def test_the_basic_statistics_say_the_same_but_for_ids_and_internal_calls(place: Place) -> None:
    found = read(place, sample_store(), api="basic")
    wanted = {
        (row["linked_id"], row["started_at"], row["disposition"]): row
        for row in expected(FOLDER / "expected_calls.csv").values()
        if row["direction"] != "internal"
    }
    people = {"10001": "101", "10002": "102", None: None}
    got = {(it["linked_id"], it["started_at"], it["disposition"]): it for it in found.values()}
    assert got.keys() == wanted.keys()
    for key, row in wanted.items():
        same = {name: value for name, value in row.items() if name not in ("call_id", "extension")}
        assert {name: got[key][name] for name in same} == same
        assert got[key]["extension"] == people[row["extension"]]
    assert all(len(key.rpartition("-")[2]) == 12 for key in found)
    held = current(place.raw, "telephony.extensions").values()
    assert {(it["extension"], it["manager_id"]) for it in held} == {
        ("101", "7001"),
        ("102", "7002"),
    }


def test_a_basic_line_with_other_fields_is_rejected_and_counted(place: Place) -> None:
    """Eight fields are what one gets who does not ask for them."""
    with MangoStandIn(Store) as standin:
        place.connect("mango", keys(standin, api="basic", start_date="2026-11-23"), SECRETS)
        standin.polls = [Reply(200, b"[];1;2;0;101;;;79990000055\n")]
        report = place.good(now=NOW).report
    assert report.rejected == {"stats": 1}
    assert any("[];1;2;0;101" in it for it in report.warnings)
    assert calls(place.raw) == {}


def test_the_company_s_calls_are_those_that_there_were(place: Place) -> None:
    company = small_company()
    with MangoStandIn(lambda: company_store(company)) as standin:
        place.connect("mango", keys(standin, start_date="2026-03-01"), SECRETS)
        place.good(now=FIRST)
    assert talked(place.raw) == COMPANY_TALK


def test_what_is_sent_is_what_is_signed_and_a_day_more_is_asked_for(place: Place) -> None:
    with MangoStandIn(Store) as standin:
        place.connect("mango", keys(standin), SECRETS)
        place.good(now=NOW)
        orders = [it for it in standin.asked if "start_date" in it]
    assert orders[0] == {
        "start_date": "21.11.2026 00:00:00",
        "end_date": "24.11.2026 00:00:00",
        "limit": "1000",
        "offset": "0",
    }


def test_a_result_that_is_not_ready_is_asked_for_every_five_seconds(place: Place) -> None:
    with MangoStandIn(sample_store) as standin:
        place.connect("mango", keys(standin), SECRETS)
        standin.polls = [Reply(204), json_reply({"result": 1000, "status": "request"}), Reply(204)]
        place.good(now=NOW)
    assert place.clock is not None
    assert place.clock.waits.count(5.0) == 3


def test_a_result_that_is_lost_is_ordered_anew(place: Place) -> None:
    with MangoStandIn(sample_store) as standin:
        place.connect("mango", keys(standin), SECRETS)
        standin.lost = 2
        place.good(now=NOW)
    assert len(calls(place.raw)) == 5


def test_pages_go_on_until_one_is_short(place: Place) -> None:
    with MangoStandIn(sample_store) as standin:
        place.connect("mango", keys(standin, page=1, start_date="2026-11-23"), SECRETS)
        place.good(now=NOW)
        offsets = [it["offset"] for it in standin.asked if "offset" in it]
    assert offsets == ["0", "1", "2", "3", "4"]
    assert len(calls(place.raw)) == 5


def test_a_leg_without_an_id_is_known_by_its_place(place: Place) -> None:
    inner = [leg(external_call_id=None), leg(external_call_id="")]
    group = {**leg(call_type="group"), "members": inner}
    found = only(place, call(entry_id="E", context_calls=[leg(external_call_id=None), group]))
    assert {it["call_id"] for it in found} == {"mango:E#0", "mango:E#1.0", "mango:E#1.1"}


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [(1121, "busy"), (1122, "busy"), (1123, "busy"), (1131, "failed"), (1140, "failed"),
     (1141, "no_answer"), (1152, "failed"), (2010, "failed"), (5003, "failed"),
     (1110, "no_answer"), (None, "no_answer")],
)  # fmt: skip
def test_why_a_call_was_not_answered(place: Place, reason: int | None, wanted: str) -> None:
    (row,) = only(place, call(context_calls=[leg(call_answer_time=0, call_end_reason=reason)]))
    assert (row["disposition"], row["talk_seconds"]) == (wanted, "0")


def test_a_machine_that_picked_up_has_answered_nobody_unless_the_keys_say_so(place: Place) -> None:
    machine = call(context_calls=[leg(call_type="group", members=None)])
    (row,) = only(place, machine)
    assert (row["disposition"], row["extension"], row["talk_seconds"]) == ("no_answer", None, "0")
    (row,) = only(Place(place.root / "b", place.monkeypatch), machine, ivr_answers=True)
    assert (row["disposition"], row["talk_seconds"]) == ("answered", "60")


def test_a_customer_passed_on_in_an_outbound_call_is_the_colleague_s(place: Place) -> None:
    legs = [
        leg(call_type="user", call_abonent_id=10001, external_call_id="OWN"),
        leg(call_type="number", call_abonent_id=None, external_call_id="CUSTOMER"),
        leg(call_type="user", call_abonent_id=10002, external_call_id="COLLEAGUE"),
    ]
    found = read(
        place,
        Store([call(context_type=2, caller_id=10001, called_number="79990000055",
                    caller_number="101", context_calls=legs)], sample_store().users),
    )  # fmt: skip
    assert {key: it["extension"] for key, it in found.items()} == {
        "mango:OWN": None,
        "mango:CUSTOMER": "10001",
        "mango:COLLEAGUE": "10002",
    }


def test_a_call_that_goes_on_is_pending_and_comes_when_it_has_ended(place: Place) -> None:
    store = Store([call(context_calls=[leg(call_end_time=None)])])
    with MangoStandIn(lambda: store) as standin:
        place.connect("mango", keys(standin), SECRETS)
        assert place.good(now=NOW).report.pending == {"stats/calls": 1}
        assert calls(place.raw) == {}
        store.calls = [call()]
        place.good(now=datetime(2026, 11, 23, 19, tzinfo=UTC))
    assert len(calls(place.raw)) == 1


def test_internal_calls_with_customers_in_them_stop_the_run_until_the_keys_say_what_they_are(
    place: Place,
) -> None:
    outbound = call(context_type=3, caller_id=10001, caller_number="101",
                    called_number="79990000055")  # fmt: skip
    with MangoStandIn(lambda: Store([outbound], sample_store().users)) as standin:
        place.connect("mango", keys(standin), SECRETS)
        outcome = place.run(now=NOW)
        assert outcome.exit_code == 2
        assert outcome.failure is not None
        assert "1 of 1" in outcome.failure.message
        assert "context_type_map" in outcome.failure.remedy
        assert calls(place.raw) == {}
        place.connect("mango", keys(standin, context_type_map={"3": "out"}), SECRETS)
        place.good(now=NOW)
    assert [it["direction"] for it in calls(place.raw).values()] == ["out"]


def test_a_direction_that_is_not_known_is_written_as_it_came_and_counted(place: Place) -> None:
    with MangoStandIn(lambda: Store([call(context_type=9)])) as standin:
        place.connect("mango", keys(standin), SECRETS)
        report = place.good(now=NOW).report
    assert [it["direction"] for it in calls(place.raw).values()] == ["9"]
    assert report.counted["calls of context_type 9"] == 1


def test_a_call_without_a_time_arrives_as_it_is(place: Place) -> None:
    (row,) = only(place, call(context_start_time="soon", context_calls=[]))
    assert row["started_at"] == "soon"


def test_numbers_that_come_as_text_are_numbers(place: Place) -> None:
    plain = only(place, call(context_calls=[], duration=30))
    texts = call(context_calls=[], duration="30", context_type="1", context_status="1")
    (found,) = only(place, texts)
    assert {**found, "_loaded_at": None} == {**plain[0], "_loaded_at": None}
    assert found["direction"] == "in"
    assert found["ended_at"]


def test_codes_and_times_of_legs_that_come_as_text_are_numbers(place: Place) -> None:
    going_on = call(entry_id="GOES-ON", context_calls=[leg(call_end_time="0")])
    recorded = call(context_calls=[leg(recording_id="MTIz")])
    store = Store([going_on, recorded])
    with MangoStandIn(lambda: store) as standin:

        def as_text(request: Request) -> Reply | None:
            answer = json.loads(standin.answer(request).body)
            return json_reply({**answer, "result": str(answer.get("result", 1000))})

        standin.always = as_text
        place.connect("mango", keys(standin), SECRETS)
        assert place.good(now=NOW).report.pending == {"stats/calls": 1}
        (found,) = calls(place.raw).values()
        assert found["recording_url"].endswith("/issa/MTIz/play")
        standin.always = lambda it: json_reply({"result": "3102", "message": "Неверная подпись"})
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "api_salt" in outcome.failure.remedy


def test_calls_without_an_id_are_not_one(place: Place) -> None:
    nameless = [call(entry_id=None, caller_number=f"7999000000{it}", context_calls=[])
                for it in (1, 2)]  # fmt: skip
    only(place, *nameless)
    rows = all_rows(place.raw, "telephony.calls")
    assert [(it["call_id"], it["linked_id"]) for it in rows] == [(None, None)] * 2
    assert {it["from_number"] for it in rows} == {"79990000001", "79990000002"}


def test_a_recording_that_comes_later_is_a_new_version(place: Place) -> None:
    store = Store([call()])
    with MangoStandIn(lambda: store) as standin:
        place.connect("mango", keys(standin), SECRETS)
        place.good(now=NOW)
        store.calls = [call(context_calls=[leg(recording_id=["UkVDLTk="])])]
        place.good(now=datetime(2026, 11, 24, tzinfo=UTC))
    (row,) = calls(place.raw).values()
    assert row["recording_url"] == (
        "https://app.mango-office.ru/vpbx/queries/recording/issa/UkVDLTk=/play"
    )


def test_employees_are_found_by_the_email_of_the_crm(place: Place) -> None:
    place.connect("mango", {}, {})
    write_managers(place.raw, [("7001", "Anna@example.invalid", None), ("7009", "gone@x", None),
                               ("7003", "ivan@example.invalid", None),
                               ("7004", "IVAN@example.invalid ", "true")])  # fmt: skip
    with MangoStandIn(sample_store) as standin:
        place.connect("mango", keys(standin, managers={}, match="email"), SECRETS)
        report = place.good(now=NOW).report
    assert manager_rows(place.raw) == {"10001": "7001", "10002": "7003"}
    assert report.warnings == []


def test_the_crm_is_read_first_wherever_it_stands(place: Place) -> None:
    """Employees are looked up among its managers in the same run."""
    crm = AmocrmStandIn(lambda: amocrm.company_store(small_company()))
    with MangoStandIn(lambda: company_store(small_company())) as standin, crm:
        place.connect("mango", keys(standin, managers={}, match="email"), SECRETS)
        place.connect("shop", {"kind": "amocrm", "subdomain": "romashka",
                               "base_url": crm.address, "long_lived_token": "env:AMO_TOKEN"},
                      {"AMO_TOKEN": "long-lived-secret-token"})  # fmt: skip
        report = place.good(now=FIRST).report
    assert manager_rows(place.raw) == {"10001": "7001", "10002": "7002", "10003": "7003"}
    assert report.warnings == []


def test_calls_of_who_was_dismissed_stay_his(place: Place) -> None:
    """The CRM keeps a dismissed manager as a flagged member, and so does the exchange's map."""
    place.connect("mango", {}, {})
    write_managers(place.raw, [("7001", "anna@example.invalid", "true"),
                               ("7003", "ivan@example.invalid", None)])  # fmt: skip
    with MangoStandIn(sample_store) as standin:
        place.connect("mango", keys(standin, managers={}, match="email"), SECRETS)
        place.good(now=NOW)
    assert manager_rows(place.raw) == {"10001": "7001", "10002": "7003"}


def test_who_is_nobody_is_named_by_the_run_and_by_the_check(place: Place) -> None:
    with MangoStandIn(sample_store) as standin:
        place.connect("mango", keys(standin, managers={"101": "7001"}), SECRETS)
        report = place.good(now=NOW).report
        said = list(check(place.settings(NOW), "mango"))
    assert any("Вымышленный Иван" in it for it in report.warnings)
    assert report.counted["legs of 10002, which nobody holds"] == 1
    (finding,) = [it for it in said if "no manager of the CRM" in it.text]
    assert finding.details == ["10002 Вымышленный Иван ivan@example.invalid"]
    (shown,) = [it for it in said if "rows of calls" in it.text]
    assert "3 in, 1 out, 1 internal; 3 answered, 2 no_answer" in shown.text
    assert len(shown.details) == 5
    assert "4 times" in said[-1].text


def test_an_employee_keeps_his_row_when_the_map_is_corrected(place: Place) -> None:
    with MangoStandIn(sample_store) as standin:
        place.connect("mango", keys(standin), SECRETS)
        place.good(now=NOW)
        place.connect("mango", keys(standin, managers={"101": "7005"}), SECRETS)
        place.good(now=datetime(2026, 11, 24, tzinfo=UTC))
    assert manager_rows(place.raw) == {"10001": "7005", "10002": "7002"}


def test_a_hand_kept_directory_is_left_alone(place: Place) -> None:
    read(place, sample_store(), directory=False)
    assert current(place.raw, "telephony.extensions") == {}


def test_a_long_first_load_goes_on_where_it_stopped(place: Place) -> None:
    company = small_company()
    company.calls.append(Call(9, at(6), "in", "79990000007", (Ring("101", 3, 33, talk=30),)))
    with MangoStandIn(lambda: company_store(company)) as standin:
        more = {"start_date": "2026-03-01", "max_slices_per_run": 4, "reread": "1h"}
        place.connect("mango", keys(standin, **more), SECRETS)
        first = place.good(now=FIRST).report
        assert any("max_slices_per_run" in it for it in first.warnings)
        reached = [first.reached["calls"]]
        for _ in range(3):
            reached.append(place.good(now=FIRST).report.reached["calls"])
    assert reached == sorted(reached)
    assert reached[-1] > "2026-03-10T05:58"
    assert len(talked(place.raw)) == 7
