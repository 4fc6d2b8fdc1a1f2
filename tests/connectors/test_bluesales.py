"""BlueSales' samples, entries derived from dated loads, orders, payments, and lists that move."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.connectors.connector import Slice
from orchestration.connectors.kinds.bluesales.history import dated, first_entry, next_entry
from tests.connectors.adapter import FIRST, SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.zone import all_rows, current
from tests.standins.bluesales import (
    LOGIN,
    PASSWORD,
    PASSWORD_MD5,
    BluesalesStandIn,
    Store,
    company_store,
    sample_store,
)
from tests.standins.company import at, small_company
from tests.standins.server import Reply, Request, StandIn, json_reply, sample_reply

FOLDER = SAMPLES / "bluesales"
MOSCOW = ZoneInfo("Europe/Moscow")
SECRETS = {"BLUE_PASSWORD": PASSWORD}
# The nightly loads of the samples.
NIGHT = datetime(2026, 3, 16, 3, 0, tzinfo=MOSCOW)
NEXT = datetime(2026, 3, 17, 3, 0, tzinfo=MOSCOW)


def keys(standin: StandIn, **more: Any) -> dict[str, Any]:
    return {
        "kind": "bluesales", "login": LOGIN, "password": "env:BLUE_PASSWORD",
        "base_url": standin.address, "start_date": "2026-03-01", "sweep_every_days": 1,
        "crm_statuses": ["Новый", "В работе", "Ждём оплату", "Оплачено", "Отказ"],
        "order_statuses": ["Новый", "Доставлен"], "lost_stages": ["Отказ"],
        **more,
    }  # fmt: skip


def row(place: Place, table: str, *key: str) -> dict[str, Any]:
    found = current(place.raw, table)[key]
    return {name: value for name, value in found.items() if value is not None}


def entries(place: Place, deal_id: str) -> list[tuple[str, str, str | None, str]]:
    rows = [
        (it["entered_at"], it["stage_id"], it["entered_after"], it["entered_at_quality"])
        for it in current(place.raw, "crm.deal_stage_history").values()
        if it["deal_id"] == deal_id
    ]
    return [(stage, at, after, quality) for at, stage, after, quality in sorted(rows)]


def order(number: int, day: str, status: tuple[int, str], amount: float, **more: Any) -> Any:
    return {
        "id": number, "date": day, "orderStatus": {"id": status[0], "name": status[1]},
        "totalSumMinusDiscount": amount, "totalSumWithDelivery": amount + 350, "prepay": 0,
        "customer": {"id": 100002}, "manager": None, "customFields": [], **more,
    }  # fmt: skip


NEW, PAID, CANCELLED, BACK = (61, "Новый"), (64, "Доставлен"), (66, "Отменён"), (67, "Возврат")
MONEY = {
    "payments_from": "native", "paid_order_statuses": ["Доставлен"],
    "refund_order_statuses": ["Возврат"], "cancelled_order_statuses": ["Отменён"],
}  # fmt: skip


@pytest.fixture
def samples(place: Place) -> Place:
    """The nightly load of the sample answers, and the next one."""
    store = sample_store(FOLDER)
    with BluesalesStandIn(lambda: store, page_size=2) as standin:
        named = {"target_field": "Целевой", "target_values": ["Да"], "non_target_values": ["Нет"]}
        place.connect("blue", keys(standin, **named), SECRETS)
        place.good(now=NIGHT)
        later = sample_store(FOLDER, "customers_next_load")
        store.customers = later.customers
        place.good(now=NEXT)
    return place


def test_every_sample_file_is_read_by_a_test() -> None:
    """Lists by `sample_store`, errors by the shared tests, the 400 below."""
    folder = Path(__file__).parent
    files = (Path(__file__), folder / "adapters/bluesales.py",
             folder.parent / "standins/bluesales.py")  # fmt: skip
    text = "\n".join(it.read_text(encoding="utf-8") for it in files)
    assert [it.stem for it in FOLDER.iterdir() if it.stem not in text] == []


def test_the_sample_customer_is_a_contact_a_lead_and_a_deal(samples: Place) -> None:
    assert row(samples, "crm.contacts", "100002") == {
        "contact_id": "100002", "name": "Вымышленная Мария", "source_id": "901",
        "created_at": "2026-03-11T21:00:00Z",
    }  # fmt: skip
    assert row(samples, "crm.leads", "100002") == {
        "lead_id": "100002", "contact_id": "100002", "manager_id": "11", "source_id": "901",
        "created_at": "2026-03-11T21:00:00Z", "taken_at": "2026-03-15T08:42:10Z",
        "is_target": "true",
    }  # fmt: skip
    assert row(samples, "crm.deals", "c100002") == {
        "deal_id": "c100002", "lead_id": "100002", "contact_id": "100002", "manager_id": "11",
        "pipeline_id": "crm", "stage_id": "crm:2", "source_id": "901", "amount": "3600.0",
        "currency": "RUB", "deal_type": "new", "created_at": "2026-03-11T21:00:00Z",
    }  # fmt: skip
    phones = {key for key in current(samples.raw, "crm.contact_phones") if key[0] == "100002"}
    assert phones == {("100002", "79990000002"), ("100002", "79990000012")}


def test_a_later_sample_order_is_a_repeat_deal_of_the_customers_manager(samples: Place) -> None:
    assert row(samples, "crm.deals", "o500002") == {
        "deal_id": "o500002", "lead_id": "100002", "contact_id": "100002", "manager_id": "11",
        "pipeline_id": "orders", "stage_id": "order:64", "amount": "2500.0", "currency": "RUB",
        "deal_type": "repeat", "created_at": "2026-03-15T21:00:00Z",
    }  # fmt: skip


def test_sample_moves_are_dated_as_the_loads_saw_them(samples: Place) -> None:
    """The night's load came at 03:00 of the 16th: the move is of that day, but after the load."""
    night = NIGHT.astimezone(UTC)
    first, second = entries(samples, "c100001")
    assert first == ("crm:1", "2026-03-13T21:00:00Z", None, "first")
    stage, entered_at, after, quality = second
    assert (stage, quality) == ("crm:3", "day_cut")
    assert after is not None
    assert datetime.fromisoformat(after) - night < timedelta(seconds=1)
    assert datetime.fromisoformat(entered_at) == night + timedelta(seconds=1)
    assert entries(samples, "c100002") == [("crm:2", "2026-03-15T08:42:10Z", None, "first")]


