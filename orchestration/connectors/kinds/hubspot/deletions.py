"""What is no more: archived objects are listed, merged ones named, the rest a sweep finds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.parties import gone_party
from orchestration.connectors.crm.sweep import sweep
from orchestration.connectors.crm.vanished import bare
from orchestration.connectors.kinds.hubspot import mapping
from orchestration.connectors.kinds.hubspot.api import ScopeMissing
from orchestration.connectors.kinds.hubspot.connector import ARCHIVED, PARTIES, Chunk
from orchestration.connectors.kinds.hubspot.mapping import (
    COMPANIES,
    CONTACTS,
    DEALS,
    LEAD_OBJECTS,
    TOUCHES,
    Kind,
)
from orchestration.connectors.kinds.hubspot.people import People
from orchestration.connectors.kinds.hubspot.sales import Sales, derived_graves
from orchestration.connectors.kinds.hubspot.touches import KINDS, TABLES, Touches, touch_id
from orchestration.connectors.loading import text_of

if TYPE_CHECKING:
    from orchestration.connectors.kinds.hubspot.connector import Hubspot

_LIVING = "is_deleted is distinct from 'true'"
# Tables whose rows point at others, by what they may point at.
_POINTING = {
    "contact_id": ("crm.leads", "crm.deals", "crm.meetings", "crm.activities", "crm.surveys"),
    "deal_id": ("crm.meetings", "crm.activities"),
    "lead_id": ("crm.deals",),
}
_BURIED = {"contact_id": "crm.contacts", "deal_id": "crm.deals", "lead_id": "crm.leads"}


class Deletions:
    """One run's look at what vanished, came back, or became another."""

    def __init__(self, hubspot: Hubspot) -> None:
        self._hubspot = hubspot
        self._work = hubspot.work
        self._own = hubspot.work.own
        self._seen: dict[str, dict[str, datetime | None]] = {}

    def read(self) -> Iterator[Window]:
        """Archived objects, the sweep where it is due, references, and companies' phones."""
        for kind in self._kinds:
            try:
                yield from self._archived(kind)
            except ScopeMissing as missing:
                if kind.is_needed:
                    raise
                self._hubspot.skip(kind.name, missing)
        yield from self._swept()
        yield from self._followed()
        yield from People(self._hubspot).derived()

    @property
    def _kinds(self) -> list[Kind]:
        found = [COMPANIES, CONTACTS, DEALS, *Touches(self._hubspot).kinds]
        if self._hubspot.reads_lead_objects:
            found.insert(2, LEAD_OBJECTS)
        return found

    def _archived(self, kind: Kind) -> Iterator[Window]:
        """Bury what is newly archived; read again what is archived no more.

        The search never shows archived objects, and their time of change stands still.
        """
        listed: dict[str, datetime | None] = {}
        for page in self._hubspot.api.listed(kind.name, is_archived=True):
            what = f"{kind.name} archived"
            self._work.report.account(what, len(page.rows), len(page.rows))
            for row in page.rows:
                listed[str(row["id"])] = mapping.moment(row.get("archivedAt"))
        where = f"kind = '{kind.name}' and is_listed = 'true'"
        rows = self._own.select(ARCHIVED, ["object_id"], where)
        known = {key.partition(":")[2] for (key,) in rows}
        fresh = {it: at for it, at in listed.items() if it not in known}
        if fresh:
            found = graves(self._hubspot, kind, fresh)
            found[ARCHIVED] = self._marks(kind, fresh, "true")
            yield Window(f"{kind.name} archived", found, known_since=ALWAYS, done=0.92)
        back = sorted(known - listed.keys())
        if back:
            yield from self._again(kind, back)
            marks = {ARCHIVED: self._marks(kind, back, "false")}
            yield Window(f"{kind.name} back", marks, known_since=ALWAYS, done=0.92)

    def _marks(self, kind: Kind, ids: Collection[str], is_listed: str) -> list[Row]:
        stamp = self._work.stamps.next()
        return [
            {
                "object_id": f"{kind.name}:{it}",
                "kind": kind.name,
                "is_listed": is_listed,
                "_loaded_at": stamp,
            }
            for it in ids
        ]

    def _again(self, kind: Kind, ids: Collection[str]) -> Iterator[Window]:
        listed = sorted(ids)
        if kind in (CONTACTS, COMPANIES):
            yield from People(self._hubspot).again(kind, listed)
        elif kind is DEALS:
            yield from Sales(self._hubspot).again(listed)
        elif kind is LEAD_OBJECTS:
            yield from Sales(self._hubspot).leads_again(listed)
        else:
            yield from Touches(self._hubspot).again(kind, listed)

    def _swept(self) -> Iterator[Window]:
        """List everything, bury what is not there any more, read what never came; guarded."""
        hubspot = self._hubspot
        last, now = self._work.state.get("swept_at"), hubspot.end
        if last is None:
            # The first load has just listed everything.
            if not self._work.slice.is_named:
                yield Window("sweep", state={"swept_at": now.isoformat(), "user": hubspot.user})
            return
        due = timedelta(days=hubspot.connection.sweep_every_days)
        if self._work.slice.is_named or now - datetime.fromisoformat(last) < due:
            return
        lists: dict[str, Callable[[], set[str]]] = {
            "crm.deals": lambda: self._listed(DEALS),
            "crm.contacts": lambda: self._listed(CONTACTS) | self._listed(COMPANIES, "co"),
        }
        if hubspot.reads_lead_objects or not hubspot.has_lead_objects:
            lists["crm.leads"] = lambda: self._listed(hubspot.lead_kind)
        state: Mapping[str, object] = {}
        is_same = self._work.state.get("user") in (None, hubspot.user)
        share = hubspot.connection.max_vanished_share
        asked: dict[str, Callable[[Sequence[str]], set[str]]] = {
            "crm.deals": lambda ids: self._there(DEALS, ids),
            "crm.contacts": self._people_there,
            "crm.leads": lambda ids: self._there(hubspot.lead_kind, ids),
        }
        for window in sweep(self._work, now, share, is_same, lists, still_there=asked):
            state = window.state
            yield Window(window.what, self._with_children(window.rows), done=0.95)
        yield from self._never_came()
        if state:
            # Only now: a run that is ended in between lists everything again.
            yield Window("sweep", state={**state, "user": hubspot.user}, done=0.97)

    def _with_children(self, rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
        """Tombstones of what vanished with what was derived from it."""
        found = {table: [*listed] for table, listed in rows.items()}
        stamp = self._work.stamps.next()
        parties = [
            {
                **gone_party(self._hubspot.bare(it["contact_id"]), it["updated_at"]),
                "_loaded_at": stamp,
            }
            for it in found.get("crm.contacts", [])
        ]
        deals = {
            it["deal_id"]: mapping.moment(it["updated_at"]) for it in found.get("crm.deals", [])
        }
        return {**found, PARTIES: parties, **derived_graves(self._hubspot, deals, {})}

    def _people_there(self, keys: Sequence[str]) -> set[str]:
        firms = [it for it in keys if self._hubspot.bare(it).startswith("co")]
        people = [it for it in keys if it not in set(firms)]
        return self._there(CONTACTS, people) | self._there(COMPANIES, firms, "co")

    def _there(self, kind: Kind, keys: Sequence[str], begin: str = "") -> set[str]:
        """Which of these keys there still are, asked by id; a merged one is its survivor by now."""
        ids = [self._hubspot.bare(it).removeprefix(begin) for it in keys]
        found = self._hubspot.api.read(kind.name, ids, ["hs_object_id"], [])
        return {str(self._hubspot.id(f"{begin}{row['id']}")) for row in found} & {*keys}

    def _listed(self, kind: Kind, begin: str = "") -> set[str]:
        if kind.name not in self._seen:
            self._seen[kind.name] = {
                str(row["id"]): mapping.moment(row.get("createdAt"))
                for page in self._hubspot.api.listed(kind.name, is_archived=False)
                for row in page.rows
            }
        return {str(self._hubspot.id(begin + it)) for it in self._seen[kind.name]}

    def _never_came(self) -> Iterator[Window]:
        """What a full list has and the zone has not: a search lost it, or it came back."""
        places = {
            CONTACTS: ("crm.contacts", "contact_id", ""),
            LEAD_OBJECTS: ("crm.leads", "lead_id", ""),
            DEALS: ("crm.deals", "deal_id", ""),
        }
        for kind, (table, key, begin) in places.items():
            start = self._hubspot.start if kind is not CONTACTS else None
            wanted = [
                it
                for it, created in self._seen.get(kind.name, {}).items()
                if start is None or created is None or created >= start
            ]
            ids = {key: [str(self._hubspot.id(begin + it)) for it in wanted]}
            living = {it for (it,) in self._own.select(table, [key], _LIVING, ids)}
            missing = [it for it in wanted if self._hubspot.id(begin + it) not in living]
            if missing:
                self._work.report.counted[f"{kind.name} that only the sweep found"] += len(missing)
                yield from self._again(kind, missing)

    def _followed(self) -> Iterator[Window]:
        """Read again what points at rows that were buried since the last time.

        After a merge the system has moved the references to the one that is left.
        """
        done = self._work.state.get("followed") or "1970-01-01T00:00:00+00:00"
        latest: list[str] = []
        pointing: dict[str, set[str]] = {}
        for reference, table in _BURIED.items():
            rows = self._buried(table, reference, done)
            latest += [at for _, at in rows]
            ids = {reference: [it for it, _ in rows]}
            for other in _POINTING[reference] if rows else ():
                key = self._own.keys(other)[0]
                found = self._own.select(other, [key], _LIVING, ids)
                pointing.setdefault(other, set()).update(self._hubspot.bare(it) for (it,) in found)
        if not latest:
            return
        if self._hubspot.reads_lead_objects:
            leads = sorted(pointing.get("crm.leads", ()))
            yield from Sales(self._hubspot).leads_again(leads)
        yield from Sales(self._hubspot).again(sorted(pointing.get("crm.deals", ())))
        for kind in KINDS:
            table, _ = TABLES[kind.name]
            begin = f"{TOUCHES[kind.name]}:" if kind.name in TOUCHES else ""
            ids_of_kind = [
                it.removeprefix(begin)
                for it in pointing.get(table, ())
                if it.removeprefix(begin).isdigit() and it.startswith(begin)
            ]
            yield from Touches(self._hubspot).again(kind, sorted(ids_of_kind))
        yield Window("references", state={"followed": max(latest)}, done=0.98)

    def _buried(self, table: str, key: str, done: str) -> list[tuple[str, str]]:
        """Rows that were buried after an instant: key, and when that was written."""
        relation = self._own.current(table)
        if relation is None:
            return []
        sql = (
            f"select {key}, epoch_us(_loaded_at) from {relation} where is_deleted = 'true' "
            f"and _loaded_at > timestamptz '{done}' order by all"
        )
        epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        return [
            (row_id, (epoch + timedelta(microseconds=at)).isoformat())
            for row_id, at in self._own.session.execute(sql).fetchall()
        ]


def graves(
    hubspot: Hubspot, kind: Kind, gone: Mapping[str, datetime | None]
) -> dict[str, list[Row]]:
    """Tombstones of these objects in all tables where they live, with what follows from them.

    A tombstone is never older than the row that it buries.
    """
    tables: list[tuple[str, str, str]] = []
    if kind is CONTACTS:
        tables = [("crm.contacts", "contact_id", "")]
        if not hubspot.has_lead_objects:
            tables.append(("crm.leads", "lead_id", ""))
    elif kind is COMPANIES:
        tables = [("crm.contacts", "contact_id", "co")]
    elif kind is LEAD_OBJECTS:
        tables = [("crm.leads", "lead_id", "")]
    elif kind is DEALS:
        tables = [("crm.deals", "deal_id", "")]
    found: dict[str, list[Row]] = {}
    stamp = hubspot.work.stamps.next()
    if not tables:
        table, key = TABLES[kind.name]
        keys = {str(touch_id(hubspot, kind, it)): at for it, at in gone.items()}
        found[table] = _graves(hubspot, table, key, keys, stamp)
    for table, key, begin in tables:
        keys = {str(hubspot.id(begin + it)): at for it, at in gone.items()}
        found[table] = _graves(hubspot, table, key, keys, stamp)
    if kind in (CONTACTS, COMPANIES):
        found[PARTIES] = _gone_parties(hubspot, "co" if kind is COMPANIES else "", gone, stamp)
    if kind is DEALS:
        deals = {row["deal_id"]: mapping.moment(row["updated_at"]) for row in found["crm.deals"]}
        for table, rows in derived_graves(hubspot, deals, {}).items():
            found.setdefault(table, []).extend(rows)
    return found


def _graves(
    hubspot: Hubspot, table: str, key: str, gone: Mapping[str, datetime | None], stamp: datetime
) -> list[Row]:
    rows = hubspot.work.own.select(table, [key, "updated_at"], _LIVING, {key: list(gone)})
    found = []
    for row_id, written in rows:
        times = [it for it in (gone[row_id], mapping.moment(written)) if it is not None]
        found.append({**bare(key, row_id, max(times, default=None)), "_loaded_at": stamp})
    return found


def _gone_parties(
    hubspot: Hubspot, begin: str, gone: Mapping[str, datetime | None], stamp: datetime
) -> list[Row]:
    ids = {begin + it: at for it, at in gone.items()}
    where = "phones <> '[]' or company_ids <> '[]'"
    rows = hubspot.work.own.select(
        PARTIES, ["party_id", "updated_at"], where, {"party_id": list(ids)}
    )
    found = []
    for party_id, written in rows:
        at = ids[party_id]
        time = max(text_of(at) if at else "", written or "") or None
        found.append({**gone_party(party_id, time), "_loaded_at": stamp})
    return found


def merged_graves(hubspot: Hubspot, kind: Kind, chunk: Chunk) -> dict[str, list[Row]]:
    """Tombstones of what became one with these objects: no list names it any more."""
    losers = {
        loser: mapping.moment(mapping.updated(item, kind))
        for item, _ in chunk.items
        for loser in mapping.merged(item)
    }
    return graves(hubspot, kind, losers) if losers else {}
