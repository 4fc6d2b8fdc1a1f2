"""HubSpot's API over loopback: lists, searches, batches, associations, archived objects.

Its rows come from the invented company, or from the sample answers beside the specification.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.standins.company import (
    CLOSED,
    ORDER_STAGE_NAMES,
    STAGE_NAMES,
    STAGES,
    Company,
    Person,
    Sale,
)
from tests.standins.server import Reply, Request, StandIn, json_reply

Json = dict[str, Any]
Links = dict[tuple[str, str], dict[str, list[tuple[str, str | None]]]]

TOKEN = "pat-eu1-secret-token"
OBJECTS = "/crm/v3/objects/"
SOURCES = {"site": "DIRECT_TRAFFIC", "referral": "REFERRALS", "yandex": "PAID_SOCIAL",
           "google": "PAID_SEARCH"}  # fmt: skip
PIPELINE, ORDERS, LEAD_PIPELINE = "default", "orders", "lead-pipeline"
LEAD_STAGES = {"l-new": "Новый", "l-work": "В работе", "l-good": "Целевой", "l-bad": "Нецелевой"}
SCOPES = (
    "crm.objects.contacts.read", "crm.objects.companies.read", "crm.objects.deals.read",
    "crm.objects.owners.read", "crm.objects.leads.read", "crm.schemas.deals.read",
)  # fmt: skip
_RATE = {
    "X-HubSpot-RateLimit-Daily": "650000",
    "X-HubSpot-RateLimit-Daily-Remaining": "649000",
    "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
    "X-HubSpot-RateLimit-Max": "190",
    "X-HubSpot-RateLimit-Remaining": "188",
}


@dataclass
class Store:
    """The portal's rows as the API gives them: objects by kind, archived ones among them.

    `history` are the versions of properties by kind, id and property, newest first. `links` are by
    the kinds of both ends. `aliases` are losers of merges: asked for one, the survivor answers.
    """

    account: Json = field(default_factory=lambda: {
        "portalId": 1234567, "timeZone": "Europe/Moscow", "companyCurrency": "RUB"})  # fmt: skip
    owners: list[Json] = field(default_factory=list)
    pipelines: dict[str, list[Json]] = field(default_factory=dict)
    objects: dict[str, list[Json]] = field(default_factory=dict)
    history: dict[tuple[str, str], dict[str, list[Json]]] = field(default_factory=dict)
    links: Links = field(default_factory=dict)
    properties: dict[str, list[Json]] = field(default_factory=dict)
    aliases: dict[tuple[str, str], str] = field(default_factory=dict)


class HubspotStandIn(StandIn):
    """The portal. `page_size` cuts all pages; `lag` hides what changed so shortly before `now`."""

    def __init__(self, store: Callable[[], Store], page_size: int = 250) -> None:
        super().__init__()
        self._store = store
        self.page_size = page_size
        self.forbidden: dict[str, str] = {}
        self.unknown: set[str] = set()
        self.ceiling = 10_000
        self.links_page = 500
        self.versions = 1_000
        self.lag = timedelta(0)
        self.now: datetime | None = None

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        path, store = request.path, self._store()
        kinds = {part for part in path.split("/") if part}
        lacking = kinds & self.forbidden.keys()
        if lacking:
            return missing_scopes(self.forbidden[lacking.pop()])
        if kinds & self.unknown:
            return _error(400, "VALIDATION_ERROR", "Unable to infer object type")
        if path == "/account-info/v3/details":
            return _reply(store.account)
        if path == "/oauth/v2/private-apps/get/access-token-info":
            return _reply({"userId": 9001, "hubId": 1234567, "scopes": list(SCOPES)})
        if path == "/crm/v3/owners":
            is_archived = request.query.get("archived") == "true"
            rows = [it for it in store.owners if bool(it.get("archived")) is is_archived]
            return self._page(rows, request.query)
        if path.startswith("/crm/v3/pipelines/"):
            return _reply({"results": store.pipelines.get(path.rpartition("/")[2], [])})
        if path.startswith("/crm/v3/properties/"):
            return _reply({"results": store.properties.get(path.rpartition("/")[2], [])})
        if path.startswith("/crm/v4/associations/"):
            _, _, _, _, kind, to, *_ = path.split("/")
            return self._associations(store, kind, to, request.json)
        if path.startswith(OBJECTS):
            kind, _, action = path.removeprefix(OBJECTS).partition("/")
            if action == "search":
                return self._search(store, kind, request.json)
            if action == "batch/read":
                return self._batch(store, kind, request.json)
            is_archived = request.query.get("archived") == "true"
            rows = [it for it in self._sorted(store, kind) if bool(it["archived"]) is is_archived]
            names = request.query.get("properties", "").split(",")
            return self._page([_shown(it, names) for it in rows], request.query)
        return _error(404, "NOT_FOUND", "no such address")

    def _sorted(self, store: Store, kind: str) -> list[Json]:
        return sorted(store.objects.get(kind, []), key=lambda it: int(it["id"]))

    def _page(self, rows: list[Json], query: Any) -> Reply:
        after = int(query.get("after") or 0)
        left = [it for it in rows if int(it["id"]) >= after]
        size = min(int(query.get("limit", 10)), self.page_size)
        shown, rest = left[:size], left[size:]
        paging = {"paging": {"next": {"after": rest[0]["id"]}}} if rest else {}
        return _reply({"results": shown, **paging})

    def _search(self, store: Store, kind: str, body: Json) -> Reply:
        begin, filters = int(body.get("after") or 0), body["filterGroups"][0]["filters"]
        if begin >= self.ceiling:
            return _error(400, "VALIDATION_ERROR", "There was a problem with the request.")
        found = [
            it
            for it in self._sorted(store, kind)
            if not it["archived"] and all(_fits(it, one) for one in filters) and self._shows(it)
        ]
        size = min(int(body["limit"]), self.page_size)
        shown = found[begin : begin + size]
        end = begin + size
        paging = {"paging": {"next": {"after": str(end)}}} if end < len(found) else {}
        rows = [_shown(it, body["properties"]) for it in shown]
        return json_reply({"total": len(found), "results": rows, **paging})

    def _shows(self, item: Json) -> bool:
        own = item["properties"]
        changed = own.get("hs_lastmodifieddate") or own.get("lastmodifieddate")
        return self.now is None or datetime.fromisoformat(changed) <= self.now - self.lag

    def _batch(self, store: Store, kind: str, body: Json) -> Reply:
        history, inputs = body.get("propertiesWithHistory") or [], body["inputs"]
        if len(inputs) > (50 if history else 100):
            return _error(400, "VALIDATION_ERROR", "too many ids")
        by_id = {it["id"]: it for it in self._sorted(store, kind) if not it["archived"]}
        found: dict[str, Json] = {}
        gone = []
        for it in inputs:
            number = store.aliases.get((kind, it["id"]), it["id"])
            if number not in by_id:
                gone.append(it["id"])
                continue
            row = _shown(by_id[number], body["properties"])
            if history:
                versions = store.history.get((kind, number), {})
                row["propertiesWithHistory"] = {
                    name: versions.get(name, [])[: self.versions] for name in history
                }
            found[number] = row
        errors = [_absent(it) for it in gone]
        return _multi(list(found.values()), errors)

    def _associations(self, store: Store, kind: str, to: str, body: Json) -> Reply:
        if len(body["inputs"]) > 100:
            return _error(400, "VALIDATION_ERROR", "too many ids")
        links = store.links.get((kind, to), {})
        rows, errors = [], []
        for it in body["inputs"]:
            mine = links.get(it["id"], [])
            if not mine:
                errors.append(_absent(it["id"], "crm.associations.NO_ASSOCIATIONS_FOUND"))
                continue
            begin = int(it.get("after") or 0)
            end = begin + self.links_page
            row: Json = {
                "from": {"id": it["id"]},
                "to": [
                    {"toObjectId": int(number),
                     "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 3,
                                           "label": label}]}
                    for number, label in mine[begin:end]
                ],
            }  # fmt: skip
            if end < len(mine):
                row["paging"] = {"next": {"after": str(end)}}
            rows.append(row)
        return _multi(rows, errors)


def _reply(value: Any) -> Reply:
    return json_reply(value, 200, **_RATE)


def _multi(rows: list[Json], errors: list[Json]) -> Reply:
    more = {"numErrors": len(errors), "errors": errors} if errors else {}
    return json_reply({"status": "COMPLETE", "results": rows, **more}, 207 if errors else 200)


def _absent(number: str, sub: str = "") -> Json:
    context = {"fromObjectId": [number]} if sub else {"ids": [number]}
    return {"status": "error", "category": "OBJECT_NOT_FOUND", "subCategory": sub,
            "message": "not there", "context": context}  # fmt: skip


def _error(status: int, category: str, message: str) -> Reply:
    return json_reply({"status": "error", "message": message, "category": category}, status)


def missing_scopes(scope: str) -> Reply:
    context = {"requiredGranularScopes": [scope]}
    return json_reply(
        {"status": "error", "category": "MISSING_SCOPES", "message": "scopes are missing",
         "errors": [{"message": "One or more scopes are required.", "context": context}]},
        403,
    )  # fmt: skip


def _shown(item: Json, names: Iterable[str]) -> Json:
    """An object with these properties; unknown ones are left out without a word."""
    own = item["properties"]
    wanted = {*names, "hs_object_id", "createdate", "hs_lastmodifieddate", "lastmodifieddate"}
    return {**item, "properties": {it: own[it] for it in sorted(wanted) if it in own}}


def _fits(item: Json, condition: Json) -> bool:
    name, value = condition["propertyName"], condition["value"]
    if name == "hs_object_id":
        own = int(item["id"])
    elif item["properties"].get(name):
        own = round(datetime.fromisoformat(item["properties"][name]).timestamp() * 1000)
    else:
        return False
    bound = int(value)
    return {"GTE": own >= bound, "LT": own < bound, "GT": own > bound}[condition["operator"]]


def thing(
    number: int | str,
    changed: datetime,
    created: datetime,
    archived_at: datetime | None = None,
    cursor: str = "hs_lastmodifieddate",
    **properties: Any,
) -> Json:
    """An object as a batch gives it."""
    found: Json = {
        "id": str(number),
        "properties": {**properties, cursor: _time(changed), "hs_object_id": str(number)},
        "createdAt": _time(created),
        "updatedAt": _time(changed),
        "archived": archived_at is not None,
    }
    return {**found, "archivedAt": _time(archived_at)} if archived_at else found


def version(value: str | None, when: datetime, by: int = 0) -> Json:
    """A version of a property, set by a user or by an integration."""
    source = {"sourceType": "INTEGRATION", "sourceId": None}
    if by:
        number = 9000 + by
        source = {"sourceType": "CRM_UI", "sourceId": f"userId:{number}"}
    return {"value": value, "timestamp": _time(when), **source}


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sample_store(samples: Path) -> Store:
    """The rows of the sample answers, each list from all its files; the newest version wins."""

    def body(name: str) -> Any:
        return json.loads((samples / f"{name}.json").read_text(encoding="utf-8"))["response"][
            "body"
        ]

    def rows(*names: str) -> list[Json]:
        found: dict[str, Json] = {}
        for name in names:
            for row in body(name)["results"]:
                before = found.get(row["id"], {"properties": {}})
                merged = {**before["properties"], **row["properties"]}
                found[row["id"]] = {**row, "properties": merged}
        return list(found.values())

    histories = body("deals_batch_read_history")["results"]
    links: dict[str, list[tuple[str, str | None]]] = {
        it["from"]["id"]: [(str(to["toObjectId"]), None) for to in it["to"]]
        for it in body("associations_deals_contacts")["results"]
    }
    return Store(
        account=body("account_info"),
        owners=[*body("owners")["results"], *body("owners_archived")["results"]],
        pipelines={"deals": body("pipelines_deals")["results"]},
        objects={
            "deals": rows("deals_page1", "deals_page2", "deals_search_incremental",
                          "deals_archived"),
            "contacts": rows("contacts_search_incremental"),
            "meetings": rows("meetings_page1"),
            "feedback_submissions": rows("feedback"),
        },
        history={("deals", it["id"]): it["propertiesWithHistory"] for it in histories},
        links={("deals", "contacts"): links},
    )  # fmt: skip


def company_store(company: Company, has_leads: bool = True) -> Store:
    """The company in HubSpot's words. Each sale is a lead and its deal, or a deal alone."""
    store = Store(
        owners=[
            {
                "id": str(6000 + it.number),
                "email": it.email,
                "firstName": it.name.split()[0],
                "lastName": it.name.split()[1],
                "type": "PERSON",
                "userId": 9000 + it.number if it.is_active else None,
                "userIdIncludingInactive": 9000 + it.number,
                "updatedAt": "2026-01-10T08:00:00.000Z",
                "archived": not it.is_active,
                "teams": [{"id": "1", "name": it.team, "primary": True}],
            }
            for it in company.managers
        ],
        pipelines={
            "deals": [
                _pipeline(PIPELINE, "Продажи", {it: STAGE_NAMES[it] for it in STAGES}),
                *([_pipeline(ORDERS, "Заказы", ORDER_STAGE_NAMES)] if company.has_orders else []),
            ],
            "leads": [_pipeline(LEAD_PIPELINE, "Лиды", LEAD_STAGES)] if has_leads else [],
        },
        properties={
            kind: [{"name": "utm_source", "label": "UTM source", "type": "string"}]
            for kind in ("leads", "contacts")
        },
    )
    led = [it for it in company.sales if has_leads and not it.is_order]
    store.objects = {
        "deals": [_deal(company, it) for it in company.sales],
        "contacts": [_contact(company, it) for it in company.people],
        "companies": [
            thing(
                5000 + it.number, it.updated_at, it.created_at,
                it.updated_at if it.is_deleted else None,
                name=it.name, phone=it.phones[0], createdate=_time(it.created_at),
            )
            for it in company.firms
        ],
        "leads": [_lead(company, it) for it in led],
    }  # fmt: skip
    for sale in company.sales:
        deal, moves = str(4000 + sale.number), sale.moves[::-1]
        store.history["deals", deal] = {
            "dealstage": [version(it.stage, it.at, it.by) for it in moves],
            "pipeline": [version(_pipeline_of(sale), sale.created_at)],
        }
        if sale in led:
            found = [version(stage, at, by) for at, stage, by in lead_moves(sale)]
            store.history["leads", str(9000 + sale.number)] = {
                "hs_pipeline_stage": found[::-1],
                "hs_pipeline": [version(LEAD_PIPELINE, sale.created_at)],
            }
    _link_sales(store, company, has_leads)
    _touches(store, company)
    return store