def test_the_sample_customer_that_is_gone_is_a_bare_tombstone(samples: Place) -> None:
    assert ("100003",) not in current(samples.raw, "crm.leads")
    assert ("c100003",) not in current(samples.raw, "crm.deals")
    graves = [it for it in all_rows(samples.raw, "crm.leads")
              if it["lead_id"] == "100003" and it["is_deleted"]]  # fmt: skip
    (grave,) = graves
    filled = {name for name, value in grave.items() if value is not None}
    assert filled == {"lead_id", "is_deleted", "_loaded_at"}


def test_the_lost_sample_customer_was_no_target_lead(place: Place) -> None:
    store = sample_store(FOLDER)
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, non_target_tags=["Нецелевой"]), SECRETS)
        place.good(now=NIGHT)
    lead, deal = row(place, "crm.leads", "100003"), row(place, "crm.deals", "c100003")
    assert (lead["is_target"], lead["rejection_reason"]) == ("false", "Отказ")
    assert (deal["lost_reason"], deal["closed_at"]) == ("Отказ", "2026-03-14T21:00:00Z")
    stages = current(place.raw, "crm.stages")
    assert {key[0]: (it["position"], it["kind"]) for key, it in stages.items()} == {
        "crm:1": ("1", "open"), "crm:2": ("2", "open"), "crm:5": ("5", "lost"),
        "order:61": ("1", "open"), "order:64": ("2", "open"),
    }  # fmt: skip
    assert row(place, "crm.managers", "12")["email"] == "m12@romashka.example"
    assert ("13",) not in current(place.raw, "crm.managers")


