"""The company in the contract's own words: what every system's rows are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.one_company.story import (
    CHANNELS,
    COSTS,
    NOW,
    PLANS,
    RATES,
    ROLES,
    YANDEX_CAMPAIGNS,
)
from tests.standins.company import (
    LINE,
    ORDER_STAGE_NAMES,
    ORDER_STAGES,
    STAGE_NAMES,
    STAGES,
    Call,
    Company,
    Sale,
)

Row = dict[str, Any]
Rows = dict[str, list[Row]]

SOURCES = {"site": "Сайт", "referral": "Рекомендация", "yandex": "Яндекс", "google": "Google",
           "utm:google": "google"}  # fmt: skip
PIPELINES = {"sales": "Продажи", "orders": "Заказы"}
NOT_HELD = "Не состоялась"


@dataclass(frozen=True)
class Ids:
    """What other tables call the CRM's managers, by number, and its sources."""

    manager: Callable[[int], str] = "m{}".format
    source: Callable[[str], str] = str


def rows(company: Company, ids: Ids | None = None) -> Rows:
    """All tables. With `ids` the CRM's own tables are left out: a system has them."""
    others = {
        **_telephony(company, ids or Ids()),
        "marketing.ad_spend": _spending(company, ids or Ids()),
        "crm.quotas": [
            {"manager_id": (ids or Ids()).manager(who), "metric": metric, "period": "month",
             "period_start": "2026-03-01", "target": target}
            for who, _, metric, target in PLANS
        ],
        "finance.exchange_rates": [
            {"rate_date": day, "currency": "USD", "rate": rate} for day, rate in RATES.items()
        ],
        "finance.sales_costs": [
            {"month": "2026-03-01", "team": team, "cost": cost, "currency": "RUB"}
            for team, cost in COSTS.items()
        ],
    }  # fmt: skip
    tables = others if ids else {**crm(company), **others}
    return loaded(tables)


def loaded(tables: Rows) -> Rows:
    """The rows as the last load would have written them."""
    return {name: [{"_loaded_at": NOW, **it} for it in listed] for name, listed in tables.items()}


def crm(company: Company) -> Rows:
    """The CRM's tables; a manager is m1, a person p1, a firm f1, a lead l1, a deal d1."""
    living = [it for it in company.sales if not it.is_deleted]
    return {
        "crm.managers": [
            {
                "manager_id": f"m{it.number}", "full_name": it.name, "email": it.email,
                "team": it.team, "role": ROLES[it.number][0], "hired_on": ROLES[it.number][1],
                "dismissed_on": ROLES[it.number][2],
                "is_deleted": None if it.is_active else "true",
            }
            for it in company.managers
        ],
        "crm.sources": [
            {"source_id": key, "name": name, "channel": CHANNELS[key.removeprefix("utm:")]}
            for key, name in SOURCES.items()
        ],
        "crm.contacts": [*_people(company), *_firms(company)],
        "crm.contact_phones": _phones(company),
        "crm.pipelines": [{"pipeline_id": it, "name": name} for it, name in PIPELINES.items()],
        "crm.stages": [
            *_stages("sales", STAGES, STAGE_NAMES),
            *_stages("orders", ORDER_STAGES, ORDER_STAGE_NAMES),
        ],
        "crm.leads": [_lead(it) for it in living if not it.is_order],
        "crm.deals": [_deal(it) for it in living],
        "crm.deal_stage_history": [
            {
                "event_id": f"d{it.number}:{place}", "deal_id": f"d{it.number}",
                "stage_id": f"{_pipeline(it)}:{move.stage}", "entered_at": _text(move.at),
                "manager_id": f"m{move.by}" if move.by else None,
            }
            for it in living
            for place, move in enumerate(it.moves)
        ],
        "crm.meetings": [
            {
                "meeting_id": f"t{it.number}", "lead_id": f"l{it.sale}", "deal_id": f"d{it.sale}",
                "set_by": f"m{it.set_by}", "held_by": f"m{it.held_by}", "set_at": _text(it.set_at),
                "scheduled_for": _text(it.due_at),
                "held_at": _text(it.due_at) if it.is_done and it.result != NOT_HELD else None,
                "cancelled_at": _text(it.updated_at) if it.result == NOT_HELD else None,
                "kind": "demo" if "Презентация" in it.title else "meeting",
            }
            for it in company.meetings
        ],
        "crm.activities": [
            {
                "activity_id": f"a{it.number}",
                "kind": {"mail": "email", "chat": "message"}[it.kind],
                "direction": "in" if it.is_incoming else "out",
                "manager_id": f"m{it.by}" if it.by else None,
                "lead_id": None if company.sale(it.sale).is_order else f"l{it.sale}",
                "deal_id": f"d{it.sale}", "happened_at": _text(it.at),
            }
            for it in company.touches
        ],
        "crm.payments": [
            {
                "payment_id": f"y{it.number}", "deal_id": f"d{it.number}", "contact_id": _whose(it),
                "paid_at": _text(it.moves[-1].at), "amount": str(it.amount), "currency": "RUB",
                "kind": "payment",
            }
            for it in living
            if it.stage == "won"
        ],
    }  # fmt: skip


