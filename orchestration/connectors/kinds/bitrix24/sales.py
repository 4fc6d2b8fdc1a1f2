"""Managers, pipelines, history, leads and deals, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.rules import Deal, reference, text
from orchestration.connectors.crm.vanished import bare, dropped, stale
from orchestration.connectors.kinds.bitrix24 import mapping
from orchestration.connectors.kinds.bitrix24.api import Json
from orchestration.connectors.kinds.bitrix24.connector import HISTORY, Page
from orchestration.connectors.kinds.bitrix24.mapping import DEAL, LEAD, Entry
from orchestration.connectors.kinds.bitrix24.people import People, lead_contact
from orchestration.connectors.loading import text_of

if TYPE_CHECKING:
    from orchestration.connectors.kinds.bitrix24.connector import Bitrix24

_STAGE_HISTORY = "crm.stagehistory.list"
_SELECT = ("ID", "TYPE_ID", "OWNER_ID", "CREATED_TIME", "CATEGORY_ID", "STAGE_SEMANTIC_ID",
           "STAGE_ID", "STATUS_ID")  # fmt: skip
# So often the history is read from its beginning: entries below the cursor can reappear.
_WHOLE_EVERY = timedelta(days=30)
# Items of so many pages are mapped at once: each time the history is searched.
_AT_ONCE = 2_000
# The zone of the webhook's owner is judged by so many deals.
_ZONE_SAMPLE = 50
_TABLES = (
    "crm.sources", "crm.leads", "crm.deals", "crm.deal_stage_history", "crm.meetings",
    "crm.payments",
)  # fmt: skip
_LIVING = "is_deleted is distinct from 'true'"


class Sales:
    """One run's reading of the sales side of a portal."""

    def __init__(self, bitrix: Bitrix24) -> None:
        self._bitrix = bitrix
        self._keys = bitrix.connection
        self._work = bitrix.work
        self._own = bitrix.work.own
        self._is_zone_checked = False

    def dictionaries(self) -> Iterator[Window]:
        """Managers, sources, pipelines, stages; those that are gone keep their values, flagged."""
        bitrix = self._bitrix
        bitrix.prepare()
        departments = bitrix.api.all("department.get", None)
        rows: dict[str, list[Row]] = {
            "crm.managers": mapping.managers(bitrix.users, departments, self._keys),
            "crm.sources": [
                {
                    "source_id": bitrix.id(source_id),
                    "name": name,
                    "channel": bitrix.channel(source_id, name),
                }
                for source_id, name in bitrix.source_names.items()
            ],
            "crm.pipelines": [
                {"pipeline_id": bitrix.id(str(it["id"])), "name": text(it.get("name"))}
                for it in bitrix.categories
            ],
            "crm.stages": [
                {
                    "stage_id": bitrix.id(stage.stage_id),
                    "pipeline_id": bitrix.id(stage.pipeline_id),
                    "name": stage.name,
                    "position": str(stage.position),
                    "kind": bitrix.stages.kind(stage.stage_id),
                }
                for stage in bitrix.deal_stages
            ],
        }
        own_sources = tuple(str(bitrix.id(it)) for it in ("fd:", "utm:"))
        stamp = self._work.stamps.next()
        found = {}
        for table, there in rows.items():
            gone = [
                row
                for row in dropped(self._own, table, there)
                if table != "crm.sources" or not str(row["source_id"]).startswith(own_sources)
            ]
            found[table] = [{**row, "_loaded_at": stamp} for row in [*there, *gone]]
        yield Window("managers, sources, stages", found, known_since=ALWAYS, done=0.02)

    def history(self) -> Iterator[Window]:
        """Entries into stages: new ones, and every 30 days all that there are."""
        entities = (DEAL, LEAD) if self._bitrix.is_classic else (DEAL,)
        for entity in entities:
            yield from self._history_of(entity)

    def _history_of(self, entity: int) -> Iterator[Window]:
        what = f"{_STAGE_HISTORY} {entity}"
        state, end, asked = self._work.state, self._bitrix.end, self._work.slice
        cursor, whole = state.get(f"cursor:{what}"), state.get(f"whole:{what}")
        is_again = False
        body: dict[str, Any] = {"entityTypeId": entity, "select": list(_SELECT)}
        if asked.is_named:
            cursor = 0
            body["filter"] = {"<=CREATED_TIME": end.isoformat()}
            if asked.start:
                body["filter"][">=CREATED_TIME"] = asked.start.isoformat()
        elif cursor is not None and whole:
            is_again = end - datetime.fromisoformat(whole) >= _WHOLE_EVERY
        # A part of a whole reading that was ended before goes on.
        last = int(state.get(f"whole_at:{what}") or 0) if is_again else int(cursor or 0)
        late: set[str] = set()
        for rows in self._bitrix.api.items(_STAGE_HISTORY, "ID", "items", body, what, last):
            self._work.report.account(what, len(rows), len(rows))
            last = int(rows[-1]["ID"]) if rows else last
            fresh = self._unknown(rows, entity)
            late |= {str(it["OWNER_ID"]) for it in fresh} if is_again else set()
            new: dict[str, Any] = {}
            if not asked.is_named:
                new[f"cursor:{what}"] = max(int(cursor or 0), last)
                if is_again:
                    new[f"whole_at:{what}"] = last
            yield Window("history", self._entries(fresh, entity), new, 0.3)
        if not asked.is_named and (is_again or not whole):
            yield from self.again(entity, sorted(late))
            begun = {f"whole:{what}": end.isoformat(), f"whole_at:{what}": None}
            yield Window("history", state=begun, done=0.3)

    def _unknown(self, rows: Sequence[Json], entity: int) -> list[Json]:
        """Entries that are not in the zone yet."""
        ids = [f"{entity}:{row['ID']}" for row in rows]
        known = {it for (it,) in self._own.select(HISTORY, ["entry_id"], ids={"entry_id": ids})}
        return [row for row, key in zip(rows, ids, strict=True) if key not in known]

    def _entries(self, rows: Sequence[Json], entity: int) -> dict[str, list[Row]]:
        stamp = self._work.stamps.next()
        entries = [mapping.history_row(row, entity) for row in rows]
        found: dict[str, list[Row]] = {HISTORY: entries}
        if entity == DEAL:
            found["crm.deal_stage_history"] = [
                self._entry(mapping.entry_of([row[it] for it in mapping.HISTORY_COLUMNS]), None)
                for row in entries
            ]
            changed = sum(row["type_id"] == mapping.PIPELINE_CHANGED for row in entries)
            if changed:
                self._work.report.counted["deals that changed their pipeline"] += changed
        return {
            table: [{**row, "_loaded_at": stamp} for row in listed]
            for table, listed in found.items()
        }

    def _entry(self, entry: Entry, by: str | None) -> Row:
        bitrix = self._bitrix
        return {
            "event_id": bitrix.id(str(entry.entry_id)),
            "deal_id": bitrix.id(entry.owner_id),
            "stage_id": bitrix.id(entry.stage_id),
            "entered_at": entry.written,
            "manager_id": bitrix.id(by),
        }

    def items(self) -> Iterator[Window]:
        """Leads, then deals, with what follows from them."""
        if self._bitrix.is_classic:
            yield from self._items_of(LEAD, 0.45)
        yield from self._items_of(DEAL, 0.75)

    def _items_of(self, entity: int, done: float) -> Iterator[Window]:
        waiting: list[tuple[Json, datetime]] = []
        for page in self._bitrix.item_pages(entity):
            waiting += [(row, page.stamp) for row in page.rows]
            if page.is_last or len(waiting) >= _AT_ONCE:
                yield self._window(entity, waiting, page, done)
                waiting = []

    def _window(
        self, entity: int, waiting: Sequence[tuple[Json, datetime]], page: Page, done: float
    ) -> Window:
        what = "leads" if entity == LEAD else "deals"
        return Window(what, self.rows(entity, waiting), page.state, done, page.known_since)

    def again(self, entity: int, ids: Sequence[str]) -> Iterator[Window]:
        """Items that have to be read again by their ids."""
        for rows, stamp in self._bitrix.by_ids(entity, ids):
            found = self.rows(entity, [(row, stamp) for row in rows])
            yield Window("items by id", found, known_since=ALWAYS)

    def rows(self, entity: int, items: Sequence[tuple[Json, datetime]]) -> dict[str, list[Row]]:
        """All rows that these leads or deals give."""
        chosen = [
            (mapping.shifted(item, self._keys.user_time_shift_minutes), stamp)
            for item, stamp in items
            if self._is_wanted(item)
        ]
        entries = self._entries_of(entity, [str(item["id"]) for item, _ in chosen])
        if entity == DEAL:
            self._check_zone(chosen, entries)
        found: dict[str, list[Row]] = {table: [] for table in _TABLES}
        sources: set[str] = set()
        for item, stamp in chosen:
            own = entries.get(str(item["id"]), [])
            given = self._of_lead(item, own) if entity == LEAD else self._of_deal(item, own)
            for table, rows in given.items():
                for row in rows:
                    if table == "crm.sources":
                        if row["source_id"] in sources:
                            continue
                        sources.add(row["source_id"])
                    found[table].append({**row, "_loaded_at": stamp})
        if entity == DEAL:
            found["crm.deal_stage_history"] += self._movers(chosen, entries)
            self._drop_stale(found, chosen)
        elif chosen:
            people = People(self._bitrix).of_leads([it for it, _ in chosen], chosen[-1][1])
            found |= people
        return found

    def _is_wanted(self, item: Json) -> bool:
        if mapping.yes(item.get("isRecurring")):
            self._work.report.counted["templates of recurring deals, left out"] += 1
            return False
        start, created = self._bitrix.start, mapping.moment(item.get("createdTime"))
        if start and created and created < start:
            self._work.report.counted["created before start_date, left out"] += 1
            return False
        return True

    def _of_lead(self, item: Json, entries: Sequence[Entry]) -> dict[str, list[Row]]:
        bitrix, rules, fields = self._bitrix, self._bitrix.rules[LEAD], self._bitrix.fields[LEAD]
        stage = f"{mapping.LEADS}:{item.get('stageId')}"
        contact = lead_contact(item, self._keys.companies_as_contacts)
        lead = self._facts(LEAD, item, entries, stage, contact)
        semantic = str(item.get("stageSemanticId") or "")
        system = {"S": True, "F": False}.get(semantic)
        is_target, qualified_at = rules.target(lead, system)
        if is_target is system is not None and not lead.values(fields.target):
            qualified_at = qualified_at or rules.entered(lead)
            qualified_at = qualified_at or mapping.moment(item.get("dateClosed"))
        source_id, source = bitrix.source_of(item, self._source_field(LEAD, lead))
        row = self._lead(LEAD, item, lead, entries, source_id, is_target, qualified_at)
        return {"crm.sources": [source] if source else [], "crm.leads": [row]}

    def _of_deal(self, item: Json, entries: Sequence[Entry]) -> dict[str, list[Row]]:
        bitrix, rules = self._bitrix, self._bitrix.rules[DEAL]
        stage = mapping.deal_stage(item.get("categoryId"), item.get("stageId"))
        contact = mapping.contact_of(item, self._keys.companies_as_contacts)
        deal = self._facts(DEAL, item, entries, stage, contact)
        source_id, source = bitrix.source_of(item, self._source_field(DEAL, deal))
        rows: dict[str, list[Row]] = {"crm.sources": [source] if source else []}
        lead_id = reference(item.get("leadId"))
        if not bitrix.is_classic and self._is_lead(deal):
            lead_id = deal.deal_id
            is_target, qualified_at = rules.target(deal)
            rows["crm.leads"] = [
                self._lead(DEAL, item, deal, entries, source_id, is_target, qualified_at)
            ]
        rows["crm.deals"] = [self._deal(item, deal, lead_id, source_id)]
        meetings = rules.meetings(deal, lead_id, is_deal=True)
        rows["crm.meetings"] = [self._prefixed(rules.repair_meeting(it)) for it in meetings]
        rows["crm.payments"] = [self._prefixed(it) for it in rules.payments(deal)]
        return rows

    def _is_lead(self, deal: Deal) -> bool:
        """Where deals are leads too: whether it was ever in a pipeline other than repeat sales."""
        by_id = self._bitrix.stages.by_id
        stages = [by_id[it.stage_id] for it in deal.moves if it.stage_id in by_id]
        passed = {deal.pipeline_id, *(it.pipeline_id for it in stages)}
        return not passed <= self._bitrix.deal_only

    def _facts(
        self, entity: int, item: Json, entries: Sequence[Entry], stage: str, contact: str | None
    ) -> Deal:
        bitrix = self._bitrix
        promised = mapping.DEAL_FIELDS if entity == DEAL else mapping.LEAD_FIELDS
        self._work.report.lacking(f"crm.item.list {entity}", item, promised)
        custom, types = bitrix.custom[entity]
        values = mapping.field_values(item, custom, types)
        own = bitrix.fields[entity].lost_reason
        written = values.get(own.field_id) if own else None
        reason = written[0].text if written else None
        if reason is None and bitrix.stages.kind(stage) == "lost":
            known = bitrix.stages.by_id.get(stage)
            reason = known.name if known else None
        base = None if item.get("currencyId") or entity == LEAD else bitrix.base_currency
        return mapping.facts(item, entries, stage, contact, reason, values, base)

    def _lead(
        self,
        entity: int,
        item: Json,
        lead: Deal,
        entries: Sequence[Entry],
        source: str | None,
        is_target: bool | None,
        qualified_at: datetime | None,
    ) -> Row:
        bitrix, fields = self._bitrix, self._bitrix.fields[entity]
        return bitrix.rules[entity].repair_lead(
            {
                "lead_id": bitrix.id(lead.deal_id),
                "contact_id": bitrix.id(lead.contact_id),
                "manager_id": bitrix.id(lead.owner),
                "source_id": source,
                "created_at": mapping.time_text(item.get("createdTime")),
                "taken_at": _time(self._taken_at(entries)),
                "is_target": text(is_target),
                "qualified_at": _time(qualified_at),
                "rejection_reason": lead.reason if is_target is False else None,
                "utm_source": lead.value(fields.utm_source) or text(item.get("utmSource")),
                "utm_medium": lead.value(fields.utm_medium) or text(item.get("utmMedium")),
                "utm_campaign": lead.value(fields.utm_campaign) or text(item.get("utmCampaign")),
                "updated_at": mapping.time_text(item.get("updatedTime")),
            }
        )

    def _deal(self, item: Json, deal: Deal, lead_id: str | None, source: str | None) -> Row:
        bitrix, rules, fields = self._bitrix, self._bitrix.rules[DEAL], self._bitrix.fields[DEAL]
        kind = bitrix.stages.kind(deal.stage_id)
        pipeline = next(
            (str(it.get("name")) for it in bitrix.categories if str(it["id"]) == deal.pipeline_id),
            "",
        )
        row = {
            "deal_id": bitrix.id(deal.deal_id),
            "lead_id": bitrix.id(lead_id),
            "contact_id": bitrix.id(deal.contact_id),
            "manager_id": bitrix.id(deal.owner),
            # Category 0 exists; an answer that lacks one of the two names none.
            "pipeline_id": bitrix.id(deal.pipeline_id) if "categoryId" in item else None,
            "stage_id": bitrix.id(deal.stage_id) if item.get("stageId") else None,
            "source_id": source,
            "amount": deal.amount,
            "currency": deal.currency,
            "deal_type": mapping.deal_type(
                item, rules.deal_type(deal, pipeline), self._keys, bitrix.deal_types
            ),
            "created_at": mapping.time_text(item.get("createdTime")),
            "expected_close_on": deal.value(fields.expected_close)
            or mapping.day(item.get("closedate")),
            # Never closedate: that is a plan, which people edit.
            "closed_at": _time(deal.closed_at) if kind in ("won", "lost") else None,
            "lost_reason": deal.reason if kind == "lost" else None,
            "updated_at": mapping.time_text(item.get("updatedTime")),
        }
        return rules.repair_deal(row, deal.moves[0].at if deal.moves else None)

    def _taken_at(self, entries: Sequence[Entry]) -> datetime | None:
        """The first entry into a stage other than the first one, or into a named one."""
        taken, waiting = self._bitrix.stages.taken, self._bitrix.first_stages
        for entry in entries:
            if entry.stage_id is None:
                continue
            if entry.stage_id in taken or (not taken and entry.stage_id not in waiting):
                return entry.at
        return None

    def _source_field(self, entity: int, deal: Deal) -> tuple[str, str] | None:
        values = deal.values(self._bitrix.fields[entity].source)
        return (values[0].option or values[0].text, values[0].text) if values else None

    def _entries_of(self, entity: int, ids: Sequence[str]) -> dict[str, list[Entry]]:
        where = f"entity = '{entity}'"
        rows = self._own.select(HISTORY, mapping.HISTORY_COLUMNS, where, {"owner_id": ids})
        found: dict[str, list[Entry]] = {}
        for row in rows:
            entry = mapping.entry_of(row)
            found.setdefault(entry.owner_id, []).append(entry)
        for entries in found.values():
            entries.sort(key=lambda it: (it.at is not None and it.at.timestamp(), it.entry_id))
        return found

    def _movers(
        self, items: Sequence[tuple[Json, datetime]], entries: Mapping[str, Sequence[Entry]]
    ) -> list[Row]:
        """History rows of which it is known who moved the deal, and those of which it was.

        The system names the last mover alone. What it named before is taken back, so that a zone
        that was read often says the same as one that was read once.
        """
        wanted: dict[str | None, Row] = {}
        by_id: dict[str, Entry] = {}
        for item, stamp in items:
            own = entries.get(str(item["id"]), [])
            by_id |= {str(self._bitrix.id(str(it.entry_id))): it for it in own}
            stage = mapping.deal_stage(item.get("categoryId"), item.get("stageId"))
            found = mapping.mover(item, own, stage)
            if found:
                row = self._entry(*found)
                wanted[row["event_id"]] = {**row, "_loaded_at": stamp}
        stamp = self._work.stamps.next()
        named = dict(
            self._own.select(
                "crm.deal_stage_history", ["event_id", "manager_id"], "manager_id is not null",
                {"deal_id": [str(self._bitrix.id(str(item["id"]))) for item, _ in items]},
            )
        )  # fmt: skip
        for event_id, manager in named.items():
            if event_id in wanted and wanted[event_id]["manager_id"] == manager:
                del wanted[event_id]
            elif event_id not in wanted and event_id in by_id:
                wanted[event_id] = {**self._entry(by_id[event_id], None), "_loaded_at": stamp}
        return list(wanted.values())

    def _drop_stale(
        self, found: dict[str, list[Row]], deals: Sequence[tuple[Json, datetime]]
    ) -> None:
        """Payments and meetings that these deals told of before, and tell of no more."""
        times = {
            self._bitrix.id(str(it["id"])): mapping.moment(it.get("updatedTime")) for it, _ in deals
        }
        stamp = self._work.stamps.next()
        for table, key, origins in (
            ("crm.payments", "payment_id", ("won:", "paid:")),
            ("crm.meetings", "meeting_id", ("st:", "fd:")),
        ):
            there = {row[key] for row in found[table]}
            for row_id, deal_id in stale(self._own, table, key, "deal_id", times):
                if row_id not in there and row_id.removeprefix(self._keys.prefix).startswith(
                    origins
                ):
                    grave = bare(key, row_id, times.get(deal_id))
                    found[table].append({**grave, "_loaded_at": stamp})

    def _check_zone(
        self, deals: Sequence[tuple[Json, datetime]], entries: Mapping[str, Sequence[Entry]]
    ) -> None:
        """Stop where times come in the zone of the webhook's owner, with the portal's offset."""
        if self._is_zone_checked:
            return
        minutes = self.zone_shift([item for item, _ in deals], entries)
        self._is_zone_checked = len(deals) >= _ZONE_SAMPLE
        if minutes:
            raise self._bitrix.api.http.refused(
                "crm.item.list",
                f"createdTime is {minutes} minutes ahead of the deals' own history",
                "Set the time zone of the webhook's owner to the portal's. If that is impossible, "
                f"set user_time_shift_minutes: {self._keys.user_time_shift_minutes + minutes}.",
            )

    def zone_shift(
        self, deals: Sequence[Json], entries: Mapping[str, Sequence[Entry]] | None = None
    ) -> int:
        """Minutes by which createdTime is ahead of the history, by up to 50 deals; 0: it is not."""
        pairs = []
        for item in deals[:_ZONE_SAMPLE]:
            created = mapping.moment(item.get("createdTime"))
            for entry in (entries or {}).get(str(item["id"]), []):
                if entry.type_id == mapping.CREATED and entry.at and created:
                    pairs.append((created, entry.at))
        return mapping.common_shift(pairs)

    def _prefixed(self, row: Row) -> Row:
        """A row of the rules with the connection's prefix before every id."""
        ids = ("meeting_id", "payment_id", "deal_id", "lead_id", "contact_id", "set_by", "held_by")
        return {key: self._bitrix.id(it) if key in ids else it for key, it in row.items()}


def _time(moment: datetime | None) -> str | None:
    return text_of(moment) if moment else None