UNTIL, SEEN = datetime(2026, 3, 16, tzinfo=UTC), datetime(2026, 3, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changed", "entered_at", "quality"),
    [
        (None, SEEN, "load"),
        ("soon", SEEN, "load"),
        ("2026-03-16", UNTIL + timedelta(seconds=1), "day_cut"),
        ("16.03.2026 11:42:10", datetime(2026, 3, 16, 8, 42, 10, tzinfo=UTC), "exact"),
        ("16.03.2026 11:42", datetime(2026, 3, 16, 8, 42, tzinfo=UTC), "exact"),
        ("2026-03-16T11:42:10+05:00", datetime(2026, 3, 16, 6, 42, 10, tzinfo=UTC), "exact"),
        # The day began at 21:00 UTC of the day before, and that is after it was last seen.
        ("17.03.2026", datetime(2026, 3, 16, 21, tzinfo=UTC), "day"),
        ("17.03.2026 00:00:00", datetime(2026, 3, 16, 21, tzinfo=UTC), "day"),
        # Before it was last seen otherwise, and after it was loaded: the date says nothing.
        ("14.03.2026", SEEN, "load"),
        ("18.03.2026", SEEN, "load"),
        ("03/16/2026", SEEN, "load"),
    ],
)
def test_an_entry_is_dated_by_what_two_loads_and_the_date_leave_open(
    changed: str | None, entered_at: datetime, quality: str
) -> None:
    found = next_entry("2", dated(changed, MOSCOW), UNTIL, SEEN)
    assert (found.at, found.after, found.quality) == (entered_at, UNTIL, quality)


@pytest.mark.parametrize(
    ("changed", "is_first", "entered_at"),
    [
        ("14.03.2026", False, datetime(2026, 3, 13, 21, tzinfo=UTC)),
        (None, True, datetime(2026, 3, 12, tzinfo=UTC)),
        (None, False, SEEN),
        ("18.03.2026", False, SEEN),
    ],
)
def test_the_first_sight_of_a_customer_is_dated_as_well_as_it_can_be(
    changed: str | None, is_first: bool, entered_at: datetime
) -> None:
    created = datetime(2026, 3, 12, tzinfo=UTC)
    found = first_entry("2", dated(changed, MOSCOW), created, is_first, SEEN)
    assert (found.at, found.after, found.quality) == (entered_at, None, "first")


@given(
    st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 30)),
    st.booleans(),
    st.timedeltas(timedelta(seconds=2), timedelta(days=9)),
)
def test_no_entry_is_outside_of_the_two_loads(
    changed: datetime, has_time: bool, between: timedelta
) -> None:
    loaded_at = UNTIL + between
    written = changed.strftime("%d.%m.%Y %H:%M:%S" if has_time else "%d.%m.%Y")
    found = next_entry("2", dated(written, MOSCOW), UNTIL, loaded_at)
    assert UNTIL < found.at <= loaded_at


def test_a_full_load_without_a_change_narrows_what_is_left_open(place: Place) -> None:
    """Nothing was written for the customer in the second night, and still it counts."""
    store = sample_store(FOLDER)
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin), SECRETS)
        place.good(now=NIGHT)
        outcome = place.good(now=NEXT)
        assert "crm.leads" not in outcome.report.written
        store.customers[0]["crmStatus"] = {"id": 4, "name": "Оплачено"}
        place.good(now=NEXT + timedelta(days=1))
    _, (_, _, after, quality) = entries(place, "c100001")
    assert quality == "load"
    assert after is not None
    assert abs(datetime.fromisoformat(after) - NEXT) < timedelta(seconds=1)


