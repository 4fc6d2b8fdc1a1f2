"""Contacts and companies; contacts are leads too where the portal has no lead objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.parties import Parties, listed
from orchestration.connectors.kinds.hubspot import mapping
from orchestration.connectors.kinds.hubspot.connector import PARTIES, Chunk
from orchestration.connectors.kinds.hubspot.leads import Leads
from orchestration.connectors.kinds.hubspot.mapping import COMPANIES, CONTACTS, Kind

if TYPE_CHECKING:
    from orchestration.connectors.kinds.hubspot.connector import Hubspot


class People:
    """One run's reading of contacts and companies."""

    def __init__(self, hubspot: Hubspot) -> None:
        self._hubspot = hubspot
        self._parties = Parties(hubspot.work, hubspot.connection, PARTIES)

    def read(self) -> Iterator[Window]:
        """Companies first: their names are in the contacts' rows."""
        for kind, done in ((COMPANIES, 0.1), (CONTACTS, 0.25)):
            for chunk in self._hubspot.chunks(kind):
                yield Window(kind.name, self._rows(chunk, kind), chunk.state, done, chunk.since)

    def again(self, kind: Kind, ids: Sequence[str]) -> Iterator[Window]:
        """Contacts or companies that are read again by their ids."""
        for chunk in self._hubspot.by_ids(kind, ids):
            rows = self._rows(chunk, kind)
            yield Window(f"{kind.name} by id", rows, known_since=ALWAYS)

    def derived(self) -> Iterator[Window]:
        """What follows from the parties that were written since the last time."""
        yield from self._parties.derived()

    def _rows(self, chunk: Chunk, kind: Kind) -> dict[str, list[Row]]:
        from orchestration.connectors.kinds.hubspot.deletions import merged_graves

        hubspot = self._hubspot
        found: dict[str, list[Row]] = {}
        parties, stamps = [], {}
        for item, stamp in chunk.items:
            own = mapping.properties(item)
            value = own.get(hubspot.connection.source_property)
            party = mapping.party(item, kind, str(value) if value else None)
            for name in ("phones", "company_ids"):
                party[name] = listed(party[name])
            parties.append({**party, "_loaded_at": stamp})
            stamps[hubspot.id(party["party_id"])] = stamp
            if kind is CONTACTS:
                sources = hubspot.source_of({hubspot.connection.source_property: value}, (), None)[
                    1
                ]
                found.setdefault("crm.sources", []).extend(hubspot.sources(sources, stamp))
        found[PARTIES] = parties
        if kind is CONTACTS:
            contacts = self._parties.contacts(parties)
            phones = self._parties.phones(parties, taken={})
            found["crm.contacts"] = [
                {**it, "_loaded_at": stamps[it["contact_id"]]} for it in contacts
            ]
            found["crm.contact_phones"] = [
                {**it, "_loaded_at": stamps[it["contact_id"]]} for it in phones
            ]
            if not hubspot.has_lead_objects:
                for table, rows in Leads(hubspot).of_contacts(chunk).items():
                    found.setdefault(table, []).extend(rows)
        for table, rows in merged_graves(hubspot, kind, chunk).items():
            found.setdefault(table, []).extend(rows)
        return found
