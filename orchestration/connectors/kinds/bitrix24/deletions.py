"""What is no more: Bitrix24 does not say it, so everything is listed now and then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestration.connectors.connector import Row, Window
from orchestration.connectors.crm.parties import gone_party
from orchestration.connectors.crm.sweep import sweep
from orchestration.connectors.kinds.bitrix24.connector import PARTIES
from orchestration.connectors.kinds.bitrix24.mapping import COMPANY, CONTACT, DEAL, LEAD
from orchestration.connectors.kinds.bitrix24.people import People
from orchestration.connectors.kinds.bitrix24.sales import Sales
from orchestration.connectors.kinds.bitrix24.touches import ACTIVITIES, MEETING, PROVIDED, Touches
from orchestration.connectors.loading import text_of

if TYPE_CHECKING:
    from orchestration.connectors.kinds.bitrix24.connector import Bitrix24

_LIVING = "is_deleted is distinct from 'true'"


class Deletions:
    """One run's look at what vanished and what came back."""

    def __init__(self, bitrix: Bitrix24) -> None:
        self._bitrix = bitrix
        self._work = bitrix.work
        self._own = bitrix.work.own
        self._seen: dict[int, set[str]] = {}

    def read(self) -> Iterator[Window]:
        """The sweep where it is due, and what follows for companies."""
        yield from self._swept()
        yield from People(self._bitrix).derived()

    def _swept(self) -> Iterator[Window]:
        last, now = self._work.state.get("swept_at"), self._bitrix.end
        if last is None:
            # The first load has just listed everything.
            if not self._work.slice.is_named:
                yield Window("sweep", state={"swept_at": now.isoformat()})
            return
        due = timedelta(days=self._bitrix.connection.sweep_every_days)
        if self._work.slice.is_named or now - datetime.fromisoformat(last) < due:
            return
        lists: dict[str, Callable[[], set[str]]] = {
            "crm.deals": self._deals,
            "crm.leads": self._leads,
            "crm.contacts": self._contacts,
            "crm.meetings": self._meetings,
        }
        for window in sweep(
            self._work,
            now,
            self._bitrix.connection.max_vanished_share,
            is_same_user=self._work.state.get("user") in (None, self._bitrix.user),
            tables=lists,
        ):
            if not window.rows:
                yield window
                continue
            contacts = [str(row["contact_id"]) for row in window.rows.get("crm.contacts", [])]
            parties = self._gone(contacts, now)
            yield Window(window.what, {**window.rows, PARTIES: parties}, done=0.95)
            yield from self._pointing_at(contacts)
            yield from self._returned()
            # Only now: a run that is ended in between lists everything again.
            yield Window("sweep", state=window.state, done=0.97)

    def _gone(self, contacts: Collection[str], now: datetime) -> list[Row]:
        stamp, prefix = self._work.stamps.next(), self._bitrix.connection.prefix
        return [
            {**gone_party(it.removeprefix(prefix), text_of(now)), "_loaded_at": stamp}
            for it in contacts
        ]

    def _pointing_at(self, contacts: Collection[str]) -> Iterator[Window]:
        """Rows that point at a vanished contact: after a merge the system has moved them on."""
        if not contacts:
            return

        def pointing(table: str, key: str) -> list[str]:
            rows = self._own.select(table, [key], _LIVING, {"contact_id": contacts})
            return sorted(self._bare(row_id) for (row_id,) in rows)

        sales, touches = Sales(self._bitrix), Touches(self._bitrix)
        if self._bitrix.is_classic:
            yield from sales.again(LEAD, pointing("crm.leads", "lead_id"))
        yield from sales.again(DEAL, pointing("crm.deals", "deal_id"))
        yield from touches.again(pointing("crm.meetings", "meeting_id"))
        yield from touches.again(pointing("crm.activities", "activity_id"))

    def _returned(self) -> Iterator[Window]:
        """Rows that are listed, and that the zone holds as deleted: their time of change is old."""
        sales = Sales(self._bitrix)
        if self._bitrix.is_classic:
            yield from sales.again(LEAD, self._buried("crm.leads", "lead_id", LEAD))
        yield from sales.again(DEAL, self._buried("crm.deals", "deal_id", DEAL))
        contacts = self._buried("crm.contacts", "contact_id", CONTACT)
        yield from People(self._bitrix).again(contacts)

    def _buried(self, table: str, key: str, entity: int) -> list[str]:
        ids = {key: [str(self._bitrix.id(it)) for it in self._ids(entity)]}
        rows = self._own.select(table, [key], "is_deleted = 'true'", ids)
        return [self._bare(row_id) for (row_id,) in rows]

    def _bare(self, row_id: str) -> str:
        return row_id.removeprefix(self._bitrix.connection.prefix)

    def _deals(self) -> set[str]:
        return self._prefixed(self._ids(DEAL))

    def _leads(self) -> set[str]:
        return self._prefixed(self._ids(LEAD if self._bitrix.is_classic else DEAL))

    def _contacts(self) -> set[str]:
        found = self._ids(CONTACT) | {f"co{it}" for it in self._ids(COMPANY)}
        if self._bitrix.is_classic:
            found |= {f"ld{it}" for it in self._ids(LEAD)}
        return self._prefixed(found)

    def _meetings(self) -> set[str]:
        """Activities that can be meetings; those of stages and fields go with their deals."""
        body = {"select": ["ID"], "filter": {"@TYPE_ID": [int(MEETING), int(PROVIDED)]}}
        listed = self._list(ACTIVITIES, "ID", None, body, f"{ACTIVITIES} sweep")
        derived = {
            row_id
            for (row_id,) in self._own.select("crm.meetings", ["meeting_id"], _LIVING)
            if self._bare(row_id).startswith(("st:", "fd:"))
        }
        return self._prefixed(listed) | derived

    def _ids(self, entity: int) -> set[str]:
        if entity not in self._seen:
            body = {"entityTypeId": entity, "select": ["id"]}
            what = f"crm.item.list {entity} sweep"
            self._seen[entity] = self._list("crm.item.list", "id", "items", body, what)
        return self._seen[entity]

    def _list(
        self, method: str, key: str, name: str | None, body: dict[str, Any], what: str
    ) -> set[str]:
        pages = self._bitrix.api.items(method, key, name, body, what, 0)
        return {str(row[key]) for rows in pages for row in rows}

    def _prefixed(self, ids: Collection[str]) -> set[str]:
        return {str(self._bitrix.id(it)) for it in ids}
