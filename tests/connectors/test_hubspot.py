"""HubSpot's samples, and the rules that the shared tests cannot know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestration.connectors.crm.rules import CustomField, Stage
from orchestration.connectors.kinds.hubspot.mapping import Version, day, field_values, stage_at
from orchestration.connectors.run import check
from tests.connectors.adapter import FIRST, SAMPLES, SECOND
from tests.connectors.conftest import Place
from tests.connectors.zone import all_rows, current
from tests.standins.bitrix24 import HOOK, Bitrix24StandIn
from tests.standins.bitrix24 import company_store as b24_store
from tests.standins.company import Company, at, small_company
from tests.standins.hubspot import (
    TOKEN,
    HubspotStandIn,
    Store,
    company_store,
    sample_store,
    thing,
    version,
)
from tests.standins.server import Reply, Request, json_reply, sample_reply

FOLDER = SAMPLES / "hubspot"
NOW = datetime(2026, 3, 17, tzinfo=UTC)
SECRETS = {"HUB_TOKEN": TOKEN}
DEALS = "/crm/v3/objects/deals"


def keys(standin: HubspotStandIn, **more: Any) -> dict[str, Any]:
    return {"kind": "hubspot", "base_url": standin.address, "access_token": "env:HUB_TOKEN", **more}


def row(place: Place, table: str, *key: str) -> dict[str, Any]:
    found = current(place.raw, table)[key]
    return {name: value for name, value in found.items() if value is not None}


def serve(company: Company, has_leads: bool = True) -> HubspotStandIn:
    return HubspotStandIn(lambda: company_store(company, has_leads))


def asked(standin: HubspotStandIn, path: str) -> list[Request]:
    return [it for it in standin.requests if it.path == path]


def stages(place: Place, deal: str) -> list[tuple[str, str, Any]]:
    rows = current(place.raw, "crm.deal_stage_history").values()
    found = [
        (it["entered_at"], it["stage_id"], it["manager_id"]) for it in rows if it["deal_id"] == deal
    ]
    return sorted(found)


@pytest.fixture
def samples(place: Place) -> Place:
    """The sample answers, loaded; contacts are the leads."""
    store = sample_store(FOLDER)
    with HubspotStandIn(lambda: store) as standin:
        standin.unknown = {"leads"}
        place.connect("hub", keys(standin, payments_from="won_deals"), SECRETS)
        place.good(now=NOW)
    return place


def test_every_sample_file_is_read_by_a_test() -> None:
    here = Path(__file__)
    files = (here, here.parent / "adapters/hubspot.py", here.parents[1] / "standins/hubspot.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert [it.stem for it in FOLDER.iterdir() if it.stem not in text] == []


def test_the_open_sample_deal_is_as_the_batch_has_it(samples: Place) -> None:
    assert row(samples, "crm.deals", "4001") == {
        "deal_id": "4001",
        "lead_id": "7001",
        "contact_id": "7001",
        "manager_id": "6002",
        "pipeline_id": "default",
        "stage_id": "default:contractsent",
        "source_id": "PAID_SEARCH",
        "amount": "1500",
        "currency": "EUR",
        "deal_type": "new",
        "created_at": "2026-03-01T09:00:00Z",
        "expected_close_on": "2026-04-10",
        "updated_at": "2026-03-16T12:00:00Z",
    }


def test_the_won_sample_deal_is_closed_on_its_date_where_no_version_tells_it(
    samples: Place,
) -> None:
    deal = row(samples, "crm.deals", "4003")
    assert (deal["closed_at"], deal["currency"]) == ("2026-03-15T10:00:00Z", "USD")
    assert "expected_close_on" not in deal
    paid = row(samples, "crm.payments", "won:4003")
    assert (paid["amount"], paid["paid_at"]) == ("5000", "2026-03-15T10:00:00Z")


def test_the_archived_sample_deal_is_none(samples: Place) -> None:
    assert ("4002",) not in current(samples.raw, "crm.deals")


def test_sample_versions_are_entries_with_the_user_as_an_owner(samples: Place) -> None:
    entered = int(datetime(2026, 3, 16, 12, tzinfo=UTC).timestamp() * 1000)
    assert row(samples, "crm.deal_stage_history", f"4001:{entered}:contractsent") == {
        "event_id": f"4001:{entered}:contractsent",
        "deal_id": "4001",
        "stage_id": "default:contractsent",
        "entered_at": "2026-03-16T12:00:00Z",
        "manager_id": "6002",
    }
    assert stages(samples, "4001")[0] == (
        "2026-03-01T09:00:00Z",
        "default:appointmentscheduled",
        None,
    )


def test_sample_stages_are_named_with_their_pipeline_and_closed_by_probability(
    samples: Place,
) -> None:
    kinds = {key[0]: it["kind"] for key, it in current(samples.raw, "crm.stages").items()}
    assert kinds == {
        "default:appointmentscheduled": "open", "default:contractsent": "open",
        "default:closedwon": "won", "default:closedlost": "lost",
        "7770001:88001": "open", "7770001:88002": "won", "7770001:88003": "lost",
    }  # fmt: skip


def test_the_sample_contact_is_a_target_lead_by_its_stage_of_life(samples: Place) -> None:
    contact, lead = row(samples, "crm.contacts", "7001"), row(samples, "crm.leads", "7001")
    assert (contact["name"], contact["company"]) == ("Ivan Invented", "Invented GmbH")
    assert contact["updated_at"] == "2026-03-16T12:00:00Z"
    assert (lead["is_target"], lead["manager_id"]) == ("true", "6001")
    assert lead["source_id"] == "PAID_SEARCH"
    phones = set(current(samples.raw, "crm.contact_phones"))
    assert phones == {("7001", "+49 30 0000001"), ("7001", "+49 170 0000001")}


def test_sample_meetings_have_their_outcome(samples: Place) -> None:
    held, missed = row(samples, "crm.meetings", "8801"), row(samples, "crm.meetings", "8802")
    assert (held["kind"], held["held_at"]) == ("demo", "2026-03-10T10:00:00Z")
    assert held["held_by"] == held["set_by"] == "6001"
    assert "held_at" not in missed
    assert missed["cancelled_at"] == "2026-03-06T10:00:00Z"
    # 8803 was logged after it happened.
    late = row(samples, "crm.meetings", "8803")
    assert late["set_at"] == late["held_at"] == "2026-03-01T10:00:00Z"


def test_sample_answers_to_surveys_are_scores_of_satisfaction_alone(samples: Place) -> None:
    assert list(current(samples.raw, "crm.surveys")) == [("9901",)]
    assert row(samples, "crm.surveys", "9901")["score"] == "5"


def test_sample_owners_have_their_primary_team_and_the_archived_are_flagged(
    samples: Place,
) -> None:
    found = {
        it["manager_id"]: (it["full_name"], it["team"], it["is_deleted"])
        for it in all_rows(samples.raw, "crm.managers")
    }
    assert found == {
        "6001": ("Ann Sample", "Inside Sales", None),
        "6002": ("Bob Pattern", "Inside Sales", None),
        "6003": ("Vera Former", None, "true"),
    }


def test_the_last_run_says_what_was_left_out(place: Place) -> None:
    store = sample_store(FOLDER)
    with HubspotStandIn(lambda: store) as standin:
        standin.unknown = {"leads"}
        place.connect("hub", keys(standin), SECRETS)
        report = place.good(now=NOW).report
    assert report.counted["answers to surveys of NPS, left out"] == 1
    assert report.counted["repaired meetings.set_at"] == 1
    assert any("payments_from is not set" in it for it in report.warnings)


def test_a_search_never_comes_near_its_ceiling_and_ends_among_equal_times(place: Place) -> None:
    """Any number of rows may carry one time of change."""
    company = small_company()
    for number in range(10, 40):
        company.add_sale(number, at(4), person=2)
    with HubspotStandIn(lambda: company_store(company), page_size=4) as standin:
        standin.ceiling = 8
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        for number in range(10, 40):
            company.reprice(number, 77, at(8, 1))
        place.good(now=SECOND)
        searches = [it.json for it in asked(standin, f"{DEALS}/search")]
    amounts = [it["amount"] for it in current(place.raw, "crm.deals").values()]
    assert amounts.count("77") == 30
    assert not any("after" in it for it in searches)
    last = [it["filterGroups"][0]["filters"][2]["value"] for it in searches]
    assert last == ["0", "4013", "4017", "4021", "4025", "4029", "4033", "4037"]


def test_a_row_that_changes_between_two_pages_takes_no_neighbour_along(place: Place) -> None:
    """It leaves the result of the search; an offset would jump over the row after it."""
    company = small_company()
    with HubspotStandIn(lambda: company_store(company), page_size=2) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        for number in range(1, 6):
            company.reprice(number, 1_000 + number, at(8, 1))
        pages = 0

        def change(request: Request) -> None:
            nonlocal pages
            if request.path == f"{DEALS}/search":
                pages += 1
                if pages == 2:
                    company.reprice(1, 5, at(9, 3))

        standin.always = change
        place.good(now=SECOND)
    found = {key[0]: it["amount"] for key, it in current(place.raw, "crm.deals").items()}
    assert found["4003"] == "1003"
    assert found["4005"] == "1005"


def test_what_the_search_shows_late_comes_with_the_next_load(place: Place) -> None:
    """Windows overlap by 15 minutes and end where the load began."""
    company = small_company()
    with serve(company) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        company.reprice(3, 999, SECOND - timedelta(minutes=5))
        standin.now, standin.lag = SECOND, timedelta(minutes=10)
        place.good(now=SECOND)
        assert row(place, "crm.deals", "4003")["amount"] == "30000"
        standin.now = SECOND + timedelta(hours=1)
        place.good(now=standin.now)
        (search,) = asked(standin, f"{DEALS}/search")[-1:]
    assert row(place, "crm.deals", "4003")["amount"] == "999"
    since, before = (it["value"] for it in search.json["filterGroups"][0]["filters"][:2])
    assert since == str(int((SECOND - timedelta(minutes=15)).timestamp() * 1000))
    assert before == str(int((SECOND + timedelta(hours=1)).timestamp() * 1000))


def test_contacts_have_another_property_of_change(place: Place) -> None:
    with serve(small_company()) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        place.good(now=SECOND)
        names = {
            it.path.split("/")[4]: it.json["filterGroups"][0]["filters"][0]["propertyName"]
            for it in standin.requests
            if it.path.endswith("/search")
        }
    assert names.pop("contacts") == "lastmodifieddate"
    assert set(names.values()) == {"hs_lastmodifieddate"}


def test_a_search_whose_total_says_more_than_came_is_no_end(place: Place) -> None:
    with serve(small_company()) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        short = json_reply({"total": 5, "results": [{"id": "4001"}]})
        standin.always = lambda it: short if it.path == f"{DEALS}/search" else None
        outcome = place.run(now=SECOND)
    assert outcome.exit_code == 75
    assert outcome.failure is not None
    assert "1 of 5 rows came" in outcome.failure.message


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("error_search_10000_400", 2, "problem with the request"),
        ("error_rate_search_429", 75, "secondly limit"),
    ],
)
def test_errors_of_the_search(place: Place, name: str, code: int, words: str) -> None:
    reply = sample_reply(FOLDER / f"{name}.json")
    with serve(small_company()) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        standin.always = lambda it: reply if it.path == f"{DEALS}/search" else None
        outcome = place.run(now=SECOND)
    assert outcome.exit_code == code
    assert outcome.failure is not None
    assert words in outcome.failure.message


def test_batches_with_history_are_of_50_and_properties_never_in_an_address(place: Place) -> None:
    company = small_company()
    for number in range(10, 130):
        company.add_sale(number, at(4), person=2)
    with serve(company) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        sizes = [len(it.json["inputs"]) for it in asked(standin, f"{DEALS}/batch/read")]
        links = [
            len(it.json["inputs"])
            for it in asked(standin, "/crm/v4/associations/deals/contacts/batch/read")
        ]
        lists = asked(standin, DEALS)
        (body, *_) = [it.json for it in asked(standin, f"{DEALS}/batch/read")]
    assert sizes == [50, 50, 25]
    assert links == [100, 25]
    assert {it.query["properties"] for it in lists} == {"hs_object_id"}
    assert body["propertiesWithHistory"] == ["dealstage", "pipeline", "hubspot_owner_id"]
    assert "hs_v2_date_entered_won" in body["properties"]


def test_forgotten_versions_are_told_by_the_date_of_the_last_entry(place: Place) -> None:
    with serve(small_company()) as standin:
        standin.versions = 2
        place.connect("hub", keys(standin, prefix="h-"), SECRETS)
        place.good(now=FIRST)
    known = stages(place, "h-4001")
    assert [it[1] for it in known] == [
        f"h-default:{it}" for it in ("new", "contact", "meeting", "contract", "won")
    ]
    assert [it[2] for it in known] == [None, None, None, "h-6001", "h-6001"]
    events = {key[0] for key in current(place.raw, "crm.deal_stage_history")}
    assert {"h-v2:4001:new", "h-v2:4001:contact", "h-v2:4001:meeting"} <= events


def test_history_once_written_stays_and_is_not_told_twice(place: Place) -> None:
    company = small_company()
    with serve(company) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        before = stages(place, "4001")
        standin.versions = 1
        company.move(1, "lost", at(8, 1), by=2)
        place.good(now=SECOND)
    assert stages(place, "4001") == [*before, ("2026-03-10T07:00:00Z", "default:lost", "6002")]


def test_a_stage_has_the_pipeline_of_its_time_though_ids_repeat(place: Place) -> None:
    store = company_store(small_company())
    other = {**store.pipelines["deals"][0], "id": "77", "label": "Повторные"}
    store.pipelines["deals"].append(other)
    deal = store.objects["deals"][0]["properties"]
    deal |= {"pipeline": "77", "dealstage": "won"}
    store.history["deals", "4001"] = {
        "dealstage": [version("won", at(6)), version("contact", at(4)), version("new", at(0, 2))],
        # The stage comes a moment before its pipeline.
        "pipeline": [version("77", at(4, 0, 0, 1)), version("default", at(0, 2))],
    }
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin, deal_types={"Повторные": "repeat"}), SECRETS)
        place.good(now=FIRST)
    found = [it[1] for it in stages(place, "4001") if it[1].endswith((":won", ":contact", ":new"))]
    assert found == ["default:new", "default:contact", "77:won"]
    moved = row(place, "crm.deals", "4001")
    assert (moved["stage_id"], moved["closed_at"]) == ("77:won", "2026-03-08T06:00:00Z")
    assert moved["deal_type"] == "repeat"
    assert row(place, "crm.deals", "4003")["deal_type"] == "repeat"
    assert row(place, "crm.deals", "4002")["deal_type"] == "new"


@pytest.mark.parametrize(
    ("stage", "pipelines", "now", "found"),
    [
        # The stage came a moment before its pipeline, which is not the last one either.
        ("due", [("a", 0), ("b", 10), ("a", 60)], "a", "b:due"),
        ("new", [("a", 0), ("b", 10)], "b", "a:new"),
        # Nothing tells the pipeline of that time.
        ("new", [("b", 10)], "b", "b:new"),
        ("due", [], "b", "b:due"),
        # Nobody lists it any more.
        ("gone", [("a", 0), ("b", 10)], "b", "a:gone"),
    ],
)
def test_the_pipeline_of_an_entry(
    stage: str, pipelines: Sequence[tuple[str, int]], now: str, found: str
) -> None:
    known = {it: Stage(it, it[0], "", "", 0, "open") for it in ("a:new", "b:new", "b:due")}
    history = [Version(at(1, second=second), it, None) for it, second in pipelines]
    entry = Version(at(1, second=8), stage, None)
    assert stage_at(entry, history, now, known) == found


def test_a_closed_stage_that_is_neither_won_nor_lost_has_to_be_named(place: Place) -> None:
    """A missing probability is not zero."""
    store = company_store(small_company())
    stage = store.pipelines["deals"][0]["stages"][5]
    assert stage["id"] == "lost"
    del stage["metadata"]["probability"]
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        outcome = place.run(now=FIRST)
        assert outcome.exit_code == 2
        assert outcome.failure is not None
        assert "won_stages or lost_stages" in outcome.failure.remedy
        assert outcome.failure.details == ["default:lost: Продажи / Закрыто и не реализовано"]
        for name in ("default:lost", "lost", "Продажи / Закрыто и не реализовано"):
            place.connect("hub", keys(standin, lost_stages=[name]), SECRETS)
            place.good(now=FIRST)
    assert row(place, "crm.stages", "default:lost")["kind"] == "lost"


def test_the_primary_association_is_the_contact_else_the_smallest(place: Place) -> None:
    store = company_store(small_company())
    store.links["deals", "contacts"]["4001"] = [("7003", None), ("7002", "Primary")]
    store.links["deals", "contacts"]["4002"] = [("70021", None), ("7003", None)]
    store.links["deals", "contacts"]["4004"] = []
    with HubspotStandIn(lambda: store) as standin:
        standin.links_page = 1
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        pages = asked(standin, "/crm/v4/associations/deals/contacts/batch/read")
    found = {key[0]: it["contact_id"] for key, it in current(place.raw, "crm.deals").items()}
    assert found == {
        "4001": "7002", "4002": "7003", "4003": "7003", "4004": None, "4005": "co5002",
    }  # fmt: skip
    # An object with many of them has pages of its own.
    assert [it.json["inputs"] for it in pages][1] == [
        {"id": "4001", "after": "1"},
        {"id": "4002", "after": "1"},
    ]


def test_an_association_that_moves_without_the_deals_knowing_is_seen_while_it_is_open(
    place: Place,
) -> None:
    company = small_company()
    with serve(company) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        company.sale(3).person = 4
        company.sale(1).person = 4
        place.good(now=SECOND)
    assert row(place, "crm.deals", "4003")["contact_id"] == "7004"
    # It is closed.
    assert row(place, "crm.deals", "4001")["contact_id"] == "7001"


def test_a_deal_without_a_lead_has_its_contacts_newest_from_before(place: Place) -> None:
    company = small_company()
    loose = [True]

    def store() -> Store:
        found = company_store(company)
        if loose[0]:
            found.links["deals", "leads"].pop("4003", None)
        found.links["leads", "contacts"]["9001"] = [("7003", None)]
        return found

    with HubspotStandIn(store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        # Its own lead was made in the same moment, lead 9001 a day before.
        assert row(place, "crm.deals", "4003")["lead_id"] == "9003"
        company.delete_sale(3, at(8, 1))
        company.sale(3).is_deleted = False
        place.good(now=SECOND)
    assert row(place, "crm.deals", "4003")["lead_id"] == "9003"


def test_a_lead_that_comes_later_is_found_by_the_deal_that_waited(place: Place) -> None:
    company = small_company()
    hidden = [True]

    def store() -> Store:
        found = company_store(company)
        found.links["deals", "leads"] = {}
        if hidden[0]:
            found.objects["leads"] = [it for it in found.objects["leads"] if it["id"] != "9001"]
        else:
            lead = next(it for it in found.objects["leads"] if it["id"] == "9001")
            lead["properties"]["hs_lastmodifieddate"] = at(8, 1).isoformat()
        return found

    with HubspotStandIn(store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        assert "lead_id" not in row(place, "crm.deals", "4001")
        hidden[0] = False
        place.good(now=SECOND)
        count = len(standin.requests)
        place.good(now=SECOND + timedelta(hours=1))
        assert not [it for it in standin.requests[count:] if it.path == f"{DEALS}/batch/read"]
    assert row(place, "crm.deals", "4001")["lead_id"] == "9001"


def test_lead_objects_are_taken_when_they_leave_their_first_stage(place: Place) -> None:
    named = {"target_stages": ["l-good"], "non_target_stages": ["Лиды / Нецелевой"]}
    with serve(small_company()) as standin:
        place.connect("hub", keys(standin, **named), SECRETS)
        place.good(now=FIRST)
    good, bad = row(place, "crm.leads", "9001"), row(place, "crm.leads", "9002")
    assert (good["taken_at"], good["is_target"]) == ("2026-03-02T09:00:00Z", "true")
    assert good["qualified_at"] == "2026-03-03T06:00:00Z"
    assert (bad["is_target"], bad["rejection_reason"]) == ("false", "Дорого")
    assert "is_target" not in row(place, "crm.leads", "9003")
    # A lead with a company and no contact.
    assert row(place, "crm.leads", "9005")["contact_id"] == "co5002"
    # Leads' stages are no stages of deals.
    assert ("l-good",) not in current(place.raw, "crm.stages")


def test_a_scope_of_leads_that_is_lost_does_not_turn_contacts_into_leads(place: Place) -> None:
    """What the keys say of leads waits; deals keep the leads that they had."""
    company = small_company()
    named = {"target_stages": ["Лиды / Целевой"], "utm_source_field": "UTM source",
             "sweep_every_days": 1}  # fmt: skip
    with serve(company) as standin:
        place.connect("hub", keys(standin, **named), SECRETS)
        place.good(now=FIRST)
        before = current(place.raw, "crm.leads")
        deals = {key: it["lead_id"] for key, it in current(place.raw, "crm.deals").items()}
        standin.forbidden = {"leads": "crm.objects.leads.read"}
        company.reprice(3, 77, at(8, 1))
        company.delete_person(1, at(8, 2))
        report = place.good(now=SECOND + timedelta(days=2)).report
        assert current(place.raw, "crm.leads") == before
        found = {key: it["lead_id"] for key, it in current(place.raw, "crm.deals").items()}
        assert found == deals
        assert row(place, "crm.deals", "4003")["amount"] == "77"
        (said,) = [it for it in report.warnings if it.startswith("leads are not read")]
        assert "crm.objects.leads.read" in said
        place.connect("hub", keys(standin, leads_from="contacts"), SECRETS)
        outcome = place.run(now=SECOND + timedelta(days=3))
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "leads_from is contacts and was leads_object" in outcome.failure.message


@pytest.mark.parametrize(
    ("kind", "table"),
    [("meetings", "crm.meetings"), ("feedback_submissions", "crm.surveys")],
)
def test_a_kind_without_its_scope_is_left_out_with_one_warning(
    place: Place, kind: str, table: str
) -> None:
    """error_scopes_403: the sample's scope is that of leads."""
    with serve(small_company()) as standin:
        standin.forbidden = {kind: f"crm.objects.{kind}.read"}
        place.connect("hub", keys(standin), SECRETS)
        report = place.good(now=FIRST).report
        assert current(place.raw, table) == {}
        assert [it.split()[0] for it in report.warnings if "scope" in it] == [kind]
        standin.forbidden = {}
        place.good(now=SECOND)
    assert current(place.raw, table) != {}