def test_a_first_status_of_a_known_customer_came_since_it_was_seen_without(place: Place) -> None:
    store = sample_store(FOLDER)
    store.customers[0] |= {"crmStatus": None, "crmStatusChangedDate": ""}
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin), SECRETS)
        place.good(now=NIGHT)
        assert entries(place, "c100001") == []
        store.customers[0]["crmStatus"] = {"id": 1, "name": "Новый"}
        place.good(now=NEXT)
    ((stage, entered_at, after, quality),) = entries(place, "c100001")
    assert (stage, quality) == ("crm:1", "load")
    assert after is not None
    assert datetime.fromisoformat(after) - NIGHT < timedelta(seconds=1)
    assert entered_at == "2026-03-17T00:00:00Z"


def test_a_full_load_from_a_day_on_narrows_nothing_of_who_came_before(place: Place) -> None:
    """Only a light load has seen the customer: full loads have no window for it."""
    store = sample_store(FOLDER)
    older = next(it for it in store.customers if it["id"] == 100002)
    older |= {"lastContactDate": "16.03.2026", "crmStatusChangedDate": ""}
    light = NIGHT + timedelta(hours=8)
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, start_date="2026-03-14"), SECRETS)
        place.good(now=NIGHT)
        assert ("100002",) not in current(place.raw, "crm.leads")
        place.good(now=light)
        place.good(now=NEXT)
        older["crmStatus"] = {"id": 4, "name": "Оплачено"}
        place.good(now=NEXT + timedelta(hours=8))
    stage, _, after, quality = entries(place, "c100002")[-1]
    assert (stage, quality) == ("crm:4", "load")
    assert after is not None
    assert abs(datetime.fromisoformat(after) - light) < timedelta(seconds=1)


def test_a_light_load_reads_who_was_in_touch_lately_and_narrows_nothing_else(place: Place) -> None:
    store = sample_store(FOLDER)
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin), SECRETS)
        place.good(now=NIGHT)
        count = len(standin.requests)
        store.customers[1]["crmStatus"] = {"id": 3, "name": "Ждём оплату"}
        store.customers[1]["crmStatusChangedDate"] = "16.03.2026 10:00:00"
        place.good(now=NIGHT + timedelta(hours=8))
        asked = [it.json for it in standin.requests[count:] if it.json]
    assert asked[0]["lastContactDateFrom"] == "2026-03-14"
    assert asked[0]["lastContactDateTill"] == "2026-03-17"
    assert entries(place, "c100002")[-1][0::3] == ("crm:3", "exact")
    assert entries(place, "c100002")[-1][1] == "2026-03-16T07:00:00Z"


def test_a_status_that_everybody_has_left_still_says_what_it_said(place: Place) -> None:
    """Keys name statuses that customers pass through: their meetings and targets stay."""
    store = sample_store(FOLDER)
    named = {"meetings_from": ["stages"], "meeting_set_stages": ["Ждём оплату"],
             "target_stages": ["Ждём оплату"], "won_stages": ["Оплачено"]}  # fmt: skip
    statuses = ((3, "Ждём оплату"), (2, "В работе"), (4, "Оплачено"))
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, **named), SECRETS)
        place.good(now=NIGHT)
        for day, (number, name) in enumerate(statuses):
            store.customers[0]["crmStatus"] = {"id": number, "name": name}
            store.customers[0]["crmStatusChangedDate"] = f"{16 + day}.03.2026 10:00:00"
            place.good(now=NEXT + timedelta(days=day))
    meeting = row(place, "crm.meetings", "st:c100001:1")
    assert (meeting["deal_id"], meeting["set_at"]) == ("c100001", "2026-03-16T07:00:00Z")
    lead = row(place, "crm.leads", "100001")
    assert (lead["is_target"], lead["qualified_at"]) == ("true", "2026-03-16T07:00:00Z")


