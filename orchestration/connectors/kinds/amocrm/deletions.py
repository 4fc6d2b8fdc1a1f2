"""Deletions that the system signals, those that only a full list shows, and rows that came back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from orchestration.base.durations import DAY
from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.parties import gone_party
from orchestration.connectors.crm.rules import unix
from orchestration.connectors.crm.sweep import sweep
from orchestration.connectors.crm.vanished import bare
from orchestration.connectors.kinds.amocrm.people import PARTIES, People
from orchestration.connectors.kinds.amocrm.sales import Sales
from orchestration.connectors.kinds.amocrm.touches import Touches
from orchestration.connectors.loading import text_of

if TYPE_CHECKING:
    from orchestration.connectors.kinds.amocrm.connector import Amocrm

_EVER = 1 << 40
# What an event is about, what it says, and the prefix of the contract's contact id.
_TYPES = {
    "lead_deleted": ("leads", True),
    "lead_restored": ("leads", False),
    "contact_deleted": ("contacts", True),
    "contact_restored": ("contacts", False),
    "company_deleted": ("companies", True),
    "company_restored": ("companies", False),
}


class Deletions:
    """One run's reading of what is no more. `user` is whom the token acts as."""

    def __init__(self, amo: Amocrm, user: str | None) -> None:
        self._amo = amo
        self._user = user
        self._work = amo.work
        self._own = amo.work.own

    def read(self) -> Iterator[Window]:
        """Signalled ones, then the sweep where it is due, then what follows for companies."""
        yield from self._signalled()
        yield from self._listed()
        yield from self._swept()
        yield from People(self._amo).derived()

    def _signalled(self) -> Iterator[Window]:
        endpoint = "/events deletions"
        types = [it for it in _TYPES if it in self._amo.event_types]
        if not types:
            return
        for span in self._amo.spans(endpoint, DAY, (0.94, 0.95)):
            events = self._amo.api.events(types, span.start, span.end)
            self._work.report.account(endpoint, len(events), len(events))
            last: dict[tuple[str, str], tuple[bool, datetime | None]] = {}
            for event in events:
                entity, is_deleted = _TYPES[str(event.get("type"))]
                key = (entity, str(event.get("entity_id")))
                last[key] = (is_deleted, unix(event.get("created_at")))
            deleted = {key: at for key, (is_deleted, at) in last.items() if is_deleted}
            back = [key for key, (is_deleted, _) in last.items() if not is_deleted]
            yield Window(
                "deletions",
                self._graves(deleted),
                self._amo.cursor(endpoint, span),
                span.done,
                span.known_since,
            )
            yield from self._again(back)
            yield from self._pointing_at([it for entity, it in deleted if entity == "contacts"])

    def _listed(self) -> Iterator[Window]:
        """Deleted rows that can still be restored: id and time are all that they have."""
        for number, entity in enumerate(("leads", "contacts", "companies")):
            endpoint = f"/{entity} deleted"
            part = (0.95 + number * 0.01, 0.96 + number * 0.01)
            for span in self._amo.spans(endpoint, _EVER, part):
                rows = self._amo.api.changed(
                    f"/{entity}",
                    entity,
                    span.start,
                    span.end,
                    {"with": "only_deleted"},
                    what=endpoint,
                )
                self._work.report.account(endpoint, len(rows), len(rows))
                gone = [row for row in rows if row.get("is_deleted")]
                deleted = {(entity, str(row["id"])): unix(row.get("updated_at")) for row in gone}
                yield Window(
                    endpoint,
                    self._graves(deleted),
                    self._amo.cursor(endpoint, span),
                    span.done,
                    ALWAYS,
                )
                if entity == "contacts":
                    yield from self._pointing_at([it for _, it in deleted])

    def _graves(self, deleted: Mapping[tuple[str, str], datetime | None]) -> dict[str, list[Row]]:
        """Tombstones of these entities in all tables where they are."""
        rows: dict[str, list[Row]] = {
            "crm.leads": [], "crm.deals": [], "crm.contacts": [], PARTIES: [],
        }  # fmt: skip
        stamp = self._work.stamps.next()
        for (entity, entity_id), at in deleted.items():
            if entity == "leads":
                key = self._amo.id(entity_id)
                rows["crm.leads"].append(bare("lead_id", key, at))
                rows["crm.deals"].append(bare("deal_id", key, at))
                continue
            party = f"co{entity_id}" if entity == "companies" else entity_id
            rows["crm.contacts"].append(bare("contact_id", self._amo.id(party), at))
            rows[PARTIES].append(gone_party(party, text_of(at) if at else None))
        for table in rows.values():
            for row in table:
                row["_loaded_at"] = stamp
        return rows

    def _again(self, back: Sequence[tuple[str, str]]) -> Iterator[Window]:
        """Read restored entities again: their own time of change may be older than the deletion."""
        leads = [it for entity, it in back if entity == "leads"]
        contacts = [it for entity, it in back if entity == "contacts"]
        yield from Sales(self._amo).again(leads)
        yield from People(self._amo).again(contacts)

    def _pointing_at(self, contacts: Sequence[str]) -> Iterator[Window]:
        """Rows that point at a deleted contact: after a merge the system has moved them on."""
        if not contacts:
            return
        ids = [str(self._amo.id(it)) for it in contacts]
        prefix = self._amo.connection.prefix
        living = "is_deleted is distinct from 'true'"

        def pointing(table: str, key: str) -> set[str]:
            rows = self._own.select(table, [key], living, {"contact_id": ids})
            return {row[0].removeprefix(prefix) for row in rows}

        leads = pointing("crm.leads", "lead_id") | pointing("crm.deals", "deal_id")
        yield from Sales(self._amo).again(sorted(leads))
        tasks = {it for it in pointing("crm.meetings", "meeting_id") if it.isdigit()}
        tasks |= {
            it.removeprefix("task:")
            for it in pointing("crm.activities", "activity_id")
            if it.startswith("task:")
        }
        yield from Touches(self._amo).again(sorted(tasks))

    def _swept(self) -> Iterator[Window]:
        """List everything there is, and bury what is not there any more; guarded."""
        last = self._work.state.get("swept_at")
        now = datetime.fromtimestamp(self._amo.end, UTC)
        due = timedelta(days=self._amo.connection.sweep_every_days)
        if last is None:
            # The first load has just listed everything.
            yield Window("sweep", state={"swept_at": now.isoformat()})
            return
        if self._work.slice.is_named or now - datetime.fromisoformat(last) < due:
            return
        yield from sweep(
            self._work,
            now,
            self._amo.connection.max_vanished_share,
            is_same_user=self._work.state.get("user") in (None, self._user),
            tables={
                "crm.leads": lambda: self._ids("leads"),
                "crm.deals": lambda: self._ids("leads"),
                "crm.contacts": self._contact_ids,
            },
            still_there=dict.fromkeys(("crm.leads", "crm.deals"), self._leads_there)
            | {"crm.contacts": self._contacts_there},
        )

    def _leads_there(self, ids: Sequence[str]) -> set[str]:
        return self._there("leads", "", ids)

    def _contacts_there(self, ids: Sequence[str]) -> set[str]:
        own = self._amo.connection.prefix
        companies = [it for it in ids if it.removeprefix(own).startswith("co")]
        contacts = [it for it in ids if it not in set(companies)]
        return self._there("contacts", "", contacts) | self._there("companies", "co", companies)

    def _there(self, entity: str, mark: str, ids: Sequence[str]) -> set[str]:
        """Which of these keys the system still has, asked by id."""
        bare_ids = [it.removeprefix(self._amo.connection.prefix + mark) for it in ids]
        return {
            str(self._amo.id(f"{mark}{row['id']}"))
            for rows in self._amo.api.by_ids(f"/{entity}", entity, bare_ids, {})
            for row in rows
            if not row.get("is_deleted")
        }

    def _ids(self, entity: str) -> set[str]:
        if entity not in self._seen:
            rows = self._amo.api.rows(f"/{entity}", entity, {}, f"/{entity} sweep")
            self._seen[entity] = {str(row["id"]) for row in rows}
        stubs = set()
        if entity == "leads":
            begin = self._amo.id("uns:")
            where = f"starts_with(source_id, '{begin}')"
            stubs = {lead for (lead,) in self._own.select("crm.leads", ["lead_id"], where)}
        return {str(self._amo.id(it)) for it in self._seen[entity]} | stubs

    def _contact_ids(self) -> set[str]:
        companies = {it.removeprefix(self._amo.connection.prefix) for it in self._ids("companies")}
        return self._ids("contacts") | {str(self._amo.id(f"co{it}")) for it in companies}

    @property
    def _seen(self) -> dict[str, set[str]]:
        if not hasattr(self, "_lists"):
            self._lists: dict[str, set[str]] = {}
        return self._lists