@pytest.mark.parametrize("kind", ["contacts", "owners", "companies"])
def test_without_the_scope_of_what_is_needed_nothing_is_read(place: Place, kind: str) -> None:
    with serve(small_company()) as standin:
        standin.forbidden = {kind: f"crm.objects.{kind}.read"}
        place.connect("hub", keys(standin), SECRETS)
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert f"crm.objects.{kind}.read" in outcome.failure.remedy


def test_where_the_token_may_not_read_leads_contacts_are_the_leads(place: Place) -> None:
    """A contact's stage of life and status decide, and the day an owner got it."""
    reply = sample_reply(FOLDER / "error_scopes_403.json")
    with serve(small_company()) as standin:
        standin.always = lambda it: reply if "/leads" in it.path else None
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
    leads = current(place.raw, "crm.leads")
    assert leads.keys() == {(str(it),) for it in range(7001, 7005)}
    good, bad = row(place, "crm.leads", "7001"), row(place, "crm.leads", "7002")
    assert (good["is_target"], good["qualified_at"]) == ("true", "2026-03-03T06:00:00Z")
    assert good["taken_at"] == "2026-03-02T09:00:00Z"
    assert (bad["is_target"], "qualified_at" in bad) == ("false", False)
    assert "is_target" not in row(place, "crm.leads", "7003")
    deals = {key[0]: it["lead_id"] for key, it in current(place.raw, "crm.deals").items()}
    assert deals == {
        "4001": "7001", "4002": "7002", "4003": "7003", "4004": "7004", "4005": None,
    }  # fmt: skip