def test_orders_pay_prepay_and_give_back(place: Place) -> None:
    store = sample_store(FOLDER)
    store.orders = [
        order(1, "15.03.2026", NEW, 3600.5, prepay=1000),
        order(2, "16.03.2026", PAID, 2500),
        order(3, "16.03.2026", CANCELLED, 900),
    ]
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, **MONEY), SECRETS)
        place.good(now=NIGHT)
        paid = current(place.raw, "crm.payments")
        assert {(*key, it["amount"], it["kind"], it["deal_id"]) for key, it in paid.items()} == {
            ("1:pre", "1000", "payment", "c100002"),
            ("2", "2500", "payment", "o2"),
        }
        assert row(place, "crm.payments", "1:pre")["paid_at"] == "2026-03-14T21:00:00Z"
        store.orders[0] = order(1, "15.03.2026", PAID, 3600.5, prepay=1000)
        store.orders[1] = order(2, "16.03.2026", BACK, 2500)
        place.good(now=NEXT)
    paid = current(place.raw, "crm.payments")
    assert {(*key, it["amount"], it["kind"]) for key, it in paid.items()} == {
        ("1:pre", "1000", "payment"), ("1", "2600.5", "payment"),
        ("2", "2500", "payment"), ("2:ref", "2500", "refund"),
    }  # fmt: skip
    full = row(place, "crm.payments", "1")
    assert (full["paid_at"], full["paid_at_quality"]) == ("2026-03-17T00:00:00Z", "load")
    assert datetime.fromisoformat(full["paid_after"]) < NEXT


def test_a_cancelled_first_order_hands_its_place_on(place: Place) -> None:
    store = sample_store(FOLDER)
    store.orders = [order(1, "15.03.2026", NEW, 100), order(2, "16.03.2026", PAID, 250)]
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, **MONEY), SECRETS)
        place.good(now=NIGHT)
        assert row(place, "crm.deals", "c100002")["amount"] == "100"
        assert row(place, "crm.payments", "2")["deal_id"] == "o2"
        store.orders[0] = order(1, "15.03.2026", CANCELLED, 100)
        place.good(now=NEXT)
        assert row(place, "crm.deals", "c100002")["amount"] == "250"
        assert row(place, "crm.payments", "2")["deal_id"] == "c100002"
        assert ("o2",) not in current(place.raw, "crm.deals")
        # An order that is gone takes its payment with it, once a sweep has seen it.
        store.orders.pop()
        place.good(now=NEXT + timedelta(days=1))
    assert "amount" not in row(place, "crm.deals", "c100002")
    assert current(place.raw, "crm.payments") == {}


def test_orders_are_the_deals_where_the_keys_say_so(place: Place) -> None:
    store = sample_store(FOLDER)
    store.orders = [order(1, "15.03.2026", NEW, 100), order(2, "16.03.2026", PAID, 250)]
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, **MONEY), SECRETS)
        place.good(now=NIGHT)
        place.connect("blue", keys(standin, **MONEY, deals_from="orders"), SECRETS)
        place.good(now=NIGHT + timedelta(hours=1))
    deals = current(place.raw, "crm.deals")
    assert {key[0]: it["deal_type"] for key, it in deals.items()} == {"o1": "new", "o2": "repeat"}
    assert len(current(place.raw, "crm.leads")) == 3


def test_later_orders_only_pay_where_the_keys_say_so(place: Place) -> None:
    store = sample_store(FOLDER)
    store.orders = [order(1, "15.03.2026", NEW, 100), order(2, "16.03.2026", PAID, 250)]
    with BluesalesStandIn(lambda: store) as standin:
        named = {"repeat_orders_as_deals": False, "order_amount": "with_delivery"}
        place.connect("blue", keys(standin, **MONEY, **named), SECRETS)
        place.good(now=NIGHT)
    assert ("o2",) not in current(place.raw, "crm.deals")
    assert row(place, "crm.deals", "c100002")["amount"] == "450"
    assert row(place, "crm.payments", "2")["deal_id"] == "c100002"


