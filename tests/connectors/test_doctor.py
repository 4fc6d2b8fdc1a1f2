"""What `voronka doctor` says of connections and of what they brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.base.findings import Finding
from orchestration.base.settings import Settings
from orchestration.cli.doctor import examine
from tests.conftest import write_zone
from tests.connectors.adapter import FIRST
from tests.connectors.adapters.amocrm import Amocrm
from tests.connectors.conftest import Place
from tests.standins.company import small_company

AMO = {"kind": "amocrm", "subdomain": "x", "long_lived_token": "env:SHOP_TOKEN"}


def found(settings: Settings, words: str) -> Finding:
    (finding,) = (it for it in examine(settings) if words in it.text)
    return finding


def said(settings: Settings) -> str:
    return "\n".join(it.text for it in examine(settings))


def test_a_connection_that_ran_is_shown_with_its_newest_rows(place: Place) -> None:
    adapter = Amocrm()
    with adapter.standin(small_company()) as standin:
        place.connect("shop", adapter.keys(standin), adapter.secrets())
        place.good(now=FIRST)
    settings = place.settings(FIRST)
    assert found(settings, "keys meet nowhere").text.startswith("1 connection;")
    newest = found(settings, "newest row by table")
    assert newest.grade == "good"
    assert "crm.deals 0 min old" in newest.details[0]
    assert "secret is not set" not in said(settings)
    place.connect("shop", {**adapter.keys(standin), "prefix": "b-"}, adapter.secrets())
    changed = found(settings, "prefix is")
    assert (changed.grade, changed.text) == ("bad", "shop: prefix is 'b-' and was ''")


def test_keys_that_meet_secrets_and_failures_are_named(place: Place) -> None:
    place.connect("one", AMO, {})
    settings = place.settings(FIRST)
    assert found(settings, "secret is not set").details == ["long_lived_token: env:SHOP_TOKEN"]
    assert found(settings, "newest row by table").details == ["one: no row yet"]
    place.run(now=FIRST)
    assert "SHOP_TOKEN is not set" in found(settings, "The last run failed").text
    place.connect("two", AMO, {})
    clash = found(settings, "connections.yml has 1 problem")
    assert clash.grade == "bad"
    assert "its keys could meet those of one in crm.managers" in clash.details[0]


def zone_of(place: Place, **changes: Any) -> Settings:
    leg: dict[str, Any] = {"call_id": "1", "direction": "in", "from_number": "8 (999) 000-00-01",
                           "to_number": "74950000000", "extension": "101",
                           "disposition": "answered", "started_at": "2026-03-01"}  # fmt: skip
    lead = {"lead_id": "1", "created_at": "2026-03-01", "source_id": "s1"}
    write_zone(
        place.raw,
        {
            "telephony.calls": [
                leg, {**leg, "call_id": "2", "direction": "internal", "extension": "999"},
                {**leg, "call_id": "3", **changes},
            ],
            "telephony.extensions": [
                {"extension": "101", "manager_id": "7", "valid_from": "2020-01-01"}
            ],
            "crm.contact_phones": [{"contact_id": "1", "phone": "+79990000001"}],
            "crm.leads": [lead, {**lead, "lead_id": "2", "source_id": "s2"}],
            "crm.sources": [{"source_id": "s1", "name": "Search", "channel": "other"}],
        },
    )  # fmt: skip
    place.connect("shop", AMO, {})
    return place.settings(FIRST)


def test_extensions_and_sources_that_nobody_knows_are_named(place: Place) -> None:
    settings = zone_of(place)
    assert found(settings, "belong to nobody").details == ["999: 1 leg"]
    assert found(settings, "without a name").details == ["s2: in crm.leads"]


@pytest.mark.parametrize(
    ("number", "grade", "share"), [("79990000001", "good", "100%"), ("79991234567", "good", "50%")]
)
def test_the_share_of_calls_with_a_contact_is_said(
    place: Place, number: str, grade: str, share: str
) -> None:
    meets = found(zone_of(place, from_number=number), "outside calls in a sample")
    assert (meets.grade, meets.text.split()[0]) == (grade, share)


def test_phones_that_never_meet_are_named(place: Place) -> None:
    settings = zone_of(place)
    write_zone(place.raw, {"crm.contact_phones": [{"contact_id": "1", "phone": "+79995555555"}]})
    assert found(settings, "do not meet").grade == "note"


def test_a_zone_without_connections_is_not_asked(place: Place, tmp_path: Path) -> None:
    settings = zone_of(place)
    (place.root / "connections.yml").unlink()
    assert "belong to nobody" not in said(settings)
    assert "newest row" not in said(settings)
