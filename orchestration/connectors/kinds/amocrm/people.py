"""Contacts, companies as contacts, and their phones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration.base.durations import DAY
from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.parties import Parties, listed
from orchestration.connectors.crm.rules import resolve_field, text, unix_text
from orchestration.connectors.kinds.amocrm import mapping
from orchestration.connectors.kinds.amocrm.api import Json

if TYPE_CHECKING:
    from orchestration.connectors.kinds.amocrm.connector import Amocrm

PARTIES = "crm._amocrm_parties"
_WEEK = 7 * DAY


class People:
    """One run's reading of contacts and companies."""

    def __init__(self, amo: Amocrm) -> None:
        self._amo = amo
        self._keys = amo.connection
        self._parties_of = Parties(amo.work, amo.connection, PARTIES)
        self._report = amo.work.report

    def read(self) -> Iterator[Window]:
        """Companies first: their names are in the contacts' rows."""
        yield from self._parties("/companies", "companies", (0.02, 0.1))
        yield from self._parties("/contacts", "contacts", (0.1, 0.24))

    def again(self, ids: Sequence[str]) -> Iterator[Window]:
        """Contacts that are read again by their ids."""
        for rows in self._amo.api.by_ids("/contacts", "contacts", ids, {}):
            self._report.account("/contacts", len(rows), len(rows))
            yield Window("contacts by id", self._rows(rows, "contacts"), known_since=ALWAYS)

    def _parties(self, endpoint: str, name: str, part: tuple[float, float]) -> Iterator[Window]:
        amo = self._amo
        for span in amo.spans(endpoint, _WEEK, part):
            found = amo.api.changed(endpoint, name, span.start, span.end, {})
            self._report.account(endpoint, len(found), len(found))
            until = datetime.fromtimestamp(span.end, UTC)
            yield Window(
                f"{endpoint} to {until:%Y-%m-%d %H:%M}",
                self._rows(found, name),
                amo.cursor(endpoint, span),
                span.done,
                span.known_since,
            )

    def _rows(self, found: Sequence[Json], name: str) -> dict[str, list[Row]]:
        stamp = self._amo.work.stamps.next()
        parties = [self._party(row, is_company=name == "companies") for row in found]
        rows: dict[str, list[Row]] = {
            PARTIES: parties,
            "crm.contacts": [],
            "crm.contact_phones": [],
        }
        if name == "contacts":
            rows["crm.contacts"] = self._parties_of.contacts(parties)
            rows["crm.contact_phones"] = self._parties_of.phones(parties, taken={})
        for table in rows.values():
            for row in table:
                row["_loaded_at"] = stamp
        return rows

    def _party(self, row: Json, is_company: bool) -> Row:
        what = "/companies" if is_company else "/contacts"
        self._report.lacking(what, row, mapping.PARTY_FIELDS)
        values = mapping.field_values(row, self._amo.account.zone)
        companies = (row.get("_embedded") or {}).get("companies") or []
        emails = values.get("code:EMAIL")
        source = values.get(self._source_field) if self._source_field else None
        return {
            "party_id": f"co{row['id']}" if is_company else str(row["id"]),
            "name": text(row.get("name")),
            "email": emails[0].text if emails else None,
            "phones": listed(it.text for it in values.get("code:PHONE", [])),
            "company_ids": listed([] if is_company else [f"co{it['id']}" for it in companies]),
            "source_id": (source[0].option or source[0].text) if source else None,
            "created_at": unix_text(row.get("created_at")),
            "updated_at": unix_text(row.get("updated_at")),
        }

    @property
    def _source_field(self) -> str | None:
        if self._keys.contact_source_field is None:
            return None
        if not hasattr(self, "_resolved"):
            fields = self._amo.api.rows("/contacts/custom_fields", "custom_fields", {})
            found = resolve_field(self._keys, "contact_source_field", mapping.custom_fields(fields))
            self._resolved = found.field_id if found else None
        return self._resolved

    def derived(self) -> Iterator[Window]:
        """What follows from the parties that were written since the last time."""
        yield from self._parties_of.derived()
