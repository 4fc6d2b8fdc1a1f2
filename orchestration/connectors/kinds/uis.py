"""UIS and CoMagic: sessions and their legs through Data API 2.0, whose times are the account's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from orchestration.base.durations import DAY
from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row
from orchestration.connectors.hosted import (
    ANSWERED,
    BUSY,
    FAILED,
    NO_ANSWER,
    VOICEMAIL,
    Employee,
    Hosted,
    HostedConnection,
    local_text,
    text,
)  # fmt: skip
from orchestration.connectors.http import Again, Answer, Http, Pace, later, refuse
from orchestration.connectors.secrets import SecretRef, secret_key

VENDOR = "https://dataapi.uiscom.ru/v2.0"
_SESSIONS, _LEGS = "get.calls_report", "get.call_legs_report"
_SESSION_FIELDS = (
    "id", "start_time", "finish_time", "direction", "is_lost", "contact_phone_number",
    "virtual_phone_number", "total_duration", "voice_mail_records",
)  # fmt: skip
_LEG_FIELDS = (
    "id", "call_session_id", "start_time", "connect_time", "duration", "total_duration",
    "finish_reason", "is_operator", "is_coach", "is_talked", "employee_id",
    "calling_phone_number", "called_phone_number", "call_records",
)  # fmt: skip
# What a tariff may lack; the mapping does without.
_OPTIONAL = ("voice_mail_records", "call_records", "is_coach", "calling_phone_number",
             "called_phone_number")  # fmt: skip
_MOST_ROWS = 100_000
_LEAST_SHARE = 0.05
_WIDER = timedelta(days=1)
_FAILED = ("_number_problems", "sip_offline", "locked", "not_found", "not_allowed")
_ADVICE = {
    "access_token_invalid": "Make a new key of the user in UIS and set it as {token}.",
    "access_token_expired": "Make a new key of the user in UIS and set it as {token}.",
    "access_token_blocked": "The user's key is blocked: let an administrator of UIS unblock it.",
    "auth_error": "Login or password is wrong: correct what {password} holds.",
    "ip_not_whitelisted": "Add this machine's address to the white list of the API in UIS.",
    "method_component_disabled": "The tariff lacks the component Data API: order it from UIS.",
    "account_inactive": "The account is switched off: settle it with UIS.",
}

Json = dict[str, Any]


class UisConnection(HostedConnection):
    """One account. Either a permanent key, or login and password."""

    kind: Literal["uis"]
    token: SecretRef | None = secret_key("the permanent key of a user", shown=True)
    login: str | None = Field(default=None, description="instead of the key", examples=["reader"])
    password: SecretRef | None = secret_key("of the login")
    user_id: int | None = Field(default=None, description="agents only: the client's id")
    media_url: str = Field(
        default="https://app.uiscom.ru/system/media/talk/", description="where recordings lie"
    )
    timezone: str = Field(
        default="", description="only compared: the account says its own",
        examples=["Europe/Moscow"],
    )  # fmt: skip
    page: int = Field(default=10_000, gt=0, le=10_000, description="rows in one answer")
    slice: int = Field(
        default=DAY, gt=0, le=85 * DAY, description="what one question asks for",
        examples=["1d"],
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.token and (self.login or self.password):
            raise ValueError("token and login exclude each other: take one of them away")
        if not self.token and not (self.login and self.password):
            raise ValueError("needs token: env:NAME, or login and password: env:NAME")
        return self


class Uis(Hosted[UisConnection]):
    """Sessions with their legs."""

    kind: ClassVar[str] = "uis"
    title: ClassVar[str] = "UIS / CoMagic"
    page: ClassVar[str] = "uis.md"
    config: ClassVar[type[Connection]] = UisConnection
    requests_per_slice: ClassVar[int] = 2

    @property
    def has_ids(self) -> bool:
        """Employees have ids of their own."""
        return True

    @cached_property
    def http(self) -> Http:
        """The account's API."""
        keys, work = self.connection, self.work
        http = Http(
            keys.name, "UIS", keys.base_url or VENDOR, work.clock, work.mask, work.report,
            Pace(5, work.clock), self._judge,
        )  # fmt: skip
        http.headers["Content-Type"] = "application/json; charset=UTF-8"
        self._access = self.secret("token") if keys.token else ""
        self._limits: Json = {}
        self._body: Json = {}
        self._missing: set[str] = set()
        return http

    @cached_property
    def account(self) -> Json:
        """The account, with its zone."""
        rows, _ = self._ask("get.account", {})
        return rows[0] if rows else {}

    @cached_property
    def zone(self) -> tzinfo:
        """The account's zone; that of the keys where it names none that is known."""
        named = str(self.account.get("timezone") or "")
        try:
            return ZoneInfo(named)
        except (ZoneInfoNotFoundError, ValueError):
            if self.connection.timezone:
                return ZoneInfo(self.connection.timezone)
            raise self.http.refused(
                "get.account", f"its timezone {named!r} is not known", "Set timezone in the keys."
            ) from None

    def begin(self) -> Iterator[Finding]:
        """The account and its zone, which wins over that of the keys."""
        named, written = str(self.zone), self.connection.timezone
        yield Finding("good", f"Account {self.account.get('name')}: times in {named}")
        if written and written != named:
            yield Finding(
                "note",
                f"timezone is {written}, and the account says {named}: the account's is used",
                "Correct timezone, or take it away.",
            )

    def employees(self) -> list[Employee]:
        """The account's employees, by the id that their legs carry."""
        rows = self._all("get.employees", {"fields": ["id", "full_name", "email", "extension",
                                                      "phone_numbers"]})  # fmt: skip
        return [
            Employee(
                str(it.get("id")), text(it.get("full_name")) or "", text(it.get("email")) or "",
                tuple(_numbers([it.get("extension"), it.get("phone_numbers")])),
            )
            for it in rows
        ]  # fmt: skip

    def calls(self, start: datetime, end: datetime) -> list[Row]:
        """Rows of the sessions that began in a range."""
        sessions = self._report(_SESSIONS, start, end, _SESSION_FIELDS)
        listed = sessions and self._report(_LEGS, start - _WIDER, end + _WIDER, _LEG_FIELDS)
        legs: dict[Any, dict[Any, Json]] = {}
        for leg in listed:
            legs.setdefault(leg.get("call_session_id"), {})[leg.get("id")] = leg
        found = {it.get("id"): it for it in sessions}
        rows = []
        for own, session in found.items():
            of = list(legs.get(own, {}).values())
            rows += [self._leg(session, leg) for leg in of] or [self._without_legs(session)]
            self.work.report.account(_LEGS, len(of), len(of))
        self.work.report.account(_SESSIONS, len(found), len(found))
        return rows

    def _leg(self, session: Json, leg: Json) -> Row:
        row = self._base(session, leg.get("id"))
        is_person = bool(leg.get("is_operator")) and not leg.get("is_coach")
        row["extension"] = self.extension(leg.get("employee_id")) if is_person else None
        if row["direction"] == "internal":
            row["from_number"] = text(leg.get("calling_phone_number"))
            row["to_number"] = text(leg.get("called_phone_number"))
        row["disposition"] = (
            _ended(leg) if row["extension"] is not None
            else self._machine(session, bool(leg.get("connect_time")))
        )  # fmt: skip
        is_answered = row["disposition"] == ANSWERED
        connected = leg.get("connect_time") if is_answered else None
        row["started_at"] = local_text(leg.get("start_time"), self.zone)
        row["answered_at"] = local_text(connected, self.zone)
        row["ended_at"] = local_text(leg.get("start_time"), self.zone, leg.get("total_duration"))
        # The machine's seconds are the employee's too.
        is_machine = row["extension"] is None and not session.get("is_lost")
        row["talk_seconds"] = "0" if is_machine else self.talk(row, leg.get("duration"))
        records = leg.get("call_records") or []
        if records:
            media = self.connection.media_url.rstrip("/")
            row["recording_url"] = f"{media}/{session.get('id')}/{records[0]}/"
        return row

    def _without_legs(self, session: Json) -> Row:
        row = self._base(session, f"s{session.get('id')}")
        row["extension"] = None
        row["disposition"] = self._machine(session, False)
        row["started_at"] = local_text(session.get("start_time"), self.zone)
        row["ended_at"] = local_text(session.get("finish_time"), self.zone)
        row["talk_seconds"] = "0"
        return row

    def _base(self, session: Json, own: Any) -> Row:
        way = text(session.get("direction"))
        customer = text(session.get("contact_phone_number"))
        line = text(session.get("virtual_phone_number"))
        ends = (customer, line) if way == "in" else (line, customer)
        if customer is None:
            way = "internal"
        return {
            "call_id": self.key(own), "linked_id": self.key(session.get("id")), "direction": way,
            "from_number": ends[0], "to_number": ends[1], "line": line,
        }  # fmt: skip

    def _machine(self, session: Json, is_picked_up: bool) -> str:
        if not session.get("is_lost"):
            return ANSWERED
        if session.get("voice_mail_records"):
            return VOICEMAIL
        return ANSWERED if is_picked_up and self.connection.ivr_answers else NO_ANSWER

    def _report(
        self, method: str, start: datetime, end: datetime, fields: Sequence[str]
    ) -> list[Json]:
        """Rows of a range, in halves where there are more than pages can reach."""
        params: Json = {
            "date_from": self._local(start),
            # Both ends belong to the question.
            "date_till": self._local(end - timedelta(seconds=1)),
            "fields": [it for it in fields if it not in self._missing],
            "sort": [{"field": "start_time", "order": "asc"}, {"field": "id", "order": "asc"}],
        }
        if method == _SESSIONS:
            params["include_ongoing_calls"] = False
        rows = self._pages(method, params)
        if rows is not None:
            return rows
        middle = (start + (end - start) / 2).replace(microsecond=0)
        if not start < middle < end:
            raise self.http.later(
                method, f"more than {_MOST_ROWS} rows in a second", "Ask UIS about it."
            )
        early, late = (start, middle), (middle, end)
        return [row for part in (early, late) for row in self._report(method, *part, fields)]

    def _local(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def _all(self, method: str, params: Mapping[str, Any]) -> list[Json]:
        return self._pages(method, params) or []

    def _pages(self, method: str, params: Mapping[str, Any]) -> list[Json] | None:
        found: list[Json] = []
        while True:
            page = {**params, "limit": self.connection.page, "offset": len(found)}
            rows, total = self._ask(method, page)
            if total is not None and total > _MOST_ROWS:
                return None
            found += rows
            if not rows or (total is not None and len(found) >= total):
                if total is not None and len(found) < total:
                    raise self.http.later(
                        method, f"{len(found)} rows came, and it says {total}", "Try again later."
                    )
                return found
            if total is None and len(rows) < self.connection.page:
                return found

    def _ask(self, method: str, params: Mapping[str, Any]) -> tuple[list[Json], int | None]:
        """One answer's rows, and how many there are in all."""
        assert self.http
        self._spare_points(method)
        if not self._access:
            self._log_in()
        given: Json = {**params, "access_token": self._access}
        if self.connection.user_id is not None:
            given["user_id"] = self.connection.user_id
        self._body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": given}
        data = self._answer(method, self._body)
        rows = data.get("data")
        if not isinstance(rows, list):
            raise self.http.later(
                method, "the answer has no result.data",
                "Try again later; if it stays so, the system has changed its API.",
            )  # fmt: skip
        total = (data.get("metadata") or {}).get("total_items")
        return rows, total if isinstance(total, int) else None

    def _answer(self, method: str, body: Json) -> Json:
        answer = self.http.request("POST", "", json_body=body, what=method)
        found = answer.data.get("result") if isinstance(answer.data, dict) else None
        if not isinstance(found, dict):
            raise self.http.later(method, "the answer has no result", "Try again later.")
        self._limits = (found.get("metadata") or {}).get("limits") or {}
        return found

    def _spare_points(self, method: str) -> None:
        """Wait for the next minute's points; leave the day's last ones to others."""
        limits = self._limits
        left, whole = limits.get("day_remaining"), limits.get("day_limit")
        if left is not None and whole and left < whole * _LEAST_SHARE:
            raise self.http.later(
                method, f"{left} of {whole} points of the day are left",
                f"Run again in {math.ceil(limits.get('day_reset', 0) / 60)} min: it goes on from "
                "there.",
            )  # fmt: skip
        if limits.get("minute_remaining") == 0:
            self.work.report.waits["points"] += 1
            self.work.clock.sleep(float(limits.get("minute_reset") or 60))
        self._limits = {}

    def _log_in(self) -> None:
        keys = self.connection
        body: Json = {"jsonrpc": "2.0", "id": 1, "method": "login.user",
                "params": {"login": keys.login, "password": self.secret("password")}}  # fmt: skip
        data = self._answer("login.user", body).get("data")
        token = data.get("access_token") if isinstance(data, dict) else None
        if not token:
            raise self.http.later("login.user", "the answer has no access_token", "Try again.")
        self._access = self.work.mask.hide(str(token))

    def _judge(self, answer: Answer) -> Again | None:
        error = answer.data.get("error") if answer.is_json and isinstance(answer.data, dict) else 0
        if not isinstance(error, dict):
            return None
        data = error.get("data") or {}
        mnemonic = str(data.get("mnemonic") or "")
        words = f"{error.get('code')} {mnemonic}: {error.get('message')}"
        budget = float(self.connection.max_wait)
        if mnemonic == "limit_exceeded":
            limits = (data.get("metadata") or {}).get("limits") or {}
            if (data.get("params") or {}).get("limit_type") == "day":
                raise later("Run again tomorrow: it goes on from there.", words)
            wait = float(limits.get("minute_reset") or 60)
            return Again("limit", after=wait, at_most=int(budget), budget=budget)
        if mnemonic == "internal_error" or (not mnemonic and answer.status >= 500):
            return Again("internal_error")
        is_token = mnemonic in ("access_token_invalid", "access_token_expired")
        if is_token and self.connection.login and self._body["params"].get("access_token"):
            body = self._body
            self._log_in()
            # The same question is sent again, with the new token in it.
            body["params"]["access_token"] = self._access
            self._body = body
            return Again("token", after=0, at_most=1)
        if mnemonic == "parameter_component_disabled":
            named = [it for it in _OPTIONAL if it in answer.text and it not in self._missing]
            fields = self._body["params"].get("fields", [])
            if named and any(it in fields for it in named):
                self._missing |= set(named)
                self._body["params"]["fields"] = [it for it in fields if it not in named]
                self.work.report.warn(f"The tariff lacks {', '.join(named)}: read without.")
                return Again(f"without {named}", after=0, at_most=1)
        advice = _ADVICE.get(mnemonic, "Look the error up in UIS's manual of Data API.")
        keys = self.connection
        raise refuse(advice.format(token=keys.token, password=keys.password), words)


def _ended(leg: Json) -> str:
    """How an employee's leg ended."""
    reason = str(leg.get("finish_reason") or "")
    if leg.get("is_talked"):
        return ANSWERED
    if "_busy" in reason:
        return BUSY
    return FAILED if any(it in reason for it in _FAILED) else NO_ANSWER


def _numbers(value: Any) -> Iterator[str]:
    """All texts with digits inside lists and objects: extensions and telephones."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _numbers(inner)
    elif isinstance(value, str) and value.removeprefix("+").isdigit():
        yield value


CONNECTORS = (Uis,)
