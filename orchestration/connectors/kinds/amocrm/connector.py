"""Reads one amoCRM or Kommo account, window by window (connectors_crm.md 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar

from orchestration.base.durations import DAY
from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Window
from orchestration.connectors.crm import CRM_TABLES
from orchestration.connectors.crm.connector import CrmConnector
from orchestration.connectors.crm.parties import PARTY_COLUMNS
from orchestration.connectors.crm.rules import Fields, Rules, Stages
from orchestration.connectors.errors import Refused
from orchestration.connectors.kinds.amocrm import mapping
from orchestration.connectors.kinds.amocrm.api import LIMIT, Api, Json
from orchestration.connectors.kinds.amocrm.deletions import Deletions
from orchestration.connectors.kinds.amocrm.keys import AmocrmConnection
from orchestration.connectors.kinds.amocrm.people import PARTIES, People
from orchestration.connectors.kinds.amocrm.sales import EVENTS, Sales
from orchestration.connectors.kinds.amocrm.touches import Touches

OVERLAP = 600
# A window ends in the past: what is written at this moment may not be listed yet.
SETTLE = 60
_TYPES_FOR = DAY


@dataclass(frozen=True)
class Span:
    """One window of an endpoint, in Unix seconds; `known_since` as in Window."""

    start: int
    end: int
    known_since: datetime | None
    done: float


class Amocrm(CrmConnector[AmocrmConnection]):
    """amoCRM and Kommo."""

    kind: ClassVar[str] = "amocrm"
    title: ClassVar[str] = "amoCRM / Kommo"
    page: ClassVar[str] = "amocrm.md"
    source: ClassVar[str] = "crm"
    tables: ClassVar[Sequence[str]] = CRM_TABLES
    private_tables: ClassVar[Mapping[str, Sequence[str]]] = {
        EVENTS: mapping.EVENT_COLUMNS,
        PARTIES: PARTY_COLUMNS,
    }
    config: ClassVar[type[Connection]] = AmocrmConnection

    @cached_property
    def api(self) -> Api:
        """The account's API."""
        keys = self.connection
        seed = keys.refresh_token and self.secret("refresh_token")
        return Api(keys, self.work, self.secret_store(seed) if seed else None)

    @cached_property
    def account(self) -> mapping.Account:
        """The account: currency, zone, groups, types of tasks."""
        body = self.api.get("/account", {"with": "users_groups,task_types,datetime_settings"})
        return mapping.Account.of(body or {})

    @cached_property
    def pipelines(self) -> mapping.Pipelines:
        """Pipelines and their stages."""
        body = self.api.get("/leads/pipelines")
        rows = self.api.embedded(body, "pipelines", "/leads/pipelines") if body else []
        return mapping.Pipelines.of(rows)

    @cached_property
    def users(self) -> list[Json]:
        """The account's users."""
        return self.api.rows("/users", "users", {})

    @cached_property
    def stages(self) -> Stages:
        """The stages, and those that the keys name."""
        return Stages(self.connection, self.pipelines.stages)

    @cached_property
    def fields(self) -> Fields:
        """The custom fields that the keys name; nothing is asked where they name none."""
        if not Fields.are_named(self.connection):
            return Fields()
        rows = self.api.rows("/leads/custom_fields", "custom_fields", {})
        return Fields.of(self.connection, mapping.custom_fields(rows))

    @cached_property
    def rules(self) -> Rules:
        """What follows from the facts."""
        return Rules(
            self.connection,
            self.stages,
            self.fields,
            self.work.report,
            lambda written: mapping.moment_of(written, self.account.zone),
            self.meetings_from,
        )

    @property
    def meetings_from(self) -> Sequence[str]:
        """Where meetings are looked for; tasks, where nothing is said."""
        chosen = self.connection.meetings_from
        return ["objects"] if chosen is None else chosen

    @cached_property
    def end(self) -> int:
        """The end of every window of this run, fixed before the first one."""
        wanted = self.work.slice.end
        now = int(self.api.now().timestamp()) - SETTLE
        return min(now, int(wanted.timestamp())) if wanted else now

    @cached_property
    def event_types(self) -> frozenset[str]:
        """The names of the account's types of events; asked once a day."""
        known = self.work.state.get("event_types") or {}
        if known.get("at", 0) > self.end - _TYPES_FOR:
            return frozenset(known["names"])
        body = self.api.get("/events/types")
        rows = self.api.embedded(body, "events_types", "/events/types") if body else []
        return frozenset(str(row.get("key")) for row in rows)

    def read(self) -> Iterator[Window]:
        """All that is new: dictionaries, people, history, deals, touches, deletions."""
        self.warn_of_payments()
        # The first request tells the system's clock, by which windows end.
        user = self.account.user
        sales = Sales(self)
        phases: list[Iterator[Window]] = [
            sales.dictionaries(),
            People(self).read(),
            sales.history(),
            sales.deals(),
            Touches(self).read(),
            Deletions(self, user).read(),
        ]
        for phase in phases:
            yield from phase
        known = {"at": self.end, "names": sorted(self.event_types)}
        yield Window("types of events", state={"event_types": known, "user": user}, done=1.0)

    def spans(self, endpoint: str, size: int, part: tuple[float, float]) -> Iterator[Span]:
        """The windows of an endpoint that are still to be read, oldest first.

        `part` is the share of the run that this endpoint is. A clock that was set back reads the
        last overlap again and leaves the cursor where it is.
        """
        asked = self.work.slice
        cursor = self.work.state.get(f"cursor:{endpoint}")
        overlap = self.connection.overlap_seconds
        overlap = OVERLAP if overlap is None else overlap
        if asked.is_named:
            first = int(asked.start.timestamp()) if asked.start else self._oldest(endpoint)
            cursor = self.end + 1
        elif cursor is None:
            first = self._oldest(endpoint)
        else:
            first = min(cursor, self.end) - overlap
        start = first
        while start < self.end or start == first:
            end = min(start + size, self.end)
            share = (end - first) / max(1, self.end - first)
            known = datetime.fromtimestamp(start, UTC) if cursor and start < cursor else None
            yield Span(start, end, known, part[0] + (part[1] - part[0]) * min(1.0, share))
            if end <= start:
                break
            start = end

    def cursor(self, endpoint: str, span: Span) -> Mapping[str, Any]:
        """The state once a window of an endpoint is written."""
        if self.work.slice.is_named:
            return {}
        known = self.work.state.get(f"cursor:{endpoint}") or 0
        return {f"cursor:{endpoint}": max(known, span.end)}

    def _oldest(self, endpoint: str) -> int:
        """Where reading begins: the first trace in the account, not before start_date."""
        wanted = self.connection.start_date
        floor = (
            int(datetime(wanted.year, wanted.month, wanted.day, tzinfo=UTC).timestamp())
            if (wanted)
            else 0
        )
        if endpoint.endswith(" deleted"):
            # One question has them all.
            return floor
        oldest = self._first_lead if endpoint.startswith("/events") else self._first(endpoint)
        return max(floor, min(oldest, self.end))

    @cached_property
    def _first_lead(self) -> int:
        """When the oldest lead was created: no event that matters is older."""
        return self._least("/leads", "id", "created_at")

    def _first(self, endpoint: str) -> int:
        """When the row that was left alone for the longest was last changed."""
        return self._least(endpoint.partition(" ")[0], "updated_at", "updated_at")

    def _least(self, path: str, order: str, column: str) -> int:
        """The least value of a column; the first row has it, if the system keeps the order."""
        name = path.rpartition("/")[2]
        query = {f"order[{order}]": "asc"}
        body = self.api.get(path, {"limit": LIMIT, "page": 1, **query})
        rows = self.api.embedded(body, name, path) if body else []
        keys = [int(row.get(order) or 0) for row in rows]
        if keys != sorted(keys):
            rows = self.api.rows(path, name, query)
        return min((int(row.get(column) or self.end) for row in rows), default=self.end)

    def optional(self, asked: Any, what: str) -> list[Json]:
        """Rows of a part that the token may not be allowed to read: warned of, then left out."""
        try:
            rows: list[Json] = asked()
        except Refused as error:
            self.work.report.warn(f"{what} is left out: {error.message}")
            return []
        return rows

    def check(self) -> Iterator[Finding]:
        """Who the token acts as, what it may read, and what stays empty."""
        from orchestration.connectors.kinds.amocrm.checks import findings

        yield from findings(self)
