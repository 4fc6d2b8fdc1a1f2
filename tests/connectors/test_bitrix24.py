"""Bitrix24's samples, its tokens, and the rules that the shared tests cannot know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.connectors.connector import Slice
from orchestration.connectors.run import check
from tests.connectors.adapter import FIRST, SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.zone import all_rows, current
from tests.standins.bitrix24 import (
    CONTACT,
    DEAL,
    HOOK,
    INVOICE,
    LEAD,
    QUOTE,
    Bitrix24StandIn,
    Store,
    company_store,
    sample_store,
)
from tests.standins.company import Company, Meeting, Touch, at, small_company
from tests.standins.server import Reply, Request, json_reply

FOLDER = SAMPLES / "bitrix24"
NOW = datetime.fromtimestamp(1773700000, UTC)
SECRETS = {"B24_HOOK": f"https://romashka.bitrix24.ru{HOOK}"}
OAUTH = {"B24_SECRET": "client-secret-value", "B24_REFRESH": "refresh-secret-seed"}


def keys(standin: Bitrix24StandIn, **more: Any) -> dict[str, Any]:
    return {"kind": "bitrix24", "base_url": standin.address, "webhook_url": "env:B24_HOOK",
            "page_size": standin.page_size, **more}  # fmt: skip


def oauth(standin: Bitrix24StandIn, **more: Any) -> dict[str, Any]:
    return {"kind": "bitrix24", "base_url": standin.address, "portal": "romashka.bitrix24.ru",
            "client_id": "client", "client_secret": "env:B24_SECRET",
            "refresh_token": "env:B24_REFRESH", **more}  # fmt: skip


def row(place: Place, table: str, *key: str) -> dict[str, Any]:
    found = current(place.raw, table)[key]
    return {name: value for name, value in found.items() if value is not None}


def serve(company: Company, mode: int = 1) -> Bitrix24StandIn:
    return Bitrix24StandIn(lambda: company_store(company, mode))


@pytest.fixture
def samples(place: Place) -> Place:
    """The sample answers, loaded; pages of 50."""
    store = sample_store(FOLDER)
    with Bitrix24StandIn(lambda: store) as standin:
        place.connect("b24", keys(standin, payments_from="native"), SECRETS)
        place.good(now=NOW)
    return place


def test_every_sample_file_is_read_by_a_test() -> None:
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (
            Path(__file__).parent / "adapters/bitrix24.py",
            Path(__file__).parents[1] / "standins/bitrix24.py",
        )
    )
    assert [it.stem for it in FOLDER.iterdir() if it.stem not in text] == []


def test_the_sample_pages_are_read_to_their_end(samples: Place) -> None:
    assert len(current(samples.raw, "crm.deals")) == 52
    assert len(current(samples.raw, "crm.deal_stage_history")) == 54


def test_the_won_sample_deal_is_closed_when_it_moved_and_not_on_its_planned_day(
    samples: Place,
) -> None:
    assert row(samples, "crm.deals", "102") == {
        "deal_id": "102",
        "lead_id": "901",
        "contact_id": "301",
        "manager_id": "1",
        "pipeline_id": "0",
        "stage_id": "WON",
        "source_id": "WEB",
        "amount": "2000.0",
        "currency": "RUB",
        "deal_type": "repeat",
        "created_at": "2026-03-01T11:00:00Z",
        "expected_close_on": "2026-03-15",
        "closed_at": "2026-03-02T12:00:00Z",
        "updated_at": "2026-03-02T12:00:00Z",
    }


def test_a_sample_deal_that_changed_its_pipeline_has_the_new_ones_stage(samples: Place) -> None:
    assert row(samples, "crm.deals", "103")["stage_id"] == "C1:NEW"
    assert row(samples, "crm.deal_stage_history", "54") == {
        "event_id": "54",
        "deal_id": "103",
        "stage_id": "C1:NEW",
        "entered_at": "2026-03-16T09:00:00Z",
        "manager_id": "1",
    }
    # Nobody is named for what was not the last move.
    assert "manager_id" not in row(samples, "crm.deal_stage_history", "4")


def test_sample_leads_are_targets_by_their_status(samples: Place) -> None:
    good, bad = row(samples, "crm.leads", "901"), row(samples, "crm.leads", "903")
    assert (good["is_target"], good["qualified_at"]) == ("true", "2026-03-01T10:00:00Z")
    assert (bad["is_target"], bad["qualified_at"]) == ("false", "2026-03-01T12:00:00Z")
    assert bad["rejection_reason"] == "Некачественный лид"
    assert "is_target" not in row(samples, "crm.leads", "905")
    assert good["contact_id"] == "301"


def test_sample_stages_have_the_pipelines_prefix_and_several_are_lost(samples: Place) -> None:
    kinds = {key[0]: it["kind"] for key, it in current(samples.raw, "crm.stages").items()}
    assert kinds == {
        "NEW": "open", "PREPARATION": "open", "WON": "won", "LOSE": "lost", "APOLOGY": "lost",
        "C1:NEW": "open", "C1:WON": "won", "C1:LOSE": "lost",
    }  # fmt: skip


def test_sample_activities_are_a_meeting_a_mail_and_a_message(samples: Place) -> None:
    assert row(samples, "crm.meetings", "20") == {
        "meeting_id": "20",
        "deal_id": "102",
        "set_by": "1",
        "held_by": "1",
        "set_at": "2026-03-01T06:00:00Z",
        "scheduled_for": "2026-03-02T06:00:00Z",
        "held_at": "2026-03-02T06:00:00Z",
        "kind": "meeting",
        "updated_at": "2026-03-02T07:00:00Z",
    }
    mail, chat = row(samples, "crm.activities", "21"), row(samples, "crm.activities", "22")
    assert (mail["kind"], mail["direction"], mail["deal_id"]) == ("email", "out", "102")
    assert (chat["kind"], chat["direction"], chat["contact_id"]) == ("message", "in", "301")


def test_sample_payments_are_those_that_were_paid(samples: Place) -> None:
    assert list(current(samples.raw, "crm.payments")) == [("1036",)]
    paid = row(samples, "crm.payments", "1036")
    assert (paid["amount"], paid["paid_at"]) == ("2000", "2026-03-02T12:00:00Z")
    assert (paid["deal_id"], paid["contact_id"]) == ("102", "301")


def test_sample_managers_have_their_department_and_the_dismissed_are_flagged(
    samples: Place,
) -> None:
    found = {
        str(it["manager_id"]): (it["full_name"], it["team"], it["hired_on"], it["is_deleted"])
        for it in all_rows(samples.raw, "crm.managers")
    }
    assert found == {
        "1": ("Анна Примерова", "Отдел продаж", "2024-01-10", None),
        "7": ("Вера Уволенная", "Отдел продаж", None, "true"),
    }


def test_sample_people_have_their_phones_as_typed(samples: Place) -> None:
    phones = {key for key in current(samples.raw, "crm.contact_phones") if key[0] == "301"}
    assert phones == {("301", "+7 999 000-00-01"), ("301", "8 999 000 00 11")}


def test_a_lead_without_a_contact_is_a_contact_until_it_has_one(place: Place) -> None:
    """Sale 5 has a company and a phone of its own: the phone counts."""
    company = small_company()
    with serve(company) as standin:
        place.connect("b24", keys(standin), SECRETS)
        place.good(now=FIRST)
        assert row(place, "crm.leads", "905")["contact_id"] == "ld905"
        assert ("ld905", "8 999 000-00-95") in current(place.raw, "crm.contact_phones")
        assert row(place, "crm.deals", "105")["contact_id"] == "co12"
        company.sale(5).person = 4
        company.sale(5).updated_at = at(8, 1)
        place.good(now=at(8, 2))
    assert row(place, "crm.leads", "905")["contact_id"] == "304"
    assert ("ld905",) not in current(place.raw, "crm.contacts")


def test_in_the_simple_mode_every_deal_is_also_a_lead(place: Place) -> None:
    company = small_company()
    with serve(company, mode=2) as standin:
        place.connect("b24", keys(standin, target_stages=["Продажи / Договор"]), SECRETS)
        place.good(now=FIRST)
        asked = [it.json for it in standin.requests if it.path.endswith("/crm.item.list")]
    leads, deals = current(place.raw, "crm.leads"), current(place.raw, "crm.deals")
    assert leads.keys() == deals.keys() == {(str(it),) for it in range(101, 106)}
    assert LEAD not in {it["entityTypeId"] for it in asked}
    lead = row(place, "crm.leads", "101")
    assert (lead["taken_at"], lead["is_target"]) == ("2026-03-02T09:00:00Z", "true")
    assert lead["qualified_at"] == "2026-03-06T06:00:00Z"
    # Lost says nothing of whether it was a target lead.
    assert "is_target" not in row(place, "crm.leads", "102")
    assert row(place, "crm.meetings", "1001")["lead_id"] == "101"


def test_in_the_simple_mode_repeat_sales_are_no_leads_where_the_keys_say_so(place: Place) -> None:
    company = small_company()
    order = company.add_sale(6, at(5), person=1)
    order.is_order, order.amount = True, 5_000
    company.touches.append(Touch(4, 6, "mail", False, 1, at(5, 1)))
    company.meetings.append(Meeting(4, 6, 1, 1, at(5, 1), at(9), at(5, 1)))
    with serve(company, mode=2) as standin:
        place.connect("b24", keys(standin, deal_only_pipelines=["Заказы"]), SECRETS)
        place.good(now=FIRST)
    assert current(place.raw, "crm.leads").keys() == {(str(it),) for it in range(101, 106)}
    assert row(place, "crm.deals", "106")["stage_id"] == "C1:NEW"
    for table, key in (("crm.deals", "106"), ("crm.activities", "2004"), ("crm.meetings", "1004")):
        found = row(place, table, key)
        assert found["deal_id"] == "106"
        assert "lead_id" not in found


def test_only_the_last_mover_is_named_however_often_we_read(place: Place) -> None:
    company = small_company()
    with serve(company) as standin:
        place.connect("b24", keys(standin), SECRETS)
        place.good(now=FIRST)
        before = _moves(place, "103")
        company.move(3, "meeting", at(8, 1), by=2)
        place.good(now=at(8, 2))
    assert before == [("NEW", None), ("PREPARATION", "1")]
    assert _moves(place, "103") == [("NEW", None), ("PREPARATION", None), ("EXECUTING", "2")]


def _moves(place: Place, deal: str) -> list[tuple[Any, Any]]:
    rows = [it for it in current(place.raw, "crm.deal_stage_history").values()
            if it["deal_id"] == deal]  # fmt: skip
    rows.sort(key=lambda it: str(it["entered_at"]))
    return [(it["stage_id"], it["manager_id"]) for it in rows]


def test_history_once_written_stays_and_is_read_whole_every_30_days(place: Place) -> None:
    """A deal that changes its pipeline loses its entries there; older ones can come back."""
    company, hidden = small_company(), [True]

    def store() -> Store:
        found = company_store(company)
        rows = found.history[DEAL]
        found.history[DEAL] = [
            it for it in rows
            if (it["OWNER_ID"], it["TYPE_ID"]) != ((101, 1) if hidden[0] else (105, 1))
        ]  # fmt: skip
        return found

    def first_entries() -> set[Any]:
        history = current(place.raw, "crm.deal_stage_history").values()
        return {(it["deal_id"], it["stage_id"]) for it in history}

    with Bitrix24StandIn(store) as standin:
        place.connect("b24", keys(standin, sweep_every_days=100), SECRETS)
        place.good(now=FIRST)
        assert ("101", "NEW") not in first_entries()
        hidden[0] = False
        place.good(now=FIRST + timedelta(days=29))
        assert ("101", "NEW") not in first_entries()
        assert ("105", "PREPARATION") in first_entries()
        place.good(now=FIRST + timedelta(days=30))
    assert ("101", "NEW") in first_entries()
    assert ("105", "PREPARATION") in first_entries()


def test_a_template_of_recurring_deals_is_no_deal(place: Place) -> None:
    store = company_store(small_company())
    store.items[DEAL][0]["isRecurring"] = "Y"
    with Bitrix24StandIn(lambda: store) as standin:
        place.connect("b24", keys(standin), SECRETS)
        report = place.good(now=FIRST).report
    assert ("101",) not in current(place.raw, "crm.deals")
    assert report.counted["templates of recurring deals, left out"] == 1


def test_times_in_the_owners_zone_stop_the_load_unless_they_are_put_right(place: Place) -> None:
    store = company_store(small_company())
    for entity in (DEAL, LEAD):
        for item in store.items[entity]:
            for name in ("createdTime", "updatedTime"):
                moved = datetime.fromisoformat(item[name]) + timedelta(hours=1)
                item[name] = moved.isoformat()
    with Bitrix24StandIn(lambda: store) as standin:
        place.connect("b24", keys(standin), SECRETS)
        outcome = place.run(now=FIRST)
        assert outcome.exit_code == 2
        assert outcome.failure is not None
        assert "createdTime is 60 minutes ahead" in outcome.failure.message
        assert "user_time_shift_minutes: 60" in outcome.failure.remedy
        bad = [it for it in check(place.settings(FIRST), "b24") if it.grade == "bad"]
        assert [it.text for it in bad] == [outcome.failure.message.partition("list: ")[2]]
        place.connect("b24", keys(standin, user_time_shift_minutes=60), SECRETS)
        place.good(now=FIRST)
    assert row(place, "crm.deals", "101")["created_at"] == "2026-03-02T08:00:00Z"


def test_stages_of_other_pipelines_get_their_prefix_where_it_is_missing(place: Place) -> None:
    store = sample_store(FOLDER)
    for it in store.statuses["DEAL_STAGE_1"]:
        it["STATUS_ID"] = it["STATUS_ID"].removeprefix("C1:")
    with Bitrix24StandIn(lambda: store) as standin:
        place.connect("b24", keys(standin), SECRETS)
        place.good(now=NOW)
    assert row(place, "crm.stages", "C1:WON")["pipeline_id"] == "1"
    assert row(place, "crm.deals", "103")["stage_id"] == "C1:NEW"


def test_custom_fields_are_found_by_name_in_leads_and_in_deals(place: Place) -> None:
    store = company_store(small_company())
    store.custom_fields = {
        LEAD: {"ufCrm_1": {"title": "Целевой", "type": "boolean"}},
        DEAL: {
            "ufCrm_2": {"title": "Оплачено", "type": "date"},
            "ufCrm_3": {"title": "Причина", "type": "enumeration",
                        "items": [{"ID": "45", "VALUE": "Дорого"}]},
            "ufCrm_4": {"title": "Сумма оплаты", "type": "money"},
        },
    }  # fmt: skip
    store.items[LEAD][2]["ufCrm_1"] = "1"
    store.items[DEAL][0] |= {"ufCrm_2": "2026-03-09T03:00:00+03:00", "ufCrm_4": "500|RUB"}
    store.items[DEAL][1]["ufCrm_3"] = 45
    named = {"target_field": "Целевой", "target_values": ["Да"], "paid_at_field": "Оплачено",
             "paid_amount_field": "ufCrm_4", "payments_from": "fields",
             "lost_reason_field": "Причина"}  # fmt: skip
    with Bitrix24StandIn(lambda: store) as standin:
        place.connect("b24", keys(standin, **named), SECRETS)
        place.good(now=FIRST)
        place.connect("b24", keys(standin, target_field="Целевая"), SECRETS)
        outcome = place.run(now=FIRST)
    assert row(place, "crm.leads", "903")["is_target"] == "true"
    assert row(place, "crm.deals", "102")["lost_reason"] == "Дорого"
    paid = row(place, "crm.payments", "paid:101")
    assert (paid["paid_at"], paid["amount"]) == ("2026-03-08T21:00:00Z", "500")
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "target_field" in outcome.failure.message
    assert "ufCrm_1: Целевой" in outcome.failure.details


def test_invoices_and_quotes_are_read_where_the_keys_ask_for_them(place: Place) -> None:
    store = company_store(small_company())
    common = {"opportunity": 700, "currencyId": "RUB", "contactId": 301, "assignedById": 1,
              "createdTime": "2026-03-09T09:00:00+03:00",
              "updatedTime": "2026-03-09T12:00:00+03:00",
              "movedTime": "2026-03-09T12:00:00+03:00"}  # fmt: skip
    store.items[INVOICE] = [
        {**common, "id": 1, "stageId": "DT31_3:P", "parentId2": 101},
        {**common, "id": 2, "stageId": "DT31_3:N", "parentId2": 101},
    ]
    store.items[QUOTE] = [{**common, "id": 5, "dealId": 101}]
    store.invoice_categories = [{"id": 3, "name": "Счета"}]
    store.statuses["SMART_INVOICE_STAGE_3"] = [
        {"STATUS_ID": "DT31_3:N", "NAME": "Новый", "SORT": "10", "SEMANTICS": None},
        {"STATUS_ID": "DT31_3:P", "NAME": "Оплачен", "SORT": "20", "SEMANTICS": "S"},
    ]
    with Bitrix24StandIn(lambda: store) as standin:
        place.connect("b24", keys(standin, payments_from="invoices", read_quotes=True), SECRETS)
        place.good(now=FIRST)
        assert row(place, "crm.payments", "invoice:1")["paid_at"] == "2026-03-09T09:00:00Z"
        assert ("invoice:2",) not in current(place.raw, "crm.payments")
        offer = row(place, "crm.activities", "quote:5")
        assert (offer["kind"], offer["happened_at"]) == ("proposal", "2026-03-09T06:00:00Z")
        store.items[INVOICE][0] |= {"stageId": "DT31_3:N", "updatedTime": at(8, 1).isoformat()}
        place.good(now=at(8, 2))
    assert current(place.raw, "crm.payments") == {}


def test_a_payment_that_is_taken_back_is_gone_though_the_deal_has_not_changed(
    place: Place,
) -> None:
    store = company_store(small_company())
    paid = {"id": 1, "paid": "Y", "datePaid": "2026-03-09T12:00:00+03:00", "sum": 100,
            "currency": "RUR"}  # fmt: skip
    store.payments = {"101": [paid]}
    with Bitrix24StandIn(lambda: store) as standin:
        place.connect("b24", keys(standin, payments_from="native"), SECRETS)
        place.good(now=FIRST)
        assert row(place, "crm.payments", "1")["currency"] == "RUB"
        store.payments = {}
        place.good(now=at(8, 2))
    assert current(place.raw, "crm.payments") == {}


def test_a_field_that_the_answer_lacks_is_null_and_counted(place: Place) -> None:
    store = sample_store(FOLDER)
    deal = next(it for it in store.items[2] if it["id"] == 102)
    for name in ("opportunity", "stageId", "categoryId"):
        del deal[name]
    del store.items[1][0]["assignedById"]
    with Bitrix24StandIn(lambda: store) as standin:
        place.connect("b24", keys(standin), SECRETS)
        report = place.good(now=NOW).report
    assert not {"amount", "stage_id", "pipeline_id"} & row(place, "crm.deals", "102").keys()
    lead = row(place, "crm.leads", str(store.items[1][0]["id"]))
    assert "manager_id" not in lead
    assert {name: it for name, it in report.counted.items() if "rows without" in name} == {
        "crm.item.list 1: rows without assignedById": 1,
        "crm.item.list 2: rows without opportunity": 1,
        "crm.item.list 2: rows without stageId": 1,
        "crm.item.list 2: rows without categoryId": 1,
    }


def test_a_failed_call_in_a_batch_is_no_empty_list(place: Place) -> None:
    with serve(small_company()) as standin:
        place.connect("b24", keys(standin, payments_from="native"), SECRETS)
        words = {"error": "ACCESS_DENIED", "error_description": "Access denied"}
        reply = json_reply({"result": {"result": [], "result_error": {"d101": words}}})
        standin.always = lambda it: reply if it.path.endswith("/batch") else None
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "Access denied" in outcome.failure.message


@pytest.mark.parametrize(
    ("code", "exit_code", "waits"),
    [("QUERY_LIMIT_EXCEEDED", 0, [1.0, 2.0]), ("insufficient_scope", 2, []), ("ODD", 75, [])],
)
def test_a_call_of_a_batch_that_is_refused_for_a_time_is_asked_again(
    place: Place, code: str, exit_code: int, waits: list[float]
) -> None:
    store, left = sample_store(FOLDER), [2 if exit_code == 0 else 99]

    def refuse(request: Request) -> Reply | None:
        if not request.path.endswith("/batch") or not left[0]:
            return None
        left[0] -= 1
        names = list(request.json["cmd"])
        error = {"error": code, "error_description": "not now"}
        return json_reply({"result": {"result": [], "result_error": dict.fromkeys(names, error)}})

    with Bitrix24StandIn(lambda: store) as standin:
        standin.always = refuse
        place.connect("b24", keys(standin, payments_from="native"), SECRETS)
        outcome = place.run(now=NOW)
    assert outcome.exit_code == exit_code
    assert place.clock is not None
    assert [it for it in place.clock.waits if it >= 1] == waits
    if outcome.failure is None:
        assert current(place.raw, "crm.payments")
    else:
        assert code in outcome.failure.message


def test_a_method_slows_down_before_its_server_time_is_used_up(place: Place) -> None:
    with Bitrix24StandIn(lambda: company_store(small_company()), page_size=2) as standin:
        standin.operating = 440
        place.connect("b24", keys(standin), SECRETS)
        outcome = place.good(now=FIRST)
    assert outcome.report.waits["operating"] > 3
    assert place.clock is not None
    # 600 s are left for 40 s of server time.
    assert max(place.clock.waits) == pytest.approx(600 / 40, rel=0.01)


def test_pages_in_another_order_are_no_end_and_no_loop(place: Place) -> None:
    class Unordered(Bitrix24StandIn):
        def answer(self, request: Request) -> Reply:
            if request.path.endswith("/crm.item.list") and request.json["entityTypeId"] == DEAL:
                rows = [{"id": 2}, {"id": 1}]
                return json_reply({"result": {"items": rows}})
            return super().answer(request)

    with Unordered(lambda: company_store(small_company()), page_size=2) as standin:
        place.connect("b24", keys(standin), SECRETS)
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 75
    assert outcome.failure is not None
    assert "not in order" in outcome.failure.message


def test_a_prefix_is_before_every_id(place: Place) -> None:
    with serve(small_company()) as standin:
        named = {"prefix": "b-", "payments_from": "won_deals", "sweep_every_days": 1}
        place.connect("b24", keys(standin, **named), SECRETS)
        place.good(now=FIRST)
        wanted = len(current(place.raw, "crm.contacts"))
        place.good(now=FIRST + timedelta(days=2))
    deal = row(place, "crm.deals", "b-101")
    ids = {name: it for name, it in deal.items() if name.endswith("_id")}
    assert all(str(it).startswith("b-") for it in ids.values()), ids
    assert row(place, "crm.payments", "b-won:101")["deal_id"] == "b-101"
    # The sweep has found all of them.
    assert len(current(place.raw, "crm.contacts")) == wanted


def test_a_range_does_not_read_the_whole_history(place: Place) -> None:
    with serve(small_company()) as standin:
        place.connect("b24", keys(standin), SECRETS)
        place.good(now=FIRST)
        count = len(standin.requests)
        place.good(now=FIRST, asked=Slice(at(1), at(4)))
        asked = [it.json for it in standin.requests[count:] if "stagehistory" in it.path]
    assert [it["filter"][">=CREATED_TIME"] for it in asked] == [at(1).isoformat()] * 2


def test_a_token_is_exchanged_when_it_has_expired_and_stored_first(place: Place) -> None:
    """error_expired_401: the one that is asked again carries the new token."""
    with serve(small_company()) as standin:
        standin.refresh_tokens = {"refresh-secret-seed"}
        place.connect("b24", oauth(standin), OAUTH)
        place.good(now=FIRST)
        assert standin.exchanges == 1
        standin.tokens = set()
        place.good(now=at(8, 1))
        assert standin.exchanges == 2
    file = place.data / "secrets/b24.json"
    assert "refresh-secret-2" in file.read_text()
    others = [it for it in place.root.rglob("*") if it.is_file() and it != file]
    text = b"".join(it.read_bytes() for it in others)
    for secret in (b"client-secret-value", b"refresh-secret", b"access-secret"):
        assert secret not in text


def test_an_application_that_was_removed_is_refused_without_its_secrets(place: Place) -> None:
    with Bitrix24StandIn(Store) as standin:
        place.connect("b24", oauth(standin), OAUTH)
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "authorise it again" in outcome.failure.remedy
    assert "secret-seed" not in str(outcome.failure)


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ("https://romashka.bitrix24.ru/rest/1/", "does not look like a webhook's address"),
        (f"http://romashka.bitrix24.ru{HOOK}", "has to begin with https"),
    ],
)
def test_a_webhook_that_is_none_is_refused_without_being_shown(
    place: Place, hook: str, words: str
) -> None:
    place.connect("b24", {"kind": "bitrix24", "webhook_url": "env:B24_HOOK"}, {"B24_HOOK": hook})
    outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert words in outcome.failure.message
    assert hook not in str(outcome.failure)


def test_a_check_names_the_owner_and_the_scope_that_is_missing(place: Place) -> None:
    store = company_store(small_company())
    store.profile, store.scopes = {"ID": "5", "ADMIN": False, "NAME": "Борис"}, ("crm", "user")
    with Bitrix24StandIn(lambda: store) as standin:
        place.connect("b24", keys(standin), SECRETS)
        found = list(check(place.settings(FIRST), "b24"))
    texts = {it.text: it.grade for it in found}
    assert texts["The webhook acts as Борис, who is no administrator"] == "note"
    assert texts["The webhook lacks the scope department"] == "bad"
    assert texts["Deals are created when their history says so"] == "good"


def test_contacts_are_asked_with_all_fields_because_phones_come_only_so(place: Place) -> None:
    with serve(small_company()) as standin:
        place.connect("b24", keys(standin), SECRETS)
        place.good(now=FIRST)
        lists = [it.json for it in standin.requests if it.path.endswith("/crm.item.list")]
    asked = next(it for it in lists if it["entityTypeId"] == CONTACT)
    assert (asked["select"], asked["start"], asked["order"]) == (["*"], -1, {"id": "ASC"})