def test_the_loser_of_a_merge_is_buried_and_what_pointed_at_it_moves(place: Place) -> None:
    """Also of a closed deal, which knows nothing of it."""
    company, is_merged = small_company(), [False]

    def store() -> Store:
        found = company_store(company)
        if is_merged[0]:
            found.objects["contacts"] = [
                it for it in found.objects["contacts"] if it["id"] != "7001"
            ]
            survivor = next(it for it in found.objects["contacts"] if it["id"] == "7002")
            survivor["properties"] |= {
                "lastmodifieddate": at(8, 1).isoformat(),
                "hs_calculated_merged_vids": f"7001:{int(at(8, 1).timestamp() * 1000)}",
            }
            for links in found.links.values():
                for number, linked in links.items():
                    links[number] = [("7002" if it == "7001" else it, name) for it, name in linked]
            found.aliases["contacts", "7001"] = "7002"
        return found

    with HubspotStandIn(store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        is_merged[0] = True
        place.good(now=SECOND)
        count = len(standin.requests)
        place.good(now=SECOND + timedelta(hours=1))
        again = [it for it in standin.requests[count:] if it.path.endswith("batch/read")]
    assert ("7001",) not in current(place.raw, "crm.contacts")
    for table, key in (("crm.deals", "4001"), ("crm.leads", "9001"), ("crm.meetings", "8001"),
                       ("crm.activities", "email:2001"), ("crm.surveys", "9900")):  # fmt: skip
        assert row(place, table, key)["contact_id"] == "7002", table
    # Once: the next load asks for associations of open deals alone.
    assert {it.path.split("/")[2] for it in again} == {"v4"}


def test_merged_deals_are_one_with_one_payment(place: Place) -> None:
    """A deal that comes of a merge has a new id; both others are buried with their money."""
    company, is_merged = small_company(), [False]

    def store() -> Store:
        found = company_store(company)
        if is_merged[0]:
            deals = found.objects["deals"]
            loser = next(it for it in deals if it["id"] == "4001")
            deals.remove(loser)
            own = {**loser["properties"], "hs_merged_object_ids": "4001;3999"}
            own["hs_lastmodifieddate"] = at(8, 1).isoformat()
            deals.append({**loser, "id": "4900", "properties": own})
            found.history["deals", "4900"] = found.history["deals", "4001"]
            for (kind, to), links in found.links.items():
                if kind == "deals" and "4001" in links:
                    links["4900"] = links.pop("4001")
                if to == "deals":
                    for number, linked in links.items():
                        links[number] = [("4900" if it == "4001" else it, n) for it, n in linked]
        return found

    with HubspotStandIn(store) as standin:
        place.connect("hub", keys(standin, payments_from="won_deals"), SECRETS)
        place.good(now=FIRST)
        assert list(current(place.raw, "crm.payments")) == [("won:4001",)]
        is_merged[0] = True
        place.good(now=SECOND)
    assert ("4001",) not in current(place.raw, "crm.deals")
    assert list(current(place.raw, "crm.payments")) == [("won:4900",)]
    assert row(place, "crm.meetings", "8001")["deal_id"] == "4900"
    assert len(stages(place, "4900")) == 5


def test_what_is_archived_is_buried_and_comes_back(place: Place) -> None:
    company = small_company()
    with serve(company) as standin:
        place.connect("hub", keys(standin, payments_from="won_deals"), SECRETS)
        place.good(now=FIRST)
        paid = current(place.raw, "crm.payments")
        company.delete_sale(1, at(8, 1))
        place.good(now=SECOND)
        assert current(place.raw, "crm.payments") == {}
        (grave,) = [it for it in all_rows(place.raw, "crm.deals") if it["is_deleted"] == "true"]
        assert (grave["deal_id"], grave["updated_at"]) == ("4001", "2026-03-10T07:00:00Z")
        # Its meeting lives on, without a deal.
        assert "deal_id" not in row(place, "crm.meetings", "8001")
        company.restore_sale(1, at(9, 3))
        place.good(now=at(9, 4))
    assert current(place.raw, "crm.payments").keys() == paid.keys()
    assert row(place, "crm.leads", "9001")["contact_id"] == "7001"


def test_what_a_search_has_lost_is_found_by_the_sweep(place: Place) -> None:
    company = small_company()
    with serve(company) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        # Its time of change lies before every window that is still to come.
        company.add_sale(6, at(3), person=2)
        place.good(now=FIRST + timedelta(days=3))
        assert ("4006",) not in current(place.raw, "crm.deals")
        report = place.good(now=FIRST + timedelta(days=8)).report
    assert ("4006",) in current(place.raw, "crm.deals")
    assert report.counted["deals that only the sweep found"] == 1


def test_a_property_that_the_answer_lacks_is_null_and_counted(place: Place) -> None:
    store = sample_store(FOLDER)
    deals = {it["id"]: it["properties"] for it in store.objects["deals"]}
    del deals["4001"]["amount"]
    del deals["4001"]["pipeline"]
    with HubspotStandIn(lambda: store) as standin:
        standin.unknown = {"leads"}
        place.connect("hub", keys(standin), SECRETS)
        report = place.good(now=NOW).report
    found = row(place, "crm.deals", "4001")
    assert not {"amount", "pipeline_id", "stage_id"} & found.keys()
    assert report.counted["deals batch/read: rows without amount"] == 1
    assert report.counted["deals batch/read: rows without pipeline"] == 1
    # An empty value is a value: nobody has said it yet.
    assert not any("dealtype" in it for it in report.counted)


@pytest.mark.parametrize(
    ("written", "zone", "wanted"),
    [
        ("2026-04-01T00:00:00Z", "America/New_York", "2026-04-01"),
        ("2026-04-01T02:30:00Z", "America/New_York", "2026-03-31"),
        ("2026-03-31T22:00:00Z", "Europe/Moscow", "2026-04-01"),
        ("1774915200000", "America/New_York", "2026-03-31"),
        ("", "Europe/Moscow", None),
        ("soon", "Europe/Moscow", "soon"),
    ],
)
def test_the_day_of_a_time_is_the_portals_and_a_dates_its_own(
    written: str, zone: str, wanted: str | None
) -> None:
    assert day(written, ZoneInfo(zone)) == wanted
    (found,) = field_values("1774915200000", CustomField("signed", "Signed"), "date")
    assert found.text == "2026-03-31"


def test_a_zone_that_is_none_is_warned_of(place: Place) -> None:
    store = sample_store(FOLDER)
    store.account["timeZone"] = "Nowhere/Town"
    with HubspotStandIn(lambda: store) as standin:
        standin.unknown = {"leads"}
        place.connect("hub", keys(standin), SECRETS)
        report = place.good(now=NOW).report
    assert any("Nowhere/Town is no time zone" in it for it in report.warnings)


def test_a_row_that_a_moving_list_skips_is_not_buried_by_the_sweep(place: Place) -> None:
    company = small_company()
    with serve(company) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        before = current(place.raw, "crm.deals").keys()

        def skip(request: Request) -> Reply | None:
            if request.path != DEALS or request.query.get("archived") != "false":
                return None
            answer = json.loads(standin.answer(request).body)
            answer["results"] = [it for it in answer["results"] if it["id"] != "4003"]
            return json_reply(answer)

        standin.always = skip
        company.hide_sale(2)
        place.good(now=FIRST + timedelta(days=8))
    assert before - current(place.raw, "crm.deals").keys() == {("4002",)}


def test_no_sweep_buries_what_another_token_cannot_see(place: Place) -> None:
    company = small_company()
    with serve(company) as standin:
        place.connect("hub", keys(standin, sweep_every_days=1), SECRETS)
        place.good(now=FIRST)
        company.hide_sale(3)
        other = json_reply({"userId": 9002, "scopes": []})
        standin.always = lambda it: other if it.path.endswith("access-token-info") else None
        report = place.good(now=SECOND + timedelta(days=1)).report
    assert ("4003",) in current(place.raw, "crm.deals")
    assert any("another user" in it for it in report.warnings)


def test_the_token_of_another_portal_is_refused(place: Place) -> None:
    store = company_store(small_company())
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        store.account["portalId"] = 7
        outcome = place.run(now=SECOND)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "portal 7" in outcome.failure.message


def _tasks(status: str, quote: str, changed: datetime) -> dict[str, list[dict[str, Any]]]:
    return {
        "tasks": [
            thing(1, changed, at(1), hs_task_status=status, hs_timestamp=at(5).isoformat(),
                  hs_task_completion_date=at(4).isoformat(), hubspot_owner_id="6002"),
            thing(2, at(1), at(1), hs_task_status="NOT_STARTED", hs_timestamp=at(5).isoformat()),
        ],
        "quotes": [thing(1, changed, at(2), hs_status=quote, hubspot_owner_id="6001")],
        "communications": [
            thing(7, at(2), at(2), hs_communication_channel_type=it, hs_timestamp=at(2).isoformat())
            | {"id": str(number)}
            for number, it in enumerate(("SMS", "WHATS_APP", "LINKEDIN_MESSAGE", "CHAT"), 1)
        ],
    }  # fmt: skip


def test_tasks_are_done_quotes_published_and_messages_of_their_channel(place: Place) -> None:
    store = company_store(small_company())
    store.objects |= _tasks("COMPLETED", "APPROVED", at(4))
    store.history["quotes", "1"] = {
        "hs_status": [version("APPROVED", at(3)), version("DRAFT", at(2))]
    }
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin, activity_kinds={"CHAT": "other"}), SECRETS)
        place.good(now=FIRST)
        found = {
            key[0]: (it["kind"], it["direction"], it["happened_at"])
            for key, it in current(place.raw, "crm.activities").items()
            if not key[0].startswith("email:")
        }
        # One is reopened, the other taken back.
        store.objects |= _tasks("IN_PROGRESS", "DRAFT", at(8, 1))
        place.good(now=SECOND)
    two, four = "2026-03-04T06:00:00Z", "2026-03-06T06:00:00Z"
    assert found == {
        "task:1": ("task", "out", four),
        "quote:1": ("proposal", "out", "2026-03-05T06:00:00Z"),
        "message:1": ("message", None, two),
        "message:2": ("message", None, two),
        "message:3": ("social", None, two),
        "message:4": ("other", None, two),
    }
    left = {key[0] for key in current(place.raw, "crm.activities")}
    assert left & {"task:1", "quote:1"} == set()


