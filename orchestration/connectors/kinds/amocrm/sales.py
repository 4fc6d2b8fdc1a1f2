"""Managers, pipelines, history, leads and deals, and what follows from a deal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestration.base.durations import DAY
from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm.rules import Deal, reference, text, unix
from orchestration.connectors.crm.vanished import bare, dropped, stale
from orchestration.connectors.kinds.amocrm import mapping
from orchestration.connectors.kinds.amocrm.api import Json
from orchestration.connectors.loading import text_of

if TYPE_CHECKING:
    from orchestration.connectors.kinds.amocrm.connector import Amocrm, Span

EVENTS = "crm._amocrm_events"
WITH = "contacts,loss_reason,source_id,source"
_WEEK = 7 * DAY
# Leads of so many windows are mapped at once: each time the whole history is searched.
_AT_ONCE = 4_000


class Sales:
    """One run's reading of the sales side of an account."""

    def __init__(self, amo: Amocrm) -> None:
        self._amo = amo
        self._keys = amo.connection
        self._work = amo.work
        self._own = amo.work.own

    def dictionaries(self) -> Iterator[Window]:
        """Managers, pipelines and stages; those that are gone keep their values, flagged."""
        amo, keys = self._amo, self._keys
        pipelines = [
            {
                "pipeline_id": amo.id(str(row["id"])),
                "name": text(row.get("name")),
                "is_deleted": "true" if row.get("is_archive") else None,
            }
            for row in amo.pipelines.rows
        ]
        stages = [
            {
                "stage_id": amo.id(stage.stage_id),
                "pipeline_id": amo.id(stage.pipeline_id),
                "name": stage.name,
                "position": str(stage.position),
                "kind": amo.stages.kind(stage.stage_id),
            }
            for stage in amo.pipelines.stages
        ]
        rows = {
            "crm.managers": mapping.managers(amo.users, amo.account, keys),
            "crm.pipelines": pipelines,
            "crm.stages": stages,
        }
        gone = {table: dropped(self._own, table, listed) for table, listed in rows.items()}
        yield Window(
            "managers, pipelines, stages",
            {table: self._loaded([*listed, *gone[table]]) for table, listed in rows.items()},
            known_since=ALWAYS,
            done=0.02,
        )

    def history(self) -> Iterator[Window]:
        """Status events, and changes of the custom fields that the keys name."""
        amo = self._amo
        watched = [f"custom_field_{it.field_id}_value_changed" for it in amo.fields.watched]
        groups = [mapping.STATUS_CHANGED, *dict.fromkeys(watched)]
        for number, kind in enumerate(groups):
            endpoint = f"/events {kind}"
            part = (0.25 + 0.2 * number / len(groups), 0.25 + 0.2 * (number + 1) / len(groups))
            for span in amo.spans(endpoint, DAY, part):
                events = amo.api.events([kind], span.start, span.end)
                yield self._history_window(endpoint, kind, span, events)

    def _history_window(
        self, endpoint: str, kind: str, span: Span, events: Sequence[Json]
    ) -> Window:
        stamp = self._work.stamps.next()
        self._work.report.account(endpoint, len(events), len(events))
        rows: dict[str, list[Row]] = {EVENTS: [mapping.event_row(it) for it in events]}
        state = dict(self._amo.cursor(endpoint, span))
        if kind == mapping.STATUS_CHANGED:
            rows["crm.deal_stage_history"] = [
                mapping.history_row(event, self._keys)
                for event in rows[EVENTS]
                if _pipeline(mapping.written_status(event["after"])) not in self._lead_only
            ]
            if self._work.state.get("horizon") is None and events:
                state["horizon"] = int(events[0]["created_at"])
        for table in rows.values():
            for row in table:
                row["_loaded_at"] = stamp
        return Window(_named(endpoint, span), rows, state, span.done, span.known_since)

    def deals(self) -> Iterator[Window]:
        """Leads and deals, with what follows from them."""
        amo, endpoint = self._amo, "/leads"
        if self._work.state.get("horizon") is None and not self._work.slice.is_named:
            # No event at all: what was created before this moment may have lost its history.
            yield Window("horizon", state={"horizon": amo.end})
        waiting: list[tuple[Json, datetime]] = []
        state: Mapping[str, Any] = {}
        known: list[datetime] = []
        last: Span | None = None
        for span in amo.spans(endpoint, _WEEK, (0.45, 0.75)):
            rows = amo.api.changed("/leads", "leads", span.start, span.end, {"with": WITH})
            stamp = self._work.stamps.next()
            self._work.report.account(endpoint, len(rows), len(rows))
            waiting += [(row, stamp) for row in rows]
            state = amo.cursor(endpoint, span)
            known += [span.known_since] if span.known_since else []
            last = span
            if len(waiting) >= _AT_ONCE:
                since = min(known, default=None)
                yield Window(_named(endpoint, span), self.rows(waiting), state, span.done, since)
                waiting, known = [], []
        if last is not None:
            since = min(known, default=None)
            yield Window(_named(endpoint, last), self.rows(waiting), state, last.done, since)

    def again(self, ids: Sequence[str]) -> Iterator[Window]:
        """Leads that have to be read again by their ids: restored ones, and those of a merge."""
        for rows in self._amo.api.by_ids("/leads", "leads", ids, {"with": WITH}):
            stamp = self._work.stamps.next()
            self._work.report.account("/leads", len(rows), len(rows))
            yield Window(
                "leads by id", self.rows([(row, stamp) for row in rows]), known_since=ALWAYS
            )

    def rows(self, leads: Sequence[tuple[Json, datetime]]) -> dict[str, list[Row]]:
        """All rows that these leads give."""
        found: dict[str, list[Row]] = {
            table: []
            for table in (
                "crm.sources", "crm.leads", "crm.deals", "crm.deal_stage_history",
                "crm.meetings", "crm.payments",
            )
        }  # fmt: skip
        events = self._events([str(lead["id"]) for lead, _ in leads])
        start = self._keys.start_date
        seen_sources: set[str] = set()
        for lead, stamp in leads:
            created = unix(lead.get("created_at"))
            if start and created and created.date() < start:
                self._work.report.counted["leads created before start_date"] += 1
                continue
            own = events.get(str(lead["id"]), [])
            for table, rows in self._of_one(lead, own).items():
                for row in rows:
                    if table == "crm.sources":
                        if row["source_id"] in seen_sources:
                            continue
                        seen_sources.add(row["source_id"])
                    found[table].append({**row, "_loaded_at": stamp})
        self._drop_stale(found, leads)
        return found

    def _of_one(self, lead: Json, events: Sequence[mapping.Event]) -> dict[str, list[Row]]:
        amo, keys, rules = self._amo, self._keys, self._amo.rules
        horizon = self._work.state.get("horizon")
        self._work.report.lacking("/leads", lead, mapping.LEAD_FIELDS)
        deal = mapping.deal_facts(
            self._with_reason(lead),
            events,
            amo.account,
            datetime.fromtimestamp(horizon, UTC) if horizon else None,
            keys.companies_as_contacts,
        )
        is_deal = was_deal = deal.pipeline_id not in self._lead_only
        is_lead = deal.pipeline_id not in self._deal_only
        if not (is_deal and is_lead):
            pipelines = [_pipeline(it) for it in self._stages_of(deal, events)]
            was_deal = is_deal or any(it not in self._lead_only for it in pipelines)
            is_lead = is_lead or any(it not in self._deal_only for it in pipelines)
        source = self._source(lead, deal)
        rows: dict[str, list[Row]] = {"crm.sources": [source] if source else []}
        source_id = source["source_id"] if source else None
        lead_id = deal.deal_id if is_lead else None
        if is_lead:
            rows["crm.leads"] = [self._lead(deal, events, source_id)]
        if is_deal:
            rows["crm.deals"] = [self._deal(deal, lead_id, source_id)]
            rows["crm.deal_stage_history"] = self._first_entry(deal)
        elif was_deal:
            rows["crm.deals"] = [bare("deal_id", amo.id(deal.deal_id), deal.updated_at)]
        meetings = rules.meetings(deal, lead_id, is_deal)
        rows["crm.meetings"] = [self._prefixed(rules.repair_meeting(row)) for row in meetings]
        if is_deal:
            rows["crm.payments"] = [self._prefixed(row) for row in rules.payments(deal)]
        return rows

    def _with_reason(self, lead: Json) -> Json:
        """The lead with its reason's name, where the answer has the reason's id alone."""
        embedded = lead.get("_embedded") or {}
        reason = reference(lead.get("loss_reason_id"))
        if reason is None or embedded.get("loss_reason"):
            return lead
        named = [{"id": reason, "name": self._reasons.get(reason)}]
        return {**lead, "_embedded": {**embedded, "loss_reason": named}}

    @cached_property
    def _reasons(self) -> Mapping[str, str]:
        path, name = "/leads/loss_reasons", "loss_reasons"
        rows = self._amo.optional(lambda: self._amo.api.rows(path, name, {}), path)
        return {str(row.get("id")): str(row.get("name")) for row in rows}

    def _lead(self, deal: Deal, events: Sequence[mapping.Event], source: str | None) -> Row:
        amo, rules = self._amo, self._amo.rules
        is_target, qualified_at = rules.target(deal)
        fields = amo.fields
        return rules.repair_lead(
            {
                "lead_id": amo.id(deal.deal_id),
                "contact_id": amo.id(deal.contact_id),
                "manager_id": amo.id(deal.owner),
                "source_id": source,
                "created_at": _time(deal.created_at),
                "taken_at": _time(self._taken_at(deal, events)),
                "is_target": text(is_target),
                "qualified_at": _time(qualified_at),
                "rejection_reason": self._reason(deal) if is_target is False else None,
                "utm_source": deal.value(fields.utm_source) or _coded(deal, "UTM_SOURCE"),
                "utm_medium": deal.value(fields.utm_medium) or _coded(deal, "UTM_MEDIUM"),
                "utm_campaign": deal.value(fields.utm_campaign) or _coded(deal, "UTM_CAMPAIGN"),
                "updated_at": _time(deal.updated_at),
            }
        )

    def _deal(self, deal: Deal, lead_id: str | None, source: str | None) -> Row:
        amo, rules = self._amo, self._amo.rules
        kind = amo.stages.kind(deal.stage_id)
        is_closed = kind in ("won", "lost")
        row = {
            "deal_id": amo.id(deal.deal_id),
            "lead_id": amo.id(lead_id),
            "contact_id": amo.id(deal.contact_id),
            "manager_id": amo.id(deal.owner),
            "pipeline_id": amo.id(deal.pipeline_id),
            "stage_id": amo.id(deal.stage_id),
            "source_id": source,
            "amount": deal.amount,
            "currency": deal.currency,
            "deal_type": rules.deal_type(deal, amo.pipelines.name(deal.pipeline_id)),
            "created_at": _time(deal.created_at),
            "expected_close_on": deal.value(amo.fields.expected_close),
            "closed_at": _time(deal.closed_at) if is_closed else None,
            "lost_reason": self._reason(deal) if kind == "lost" else None,
            "updated_at": _time(deal.updated_at),
        }
        return rules.repair_deal(row, deal.moves[0].at if deal.moves else None)

    def _first_entry(self, deal: Deal) -> list[Row]:
        """The first stage has no event; it is known for deals that began after the horizon."""
        horizon = self._work.state.get("horizon")
        if not horizon or not deal.created_at or deal.created_at.timestamp() <= horizon:
            return []
        first = deal.moves[0]
        if _pipeline(first.stage_id) in self._lead_only:
            return []
        return [
            {
                "event_id": self._amo.id(f"add:{deal.deal_id}"),
                "deal_id": self._amo.id(deal.deal_id),
                "stage_id": self._amo.id(first.stage_id),
                "entered_at": _time(first.at),
                "manager_id": self._amo.id(first.by),
            }
        ]

    def _taken_at(self, deal: Deal, events: Sequence[mapping.Event]) -> datetime | None:
        """When somebody took the lead out of the stage in which leads wait, or into a named one.

        Who enters a lead beyond that stage has taken it; a robot that does so has not.
        """
        waiting, taken = self._amo.pipelines.waiting, self._amo.stages.taken
        first = deal.moves[0] if deal.moves else None
        is_beyond = first and (first.stage_id not in waiting or first.stage_id in taken)
        if first and is_beyond and first.by and first.at == deal.created_at:
            return first.at
        for event in events:
            if event.type != mapping.STATUS_CHANGED:
                continue
            is_out = event.left in waiting and event.entered not in waiting
            if is_out or event.entered in taken:
                return event.created_at
        return None

    def _source(self, lead: Json, deal: Deal) -> Row | None:
        amo = self._amo
        for origin in self._keys.source_from:
            found: tuple[str, str | None] | None = None
            system = (lead.get("_embedded") or {}).get("source") or {}
            if origin == "system" and reference(system.get("id")):
                found = (str(system["id"]), text(system.get("name")))
            elif origin == "field" and deal.values(amo.fields.source):
                value = deal.values(amo.fields.source)[0]
                found = (value.option or value.text, value.text)
            elif origin == "utm" and _coded(deal, "UTM_SOURCE"):
                utm = str(_coded(deal, "UTM_SOURCE"))
                found = (f"utm:{utm}", utm)
            if found:
                source_id, name = found
                return {
                    "source_id": amo.id(source_id),
                    "name": name,
                    "channel": amo.channel(source_id, name),
                }
        return None

    def _reason(self, deal: Deal) -> str | None:
        return deal.reason or deal.value(self._amo.fields.lost_reason)

    @cached_property
    def _lead_only(self) -> frozenset[str]:
        return self._amo.pipelines.named(self._keys.lead_pipelines)

    @cached_property
    def _deal_only(self) -> frozenset[str]:
        return self._amo.pipelines.named(self._keys.deal_only_pipelines)

    def _stages_of(self, deal: Deal, events: Sequence[mapping.Event]) -> list[str]:
        """All stages that the deal was ever seen in."""
        sides = [side for event in events for side in (event.left, event.entered)]
        return [*(it for it in sides if it), *(move.stage_id for move in deal.moves)]

    def _events(self, ids: Sequence[str]) -> dict[str, list[mapping.Event]]:
        rows = self._own.select(EVENTS, mapping.EVENT_COLUMNS, ids={"entity_id": ids})
        found: dict[str, list[mapping.Event]] = {}
        for row in rows:
            event = mapping.event_of(row)
            found.setdefault(event.entity_id, []).append(event)
        for events in found.values():
            events.sort(key=lambda it: (it.created_at, it.event_id))
        return found

    def _drop_stale(
        self, found: dict[str, list[Row]], leads: Sequence[tuple[Json, datetime]]
    ) -> None:
        """Payments and meetings that these deals told of before, and tell of no more."""
        times = {self._amo.id(str(lead["id"])): unix(lead.get("updated_at")) for lead, _ in leads}
        stamp = self._work.stamps.next()
        prefix = self._keys.prefix
        for table, key, origins in (
            ("crm.payments", "payment_id", ("won:", "paid:")),
            ("crm.meetings", "meeting_id", ("st:", "fd:")),
        ):
            kept = {row[key] for row in found[table]}
            for row_id, deal_id in stale(self._own, table, key, "deal_id", times):
                if row_id not in kept and row_id.removeprefix(prefix).startswith(origins):
                    grave = bare(key, row_id, times.get(deal_id))
                    found[table].append({**grave, "_loaded_at": stamp})

    def _prefixed(self, row: Row) -> Row:
        """A row of the rules with the connection's prefix before every id."""
        ids = ("meeting_id", "payment_id", "deal_id", "lead_id", "contact_id", "set_by", "held_by")
        return {key: self._amo.id(it) if key in ids else it for key, it in row.items()}

    def _loaded(self, rows: Sequence[Row]) -> list[Row]:
        stamp = self._work.stamps.next()
        return [{**row, "_loaded_at": stamp} for row in rows]


def _pipeline(stage_id: str | None) -> str:
    return (stage_id or "").partition(":")[0]


def _coded(deal: Deal, code: str) -> str | None:
    values = deal.fields.get(f"code:{code}")
    return values[0].text if values else None


def _time(moment: datetime | None) -> str | None:
    return text_of(moment) if moment else None


def _named(endpoint: str, span: Span) -> str:
    until = datetime.fromtimestamp(span.end, UTC)
    return f"{endpoint} to {until:%Y-%m-%d %H:%M}"
