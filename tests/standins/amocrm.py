"""amoCRM's API v4 over loopback: tokens, ranges, pages, events, deletions, as the page describes.

Its rows come from the invented company, or from the sample answers beside the specification.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.standins.company import (
    ORDER_STAGE_NAMES,
    ORDER_STAGES,
    STAGE_NAMES,
    STAGES,
    Company,
    Sale,
)
from tests.standins.server import Reply, Request, StandIn, json_reply

Json = dict[str, Any]

PIPELINE, ORDERS = 8001, 8002
STATUS = {"new": 81001, "contact": 81002, "meeting": 81003, "contract": 81004,
          "won": 142, "lost": 143}  # fmt: skip
ORDER_STATUS = {"new": 82001, "won": 142, "lost": 143}
SOURCES = {"site": (301, "Сайт"), "referral": (302, "Рекомендация"), "yandex": (303, "Яндекс"),
           "google": (304, "Google")}  # fmt: skip
TARGET_FIELD, CONTRACT_FIELD = 9201, 9202
EVENT_TYPES = (
    "lead_status_changed", "lead_deleted", "lead_restored", "contact_deleted", "contact_restored",
    "incoming_mail", "outgoing_mail", "incoming_chat_message", "outgoing_chat_message",
    "incoming_sms", "outgoing_sms", "custom_field_9201_value_changed",
)  # fmt: skip
_MAXIMUM = {"events": 100}


@dataclass
class Store:
    """The account's rows as the API gives them."""

    account: Json = field(default_factory=dict)
    users: list[Json] = field(default_factory=list)
    pipelines: list[Json] = field(default_factory=list)
    leads: list[Json] = field(default_factory=list)
    contacts: list[Json] = field(default_factory=list)
    companies: list[Json] = field(default_factory=list)
    tasks: list[Json] = field(default_factory=list)
    notes: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    unsorted: list[Json] = field(default_factory=list)
    custom_fields: list[Json] = field(default_factory=list)
    transactions: list[Json] = field(default_factory=list)
    customers: list[Json] = field(default_factory=list)
    loss_reasons: list[Json] = field(default_factory=list)
    event_types: tuple[str, ...] = EVENT_TYPES


class AmocrmStandIn(StandIn):
    """The server. `page_size` is the most that it gives on a page, whatever is asked."""

    def __init__(self, store: Callable[[], Store], page_size: int = 250) -> None:
        super().__init__()
        self._store = store
        self.page_size = page_size
        self.tokens = {"long-lived-secret-token"}
        self.refresh_tokens: dict[str, str] = {}
        self.exchanges = 0

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth2/access_token":
            return self._exchange(request.json)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _problem(401, "Unauthorized", "Неправильный логин или пароль")
        path = request.path.removeprefix("/api/v4")
        store = self._store()
        if path == "/account":
            return json_reply(store.account)
        if path == "/events/types":
            rows = [{"key": it, "type": 1, "lang": it} for it in store.event_types]
            return json_reply({"_embedded": {"events_types": rows}})
        if path == "/leads/pipelines":
            return json_reply({"_embedded": {"pipelines": store.pipelines}})
        lists: Mapping[str, tuple[str, list[Json]]] = {
            "/users": ("users", store.users),
            "/leads": ("leads", store.leads),
            "/contacts": ("contacts", store.contacts),
            "/companies": ("companies", store.companies),
            "/tasks": ("tasks", store.tasks),
            "/events": ("events", store.events),
            "/leads/notes": ("notes", [it for it in store.notes if it["entity"] == "leads"]),
            "/contacts/notes": ("notes", [it for it in store.notes if it["entity"] == "contacts"]),
            "/leads/loss_reasons": ("loss_reasons", store.loss_reasons),
            "/leads/unsorted": ("unsorted", store.unsorted),
            "/leads/custom_fields": ("custom_fields", store.custom_fields),
            "/contacts/custom_fields": ("custom_fields", store.custom_fields),
            "/customers/transactions": ("transactions", store.transactions),
            "/customers": ("customers", store.customers),
        }
        if path not in lists:
            return _problem(404, "Not Found", path)
        name, rows = lists[path]
        return self._page(request, name, _selected(request.query, name, rows))

    def _page(self, request: Request, name: str, rows: list[Json]) -> Reply:
        asked = int(request.query.get("limit", 50))
        limit = asked if asked <= _MAXIMUM.get(name, 250) else 50
        limit = min(limit, self.page_size)
        page = int(request.query.get("page", 1))
        shown = rows[(page - 1) * limit : page * limit]
        if not shown:
            return Reply(204, b"", {"Content-Type": "application/json; charset=utf-8"})
        links: Json = {"self": {"href": f"{self.address}{request.path}?page={page}"}}
        if len(rows) > page * limit:
            links["next"] = {"href": f"{self.address}{request.path}?page={page + 1}"}
        return json_reply({"_page": page, "_links": links, "_embedded": {name: shown}})

    def _exchange(self, body: Json) -> Reply:
        token = self.refresh_tokens.pop(body.get("refresh_token", ""), None)
        if token is None or body.get("client_secret") != "client-secret-value":
            answer = {"hint": "Token has been revoked", "title": "Некорректный запрос",
                      "status": 400, "detail": "параметры невалидны"}  # fmt: skip
            return json_reply(answer, 400)
        self.exchanges += 1
        access = f"access-secret-{self.exchanges}"
        refresh = f"refresh-secret-{self.exchanges}"
        self.tokens = {access}
        self.refresh_tokens[refresh] = "unused"
        pair = {"access_token": access, "refresh_token": refresh}
        return json_reply({"token_type": "Bearer", "expires_in": 86400, **pair})