@pytest.mark.parametrize(
    ("outcome", "versions", "held", "cancelled"),
    [
        ("COMPLETED", [("COMPLETED", 5)], at(4), None),
        ("CANCELED", [("CANCELED", 5)], None, at(5)),
        ("NO_SHOW", [("NO_SHOW", 6), ("SCHEDULED", 5), ("NO_SHOW", 4)], None, at(6)),
        ("NO_SHOW", [("NO_SHOW", 6), ("NO_SHOW", 5), ("SCHEDULED", 4)], None, at(5)),
        ("NO_SHOW", [], None, at(7)),
        ("RESCHEDULED", [("RESCHEDULED", 5)], None, None),
        ("SCHEDULED", [], None, None),
        (None, [], None, None),
        ("Отложена", [], None, None),
    ],
)
def test_a_meetings_outcome(
    place: Place,
    outcome: str | None,
    versions: Sequence[tuple[str, int]],
    held: datetime | None,
    cancelled: datetime | None,
) -> None:
    store = company_store(small_company())
    store.objects["meetings"] = [
        thing(8001, at(7), at(2), hs_createdate=at(2).isoformat(), hs_meeting_outcome=outcome,
              hs_meeting_start_time=at(4).isoformat(), hubspot_owner_id="6001",
              hs_created_by_user_id="9002", hs_activity_type="Выезд")
    ]  # fmt: skip
    store.history["meetings", "8001"] = {
        "hs_meeting_outcome": [version(value, at(day)) for value, day in versions]
    }
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)

    def text(moment: datetime | None) -> str | None:
        return moment and moment.isoformat().replace("+00:00", "Z")

    found = row(place, "crm.meetings", "8001")
    assert (found.get("held_at"), found.get("cancelled_at")) == (text(held), text(cancelled))
    assert (found["set_by"], found["held_by"], found["kind"]) == ("6002", "6001", "visit")


