"""Zadarma's samples, its pace, its zone and what its rows mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.connectors.adapter import FIRST, SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.phones import COMPANY_TALK, calls, expected, manager_rows, met, talked
from tests.standins.company import small_company
from tests.standins.zadarma import KEY, SECRET, Store, ZadarmaStandIn, company_store

FOLDER = SAMPLES / "zadarma"
NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
SECRETS = {"ZADARMA_KEY": KEY, "ZADARMA_SECRET": SECRET}


def keys(standin: ZadarmaStandIn, **more: Any) -> dict[str, Any]:
    return {
        "kind": "zadarma",
        "base_url": standin.address,
        "api_key": "env:ZADARMA_KEY",
        "api_secret": "env:ZADARMA_SECRET",
        "managers": {"101": "7001", "102": "7002"},
        "start_date": "2026-11-23",
        **more,
    }


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"zadarma_{name}.json").read_text())
    return found


def sample_store(**row: Any) -> Store:
    stats = [{**it, **row} for it in sample("statistics_pbx")["stats"]]
    zone = sample("info_timezone")
    return Store(stats, {"101": "Анна", "102": "Иван"}, zone)


def read(place: Place, store: Store, **more: Any) -> dict[str, dict[str, Any]]:
    with ZadarmaStandIn(lambda: store) as standin:
        place.connect("zadarma", keys(standin, **more), SECRETS)
        place.good(now=NOW)
    return calls(place.raw)


def test_the_sample_gives_the_expected_rows(place: Place) -> None:
    assert met(read(place, sample_store()), expected(FOLDER / "expected_calls.csv"))
    assert manager_rows(place.raw) == {"101": "7001", "102": "7002"}


def test_the_company_s_calls_are_those_that_there_were(place: Place) -> None:
    company = small_company()
    with ZadarmaStandIn(lambda: company_store(company)) as standin:
        place.connect("zadarma", keys(standin, start_date="2026-03-01"), SECRETS)
        place.good(now=FIRST)
    assert talked(place.raw) == COMPANY_TALK


def test_statistics_are_asked_three_times_a_minute_and_in_pages(place: Place) -> None:
    with ZadarmaStandIn(sample_store) as standin:
        place.connect("zadarma", keys(standin, page=2), SECRETS)
        place.good(now=NOW)
        asked = [it.query["skip"] for it in standin.requests if "skip" in it.query]
    assert asked == ["0", "2", "4"]
    assert len(calls(place.raw)) == 4
    assert place.clock is not None
    assert [round(it) for it in place.clock.waits if it > 5] == [20, 20]


@pytest.mark.parametrize(
    ("written", "wanted"),
    [("busy", "busy"), ("cancel", "no_answer"), ("no answer", "no_answer"),
     ("call failed", "failed"), ("no money", "failed"), ("unallocated number", "failed"),
     ("no limit", "failed"), ("no day limit", "failed"), ("line limit", "failed"),
     ("something new", "something new")],
)  # fmt: skip
def test_how_a_call_ended(place: Place, written: str, wanted: str) -> None:
    found = read(place, sample_store(disposition=written))
    assert {it["disposition"] for it in found.values()} == {wanted}
    assert {it["talk_seconds"] for it in found.values()} == {"0"}


def test_a_menu_that_picked_up_has_answered_nobody(place: Place) -> None:
    store = sample_store(disposition="answered")
    assert read(place, store)["zadarma:1795417800.1000002"]["disposition"] == "no_answer"


def test_a_number_that_lost_its_plus_is_written_as_it_came(place: Place) -> None:
    store = sample_store(clid=79990000001)
    assert {it["from_number"] for it in read(place, store).values()} == {"79990000001"}


def test_rows_of_one_conversation_are_not_merged(place: Place) -> None:
    found = read(place, sample_store(pbx_call_id="in_1"))
    assert len(found) == 4
    assert {it["linked_id"] for it in found.values()} == {"zadarma:in_1"}


def test_a_zone_that_the_account_contradicts_is_refused_with_both_named(place: Place) -> None:
    with ZadarmaStandIn(sample_store) as standin:
        place.connect("zadarma", keys(standin, timezone="Asia/Omsk"), SECRETS)
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "UTC+03:00" in outcome.failure.message
    assert "Asia/Omsk" in outcome.failure.message
    assert calls(place.raw) == {}


def test_a_zone_that_agrees_is_used_with_its_summers(place: Place) -> None:
    found = read(place, sample_store(), timezone="Europe/Moscow")
    assert found["zadarma:1795417200.1000001"]["started_at"] == "2026-11-23T10:00:00+03:00"


def test_an_extension_that_changes_hands_keeps_its_past(place: Place) -> None:
    read(place, sample_store())
    read(place, sample_store(), managers={"101": "7009", "102": "7002"})
    from tests.connectors.zone import current

    held = current(place.raw, "telephony.extensions").values()
    assert sorted((it["extension"], it["manager_id"], it["valid_to"] is None) for it in held) == [
        ("101", "7001", False),
        ("101", "7009", True),
        ("102", "7002", True),
    ]