def _selected(query: Mapping[str, str], name: str, rows: list[Json]) -> list[Json]:
    only_deleted = query.get("with") == "only_deleted"
    if name in ("leads", "contacts", "companies"):
        rows = [it for it in rows if bool(it.get("is_deleted")) is only_deleted]
    if only_deleted:
        rows = [{"id": it["id"], "name": None, "updated_at": it["updated_at"], "is_deleted": True,
                 "created_at": None, "custom_fields_values": None} for it in rows]  # fmt: skip
    for column in ("updated_at", "created_at"):
        low, high = (query.get(f"filter[{column}][{it}]") for it in ("from", "to"))
        rows = [it for it in rows if low is None or (it.get(column) or 0) >= int(low)]
        rows = [it for it in rows if high is None or (it.get(column) or 0) <= int(high)]
        if f"filter[{column}]" in query:
            rows = [it for it in rows if it.get(column) == int(query[f"filter[{column}]"])]
    ids = {value for key, value in query.items() if key.startswith("filter[id]")}
    rows = [it for it in rows if not ids or str(it["id"]) in ids]
    if "filter[type]" in query:
        wanted = query["filter[type]"].split(",")
        rows = [it for it in rows if it["type"] in wanted]
    kinds = {value for key, value in query.items() if key.startswith("filter[note_type]")}
    rows = [it for it in rows if not kinds or it["note_type"] in kinds]
    if "order[updated_at]" in query:
        rows = sorted(rows, key=lambda it: (it.get("updated_at") or 0, it["id"]))
    elif "order[id]" in query:
        rows = sorted(rows, key=lambda it: it["id"])
    elif name == "events":
        rows = sorted(rows, key=lambda it: (it["created_at"], it["id"]), reverse=True)
    return rows


def _problem(status: int, title: str, detail: str) -> Reply:
    body = {"title": title, "type": f"https://httpstatus.es/{status}", "status": status,
            "detail": detail}  # fmt: skip
    return Reply(
        status,
        json.dumps(body, ensure_ascii=False).encode(),
        {"Content-Type": "application/problem+json"},
    )


def sample_store(samples: Path) -> Store:
    """The rows of the sample answers, each list from all its files; the newest version wins."""

    def body(name: str) -> Json:
        found: Json = json.loads((samples / f"{name}.json").read_text(encoding="utf-8"))
        answer: Json = found["response"]["body"]
        return answer

    def rows(kind: str, *names: str) -> list[Json]:
        found: dict[Any, Json] = {}
        for name in names:
            for row in body(name)["_embedded"][kind]:
                found[row.get("id") or row.get("uid")] = row
        return list(found.values())

    leads = rows("leads", "leads_page1", "leads_page2", "leads_incremental")
    gone = {it["id"] for it in rows("leads", "leads_only_deleted")}
    deleted = rows("leads", "leads_only_deleted")
    return Store(
        account=body("account"),
        users=rows("users", "users"),
        pipelines=rows("pipelines", "pipelines"),
        leads=[it for it in leads if it["id"] not in gone] + deleted,
        contacts=rows("contacts", "contacts_page1"),
        companies=[],
        tasks=rows("tasks", "tasks"),
        events=rows("events", "events_status_page1", "events_status_page2", "events_deleted"),
        unsorted=rows("unsorted", "unsorted"),
    )


