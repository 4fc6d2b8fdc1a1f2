"""Reads one Bitrix24 portal, page by page in order of id (connectors_crm.md 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any, ClassVar

from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row, Window
from orchestration.connectors.crm import CRM_TABLES
from orchestration.connectors.crm.connector import CrmConnector
from orchestration.connectors.crm.parties import PARTY_COLUMNS
from orchestration.connectors.crm.rules import (
    CustomField,
    Fields,
    Rules,
    Stage,
    Stages,
    currency,
    folded,
    reference,
)
from orchestration.connectors.kinds.bitrix24 import mapping
from orchestration.connectors.kinds.bitrix24.api import Api, Json
from orchestration.connectors.kinds.bitrix24.keys import Bitrix24Connection
from orchestration.connectors.kinds.bitrix24.mapping import HISTORY_COLUMNS

HISTORY = "crm._bitrix24_history"
PARTIES = "crm._bitrix24_parties"
OVERLAP = 900
_CLASSIC = "1"


@dataclass(frozen=True)
class Page:
    """Rows of one page, and what is true once they are written; the rest as in Window."""

    rows: Sequence[Json]
    state: Mapping[str, Any]
    known_since: datetime | None
    stamp: datetime
    is_last: bool


class Bitrix24(CrmConnector[Bitrix24Connection]):
    """Bitrix24, in its classic mode (leads and deals) and its simple one (deals only)."""

    kind: ClassVar[str] = "bitrix24"
    title: ClassVar[str] = "Bitrix24"
    page: ClassVar[str] = "bitrix24.md"
    source: ClassVar[str] = "crm"
    tables: ClassVar[Sequence[str]] = CRM_TABLES
    private_tables: ClassVar[Mapping[str, Sequence[str]]] = {
        HISTORY: HISTORY_COLUMNS,
        PARTIES: PARTY_COLUMNS,
    }
    config: ClassVar[type[Connection]] = Bitrix24Connection

    @cached_property
    def api(self) -> Api:
        """The portal's REST."""
        keys = self.connection
        seed = keys.refresh_token and self.secret("refresh_token")
        return Api(keys, self.work, self.secret_store(seed) if seed else None)

    @cached_property
    def is_classic(self) -> bool:
        """Whether the portal has leads of their own."""
        return str(self.api.call("crm.settings.mode.get")["result"]) == _CLASSIC

    @cached_property
    def user(self) -> str | None:
        """Whom the webhook or the application acts as."""
        return self.api.user or str(self.api.call("profile")["result"].get("ID"))

    @cached_property
    def users(self) -> list[Json]:
        """Employees, dismissed ones too."""
        return self.api.all("user.get", None, {"FILTER": {"USER_TYPE": "employee"}})

    @cached_property
    def categories(self) -> list[Json]:
        """Pipelines of deals."""
        return self.api.all("crm.category.list", "categories", {"entityTypeId": mapping.DEAL})

    @cached_property
    def deal_stages(self) -> list[Stage]:
        """Stages of all pipelines."""
        statuses = {
            str(it["id"]): self.statuses(
                f"DEAL_STAGE_{it['id']}" if reference(it["id"]) else "DEAL_STAGE"
            )
            for it in self.categories
        }
        return mapping.deal_stages(self.categories, statuses)

    @cached_property
    def deal_only(self) -> set[str]:
        """Ids of the pipelines whose deals are no leads."""
        wanted = {folded(it) for it in self.connection.deal_only_pipelines}
        return {
            str(it["id"])
            for it in self.categories
            if {folded(str(it["id"])), folded(str(it.get("name")))} & wanted
        }

    @cached_property
    def lead_stages(self) -> list[Stage]:
        """Leads' statuses; none in the simple mode."""
        return mapping.lead_stages(self.statuses("STATUS")) if self.is_classic else []

    @cached_property
    def source_names(self) -> dict[str, str]:
        """Sources by id."""
        return {str(it["STATUS_ID"]): str(it.get("NAME")) for it in self.statuses("SOURCE")}

    @cached_property
    def deal_types(self) -> dict[str, str]:
        """Types of deals by id; nothing is asked where the keys name none."""
        if not self.connection.deal_types:
            return {}
        return {str(it["STATUS_ID"]): str(it.get("NAME")) for it in self.statuses("DEAL_TYPE")}

    def statuses(self, dictionary: str) -> list[Json]:
        """One of the portal's dictionaries."""
        body = {"filter": {"ENTITY_ID": dictionary}, "order": {"SORT": "ASC"}}
        return self.api.all("crm.status.list", None, body, f"crm.status.list {dictionary}")

    @cached_property
    def stages(self) -> Stages:
        """The stages, and those that the keys name."""
        return Stages(self.connection, [*self.deal_stages, *self.lead_stages])

    @cached_property
    def first_stages(self) -> frozenset[str]:
        """Stages in which nobody has taken a lead yet."""
        return mapping.first_stages(self.stages.all)

    @cached_property
    def custom(self) -> dict[int, tuple[list[CustomField], dict[str, str]]]:
        """Custom fields by entity; nothing is asked where the keys name none."""
        entities = [mapping.DEAL, mapping.LEAD] if self.is_classic else [mapping.DEAL]
        if not Fields.are_named(self.connection):
            return {entity: ([], {}) for entity in entities}
        found = {}
        for entity in entities:
            body = self.api.call("crm.item.fields", {"entityTypeId": entity})
            found[entity] = mapping.custom_fields(body["result"].get("fields") or {})
        return found

    @cached_property
    def fields(self) -> dict[int, Fields]:
        """The custom fields that the keys name, by entity."""
        mine = {entity: fields for entity, (fields, _) in self.custom.items()}
        return Fields.by_kind(self.connection, mine)

    @cached_property
    def rules(self) -> dict[int, Rules]:
        """What follows from the facts, by entity."""
        return {
            entity: Rules(
                self.connection,
                self.stages,
                fields,
                self.work.report,
                lambda written: mapping.field_moment(written, self.zone),
                self.meetings_from,
            )
            for entity, fields in self.fields.items()
        }

    @property
    def meetings_from(self) -> Sequence[str]:
        """Where meetings are looked for; activities, where nothing is said."""
        chosen = self.connection.meetings_from
        return ["objects"] if chosen is None else chosen

    @property
    def zone(self) -> tzinfo:
        """The portal's offset from UTC, as its answers have it."""
        first = self.api.first_answer
        return (first.tzinfo if first else None) or UTC

    @cached_property
    def base_currency(self) -> str | None:
        """The portal's currency, for deals without one."""
        return currency(self.api.call("crm.currency.base.get")["result"])

    @cached_property
    def end(self) -> datetime:
        """The end of every window of this run, fixed at the first answer."""
        wanted, now = self.work.slice.end, self.api.now().astimezone(UTC)
        return min(now, wanted) if wanted else now

    def read(self) -> Iterator[Window]:
        """All that is new: dictionaries, people, history, leads, deals, touches, deletions."""
        from orchestration.connectors.kinds.bitrix24.deletions import Deletions
        from orchestration.connectors.kinds.bitrix24.people import People
        from orchestration.connectors.kinds.bitrix24.sales import Sales
        from orchestration.connectors.kinds.bitrix24.touches import Touches

        self.warn_of_payments()
        sales = Sales(self)
        phases: list[Iterator[Window]] = [
            sales.dictionaries(),
            People(self).read(),
            sales.history(),
            sales.items(),
            Touches(self).read(),
            Deletions(self).read(),
        ]
        for phase in phases:
            yield from phase
        yield Window("user", state={"user": self.user}, done=1.0)

    def prepare(self) -> None:
        """Ask for the mode, and find what the keys name, before anything is read.

        The first answer tells the portal's clock, by which windows end.
        """
        self._prepared = (self.is_classic, self.stages, self.rules)

    def item_pages(self, entity: int, fields: Sequence[str] = ("*",)) -> Iterator[Page]:
        """Items of an entity that changed since the cursor, in order of id."""
        body = {"entityTypeId": entity, "select": list(fields)}
        floor = self.start if entity in (mapping.LEAD, mapping.DEAL) else None
        yield from self.pages(
            f"crm.item.list {entity}", "crm.item.list", "id", "items", body,
            "updatedTime", {">=createdTime": floor.isoformat()} if floor else {},
        )  # fmt: skip

    @property
    def start(self) -> datetime | None:
        """The beginning of `start_date` in the portal."""
        wanted = self.connection.start_date
        if wanted is None:
            return None
        return datetime(wanted.year, wanted.month, wanted.day, tzinfo=self.zone)

    def pages(
        self,
        endpoint: str,
        method: str,
        key: str,
        name: str | None,
        body: Mapping[str, Any],
        changed: str,
        floor: Mapping[str, Any],
    ) -> Iterator[Page]:
        """Pages of a list from the cursor to the end of this run; a run that was ended goes on.

        The list has no upper bound in time: a row that changes while we read comes with its new
        value, and again next time, because the cursor is the end that was fixed before.
        """
        asked, state = self.work.slice, self.work.state
        while True:
            part = None if asked.is_named else state.get(f"part:{endpoint}")
            since, end, last = self._span(endpoint, part)
            where: dict[str, Any] = dict(floor)
            if since is not None:
                where[f">={changed}"] = since.isoformat()
            if asked.is_named and asked.end:
                where[f"<={changed}"] = end.isoformat()
            query = {**body, "filter": {**body.get("filter", {}), **where}}
            for rows in self.api.items(method, key, name, query, endpoint, last):
                last = int(rows[-1][key]) if rows else last
                is_last = len(rows) < self.connection.page_size
                self.work.report.account(endpoint, len(rows), len(rows))
                new = self._after(endpoint, since, end, last, is_last)
                yield Page(rows, new, since, self.work.stamps.next(), is_last)
            if asked.is_named or end >= self.end:
                return

    def _span(
        self, endpoint: str, part: Mapping[str, Any] | None
    ) -> tuple[datetime | None, datetime, int]:
        """From when, to when, and after which id: a part that was left, or a new one."""
        asked = self.work.slice
        if part is not None:
            since = part["since"] and datetime.fromisoformat(part["since"])
            return since, datetime.fromisoformat(part["end"]), int(part["last"])
        if asked.is_named:
            return asked.start or datetime(2000, 1, 1, tzinfo=UTC), self.end, 0
        cursor = self.work.state.get(f"cursor:{endpoint}")
        if cursor is None:
            return None, self.end, 0
        wanted = self.connection.overlap_seconds
        overlap = timedelta(seconds=OVERLAP if wanted is None else wanted)
        return min(datetime.fromisoformat(cursor), self.end) - overlap, self.end, 0

    def _after(
        self, endpoint: str, since: datetime | None, end: datetime, last: int, is_last: bool
    ) -> dict[str, Any]:
        """The state once a page is written."""
        if self.work.slice.is_named:
            return {}
        if not is_last:
            left = {"since": since and since.isoformat(), "end": end.isoformat(), "last": last}
            return {f"part:{endpoint}": left}
        cursor = self.work.state.get(f"cursor:{endpoint}")
        known = datetime.fromisoformat(cursor) if cursor else end
        return {f"part:{endpoint}": None, f"cursor:{endpoint}": max(known, end).isoformat()}

    def by_ids(self, entity: int, ids: Sequence[str]) -> Iterator[tuple[list[Json], datetime]]:
        """Items with these ids, as many as there still are, and when they came."""
        from orchestration.connectors.kinds.bitrix24.api import ids_in

        for part in ids_in(ids, self.connection.page_size):
            what = f"crm.item.list {entity} by id"
            body = {
                "entityTypeId": entity,
                "select": ["*"],
                "filter": {"@id": part},
                "order": {"id": "ASC"},
                "start": -1,
            }
            rows = self.api.rows(self.api.call("crm.item.list", body, what), "items", what)
            self.work.report.account(what, len(rows), len(rows))
            yield rows, self.work.stamps.next()

    def source_of(self, item: Json, field: tuple[str, str] | None) -> tuple[str | None, Row | None]:
        """A lead's or deal's source, and its row where no dictionary has it.

        `field` is the value of the configured field: option or text, and text.
        """
        for origin in self.connection.source_from:
            system = str(item.get("sourceId") or "")
            if origin == "system" and system:
                return self.id(system), None
            if origin == "field" and field:
                return self._own_source(f"fd:{field[0]}", field[1])
            if origin == "utm" and item.get("utmSource"):
                return self._own_source(f"utm:{item['utmSource']}", str(item["utmSource"]))
        return None, None

    def _own_source(self, source_id: str, name: str) -> tuple[str | None, Row]:
        key = self.id(source_id)
        return key, {"source_id": key, "name": name, "channel": self.channel(source_id, name)}

    def check(self) -> Iterator[Finding]:
        """Who the webhook acts as, what it may read, and what stays empty."""
        from orchestration.connectors.kinds.bitrix24.checks import findings

        yield from findings(self)
