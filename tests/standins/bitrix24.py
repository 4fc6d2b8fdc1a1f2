"""Bitrix24's REST over loopback: webhooks and tokens, keyset pages, history, batches.

Its rows come from the invented company, or from the sample answers beside the specification.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.standins.company import (
    BEGIN,
    CLOSED,
    ORDER_STAGE_NAMES,
    ORDER_STAGES,
    STAGE_NAMES,
    STAGES,
    Company,
    Sale,
    Touch,
)
from tests.standins.server import Reply, Request, StandIn, json_reply

Json = dict[str, Any]

HOOK = "/rest/1/webhook-secret-code/"
LEAD, DEAL, CONTACT, COMPANY, QUOTE, INVOICE = 1, 2, 3, 4, 7, 31
SOURCES = {"site": ("WEB", "Сайт"), "referral": ("RECOMMENDATION", "Рекомендация"),
           "yandex": ("ADVERTISING", "Яндекс"), "google": ("1", "Google")}  # fmt: skip
STATUS = {"new": "NEW", "contact": "PREPARATION", "meeting": "EXECUTING",
          "contract": "FINAL_INVOICE", "won": "WON", "lost": "LOSE"}  # fmt: skip
ORDERS = 1
REASON = "ufCrm_1700000002"
LEAD_STATUS = {"new": "Не обработан", "IN_PROCESS": "В работе", "CONVERTED": "Качественный лид",
               "JUNK": "Некачественный лид"}  # fmt: skip
_ZONE = timezone(timedelta(hours=3))
# Of a lead: new, in work, good, bad.
_LEAD_STATUSES = ("NEW", "IN_PROCESS", "CONVERTED", "JUNK")
_CREATED, _MOVED, _FINAL = 1, 2, 3


@dataclass
class Store:
    """The portal's rows as REST gives them; items by entity, dictionaries by their name."""

    mode: int = 1
    users: list[Json] = field(default_factory=list)
    departments: list[Json] = field(default_factory=list)
    categories: list[Json] = field(default_factory=list)
    statuses: dict[str, list[Json]] = field(default_factory=dict)
    items: dict[int, list[Json]] = field(default_factory=dict)
    history: dict[int, list[Json]] = field(default_factory=dict)
    activities: list[Json] = field(default_factory=list)
    payments: dict[str, list[Json]] = field(default_factory=dict)
    custom_fields: dict[int, Json] = field(default_factory=dict)
    invoice_categories: list[Json] = field(default_factory=list)
    profile: Json = field(
        default_factory=lambda: {"ID": "1", "ADMIN": True, "NAME": "Анна", "LAST_NAME": "Примерова"}
    )
    scopes: tuple[str, ...] = ("crm", "department", "user", "sale")


