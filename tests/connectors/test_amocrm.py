"""amoCRM's samples, its tokens, and the rules that the shared tests cannot know."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.adapter import FIRST, SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.zone import all_rows, current
from tests.standins.amocrm import AmocrmStandIn, Store, company_store, sample_store
from tests.standins.company import Move, at, small_company
from tests.standins.server import Reply, Request, StandIn

FOLDER = SAMPLES / "amocrm"
NOW = datetime.fromtimestamp(1773700060, UTC)
SECRETS = {"AMO_TOKEN": "long-lived-secret-token"}
OAUTH = {"AMO_SECRET": "client-secret-value", "AMO_REFRESH": "refresh-secret-seed"}


def keys(standin: StandIn, **more: Any) -> dict[str, Any]:
    return {"kind": "amocrm", "subdomain": "romashka", "base_url": standin.address,
            "long_lived_token": "env:AMO_TOKEN", **more}  # fmt: skip


def oauth(standin: StandIn, **more: Any) -> dict[str, Any]:
    return {"kind": "amocrm", "subdomain": "romashka", "base_url": standin.address,
            "client_id": "client", "client_secret": "env:AMO_SECRET",
            "redirect_uri": "https://romashka.example/", "refresh_token": "env:AMO_REFRESH",
            **more}  # fmt: skip


def row(place: Place, table: str, *key: str) -> dict[str, Any]:
    found = current(place.raw, table)[key]
    return {name: value for name, value in found.items() if value is not None}


@pytest.fixture
def samples(place: Place) -> Place:
    """The sample answers, loaded."""
    store = sample_store(FOLDER)
    with AmocrmStandIn(lambda: store, page_size=2) as standin:
        named = {"target_field": "9201", "target_values": ["Да"], "payments_from": "won_deals"}
        store.custom_fields = [{"id": 9201, "name": "Целевой"}]
        place.connect("amo", keys(standin, **named), SECRETS)
        place.good(now=NOW)
    return place


def test_every_sample_file_is_read_by_a_test() -> None:
    """Lists by `sample_store`, errors by the shared tests and by those of tokens below."""
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (
            Path(__file__),
            Path(__file__).parent / "adapters/amocrm.py",
            Path(__file__).parents[1] / "standins/amocrm.py",
        )
    )
    assert [it.stem for it in FOLDER.iterdir() if it.stem not in text] == []


def test_the_sample_deal_becomes_a_lead_and_a_deal(samples: Place) -> None:
    assert row(samples, "crm.deals", "50001") == {
        "deal_id": "50001",
        "lead_id": "50001",
        "contact_id": "60001",
        "manager_id": "7001",
        "pipeline_id": "8001",
        "stage_id": "8001:81004",
        "source_id": "301",
        "amount": "150000",
        "currency": "RUB",
        "deal_type": "new",
        "created_at": "2026-03-14T09:00:00Z",
        "updated_at": "2026-03-16T16:53:20Z",
    }
    assert row(samples, "crm.leads", "50001") == {
        "lead_id": "50001",
        "contact_id": "60001",
        "manager_id": "7001",
        "source_id": "301",
        "created_at": "2026-03-14T09:00:00Z",
        "taken_at": "2026-03-15T13:06:40Z",
        "is_target": "true",
        "utm_source": "yandex",
        "utm_medium": "cpc",
        "utm_campaign": "spring",
        "updated_at": "2026-03-16T16:53:20Z",
    }


def test_sample_stages_have_their_pipeline_in_the_key_and_their_kind(samples: Place) -> None:
    stages = current(samples.raw, "crm.stages")
    assert len(stages) == 10
    assert stages["8001:142",]["kind"] == stages["8002:142",]["kind"] == "won"
    assert stages["8002:143",]["kind"] == "lost"
    assert stages["8001:81001",]["kind"] == "open"


def test_sample_history_names_who_moved_and_no_robot(samples: Place) -> None:
    history = current(samples.raw, "crm.deal_stage_history")
    moved = {key[0][-1]: (it["stage_id"], it["manager_id"]) for key, it in history.items()}
    assert moved == {"1": ("8001:81003", None), "2": ("8001:143", "7002"),
                     "3": ("8001:81004", "7002")}  # fmt: skip


def test_the_sample_task_is_a_meeting_that_was_held(samples: Place) -> None:
    assert row(samples, "crm.meetings", "70001") == {
        "meeting_id": "70001",
        "lead_id": "50001",
        "deal_id": "50001",
        "set_by": "7002",
        "held_by": "7001",
        "set_at": "2026-03-14T14:53:20Z",
        "scheduled_for": "2026-03-16T10:00:00Z",
        "held_at": "2026-03-16T10:00:00Z",
        "kind": "meeting",
        "updated_at": "2026-03-16T11:20:00Z",
    }


def test_the_deleted_sample_lead_is_a_bare_tombstone(samples: Place) -> None:
    assert ("50002",) not in current(samples.raw, "crm.leads")
    graves = [it for it in all_rows(samples.raw, "crm.leads") if it["lead_id"] == "50002"]
    for grave in graves:
        filled = {name for name, value in grave.items() if value is not None}
        assert filled == {"lead_id", "is_deleted", "updated_at", "_loaded_at"}
        assert grave["updated_at"] == "2026-03-16T19:40:00Z"


def test_a_sample_lead_that_nobody_accepted_is_a_lead_of_its_own_source(samples: Place) -> None:
    assert row(samples, "crm.leads", "50004") == {
        "lead_id": "50004",
        "contact_id": "60004",
        "source_id": "uns:site-form",
        "created_at": "2026-03-16T14:06:40Z",
        "updated_at": "2026-03-16T14:06:40Z",
    }
    assert row(samples, "crm.sources", "uns:site-form")["name"] == "Форма на сайте"


def test_sample_people_have_their_phones_as_typed_and_their_groups(samples: Place) -> None:
    phones = {key for key in current(samples.raw, "crm.contact_phones") if key[0] == "60001"}
    assert phones == {("60001", "+7 999 000-00-01"), ("60001", "8 (999) 000 00 11")}
    managers = {
        str(it["manager_id"]): (it["team"], it["is_deleted"])
        for it in all_rows(samples.raw, "crm.managers")
    }
    assert managers == {"7001": ("Отдел продаж", None), "7002": ("Лидогенерация", None),
                        "7003": ("Отдел продаж", "true")}  # fmt: skip


def test_a_date_field_is_the_day_of_the_accounts_zone(place: Place) -> None:
    """leads_page1: 2026-03-25 00:00 in Moscow is the day before in UTC."""
    store = sample_store(FOLDER)
    store.custom_fields = [{"id": 9202, "name": "Дата договора"}]
    with AmocrmStandIn(lambda: store) as standin:
        place.connect("amo", keys(standin, expected_close_field="Дата договора"), SECRETS)
        place.good(now=NOW)
    assert row(place, "crm.deals", "50001")["expected_close_on"] == "2026-03-25"


def test_a_reason_that_comes_as_an_id_alone_is_looked_up(place: Place) -> None:
    store = sample_store(FOLDER)
    store.loss_reasons = [{"id": 401, "name": "Дорого"}]
    lost = next(it for it in store.leads if it["id"] == 50001)
    lost["status_id"] = 143
    lost["_embedded"] = {**lost["_embedded"], "loss_reason": []}
    lost["loss_reason_id"] = 401
    with AmocrmStandIn(lambda: store) as standin:
        place.connect("amo", keys(standin, non_target_reasons=["дорого"]), SECRETS)
        place.good(now=NOW)
    assert row(place, "crm.deals", str(lost["id"]))["lost_reason"] == "Дорого"
    assert row(place, "crm.leads", str(lost["id"]))["rejection_reason"] == "Дорого"


def test_a_reason_in_a_custom_field_says_that_a_lead_is_no_target(place: Place) -> None:
    store = sample_store(FOLDER)
    store.custom_fields = [{"id": 9301, "name": "Причина"}]
    lost = next(it for it in store.leads if it["id"] == 50001)
    lost["status_id"] = 143
    lost["_embedded"] = {**lost["_embedded"], "loss_reason": []}
    lost["loss_reason_id"] = None
    lost["custom_fields_values"] = [{"field_id": 9301, "values": [{"value": "Спам"}]}]
    with AmocrmStandIn(lambda: store) as standin:
        named = {"lost_reason_field": "Причина", "non_target_reasons": ["спам"]}
        place.connect("amo", keys(standin, **named), SECRETS)
        place.good(now=NOW)
    found = row(place, "crm.leads", str(lost["id"]))
    assert (found["is_target"], found["rejection_reason"]) == ("false", "Спам")


def test_a_field_that_the_answer_lacks_is_null_and_counted(place: Place) -> None:
    store = sample_store(FOLDER)
    lead = next(it for it in store.leads if it["id"] == 50001)
    del lead["price"]
    with AmocrmStandIn(lambda: store) as standin:
        place.connect("amo", keys(standin), SECRETS)
        report = place.good(now=NOW).report
    assert report.counted["/leads: rows without price"] == 1
    assert "amount" not in row(place, "crm.deals", "50001")


def test_a_row_that_a_moving_list_skips_is_not_buried_by_the_sweep(place: Place) -> None:
    """Pages go by number: when a row of the first is deleted, the second begins one row later."""
    company = small_company()

    def shift(request: Request) -> None:
        is_list = request.path.endswith("/leads") and not any(
            "filter" in it for it in request.query
        )
        if is_list and request.query.get("page") == "2" and "with" not in request.query:
            company.hide_sale(1)

    with AmocrmStandIn(lambda: company_store(company), page_size=2) as standin:
        place.connect("amo", keys(standin), SECRETS)
        place.good(now=FIRST)
        before = set(current(place.raw, "crm.deals"))
        standin.always = shift
        place.good(now=FIRST + timedelta(days=8))
        asked = [it for it in standin.requests if any("filter[id]" in key for key in it.query)]
        assert asked
        # The first page had the deleted one still; the skipped one was asked for by its id.
        assert set(current(place.raw, "crm.deals")) == before
        standin.always = None
        place.good(now=FIRST + timedelta(days=16))
    assert before - set(current(place.raw, "crm.deals")) == {("50001",)}


def test_a_lead_is_declined_at_the_next_load(place: Place) -> None:
    store = sample_store(FOLDER)
    with AmocrmStandIn(lambda: store) as standin:
        place.connect("amo", keys(standin), SECRETS)
        place.good(now=NOW)
        store.unsorted = []
        place.good(now=NOW + timedelta(hours=1))
    assert ("50004",) not in current(place.raw, "crm.leads")


def test_a_prefix_is_before_every_id(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        place.connect("amo", keys(standin, prefix="am-", payments_from="won_deals"), SECRETS)
        place.good(now=FIRST)
    deal = row(place, "crm.deals", "am-50001")
    ids = {name: it for name, it in deal.items() if name.endswith("_id")}
    assert all(str(it).startswith("am-") for it in ids.values()), ids
    assert row(place, "crm.payments", "am-won:50001")["deal_id"] == "am-50001"
    assert row(place, "crm.contacts", "am-co65001")["name"] == "ООО «Лютик»"


def test_a_pipeline_of_leads_and_one_of_repeat_sales(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        place.connect("amo", keys(standin, lead_pipelines=["Продажи"]), SECRETS)
        place.good(now=FIRST)
    assert current(place.raw, "crm.deals") == {}
    assert len(current(place.raw, "crm.leads")) == 5
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        other = Place(place.root / "other", place.monkeypatch)
        other.connect("amo", keys(standin, deal_only_pipelines=[8001]), SECRETS)
        other.good(now=FIRST)
    assert current(other.raw, "crm.leads") == {}
    assert {it["lead_id"] for it in current(other.raw, "crm.deals").values()} == {None}


def test_who_enters_a_lead_beyond_the_waiting_stage_has_taken_it(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        place.connect("amo", keys(standin), SECRETS)
        place.good(now=FIRST)
        company.add_sale(6, at(8, 1), person=2).moves[:] = [Move(at(8, 1), "contact", 0)]
        place.good(now=at(8, 2))
    taken = {key: it["taken_at"] for (key,), it in current(place.raw, "crm.leads").items()}
    assert taken == {
        "50001": "2026-03-02T09:00:00Z",
        # Entered by a manager; the sixth by a robot.
        "50002": "2026-03-02T10:00:00Z",
        "50003": "2026-03-03T11:00:00Z",
        "50004": None,
        "50005": "2026-03-05T06:00:00Z",
        "50006": None,
    }


def test_a_mail_about_a_repeat_sale_names_no_lead(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        place.connect("amo", keys(standin, deal_only_pipelines=["Продажи"]), SECRETS)
        place.good(now=FIRST)
    for table in ("crm.activities", "crm.meetings"):
        rows = current(place.raw, table).values()
        assert {it["lead_id"] for it in rows} == {None}
        assert {it["deal_id"] for it in rows} >= {"50001", "50003"}


def test_meetings_come_from_stages_where_the_keys_say_so(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        named = {"meetings_from": ["stages"], "meeting_set_stages": ["Продажи / Встреча назначена"],
                 "meeting_held_stages": ["Договор"]}  # fmt: skip
        place.connect("amo", keys(standin, **named), SECRETS)
        place.good(now=FIRST)
        company.move(5, "lost", at(8, 1))
        place.good(now=at(8, 2))
    assert row(place, "crm.meetings", "st:50001:1") == {
        "meeting_id": "st:50001:1", "lead_id": "50001", "deal_id": "50001",
        "contact_id": "60001", "set_by": "7002", "held_by": "7001", "kind": "meeting",
        "set_at": "2026-03-04T06:00:00Z", "held_at": "2026-03-06T06:00:00Z",
        "updated_at": "2026-03-08T06:00:00Z",
    }  # fmt: skip
    assert row(place, "crm.meetings", "st:50005:1")["cancelled_at"] == "2026-03-10T07:00:00Z"


def test_a_deal_that_leaves_the_won_stage_loses_its_payment(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        place.connect("amo", keys(standin, payments_from="won_deals"), SECRETS)
        outcome = place.good(now=FIRST)
        assert any("deals won, not paid" in it for it in outcome.report.warnings)
        assert row(place, "crm.payments", "won:50001")["amount"] == "120000"
        company.move(1, "contract", at(8, 1))
        place.good(now=at(8, 2))
    assert current(place.raw, "crm.payments") == {}


def test_a_companys_phone_is_left_to_its_own_contact(place: Place) -> None:
    """The firm and its person have the same number; when the person drops it, the firm has it."""
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        place.connect("amo", keys(standin), SECRETS)
        place.good(now=FIRST)
        owners = current(place.raw, "crm.contact_phones")
        assert ("co65001", "+7 499 000-00-20") in owners
        assert ("co65001", "+7 999 000-00-01") not in owners
        person = company.person(1)
        person.phones, person.updated_at = ["8 (999) 000 00 11"], at(8, 1)
        place.good(now=at(8, 2))
        assert ("co65001", "+7 999 000-00-01") in current(place.raw, "crm.contact_phones")
        person.phones, person.updated_at = ["8 999 000 00 01"], at(8, 3)
        place.good(now=at(8, 4))
        assert ("co65001", "+7 999 000-00-01") not in current(place.raw, "crm.contact_phones")


def test_a_renamed_company_is_renamed_in_its_contacts_rows(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        place.connect("amo", keys(standin), SECRETS)
        place.good(now=FIRST)
        company.firm(1).name, company.firm(1).updated_at = "АО «Лютик»", at(8, 1)
        place.good(now=at(8, 2))
    assert row(place, "crm.contacts", "60001")["company"] == "АО «Лютик»"


def test_a_stage_that_is_not_listed_any_more_keeps_its_values(place: Place) -> None:
    company, gone = small_company(), []

    def store() -> Store:
        found = company_store(company)
        statuses = found.pipelines[0]["_embedded"]["statuses"]
        found.pipelines[0]["_embedded"]["statuses"] = [
            it for it in statuses if it["id"] not in gone
        ]
        return found

    with AmocrmStandIn(store) as standin:
        place.connect("amo", keys(standin), SECRETS)
        place.good(now=FIRST)
        gone.append(81004)
        place.good(now=at(8, 1))
    versions = [it for it in all_rows(place.raw, "crm.stages") if it["stage_id"] == "8001:81004"]
    last = max(versions, key=lambda it: it["_loaded_at"])
    assert (last["name"], last["position"], last["is_deleted"]) == ("Договор", "40", "true")


def test_many_rows_of_one_second_are_read_whatever_the_page(place: Place) -> None:
    """A page cannot begin at a later time while all rows have the same."""
    company = small_company()
    for number in range(10, 24):
        company.add_sale(number, at(5), person=2)
    with AmocrmStandIn(lambda: company_store(company), page_size=3) as standin:
        place.connect("amo", keys(standin), SECRETS)
        place.good(now=FIRST)
    assert len(current(place.raw, "crm.deals")) == 5 + 14


def test_a_list_in_another_order_is_read_whole(place: Place) -> None:
    company = small_company()

    class Unordered(AmocrmStandIn):
        def answer(self, request: Request) -> Reply:
            query = {key: it for key, it in request.query.items() if "order" not in key}
            return super().answer(Request(request.method, request.path, query, request.headers,
                                          request.body))  # fmt: skip

    company.sales.reverse()
    with Unordered(lambda: company_store(company), page_size=2) as standin:
        place.connect("amo", keys(standin), SECRETS)
        place.good(now=FIRST)
    assert len(current(place.raw, "crm.deals")) == 5


def test_an_empty_page_in_the_middle_is_read_again(place: Place) -> None:
    """leads_empty_204: the list moved under us."""
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company), page_size=1) as standin:
        place.connect("amo", keys(standin), SECRETS)
        empty, seen = Reply(204), []

        def once(request: Request) -> Reply | None:
            if request.path.endswith("/events") and request.query.get("page") == "2" and not seen:
                seen.append(request)
                return empty
            return None

        for number in (1, 3):
            company.move(number, "contract", at(7, 1))
        standin.always = once
        place.good(now=FIRST)
    assert seen
    moved = [it for it in current(place.raw, "crm.deal_stage_history").values()
             if it["entered_at"] == "2026-03-09T07:00:00Z"]  # fmt: skip
    assert len(moved) == 2


def test_a_field_that_fits_none_is_refused_with_those_that_there_are(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        place.connect("amo", keys(standin, target_field="Целевая"), SECRETS)
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "target_field" in outcome.failure.message
    assert outcome.failure.details == ["9201: Целевой", "9202: Дата договора"]


def test_a_refresh_token_is_used_once_and_the_next_is_stored_first(place: Place) -> None:
    """token_refresh: works once, and a new pair comes with it."""
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        standin.refresh_tokens = {"refresh-secret-seed": "unused"}
        place.connect("amo", oauth(standin), OAUTH)
        place.good(now=FIRST)
        assert standin.exchanges == 1
        file = place.data / "secrets/amo.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text())["values"]["refresh_token"] == "refresh-secret-1"
        # A day later the access token is dead; the stored refresh token brings the next pair.
        standin.tokens = set()
        place.good(now=at(9))
        assert standin.exchanges == 2
    others = [it for it in place.root.rglob("*") if it.is_file() and it != file]
    text = b"".join(it.read_bytes() for it in others)
    for secret in (b"client-secret-value", b"refresh-secret", b"access-secret"):
        assert secret not in text


def test_a_token_that_somebody_else_used_is_refused_without_being_shown(place: Place) -> None:
    """error_token_revoked."""
    with AmocrmStandIn(Store) as standin:
        place.connect("amo", oauth(standin), OAUTH)
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "authorise" in outcome.failure.remedy
    assert "Token has been revoked" in outcome.failure.message
    assert "refresh-secret" not in str(outcome.failure)


def test_a_pair_that_another_process_has_fetched_is_taken_over(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        standin.refresh_tokens = {"refresh-secret-seed": "unused"}
        place.connect("amo", oauth(standin), OAUTH)
        place.good(now=FIRST)
        file = place.data / "secrets/amo.json"
        stored = json.loads(file.read_text())
        standin.tokens, standin.refresh_tokens = set(), {}

        def elsewhere(request: Request) -> None:
            standin.tokens = {"access-secret-elsewhere"}
            pair = {"access_token": "access-secret-elsewhere", "refresh_token": "another"}
            file.write_text(json.dumps({**stored, "values": pair}))
            standin.always = None

        standin.always = elsewhere
        place.good(now=at(9))
        assert standin.exchanges == 1


def test_a_new_authorisation_replaces_what_was_stored(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        standin.refresh_tokens = {"refresh-secret-seed": "", "refresh-secret-new": ""}
        place.connect("amo", oauth(standin), OAUTH)
        place.good(now=FIRST)
        standin.tokens = set()
        place.connect("amo", oauth(standin), {**OAUTH, "AMO_REFRESH": "refresh-secret-new"})
        place.good(now=at(9))
        assert "refresh-secret-new" not in standin.refresh_tokens


def test_requests_are_no_faster_than_the_keys_say(place: Place) -> None:
    company = small_company()
    with AmocrmStandIn(lambda: company_store(company)) as standin:
        place.connect("amo", keys(standin), SECRETS)
        place.good(now=FIRST)
        assert place.clock is not None
        seconds = place.clock.monotonic()
        assert len(standin.requests) / 5 - 1 <= seconds