def _pipeline(pipeline: str, label: str, stages: dict[str, str]) -> Json:
    def metadata(stage: str) -> Json:
        if stage not in CLOSED:
            return {"isClosed": "false", "probability": "0.5"}
        return {"isClosed": "true", "probability": "1.0" if stage == "won" else "0.0"}

    return {
        "id": pipeline,
        "label": label,
        "displayOrder": 0,
        "updatedAt": "2026-01-01T00:00:00Z",
        "archived": False,
        "stages": [
            {"id": stage, "label": name, "displayOrder": number, "metadata": metadata(stage),
             "updatedAt": "2026-01-01T00:00:00Z", "archived": False}
            for number, (stage, name) in enumerate(stages.items())
        ],
    }  # fmt: skip


def _pipeline_of(sale: Sale) -> str:
    return ORDERS if sale.is_order else PIPELINE


def _removed(company: Company, entity: str, number: int) -> datetime | None:
    return max(
        it.at for it in company.removals if (it.entity, it.entity_number) == (entity, number)
    )


def _deal(company: Company, sale: Sale) -> Json:
    plan = f"{sale.contract_on}T00:00:00Z" if sale.contract_on else None
    closed = sale.closed_at or sale.created_at + timedelta(days=30)
    entered = {f"hs_v2_date_entered_{it.stage}": _time(it.at) for it in sale.moves}
    return thing(
        4000 + sale.number, sale.updated_at, sale.created_at,
        _removed(company, "sale", sale.number) if sale.is_deleted else None,
        amount=str(sale.amount), closed_lost_reason=sale.reason, dealname=f"Сделка {sale.number}",
        closedate=_time(closed) if sale.closed_at or not plan else plan,
        createdate=_time(sale.created_at), deal_currency_code=None, dealstage=sale.stage,
        dealtype="existingbusiness" if sale.is_return or sale.is_order else "newbusiness",
        hs_analytics_source=SOURCES[sale.source] if sale.source else "",
        hs_merged_object_ids=None, hubspot_owner_id=str(6000 + sale.owner),
        pipeline=_pipeline_of(sale), **entered,
    )  # fmt: skip


