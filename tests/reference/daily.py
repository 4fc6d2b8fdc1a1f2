"""kpi_daily and the daily figures of sources and finance that other marts add to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from .contract import UNKNOWN
from .facts import Fact, Facts, deal_owner, is_outgoing
from .identity import World, or_unknown
from .sessions import leg_manager

Mart = list[dict[str, Any]]
_COUNTS = [
    "calls",
    "calls_inbound",
    "calls_outbound",
    "calls_answered",
    "calls_60s",
    "talk_seconds",
    "calls_missed",
    "first_calls",
    "followup_calls",
    "leads_created",
    "leads_taken",
    "leads_target",
    "leads_non_target",
    "emails_sent",
    "messages_sent",
    "social_touches",
    "proposals_sent",
    "presentations",
    "meetings_set",
    "meetings_confirmed",
    "set_meetings_held",
    "set_meetings_paid",
    "meetings_held",
    "demos_held",
    "visits_held",
    "deals_created",
    "deals_won",
    "deals_lost",
    "upsells_won",
    "new_customers",
    "surveys",
    "surveys_positive",
    "survey_score",
    "evaluated_calls",
    "needs_found",
    "presentations_made",
    "objections_handled",
    "next_steps_agreed",
]
_MONEY = ["won_amount", "revenue", "refunds", "revenue_new", "revenue_repeat"]
ZEROS: dict[str, Any] = {
    **dict.fromkeys(_COUNTS, 0),
    **dict.fromkeys(_MONEY, Decimal(0)),
    "evaluation_score": Decimal(0),
    "cycle_days_won": 0.0,
}
MEASURES = tuple(ZEROS)
_ACTIVITY_COLUMNS = {
    "email": "emails_sent",
    "message": "messages_sent",
    "social": "social_touches",
    "proposal": "proposals_sent",
}


class Ledger:
    """Sums by date, manager and source."""

    def __init__(self) -> None:
        """Starts empty."""
        self.sums: dict[tuple[date, str, str], dict[str, Any]] = defaultdict(lambda: dict(ZEROS))

    def add(self, key: tuple[date, str, str], column: str, amount: Any = 1) -> None:
        """Adds to one column; NULL adds nothing."""
        if amount is not None:
            self.sums[key][column] += amount

    def rows(self) -> Mart:
        """Rows with a measure that is not 0."""
        return [
            {"date_day": day, "manager_id": manager, "source_id": source, **sums}
            for (day, manager, source), sums in sorted(self.sums.items())
            if any(sums.values())
        ]


def build_daily(world: World, facts: Facts) -> Mart:
    """kpi_daily."""
    ledger = Ledger()
    for add in (_calls, _leads, _activities, _meetings, _paid_meetings):
        add(world, facts, ledger)
    for add in (_deals, _payments, _surveys, _evaluations):
        add(world, facts, ledger)
    return ledger.rows()


def _calls(world: World, facts: Facts, ledger: Ledger) -> None:
    sessions = {session["session_id"]: session for session in facts.sessions}
    for call in facts.calls:
        session = sessions[call["session_id"]]
        key = (world.clock.day(session["started_at"]), call["manager_id"], call["source_id"])
        inbound = call["direction"] == "in"
        ledger.add(key, "calls")
        ledger.add(key, "calls_inbound" if inbound else "calls_outbound")
        if call["is_answered"]:
            ledger.add(key, "calls_answered")
            ledger.add(key, "talk_seconds", call["talk_seconds"])
        elif inbound:
            ledger.add(key, "calls_missed")
        if call["is_meaningful"]:
            ledger.add(key, "calls_60s")
        if call["contact_id"] != UNKNOWN:
            ledger.add(key, "first_calls" if session["is_first_contact"] else "followup_calls")


def _leads(world: World, facts: Facts, ledger: Ledger) -> None:
    day = world.clock.day
    for lead in facts.leads:
        who = lead["manager_id"], lead["source_id"]
        ledger.add((day(lead["created_at"]), *who), "leads_created")
        if lead["taken_at"]:
            ledger.add((day(lead["taken_at"]), *who), "leads_taken")
        if lead["is_target"] is not None:
            column = "leads_target" if lead["is_target"] else "leads_non_target"
            ledger.add((day(lead["qualified_at"] or lead["created_at"]), *who), column)


def _activities(world: World, facts: Facts, ledger: Ledger) -> None:
    for activity in facts.activities:
        on = world.clock.day(activity["happened_at"])
        key = (on, activity["manager_id"], activity["source_id"])
        if activity["kind"] == "presentation":
            ledger.add(key, "presentations")
        elif activity["kind"] in _ACTIVITY_COLUMNS and is_outgoing(activity):
            ledger.add(key, _ACTIVITY_COLUMNS[activity["kind"]])


def _meetings(world: World, facts: Facts, ledger: Ledger) -> None:
    day = world.clock.day
    for meeting in facts.meetings:
        set_by, source = meeting["set_by"], meeting["source_id"]
        ledger.add((day(meeting["set_at"]), set_by, source), "meetings_set")
        if meeting["confirmed_at"]:
            ledger.add((day(meeting["confirmed_at"]), set_by, source), "meetings_confirmed")
        if meeting["held_at"]:
            held_on = day(meeting["held_at"])
            ledger.add((held_on, set_by, source), "set_meetings_held")
            held = (held_on, meeting["held_by"], source)
            ledger.add(held, "meetings_held")
            if meeting["kind"] in ("demo", "visit"):
                ledger.add(held, f"{meeting['kind']}s_held")


def _paid_meetings(world: World, facts: Facts, ledger: Ledger) -> None:
    for deal in facts.deals:
        meeting = _last_held(deal, facts.meetings)
        if meeting:
            on = world.clock.day(deal["first_paid_at"])
            ledger.add((on, meeting["set_by"], meeting["source_id"]), "set_meetings_paid")


def _last_held(deal: Fact, meetings: list[Fact]) -> Fact | None:
    """The latest meeting of a deal held by its first payment; of several the smallest key."""
    if deal["first_paid_at"] is None:
        return None
    held = [
        meeting
        for meeting in meetings
        if meeting["deal_id"] == deal["deal_id"]
        and meeting["held_at"]
        and meeting["held_at"] <= deal["first_paid_at"]
    ]
    held.sort(key=lambda meeting: meeting["meeting_id"])
    return max(held, key=lambda meeting: meeting["held_at"], default=None)


def _deals(world: World, facts: Facts, ledger: Ledger) -> None:
    for deal in facts.deals:
        who = deal["manager_id"], deal["source_id"]
        ledger.add((world.clock.day(deal["created_at"]), *who), "deals_created")
        if deal["outcome"] == "open":
            continue
        closed = (world.clock.day(deal["closed_at"]), *who)
        ledger.add(closed, f"deals_{deal['outcome']}")
        if deal["outcome"] == "won":
            ledger.add(closed, "upsells_won", int(deal["deal_type"] == "upsell"))
            ledger.add(closed, "won_amount", deal["amount"])
            ledger.add(closed, "cycle_days_won", deal["cycle_days"])


def _payments(world: World, facts: Facts, ledger: Ledger) -> None:
    types = {deal["deal_id"]: deal["deal_type"] for deal in facts.deals}
    for payment in facts.payments:
        on = world.clock.day(payment["paid_at"])
        key = (on, payment["manager_id"], payment["source_id"])
        repeat = types.get(payment["deal_id"]) in ("repeat", "upsell")
        ledger.add(key, "revenue", payment["amount"])
        ledger.add(key, "revenue_repeat" if repeat else "revenue_new", payment["amount"])
        if payment["kind"] == "refund" and payment["amount"] is not None:
            ledger.add(key, "refunds", -payment["amount"])
        ledger.add(key, "new_customers", int(payment["is_first_of_contact"]))


def _surveys(world: World, facts: Facts, ledger: Ledger) -> None:
    for row in world.rows["crm.surveys"].values():
        deal = world.find("crm.deals", row["deal_id"])
        contact = world.event_contact(row, deal, None)
        manager = world.find("crm.managers", row["manager_id"]) or deal_owner(world, deal)
        source = world.event_source(None, deal, contact)
        key = (world.clock.day(row["answered_at"]), manager, source)
        ledger.add(key, "surveys")
        ledger.add(key, "surveys_positive", int(row["score"] >= 4))
        ledger.add(key, "survey_score", row["score"])


_FLAGS = {
    "needs_found": "needs_found",
    "presentation_made": "presentations_made",
    "objections_handled": "objections_handled",
    "next_step_agreed": "next_steps_agreed",
}


def _evaluations(world: World, facts: Facts, ledger: Ledger) -> None:
    sessions = {session["session_id"]: session for session in facts.sessions}
    for key, row in world.rows["telephony.call_evaluations"].items():
        leg = world.rows["telephony.calls"].get(key)
        where = (world.clock.day(row["evaluated_at"]), UNKNOWN, UNKNOWN)
        if leg and leg["direction"] != "internal":
            session = sessions[leg["linked_id"] or leg["call_id"]]
            on = world.clock.day(session["started_at"])
            where = (on, leg_manager(world, leg), session["source_id"])
        ledger.add(where, "evaluated_calls")
        ledger.add(where, "evaluation_score", row["score"])
        for flag, column in _FLAGS.items():
            ledger.add(where, column, int(row[flag] is True))


def ad_spend_rows(world: World) -> Mart:
    """Advertising by date and source in base currency; a cost without a rate is None."""
    return [
        {
            "date_day": row["spend_date"],
            "source_id": or_unknown(world.find("crm.sources", row["source_id"])),
            "ad_spend": world.base_amount(row["cost"], row["currency"], row["spend_date"]),
            "impressions": row["impressions"],
            "clicks": row["clicks"],
        }
        for row in world.rows["marketing.ad_spend"].values()
    ]


def sales_cost_rows(world: World) -> Mart:
    """Sales costs by the first day of their month; a cost without a rate is None."""
    return [
        {
            "date_day": row["month"],
            "sales_cost": world.base_amount(row["cost"], row["currency"], row["month"]),
        }
        for row in world.rows["finance.sales_costs"].values()
    ]


def sums_by(
    rows: Mart, key: Callable[[dict[str, Any]], Any], zeros: dict[str, Any]
) -> dict[Any, dict[str, Any]]:
    """The columns of `zeros` summed by a key; NULL adds nothing."""
    found: dict[Any, dict[str, Any]] = defaultdict(lambda: dict(zeros))
    for row in rows:
        sums = found[key(row)]
        for column in zeros:
            sums[column] += row[column] or 0
    return dict(found)
