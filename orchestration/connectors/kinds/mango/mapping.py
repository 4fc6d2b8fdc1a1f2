"""Mango Office's calls as rows of the contract: one for each ring of an employee."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.connectors.connector import Row
from orchestration.connectors.hosted import (
    ANSWERED,
    BUSY,
    FAILED,
    NO_ANSWER,
    is_outside,
    text,
    unix_text,
)  # fmt: skip
from orchestration.connectors.kinds.mango.api import FIELDS, VENDOR, Json

if TYPE_CHECKING:
    from orchestration.connectors.kinds.mango.connector import Mango

_WAYS = {1: "in", 2: "out", 3: "internal"}
_BUSY = frozenset({1121, 1122, 1123})
_HASH = 12


class Mapper:
    """The rules of one connection. `lines_of` are employees' outgoing lines by their id."""

    def __init__(self, of: Mango, lines_of: Mapping[str, str]) -> None:
        self._of = of
        self._lines_of = lines_of
        self._ways = {**_WAYS, **of.connection.context_type_map}

    def way(self, call: Json) -> str | None:
        """The conversation's direction; what is not known as it came."""
        found = text(call.get("context_type"))
        number = int(found) if found and found.isdigit() else 0
        return self._ways.get(number) or found

    def rows(self, call: Json) -> list[Row]:
        """The legs of one call; a call without legs is one row."""
        way = self.way(call)
        legs = list(_leaves(call.get("context_calls") or []))
        if not legs:
            return [self._without_legs(call, way)]
        whose = [self._employee(call, leg, way) for _, leg in legs]
        reached = any(
            who is not None and _is_answered(leg) for who, (_, leg) in zip(whose, legs, strict=True)
        )
        return [
            self._leg(call, way, path, leg, who, reached)
            for who, (path, leg) in zip(whose, legs, strict=True)
        ]

    def _employee(self, call: Json, leg: Json, way: str | None) -> str | None:
        abonent = text(leg.get("call_abonent_id")) if leg.get("call_type") == "user" else None
        if way == "in":
            return abonent
        caller = text(call.get("caller_id"))
        if way == "out" and abonent is not None:
            # The customer was passed on to a colleague; the caller's own telephone is no ring.
            return abonent if abonent != caller else None
        return caller if abonent is None or abonent != caller else None

    def _leg(
        self, call: Json, way: str | None, path: str, leg: Json, who: str | None, reached: bool
    ) -> Row:
        whole = call.get("entry_id")
        own = leg.get("external_call_id") or (whole and f"{whole}#{path}")
        row = self._base(call, own, way, who)
        row["started_at"] = unix_text(leg.get("call_start_time"))
        row["answered_at"] = unix_text(leg.get("call_answer_time"))
        row["ended_at"] = unix_text(leg.get("call_end_time"))
        row["disposition"] = (
            _ended(_is_answered(leg), leg.get("call_end_reason"))
            if who is not None
            else self._of.without_employee(_is_answered(leg), reached, False)
        )
        row["talk_seconds"] = self._of.talk(row, leg.get("talk_duration"))
        recordings = leg.get("recording_id") or []
        row["recording_url"] = _recording(
            recordings if isinstance(recordings, list) else [recordings]
        )
        return row

    def _without_legs(self, call: Json, way: str | None) -> Row:
        who = text(call.get("caller_id")) if way in ("out", "internal") else None
        row = self._base(call, call.get("entry_id"), way, who)
        begin, length = call.get("context_start_time"), text(call.get("duration"))
        row["started_at"] = unix_text(begin)
        is_known = _seconds(begin) > 0 and length is not None and length.isdigit()
        row["ended_at"] = unix_text(_seconds(begin) + _seconds(length)) if is_known else None
        picked_up = text(call.get("context_status")) == "1" and who is None
        row["disposition"] = self._of.without_employee(picked_up, False, False)
        row["talk_seconds"] = self._of.talk(row, call.get("talk_duration"))
        return row

    def _base(self, call: Json, own: Any, way: str | None, who: str | None) -> Row:
        line = call.get("called_number") if way == "in" else None
        if way == "out":
            line = self._lines_of.get(str(call.get("caller_id")))
        return {
            "call_id": self._of.key(own),
            "linked_id": self._of.key(call.get("entry_id")),
            "direction": way,
            "from_number": text(call.get("caller_number")),
            "to_number": text(call.get("called_number")),
            "extension": self._of.extension(who),
            "line": text(line),
        }


