"""Google Ads' samples, manager accounts, keys, and days that were corrected."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orchestration.connectors.run import check
from tests.connectors.adapter import SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.zone import all_rows, current
from tests.standins.company import Spend
from tests.standins.google_ads import (
    ACCOUNT,
    CLIENT_SECRET,
    MANAGER,
    REFRESH,
    SECOND,
    GoogleAdsStandIn,
    is_spending,
    sample_spending,
)

FOLDER = SAMPLES / "google_ads"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TABLE = "marketing.ad_spend"
SECRETS = {"ADS_SECRET": CLIENT_SECRET, "ADS_REFRESH": REFRESH}


def keys(standin: GoogleAdsStandIn, **more: Any) -> dict[str, Any]:
    return {"kind": "google_ads", "base_url": standin.address, "client_id": "client",
            "token_url": f"{standin.address}/token", "customer_id": "123-456-7890",
            "client_secret": "env:ADS_SECRET", "refresh_token": "env:ADS_REFRESH",
            "source_id": "src-google", "start_date": "2026-11-01", **more}  # fmt: skip


def spend(day: str, campaign: int = 1, micros: int = 1_000_000) -> Spend:
    return Spend(day, campaign, "Search", micros, 10, 1)


def one(*spending: Spend) -> tuple[GoogleAdsStandIn, list[Spend]]:
    listed = list(spending)
    return GoogleAdsStandIn({ACCOUNT: lambda: listed}), listed


def test_the_sample_answer_gives_the_rows_of_the_specification(place: Place) -> None:
    batches = json.loads((FOLDER / "google_ads_search_stream.json").read_text(encoding="utf-8"))
    with GoogleAdsStandIn({ACCOUNT: lambda: sample_spending(batches)}, page_size=2) as standin:
        place.connect("google", keys(standin), SECRETS)
        place.good(now=NOW)
    with (FOLDER / "expected_ad_spend.csv").open(encoding="utf-8") as file:
        wanted = [{key: it or None for key, it in row.items()} for row in csv.DictReader(file)]
    found = all_rows(place.raw, TABLE)
    assert [{key: row[key] for key in wanted[0]} for row in found] == wanted
    assert {row["campaign_name"] for row in found} == {"Search / windows", "Old brand"}


def test_every_sample_file_is_read_by_a_test() -> None:
    folder = Path(__file__).parent
    files = (Path(__file__), folder / "adapters/google_ads.py")
    text = "".join(it.read_text(encoding="utf-8") for it in files)
    assert [it.name for it in FOLDER.iterdir() if it.name not in text] == []


def test_costs_are_rounded_half_away_from_zero(place: Place) -> None:
    standin, _ = one(spend("2026-11-20", micros=12_345_650), spend("2026-11-21", micros=50))
    with standin:
        place.connect("google", keys(standin), SECRETS)
        place.good(now=NOW)
    assert [row["cost"] for row in all_rows(place.raw, TABLE)] == ["12.3457", "0.0001"]


def test_a_day_that_is_not_listed_any_more_is_deleted(place: Place) -> None:
    standin, listed = one(spend("2026-11-20"), spend("2026-11-21"))
    with standin:
        place.connect("google", keys(standin), SECRETS)
        place.good(now=NOW)
        listed.pop()
        place.good(now=NOW + timedelta(hours=1))
    assert current(place.raw, TABLE).keys() == {("2026-11-20", "src-google", "1")}


def test_accounts_of_a_manager_are_read_through_it(place: Place) -> None:
    accounts = {
        ACCOUNT: lambda: [spend("2026-11-20", 1)],
        SECOND: lambda: [spend("2026-11-20", 2)],
    }
    with GoogleAdsStandIn(accounts, manager=MANAGER) as standin:
        place.connect("google", keys(standin, customer_id=int(MANAGER)), SECRETS)
        place.good(now=NOW)
        assert len([it for it in standin.requests if is_spending(it)]) == 2
    assert [row["campaign"] for row in all_rows(place.raw, TABLE)] == ["1", "2"]


@pytest.mark.parametrize("goes", ["closed", "unlinked"])
def test_what_an_account_told_before_it_was_closed_or_unlinked_stays(
    place: Place, goes: str
) -> None:
    first = [spend("2026-11-20", 1)]
    accounts = {ACCOUNT: lambda: first, SECOND: lambda: [spend("2026-11-20", 2)]}
    with GoogleAdsStandIn(accounts, manager=MANAGER) as standin:
        place.connect("google", keys(standin, customer_id=MANAGER), SECRETS)
        place.good(now=NOW)
        first.clear()
        if goes == "closed":
            standin.closed = {SECOND}
        else:
            del standin.accounts[SECOND]
        report = place.good(now=NOW).report
    assert current(place.raw, TABLE).keys() == {("2026-11-20", "src-google", "2")}
    assert any(SECOND in it and "stays" in it for it in report.warnings)


def test_days_end_by_the_latest_of_the_accounts_zones(place: Place) -> None:
    evening = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
    accounts = {ACCOUNT: lambda: [spend("2026-11-23")], SECOND: lambda: [spend("2026-11-22", 2)]}
    with GoogleAdsStandIn(accounts, manager=MANAGER) as standin:
        standin.zones = {SECOND: "America/New_York"}
        place.connect("google", keys(standin, customer_id=MANAGER), SECRETS)
        place.good(now=evening)
    assert [row["spend_date"] for row in all_rows(place.raw, TABLE)] == ["2026-11-22"]


def test_an_account_that_needs_its_manager_names_it(place: Place) -> None:
    with GoogleAdsStandIn({ACCOUNT: lambda: [spend("2026-11-20")]}, manager=MANAGER) as standin:
        place.connect("google", keys(standin), SECRETS)
        outcome = place.run(now=NOW)
        assert outcome.failure is not None
        assert "login_customer_id" in outcome.failure.remedy
        place.connect("google", keys(standin, login_customer_id="987-654-3210"), SECRETS)
        place.good(now=NOW)
    assert len(all_rows(place.raw, TABLE)) == 1


def test_an_old_developer_token_is_not_sent_and_only_warns(place: Place) -> None:
    standin, _ = one(spend("2026-11-20"))
    with standin:
        place.connect("google", keys(standin, developer_token="env:OLD_TOKEN"), SECRETS)
        report = place.good(now=NOW).report
    assert report.warnings == ["developer_token is not used any more; take it out."]


def test_a_service_account_signs_for_its_token(place: Place) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    file = place.root.parent / "service.json"
    file.write_text(json.dumps({"client_email": "a@b.example", "private_key": pem}))
    standin, _ = one(spend("2026-11-20"))
    with standin:
        own = keys(standin, service_account_file=str(file))
        for it in ("client_id", "client_secret", "refresh_token"):
            del own[it]
        place.connect("google", own, {})
        place.good(now=NOW)
        (form,) = standin.forms
        assert form["grant_type"].endswith("jwt-bearer")
        assert form["assertion"].count(".") == 2
        file.write_text("{}")
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "service_account_file" in outcome.failure.message


def test_an_unknown_version_is_said_to_be_one(place: Place) -> None:
    standin, _ = one()
    with standin:
        place.connect("google", keys(standin, api_version="v22"), SECRETS)
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "no v22 of the API any more" in outcome.failure.remedy


@pytest.mark.parametrize(("version", "is_old"), [("v23", True), ("v26", False), ("v99", False)])
def test_a_check_warns_of_a_version_that_ends_soon(
    place: Place, version: str, is_old: bool
) -> None:
    standin, _ = one(spend("2026-11-20"))
    standin.version = version
    with standin:
        place.connect("google", keys(standin, api_version=version), SECRETS)
        found = list(check(place.settings(NOW), "google"))
    assert any("about twelve months" in it.text for it in found) == is_old
    assert any(it.text == "Cost is without VAT: Google knows no other" for it in found)
    assert [it for it in found if it.grade == "bad"] == []