class Bitrix24StandIn(StandIn):
    """The portal. `page_size` is 50 with the real one; `operating` is what a method has used."""

    def __init__(self, store: Callable[[], Store], page_size: int = 50) -> None:
        super().__init__()
        self._store = store
        self.page_size = min(page_size, 50)
        self.operating = 0.12
        self.resets_after = 600
        self.tokens: set[str] = set()
        self.refresh_tokens: set[str] = set()
        self.exchanges = 0

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth/token/":
            return self._exchange(request.query)
        body = request.json or {}
        if request.path.startswith(HOOK):
            method = request.path.removeprefix(HOOK)
        elif request.path.startswith("/rest/") and "auth" in body:
            if body["auth"] not in self.tokens:
                return _error("expired_token", "The access token provided has expired", 401)
            method = request.path.removeprefix("/rest/")
        else:
            return _error("NO_AUTH_FOUND", "Wrong authorization data", 401)
        return self._method(method, body)

    def _method(self, method: str, body: Json) -> Reply:
        result, more = self._result(method, body)
        if result is None:
            return _error("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
        now = 1_773_700_000
        time = {
            "start": now + 0.12,
            "finish": now + 0.42,
            "date_start": "2026-03-17T01:26:40+03:00",
            "operating_reset_at": now + self.resets_after,
            "operating": self.operating,
        }
        return json_reply({"result": result, **more, "total": 0, "time": time})

    def _result(self, method: str, body: Json) -> tuple[Any, Json]:
        store = self._store()
        plain: Mapping[str, Callable[[], Any]] = {
            "crm.settings.mode.get": lambda: store.mode,
            "profile": lambda: store.profile,
            "scope": lambda: list(store.scopes),
            "crm.currency.base.get": lambda: "RUB",
            "crm.item.fields": lambda: {
                "fields": store.custom_fields.get(body.get("entityTypeId", 0), {})
            },
            "crm.item.payment.list": lambda: store.payments.get(str(body.get("entityId")), []),
            "batch": lambda: self._batch(body),
        }
        if method in plain:
            return plain[method](), {}
        if method in ("user.get", "department.get", "crm.category.list", "crm.status.list"):
            return self._offset(method, body, store)
        if method == "crm.item.list":
            rows = store.items.get(body["entityTypeId"], [])
            return {"items": self._keyset(body, rows, "id")}, {}
        if method == "crm.stagehistory.list":
            rows = store.history.get(body["entityTypeId"], [])
            return {"items": self._keyset(body, rows, "ID")}, {}
        if method == "crm.activity.list":
            return self._keyset(body, store.activities, "ID"), {}
        return None, {}

    def _offset(self, method: str, body: Json, store: Store) -> tuple[Any, Json]:
        rows = {
            "user.get": store.users,
            "department.get": store.departments,
            "crm.category.list": store.invoice_categories
            if body.get("entityTypeId") == INVOICE
            else store.categories,
            "crm.status.list": store.statuses.get(body.get("filter", {}).get("ENTITY_ID", ""), []),
        }[method]
        start = int(body.get("start", 0))
        shown = rows[start : start + self.page_size]
        end = start + self.page_size
        more = {"next": end} if end < len(rows) else {}
        return ({"categories": shown} if method == "crm.category.list" else shown), more

    def _keyset(self, body: Json, rows: list[Json], key: str) -> list[Json]:
        found = [row for row in rows if _fits(row, body.get("filter", {}))]
        is_down = body.get("order", {}).get(key) == "DESC"
        found.sort(key=lambda row: int(row[key]), reverse=is_down)
        shown = found[: self.page_size]
        wanted = body.get("select", ["*"])
        if "*" in wanted:
            return shown
        return [{name: row[name] for name in wanted if name in row} for row in shown]

    def _batch(self, body: Json) -> Json:
        results = {}
        for name, command in body["cmd"].items():
            method, _, query = command.partition("?")
            results[name] = self._result(method, dict(parse_qsl(query)))[0]
        return {"result": results or [], "result_error": []}

    def _exchange(self, query: Mapping[str, str]) -> Reply:
        token = query.get("refresh_token", "")
        if token not in self.refresh_tokens or query.get("client_secret") != "client-secret-value":
            return _error("invalid_grant", "Invalid refresh token", 400)
        self.refresh_tokens.remove(token)
        self.exchanges += 1
        access, refresh = (f"{it}-secret-{self.exchanges}" for it in ("access", "refresh"))
        self.tokens = {access}
        self.refresh_tokens.add(refresh)
        return json_reply({"access_token": access, "refresh_token": refresh, "expires_in": 3600})


def _error(code: str, words: str, status: int) -> Reply:
    return json_reply({"error": code, "error_description": words}, status)


def _fits(row: Json, where: Mapping[str, Any]) -> bool:
    """REST's filters: the sign stands before the name."""
    for condition, wanted in where.items():
        name = condition.lstrip("<>=@!")
        sign, value = condition.removesuffix(name), row.get(name)
        if name.upper() == "ID" and sign == ">":
            is_fit = int(row[name]) > int(wanted)
        elif sign in ("@", "") and isinstance(wanted, list):
            is_fit = str(value) in {str(it) for it in wanted}
        elif sign in (">=", "<="):
            own, bound = datetime.fromisoformat(str(value)), datetime.fromisoformat(str(wanted))
            is_fit = own >= bound if sign == ">=" else own <= bound
        else:
            is_fit = str(value) == str(wanted)
        if not is_fit:
            return False
    return True


def sample_store(samples: Path) -> Store:
    """The rows of the sample answers, each list from all its files; the newest version wins."""

    def result(name: str) -> Any:
        found = json.loads((samples / f"{name}.json").read_text(encoding="utf-8"))
        return found["response"]["body"]["result"]

    def rows(key: str, *names: str) -> list[Json]:
        found: dict[str, Json] = {}
        for name in names:
            for row in result(name)["items"]:
                found[str(row[key])] = row
        return list(found.values())

    return Store(
        mode=result("settings_mode"),
        users=result("users"),
        departments=result("departments"),
        categories=result("categories")["categories"],
        statuses={
            "SOURCE": result("statuses_source"),
            "STATUS": result("statuses_lead"),
            "DEAL_STAGE": result("statuses_deal_stage"),
            "DEAL_STAGE_1": result("statuses_deal_stage_1"),
        },
        items={
            DEAL: rows("id", "deals_page1", "deals_page2", "deals_incremental"),
            LEAD: rows("id", "leads_page1"),
            CONTACT: rows("id", "contacts_page1"),
        },
        history={
            DEAL: rows("ID", "stagehistory_page1", "stagehistory_page2", "stagehistory_incremental")
        },
        activities=result("activities"),
        payments={"102": result("item_payments")},
    )


def company_store(company: Company, mode: int = 1) -> Store:
    """The company in Bitrix24's words. Mode 1: each sale is a lead and its deal; 2: a deal."""
    sales = [it for it in company.sales if not it.is_deleted]
    teams = sorted({it.team for it in company.managers})
    led = [] if mode == 2 else [it for it in sales if not it.is_order]
    leads = [_lead(company, it) for it in led]
    reason = {REASON: {"type": "string", "title": "Причина отказа"}}
    return Store(
        mode=mode,
        users=[
            {
                "ID": str(it.number),
                "ACTIVE": it.is_active,
                "NAME": it.name.split()[0],
                "LAST_NAME": it.name.split()[1],
                "EMAIL": it.email,
                "UF_EMPLOYMENT_DATE": "2024-01-10T00:00:00+03:00" if it.is_active else "",
                "UF_DEPARTMENT": [teams.index(it.team) + 1],
                "USER_TYPE": "employee",
            }
            for it in company.managers
        ],
        departments=[
            {"ID": str(number + 1), "NAME": name, "SORT": 500} for number, name in enumerate(teams)
        ],
        categories=[
            {"id": 0, "name": "Продажи", "sort": 100, "isDefault": "Y"},
            *([{"id": ORDERS, "name": "Заказы", "sort": 200}] if company.has_orders else []),
        ],
        statuses={
            "SOURCE": [_status(*it, 10) for it in SOURCES.values()],
            "STATUS": [
                _status(key.upper(), name, 10 * (number + 1),
                        {"CONVERTED": "S", "JUNK": "F"}.get(key))
                for number, (key, name) in enumerate(LEAD_STATUS.items())
            ],
            "DEAL_STAGE": [
                _status(STATUS[it], STAGE_NAMES[it], 10 * (number + 1),
                        {"won": "S", "lost": "F"}.get(it))
                for number, it in enumerate(STAGES)
            ],
            f"DEAL_STAGE_{ORDERS}": [
                _status(f"C{ORDERS}:{STATUS[it]}", ORDER_STAGE_NAMES[it], 10 * (number + 1),
                        {"won": "S", "lost": "F"}.get(it))
                for number, it in enumerate(ORDER_STAGES)
            ],
        },
        items={
            LEAD: leads,
            DEAL: [_deal(company, it, mode) for it in sales],
            CONTACT: [
                {
                    "id": 300 + it.number,
                    "name": it.name.split()[0],
                    "secondName": None,
                    "lastName": it.name.split()[1],
                    "companyId": 10 + it.firm if it.firm else 0,
                    "sourceId": SOURCES[it.source][0] if it.source else "",
                    "createdTime": _time(it.created_at),
                    "updatedTime": _time(it.updated_at),
                    "fm": _many(it.phones, it.email),
                }
                for it in company.people
                if not it.is_deleted
            ],
            COMPANY: [
                {
                    "id": 10 + it.number,
                    "title": it.name,
                    "createdTime": _time(it.created_at),
                    "updatedTime": _time(it.updated_at),
                    "fm": _many(it.phones, None),
                }
                for it in company.firms
                if not it.is_deleted
            ],
        },
        history={
            DEAL: [row for it in sales for row in _deal_history(it)],
            LEAD: [row for it in led for row in _lead_history(it)],
        },
        activities=[*_meetings(company), *_touches(company, mode)],
        payments={str(100 + it.number): [_payment(it)] for it in sales if it.stage == "won"},
        custom_fields={LEAD: reason, DEAL: reason},
    )  # fmt: skip


def _time(moment: datetime) -> str:
    return moment.astimezone(_ZONE).isoformat(timespec="seconds")


def _status(status_id: str, name: str, sort: int, semantics: str | None = None) -> Json:
    return {"STATUS_ID": status_id, "NAME": name, "SORT": str(sort), "SEMANTICS": semantics}


def _many(phones: Iterable[str], email: str | None) -> list[Json]:
    found = [{"valueType": "WORK", "value": it, "typeId": "PHONE"} for it in phones]
    return found + ([{"valueType": "WORK", "value": email, "typeId": "EMAIL"}] if email else [])


def _common(company: Company, sale: Sale) -> Json:
    is_known = sale.person and not company.person(sale.person).is_deleted
    return {
        "opportunity": float(sale.amount),
        "currencyId": "RUB",
        "contactId": 300 + sale.person if sale.person and is_known else 0,
        "contactIds": [300 + sale.person] if sale.person and is_known else [],
        "companyId": 10 + sale.firm if sale.firm else 0,
        "assignedById": sale.owner,
        "createdBy": sale.moves[0].by,
        "createdTime": _time(sale.created_at),
        "updatedTime": _time(sale.updated_at),
        "sourceId": SOURCES[sale.source][0] if sale.source else "",
        "utmSource": sale.utm,
        "utmMedium": None,
        "utmCampaign": None,
        REASON: sale.reason,
    }


def _deal(company: Company, sale: Sale, mode: int) -> Json:
    return {
        **_common(company, sale),
        "id": 100 + sale.number,
        "title": f"Сделка {sale.number}",
        "typeId": "SALE",
        "categoryId": ORDERS if sale.is_order else 0,
        "stageId": _stage(sale, sale.stage),
        "stageSemanticId": {"won": "S", "lost": "F"}.get(sale.stage, "P"),
        "isRecurring": "N",
        "isReturnCustomer": "Y" if sale.is_return else "N",
        "isRepeatedApproach": "N",
        "leadId": 900 + sale.number if mode == 1 and not sale.is_order else None,
        "closedate": f"{sale.contract_on}T03:00:00+03:00" if sale.contract_on else "",
        "movedBy": sale.moves[-1].by,
        "movedTime": _time(sale.moves[-1].at),
    }


def _stage(sale: Sale, stage: str) -> str:
    return f"C{ORDERS}:{STATUS[stage]}" if sale.is_order else STATUS[stage]


def _payment(sale: Sale) -> Json:
    return {
        "id": 4000 + sale.number, "paid": "Y", "datePaid": _time(sale.moves[-1].at),
        "sum": float(sale.amount), "currency": "RUB",
    }  # fmt: skip


def _lead(company: Company, sale: Sale) -> Json:
    moves = sale.lead_moves(*_LEAD_STATUSES)
    status = moves[-1][1] if sale.is_target is None else ("CONVERTED" if sale.is_target else "JUNK")
    return {
        **_common(company, sale),
        "id": 900 + sale.number,
        "title": f"Лид {sale.number}",
        "name": None,
        "stageId": status,
        "stageSemanticId": {"CONVERTED": "S", "JUNK": "F"}.get(status, "P"),
        "movedBy": moves[-1][2],
        "movedTime": _time(moves[-1][0]),
        "dateClosed": _time(sale.target_at) if sale.target_at else None,
        "fm": _many([f"8 999 000-00-9{sale.number % 10}"], None) if company.has_lead_phones else [],
    }


def _number(moment: datetime, sale: Sale) -> int:
    """A number that grows with time, whatever else there is."""
    return int((moment - BEGIN).total_seconds()) * 100 + sale.number


def _deal_history(sale: Sale) -> list[Json]:
    return [
        {
            "ID": _number(move.at, sale),
            "TYPE_ID": _CREATED if number == 0 else _FINAL if move.stage in CLOSED else _MOVED,
            "OWNER_ID": 100 + sale.number,
            "CREATED_TIME": _time(move.at),
            "CATEGORY_ID": ORDERS if sale.is_order else 0,
            "STAGE_ID": _stage(sale, move.stage),
        }
        for number, move in enumerate(sale.moves)
    ]


def _lead_history(sale: Sale) -> list[Json]:
    return [
        {
            "ID": str(_number(moment, sale)),
            "TYPE_ID": str(_CREATED if number == 0 else _MOVED),
            "OWNER_ID": str(900 + sale.number),
            "CREATED_TIME": _time(moment),
            "STATUS_ID": status,
        }
        for number, (moment, status, _) in enumerate(sale.lead_moves(*_LEAD_STATUSES))
    ]


def _meetings(company: Company) -> list[Json]:
    """A meeting that did not take place is deleted there."""
    return [
        {
            "ID": str(1000 + it.number),
            "OWNER_ID": str(100 + it.sale),
            "OWNER_TYPE_ID": str(DEAL),
            "TYPE_ID": "1",
            "PROVIDER_ID": "CRM_MEETING",
            "SUBJECT": it.title,
            "CREATED": _time(it.set_at),
            "LAST_UPDATED": _time(it.updated_at),
            "START_TIME": _time(it.due_at),
            "COMPLETED": "Y" if it.is_done else "N",
            "RESPONSIBLE_ID": str(it.held_by),
            "AUTHOR_ID": str(it.set_by),
            "COMMUNICATIONS": _partner(company, it.sale),
        }
        for it in company.meetings
        if it.result != "Не состоялась"
    ]


def _touches(company: Company, mode: int) -> list[Json]:
    kinds = {"mail": ("4", "CRM_EMAIL"), "chat": ("6", "IMOPENLINES_SESSION")}
    return [
        {
            "ID": str(2000 + it.number),
            "OWNER_ID": str(900 + it.sale if _is_of_lead(it, mode) else 100 + it.sale),
            "OWNER_TYPE_ID": str(LEAD if _is_of_lead(it, mode) else DEAL),
            "TYPE_ID": kinds[it.kind][0],
            "PROVIDER_ID": kinds[it.kind][1],
            "SUBJECT": "",
            "CREATED": _time(it.at),
            "LAST_UPDATED": _time(it.at),
            "START_TIME": _time(it.at),
            "COMPLETED": "Y",
            "DIRECTION": "1" if it.is_incoming else "2",
            "RESPONSIBLE_ID": str(_owner(company, it.sale)),
            "AUTHOR_ID": str(it.by),
            "COMMUNICATIONS": _partner(company, it.sale),
        }
        for it in company.touches
    ]


def _is_of_lead(touch: Touch, mode: int) -> bool:
    """Chats come to leads, where there are any."""
    return touch.kind == "chat" and mode == 1


def _owner(company: Company, number: int) -> int:
    return next((it.owner for it in company.sales if it.number == number), 1)


def _partner(company: Company, number: int) -> list[Json]:
    sale = next((it for it in company.sales if it.number == number), None)
    if sale is None or not sale.person or company.person(sale.person).is_deleted:
        return []
    return [{"ENTITY_TYPE_ID": str(CONTACT), "ENTITY_ID": str(300 + sale.person)}]
