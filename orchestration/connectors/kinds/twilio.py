"""Twilio: calls and their legs, whose list can only be asked for by whole days of UTC."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlencode

from pydantic import Field, field_validator, model_validator

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
    text,
)  # fmt: skip
from orchestration.connectors.http import Again, Answer, Http, Pace, refuse
from orchestration.connectors.secrets import SecretRef, secret_key
from orchestration.connectors.telephony import texts

VENDOR = "https://api.twilio.com"
_VERSION = "/2010-04-01"
_DAY = timedelta(days=1)
_PAGE = 1_000
_GOING_ON = ("queued", "initiated", "ringing", "in-progress")
_ENDS = {"completed": ANSWERED, "busy": BUSY, "no-answer": NO_ANSWER, "canceled": NO_ANSWER,
         "failed": FAILED}  # fmt: skip
_WAYS = {"inbound": "in", "outbound-api": "out", "trunking-originating": "in",
         "trunking-terminating": "out"}  # fmt: skip

Json = dict[str, Any]


class TwilioConnection(HostedConnection):
    """One account. Either its token, or an API key and its secret."""

    kind: Literal["twilio"]
    account_sid: str = Field(
        pattern=r"^AC\w+$", description="in the console", examples=["AC00000000000000000000000001"]
    )
    auth_token: SecretRef | None = secret_key("beside it", shown=True)
    api_key_sid: str | None = Field(
        default=None, description="instead of the token: an API key", examples=["SK0001"]
    )
    api_key_secret: SecretRef | None = secret_key("of the API key")
    agents: dict[str, str] = Field(
        default={}, description="an employee's end of a call: what he is called by",
        examples=[{"client:anna": "anna", "+79990000900": "103"}],
        json_schema_extra={"shown": True},
    )  # fmt: skip
    accounts: list[str] = Field(
        default=[], description="subaccounts to read too", examples=[["AC0002"]]
    )
    timezone: Literal["UTC"] = Field(default="UTC", description="Twilio's times are UTC")
    reread: int = Field(
        default=2 * DAY, description="read again before the end of the last load",
        examples=["2d"],
    )  # fmt: skip

    @field_validator("agents", mode="before")
    @classmethod
    def _ends_are_text(cls, value: Any) -> Any:
        return texts(value)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        by_key = bool(self.api_key_sid and self.api_key_secret)
        if bool(self.auth_token) == by_key:
            raise ValueError("needs either auth_token, or api_key_sid and api_key_secret")
        return self


class Twilio(Hosted[TwilioConnection]):
    """Calls with their children. Employees are the names of their ends."""

    kind: ClassVar[str] = "twilio"
    title: ClassVar[str] = "Twilio"
    page: ClassVar[str] = "twilio.md"
    config: ClassVar[type[Connection]] = TwilioConnection
    requests_per_slice: ClassVar[int] = 2

    @property
    def has_ids(self) -> bool:
        """The ends' names are what there is."""
        return False

    @cached_property
    def http(self) -> Http:
        """The API, with the account's login."""
        keys, work = self.connection, self.work
        http = Http(
            keys.name, "Twilio", keys.base_url or VENDOR, work.clock, work.mask, work.report,
            Pace(10, work.clock), self._judge,
        )  # fmt: skip
        if keys.auth_token:
            login = f"{keys.account_sid}:{self.secret('auth_token')}"
        else:
            login = f"{keys.api_key_sid}:{self.secret('api_key_secret')}"
        encoded = base64.b64encode(login.encode()).decode()
        http.headers["Authorization"] = f"Basic {work.mask.hide(encoded)}"
        return http

    @property
    def accounts(self) -> list[str]:
        """The account and those below it."""
        return list(dict.fromkeys([self.connection.account_sid, *self.connection.accounts]))

    def begin(self) -> Iterator[Finding]:
        """Each account can be read."""
        for account in self.accounts:
            path = f"{_VERSION}/Accounts/{account}.json"
            body = self.http.request("GET", path, what="Accounts").data
            name = body.get("friendly_name") if isinstance(body, dict) else None
            status = body.get("status") if isinstance(body, dict) else None
            grade = "good" if status == "active" else "note"
            yield Finding(grade, f"Account {name or account} is {status}; times are in UTC")

    def employees(self) -> list[Employee]:
        """Those that the keys name: the system has no directory."""
        return [Employee(it) for it in sorted(set(self.connection.agents.values()))]

    def after(self, start: datetime) -> datetime:
        """Slices end at midnight, as the system's filter does."""
        days = max(1, self.connection.slice // DAY)
        return start.replace(hour=0, minute=0, second=0, microsecond=0) + days * _DAY

    def calls(self, start: datetime, end: datetime) -> list[Row]:
        """Rows of the conversations that began in a range, of all accounts."""
        return [row for account in self.accounts for row in self._calls(account, start, end)]

    def _calls(self, account: str, start: datetime, end: datetime) -> list[Row]:
        # A leg may begin after midnight of a conversation that began before it.
        first, last = (start - _DAY).date(), (end + _DAY).date()
        span = {"StartTime>": str(first), "StartTime<": str(last)}
        found = {str(it.get("sid")): it for it in self._pages(account, "Calls", "calls", span)}
        for call in found.values():
            self._check_filter(call, first, last)
        roots = {sid: _root(call, found) for sid, call in found.items()}
        within = [sid for sid in found if _is_within(found[roots[sid]], start, end)]
        done = [sid for sid in within if found[sid].get("status") not in _GOING_ON]
        self.work.report.account("Calls", len(within), len(done), len(within) - len(done))
        if not done:
            return []
        created = {"DateCreated>": str(first), "DateCreated<": str(last)}
        recordings: dict[str, str] = {}
        for it in self._pages(account, "Recordings", "recordings", created):
            address = f"{VENDOR}{str(it.get('uri')).removesuffix('.json')}.mp3"
            recordings.setdefault(str(it.get("call_sid")), address)
        talks = {
            root: _Talk(self, found[root], [found[it] for it in within if roots[it] == root])
            for root in {roots[it] for it in done}
        }
        return [
            {**talks[roots[sid]].row(found[sid], roots[sid]), "recording_url": recordings.get(sid)}
            for sid in done
        ]

    def _pages(self, account: str, path: str, name: str, query: Mapping[str, str]) -> list[Json]:
        """All rows of a list, page after page as the system names the next."""
        asked = urlencode({**{f"{key}=": it for key, it in query.items()}, "PageSize": _PAGE})
        # The filter's name ends with the sign: `StartTime>=` and its value.
        asked = asked.replace("%3D=", "=")
        following: Any = f"{_VERSION}/Accounts/{account}/{path}.json?{asked}"
        rows: list[Json] = []
        seen: set[str] = set()
        while following and following not in seen:
            seen.add(following)
            body = self.http.request("GET", str(following), what=path).data
            listed = body.get(name) if isinstance(body, dict) else None
            if not isinstance(listed, list):
                raise self.http.later(
                    path, f"the answer has no {name}",
                    "Try again later; if it stays so, the system has changed its API.",
                )  # fmt: skip
            rows += listed
            following = body.get("next_page_uri")
        return rows

    def _check_filter(self, call: Json, first: Any, last: Any) -> None:
        """A filter that the system does not know is ignored, and the whole account comes."""
        began = _moment(call.get("start_time"))
        if began is not None and not first <= began.date() <= last:
            raise Refused(
                f"{self.connection.name}: Twilio, Calls: a call of {began:%Y-%m-%d} came, and "
                f"{first} to {last} was asked for.",
                "Something between voronka and Twilio (base_url, a proxy) loses the filter.",
            )

    def _judge(self, answer: Answer) -> Again | None:
        keys = self.connection
        if answer.status == 429:
            return Again("429", at_most=10, budget=float(keys.max_wait))
        if answer.status in (401, 403):
            secret = keys.auth_token or keys.api_key_secret
            raise refuse(
                f"Copy the secret again from Twilio's console into {secret}, and look that it is "
                "of this account and may read its calls."
            )
        if answer.status == 404:
            raise refuse("Correct account_sid, or accounts: there is no such account.")
        return None

    def agent(self, end: Any) -> str | None:
        """The employee at an end of a call; None where it is no employee's."""
        written = str(end or "")
        if written in self.connection.agents:
            return self.connection.agents[written]
        kind, _, rest = written.partition(":")
        if kind not in ("client", "sip"):
            return None
        return rest.partition("@")[0] or None


class _Talk:
    """One conversation: a root and its legs."""

    def __init__(self, of: Twilio, root: Json, legs: list[Json]) -> None:
        self._of = of
        self._root = root
        self._caller = of.agent(root.get("from"))
        self._called = of.agent(root.get("to"))
        written = str(root.get("direction"))
        way = _WAYS.get(written, written)
        self._way = "out" if written == "inbound" and self._caller else way
        self._children = [it for it in legs if it is not root]
        self._has_customer = any(of.agent(it.get("to")) is None for it in self._children)
        self._reached = any(
            self._employee(it) is not None and _ENDS.get(str(it.get("status"))) == ANSWERED
            for it in legs
        )
        # An agent's call shows the company's number only on the leg that reaches the customer.
        shown = [it.get("from") for it in self._children if of.agent(it.get("from")) is None]
        self._shown = shown[0] if self._caller and shown else root.get("from")

    def _is_internal(self, leg: Json) -> bool:
        of = self._of
        return of.agent(leg.get("from")) is not None and of.agent(leg.get("to")) is not None

    def _employee(self, leg: Json) -> str | None:
        called = self._of.agent(leg.get("to"))
        if self._is_internal(leg):
            return self._of.agent(leg.get("from"))
        if self._way != "out":
            return called
        if leg is self._root:
            # The employee is on the leg that reaches the customer, where there is one.
            return None if self._caller or self._has_customer else called
        return called or self._caller or self._called

    def row(self, leg: Json, root: str) -> Row:
        """One leg as a row."""
        of, way = self._of, "internal" if self._is_internal(leg) else self._way
        line = {"in": self._root.get("to"), "out": self._shown}.get(way)
        if of.agent(line) is not None:
            line = None
        ends = ("from", "to")
        source = self._root if way == "in" else leg
        began = leg.get("start_time") or leg.get("date_created")
        status = str(leg.get("status"))
        row: Row = {
            "call_id": of.key(leg.get("sid")),
            "linked_id": of.key(root),
            "direction": way,
            "from_number": text(source.get(ends[0])),
            "to_number": text(source.get(ends[1])),
            "extension": of.extension(self._employee(leg)),
            "started_at": _written(began),
            "ended_at": _written(leg.get("end_time")),
            "line": text(line),
        }
        end = _ENDS.get(status, status)
        if end not in _ENDS.values():
            of.work.report.counted[f"calls with the status {status}"] += 1
        if end == ANSWERED and row["extension"] is None:
            end = of.without_employee(True, self._reached, False)
        row["disposition"] = end
        # The seconds of a leg without an employee are those of the legs below it.
        is_alone = row["extension"] is None and self._reached
        row["talk_seconds"] = "0" if is_alone else of.talk(row, leg.get("duration"))
        return row


def _root(call: Json, found: Mapping[str, Json]) -> str:
    """The first call above this one, as far as they came."""
    seen = {str(call.get("sid"))}
    while (parent := str(call.get("parent_call_sid") or "")) in found and parent not in seen:
        seen.add(parent)
        call = found[parent]
    return str(call.get("sid"))


def _moment(written: Any) -> datetime | None:
    try:
        return parsedate_to_datetime(str(written)).astimezone(UTC)
    except ValueError:
        return None


def _written(value: Any) -> str | None:
    moment = _moment(value)
    return moment.isoformat() if moment else text(value)


def _is_within(root: Json, start: datetime, end: datetime) -> bool:
    began = _moment(root.get("start_time") or root.get("date_created"))
    # Without a time it comes with every slice, and the contract judges it.
    return began is None or start <= began < end


CONNECTORS = (Twilio,)
