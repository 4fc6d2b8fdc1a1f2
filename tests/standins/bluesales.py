"""BlueSales over loopback: one address, commands, pages by offset, errors inside good answers.

A sale of the invented company is a customer, and an order where it has an amount: that is how
people who sell by messages use BlueSales. Rows come from the company or from the sample answers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.standins.company import STAGE_NAMES, Company, Manager, Sale
from tests.standins.server import Reply, Request, StandIn, json_reply

Json = dict[str, Any]

LOGIN, PASSWORD = "api@romashka.example", "пароль-secret"
PASSWORD_MD5 = hashlib.md5(PASSWORD.encode()).hexdigest().upper()
STATUS = {"new": 1, "contact": 2, "meeting": 3, "contract": 4, "won": 5, "lost": 6}
SOURCES = {
    "site": {"id": 901, "name": "Сайт"},
    "referral": {"id": 902, "name": "Рекомендация"},
    "yandex": {"id": 903, "name": "Яндекс"},
    "google": {"id": 904, "name": "Google"},
}
ORDER_STATUS = {
    "won": {"id": 64, "name": "Доставлен"},
    "lost": {"id": 66, "name": "Отменён"},
    "open": {"id": 61, "name": "Новый"},
}
_ZONE = ZoneInfo("Europe/Moscow")


@dataclass
class Store:
    """The account's rows as the API gives them."""

    users: list[Json] = field(default_factory=list)
    customers: list[Json] = field(default_factory=list)
    orders: list[Json] = field(default_factory=list)


class BluesalesStandIn(StandIn):
    """The server. `page_size` is the most that it gives on a page, whatever is asked."""

    def __init__(self, store: Callable[[], Store], page_size: int = 500) -> None:
        super().__init__()
        self._store = store
        self.page_size = page_size
        # 400 beyond the end of a selection; and for empty ones where the account does so.
        self.refuses_empty = False

    def answer(self, request: Request) -> Reply:
        query = request.query
        if request.path != "/app/Customers/WebServer.aspx" or request.method != "POST":
            return Reply(404, b"Not Found", {"Content-Type": "text/html"})
        if (query.get("login"), query.get("password")) != (LOGIN, PASSWORD_MD5):
            return json_reply({"isValid": False, "error": "Неправильный логин или пароль."})
        store = self._store()
        command = query.get("command")
        if command == "users.get":
            return json_reply(store.users)
        if command == "customers.get":
            return self._page("customers", _customers(store.customers, request.json), request.json)
        if command == "orders.get":
            return self._page("orders", _orders(store.orders, request.json), request.json)
        return Reply(404, b"Not Found", {"Content-Type": "text/html"})

    def _page(self, name: str, rows: Sequence[Json], body: Json) -> Reply:
        assert body["pageSize"] <= 500
        start, size = body["startRowNumber"], min(body["pageSize"], self.page_size)
        if (start and start >= len(rows)) or (self.refuses_empty and not rows):
            return Reply(400, b"Bad Request", {"Content-Type": "text/html"})
        shown = rows[start : start + size]
        rest = len(rows) - start - len(shown)
        return json_reply({"count": len(shown), "notReturnedCount": rest, name: shown})


def _customers(rows: Sequence[Json], body: Json) -> list[Json]:
    found = list(rows)
    for name in ("firstContactDate", "nextContactDate", "lastContactDate"):
        found = _between(found, name, body[f"{name}From"], body[f"{name}Till"])
    if body["ids"] is not None:
        found = [it for it in found if it["id"] in body["ids"]]
    owners = {it["id"] for it in body["managers"]}
    return [it for it in found if not owners or it["manager"]["id"] in owners]


def _orders(rows: Sequence[Json], body: Json) -> list[Json]:
    found = _between(rows, "date", body["dateFrom"], body["dateTill"])
    return [it for it in found if body["ids"] is None or it["id"] in body["ids"]]


def _between(rows: Sequence[Json], name: str, low: str | None, high: str | None) -> list[Json]:
    """`high` is the beginning of a day that is not part of it; rows without a date are in none."""
    if low is None and high is None:
        return list(rows)
    return [
        it
        for it in rows
        if (day := _day(it.get(name))) is not None
        and (low is None or day >= date.fromisoformat(low))
        and (high is None or day < date.fromisoformat(high))
    ]


