"""People and companies of a CRM: rows of contacts and phones, whatever system they come from (1.6).

What the system says of each party goes into a private table first. A company's name is in its
contacts' rows, and a contact's phone takes the same phone away from its company: both follow from
the parties that were written since the last time, whichever of the two was changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from orchestration.connectors.connector import ALWAYS, Row, Window, Work
from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.crm.vanished import stale

PARTY_COLUMNS = (
    "party_id", "name", "email", "phones", "company_ids", "source_id", "created_at", "updated_at",
    "company",
)  # fmt: skip
_DONE = "parties_done"


class Parties:
    """The parties of one connection; `table` is the private one. A company's id begins with co.

    A party's own `company` is what its row says; where it has none, its first company's name.
    """

    def __init__(self, work: Work, connection: CrmConnection, table: str) -> None:
        self._work = work
        self._own = work.own
        self._keys = connection
        self._table = table

    def _id(self, value: str | None) -> str | None:
        return None if value is None else self._keys.prefix + value

    def contacts(self, parties: Sequence[Row]) -> list[Row]:
        """Rows of crm.contacts."""
        first = {it["party_id"]: (json.loads(it["company_ids"]) or [None])[0] for it in parties}
        ids = {it for it in first.values() if it}
        names = dict(self._own.select(self._table, ["party_id", "name"], ids={"party_id": ids}))
        return [
            {
                "contact_id": self._id(it["party_id"]),
                "name": it["name"],
                "company": it.get("company") or names.get(first[it["party_id"]]),
                "email": it["email"],
                "created_at": it["created_at"],
                "source_id": self._id(it["source_id"]),
                "updated_at": it["updated_at"],
            }
            for it in parties
        ]

    def phones(self, parties: Sequence[Row], taken: dict[str, set[str]]) -> list[Row]:
        """Phones of these parties, and tombstones of those that they had before.

        `taken` are the digits that a company leaves to its own contacts.
        """
        rows, kept = [], set()
        times = {self._id(it["party_id"]): it["updated_at"] for it in parties}
        for party in parties:
            for phone in dict.fromkeys(json.loads(party["phones"])):
                if digits(phone) in taken.get(party["party_id"], ()):
                    continue
                contact_id = self._id(party["party_id"])
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
        done = self._work.state.get(_DONE) or "1970-01-01T00:00:00+00:00"
        latest = self._own.latest(self._table, datetime.fromisoformat(done))
        if latest is None:
            return
        touched = self._touched(done)
        rows: dict[str, list[Row]] = {"crm.contacts": self._renamed(touched)}
        if self._keys.companies_as_contacts:
            companies = self._companies(touched)
            rows["crm.contacts"] += [self._company(it) for it in companies]
            taken = self._taken({it["party_id"] for it in companies})
            rows["crm.contact_phones"] = self.phones(companies, taken)
        stamp = self._work.stamps.next()
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
        versions = self._own.all_versions(self._table)
        fresh = self._own.all_versions(self._table, since)
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
        rows = self._own.select(self._table, PARTY_COLUMNS, ids={"party_id": ids})
        # A company that is only named by a contact has no row of its own: lost rights, or deleted.
        return [dict(zip(PARTY_COLUMNS, row, strict=True)) for row in rows if row[6] is not None]

    def _company(self, party: Row) -> Row:
        return {
            "contact_id": self._id(party["party_id"]),
            "name": party["name"],
            "company": party["name"],
            "email": party["email"],
            "created_at": party["created_at"],
            "updated_at": party["updated_at"],
        }

    def _taken(self, companies: Iterable[str]) -> dict[str, set[str]]:
        current = self._own.current(self._table)
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
        parties, contacts = self._own.current(self._table), self._own.current("crm.contacts")
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
            where k.is_deleted is distinct from 'true'
                and k.company is distinct from coalesce(p.company, c.name)
            order by p.party_id
        """
        rows = self._own.session.execute(sql).fetchall()
        return self.contacts([dict(zip(PARTY_COLUMNS, row, strict=True)) for row in rows])


def gone_party(party_id: str, updated_at: str | None) -> Row:
    """The private row of a party that was deleted: it takes no phone away from anybody."""
    return {"party_id": party_id, "phones": "[]", "company_ids": "[]", "updated_at": updated_at}


def digits(phone: str) -> str:
    """A phone for comparison inside one account."""
    found = re.sub(r"\D", "", phone)
    if len(found) == 11 and found.startswith("8"):
        return "7" + found[1:]
    return "7" + found if len(found) == 10 else found


def listed(values: Iterable[str]) -> str:
    """Texts in one column of a private table."""
    return json.dumps(list(values), ensure_ascii=False)