@pytest.mark.parametrize(
    ("kind", "value", "score"),
    [("CSAT", "4", "4"), ("CSAT", "4.0", "4"), ("CSAT", "6", None), ("CSAT", "4.5", None),
     ("CSAT", None, None), ("CES", "5", None), ("NPS", "5", None)],
)  # fmt: skip
def test_only_scores_of_satisfaction_from_1_to_5_are_surveys(
    place: Place, kind: str, value: str | None, score: str | None
) -> None:
    store = company_store(small_company())
    own = store.objects["feedback_submissions"][0]["properties"]
    own |= {"hs_survey_type": kind, "hs_value": value}
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        report = place.good(now=FIRST).report
    found = [it["score"] for it in current(place.raw, "crm.surveys").values()]
    assert found == ([score] if score else [])
    assert report.counted[f"answers to surveys of {kind}, left out"] == (score is None)


def test_properties_that_the_keys_name_are_found_by_label_and_read_with_their_versions(
    place: Place,
) -> None:
    store = company_store(small_company())
    store.properties = {
        "leads": [
            {"name": "is_good", "label": "Целевой", "type": "bool", "options": []},
        ],
        "deals": [
            {"name": "paid_on", "label": "Оплачено", "type": "date"},
            {"name": "paid_sum", "label": "Сумма оплаты", "type": "number"},
            {"name": "why", "label": "Причина", "type": "enumeration",
             "options": [{"value": "r1", "label": "Дорого"}]},
            {"name": "visit_on", "label": "Визит", "type": "datetime"},
        ],
    }  # fmt: skip
    store.objects["leads"][2]["properties"]["is_good"] = "true"
    store.history["leads", "9003"]["is_good"] = [version("true", at(2)), version("false", at(1, 6))]
    store.objects["deals"][0]["properties"] |= {"paid_on": "2026-03-09", "paid_sum": "500.10"}
    store.objects["deals"][1]["properties"]["why"] = "r1"
    store.objects["deals"][2]["properties"]["visit_on"] = "2026-03-12T10:00:00Z"
    store.history["deals", "4003"]["visit_on"] = [version("2026-03-12T10:00:00Z", at(3))]
    named = {"target_field": "Целевой", "target_values": ["Да"], "paid_at_field": "Оплачено",
             "paid_amount_field": "paid_sum", "payments_from": "fields",
             "lost_reason_field": "Причина", "meetings_from": ["objects", "fields"],
             "meeting_scheduled_field": "Визит"}  # fmt: skip
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin, **named), SECRETS)
        place.good(now=FIRST)
        place.connect("hub", keys(standin, target_field="Целевая"), SECRETS)
        outcome = place.run(now=FIRST)
    lead = row(place, "crm.leads", "9003")
    assert (lead["is_target"], lead["qualified_at"]) == ("true", "2026-03-04T06:00:00Z")
    assert row(place, "crm.deals", "4002")["lost_reason"] == "Дорого"
    paid = row(place, "crm.payments", "paid:4001")
    # A date is its midnight in the portal.
    assert (paid["paid_at"], paid["amount"]) == ("2026-03-08T21:00:00Z", "500.10")
    visit = row(place, "crm.meetings", "fd:4003")
    assert (visit["set_at"], visit["scheduled_for"]) == (
        "2026-03-05T06:00:00Z",
        "2026-03-12T10:00:00Z",
    )
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "target_field" in outcome.failure.message
    assert "is_good: Целевой" in outcome.failure.details