def _day(written: str | None) -> date | None:
    if not written:
        return None
    day, month, year = written[:10].split(".")
    return date(int(year), int(month), int(day))


def sample_store(samples: Path, *names: str) -> Store:
    """The rows of the sample answers; of customers those of these files."""

    def body(name: str) -> Any:
        return json.loads((samples / f"{name}.json").read_text(encoding="utf-8"))["response"][
            "body"
        ]

    names = names or ("customers_page1", "customers_page2")
    return Store(
        users=body("users"),
        customers=[row for name in names for row in body(name)["customers"]],
        orders=[row for name in ("orders_page1", "orders_page2") for row in body(name)["orders"]],
    )


def company_store(company: Company) -> Store:
    """The company in BlueSales' words."""
    living = [it for it in company.sales if not it.is_deleted]
    return Store(
        users=[_user(it) for it in company.managers],
        customers=[_customer(company, it) for it in living if not it.is_order],
        orders=[_order(company, it) for it in living if it.amount],
    )


def _user(it: Manager) -> Json:
    return {
        "id": 10 + it.number,
        "fullName": it.name,
        "email": it.email,
        "login": it.email,
        "isActive": it.is_active,
    }


def _customer(company: Company, sale: Sale) -> Json:
    person = company.person(sale.person) if sale.person else None
    firm = company.firm(sale.firm) if sale.firm else None
    who = person or firm
    fields = []
    if sale.is_target is not None:
        value = "Да" if sale.is_target else "Нет"
        fields.append({"fieldId": 5001, "fieldName": "Целевой", "value": value,
                       "valueAsText": value})  # fmt: skip
    for number, name, value in (
        (5002, "Причина отказа", sale.reason),
        (5003, "utm_source", sale.utm),
        (5004, "Дата договора", sale.contract_on and _written(sale.contract_on)),
    ):
        if value:
            fields.append({"fieldId": number, "fieldName": name, "value": value,
                           "valueAsText": value})  # fmt: skip
    return {
        "id": 100000 + sale.number,
        "fullName": who.name if who else "",
        "phone": ", ".join(who.phones) if who else "",
        "email": (person and person.email) or "",
        "whatsApp": None,
        "crmStatus": {"id": STATUS[sale.stage], "name": STAGE_NAMES[sale.stage], "type": 1},
        # Every other one with its time of day.
        "crmStatusChangedDate": _local(sale.moves[-1].at, "%H:%M:%S" if sale.number % 2 else ""),
        "firstContactDate": _local(sale.created_at),
        "lastContactDate": _local(sale.updated_at),
        "nextContactDate": None,
        "source": SOURCES.get(sale.source or ""),
        "salesChannel": {"id": 77, "code": 1, "name": "ВКонтакте"},
        "manager": _user(_owner(company, sale)),
        "tags": [],
        "customFields": fields,
    }


def _customer_of(company: Company, sale: Sale) -> int:
    """The number of the sale that the customer of an order is."""
    if not sale.is_order:
        return sale.number
    whose = sale.person or f"firm {sale.firm}"
    return next(it.number for it in company.sales if (it.person or f"firm {it.firm}") == whose)


def _owner(company: Company, sale: Sale) -> Manager:
    return next(it for it in company.managers if it.number == sale.owner)


def _order(company: Company, sale: Sale) -> Json:
    kind = sale.stage if sale.stage in ("won", "lost") else "open"
    return {
        "id": 500000 + sale.number,
        "internalNumber": sale.number,
        "date": _local(sale.created_at),
        "orderStatus": ORDER_STATUS[kind],
        "totalSumMinusDiscount": sale.amount,
        "totalSumWithDelivery": sale.amount + 350,
        "prepay": 0,
        "customer": {"id": 100000 + _customer_of(company, sale)},
        "manager": _user(_owner(company, sale)) if sale.is_order else None,
        "customFields": [
            {
                "fieldId": 5002,
                "fieldName": "Причина отказа",
                "value": sale.reason,
                "valueAsText": sale.reason,
            }
        ]
        if sale.is_order and sale.reason
        else [],
    }


def _local(moment: datetime, clock: str = "") -> str:
    return f"{moment.astimezone(_ZONE):%d.%m.%Y {clock}}".strip()


def _written(iso: str) -> str:
    return f"{date.fromisoformat(iso):%d.%m.%Y}"
