"""Reads one HubSpot portal (connectors_crm.md 5.2): lists first, then what changed, by search.

Lists and searches give ids alone. What an object says comes from a batch by its id: the search
lags behind, has no history and no associations, and an address cannot hold many properties.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestration.base.errors import WrongUse
from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row, Window
from orchestration.connectors.crm import CRM_TABLES
from orchestration.connectors.crm.connector import CrmConnector
from orchestration.connectors.crm.parties import PARTY_COLUMNS
from orchestration.connectors.crm.rules import (
    CustomField,
    Fields,
    FieldValue,
    Rules,
    Stage,
    Stages,
    currency,
)
from orchestration.connectors.errors import Refused
from orchestration.connectors.kinds.hubspot import mapping
from orchestration.connectors.kinds.hubspot.api import Api, Json, Link, ScopeMissing
from orchestration.connectors.kinds.hubspot.keys import HubspotConnection
from orchestration.connectors.kinds.hubspot.mapping import CONTACTS, DEALS, LEAD_OBJECTS, Kind

PARTIES = "crm._hubspot_parties"
LINKS = "crm._hubspot_links"
ARCHIVED = "crm._hubspot_archived"
# The search index may lag so far behind.
OVERLAP = 900
# Objects of so many pages are mapped at once: each time the zone is searched.
_AT_ONCE = 2_000
_EVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Chunk:
    """Objects that were read, what they point at by kind, and what is true once they are written.

    `state` is the state of the reading once they are in the zone; `since` as in Window.
    """

    items: list[tuple[Json, datetime]] = field(default_factory=list)
    links: dict[str, dict[str, list[Link]]] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    since: datetime | None = None

    def linked(self, to: str, item: Json) -> list[Link]:
        """What an object points at."""
        return self.links.get(to, {}).get(str(item["id"]), [])


class Hubspot(CrmConnector[HubspotConnection]):
    """HubSpot. Leads are its lead objects, or its contacts where the portal has none."""

    kind: ClassVar[str] = "hubspot"
    title: ClassVar[str] = "HubSpot"
    page: ClassVar[str] = "hubspot.md"
    source: ClassVar[str] = "crm"
    tables: ClassVar[Sequence[str]] = (*CRM_TABLES, "crm.surveys")
    private_tables: ClassVar[Mapping[str, Sequence[str]]] = {
        PARTIES: PARTY_COLUMNS,
        LINKS: ("deal_id", "contacts", "companies", "leads"),
        ARCHIVED: ("object_id", "kind", "is_listed"),
    }
    config: ClassVar[type[Connection]] = HubspotConnection

    @cached_property
    def api(self) -> Api:
        """The portal's API."""
        return Api(self.connection, self.work)

    @cached_property
    def account(self) -> Json:
        """The portal: its zone and its currency."""
        return self.api.get("/account-info/v3/details")

    @cached_property
    def zone(self) -> ZoneInfo:
        """The portal's time zone."""
        name = str(self.account.get("timeZone") or "UTC")
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            self.work.report.warn(f"The portal's {name} is no time zone; days are those of UTC.")
            return ZoneInfo("UTC")

    @cached_property
    def base_currency(self) -> str | None:
        """The portal's currency, for deals without one."""
        return currency(self.account.get("companyCurrency"))

    @cached_property
    def owners(self) -> list[Json]:
        """Owners, archived ones last."""
        return [
            row
            for is_archived in ("false", "true")
            for row in self.api.all(
                "/crm/v3/owners", {"limit": 100, "archived": is_archived}, "owners"
            )
        ]

    @cached_property
    def users(self) -> dict[str, str]:
        """Owners by the number of their user."""
        return mapping.users(self.owners)

    @cached_property
    def pipelines(self) -> list[Json]:
        """Pipelines of deals."""
        what = "pipelines of deals"
        return self.api.rows(self.api.get("/crm/v3/pipelines/deals", what=what), what)

    @cached_property
    def lead_pipelines(self) -> list[Json] | None:
        """Pipelines of leads; None where contacts are the leads, or leads may not be read."""
        if not self.has_lead_objects:
            return None
        what = "pipelines of leads"
        try:
            return self.api.rows(self.api.get("/crm/v3/pipelines/leads", what=what), what)
        except ScopeMissing as missing:
            self.skip(LEAD_OBJECTS.name, missing)
            return None

    @property
    def reads_lead_objects(self) -> bool:
        """Whether leads are objects of their own that may be read."""
        return self.lead_pipelines is not None

    @cached_property
    def keys(self) -> HubspotConnection:
        """The keys; without those that name what only leads have, where they may not be read."""
        if not self.has_lead_objects or self.reads_lead_objects:
            return self.connection
        there = {name for it in self.custom[DEALS.name][0] for name in (it.field_id, it.name)}
        fields = [f"{name}_field" for name in Fields.names()]
        lost = {it: None for it in fields if getattr(self.connection, it) not in there}
        stages = ("target_stages", "non_target_stages", "taken_stages")
        return self.connection.model_copy(update={**lost, **{key: [] for key in stages}})

    @cached_property
    def has_lead_objects(self) -> bool:
        """Whether leads are objects of their own; what was found once stays so.

        A scope that is lost later must not turn all contacts into leads. Raises WrongUse where the
        keys want what the rows that are there are not.
        """
        wanted, before = self.connection.leads_from, self.work.state.get("leads_from")
        if wanted == "auto":
            return (before or self._found_leads()) == "leads_object"
        if before not in (None, wanted):
            raise WrongUse(
                f"{self.connection.name}: leads_from is {wanted} and was {before}: every lead "
                "would come again under another key.",
                f"Write leads_from: {before} again, or give the connection another name and move "
                "its old files out of the raw zone.",
            )
        return wanted == "leads_object"

    def _found_leads(self) -> str:
        try:
            next(self.api.listed(LEAD_OBJECTS.name, is_archived=False))
        except Refused as refused:
            is_unknown = any(f": {status} " in refused.message for status in (400, 404))
            if not isinstance(refused, ScopeMissing) and not is_unknown:
                raise
            return "contacts"
        return "leads_object"

    @property
    def lead_kind(self) -> Kind:
        """What leads are here."""
        return LEAD_OBJECTS if self.has_lead_objects else CONTACTS

    @cached_property
    def _stages(self) -> tuple[list[Stage], list[str]]:
        return mapping.deal_stages(self.pipelines)

    @cached_property
    def stages(self) -> Stages:
        """The stages, and those that the keys name.

        Raises WrongUse where a closed stage says neither won nor lost, and no key does.
        """
        listed, unclear = self._stages
        found = Stages(self.keys, [*listed, *mapping.lead_stages(self.lead_pipelines or [])])
        unclear = [it for it in unclear if it not in found.won | found.lost]
        if unclear:
            raise WrongUse(
                f"{self.connection.name}: HubSpot says that these stages are closed, and not "
                "whether deals in them are won or lost.",
                "Name them in won_stages or lost_stages.",
                [f"{it}: {found.by_id[it].pipeline} / {found.by_id[it].name}" for it in unclear],
            )
        return found

    @cached_property
    def first_stages(self) -> frozenset[str]:
        """Stages in which nobody has taken a lead yet."""
        return mapping.first_stages(self.stages.all)

    @cached_property
    def custom(self) -> dict[str, tuple[list[CustomField], dict[str, str]]]:
        """Properties by kind; nothing is asked where the keys name none."""
        kinds = (DEALS.name, self.lead_kind.name)
        if not Fields.are_named(self.connection):
            return {kind: ([], {}) for kind in kinds}
        found = {}
        for kind in kinds:
            if kind == LEAD_OBJECTS.name and not self.reads_lead_objects:
                found[kind] = mapping.custom_fields([])
                continue
            what = f"properties of {kind}"
            rows = self.api.rows(self.api.get(f"/crm/v3/properties/{kind}", what=what), what)
            found[kind] = mapping.custom_fields(rows)
        return found

    @cached_property
    def fields(self) -> dict[str, Fields]:
        """The properties that the keys name, by kind."""
        return Fields.by_kind(self.keys, {kind: mine for kind, (mine, _) in self.custom.items()})

    @cached_property
    def rules(self) -> dict[str, Rules]:
        """What follows from the facts, by kind."""
        return {
            kind: Rules(
                self.connection,
                self.stages,
                fields,
                self.work.report,
                lambda written: mapping.field_moment(written, self.zone),
                self.meetings_from,
            )
            for kind, fields in self.fields.items()
        }

    def named(self, kind: str) -> dict[str, CustomField]:
        """The properties of a kind that the keys name, by their own name."""
        fields = self.fields.get(kind)
        values = vars(fields).values() if fields else ()
        return {it.field_id: it for it in values if it is not None}

    def values(self, kind: str, own: Json) -> dict[str, list[FieldValue]]:
        """Those that an object has values of."""
        types = self.custom.get(kind, ([], {}))[1]
        found = {}
        for name, custom in self.named(kind).items():
            values = mapping.field_values(own.get(name), custom, types[name])
            if values:
                found[name] = values
        return found

    @property
    def meetings_from(self) -> Sequence[str]:
        """Where meetings are looked for; HubSpot's own, where nothing is said."""
        chosen = self.connection.meetings_from
        return ["objects"] if chosen is None else chosen

    @cached_property
    def end(self) -> datetime:
        """The end of every window of this run, fixed before its first search."""
        wanted, now = self.work.slice.end, self.api.now()
        return min(now, wanted) if wanted else now

    @property
    def start(self) -> datetime | None:
        """The beginning of `start_date` in the portal."""
        wanted = self.connection.start_date
        if wanted is None:
            return None
        return datetime(wanted.year, wanted.month, wanted.day, tzinfo=self.zone)

    @cached_property
    def user(self) -> str:
        """Whom the token acts as, as far as the system says it."""
        info = self.api.token_info()
        return f"{self.account.get('portalId')}:{info.get('userId') or ''}"

    def read(self) -> Iterator[Window]:
        """All that is new: dictionaries, people, leads, deals, touches, deletions."""
        from orchestration.connectors.kinds.hubspot.deletions import Deletions
        from orchestration.connectors.kinds.hubspot.people import People
        from orchestration.connectors.kinds.hubspot.sales import Sales
        from orchestration.connectors.kinds.hubspot.touches import Touches

        self.warn_of_payments()
        self._same_portal()
        sales = Sales(self)
        phases: list[Iterator[Window]] = [
            sales.dictionaries(),
            People(self).read(),
            sales.read(),
            Touches(self).read(),
            Deletions(self).read(),
        ]
        for phase in phases:
            yield from phase

    @property
    def identity(self) -> dict[str, str]:
        """What must not change between two runs of a connection."""
        leads = "leads_object" if self.has_lead_objects else "contacts"
        return {"portal": str(self.account.get("portalId")), "leads_from": leads}

    def _same_portal(self) -> None:
        portal, before = str(self.account.get("portalId")), self.work.state.get("portal")
        if before not in (None, portal):
            raise WrongUse(
                f"{self.connection.name}: the token is of portal {portal}, and what was read is of "
                f"portal {before}.",
                "Set the right token, or give the other portal a connection of its own.",
            )

    def skip(self, kind: str, missing: ScopeMissing) -> None:
        """Say once that a kind of object may not be read; the rest goes on."""
        if kind not in self._skipped:
            self._skipped.add(kind)
            self.work.report.warn(f"{kind} are not read. {missing.message} {missing.remedy}")

    @cached_property
    def _skipped(self) -> set[str]:
        return set()

    def chunks(self, kind: Kind) -> Iterator[Chunk]:
        """Objects of a kind that are new or changed, many at once.

        Where a scope is missing nothing comes, and a warning says so; of a kind that is needed
        ScopeMissing is raised.
        """
        chunk = Chunk()
        try:
            for ids, state, since, is_last in self._ids(kind):
                self._read_into(chunk, kind, ids)
                chunk.state, chunk.since = state, since
                if is_last or len(chunk.items) >= _AT_ONCE:
                    yield chunk
                    chunk = Chunk()
        except ScopeMissing as missing:
            if kind.is_needed:
                raise
            self.skip(kind.name, missing)

    def by_ids(self, kind: Kind, ids: Sequence[str]) -> Iterator[Chunk]:
        """Objects with these ids, as many as there still are."""
        for first in range(0, len(ids), _AT_ONCE):
            chunk = Chunk()
            try:
                self._read_into(chunk, kind, ids[first : first + _AT_ONCE])
            except ScopeMissing as missing:
                if kind.is_needed:
                    raise
                self.skip(kind.name, missing)
                return
            yield chunk

    def _read_into(self, chunk: Chunk, kind: Kind, ids: Sequence[str]) -> None:
        if not ids:
            return
        names, history = self._asked(kind)
        items = self.api.read(kind.name, ids, names, history)
        stamp = self.work.stamps.next()
        chunk.items += [(it, stamp) for it in items]
        for item in items:
            self.work.report.lacking(
                f"{kind.name} batch/read", item.get("properties") or {}, kind.promised
            )
        gone = len(set(ids) - {str(it["id"]) for it in items})
        if gone:
            self.work.report.counted[f"{kind.name} that were gone when they were read"] += gone
        found = [str(it["id"]) for it in items]
        for to in self.links_of(kind):
            chunk.links.setdefault(to, {}).update(self.api.links(kind.name, to, found))

    def links_of(self, kind: Kind) -> Sequence[str]:
        """The kinds that an object may point at, and that are of use here."""
        with_leads = kind is DEALS and self.reads_lead_objects
        return (*kind.links, LEAD_OBJECTS.name) if with_leads else kind.links

    def _asked(self, kind: Kind) -> tuple[list[str], list[str]]:
        """The properties to read of a kind, and those with their versions."""
        names, history = [*kind.properties], [*kind.history]
        if kind in (DEALS, CONTACTS, LEAD_OBJECTS):
            names += [self.connection.source_property, *self.named(kind.name)]
        if kind in (DEALS, self.lead_kind):
            history += [it.field_id for it in self.fields[kind.name].watched]
        if kind is DEALS:
            names += [mapping.ENTERED + it.own_id for it in self._stages[0]]
        if kind is CONTACTS and not self.has_lead_objects:
            names += mapping.CONTACT_LEAD
        return list(dict.fromkeys(names)), list(dict.fromkeys(history))

    def _ids(
        self, kind: Kind
    ) -> Iterator[tuple[list[str], Mapping[str, Any], datetime | None, bool]]:
        """Ids page by page: the state after each, since when it looks, and whether it is the last.

        A list is read the first time, a search from the cursor to the end of this run later; what
        was ended before goes on. The cursor is the end that was fixed before: what changes while we
        read comes now or the next time.
        """
        name, asked, state = kind.name, self.work.slice, self.work.state
        while True:
            part = None if asked.is_named else state.get(f"part:{name}")
            start, end, after = self._span(name, part)
            pages = (
                self.api.listed(name, False, after)
                if start is None
                else self.api.found(name, kind.cursor, start, end, after)
            )
            what = f"{name} list" if start is None else f"{name} search"
            for page in pages:
                ids = [str(row["id"]) for row in page.rows if self._is_wanted(kind, row)]
                left_out = len(page.rows) - len(ids)
                self.work.report.account(what, len(page.rows), len(ids), rejected=left_out)
                new = self._after(name, start, end, page.after)
                yield ids, new, start, page.after is None
            if asked.is_named or end >= self.end:
                return

    def _is_wanted(self, kind: Kind, row: Json) -> bool:
        """Leads and deals are read from `start_date` on; contacts all, since others point there."""
        if self.start is None or kind not in (DEALS, LEAD_OBJECTS):
            return True
        created = mapping.moment(row.get("createdAt"))
        return created is None or created >= self.start

    def _span(
        self, name: str, part: Mapping[str, Any] | None
    ) -> tuple[datetime | None, datetime, str | None]:
        """From when, to when, and after what: a part that was left, or a new one."""
        asked = self.work.slice
        if part is not None:
            start = part["since"] and datetime.fromisoformat(part["since"])
            return start, datetime.fromisoformat(part["end"]), part["after"]
        if asked.is_named:
            return asked.start or _EVER, self.end, None
        cursor = self.work.state.get(f"cursor:{name}")
        if cursor is None:
            return None, self.end, None
        wanted = self.connection.overlap_seconds
        overlap = timedelta(seconds=OVERLAP if wanted is None else wanted)
        return min(datetime.fromisoformat(cursor), self.end) - overlap, self.end, None

    def _after(
        self, name: str, start: datetime | None, end: datetime, after: str | None
    ) -> dict[str, Any]:
        """The state once a page is written."""
        if self.work.slice.is_named:
            return {}
        if after is not None:
            left = {"since": start and start.isoformat(), "end": end.isoformat(), "after": after}
            return {f"part:{name}": left}
        cursor = self.work.state.get(f"cursor:{name}")
        known = datetime.fromisoformat(cursor) if cursor else end
        return {f"part:{name}": None, f"cursor:{name}": max(known, end).isoformat()}

    @cached_property
    def _known_sources(self) -> dict[str, Row]:
        columns = [it for it in self.work.own.columns("crm.sources") if it != "_loaded_at"]
        rows = self.work.own.select("crm.sources", columns)
        return {
            row[columns.index("source_id")]: dict(zip(columns, row, strict=True)) for row in rows
        }

    def sources(self, rows: Sequence[Row], stamp: datetime) -> list[Row]:
        """Those of these sources that are not in the zone, or not as they are now."""
        found = []
        for row in rows:
            known = self._known_sources.get(row["source_id"])
            if known is None or any(known.get(name) != it for name, it in row.items()):
                self._known_sources[row["source_id"]] = row
                found.append({**row, "_loaded_at": stamp})
        return found

    def source_of(
        self, own: Json, source_field: Sequence[FieldValue], utm: str | None
    ) -> tuple[str | None, list[Row]]:
        """An object's source, and its row: HubSpot has no dictionary of sources."""
        for origin in self.connection.source_from:
            value = own.get(self.connection.source_property)
            if origin == "system" and value:
                return self._source(str(value), str(value))
            if origin == "field" and source_field:
                first = source_field[0]
                return self._source(f"fd:{first.option or first.text}", first.text)
            if origin == "utm" and utm:
                return self._source(f"utm:{utm}", utm)
        return None, []

    def _source(self, source_id: str, name: str) -> tuple[str | None, list[Row]]:
        key = self.id(source_id)
        return key, [{"source_id": key, "name": name, "channel": self.channel(source_id, name)}]

    def bare(self, value: str) -> str:
        """An id without it."""
        return value.removeprefix(self.connection.prefix)

    def owner(self, value: Any) -> str | None:
        """A manager's id."""
        return self.id(str(value)) if value else None

    def check(self) -> Iterator[Finding]:
        """Who the token acts as, what it may read, and what stays empty."""
        from orchestration.connectors.kinds.hubspot.checks import findings

        yield from findings(self)
