"""The facts of schema `marts`, each a list of dicts with its public columns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .contract import UNKNOWN
from .identity import World, or_unknown
from .sessions import build_calls, build_sessions
from .stages import build_stage_entries, deal_history
from .variables import seconds_between

Fact = dict[str, Any]
TOUCHES = ("email", "message", "social", "proposal")


@dataclass(frozen=True)
class Facts:
    """All facts."""

    sessions: list[Fact]
    calls: list[Fact]
    leads: list[Fact]
    deals: list[Fact]
    stage_entries: list[Fact]
    meetings: list[Fact]
    payments: list[Fact]
    activities: list[Fact]

    def by_name(self) -> dict[str, list[Fact]]:
        """The facts under their public names."""
        return {
            "fct_call_sessions": self.sessions,
            **{f"fct_{name}": rows for name, rows in vars(self).items() if name != "sessions"},
        }


def build_facts(world: World) -> Facts:
    """Every fact of a raw zone."""
    sessions = build_sessions(world)
    activities = build_activities(world)
    deals = build_deals(world)
    return Facts(
        sessions=sessions,
        calls=build_calls(world, sessions),
        leads=build_leads(world, sessions, activities),
        deals=deals,
        stage_entries=build_stage_entries(world, deals),
        meetings=build_meetings(world),
        payments=build_payments(world),
        activities=activities,
    )


def is_outgoing(activity: Fact) -> bool:
    """Direction `out` or NULL."""
    return activity["direction"] in ("out", None)


def build_activities(world: World) -> list[Fact]:
    """fct_activities."""
    facts = []
    for key, row in world.rows["crm.activities"].items():
        own_lead = world.find("crm.leads", row["lead_id"])
        deal = world.find("crm.deals", row["deal_id"])
        contact = world.event_contact(row, deal, own_lead)
        lead = own_lead or world.deal_lead(deal)
        lead = lead or world.lead_of_contact(contact, row["happened_at"])
        facts.append(
            {
                "activity_id": key,
                "kind": row["kind"],
                "direction": row["direction"],
                "manager_id": world.manager(row["manager_id"]),
                "contact_id": or_unknown(contact),
                "lead_id": lead,
                "deal_id": deal,
                "source_id": world.event_source(lead, deal, contact),
                "happened_at": row["happened_at"],
            }
        )
    return facts


def build_leads(world: World, sessions: list[Fact], activities: list[Fact]) -> list[Fact]:
    """fct_leads."""
    responses = _responses(sessions, activities)
    facts = []
    for key, row in world.rows["crm.leads"].items():
        created_at = row["created_at"]
        since = created_at - timedelta(seconds=world.variables.lead_match_tolerance_seconds)
        response = min((at for at in responses[key] if at >= since), default=None)
        working = world.clock.working_seconds(created_at, response) if response else None
        facts.append(
            {
                "lead_id": key,
                "contact_id": or_unknown(world.lead_contacts[key]),
                "manager_id": world.manager(row["manager_id"]),
                "source_id": or_unknown(world.lead_source(key)),
                "created_at": created_at,
                "taken_at": row["taken_at"],
                "qualified_at": row["qualified_at"],
                "is_target": row["is_target"],
                "first_response_at": response,
                "response_seconds": seconds_between(created_at, response),
                "response_working_seconds": working,
            }
        )
    return facts


def _responses(sessions: list[Fact], activities: list[Fact]) -> dict[str, list[datetime]]:
    """When each lead was answered; the time of a session is its start, also of an inbound one."""
    found: dict[str, list[datetime]] = defaultdict(list)
    for session in sessions:
        if session["direction"] == "out" or session["is_answered"]:
            found[session["lead_id"]].append(session["started_at"])
    for activity in activities:
        if activity["kind"] in TOUCHES and is_outgoing(activity):
            found[activity["lead_id"]].append(activity["happened_at"])
    return found


def build_deals(world: World) -> list[Fact]:
    """fct_deals."""
    entered = _last_entries(world)
    paid = _first_payments(world)
    return [_deal(world, key, entered, paid) for key in world.rows["crm.deals"]]


def _deal(
    world: World, key: str, entered: dict[tuple[str, str], datetime], paid: dict[str, datetime]
) -> Fact:
    row = world.rows["crm.deals"][key]
    stage, lead = world.stage(row["stage_id"]), world.deal_lead(key)
    kind = world.stage_kind(stage)
    outcome = kind if kind in ("won", "lost") else "open"
    closed_at = None
    if outcome != "open":
        closed_at = row["closed_at"] or entered.get((key, stage))
        closed_at = closed_at or row["updated_at"] or row["created_at"]
    priced_on = world.clock.day(closed_at or row["created_at"])
    return {
        "deal_id": key,
        "lead_id": lead,
        "contact_id": or_unknown(world.deal_contact(key)),
        "manager_id": world.manager(row["manager_id"]),
        "source_id": or_unknown(world.deal_source(key)),
        "stage_id": stage,
        "pipeline_id": _deal_pipeline(world, stage, row["pipeline_id"]),
        "deal_type": row["deal_type"],
        "lost_reason": row["lost_reason"],
        "created_at": row["created_at"],
        "outcome": outcome,
        "closed_at": closed_at,
        "cycle_days": _cycle_days(world, key, lead, closed_at) if outcome == "won" else None,
        "amount": world.base_amount(row["amount"], row["currency"], priced_on),
        "first_paid_at": paid.get(key),
    }


def _deal_pipeline(world: World, stage: str, raw: str) -> str:
    if stage != UNKNOWN:
        return world.stage_pipeline(stage)
    return or_unknown(world.find("crm.pipelines", raw))


def _cycle_days(world: World, deal: str, lead: str | None, closed_at: datetime | None) -> Any:
    started = world.rows["crm.leads"][lead] if lead else world.rows["crm.deals"][deal]
    assert closed_at is not None
    return (closed_at - started["created_at"]) / timedelta(days=1)


def _last_entries(world: World) -> dict[tuple[str, str], datetime]:
    """The latest history row into each stage of a deal, a repeated entry too."""
    found: dict[tuple[str, str], datetime] = {}
    for deal, rows in deal_history(world).items():
        for row in rows:
            found[deal, world.stage(row["stage_id"])] = row["entered_at"]
    return found


def _first_payments(world: World) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for row in world.rows["crm.payments"].values():
        deal = world.find("crm.deals", row["deal_id"])
        if deal is not None and row["kind"] == "payment":
            found[deal] = min(found.get(deal, row["paid_at"]), row["paid_at"])
    return found


def build_meetings(world: World) -> list[Fact]:
    """fct_meetings."""
    deal_of_lead = _first_deals(world)
    facts = []
    for key, row in world.rows["crm.meetings"].items():
        lead = world.find("crm.leads", row["lead_id"])
        deal = world.find("crm.deals", row["deal_id"]) or deal_of_lead.get(lead)
        contact = world.event_contact(row, deal, lead)
        facts.append(
            {
                "meeting_id": key,
                "lead_id": lead,
                "deal_id": deal,
                "contact_id": or_unknown(contact),
                "set_by": world.manager(row["set_by"]),
                "held_by": world.manager(row["held_by"]),
                "source_id": world.event_source(lead, deal, contact),
                "kind": row["kind"] or "meeting",
                "set_at": row["set_at"],
                "confirmed_at": row["confirmed_at"],
                "held_at": row["held_at"],
                "status": _status(row),
            }
        )
    return facts


def _first_deals(world: World) -> dict[str | None, str]:
    """The deal of each lead with the least (created_at, deal_id)."""
    deals = [(row["created_at"], key) for key, row in world.rows["crm.deals"].items()]
    newest_first = sorted(deals, reverse=True)
    found = {world.deal_lead(key): key for _, key in newest_first}
    found.pop(None, None)
    return found


def _status(meeting: Fact) -> str:
    for status in ("held", "cancelled", "confirmed"):
        if meeting[f"{status}_at"] is not None:
            return status
    return "set"


def build_payments(world: World) -> list[Fact]:
    """fct_payments."""
    facts = []
    for key, row in world.rows["crm.payments"].items():
        deal = world.find("crm.deals", row["deal_id"])
        contact = world.event_contact(row, deal, None)
        paid_on = world.clock.day(row["paid_at"])
        amount = world.base_amount(row["amount"], row["currency"], paid_on)
        if amount is not None and row["kind"] == "refund":
            amount = -amount
        facts.append(
            {
                "payment_id": key,
                "deal_id": deal,
                "contact_id": or_unknown(contact),
                "manager_id": deal_owner(world, deal),
                "source_id": world.event_source(None, deal, contact),
                "paid_at": row["paid_at"],
                "paid_after": row["paid_after"],
                "paid_at_quality": row["paid_at_quality"],
                "kind": row["kind"],
                "amount": amount,
                "is_first_of_contact": False,
            }
        )
    _mark_first_payments(facts)
    return facts


def deal_owner(world: World, deal: str | None) -> str:
    """The owner of a deal, or the unknown member."""
    return world.manager(world.rows["crm.deals"][deal]["manager_id"]) if deal else UNKNOWN


def _mark_first_payments(payments: list[Fact]) -> None:
    seen = {UNKNOWN}
    for payment in sorted(payments, key=lambda row: (row["paid_at"], row["payment_id"])):
        if payment["kind"] == "payment":
            payment["is_first_of_contact"] = payment["contact_id"] not in seen
            seen.add(payment["contact_id"])
