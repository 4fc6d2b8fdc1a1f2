"""Zadarma: the statistics of its exchange, three questions a minute, in the account's own time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cached_property
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import Field

from orchestration.base.durations import DAY
from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row
from orchestration.connectors.errors import Refused
from orchestration.connectors.hosted import (
    ANSWERED,
    BUSY,
    FAILED,
    NO_ANSWER,
    Employee,
    Hosted,
    HostedConnection,
    is_outside,
    local_text,
    text,
)  # fmt: skip
from orchestration.connectors.http import Again, Answer, Http, Pace, refuse
from orchestration.connectors.secrets import SecretRef

VENDOR = "https://api.zadarma.com"
_STATISTICS = "/v1/statistics/pbx/"
_INTERNAL = "/v1/pbx/internal/"
_TOLERANCE = 300
_RATE_WAIT = 20.0
_ENDS = {
    "answered": ANSWERED,
    "busy": BUSY,
    "cancel": NO_ANSWER,
    "no answer": NO_ANSWER,
    "call failed": FAILED,
    "no money": FAILED,
    "no money, no limit": FAILED,
    "unallocated number": FAILED,
}

Json = dict[str, Any]


class ZadarmaConnection(HostedConnection):
    """One account."""

    kind: Literal["zadarma"]
    api_key: SecretRef = Field(
        description="in the settings, API and integrations", json_schema_extra={"secret": True}
    )
    api_secret: SecretRef = Field(description="beside it", json_schema_extra={"secret": True})
    timezone: str = Field(
        default="", description="needed where clocks change; else the account says its offset",
        examples=["Europe/Moscow"],
    )  # fmt: skip
    page: int = Field(default=1_000, gt=0, le=1_000, description="rows in one answer")
    statistics_per_minute: float = Field(
        default=3, gt=0, description="what Zadarma allows your account"
    )
    reread: int = Field(
        default=2 * DAY, description="read again before the end of the last load",
        examples=["2d"],
    )  # fmt: skip
    slice: int = Field(
        default=DAY, gt=0, le=28 * DAY, description="what one question asks for",
        examples=["1d"],
    )  # fmt: skip


class Zadarma(Hosted[ZadarmaConnection]):
    """Statistics of the exchange. Employees are their extensions."""

    kind: ClassVar[str] = "zadarma"
    title: ClassVar[str] = "Zadarma"
    page: ClassVar[str] = "zadarma.md"
    config: ClassVar[type[Connection]] = ZadarmaConnection
    requests_per_slice: ClassVar[int] = 1
    seconds_per_request: ClassVar[float] = 20.0

    @property
    def has_ids(self) -> bool:
        """Employees are known by their extensions only."""
        return False

    @cached_property
    def http(self) -> Http:
        """All but the statistics."""
        return self._http(1.5)

    @cached_property
    def statistics(self) -> Http:
        """The statistics, at a pace of their own."""
        return self._http(self.connection.statistics_per_minute / 60)

    @cached_property
    def zone(self) -> tzinfo:
        """The configured zone, which has to agree with the account's; else its offset of today."""
        body = self._ask("/v1/info/timezone/", {})
        written, unix = str(body.get("datetime")), body.get("unixtime")
        try:
            local = datetime.fromisoformat(written).replace(tzinfo=UTC)
            offset = local.timestamp() - int(str(unix))
        except ValueError:
            raise self.http.later(
                "/v1/info/timezone/", "the answer has no unixtime and datetime", "Try again later."
            ) from None
        account = timezone(timedelta(seconds=round(offset / 900) * 900))
        if not self.connection.timezone:
            return account
        zone = self.connection.zone
        ours = datetime.fromtimestamp(int(str(unix)), zone).utcoffset() or timedelta()
        if abs(ours.total_seconds() - offset) > _TOLERANCE:
            raise Refused(
                f"{self.connection.name}: Zadarma: the account's times are in {account}, and "
                f"timezone is {self.connection.timezone}.",
                f"Write the account's zone ({account}) as timezone, or set the account's right.",
            )
        return zone

    @cached_property
    def numbers(self) -> list[str]:
        """The extensions of the exchange."""
        found = self._ask(_INTERNAL, {}).get("numbers")
        if not isinstance(found, list):
            raise self.http.later(_INTERNAL, "the answer has no numbers", "Try again later.")
        return [str(it) for it in found]

    @cached_property
    def extensions(self) -> frozenset[str]:
        """The extensions, and those that the keys name: people who have left had calls too."""
        return frozenset({*self.numbers, *self.connection.managers})

    def begin(self) -> Iterator[Finding]:
        """Key and secret are right if the account says its time."""
        yield Finding("good", f"Key and secret are right; times are in {self.zone}")
        yield Finding("good", f"Extensions: {', '.join(self.numbers) or 'none'}")

    def employees(self) -> list[Employee]:
        """The extensions; the names of those that the keys do not name."""
        found = []
        for number in self.numbers:
            name = ""
            if number not in self.connection.managers:
                name = text(self._ask(f"{_INTERNAL}{number}/info/", {}).get("name")) or ""
            found.append(Employee(number, name))
        return found

    def calls(self, start: datetime, end: datetime) -> list[Row]:
        """Rows of the calls that began in a range."""
        listed: dict[str, Json] = {}
        skip = 0
        while True:
            params = {
                "start": self._local(start),
                # Both ends belong to the question.
                "end": self._local(end - timedelta(seconds=1)),
                "version": 2,
                "skip": skip,
                "limit": self.connection.page,
            }
            page = self._ask(_STATISTICS, params, self.statistics).get("stats")
            if not isinstance(page, list):
                raise self.http.later(
                    _STATISTICS, "the answer has no stats",
                    "Try again later; if it stays so, the system has changed its API.",
                )  # fmt: skip
            # Rows of one call differ; a row that moved to the next page does not.
            listed |= {json.dumps(it, sort_keys=True, default=str): it for it in page}
            if len(page) < self.connection.page:
                break
            skip += len(page)
        calls = list(listed.values())
        reached = {
            it.get("pbx_call_id") for it in calls
            if self._employee(it) and _ENDS.get(_end(it)) == ANSWERED
        }  # fmt: skip
        self.work.report.account(_STATISTICS, len(calls), len(calls))
        return [self._row(it, it.get("pbx_call_id") in reached) for it in calls]

    def _way(self, call: Json) -> str | None:
        if {str(call.get("clid")), str(call.get("destination"))} <= self.extensions:
            return "internal"
        way = str(call.get("pbx_call_id") or "").partition("_")[0]
        return text(way)

    def _employee(self, call: Json) -> str | None:
        found = str(call.get("destination" if self._way(call) == "in" else "sip") or "")
        return found if found in self.extensions else None

    def _row(self, call: Json, reached: bool) -> Row:
        way, sip = self._way(call), text(call.get("sip"))
        line = sip if way == "in" and is_outside(sip) else None
        row: Row = {
            "call_id": self.key(call.get("call_id")),
            "linked_id": self.key(call.get("pbx_call_id")),
            "direction": way,
            "from_number": text(call.get("clid")),
            "to_number": line if way == "in" else text(call.get("destination")),
            "extension": self.extension(self._employee(call)),
            "started_at": local_text(call.get("callstart"), self.zone),
            "line": line,
        }
        end = _ENDS.get(_end(call)) or (FAILED if "limit" in _end(call) else None)
        if end is None:
            end = _end(call)
            self.work.report.counted[f"calls with the disposition {end}"] += 1
        if end == ANSWERED and row["extension"] is None:
            end = self.without_employee(True, reached, False)
        row["disposition"] = end
        row["talk_seconds"] = self.talk(row, call.get("seconds"))
        return row

    def _local(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def _ask(self, path: str, params: Mapping[str, Any], http: Http | None = None) -> Json:
        """One signed question. The signature is over the method, the query and the query's MD5."""
        query = urlencode(sorted(params.items()))
        digest = hashlib.md5(query.encode(), usedforsecurity=False).hexdigest()
        key, secret = self.secret("api_key"), self.secret("api_secret")
        signed = hmac.new(secret.encode(), f"{path}{query}{digest}".encode(), hashlib.sha1)
        # Base64 of the hexadecimal text, not of the bytes.
        signature = base64.b64encode(signed.hexdigest().encode()).decode()
        http = http or self.http
        http.headers["Authorization"] = f"{key}:{signature}"
        answer = http.request("GET", f"{path}?{query}" if query else path, what=path)
        body: Json = answer.data if isinstance(answer.data, dict) else {}
        return body

    def _http(self, per_second: float) -> Http:
        keys, work = self.connection, self.work
        return Http(
            keys.name, "Zadarma", keys.base_url or VENDOR, work.clock, work.mask, work.report,
            Pace(per_second, work.clock), self._judge,
        )  # fmt: skip

    def _judge(self, answer: Answer) -> Again | None:
        keys = self.connection
        if answer.status == 429:
            budget = float(keys.max_wait)
            return Again("429", after=_RATE_WAIT, at_most=int(budget), budget=budget)
        if answer.status in (401, 403):
            raise refuse(
                f"Copy key and secret again from Zadarma's settings of the API into {keys.api_key} "
                f"and {keys.api_secret}; they may have been made again, or the API switched off."
            )
        is_object = answer.is_json and isinstance(answer.data, dict)
        if answer.status < 500 and is_object and answer.data.get("status") == "error":
            raise refuse("Look at slice, page and the rights of the key in Zadarma's settings.")
        return None


def _end(call: Json) -> str:
    return str(call.get("disposition") or "").strip().lower()


CONNECTORS = (Zadarma,)