def company_store(company: Company) -> Store:
    """The company in amoCRM's words."""
    lead_events = [event for sale in company.sales for event in _status_events(sale)]
    targets = [event for sale in company.sales for event in _target_events(sale)]
    return Store(
        account={
            "id": 30000001,
            "name": "ООО «Ромашка» (вымышлено)",
            "subdomain": "romashka",
            "current_user_id": 7001,
            "currency": "RUB",
            "_embedded": {
                "users_groups": [
                    {"id": number, "name": name}
                    for number, name in enumerate(_teams(company))
                ],
                "task_types": [{"id": 1, "name": "Связаться"}, {"id": 2, "name": "Встреча"}],
                "datetime_settings": {"timezone": "Europe/Moscow", "timezone_offset": "+03:00"},
            },
        },
        users=[
            {
                "id": 7000 + it.number,
                "name": it.name,
                "email": it.email,
                "rights": {
                    "is_admin": it.is_admin,
                    "is_active": it.is_active,
                    "group_id": _teams(company).index(it.team),
                },
            }
            for it in company.managers
        ],
        pipelines=[_pipeline(), *([_orders()] if company.has_orders else [])],
        leads=[_lead(company, it) for it in company.sales],
        contacts=[
            {
                "id": 60000 + it.number,
                "name": it.name,
                "created_at": _unix(it.created_at),
                "updated_at": _unix(it.updated_at),
                "is_deleted": it.is_deleted,
                "custom_fields_values": _phones_and_mail(it.phones, it.email),
                "_embedded": {"companies": [{"id": 65000 + it.firm}] if it.firm else []},
            }
            for it in company.people
        ],
        companies=[
            {
                "id": 65000 + it.number,
                "name": it.name,
                "created_at": _unix(it.created_at),
                "updated_at": _unix(it.updated_at),
                "is_deleted": it.is_deleted,
                "custom_fields_values": _phones_and_mail(it.phones, None),
            }
            for it in company.firms
        ],
        tasks=[
            {
                "id": 70000 + it.number,
                "created_by": 7000 + it.set_by,
                "responsible_user_id": 7000 + it.held_by,
                "created_at": _unix(it.set_at),
                "updated_at": _unix(it.updated_at),
                "complete_till": _unix(it.due_at),
                "entity_id": 50000 + it.sale,
                "entity_type": "leads",
                "is_completed": it.is_done,
                "task_type_id": 2,
                "text": it.title,
                "result": {"text": it.result} if it.result else [],
            }
            for it in company.meetings
        ],
        events=[*lead_events, *targets, *_touch_events(company), *_removals(company)],
        unsorted=[
            {
                "uid": f"uns-{it.number}",
                "source_uid": "site-form",
                "source_name": "Форма на сайте",
                "pipeline_id": PIPELINE,
                "created_at": _unix(it.created_at),
                "_embedded": {"leads": [{"id": 50000 + it.number}], "contacts": []},
            }
            for it in company.sales
            if it.stage == "new" and not it.is_deleted and not it.is_order
        ],
        custom_fields=[
            {"id": TARGET_FIELD, "name": "Целевой", "type": "select",
             "enums": [{"id": 41, "value": "Да"}, {"id": 42, "value": "Нет"}]},
            {"id": CONTRACT_FIELD, "name": "Дата договора", "type": "date"},
        ],
    )  # fmt: skip


def _teams(company: Company) -> list[str]:
    return sorted({it.team for it in company.managers})


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _pipeline() -> Json:
    statuses = [
        {"id": STATUS[it], "name": STAGE_NAMES[it], "sort": 10 * (number + 1),
         "type": 1 if it == "new" else 0}
        for number, it in enumerate(STAGES)
    ]  # fmt: skip
    return {
        "id": PIPELINE, "name": "Продажи", "sort": 1, "is_main": True, "is_archive": False,
        "_embedded": {"statuses": statuses},
    }  # fmt: skip


def _orders() -> Json:
    statuses = [
        {"id": ORDER_STATUS[it], "name": ORDER_STAGE_NAMES[it], "sort": 10 * number, "type": 0}
        for number, it in enumerate(ORDER_STAGES, 1)
    ]
    return {
        "id": ORDERS, "name": "Заказы", "sort": 2, "is_main": False, "is_archive": False,
        "_embedded": {"statuses": statuses},
    }  # fmt: skip


def _status(sale: Sale, stage: str) -> tuple[int, int]:
    """A stage's pipeline and status."""
    return (ORDERS, ORDER_STATUS[stage]) if sale.is_order else (PIPELINE, STATUS[stage])


