"""Reads the calls of one Mango Office exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row
from orchestration.connectors.errors import Refused
from orchestration.connectors.hosted import Employee, Hosted, text
from orchestration.connectors.http import Http
from orchestration.connectors.kinds.mango.api import Api, Json
from orchestration.connectors.kinds.mango.keys import MangoConnection
from orchestration.connectors.kinds.mango.mapping import (
    BasicMapper,
    Mapper,
    has_outsider,
    is_going_on,
)  # fmt: skip

_CALLS, _LEGS = "stats/calls", "stats"
_INTERNAL = 3
_MOST_OUTSIDERS = 0.2


class Mango(Hosted[MangoConnection]):
    """Extended statistics of calls, or the basic ones."""

    kind: ClassVar[str] = "mango"
    title: ClassVar[str] = "Mango Office"
    page: ClassVar[str] = "mango.md"
    config: ClassVar[type[Connection]] = MangoConnection
    requests_per_slice: ClassVar[int] = 2
    seconds_per_request: ClassVar[float] = 3.0

    @property
    def has_ids(self) -> bool:
        """The basic statistics know employees by their extensions only."""
        return self.connection.api == "extended"

    @cached_property
    def api(self) -> Api:
        """The exchange's API."""
        return Api(self.connection, self.work, self.secret("api_key"), self.secret("api_salt"))

    @property
    def http(self) -> Http:
        """The exchange's API."""
        return self.api.http

    @cached_property
    def users(self) -> list[Json]:
        """The exchange's users."""
        return self.api.rows("config/users/request", "users")

    @cached_property
    def mapper(self) -> Mapper:
        """The rules of the extended statistics."""
        lines = {
            str(_part(it, "general").get("user_id")): str(line)
            for it in self.users
            if (line := _part(it, "telephony").get("outgoingline"))
        }
        return Mapper(self, lines)

    @cached_property
    def basic_mapper(self) -> BasicMapper:
        """The rules of the basic statistics."""
        lines = self.api.rows("incominglines", "lines")
        return BasicMapper(self, {str(it.get("number")) for it in lines})

    def begin(self) -> Iterator[Finding]:
        """Key and salt are right if the users can be read."""
        yield Finding("good", f"Key and signature are right; {len(self.users)} users")

    def employees(self) -> list[Employee]:
        """The users, by the id that their calls carry."""
        found = []
        for user in self.users:
            general, telephony = _part(user, "general"), _part(user, "telephony")
            own, number = text(general.get("user_id")), text(telephony.get("extension"))
            key, also = (own, number) if self.has_ids else (number, own)
            if key is None:
                continue
            found.append(
                Employee(
                    key, text(general.get("name")) or "", text(general.get("email")) or "",
                    (also,) if also else (),
                )
            )  # fmt: skip
        return found

    def calls(self, start: datetime, end: datetime) -> list[Row]:
        """Rows of the calls that began in a range."""
        if self.connection.api == "basic":
            return self._basic(start, end)
        found: dict[str, Json] = {}
        for page in self.api.calls(start, end):
            for call in page:
                if _is_within(call, start, end):
                    # One without an id is none of the others that have none.
                    found[str(call.get("entry_id") or f"#{len(found)}")] = call
        self._check_directions(list(found.values()))
        latest = self.work.clock.now() - timedelta(seconds=self.connection.reread)
        going_on = {
            key
            for key, call in found.items()
            if is_going_on(call) and (_began(call) or 0) > latest.timestamp()
        }
        done = [call for key, call in found.items() if key not in going_on]
        self.work.report.account(_CALLS, len(found), len(done), len(going_on))
        for call in done:
            if self.mapper.way(call) not in ("in", "out", "internal"):
                self.work.report.counted[f"calls of context_type {call.get('context_type')}"] += 1
        return [row for call in done for row in self.mapper.rows(call)]

    def _basic(self, start: datetime, end: datetime) -> list[Row]:
        # Both ends belong to the question: a line on the border would come twice.
        lines = self.api.lines(start, end - timedelta(seconds=1))
        rows, rejected = self.basic_mapper.rows(lines)
        self.work.report.account(_LEGS, len(lines), len(rows), rejected=len(rejected))
        if rejected:
            self.work.report.warn(
                f"{len(rejected)} lines have not the fields that were asked for, as: "
                f"{rejected[0][:200]}"
            )
        # Lines that are equal to the last sign are one leg.
        return list({row["call_id"]: row for row in rows}.values())

    def _check_directions(self, calls: Sequence[Json]) -> None:
        """Raise Refused where calls named internal have customers in them."""
        if _INTERNAL in self.connection.context_type_map:
            return
        inner = [it for it in calls if text(it.get("context_type")) == str(_INTERNAL)]
        outsiders = sum(map(has_outsider, inner))
        if outsiders > _MOST_OUTSIDERS * len(inner):
            raise Refused(
                f"{self.connection.name}: Mango Office, {_CALLS}: {outsiders} of {len(inner)} "
                f"calls of context_type {_INTERNAL} (internal) have a party outside the company.",
                "Look at such a call in Mango Office and write what the number means: "
                f"context_type_map: {{{_INTERNAL}: out}}, or {{{_INTERNAL}: internal}}.",
            )


def _part(user: Json, name: str) -> Json:
    found: Any = user.get(name)
    return found if isinstance(found, dict) else {}


def _began(call: Json) -> int | None:
    began = str(call.get("context_start_time") or "")
    return int(began) if began.isdigit() else None


def _is_within(call: Json, start: datetime, end: datetime) -> bool:
    began = _began(call)
    # A call without a time comes with every slice, and the contract judges it.
    return began is None or start.timestamp() <= began < end.timestamp()