def test_stages_tell_meetings_where_the_keys_say_so(place: Place) -> None:
    named = {"meetings_from": ["stages"], "meeting_set_stages": ["meeting"],
             "meeting_held_stages": ["Продажи / Договор"]}  # fmt: skip
    with serve(small_company()) as standin:
        place.connect("hub", keys(standin, **named), SECRETS)
        place.good(now=FIRST)
        assert asked(standin, "/crm/v3/objects/meetings") == []
    found = current(place.raw, "crm.meetings")
    assert found.keys() == {("st:4001:1",), ("st:4005:1",)}
    held = row(place, "crm.meetings", "st:4001:1")
    assert (held["set_by"], held["held_by"]) == ("6002", "6001")
    assert (held["set_at"], held["held_at"]) == ("2026-03-04T06:00:00Z", "2026-03-06T06:00:00Z")


def test_an_owner_that_is_a_queue_or_has_no_name(place: Place) -> None:
    store = company_store(small_company())
    store.owners += [{"id": "6009", "email": "queue@romashka.example", "type": "QUEUE"}]
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        store.owners.pop()
        place.good(now=SECOND)
    found = [it for it in all_rows(place.raw, "crm.managers") if it["manager_id"] == "6009"]
    assert {(it["full_name"], it["role"]) for it in found} == {("queue@romashka.example", "other")}
    # It is not listed any more, and keeps its last values.
    assert {it["is_deleted"] for it in found} == {None, "true"}
    assert ("6009",) not in current(place.raw, "crm.managers")