def _lead(company: Company, sale: Sale) -> Json:
    source = SOURCES.get(sale.source or "")
    people = [{"id": 60000 + sale.person, "is_main": True}] if sale.person else []
    if sale.person and company.person(sale.person).is_deleted:
        people = []
    reason = [{"id": 401, "name": sale.reason}] if sale.reason else []
    customs: list[Json] = []
    if sale.utm:
        customs.append(
            {
                "field_id": 9101,
                "field_name": "utm_source",
                "field_code": "UTM_SOURCE",
                "field_type": "tracking_data",
                "values": [{"value": sale.utm}],
            }
        )
    if sale.is_target is not None:
        customs.append(
            {
                "field_id": TARGET_FIELD,
                "field_name": "Целевой",
                "field_code": None,
                "field_type": "select",
                "values": [_target(sale.is_target)],
            }
        )
    if sale.contract_on:
        midnight = datetime.fromisoformat(f"{sale.contract_on}T00:00:00+03:00")
        customs.append(
            {
                "field_id": CONTRACT_FIELD,
                "field_name": "Дата договора",
                "field_type": "date",
                "values": [{"value": _unix(midnight)}],
            }
        )
    return {
        "id": 50000 + sale.number,
        "name": f"Сделка {sale.number}",
        "price": sale.amount,
        "responsible_user_id": 7000 + sale.owner,
        "status_id": _status(sale, sale.stage)[1],
        "pipeline_id": _status(sale, sale.stage)[0],
        "created_by": 7000 + sale.moves[0].by if sale.moves[0].by else 0,
        "created_at": _unix(sale.created_at),
        "updated_at": _unix(sale.updated_at),
        "closed_at": _unix(sale.closed_at),
        "is_deleted": sale.is_deleted,
        "custom_fields_values": customs or None,
        "_embedded": {
            "tags": [],
            "contacts": people,
            "companies": [{"id": 65000 + sale.firm}] if sale.firm else [],
            "loss_reason": reason,
            **({"source": {"id": source[0], "name": source[1]}} if source else {}),
        },
    }  # fmt: skip


def _target(is_target: bool) -> Json:
    return {"value": "Да", "enum_id": 41} if is_target else {"value": "Нет", "enum_id": 42}


def _phones_and_mail(phones: Iterable[str], email: str | None) -> list[Json] | None:
    found: list[Json] = []
    numbers = [{"value": it, "enum_code": "WORK"} for it in phones]
    if numbers:
        found.append({"field_id": 9001, "field_code": "PHONE", "field_type": "multitext",
                      "values": numbers})  # fmt: skip
    if email:
        found.append({"field_id": 9002, "field_code": "EMAIL", "field_type": "multitext",
                      "values": [{"value": email}]})  # fmt: skip
    return found or None


def _event(moment: datetime, number: int, kind: str, entity: str, entity_id: int, by: int,
           before: Any = (), after: Any = ()) -> Json:  # fmt: skip
    return {
        "id": f"01k{_unix(moment)}{number:04d}",
        "type": kind,
        "entity_id": entity_id,
        "entity_type": entity,
        "created_by": 7000 + by if by else 0,
        "created_at": _unix(moment),
        "value_before": list(before),
        "value_after": list(after),
    }


def _status_events(sale: Sale) -> list[Json]:
    def status(stage: str) -> list[Json]:
        pipeline, status_id = _status(sale, stage)
        return [{"lead_status": {"id": status_id, "pipeline_id": pipeline}}]

    return [
        _event(after.at, sale.number, "lead_status_changed", "lead", 50000 + sale.number,
               after.by, status(before.stage), status(after.stage))
        for before, after in zip(sale.moves, sale.moves[1:], strict=False)
    ]  # fmt: skip


def _target_events(sale: Sale) -> list[Json]:
    if sale.is_target is None or sale.target_at is None:
        return []
    option = _target(sale.is_target)
    value = {"field_id": TARGET_FIELD, "field_type": "select", "enum_id": option["enum_id"],
             "text": option["value"]}  # fmt: skip
    return [
        _event(sale.target_at, 500 + sale.number, f"custom_field_{TARGET_FIELD}_value_changed",
               "lead", 50000 + sale.number, 2, [], [{"custom_field_value": value}])
    ]  # fmt: skip


def _touch_events(company: Company) -> list[Json]:
    names = {
        ("mail", True): "incoming_mail",
        ("mail", False): "outgoing_mail",
        ("chat", True): "incoming_chat_message",
        ("chat", False): "outgoing_chat_message",
    }
    return [
        _event(it.at, 1000 + it.number, names[it.kind, it.is_incoming], "lead",
               50000 + it.sale, it.by)
        for it in company.touches
    ]  # fmt: skip


def _removals(company: Company) -> list[Json]:
    found = []
    for it in company.removals:
        entity = {"sale": "lead", "person": "contact"}[it.entity]
        base = {"sale": 50000, "person": 60000}[it.entity]
        verb = "restored" if it.is_return else "deleted"
        found.append(_event(it.at, 2000 + it.number, f"{entity}_{verb}", entity,
                            base + it.entity_number, 1))  # fmt: skip
    return found
