"""Exports of events: meetings, touches, payments, surveys, calls."""

from __future__ import annotations

from collections.abc import Iterable

from seeds.demo import company
from seeds.demo.batch import Batch, Department, Export, is_new, last, seen
from seeds.demo.sales import Meeting


def events(department: Department, export: Export, since: int) -> Iterable[Batch]:
    """Yield meetings as they stand, and touches, payments and surveys since the last export."""
    # Their payments name the order alone: one says nothing of the next.
    dealers = company.DEALER_SOURCE
    yield Batch(
        "crm.meetings",
        export,
        {
            "meeting_id": "meeting",
            "lead_id": "lead",
            "deal_id": "deal",
            "contact_id": "contact",
            "set_by": "manager",
            "held_by": "manager",
            "set_at": "time",
            "scheduled_for": "time",
            "confirmed_at": "time",
            "held_at": "time",
            "cancelled_at": "time",
            "kind": "text",
            "updated_at": "time",
        },
        [row for m in department.sales.meetings if (row := _meeting(m, export, since))],
    )
    yield Batch(
        "crm.activities",
        export,
        {
            "activity_id": "activity",
            "kind": "text",
            "direction": "text",
            "manager_id": "manager",
            "contact_id": "contact",
            "lead_id": "lead",
            "deal_id": "deal",
            "happened_at": "time_naive",
        },
        [
            (
                a.key,
                a.kind,
                a.direction,
                a.manager,
                a.contact.key if a.contact else None,
                a.lead.key if a.lead else None,
                a.deal.key if a.deal else None,
                a.at,
            )
            for a in department.touches.activities
            if is_new(a.at, export, since)
        ],
    )
    yield Batch(
        "crm.payments",
        export,
        {
            "payment_id": "payment",
            "deal_id": "deal",
            "contact_id": "contact",
            "paid_at": "time_z",
            "amount": "cents",
            "currency": "text",
            "kind": "text",
        },
        [
            (
                p.key,
                p.deal.key,
                p.deal.contact.key if p.key % 3 == 0 and p.deal.source != dealers else None,
                p.paid,
                p.amount,
                p.deal.currency,
                p.kind,
            )
            for p in department.sales.payments
            if is_new(p.paid, export, since)
        ],
    )
    yield Batch(
        "crm.surveys",
        export,
        {
            "survey_id": "survey",
            "contact_id": "contact",
            "deal_id": "deal",
            "manager_id": "manager",
            "score": "int_text",
            "answered_at": "time_offset",
        },
        [
            (
                s.key,
                s.deal.contact.key,
                s.deal.key,
                s.deal.owner if s.names_manager else None,
                s.score,
                s.at,
            )
            for s in department.touches.surveys
            if is_new(s.at, export, since)
        ],
    )


def _meeting(meeting: Meeting, export: Export, since: int) -> tuple[object, ...] | None:
    if meeting.set_at > export.at:
        return None
    changed = last((meeting.set_at, meeting.confirmed, meeting.held, meeting.cancelled), export)
    if not is_new(changed, export, since):
        return None
    slot = [s for s in meeting.slots if s[0] <= export.at][-1][1]
    holder = [h for h in meeting.holders if h[0] <= export.at][-1][1]
    return (
        meeting.key,
        meeting.lead.key,
        meeting.deal.key if meeting.names_deal else None,
        meeting.lead.contact.key if meeting.key % 4 else None,
        meeting.set_by,
        holder,
        meeting.set_at,
        slot,
        seen(meeting.confirmed, export),
        seen(meeting.held, export),
        seen(meeting.cancelled, export),
        None if meeting.kind == "meeting" and meeting.key % 7 == 0 else meeting.kind,
        changed,
    )


def telephony(department: Department, export: Export, since: int) -> Iterable[Batch]:
    """Yield call legs and evaluations since the last export."""
    spelling = _spelling(export.number)
    yield Batch(
        "telephony.calls",
        export,
        {
            "call_id": "call",
            "linked_id": "call",
            "direction": "text",
            "from_number": "number_in",
            "to_number": "number_out",
            "extension": "extension",
            "started_at": "time",
            "answered_at": "time",
            "ended_at": "time",
            "disposition": "text",
            "talk_seconds": "int",
            "line": "text",
            "recording_url": "recording",
        },
        [
            (
                leg.key,
                leg.first_key,
                spelling[leg.direction],
                leg.from_number,
                leg.to_number,
                leg.extension,
                leg.started,
                leg.answered,
                leg.ended,
                spelling.get(leg.disposition, leg.disposition),
                leg.talk if leg.answered or leg.key % 3 else None,
                company.LINES[leg.line],
                leg.key if leg.talk > 90 and leg.key % 6 == 0 else None,
            )
            for leg in department.calls.legs
            if is_new(leg.started, export, since)
        ],
    )
    yield Batch(
        "telephony.call_evaluations",
        export,
        {
            "call_id": "call",
            "evaluated_at": "time",
            "evaluator": "text",
            "score": "float",
            "needs_found": "bool",
            "presentation_made": "bool",
            "objections_handled": "bool",
            "next_step_agreed": "bool",
        },
        [
            (
                e.leg.key,
                e.at,
                e.evaluator,
                e.score,
                e.needs_found,
                e.presentation_made,
                e.objections_handled,
                e.next_step_agreed,
            )
            for e in department.calls.evaluations
            if is_new(e.at, export, since)
        ],
    )


def _spelling(number: int) -> dict[str, str]:
    """How the exchange's software of that time spelt its codes."""
    if number % 2:
        return {
            "in": "Incoming",
            "out": "outgoing",
            "internal": "Internal",
            "no_answer": "NO ANSWER",
            "answered": "ANSWERED",
            "busy": "BUSY",
        }
    return {"in": "in", "out": "out", "internal": "internal"}
