"""Mails, messages, tasks, meetings, purchases, and leads that nobody has accepted yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestration.base.durations import DAY
from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.rules import folded, reference, text, unix, unix_text
from orchestration.connectors.crm.vanished import bare, without_leads
from orchestration.connectors.kinds.amocrm.api import Json

if TYPE_CHECKING:
    from orchestration.connectors.kinds.amocrm.connector import Amocrm, Span

_WEEK = 7 * DAY
# Type of event: kind of activity, direction.
_MAIL = {"incoming_mail": ("email", "in"), "outgoing_mail": ("email", "out")}
_SMS = {"incoming_sms": ("message", "in"), "outgoing_sms": ("message", "out")}
_CHAT = {
    "incoming_chat_message": ("message", "in"),
    "outgoing_chat_message": ("message", "out"),
}
TOUCH_EVENTS = {**_MAIL, **_CHAT, **_SMS}
_NOTES = {"sms_in": ("message", "in"), "sms_out": ("message", "out")}
_UNSORTED = "uns:"


class Touches:
    """One run's reading of what happened around leads."""

    def __init__(self, amo: Amocrm) -> None:
        self._amo = amo
        self._keys = amo.connection
        self._work = amo.work
        self._own = amo.work.own

    def read(self) -> Iterator[Window]:
        """All of them."""
        yield from self._events()
        yield from self._notes()
        yield from self._tasks()
        if self._keys.payments_from == "native":
            yield from self._purchases()
        yield from self._unsorted()

    def _events(self) -> Iterator[Window]:
        types = [it for it in TOUCH_EVENTS if it in self._amo.event_types]
        if not types:
            return
        endpoint = "/events touches"
        for span in self._amo.spans(endpoint, DAY, (0.75, 0.85)):
            events = self._amo.api.events(types, span.start, span.end)
            rows = [self._event(it) for it in events]
            yield self._window(endpoint, span, {"crm.activities": rows}, len(events))

    def _event(self, event: Json) -> Row:
        kind, direction = TOUCH_EVENTS[str(event.get("type"))]
        return {
            "activity_id": self._amo.id(text(event.get("id"))),
            "kind": self._keys.activity_kinds.get(str(event.get("type")), kind),
            "direction": direction,
            "manager_id": self._amo.id(reference(event.get("created_by"))),
            "happened_at": unix_text(event.get("created_at")),
            **self._about(event.get("entity_type"), event.get("entity_id")),
        }

    def _notes(self) -> Iterator[Window]:
        """Only for what the account has no type of event for."""
        have = self._amo.event_types
        types = [] if have & _SMS.keys() else list(_NOTES)
        types += [] if have & _MAIL.keys() else ["amomail_message"]
        if not types:
            return
        wanted = {f"filter[note_type][{number}]": it for number, it in enumerate(types)}
        for entity in ("leads", "contacts"):
            endpoint = f"/{entity}/notes"
            for span in self._amo.spans(endpoint, _WEEK, (0.85, 0.87)):

                def asked(span: Span = span, path: str = endpoint) -> list[Json]:
                    return self._amo.api.changed(path, "notes", span.start, span.end, wanted)

                notes = self._amo.optional(asked, endpoint)
                rows = [self._note(it, entity) for it in notes]
                yield self._window(endpoint, span, {"crm.activities": rows}, len(notes))

    def _note(self, note: Json, entity: str) -> Row:
        kind = str(note.get("note_type"))
        is_mail = kind == "amomail_message"
        is_in = bool((note.get("params") or {}).get("income")) if is_mail else kind == "sms_in"
        usual = "email" if is_mail else "message"
        return {
            "activity_id": self._amo.id(f"note:{note.get('id')}"),
            "kind": self._keys.activity_kinds.get(kind, usual),
            "direction": "in" if is_in else "out",
            "manager_id": self._amo.id(reference(note.get("created_by"))),
            "happened_at": unix_text(note.get("created_at")),
            "updated_at": unix_text(note.get("updated_at")),
            **self._about(entity.removesuffix("s"), note.get("entity_id")),
        }

    def _tasks(self) -> Iterator[Window]:
        endpoint = "/tasks"
        for span in self._amo.spans(endpoint, _WEEK, (0.87, 0.92)):
            tasks = self._amo.api.changed(endpoint, "tasks", span.start, span.end, {})
            rows = self._of_tasks(tasks, is_known=span.known_since is not None)
            yield self._window(endpoint, span, rows, len(tasks))

    def again(self, ids: Sequence[str]) -> Iterator[Window]:
        """Tasks that are read again by their ids."""
        for tasks in self._amo.api.by_ids("/tasks", "tasks", ids, {}):
            stamp = self._work.stamps.next()
            rows = self._of_tasks(tasks, is_known=True)
            self._about_deals_alone(rows)
            self._work.report.account("/tasks", len(tasks), len(tasks))
            loaded = {
                table: [{**row, "_loaded_at": stamp} for row in listed]
                for table, listed in rows.items()
            }
            yield Window("tasks by id", loaded, known_since=ALWAYS)

    def _of_tasks(self, tasks: Sequence[Json], is_known: bool) -> dict[str, list[Row]]:
        meetings, activities = [], []
        is_meeting = "objects" in self._amo.meetings_from
        for task in tasks:
            kind = task.get("task_type_id")
            if is_meeting and kind in self._keys.meeting_task_types:
                meetings.append(self._amo.rules.repair_meeting(self._meeting(task)))
            elif task.get("is_completed"):
                activities.append(self._done(task))
        if is_known:
            meetings += self._no_more(tasks, "crm.meetings", "meeting_id", "", meetings)
            activities += self._no_more(tasks, "crm.activities", "activity_id", "task:", activities)
        return {"crm.meetings": meetings, "crm.activities": activities}

    def _no_more(
        self, tasks: Sequence[Json], table: str, key: str, origin: str, rows: Sequence[Row]
    ) -> list[Row]:
        """Tombstones of what these tasks are no more: reopened, or of another type now."""
        kept = {row[key] for row in rows}
        times = {
            self._amo.id(f"{origin}{task.get('id')}"): unix(task.get("updated_at"))
            for task in tasks
        }
        asked = {key: [it for it in times if it is not None and it not in kept]}
        living = self._own.select(table, [key], "is_deleted is distinct from 'true'", asked)
        return [bare(key, row_id, times[row_id]) for (row_id,) in living]

    def _meeting(self, task: Json) -> Row:
        updated, due = unix(task.get("updated_at")), unix(task.get("complete_till"))
        result = text((task.get("result") or {}).get("text")) if task.get("result") else None
        row: Row = {
            "meeting_id": self._amo.id(text(task.get("id"))),
            "set_by": self._amo.id(reference(task.get("created_by"))),
            "held_by": self._amo.id(reference(task.get("responsible_user_id"))),
            "set_at": unix_text(task.get("created_at")),
            "scheduled_for": unix_text(task.get("complete_till")),
            "kind": self._amo.rules.meeting_kind(
                self._amo.account.task_types.get(str(task.get("task_type_id"))),
                text(task.get("text")),
            ),
            "updated_at": unix_text(task.get("updated_at")),
            **self._about(text(task.get("entity_type")), task.get("entity_id")),
        }
        if not task.get("is_completed"):
            return row
        words = folded(result or "")
        if any(folded(it) in words for it in self._keys.not_held_results):
            row["cancelled_at"] = unix_text(task.get("updated_at"))
        elif due and updated and due <= updated:
            row["held_at"] = unix_text(task.get("complete_till"))
        else:
            row["held_at"] = unix_text(task.get("updated_at"))
        return row

    def _done(self, task: Json) -> Row:
        name = self._amo.account.task_types.get(str(task.get("task_type_id")), "")
        return {
            "activity_id": self._amo.id(f"task:{task.get('id')}"),
            "kind": self._keys.activity_kinds.get(name, "task"),
            "direction": "out",
            "manager_id": self._amo.id(reference(task.get("responsible_user_id"))),
            "happened_at": unix_text(task.get("updated_at")),
            "updated_at": unix_text(task.get("updated_at")),
            **self._about(text(task.get("entity_type")), task.get("entity_id")),
        }

    def _purchases(self) -> Iterator[Window]:
        """Purchases of customers; the list has no filter by time."""
        rows = self._amo.api.rows("/customers/transactions", "transactions", {})
        customers = self._amo.api.rows("/customers", "customers", {"with": "contacts"})
        contacts = {
            str(it.get("id")): ((it.get("_embedded") or {}).get("contacts") or [{}])[0].get("id")
            for it in customers
        }
        stamp = self._work.stamps.next()
        found = []
        for row in rows:
            row_id = self._amo.id(text(row.get("id")))
            if row.get("is_deleted"):
                found.append(bare("payment_id", row_id, unix(row.get("updated_at"))))
                continue
            found.append(
                {
                    "payment_id": row_id,
                    "contact_id": self._amo.id(
                        reference(contacts.get(str(row.get("customer_id"))))
                    ),
                    "paid_at": unix_text(row.get("completed_at")),
                    "amount": text(row.get("price")),
                    "currency": self._amo.account.currency,
                    "kind": "payment",
                    "updated_at": unix_text(row.get("updated_at")),
                }
            )
        self._work.report.account("/customers/transactions", len(rows), len(rows))
        loaded = [{**row, "_loaded_at": stamp} for row in found]
        yield Window("purchases", {"crm.payments": loaded}, known_since=ALWAYS, done=0.91)

    def _unsorted(self) -> Iterator[Window]:
        """Leads that wait to be accepted and are not in the list of leads yet."""
        listed = self._amo.api.rows("/leads/unsorted", "unsorted", {})
        stubs = {
            self._amo.id(str(stub["id"])): (row, (row.get("_embedded") or {}))
            for row in listed
            for stub in (row.get("_embedded") or {}).get("leads") or []
        }
        living, ids = "is_deleted is distinct from 'true'", [it for it in stubs if it]
        known = self._own.select("crm.leads", ["lead_id", "source_id"], living, {"lead_id": ids})
        real = {lead for lead, source in known if not self._is_stub(source)}
        # In a pipeline of repeat sales it is a deal and no lead.
        deals = self._own.select("crm.deals", ["deal_id"], living, {"deal_id": ids})
        real |= {deal for (deal,) in deals}
        rows, sources = [], {}
        for lead_id, (row, embedded) in stubs.items():
            if lead_id in real:
                continue
            source_id = self._amo.id(f"{_UNSORTED}{row.get('source_uid')}")
            contacts = embedded.get("contacts") or [{}]
            sources[source_id] = {
                "source_id": source_id,
                "name": text(row.get("source_name")),
                "channel": self._amo.channel(text(row.get("source_name"))),
            }
            rows.append(
                {
                    "lead_id": lead_id,
                    "contact_id": self._amo.id(reference(contacts[0].get("id"))),
                    "source_id": source_id,
                    "created_at": unix_text(row.get("created_at")),
                    "updated_at": unix_text(row.get("created_at")),
                }
            )
        rows += self._declined(stubs)
        self._work.report.account("/leads/unsorted", len(listed), len(listed))
        stamp = self._work.stamps.next()
        loaded = [{**row, "_loaded_at": stamp} for row in rows]
        named = [{**row, "_loaded_at": stamp} for row in sources.values()]
        yield Window(
            "leads not accepted yet",
            {"crm.sources": named, "crm.leads": loaded},
            known_since=ALWAYS,
            done=0.94,
        )

    def _declined(self, stubs: Mapping[str | None, Any]) -> list[Row]:
        """Stubs of earlier loads that are neither waiting nor real leads now."""
        begin = self._amo.id(_UNSORTED)
        written = self._own.select(
            "crm.leads",
            ["lead_id"],
            f"is_deleted is distinct from 'true' and starts_with(source_id, '{begin}')",
        )
        now = datetime.fromtimestamp(self._amo.end, UTC)
        return [bare("lead_id", lead, now) for (lead,) in written if lead not in stubs]

    def _is_stub(self, source_id: str | None) -> bool:
        return (source_id or "").startswith(str(self._amo.id(_UNSORTED)))

    def _about(self, entity: Any, entity_id: Any) -> Row:
        """The references that an entity of the system means."""
        found = self._amo.id(reference(entity_id))
        if entity in ("lead", "leads"):
            return {"lead_id": found, "deal_id": found}
        if entity in ("contact", "contacts"):
            return {"contact_id": found}
        if entity in ("company", "companies") and reference(entity_id):
            return {"contact_id": self._amo.id(f"co{entity_id}")}
        return {}

    def _about_deals_alone(self, rows: Mapping[str, Sequence[Row]]) -> None:
        if self._keys.deal_only_pipelines:
            for listed in rows.values():
                without_leads(self._own, listed)

    def _window(
        self, endpoint: str, span: Span, rows: Mapping[str, Sequence[Row]], fetched: int
    ) -> Window:
        stamp = self._work.stamps.next()
        self._work.report.account(endpoint, fetched, fetched)
        self._about_deals_alone(rows)
        loaded = {
            table: [{**row, "_loaded_at": stamp} for row in listed]
            for table, listed in rows.items()
        }
        until = datetime.fromtimestamp(span.end, UTC)
        return Window(
            f"{endpoint} to {until:%Y-%m-%d %H:%M}",
            loaded,
            self._amo.cursor(endpoint, span),
            span.done,
            span.known_since,
        )