def lead_moves(sale: Sale) -> list[tuple[datetime, str, int]]:
    """The stages of the sale's lead."""
    return sale.lead_moves("l-new", "l-work", "l-good", "l-bad")


def _lead(company: Company, sale: Sale) -> Json:
    moves = lead_moves(sale)
    status = moves[-1][1] if sale.is_target is None else "l-good" if sale.is_target else "l-bad"
    return thing(
        9000 + sale.number, sale.updated_at, sale.created_at,
        _removed(company, "sale", sale.number) if sale.is_deleted else None,
        hs_createdate=_time(sale.created_at), hubspot_owner_id=str(6000 + sale.owner),
        hs_pipeline=LEAD_PIPELINE, hs_pipeline_stage=status,
        hs_lead_disqualification_reason=sale.reason if status == "l-bad" else None,
        hs_analytics_source=SOURCES[sale.source] if sale.source else "",
        utm_source=sale.utm,
    )  # fmt: skip


def _contact(company: Company, person: Person) -> Json:
    """A contact; what it says as a lead is what its first sale says."""
    sales = sorted(
        (it for it in company.sales if it.person == person.number), key=lambda it: it.number
    )
    first = sales[0] if sales else None
    more: Json = {}
    changed = person.updated_at
    if first is not None:
        taken = first.moves[1].at if len(first.moves) > 1 else None
        more = {
            "hubspot_owner_id": str(6000 + first.owner),
            "hubspot_owner_assigneddate": _time(taken) if taken else None,
            "lifecyclestage": "salesqualifiedlead" if first.is_target else "lead",
            "hs_lead_status": "UNQUALIFIED" if first.is_target is False else "OPEN",
            "utm_source": first.utm,
        }
        if first.is_target and first.target_at:
            more["hs_lifecyclestage_salesqualifiedlead_date"] = _time(first.target_at)
        changed = max(it for it in (changed, taken, first.target_at) if it)
    phones = [*person.phones, None, None]
    return thing(
        7000 + person.number, changed, person.created_at,
        _removed(company, "person", person.number) if person.is_deleted else None,
        cursor="lastmodifieddate",
        firstname=person.name.split()[0], lastname=person.name.split()[1], email=person.email,
        phone=phones[0], mobilephone=phones[1], createdate=_time(person.created_at),
        associatedcompanyid=str(5000 + person.firm) if person.firm else None,
        hs_analytics_source=SOURCES[person.source] if person.source else None, **more,
    )  # fmt: skip