def _people(company: Company) -> list[Row]:
    return [
        {
            "contact_id": f"p{it.number}", "name": it.name, "email": it.email,
            "company": company.firm(it.firm).name if it.firm else None,
            "created_at": _text(it.created_at),
        }
        for it in company.people
    ]  # fmt: skip


def _firms(company: Company) -> list[Row]:
    return [
        {"contact_id": f"f{it.number}", "name": it.name, "company": it.name,
         "created_at": _text(it.created_at)}
        for it in company.firms
    ]  # fmt: skip


def _phones(company: Company) -> list[Row]:
    """A firm leaves to its own people the phones that are theirs too."""
    found = [{"contact_id": f"p{it.number}", "phone": phone}
             for it in company.people for phone in it.phones]  # fmt: skip
    for firm in company.firms:
        own = {phone for it in company.people if it.firm == firm.number for phone in it.phones}
        found += [{"contact_id": f"f{firm.number}", "phone": it} for it in firm.phones
                  if it not in own]  # fmt: skip
    return found


def _stages(pipeline: str, stages: tuple[str, ...], names: Mapping[str, str]) -> list[Row]:
    return [
        {
            "stage_id": f"{pipeline}:{it}", "pipeline_id": pipeline, "name": names[it],
            "position": str(place), "kind": it if it in ("won", "lost") else "open",
        }
        for place, it in enumerate(stages, 1)
    ]  # fmt: skip


def _lead(sale: Sale) -> Row:
    taken = next((it.at for it in sale.moves if it.stage != "new"), None)
    return {
        "lead_id": f"l{sale.number}", "contact_id": _whose(sale), "manager_id": f"m{sale.owner}",
        "source_id": _source(sale), "created_at": _text(sale.created_at),
        "taken_at": _text(taken), "is_target": _flag(sale.is_target),
        "qualified_at": _text(sale.target_at),
        "rejection_reason": sale.reason if sale.is_target is False else None,
        "utm_source": sale.utm,
    }  # fmt: skip


def _deal(sale: Sale) -> Row:
    return {
        "deal_id": f"d{sale.number}", "lead_id": None if sale.is_order else f"l{sale.number}",
        "contact_id": _whose(sale), "manager_id": f"m{sale.owner}",
        "pipeline_id": _pipeline(sale), "stage_id": f"{_pipeline(sale)}:{sale.stage}",
        "source_id": _source(sale), "amount": str(sale.amount), "currency": "RUB",
        "deal_type": "repeat" if sale.is_order else "new", "created_at": _text(sale.created_at),
        "expected_close_on": sale.contract_on, "closed_at": _text(sale.closed_at),
        "lost_reason": sale.reason if sale.stage == "lost" else None,
        "updated_at": _text(sale.updated_at),
    }  # fmt: skip


def _telephony(company: Company, ids: Ids) -> Rows:
    """A row for each ring, and one for the queue or the menu before it."""
    calls = []
    for it in company.calls:
        if it.queue or not it.rings:
            calls.append(_leg(it, 0, None, 0, it.seconds, 0, "no_answer"))
        calls += [
            _leg(
                it, place, ring.extension, ring.after, ring.seconds, ring.talk,
                "answered" if ring.talk else "busy" if ring.is_busy else "no_answer",
            )
            for place, ring in enumerate(it.rings, 1)
        ]  # fmt: skip
    return {
        "telephony.calls": calls,
        "telephony.extensions": [
            {"extension": it.extension, "valid_from": "2000-01-01T00:00:00+00:00",
             "manager_id": ids.manager(it.number)}
            for it in company.managers
        ],
    }  # fmt: skip


def _leg(call: Call, place: int, extension: str | None, after: int, seconds: int, talk: int,
         disposition: str) -> Row:  # fmt: skip
    begin = call.started_at + timedelta(seconds=after)
    ends = (call.customer, LINE) if call.direction == "in" else (LINE, call.customer)
    return {
        "call_id": f"c{call.number}:{place}", "linked_id": f"c{call.number}",
        "direction": call.direction, "from_number": ends[0], "to_number": ends[1],
        "extension": extension, "started_at": _text(begin),
        "answered_at": _text(begin + timedelta(seconds=seconds - talk)) if talk else None,
        "ended_at": _text(begin + timedelta(seconds=seconds)), "disposition": disposition,
        "talk_seconds": str(talk), "line": LINE, "queue": call.queue,
    }  # fmt: skip


def _spending(company: Company, ids: Ids) -> list[Row]:
    found = []
    for it in company.spending:
        is_yandex = it.campaign in YANDEX_CAMPAIGNS
        cost = (Decimal(it.micros) / 1_000_000).quantize(Decimal("0.0001"))
        found.append(
            {
                "spend_date": it.day, "source_id": ids.source("yandex" if is_yandex else "google"),
                "campaign": str(it.campaign), "cost": str(cost),
                "currency": "RUB" if is_yandex else "USD", "impressions": str(it.impressions),
                "clicks": str(it.clicks), "campaign_name": it.name,
            }
        )  # fmt: skip
    return found


def _whose(sale: Sale) -> str:
    return f"p{sale.person}" if sale.person else f"f{sale.firm}"


def _source(sale: Sale) -> str | None:
    return sale.source or (f"utm:{sale.utm}" if sale.utm else None)


def _pipeline(sale: Sale) -> str:
    return "orders" if sale.is_order else "sales"


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