def test_a_pipeline_that_is_archived_is_flagged_with_its_stages(place: Place) -> None:
    store = company_store(small_company())
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        store.pipelines["deals"][0]["archived"] = True
        place.good(now=SECOND)
    for table in ("crm.pipelines", "crm.stages"):
        assert current(place.raw, table) == {}
        assert {it["is_deleted"] for it in all_rows(place.raw, table)} == {None, "true"}


def test_the_answers_headers_set_the_pace(place: Place) -> None:
    slow = {
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        "X-HubSpot-RateLimit-Max": "10",
        "X-HubSpot-RateLimit-Remaining": "0",
    }
    company = small_company()
    with serve(company) as standin:
        place.connect("hub", keys(standin), SECRETS)
        account = company_store(company).account
        standin.faults[1] = json_reply(account, 200, **slow)
        outcome = place.good(now=FIRST)
    assert outcome.report.waits["rate limit"] == 1
    assert place.clock is not None
    # Nothing is left of this span: the next begins after it.
    assert place.clock.waits[0] == 10.0


def test_a_dated_version_of_the_api_has_other_paths(place: Place) -> None:
    with serve(small_company()) as standin:
        place.connect("hub", keys(standin, api_version="2026-03", leads_from="contacts"), SECRETS)
        place.run(now=FIRST)
        paths = [it.path for it in standin.requests]
    assert "/crm/objects/2026-03/companies" in paths
    assert not [it for it in paths if it.startswith("/crm/v3/objects")]


