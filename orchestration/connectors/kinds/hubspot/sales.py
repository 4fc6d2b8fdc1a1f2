"""Managers, pipelines, leads and deals, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.rules import Deal, Move, currency, reference, text
from orchestration.connectors.crm.vanished import bare, dropped, stale
from orchestration.connectors.kinds.hubspot import mapping
from orchestration.connectors.kinds.hubspot.api import Json, Link
from orchestration.connectors.kinds.hubspot.connector import LINKS, Chunk
from orchestration.connectors.kinds.hubspot.leads import Leads, contact_of
from orchestration.connectors.kinds.hubspot.mapping import DEALS, LEAD_OBJECTS, Version
from orchestration.connectors.loading import text_of

if TYPE_CHECKING:
    from orchestration.connectors.kinds.hubspot.connector import Hubspot

_TABLES = (
    "crm.sources", "crm.deals", "crm.deal_stage_history", "crm.meetings", "crm.payments", LINKS,
)  # fmt: skip
_LIVING = "is_deleted is distinct from 'true'"
_LINKED = ("contacts", "companies", "leads")
_EVENT = ("event_id", "deal_id", "stage_id", "entered_at", "manager_id")


class Sales:
    """One run's reading of the sales side of a portal."""

    def __init__(self, hubspot: Hubspot) -> None:
        self._hubspot = hubspot
        self._keys = hubspot.connection
        self._work = hubspot.work
        self._own = hubspot.work.own
        self._read: set[str] = set()

    def dictionaries(self) -> Iterator[Window]:
        """Managers, pipelines, stages; those that are gone keep their values, flagged."""
        hubspot = self._hubspot
        # All that the keys name is found before anything is read.
        assert hubspot.rules is not None
        kinds = {it.stage_id: hubspot.stages.kind(it.stage_id) for it in hubspot.stages.all}
        rows = {
            "crm.managers": mapping.managers(hubspot.owners, self._keys),
            **mapping.dictionary_rows(hubspot.pipelines, kinds, self._keys.prefix),
        }
        stamp = self._work.stamps.next()
        found = {
            table: [
                {**row, "_loaded_at": stamp} for row in [*there, *dropped(self._own, table, there)]
            ]
            for table, there in rows.items()
        }
        state = hubspot.identity
        yield Window("managers, stages", found, state, known_since=ALWAYS, done=0.02)

    def read(self) -> Iterator[Window]:
        """Leads, then deals, then deals whose references moved without their knowing."""
        if self._hubspot.reads_lead_objects:
            for chunk in self._hubspot.chunks(LEAD_OBJECTS):
                rows = self._leads(chunk)
                yield Window("leads", rows, chunk.state, 0.4, chunk.since)
        for chunk in self._hubspot.chunks(DEALS):
            yield Window("deals", self._deals(chunk), chunk.state, 0.7, chunk.since)
        yield from self._moved_links()
        yield from self.again(sorted(self._other_leads()))

    def again(self, ids: Sequence[str]) -> Iterator[Window]:
        """Deals that have to be read again by their ids."""
        for chunk in self._hubspot.by_ids(DEALS, ids):
            yield Window("deals by id", self._deals(chunk), known_since=ALWAYS)

    def leads_again(self, ids: Sequence[str]) -> Iterator[Window]:
        """Lead objects that have to be read again by their ids."""
        for chunk in self._hubspot.by_ids(LEAD_OBJECTS, ids):
            yield Window("leads by id", self._leads(chunk), known_since=ALWAYS)

    def _leads(self, chunk: Chunk) -> dict[str, list[Row]]:
        from orchestration.connectors.kinds.hubspot.deletions import merged_graves

        found = Leads(self._hubspot).of_objects(chunk)
        for table, rows in merged_graves(self._hubspot, LEAD_OBJECTS, chunk).items():
            found.setdefault(table, []).extend(rows)
        return found

    def _moved_links(self) -> Iterator[Window]:
        """Open deals whose associations changed: that need not move a deal's time of change."""
        closed = [
            str(self._hubspot.id(it.stage_id))
            for it in self._hubspot.stages.all
            if self._hubspot.stages.kind(it.stage_id) in ("won", "lost")
        ]
        named = ", ".join(f"'{it}'" for it in closed) or "''"
        rows = self._own.select(
            "crm.deals", ["deal_id"], f"{_LIVING} and stage_id not in ({named})"
        )
        ids = [it for (row,) in rows if (it := self._hubspot.bare(row)) not in self._read]
        if not ids:
            return
        known = {
            row[0]: row[1:]
            for row in self._own.select(LINKS, ["deal_id", *_LINKED], ids={"deal_id": ids})
        }
        chunk = Chunk()
        for to in self._hubspot.links_of(DEALS):
            chunk.links[to] = self._hubspot.api.links(DEALS.name, to, ids)
        self._remember_leads(chunk, ids)
        now = {it: tuple(self._linked(chunk, {"id": it})[1:]) for it in ids}
        yield from self.again([it for it in ids if known.get(it) != now[it]])

    def _remember_leads(self, chunk: Chunk, ids: Sequence[str]) -> None:
        """Where leads may not be read any more, deals keep the leads that they had."""
        if not self._hubspot.has_lead_objects or self._hubspot.reads_lead_objects:
            return
        rows = self._own.select(LINKS, ["deal_id", "leads"], ids={"deal_id": ids})
        chunk.links["leads"] = {
            deal: [Link(it, number == 0) for number, it in enumerate(json.loads(leads))]
            for deal, leads in rows
        }

    def _linked(self, chunk: Chunk, item: Json) -> list[str]:
        """A row of the private table of associations; the primary one comes first."""
        found = [str(item["id"])]
        for to in _LINKED:
            links = chunk.linked(to, item)
            first = mapping.chosen(links)
            others = sorted({it.to_id for it in links} - {first})
            found.append(json.dumps([it for it in (first, *others) if it]))
        return found

    def _other_leads(self) -> set[str]:
        """Deals without a lead of their own whose contact's newest lead is another one by now."""
        if not self._hubspot.has_lead_objects:
            return set()
        deals, links = self._own.current("crm.deals"), self._own.current(LINKS)
        if deals is None or links is None:
            return set()
        prefix = self._keys.prefix
        relation = f"""(
            select d.* from {deals} as d
            join {links} as l on d.deal_id = '{prefix}' || l.deal_id
            where d.is_deleted is distinct from 'true' and l.leads = '[]'
        )"""
        wanted = self._newest_leads(relation)
        written = self._own.session.execute(f"select deal_id, lead_id from {relation}").fetchall()
        return {self._hubspot.bare(deal) for deal, lead in written if lead != wanted.get(deal)}

    def _newest_leads(self, deals: str) -> dict[str, str]:
        """By deal: the newest lead of its contact from before the deal; all ids with prefix."""
        leads = self._own.current("crm.leads")
        if leads is None:
            return {}
        sql = f"""
            select d.deal_id, l.lead_id
            from {deals} as d
            join {leads} as l on l.contact_id = d.contact_id
            where l.is_deleted is distinct from 'true'
                and try_cast(l.created_at as timestamptz) <= try_cast(d.created_at as timestamptz)
            qualify row_number() over (
                partition by d.deal_id
                order by try_cast(l.created_at as timestamptz) desc, l.lead_id
            ) = 1
        """
        return dict(self._own.session.execute(sql).fetchall())

    def _deals(self, chunk: Chunk) -> dict[str, list[Row]]:
        """All rows that these deals give."""
        from orchestration.connectors.kinds.hubspot.deletions import merged_graves

        found: dict[str, list[Row]] = {table: [] for table in _TABLES}
        ids = [str(item["id"]) for item, _ in chunk.items]
        self._read.update(ids)
        self._remember_leads(chunk, ids)
        history = self._history_of(ids)
        for item, stamp in chunk.items:
            for table, rows in self._of_deal(chunk, item, stamp, history).items():
                found[table] += [{"_loaded_at": stamp, **row} for row in rows]
        self._drop_stale(found, chunk)
        self._lead_of(found["crm.deals"], chunk)
        for table, rows in merged_graves(self._hubspot, DEALS, chunk).items():
            found.setdefault(table, []).extend(rows)
        return found

    def _lead_of(self, deals: Sequence[Row], chunk: Chunk) -> None:
        """Set the leads of deals: the associated one, else the contact's newest before the deal."""
        hubspot = self._hubspot
        if not hubspot.has_lead_objects:
            return
        own = {
            hubspot.id(str(item["id"])): mapping.chosen(chunk.linked("leads", item))
            for item, _ in chunk.items
        }
        free = [row for row in deals if own[row["deal_id"]] is None]
        newest = self._newest_leads(self._as_relation(free)) if free else {}
        for row in deals:
            lead = own[row["deal_id"]]
            row["lead_id"] = hubspot.id(lead) if lead else newest.get(row["deal_id"])

    def _as_relation(self, rows: Sequence[Row]) -> str:
        import pyarrow as pa

        names = ("deal_id", "contact_id", "created_at")
        table = pa.table({it: pa.array([row[it] for row in rows], pa.string()) for it in names})
        self._own.session.register("deals_without_lead", table)
        return "deals_without_lead"

    def _of_deal(
        self, chunk: Chunk, item: Json, stamp: datetime, history: Mapping[str, Sequence[Row]]
    ) -> dict[str, list[Row]]:
        hubspot = self._hubspot
        rules = hubspot.rules[DEALS.name]
        own = mapping.properties(item)
        written = history.get(str(item["id"]), ())
        events = self._events(item, written)
        deal = self._facts(chunk, item, events)
        fields = hubspot.fields[DEALS.name]
        utm = deal.value(fields.utm_source)
        source_id, source = hubspot.source_of(own, deal.values(fields.source), utm)
        contact = deal.contact_id
        is_lead = contact is not None and not contact.startswith("co")
        # Lead objects are set for all deals at once.
        lead_id = contact if is_lead and not hubspot.has_lead_objects else None
        kind = hubspot.stages.kind(deal.stage_id)
        stage = hubspot.stages.by_id.get(deal.stage_id)
        expected = deal.value(fields.expected_close)
        row = {
            "deal_id": hubspot.id(deal.deal_id),
            "lead_id": hubspot.id(lead_id),
            "contact_id": hubspot.id(contact),
            "manager_id": hubspot.id(deal.owner),
            "pipeline_id": hubspot.id(text(own.get("pipeline"))),
            # An answer that lacks one of the two names no stage.
            "stage_id": hubspot.id(deal.stage_id)
            if own.get("pipeline") and own.get("dealstage")
            else None,
            "source_id": source_id,
            "amount": deal.amount,
            "currency": deal.currency,
            "deal_type": mapping.deal_type(
                own, rules.deal_type(deal, stage.pipeline if stage else ""), self._keys
            ),
            "created_at": mapping.created(item),
            # Once a deal is closed this is when, not when it was expected.
            "expected_close_on": None
            if kind in ("won", "lost")
            else expected or mapping.day(own.get("closedate"), hubspot.zone),
            "closed_at": _time(deal.closed_at) if kind in ("won", "lost") else None,
            "lost_reason": deal.reason if kind == "lost" else None,
            "updated_at": mapping.updated(item, DEALS),
        }
        first = deal.moves[0].at if deal.moves else None
        meetings = rules.meetings(deal, lead_id, is_deal=True)
        linked = dict(zip(("deal_id", *_LINKED), self._linked(chunk, item), strict=True))
        return {
            "crm.sources": hubspot.sources(source, stamp),
            "crm.deals": [rules.repair_deal(row, first)],
            "crm.deal_stage_history": [it for it in events if it not in written],
            "crm.meetings": [self._prefixed(rules.repair_meeting(it)) for it in meetings],
            "crm.payments": [self._prefixed(it) for it in rules.payments(deal)],
            LINKS: [linked],
        }

    def _facts(self, chunk: Chunk, item: Json, events: Sequence[Row]) -> Deal:
        hubspot, own = self._hubspot, mapping.properties(item)
        types = hubspot.custom[DEALS.name][1]
        fields, values = hubspot.fields[DEALS.name], hubspot.values(DEALS.name, own)
        reasons = values.get(fields.lost_reason.field_id, ()) if fields.lost_reason else ()
        stage = f"{own.get('pipeline')}:{own.get('dealstage')}"
        moves = [
            Move(
                at,
                hubspot.bare(row["stage_id"]),
                row["manager_id"] and hubspot.bare(row["manager_id"]),
            )
            for row in events
            if (at := mapping.moment(row["entered_at"])) is not None
        ]
        moves.sort(key=lambda it: it.at)
        entered = [it.at for it in moves if it.stage_id == stage]
        closed_at = entered[-1] if entered else mapping.moment(own.get("closedate"))
        return Deal(
            deal_id=str(item["id"]),
            stage_id=stage,
            pipeline_id=str(own.get("pipeline")),
            owner=reference(own.get("hubspot_owner_id")),
            contact_id=contact_of(chunk, item, self._keys.companies_as_contacts),
            amount=text(own.get("amount")),
            currency=currency(own.get("deal_currency_code")) or hubspot.base_currency,
            created_at=mapping.moment(mapping.created(item)),
            updated_at=mapping.moment(mapping.updated(item, DEALS)),
            closed_at=closed_at,
            reason=reasons[0].text if reasons else text(own.get("closed_lost_reason")),
            fields=values,
            moves=moves,
            changes={
                it.field_id: mapping.field_changes(item, it, types[it.field_id])
                for it in fields.watched
            },
        )

    def _history_of(self, ids: Collection[str]) -> dict[str, list[Row]]:
        """What is written of these deals' history: HubSpot gives only so many versions."""
        asked = {"deal_id": [str(self._hubspot.id(it)) for it in ids]}
        found: dict[str, list[Row]] = {}
        for values in self._own.select("crm.deal_stage_history", _EVENT, ids=asked):
            row = dict(zip(_EVENT, values, strict=True))
            found.setdefault(self._hubspot.bare(row["deal_id"]), []).append(row)
        return found

    def _events(self, item: Json, written: Sequence[Row]) -> list[Row]:
        """A deal's entries into stages: versions, what was written before, and what else it says.

        HubSpot remembers when a stage was last entered also where the version is forgotten.
        """
        hubspot, deal_id = self._hubspot, str(item["id"])
        stages = hubspot.stages.by_id
        found = {row["event_id"]: row for row in written}
        for entry in mapping.entries(item, stages):
            row = self._event(item, entry)
            found[row["event_id"]] = row
        there = {
            _own_stage(row["stage_id"])
            for key, row in found.items()
            if not hubspot.bare(key).startswith("v2:")
        }
        own = mapping.properties(item)
        pipelines, now = mapping.versions(item, "pipeline"), text(own.get("pipeline"))
        for stage in sorted({it.own_id for it in hubspot.stages.all}):
            at = mapping.moment(own.get(mapping.ENTERED + stage))
            if at is None or stage in there:
                continue
            entry = Version(at, stage, None)
            whole = mapping.stage_at(entry, pipelines, now, stages)
            key = str(hubspot.id(f"v2:{deal_id}:{stage}"))
            found[key] = self._row(key, deal_id, whole, at, None)
        return list(found.values())

    def _event(self, item: Json, entry: Version) -> Row:
        stage = _own_stage(entry.value)
        milliseconds = round(entry.at.timestamp() * 1000)
        key = str(self._hubspot.id(f"{item['id']}:{milliseconds}:{stage}"))
        by = self._hubspot.users.get(entry.user or "")
        return self._row(key, str(item["id"]), entry.value, entry.at, by)

    def _row(self, key: str, deal_id: str, stage: str, at: datetime, by: str | None) -> Row:
        hubspot = self._hubspot
        values = (key, hubspot.id(deal_id), hubspot.id(stage), text_of(at), hubspot.id(by))
        return dict(zip(_EVENT, values, strict=True))

    def _drop_stale(self, found: dict[str, list[Row]], chunk: Chunk) -> None:
        """Payments and meetings that these deals told of before, and tell of no more."""
        times = {
            self._hubspot.id(str(item["id"])): mapping.moment(mapping.updated(item, DEALS))
            for item, _ in chunk.items
        }
        for table, graves in derived_graves(self._hubspot, times, found).items():
            found[table] += graves

    def _prefixed(self, row: Row) -> Row:
        """A row of the rules with the connection's prefix before every id."""
        ids = ("meeting_id", "payment_id", "deal_id", "lead_id", "contact_id", "set_by", "held_by")
        return {key: self._hubspot.id(it) if key in ids else it for key, it in row.items()}


def derived_graves(
    hubspot: Hubspot,
    deals: Mapping[str | None, datetime | None],
    there: Mapping[str, Sequence[Row]],
) -> dict[str, list[Row]]:
    """Tombstones of payments and meetings that deals told of, and that are not `there` any more.

    `deals` are their ids with prefix, and their times.
    """
    found: dict[str, list[Row]] = {}
    stamp = hubspot.work.stamps.next()
    for table, key, origins in (
        ("crm.payments", "payment_id", ("won:", "paid:")),
        ("crm.meetings", "meeting_id", ("st:", "fd:")),
    ):
        kept = {row[key] for row in there.get(table, ())}
        found[table] = [
            {**bare(key, row_id, deals.get(deal_id)), "_loaded_at": stamp}
            for row_id, deal_id in stale(hubspot.work.own, table, key, "deal_id", deals)
            if row_id not in kept and hubspot.bare(row_id).startswith(origins)
        ]
    return found


def _own_stage(stage_id: str) -> str:
    return stage_id.rpartition(":")[2]


def _time(moment: datetime | None) -> str | None:
    return text_of(moment) if moment else None
