"""Conversations and employees' parts in them: fct_call_sessions and fct_calls."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from .contract import UNKNOWN
from .identity import World, or_unknown
from .phones import phone_identity
from .reading import Values
from .variables import seconds_between

Fact = dict[str, Any]
# Of 64 bits, which is where an employee's talk in a conversation ends.
_GREATEST = 2**63 - 1


def session_legs(world: World) -> dict[str, list[Values]]:
    """The legs of each session in order, internal ones left out."""
    found: dict[str, list[Values]] = defaultdict(list)
    for call in world.rows["telephony.calls"].values():
        if call["direction"] != "internal":
            found[call["linked_id"] or call["call_id"]].append(call)
    return {key: sorted(legs, key=_leg_order) for key, legs in sorted(found.items())}


def _leg_order(leg: Values) -> tuple[datetime, str]:
    return leg["started_at"], leg["call_id"]


def answered_legs(legs: list[Values]) -> list[Values]:
    """The legs that count as answered: a queue's only where no leg has an extension."""
    has_extension = any(leg["extension"] is not None for leg in legs)
    answered = [leg for leg in legs if leg["disposition"] == "answered"]
    return [leg for leg in answered if leg["extension"] is not None or not has_extension]


def build_sessions(world: World) -> list[Fact]:
    """fct_call_sessions."""
    sessions = [_session(world, key, legs) for key, legs in session_legs(world).items()]
    _mark_first_contacts(sessions)
    for session in sessions:
        session["recovery"], session["recovered_at"] = _recovery(world, session, sessions)
    return sessions


def _session(world: World, key: str, legs: list[Values]) -> Fact:
    first, answered = legs[0], answered_legs(legs)
    number = first["from_number"] if first["direction"] == "in" else first["to_number"]
    customer_number = phone_identity(number)
    started_at = first["started_at"]
    ended_at = max((leg["ended_at"] for leg in legs if leg["ended_at"]), default=None)
    answered_at = min((leg["answered_at"] for leg in answered if leg["answered_at"]), default=None)
    contact = world.contact_of_number(customer_number, started_at)
    lead = world.lead_of_contact(contact, started_at)
    return {
        "session_id": key,
        "direction": first["direction"],
        "customer_number": customer_number,
        "line": first["line"],
        "queue": first["queue"],
        "started_at": started_at,
        "ended_at": ended_at,
        "is_answered": bool(answered),
        "answered_at": answered_at,
        # Answered by a leg without answered_at: nobody knows how long it rang.
        "wait_seconds": seconds_between(started_at, answered_at if answered else ended_at),
        "contact_id": or_unknown(contact),
        "lead_id": lead,
        "source_id": _tracked_source(world, legs) or world.event_source(lead, None, contact),
        "is_first_contact": False,
    }


def _tracked_source(world: World, legs: list[Values]) -> str | None:
    """The source of the first leg that names one that exists."""
    named = (world.find("crm.sources", leg["source_id"]) for leg in legs)
    return next((source for source in named if source), None)


def _mark_first_contacts(sessions: list[Fact]) -> None:
    seen = {UNKNOWN}
    for session in sorted(sessions, key=lambda row: (row["started_at"], row["session_id"])):
        session["is_first_contact"] = session["contact_id"] not in seen
        seen.add(session["contact_id"])


def _recovery(
    world: World, missed: Fact, sessions: list[Fact]
) -> tuple[str | None, datetime | None]:
    """How a missed inbound session ended; a call exactly at the window's end still recovers."""
    if missed["direction"] != "in" or missed["is_answered"]:
        return None, None
    window_end = missed["started_at"] + timedelta(hours=world.variables.recovery_window_hours)
    found = [
        (session["started_at"], session["direction"] == "in")
        for session in sessions
        if session["is_answered"]
        and session["customer_number"] is not None
        and session["customer_number"] == missed["customer_number"]
        and missed["started_at"] < session["started_at"] <= window_end
    ]
    if found:
        recovered_at, by_client = min(found)
        return ("by_client" if by_client else "by_agent"), recovered_at
    assert world.as_of is not None
    return ("lost" if window_end <= world.clock.end_of_day(world.as_of) else "open"), None


def build_calls(world: World, sessions: list[Fact]) -> list[Fact]:
    """fct_calls."""
    legs = session_legs(world)
    return [call for session in sessions for call in _calls(world, session, legs)]


def _calls(world: World, session: Fact, all_legs: dict[str, list[Values]]) -> list[Fact]:
    legs = all_legs[session["session_id"]]
    answered = answered_legs(legs)
    if not answered:
        leg = next((leg for leg in legs if leg["extension"] is not None), legs[0])
        return [_call(world, session, leg, leg_manager(world, leg), 0)]
    parts: dict[str, list[Values]] = defaultdict(list)
    for leg in answered:
        parts[leg_manager(world, leg)].append(leg)
    return [
        _call(world, session, own[0], manager, min(sum(map(_talk_seconds, own)), _GREATEST))
        for manager, own in parts.items()
    ]


def leg_manager(world: World, leg: Values) -> str:
    """The manager of a leg."""
    return world.holder(leg["extension"], leg["started_at"])


def _talk_seconds(leg: Values) -> Any:
    if leg["talk_seconds"] is not None:
        return leg["talk_seconds"]
    return seconds_between(leg["answered_at"], leg["ended_at"]) or 0


def _call(world: World, session: Fact, leg: Values, manager: str, talk_seconds: int) -> Fact:
    answered = session["is_answered"]
    return {
        "session_id": session["session_id"],
        "manager_id": manager,
        "call_id": leg["call_id"],
        "started_at": leg["started_at"],
        "direction": session["direction"],
        "contact_id": session["contact_id"],
        "lead_id": session["lead_id"],
        "source_id": session["source_id"],
        "talk_seconds": talk_seconds,
        "is_answered": answered,
        "is_meaningful": answered and talk_seconds >= world.variables.meaningful_call_seconds,
    }
