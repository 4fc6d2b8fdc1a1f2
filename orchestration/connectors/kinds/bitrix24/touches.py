"""Meetings, mails, messages, tasks, quotes and payments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.rules import currency, reference, text
from orchestration.connectors.crm.vanished import bare, stale, without_leads
from orchestration.connectors.kinds.bitrix24 import mapping
from orchestration.connectors.kinds.bitrix24.api import Json, ids_in
from orchestration.connectors.kinds.bitrix24.mapping import COMPANY, CONTACT, DEAL, INVOICE, LEAD

if TYPE_CHECKING:
    from orchestration.connectors.kinds.bitrix24.connector import Bitrix24

ACTIVITIES = "crm.activity.list"
# Types of activities in the portal.
MEETING, CALL, TASK, MAIL, PROVIDED = "1", "2", "3", "4", "6"
_DIRECTIONS = {"1": "in", "2": "out"}
_LIVING = "is_deleted is distinct from 'true'"
# Payments of deals won in so many days are looked at in every load: paying need not change a deal.
_RECENT = timedelta(days=92)


class Touches:
    """One run's reading of what happened around deals."""

    def __init__(self, bitrix: Bitrix24) -> None:
        self._bitrix = bitrix
        self._keys = bitrix.connection
        self._work = bitrix.work
        self._own = bitrix.work.own

    def read(self) -> Iterator[Window]:
        """All of them."""
        yield from self._activities()
        if self._keys.read_quotes:
            yield from self._quotes()
        if self._keys.payments_from == "native":
            yield from self._payments()
        if self._keys.payments_from == "invoices":
            yield from self._invoices()

    def _activities(self) -> Iterator[Window]:
        body = {"select": ["*", "COMMUNICATIONS"]}
        pages = self._bitrix.pages(ACTIVITIES, ACTIVITIES, "ID", None, body, "LAST_UPDATED", {})
        for page in pages:
            rows = self._of_activities(page.rows, page.stamp)
            yield Window("activities", rows, page.state, 0.9, page.known_since)

    def again(self, ids: Sequence[str]) -> Iterator[Window]:
        """Activities that are read again by their ids."""
        what = f"{ACTIVITIES} by id"
        for part in ids_in(ids, self._keys.page_size):
            body = {
                "filter": {"ID": part},
                "select": ["*", "COMMUNICATIONS"],
                "order": {"ID": "ASC"},
                "start": -1,
            }
            api = self._bitrix.api
            rows = api.rows(api.call(ACTIVITIES, body, what), None, what)
            self._work.report.account(what, len(rows), len(rows))
            found = self._of_activities(rows, self._work.stamps.next())
            yield Window("activities by id", found, known_since=ALWAYS)

    def _of_activities(self, rows: Sequence[Json], stamp: datetime) -> dict[str, list[Row]]:
        meetings, touches = [], []
        for row in rows:
            if self._is_meeting(row):
                if "objects" in self._bitrix.meetings_from:
                    rules = self._bitrix.rules[DEAL]
                    meetings.append(rules.repair_meeting(self._meeting(row)))
                continue
            touch = self._touch(row)
            if touch is not None:
                touches.append(touch)
        meetings += self._no_more(rows, "crm.meetings", "meeting_id", "", meetings)
        touches += self._no_more(rows, "crm.activities", "activity_id", "", touches)
        if self._bitrix.deal_only and not self._bitrix.is_classic:
            without_leads(self._own, meetings)
            without_leads(self._own, touches)
        return {
            "crm.meetings": [{**row, "_loaded_at": stamp} for row in meetings],
            "crm.activities": [{**row, "_loaded_at": stamp} for row in touches],
        }

    def _no_more(
        self, listed: Sequence[Json], table: str, key: str, origin: str, rows: Sequence[Row]
    ) -> list[Row]:
        """Tombstones of what these activities are no more: reopened, or of another type now."""
        there = {row[key] for row in rows}
        times = {
            self._bitrix.id(f"{origin}{row.get('ID')}"): mapping.moment(row.get("LAST_UPDATED"))
            for row in listed
        }
        asked = {key: [it for it in times if it is not None and it not in there]}
        living = self._own.select(table, [key], _LIVING, asked)
        return [bare(key, row_id, times[row_id]) for (row_id,) in living]

    def _is_meeting(self, row: Json) -> bool:
        kind = str(row.get("TYPE_ID"))
        return kind == MEETING or (
            kind == PROVIDED and str(row.get("PROVIDER_ID")) in self._keys.meeting_providers
        )

    def _meeting(self, row: Json) -> Row:
        start, updated = mapping.moment(row.get("START_TIME")), mapping.moment(row["LAST_UPDATED"])
        is_over = start is not None and updated is not None and start <= updated
        held = row.get("START_TIME") if is_over else row.get("LAST_UPDATED")
        kinds = (text(row.get("PROVIDER_TYPE_ID")), text(row.get("SUBJECT")))
        return {
            "meeting_id": self._bitrix.id(text(row.get("ID"))),
            "set_by": self._bitrix.id(reference(row.get("AUTHOR_ID"))),
            "held_by": self._bitrix.id(reference(row.get("RESPONSIBLE_ID"))),
            "set_at": mapping.time_text(row.get("CREATED")),
            "scheduled_for": mapping.time_text(row.get("START_TIME")),
            "held_at": mapping.time_text(held) if mapping.yes(row.get("COMPLETED")) else None,
            "kind": self._bitrix.rules[DEAL].meeting_kind(*kinds),
            "updated_at": mapping.time_text(row.get("LAST_UPDATED")),
            **self._about(row),
        }

    def _touch(self, row: Json) -> Row | None:
        """A row of crm.activities; None for a call, what is not done, or of no known kind."""
        kind = self._kind(row)
        if kind is None:
            return None
        direction = _DIRECTIONS.get(str(row.get("DIRECTION")))
        is_out = direction == "out" or kind == "task"
        by = reference(row.get("AUTHOR_ID")) if direction == "out" else None
        return {
            "activity_id": self._bitrix.id(text(row.get("ID"))),
            "kind": kind,
            "direction": "out" if is_out else direction,
            "manager_id": self._bitrix.id(by or reference(row.get("RESPONSIBLE_ID"))),
            "happened_at": mapping.time_text(row.get("CREATED")),
            "updated_at": mapping.time_text(row.get("LAST_UPDATED")),
            **self._about(row),
        }

    def _kind(self, row: Json) -> str | None:
        kind, provider = str(row.get("TYPE_ID")), str(row.get("PROVIDER_ID") or "")
        if kind == CALL:
            return None
        if provider in self._keys.activity_kinds:
            return self._keys.activity_kinds[provider]
        if kind == MAIL:
            return "email"
        if "OPENLINES" in provider or "SMS" in provider:
            return "message"
        if kind == TASK or "CRM_TODO" in provider:
            return "task" if mapping.yes(row.get("COMPLETED")) else None
        self._work.report.counted[f"activities of {provider or kind}, left out"] += 1
        return None

    def _about(self, row: Json) -> Row:
        """The references that an activity's owner and its partner mean."""
        owner, entity = reference(row.get("OWNER_ID")), str(row.get("OWNER_TYPE_ID"))
        found: Row = {}
        if entity == str(LEAD):
            found["lead_id"] = self._bitrix.id(owner)
        elif entity == str(DEAL):
            found["deal_id"] = self._bitrix.id(owner)
            if not self._bitrix.is_classic:
                found["lead_id"] = self._bitrix.id(owner)
        party = self._party(entity, owner)
        for it in row.get("COMMUNICATIONS") or []:
            party = party or self._party(str(it.get("ENTITY_TYPE_ID")), it.get("ENTITY_ID"))
        found["contact_id"] = self._bitrix.id(party)
        return found

    def _party(self, entity: str, number: Any) -> str | None:
        found = reference(number)
        if found is None:
            return None
        if entity == str(CONTACT):
            return found
        is_company = entity == str(COMPANY) and self._keys.companies_as_contacts
        return f"co{found}" if is_company else None

    def _quotes(self) -> Iterator[Window]:
        for page in self._bitrix.item_pages(mapping.QUOTE):
            rows = [
                {
                    "activity_id": self._bitrix.id(f"quote:{it['id']}"),
                    "kind": "proposal",
                    "direction": "out",
                    "manager_id": self._bitrix.id(reference(it.get("assignedById"))),
                    "lead_id": self._bitrix.id(reference(it.get("leadId"))),
                    "deal_id": self._bitrix.id(reference(it.get("dealId"))),
                    "contact_id": self._bitrix.id(mapping.contact_of(it, True)),
                    "happened_at": mapping.time_text(it.get("createdTime")),
                    "updated_at": mapping.time_text(it.get("updatedTime")),
                    "_loaded_at": page.stamp,
                }
                for it in page.rows
            ]
            yield Window("quotes", {"crm.activities": rows}, page.state, 0.91, page.known_since)

    def _payments(self) -> Iterator[Window]:
        """Payments of deals that changed, and of all that were won in the last 92 days."""
        what = "crm.item.payment.list"
        end, cursor = self._bitrix.end, self._work.state.get(f"cursor:{what}")
        deals = self._deals_to_ask(cursor)
        contacts = dict(self._own.select("crm.deals", ["deal_id", "contact_id"], _LIVING))
        size = self._keys.page_size
        for first in range(0, len(deals), size):
            part = deals[first : first + size]
            numbers = {it: it.removeprefix(self._keys.prefix) for it in part}
            results = self._bitrix.api.batch(
                {
                    f"d{number}": (what, {"entityId": number, "entityTypeId": DEAL})
                    for number in numbers.values()
                }
            )
            stamp = self._work.stamps.next()
            rows: list[Row] = []
            for deal_id, number in numbers.items():
                listed = results[f"d{number}"] or []
                self._work.report.account(what, len(listed), len(listed))
                rows += [
                    self._payment(it, deal_id, contacts.get(deal_id))
                    for it in listed
                    if mapping.yes(it.get("paid"))
                ]
            there = {row["payment_id"] for row in rows}
            rows += [
                bare("payment_id", row_id, end)
                for row_id, _ in stale(self._own, "crm.payments", "payment_id", "deal_id", part)
                if row_id not in there
            ]
            loaded = [{**row, "_loaded_at": stamp} for row in rows]
            yield Window("payments", {"crm.payments": loaded}, known_since=ALWAYS, done=0.92)
        if not self._work.slice.is_named:
            yield Window("payments", state={f"cursor:{what}": end.isoformat()}, done=0.92)

    def _deals_to_ask(self, cursor: str | None) -> list[str]:
        if cursor is None:
            return [it for (it,) in self._own.select("crm.deals", ["deal_id"], _LIVING)]
        since = datetime.fromisoformat(cursor) - timedelta(hours=1)
        recent = self._bitrix.end - _RECENT
        won = {str(self._bitrix.id(it.stage_id)) for it in self._bitrix.deal_stages
               if self._bitrix.stages.kind(it.stage_id) == "won"}  # fmt: skip
        named = ", ".join(f"'{it}'" for it in sorted(won)) or "''"
        where = (
            f"{_LIVING} and (try_cast(updated_at as timestamptz) >= timestamptz '{since}' "
            f"or (stage_id in ({named}) and "
            f"try_cast(closed_at as timestamptz) >= timestamptz '{recent}'))"
        )
        return [it for (it,) in self._own.select("crm.deals", ["deal_id"], where)]

    def _payment(self, row: Json, deal_id: str, contact_id: str | None) -> Row:
        return {
            "payment_id": self._bitrix.id(text(row.get("id"))),
            "deal_id": deal_id,
            "contact_id": contact_id,
            "paid_at": mapping.time_text(row.get("datePaid")),
            "amount": text(row.get("sum")),
            "currency": currency(row.get("currency")) or self._bitrix.base_currency,
            "kind": "payment",
            # The system has no time of change for a payment; that of a deletion has to be later.
            "updated_at": mapping.time_text(row.get("datePaid")),
        }

    def _invoices(self) -> Iterator[Window]:
        """Invoices in a stage that means paid, at the time they entered it."""
        categories = self._bitrix.api.all(
            "crm.category.list", "categories", {"entityTypeId": INVOICE}, "crm.category.list 31"
        )
        paid: set[str] = set()
        for category in categories:
            for status in self._bitrix.statuses(f"SMART_INVOICE_STAGE_{category['id']}"):
                if mapping.semantics(status) == "S":
                    paid.add(str(status["STATUS_ID"]))
        for page in self._bitrix.item_pages(INVOICE):
            rows = [self._invoice(it, paid) for it in page.rows]
            living = self._living_payments(rows)
            loaded = [
                {**row, "_loaded_at": page.stamp}
                for row in rows
                if row.get("is_deleted") is None or row["payment_id"] in living
            ]
            yield Window("invoices", {"crm.payments": loaded}, page.state, 0.92, page.known_since)

    def _living_payments(self, rows: Sequence[Row]) -> set[str]:
        ids: Mapping[str, list[str]] = {"payment_id": [str(it["payment_id"]) for it in rows]}
        return {it for (it,) in self._own.select("crm.payments", ["payment_id"], _LIVING, ids)}

    def _invoice(self, item: Json, paid: set[str]) -> Row:
        key = self._bitrix.id(f"invoice:{item['id']}")
        if str(item.get("stageId")) not in paid:
            return bare("payment_id", key, mapping.moment(item.get("updatedTime")))
        contact = mapping.contact_of(item, self._keys.companies_as_contacts)
        return {
            "payment_id": key,
            "deal_id": self._bitrix.id(reference(item.get("parentId2"))),
            "contact_id": self._bitrix.id(contact),
            "paid_at": mapping.time_text(item.get("movedTime")),
            "amount": text(item.get("opportunity")),
            "currency": currency(item.get("currencyId")) or self._bitrix.base_currency,
            "kind": "payment",
            "updated_at": mapping.time_text(item.get("updatedTime")),
        }