def test_a_list_that_moves_between_pages_is_read_again(place: Place) -> None:
    """One row goes while the first page is read: the second would begin one too late."""
    company = small_company()
    with BluesalesStandIn(lambda: company_store(company), page_size=2) as standin:
        place.connect("blue", keys(standin, window_days=31), SECRETS)
        gone = []

        def change(request: Request) -> None:
            if not gone and request.json and request.json.get("startRowNumber") == 2:
                gone.append(company.delete_sale(1, at(8)))

        standin.always = change
        outcome = place.good(now=FIRST)
    assert outcome.report.counted["customers.get: list moved, read again"] == 1
    assert {"100002", "100003", "100004", "100005"} <= {
        key[0] for key in current(place.raw, "crm.leads")
    }


def test_a_row_that_a_moving_list_skips_is_not_buried_by_the_sweep(place: Place) -> None:
    """One goes and one comes while a page is read: the count is right, and a row is missing."""
    whole = sample_store(FOLDER)
    part = replace(whole, customers=whole.customers[1:], orders=whole.orders[1:])
    shown = [whole]

    def choose(request: Request) -> None:
        body = request.json
        is_by_id = isinstance(body, dict) and body.get("ids") is not None
        shown[0] = whole if is_by_id or not is_moving else part

    is_moving = False
    with BluesalesStandIn(lambda: shown[0]) as standin:
        standin.always = choose
        place.connect("blue", keys(standin), SECRETS)
        place.good(now=NIGHT)
        before = {table: current(place.raw, table).keys() for table in ("crm.leads", "crm.deals")}
        is_moving = True
        place.good(now=NEXT)
        assert {it: current(place.raw, it).keys() for it in before} == before
        # What is not there by its id either is gone.
        whole = part
        place.good(now=NEXT + timedelta(days=1))
    gone = before["crm.leads"] - current(place.raw, "crm.leads").keys()
    assert gone == {("100001",)}


def test_a_field_that_the_answer_lacks_is_null_and_counted(place: Place) -> None:
    store = sample_store(FOLDER)
    del store.customers[0]["phone"]
    paid = next(it for it in store.orders if it["customer"]["id"] == 100002)
    del paid["totalSumMinusDiscount"]
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin), SECRETS)
        report = place.good(now=NIGHT).report
    assert "amount" not in row(place, "crm.deals", "c100002")
    assert {name: it for name, it in report.counted.items() if "rows without" in name} == {
        "customers.get: rows without phone": 1,
        "orders.get: rows without totalSumMinusDiscount": 1,
    }


def test_counts_that_come_as_text_are_counts(place: Place) -> None:
    with BluesalesStandIn(lambda: sample_store(FOLDER), page_size=2) as standin:

        def as_text(request: Request) -> Reply | None:
            answer = json.loads(standin.answer(request).body)
            if not isinstance(answer, dict) or "notReturnedCount" not in answer:
                return None
            return json_reply({**answer, "notReturnedCount": str(answer["notReturnedCount"])})

        standin.always = as_text
        place.connect("blue", keys(standin), SECRETS)
        place.good(now=NIGHT)
    assert len(current(place.raw, "crm.leads")) == 3


def test_a_bad_request_ends_a_selection_only_where_all_of_it_has_come(place: Place) -> None:
    """error_400_past_end, at a place where rows are still missing: nothing may be lost."""
    company = small_company()
    reply = sample_reply(FOLDER / "error_400_past_end.json")
    with BluesalesStandIn(lambda: company_store(company), page_size=2) as standin:
        place.connect("blue", keys(standin, window_days=31), SECRETS)
        bad: list[Request] = []

        def fail(request: Request) -> Reply | None:
            if not bad and request.json and request.json.get("startRowNumber") == 2:
                bad.append(request)
                return reply
            return None

        standin.always = fail
        place.good(now=FIRST)
    assert bad
    assert len(current(place.raw, "crm.leads")) == 5