class BasicMapper:
    """The same for lines of the basic statistics, whose employees are their extensions."""

    def __init__(self, of: Mango, lines: Collection[str]) -> None:
        self._of = of
        self._lines = lines

    def rows(self, lines: Sequence[str]) -> tuple[list[Row], list[str]]:
        """Rows, and lines that cannot be split into the fields that were asked for."""
        legs, rejected = [], []
        for line in lines:
            fields = line.split(";")
            if len(fields) == len(FIELDS):
                legs.append((line, dict(zip(FIELDS, fields, strict=True))))
            else:
                rejected.append(line)
        reached = {leg["entry_id"] for _, leg in legs if self._who(leg) and _seconds(leg["answer"])}
        return [self._row(line, leg, leg["entry_id"] in reached) for line, leg in legs], rejected

    def _way(self, leg: Mapping[str, str]) -> str:
        caller, called = leg["from_extension"], leg["to_extension"]
        if caller and called:
            return "internal"
        if called or (not caller and leg["to_number"] in self._lines):
            return "in"
        return "out"

    def _who(self, leg: Mapping[str, str]) -> str | None:
        return leg["to_extension" if self._way(leg) == "in" else "from_extension"] or None

    def _row(self, line: str, leg: Mapping[str, str], reached: bool) -> Row:
        way, who = self._way(leg), self._who(leg)
        mark = hashlib.sha256(line.encode()).hexdigest()[:_HASH]
        answered = _seconds(leg["answer"]) > 0
        row: Row = {
            "call_id": self._of.key(f"{leg['entry_id']}-{mark}"),
            "linked_id": self._of.key(leg["entry_id"]),
            "direction": way,
            "from_number": text(leg["from_extension"] or leg["from_number"]),
            # An employee's own address says nothing of the number that the customer dialled.
            "to_number": text(
                (leg["line_number"] or leg["to_number"]) if way == "in"
                else leg["to_extension"] or leg["to_number"]
            ),
            "extension": self._of.extension(who),
            "started_at": unix_text(leg["start"]),
            "answered_at": unix_text(leg["answer"]),
            "ended_at": unix_text(leg["finish"]),
            "disposition": (
                _ended(answered, leg["disconnect_reason"])
                if who is not None
                else self._of.without_employee(answered, reached, False)
            ),
            "line": text(leg["line_number"]) if way != "internal" else None,
            "recording_url": _recording(
                [it for it in leg["records"].strip("[]").split(",") if it.strip()]
            ),
        }  # fmt: skip
        talk = _seconds(leg["finish"]) - _seconds(leg["answer"]) if answered else 0
        row["talk_seconds"] = self._of.talk(row, max(0, talk))
        return row


def is_going_on(call: Json) -> bool:
    """Whether a leg has not ended yet."""
    legs = _leaves(call.get("context_calls") or [])
    return any(_seconds(leg.get("call_end_time")) == 0 for _, leg in legs)


def has_outsider(call: Json) -> bool:
    """Whether one of the two parties is a number of the outside world."""
    return is_outside(call.get("caller_number")) or is_outside(call.get("called_number"))


def _leaves(legs: Sequence[Json], above: str = "") -> Iterator[tuple[str, Json]]:
    """The legs with their paths; the members of a group stand for it, and it would double them."""
    for place, leg in enumerate(legs):
        path = f"{above}{place}"
        members = leg.get("members")
        if members:
            yield from _leaves(members, f"{path}.")
        else:
            yield path, leg


def _is_answered(leg: Json) -> bool:
    return _seconds(leg.get("call_answer_time")) > 0


def _seconds(value: Any) -> int:
    return int(value) if str(value or "").isdigit() else 0


def _ended(is_answered: bool, reason: Any) -> str:
    if is_answered:
        return ANSWERED
    code = _seconds(reason)
    if code in _BUSY:
        return BUSY
    if code // 10 in (113, 115) or code == 1140 or code // 1000 in (2, 5):
        return FAILED
    return NO_ANSWER


def _recording(ids: Sequence[Any]) -> str | None:
    """For who is logged in at the vendor's; signed links expire, and a proxy opens none."""
    return f"{VENDOR}/queries/recording/issa/{str(ids[0]).strip()}/play" if ids else None
