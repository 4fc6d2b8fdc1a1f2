"""Meetings, mails, messages, tasks, quotes and answers to surveys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.rules import reference, text
from orchestration.connectors.crm.vanished import bare
from orchestration.connectors.kinds.hubspot import mapping
from orchestration.connectors.kinds.hubspot.api import Json
from orchestration.connectors.kinds.hubspot.connector import Chunk
from orchestration.connectors.kinds.hubspot.mapping import (
    COMMUNICATIONS,
    DEALS,
    EMAILS,
    FEEDBACK,
    MEETINGS,
    QUOTES,
    TASKS,
    TOUCHES,
    Kind,
)
from orchestration.connectors.loading import text_of

if TYPE_CHECKING:
    from orchestration.connectors.kinds.hubspot.connector import Hubspot

KINDS = (MEETINGS, EMAILS, COMMUNICATIONS, TASKS, QUOTES, FEEDBACK)
# The contract's table of a kind, and its key.
TABLES = {
    MEETINGS.name: ("crm.meetings", "meeting_id"),
    FEEDBACK.name: ("crm.surveys", "survey_id"),
    **dict.fromkeys(TOUCHES, ("crm.activities", "activity_id")),
}
_DIRECTIONS = {"EMAIL": "out", "FORWARDED_EMAIL": "out", "INCOMING_EMAIL": "in"}
_OPEN_OUTCOMES = ("", "SCHEDULED", "RESCHEDULED")
_NOT_HELD = ("CANCELED", "CANCELLED", "NO_SHOW")
_LIVING = "is_deleted is distinct from 'true'"


class Touches:
    """One run's reading of what happened around deals."""

    def __init__(self, hubspot: Hubspot) -> None:
        self._hubspot = hubspot
        self._keys = hubspot.connection
        self._work = hubspot.work
        self._own = hubspot.work.own

    def read(self) -> Iterator[Window]:
        """All of them."""
        for number, kind in enumerate(self.kinds):
            for chunk in self._hubspot.chunks(kind):
                rows = self._rows(kind, chunk)
                yield Window(kind.name, rows, chunk.state, 0.72 + number * 0.03, chunk.since)

    @property
    def kinds(self) -> Sequence[Kind]:
        """Those that are read; meetings only where the keys want HubSpot's own."""
        with_meetings = "objects" in self._hubspot.meetings_from
        return KINDS if with_meetings else KINDS[1:]

    def again(self, kind: Kind, ids: Sequence[str]) -> Iterator[Window]:
        """Those that are read again by their ids."""
        for chunk in self._hubspot.by_ids(kind, ids):
            yield Window(f"{kind.name} by id", self._rows(kind, chunk), known_since=ALWAYS)

    def _rows(self, kind: Kind, chunk: Chunk) -> dict[str, list[Row]]:
        table, key = TABLES[kind.name]
        rows: list[Row] = []
        others: dict[str | None, tuple[str | None, datetime]] = {}
        for item, stamp in chunk.items:
            row = self._row(kind, chunk, item)
            updated_at = mapping.updated(item, kind)
            if row is None:
                others[self._id(kind, item)] = (updated_at, stamp)
                continue
            row |= {key: self._id(kind, item), "updated_at": updated_at, "_loaded_at": stamp}
            rows.append(row)
        # What is none any more: a task that was reopened, a quote that was taken back.
        for (row_id,) in self._own.select(
            table, [key], _LIVING, {key: [it for it in others if it]}
        ):
            updated_at, stamp = others[row_id]
            grave = bare(key, row_id, mapping.moment(updated_at))
            rows.append({**grave, "_loaded_at": stamp})
        return {table: rows}

    def _id(self, kind: Kind, item: Json) -> str | None:
        return touch_id(self._hubspot, kind, str(item["id"]))

    def _row(self, kind: Kind, chunk: Chunk, item: Json) -> Row | None:
        """The row without its key; None where it is none of the contract's."""
        own = mapping.properties(item)
        about: Row = {
            "contact_id": self._hubspot.id(mapping.chosen(chunk.linked("contacts", item)))
        }
        if kind is FEEDBACK:
            return self._survey(own, about)
        about["deal_id"] = self._hubspot.id(mapping.chosen(chunk.linked("deals", item)))
        if kind is MEETINGS:
            return self._hubspot.rules[DEALS.name].repair_meeting(self._meeting(item, own, about))
        return self._activity(kind, item, own, about)

    def _meeting(self, item: Json, own: Json, about: Row) -> Row:
        start = own.get("hs_meeting_start_time") or own.get("hs_timestamp")
        outcome = str(own.get("hs_meeting_outcome") or "").upper().replace(" ", "_")
        cancelled_at: str | None = None
        if outcome in _NOT_HELD:
            history = mapping.versions(item, "hs_meeting_outcome")
            at = mapping.since(history, text(own.get("hs_meeting_outcome")))
            cancelled_at = text_of(at) if at else mapping.updated(item, MEETINGS)
        elif outcome not in (*_OPEN_OUTCOMES, "COMPLETED"):
            self._work.report.counted[f"meetings of outcome {outcome}, taken as open"] += 1
        by = self._hubspot.users.get(str(own.get("hs_created_by_user_id") or ""))
        owner = reference(own.get("hubspot_owner_id"))
        kinds = (text(own.get("hs_activity_type")), text(own.get("hs_meeting_title")))
        return {
            **about,
            "set_by": self._hubspot.id(by or owner),
            "held_by": self._hubspot.id(owner),
            "set_at": mapping.created(item),
            "scheduled_for": mapping.time_text(start),
            "held_at": mapping.time_text(start) if outcome == "COMPLETED" else None,
            "cancelled_at": cancelled_at,
            "kind": self._hubspot.rules[DEALS.name].meeting_kind(*kinds),
        }

    def _activity(self, kind: Kind, item: Json, own: Json, about: Row) -> Row | None:
        found, direction = self._kind(kind, own)
        if found is None:
            return None
        return {
            **about,
            "kind": found,
            "direction": direction,
            "manager_id": self._hubspot.id(reference(own.get("hubspot_owner_id"))),
            "happened_at": self._happened_at(kind, item, own),
        }

    def _kind(self, kind: Kind, own: Json) -> tuple[str | None, str | None]:
        """The contract's kind and direction; none of a task or a quote that is not done yet."""
        if kind is EMAILS:
            written = str(own.get("hs_email_direction") or "")
            return self._keys.activity_kinds.get(written, "email"), _DIRECTIONS.get(written)
        if kind is COMMUNICATIONS:
            # HubSpot does not say who wrote to whom.
            channel = str(own.get("hs_communication_channel_type") or "")
            usual = "social" if channel == "LINKEDIN_MESSAGE" else "message"
            return self._keys.activity_kinds.get(channel, usual), None
        if kind is TASKS:
            return ("task" if own.get("hs_task_status") == "COMPLETED" else None), "out"
        is_published = str(own.get("hs_status")) in self._keys.published_quotes
        return ("proposal" if is_published else None), "out"

    def _happened_at(self, kind: Kind, item: Json, own: Json) -> str | None:
        if kind is QUOTES:
            published = self._keys.published_quotes
            first = [it.at for it in mapping.versions(item, "hs_status") if it.value in published]
            return text_of(first[0]) if first else mapping.created(item)
        # A task's own time is when it was due.
        done = own.get("hs_task_completion_date") if kind is TASKS else None
        return mapping.time_text(done or own.get("hs_timestamp")) or mapping.created(item)

    def _survey(self, own: Json, about: Row) -> Row | None:
        score = mapping.score(own)
        if score is None:
            kind = own.get("hs_survey_type") or "no type"
            self._work.report.counted[f"answers to surveys of {kind}, left out"] += 1
            return None
        answered_at = mapping.time_text(own.get("hs_submission_timestamp"))
        return {**about, "score": score, "answered_at": answered_at}


def touch_id(hubspot: Hubspot, kind: Kind, number: str) -> str | None:
    """A row's id: mails, messages, tasks and quotes lie in one table, and count each by itself."""
    begin = f"{TOUCHES[kind.name]}:" if kind.name in TOUCHES else ""
    return hubspot.id(begin + number)