def test_empty_windows_may_be_bad_requests(place: Place) -> None:
    company = small_company()
    with BluesalesStandIn(lambda: company_store(company)) as standin:
        standin.refuses_empty = True
        place.connect("blue", keys(standin, start_date="2026-02-01"), SECRETS)
        outcome = place.good(now=FIRST)
    assert len(current(place.raw, "crm.leads")) == 5
    assert outcome.report.counted["customers.get: taken as empty after status 400"] == 5


def test_customers_without_a_day_of_first_contact_are_found_by_the_count(place: Place) -> None:
    store = sample_store(FOLDER)
    store.customers[1]["firstContactDate"] = None
    store.customers[2]["firstContactDate"] = ""
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin), SECRETS)
        outcome = place.good(now=NIGHT)
    assert not [it for it in outcome.report.warnings if "counts" in it]
    # The first order's day, else the load that saw the customer first.
    assert row(place, "crm.contacts", "100002")["created_at"] == "2026-03-14T21:00:00Z"
    assert row(place, "crm.contacts", "100003")["created_at"] == "2026-03-16T00:00:00Z"


def test_a_count_that_does_not_fit_is_warned_of_and_nothing_is_buried(place: Place) -> None:
    store = sample_store(FOLDER)

    class Invisible(BluesalesStandIn):
        def answer(self, request: Request) -> Reply:
            reply = super().answer(request)
            if request.json and request.json["pageSize"] == 1:
                return Reply(200, reply.body.replace(b'"notReturnedCount": 1',
                                                     b'"notReturnedCount": 9'))  # fmt: skip
            return reply

    with Invisible(lambda: store) as standin:
        place.connect("blue", keys(standin), SECRETS)
        place.good(now=NIGHT)
        store.customers.pop()
        outcome = place.good(now=NEXT)
    assert any("BlueSales counts 10 customers, and 2 were read" in it
               for it in outcome.report.warnings)  # fmt: skip
    assert len(current(place.raw, "crm.leads")) == 3


def test_start_date_leaves_older_customers_out_and_counts_them(place: Place) -> None:
    store = sample_store(FOLDER)
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, start_date="2026-03-14"), SECRETS)
        outcome = place.good(now=NIGHT)
    assert outcome.report.counted["customers before start_date"] == 2
    assert not [it for it in outcome.report.warnings if "counts" in it]
    assert list(current(place.raw, "crm.leads")) == [("100001",)]


def test_without_a_start_date_the_first_contact_is_searched_for(place: Place) -> None:
    store = sample_store(FOLDER)
    store.customers[0]["firstContactDate"] = "02.02.2021"
    with BluesalesStandIn(lambda: store) as standin:
        named = keys(standin)
        place.connect("blue", {key: it for key, it in named.items() if key != "start_date"},
                      SECRETS)  # fmt: skip
        place.good(now=NIGHT)
        days = [it.json.get("firstContactDateFrom") for it in standin.requests if it.json]
    assert "2021-01" < min(it for it in days if it) <= "2021-02-02"
    assert row(place, "crm.leads", "100001")["created_at"] == "2021-02-01T21:00:00Z"


def test_a_killed_full_load_goes_on_with_its_next_window(place: Place) -> None:
    company = small_company()
    with BluesalesStandIn(lambda: company_store(company)) as standin:
        place.connect("blue", keys(standin, window_days=1), SECRETS)
        stop = {"firstContactDateFrom": "2026-03-05"}

        def fail(request: Request) -> Reply | None:
            is_it = request.json and stop.items() <= request.json.items()
            return Reply(404) if is_it else None

        standin.always = fail
        assert place.run(now=FIRST).exit_code == 2
        standin.always, count = None, len(standin.requests)
        place.good(now=FIRST + timedelta(minutes=5))
        days = [it.json.get("firstContactDateFrom") for it in standin.requests[count:] if it.json]
    assert min(it for it in days if it) == "2026-03-05"
    assert len(current(place.raw, "crm.leads")) == 5