def _link_sales(store: Store, company: Company, has_leads: bool) -> None:
    for kind, begin in (("deals", 4000), ("leads", 9000)):
        contacts, firms = store.links.setdefault((kind, "contacts"), {}), {}
        store.links[kind, "companies"] = firms
        for it in company.sales:
            number = str(begin + it.number)
            if it.person and not company.person(it.person).is_deleted:
                contacts[number] = [(str(7000 + it.person), None)]
            if it.firm:
                firms[number] = [(str(5000 + it.firm), "Primary")]
    if has_leads:
        store.links["deals", "leads"] = {
            str(4000 + it.number): [(str(9000 + it.number), None)]
            for it in company.sales
            if not it.is_deleted and not it.is_order
        }


def _touches(store: Store, company: Company) -> None:
    meetings = store.objects["meetings"] = []
    for it in company.meetings:
        outcome = {"Проведена": "COMPLETED", "Не состоялась": "NO_SHOW"}.get(it.result or "")
        number = 8000 + it.number
        meetings.append(
            thing(
                number, it.updated_at, it.set_at,
                hs_activity_type=it.title, hs_createdate=_time(it.set_at),
                hs_created_by_user_id=str(9000 + it.set_by), hs_meeting_title="",
                hs_meeting_outcome=outcome or "SCHEDULED", hs_timestamp=_time(it.due_at),
                hs_meeting_start_time=_time(it.due_at), hubspot_owner_id=str(6000 + it.held_by),
            )
        )  # fmt: skip
        found = [version("SCHEDULED", it.set_at)]
        if outcome:
            found.insert(0, version(outcome, it.updated_at, it.held_by))
        store.history["meetings", str(number)] = {"hs_meeting_outcome": found}
        _link_touch(store, company, "meetings", str(number), it.sale)
    for kind in ("emails", "communications"):
        store.objects[kind] = []
    for touch in company.touches:
        is_mail = touch.kind == "mail"
        kind, number = ("emails", 2000) if is_mail else ("communications", 2500)
        way = "INCOMING_EMAIL" if touch.is_incoming else "EMAIL"
        own = {"hs_email_direction": way} if is_mail else {
            "hs_communication_channel_type": "WHATS_APP"}  # fmt: skip
        store.objects[kind].append(
            thing(
                number + touch.number, touch.at, touch.at, hs_createdate=_time(touch.at),
                hs_timestamp=_time(touch.at), hubspot_owner_id=str(6000 + (touch.by or 1)), **own,
            )
        )  # fmt: skip
        _link_touch(store, company, kind, str(number + touch.number), touch.sale)
    first = company.people[0]
    store.objects["feedback_submissions"] = [
        thing(
            9900, first.created_at + timedelta(days=7), first.created_at + timedelta(days=7),
            hs_survey_type="CSAT", hs_value="5",
            hs_submission_timestamp=_time(first.created_at + timedelta(days=7)),
        )
    ]  # fmt: skip
    store.links["feedback_submissions", "contacts"] = {"9900": [(str(7000 + first.number), None)]}


def _link_touch(store: Store, company: Company, kind: str, number: str, sale_number: int) -> None:
    sale = next((it for it in company.sales if it.number == sale_number), None)
    if sale is None or sale.is_deleted:
        return
    store.links.setdefault((kind, "deals"), {})[number] = [(str(4000 + sale.number), None)]
    if sale.person and not company.person(sale.person).is_deleted:
        store.links.setdefault((kind, "contacts"), {})[number] = [(str(7000 + sale.person), None)]
