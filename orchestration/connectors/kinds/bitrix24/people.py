"""Contacts, companies as contacts, and the people of leads that have no contact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.parties import Parties, gone_party, listed
from orchestration.connectors.crm.rules import reference
from orchestration.connectors.crm.vanished import bare
from orchestration.connectors.kinds.bitrix24 import mapping
from orchestration.connectors.kinds.bitrix24.api import Json
from orchestration.connectors.kinds.bitrix24.connector import PARTIES
from orchestration.connectors.kinds.bitrix24.mapping import COMPANY, CONTACT, LEAD

if TYPE_CHECKING:
    from orchestration.connectors.kinds.bitrix24.connector import Bitrix24


class People:
    """One run's reading of contacts and companies."""

    def __init__(self, bitrix: Bitrix24) -> None:
        self._bitrix = bitrix
        self._parties = Parties(bitrix.work, bitrix.connection, PARTIES)

    def read(self) -> Iterator[Window]:
        """Companies first: their names are in the contacts' rows."""
        for entity, what, done in ((COMPANY, "companies", 0.1), (CONTACT, "contacts", 0.24)):
            for page in self._bitrix.item_pages(entity):
                rows = self._rows(page.rows, entity, page.stamp)
                yield Window(what, rows, page.state, done, page.known_since)

    def again(self, ids: Sequence[str]) -> Iterator[Window]:
        """Contacts that are read again by their ids."""
        for rows, stamp in self._bitrix.by_ids(CONTACT, ids):
            yield Window("contacts by id", self._rows(rows, CONTACT, stamp), known_since=ALWAYS)

    def derived(self) -> Iterator[Window]:
        """What follows from the parties that were written since the last time."""
        yield from self._parties.derived()

    def of_leads(self, leads: Sequence[Json], stamp: datetime) -> dict[str, list[Row]]:
        """The people of leads that point at nobody else; tombstones where they do now."""
        own = [lead for lead in leads if lead_contact(lead, True) == f"ld{lead['id']}"]
        rows = self._rows(own, LEAD, stamp)
        others = {str(self._bitrix.id(f"ld{it['id']}")): it for it in leads if it not in own}
        living = self._bitrix.work.own.select(
            "crm.contacts",
            ["contact_id"],
            "is_deleted is distinct from 'true'",
            {"contact_id": list(others)},
        )
        for (contact_id,) in living:
            at = mapping.moment(others[contact_id].get("updatedTime"))
            rows["crm.contacts"].append({**bare("contact_id", contact_id, at), "_loaded_at": stamp})
            party = gone_party(
                f"ld{others[contact_id]['id']}",
                mapping.time_text(others[contact_id].get("updatedTime")),
            )
            rows[PARTIES].append({**party, "_loaded_at": stamp})
        return rows

    def _rows(self, found: Sequence[Json], entity: int, stamp: datetime) -> dict[str, list[Row]]:
        shift = self._bitrix.connection.user_time_shift_minutes
        parties = [mapping.party(mapping.shifted(row, shift), entity) for row in found]
        for party in parties:
            for name in ("phones", "company_ids"):
                party[name] = listed(party[name])
        rows: dict[str, list[Row]] = {
            PARTIES: parties,
            "crm.contacts": [],
            "crm.contact_phones": [],
        }
        if entity != COMPANY:
            rows["crm.contacts"] = self._parties.contacts(parties)
            rows["crm.contact_phones"] = self._parties.phones(parties, taken={})
        for table in rows.values():
            for row in table:
                row["_loaded_at"] = stamp
        return rows


def lead_contact(lead: Json, companies_as_contacts: bool) -> str:
    """Whom a lead points at: its contact; else itself, unless it has no phone but a company."""
    found = mapping.contact_of(lead, companies_as_contacts)
    has_phone = any(
        it.get("typeId") == "PHONE" and reference(it.get("value")) for it in lead.get("fm") or []
    )
    if found is None or (found.startswith("co") and has_phone):
        return f"ld{lead['id']}"
    return found