def test_a_prefix_is_before_every_id(place: Place) -> None:
    company = small_company()
    with BluesalesStandIn(lambda: company_store(company)) as standin:
        place.connect("blue", keys(standin, **MONEY, prefix="bs-"), SECRETS)
        place.good(now=FIRST)
    deal = row(place, "crm.deals", "bs-c100001")
    ids = {name: it for name, it in deal.items() if name.endswith("_id")}
    assert all(str(it).startswith("bs-") for it in ids.values()), ids
    assert row(place, "crm.payments", "bs-500001")["deal_id"] == "bs-c100001"
    assert all(it["stage_id"].startswith("bs-") for it in current(place.raw, "crm.stages").values())


def test_two_fields_of_one_name_are_refused_with_their_ids(place: Place) -> None:
    store = sample_store(FOLDER)
    store.customers[0]["customFields"] = [{"fieldId": 5009, "fieldName": "Целевой", "value": "x"}]
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, target_field="Целевой"), SECRETS)
        outcome = place.run(now=NIGHT)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert outcome.failure.details == ["5001: Целевой", "5009: Целевой"]


def test_names_that_nothing_bears_are_said_after_a_full_load(place: Place) -> None:
    store = sample_store(FOLDER)
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, won_stages=["Оплочено"], target_field="Цель"), SECRETS)
        warnings = place.good(now=NIGHT).report.warnings
    assert "won_stages: BlueSales has shown no Оплочено so far." in warnings
    assert "target_field: BlueSales has shown no Цель so far." in warnings


def test_a_hash_is_as_good_as_the_password_and_as_secret(place: Place) -> None:
    store = sample_store(FOLDER)
    with BluesalesStandIn(lambda: store) as standin:
        named = {key: it for key, it in keys(standin).items() if key != "password"}
        place.connect("blue", {**named, "password_md5": "env:BLUE_MD5"},
                      {"BLUE_MD5": PASSWORD_MD5.lower()})  # fmt: skip
        place.good(now=NIGHT)
    for file in place.root.rglob("*"):
        if file.is_file():
            assert PASSWORD_MD5.encode() not in file.read_bytes().upper()


def test_a_range_asks_for_the_days_after_it_as_the_end_is_exclusive(place: Place) -> None:
    store = sample_store(FOLDER)
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin), SECRETS)
        asked = Slice(datetime(2026, 3, 13, tzinfo=MOSCOW), datetime(2026, 3, 13, 9, tzinfo=MOSCOW))
        place.good(now=NIGHT, asked=asked)
        body = next(it.json for it in standin.requests if it.json)
    assert (body["firstContactDateFrom"], body["firstContactDateTill"]) == (
        "2026-03-13", "2026-03-14",
    )  # fmt: skip
    assert list(current(place.raw, "crm.leads")) == [("100003",)]


def test_a_check_warns_of_a_login_that_somebody_works_as(place: Place) -> None:
    from orchestration.connectors.run import check

    store = sample_store(FOLDER)
    store.users[0]["login"] = LOGIN
    with BluesalesStandIn(lambda: store) as standin:
        place.connect("blue", keys(standin, lost_stages=["Провал"]), SECRETS)
        found = list(check(place.settings(NIGHT), "blue"))
    texts = [it.text for it in found]
    assert any("Анна Примерова works as" in it for it in texts)
    assert any("lost_stages: nothing is called Провал" in it for it in texts)
    assert "won_stages is not set" in texts
    assert [it.text for it in found if it.grade == "bad"] == []


def test_requests_are_half_a_second_apart(place: Place) -> None:
    with BluesalesStandIn(Store) as standin:
        place.connect("blue", keys(standin), SECRETS)
        place.good(now=NIGHT)
        assert place.clock is not None
        assert place.clock.monotonic() >= 0.5 * (len(standin.requests) - 1)
