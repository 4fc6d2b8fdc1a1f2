"""Contacts, companies as contacts, and their phones.

What the system says of each party goes into a private table first. A company's name is in its
contacts' rows, and a contact's phone takes the same phone away from its company: both follow from
the parties that were written since the last time, whichever of the two was changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.rules import resolve_field, text, unix_text
from orchestration.connectors.crm.vanished import stale
from orchestration.connectors.kinds.amocrm import mapping
from orchestration.connectors.kinds.amocrm.api import Json

if TYPE_CHECKING:
    from orchestration.connectors.kinds.amocrm.connector import Amocrm

PARTIES = "crm._amocrm_parties"
PARTY_COLUMNS = (
    "party_id", "name", "email", "phones", "company_ids", "source_id", "created_at", "updated_at",
)  # fmt: skip
_WEEK = 7 * 86_400
_DONE = "parties_done"


class People:
    """One run's reading of contacts and companies."""

    def __init__(self, amo: Amocrm) -> None:
        self._amo = amo
        self._keys = amo.connection
        self._own = amo.work.own
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
            rows["crm.contacts"] = self._contacts(parties)
            rows["crm.contact_phones"] = self._phones(parties, taken={})
        for table in rows.values():
            for row in table:
                row["_loaded_at"] = stamp
        return rows

    def _party(self, row: Json, is_company: bool) -> Row:
        values = mapping.field_values(row, self._amo.account.zone)
        companies = (row.get("_embedded") or {}).get("companies") or []
        emails = values.get("code:EMAIL")
        source = values.get(self._source_field) if self._source_field else None
        return {
            "party_id": f"co{row['id']}" if is_company else str(row["id"]),
            "name": text(row.get("name")),
            "email": emails[0].text if emails else None,
            "phones": _json(it.text for it in values.get("code:PHONE", [])),
            "company_ids": _json([] if is_company else [f"co{it['id']}" for it in companies]),
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

    def _contacts(self, parties: Sequence[Row]) -> list[Row]:
        first = {it["party_id"]: (json.loads(it["company_ids"]) or [None])[0] for it in parties}
        ids = {it for it in first.values() if it}
        names = dict(self._own.select(PARTIES, ["party_id", "name"], ids={"party_id": ids}))
        return [
            {
                "contact_id": self._amo.id(it["party_id"]),
                "name": it["name"],
                "company": names.get(first[it["party_id"]]),
                "email": it["email"],
                "created_at": it["created_at"],
                "source_id": self._amo.id(it["source_id"]),
                "updated_at": it["updated_at"],
            }
            for it in parties
        ]

    def _phones(self, parties: Sequence[Row], taken: dict[str, set[str]]) -> list[Row]:
        """Phones of these parties, and tombstones of those that they had before.

        `taken` are the digits that a company leaves to its own contacts.
        """
        rows, kept = [], set()
        times = {self._amo.id(it["party_id"]): it["updated_at"] for it in parties}
        for party in parties:
            for phone in dict.fromkeys(json.loads(party["phones"])):
                if digits(phone) in taken.get(party["party_id"], ()):
                    continue
                contact_id = self._amo.id(party["party_id"])
                kept.add((contact_id, phone))
                rows.append(
                    {"contact_id": contact_id, "phone": phone, "updated_at": party["updated_at"]}
                )
        for phone, contact_id in stale(
            self._own, "crm.contact_phones", "phone", "contact_id", times
        ):
            if (contact_id, phone) not in kept:
                rows.append(
                    {
                        "contact_id": contact_id,
                        "phone": phone,
                        "is_deleted": "true",
                        "updated_at": times[contact_id],
                    }
                )
        return rows

    def derived(self) -> Iterator[Window]:
        """What follows from the parties that were written since the last time."""
        done = self._amo.work.state.get(_DONE) or "1970-01-01T00:00:00+00:00"
        latest = self._own.latest(PARTIES, datetime.fromisoformat(done))
        if latest is None:
            return
        touched = self._touched(done)
        rows: dict[str, list[Row]] = {"crm.contacts": self._renamed(touched)}
        if self._keys.companies_as_contacts:
            companies = self._companies(touched)
            rows["crm.contacts"] += [self._company(it) for it in companies]
            taken = self._taken({it["party_id"] for it in companies})
            rows["crm.contact_phones"] = self._phones(companies, taken)
        stamp = self._amo.work.stamps.next()
        for table in rows.values():
            for row in table:
                row["_loaded_at"] = stamp
        yield Window(
            "companies' phones",
            rows,
            {_DONE: latest.isoformat()},
            known_since=ALWAYS,
            done=0.99,
        )

    def _touched(self, done: str) -> list[str]:
        """Companies that were written since, and those of contacts that were: now or before."""
        since = datetime.fromisoformat(done)
        versions = self._own.all_versions(PARTIES)
        fresh = self._own.all_versions(PARTIES, since)
        if versions is None or fresh is None:
            return []
        later = f"_loaded_at > timestamptz '{done}'"
        sql = f"""
            with fresh as (select party_id from {fresh} where {later}),
            named as (
                select unnest(from_json(company_ids, '["varchar"]')) as company_id
                from {versions} where party_id in (from fresh)
            )
            select party_id from fresh where starts_with(party_id, 'co')
            union select company_id from named
            order by 1
        """
        return [party for (party,) in self._own.session.execute(sql).fetchall()]

    def _companies(self, ids: Sequence[str]) -> list[Row]:
        rows = self._own.select(PARTIES, PARTY_COLUMNS, ids={"party_id": ids})
        # A company that is only named by a contact has no row of its own: lost rights, or deleted.
        return [dict(zip(PARTY_COLUMNS, row, strict=True)) for row in rows if row[6] is not None]

    def _company(self, party: Row) -> Row:
        return {
            "contact_id": self._amo.id(party["party_id"]),
            "name": party["name"],
            "company": party["name"],
            "email": party["email"],
            "created_at": party["created_at"],
            "updated_at": party["updated_at"],
        }

    def _taken(self, companies: Iterable[str]) -> dict[str, set[str]]:
        current = self._own.current(PARTIES)
        found: dict[str, set[str]] = {}
        wanted = set(companies)
        if current is None or not wanted:
            return found
        sql = f"""
            select company_id, phones from (
                select unnest(from_json(company_ids, '["varchar"]')) as company_id, phones
                from {current}
            )
        """
        for company, phones in self._own.session.execute(sql).fetchall():
            if company in wanted:
                found.setdefault(company, set()).update(digits(it) for it in json.loads(phones))
        return found

    def _renamed(self, companies: Sequence[str]) -> list[Row]:
        """Rows of contacts whose company's name is not the one that was written."""
        parties, contacts = self._own.current(PARTIES), self._own.current("crm.contacts")
        if parties is None or contacts is None or not companies:
            return []
        listed = ", ".join(f"'{it}'" for it in companies)
        prefix = self._keys.prefix
        sql = f"""
            with parties as (select * from {parties}),
            companies as (select party_id, name from parties where party_id in ({listed}))
            select {", ".join(f"p.{name}" for name in PARTY_COLUMNS)}
            from parties as p
            join companies as c on c.party_id = from_json(p.company_ids, '["varchar"]')[1]
            join {contacts} as k on k.contact_id = '{prefix}' || p.party_id
            where k.is_deleted is distinct from 'true' and k.company is distinct from c.name
            order by p.party_id
        """
        rows = self._own.session.execute(sql).fetchall()
        return self._contacts([dict(zip(PARTY_COLUMNS, row, strict=True)) for row in rows])


def gone_party(party_id: str, updated_at: str | None) -> Row:
    """The private row of a party that was deleted: it takes no phone away from anybody."""
    return {"party_id": party_id, "phones": "[]", "company_ids": "[]", "updated_at": updated_at}


def digits(phone: str) -> str:
    """A phone for comparison inside one account."""
    found = re.sub(r"\D", "", phone)
    if len(found) == 11 and found.startswith("8"):
        return "7" + found[1:]
    return "7" + found if len(found) == 10 else found


def _json(values: Iterable[str]) -> str:
    return json.dumps(list(values), ensure_ascii=False)