def test_a_companys_name_is_its_contacts_unless_they_say_another(place: Place) -> None:
    store = company_store(small_company())
    with HubspotStandIn(lambda: store) as standin:
        place.connect("hub", keys(standin), SECRETS)
        place.good(now=FIRST)
        assert row(place, "crm.contacts", "7001")["company"] == "ООО «Лютик»"
        own = store.objects["contacts"][0]["properties"]
        own |= {"company": "Лютик и сыновья", "lastmodifieddate": at(8, 1).isoformat()}
        firm = store.objects["companies"][0]["properties"]
        firm |= {"name": "АО «Лютик»", "hs_lastmodifieddate": at(8, 2).isoformat()}
        place.good(now=SECOND)
    assert row(place, "crm.contacts", "7001")["company"] == "Лютик и сыновья"
    assert row(place, "crm.contacts", "co5001")["name"] == "АО «Лютик»"


def test_a_check_names_the_owner_the_scopes_and_what_stays_empty(place: Place) -> None:
    with serve(small_company()) as standin:
        standin.forbidden = {"feedback_submissions": "crm.objects.feedback_submissions.read"}
        info = json_reply({"userId": 9001, "scopes": ["crm.objects.deals.read"]})
        standin.always = lambda it: info if it.path.endswith("access-token-info") else None
        place.connect("hub", keys(standin), SECRETS)
        found = {it.text: it for it in check(place.settings(FIRST), "hub")}
    assert found["The token is of a private app of Анна Примерова, with 1 scope"].grade == "good"
    lacks = [it for text, it in found.items() if text.startswith("The private app lacks")]
    assert [it.grade for it in lacks] == ["bad"]
    assert "crm.objects.contacts.read" in lacks[0].text
    assert found["Portal 1234567: times in Europe/Moscow, amounts in RUB"].grade == "good"
    assert found["2 owners (1 archived), 1 pipeline, 6 stages"].grade == "good"
    empty = found["feedback_submissions: without it no crm.surveys"]
    assert (empty.grade, "feedback_submissions.read" in empty.remedy) == ("note", True)
    assert found["Leads are the portal's lead objects"].grade == "good"


def test_the_company_comes_out_as_through_bitrix24(place: Place) -> None:
    """Both tell of the same company; people, stages, times and money are the same."""
    company = small_company()
    with serve(company) as hubspot, Bitrix24StandIn(lambda: b24_store(company)) as bitrix:
        named = {"payments_from": "won_deals"}
        place.connect("hub", keys(hubspot, **named), SECRETS)
        place.good(now=FIRST)
        other = Place(place.root.with_name("other"), place.monkeypatch)
        keys_there = {"kind": "bitrix24", "base_url": bitrix.address, "webhook_url": "env:HOOK"}
        secret = {"HOOK": f"https://romashka.bitrix24.ru{HOOK}"}
        other.connect("b24", {**keys_there, **named}, secret)
        other.good(now=FIRST)
    assert _told(place, 4000, 7000, 6000) == _told(other, 100, 300, 0)


def _told(place: Place, deals: int, contacts: int, managers: int) -> dict[str, Any]:
    """What a zone says of the company, by the company's own numbers."""

    def number(key: str | None, begin: int) -> int | None:
        return int(key) - begin if key and key.isdigit() else None

    stages = {key[0]: it["name"] for key, it in current(place.raw, "crm.stages").items()}
    kinds = sorted((it["name"], it["kind"]) for it in current(place.raw, "crm.stages").values())
    return {
        "stages": kinds,
        "deals": sorted(
            (
                number(it["deal_id"], deals), number(it["contact_id"], contacts),
                number(it["manager_id"], managers), stages[it["stage_id"]], float(it["amount"]),
                it["currency"], it["deal_type"], it["created_at"], it["closed_at"],
            )
            for it in current(place.raw, "crm.deals").values()
        ),
        "entries": sorted(
            (number(it["deal_id"], deals), stages[it["stage_id"]], it["entered_at"])
            for it in current(place.raw, "crm.deal_stage_history").values()
        ),
        "payments": sorted(
            (number(it["deal_id"], deals), float(it["amount"]), it["paid_at"])
            for it in current(place.raw, "crm.payments").values()
        ),
        "phones": sorted(
            (number(it["contact_id"], contacts), it["phone"])
            for it in current(place.raw, "crm.contact_phones").values()
            if it["contact_id"].isdigit()
        ),
        "meetings held": sorted(
            (number(it["deal_id"], deals), it["set_at"], it["held_at"], it["kind"])
            for it in current(place.raw, "crm.meetings").values()
            if it["held_at"]
        ),
        "mails": sorted(
            (number(it["deal_id"], deals), it["direction"], it["happened_at"])
            for it in current(place.raw, "crm.activities").values()
            if it["kind"] == "email"
        ),
    }  # fmt: skip
