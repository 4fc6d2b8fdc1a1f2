"""UIS: JSON-RPC with points, pages, and errors inside of good answers; times are the account's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.standins.company import LINE, Call, Company, Ring
from tests.standins.server import Reply, Request, StandIn, json_reply

TOKEN, PASSWORD = "permanent-user-key", "login-password-secret"
ZONE = ZoneInfo("Europe/Moscow")
LIMITS = {"day_limit": 3000, "day_remaining": 2988, "day_reset": 33000, "minute_limit": 40,
          "minute_remaining": 38, "minute_reset": 42}  # fmt: skip

Json = dict[str, Any]


@dataclass
class Store:
    """What the account knows."""

    sessions: list[Json] = field(default_factory=list)
    legs: list[Json] = field(default_factory=list)
    employees: list[Json] = field(default_factory=list)
    timezone: str = "Europe/Moscow"


class UisStandIn(StandIn):
    """`tokens` are good ones; the tariff is `without` some fields; `limits` come with answers.

    A question about more seconds than `crowded` has more rows than pages can reach.
    """

    def __init__(self, store: Callable[[], Store], page_size: int = 10_000) -> None:
        super().__init__()
        self.page_size = page_size
        self.tokens = {TOKEN}
        self.without: set[str] = set()
        self.limits: list[Json] = []
        self.logins = 0
        self.crowded: int | None = None
        self.asked: list[Json] = []
        self._store = store

    def answer(self, request: Request) -> Reply:
        body = request.json
        method, params = body["method"], body["params"]
        self.asked.append({"method": method, **params})
        if method == "login.user":
            if params["password"] != PASSWORD:
                return error_reply("auth_error", "Authorization error")
            self.logins += 1
            self.tokens.add(f"session-secret-{self.logins}")
            return _result({"access_token": f"session-secret-{self.logins}"}, LIMITS)
        if params["access_token"] not in self.tokens:
            return error_reply("access_token_expired", "Access token has been expired")
        for name in params.get("fields", []):
            if name in self.without:
                return error_reply("parameter_component_disabled", f"Field {name} is disabled")
        store = self._store()
        if method == "get.account":
            account = {"app_id": 1234, "name": "ООО Вымысел", "timezone": store.timezone}
            return _result([account], self._points())
        lists = {"get.calls_report": store.sessions, "get.call_legs_report": store.legs,
                 "get.employees": store.employees}  # fmt: skip
        rows = lists[method]
        if "date_from" in params:
            low, high = params["date_from"], params["date_till"]
            rows = [it for it in rows if low <= it["start_time"] <= high]
            rows = sorted(rows, key=lambda it: (it["start_time"], it["id"]))
        limit = min(params["limit"], self.page_size)
        page = rows[params["offset"] : params["offset"] + limit]
        wanted = params.get("fields")
        shown = [{name: it.get(name) for name in wanted or it} for it in page]
        return _result(shown, self._points(), self._total(params, len(rows)))

    def _total(self, params: Json, count: int) -> int:
        if self.crowded is None or "date_from" not in params:
            return count
        low, high = (datetime.fromisoformat(params[it]) for it in ("date_from", "date_till"))
        return 100_001 if (high - low).total_seconds() >= self.crowded else count

    def _points(self) -> Json:
        return self.limits.pop(0) if self.limits else LIMITS


def _result(data: Any, limits: Json, total: int | None = None) -> Reply:
    metadata: Json = {"limits": limits} | ({} if total is None else {"total_items": total})
    return json_reply({"jsonrpc": "2.0", "id": 1, "result": {"metadata": metadata, "data": data}})


def error_reply(mnemonic: str, message: str, code: int = -32001, **data: Any) -> Reply:
    """An error as the system gives it: in a good answer."""
    error = {"code": code, "message": message, "data": {"mnemonic": mnemonic, **data}}
    return json_reply({"jsonrpc": "2.0", "id": 1, "error": error})


def company_store(company: Company) -> Store:
    """The company in UIS's words."""
    return Store(
        [_session(it) for it in company.calls],
        [leg for it in company.calls for leg in _legs(it)],
        [{"id": 50 + it.number, "full_name": it.name, "email": it.email,
          "extension": {"extension_phone_number": it.extension}, "phone_numbers": []}
         for it in company.managers],
    )  # fmt: skip


def _local(call: Call, after: int = 0) -> str:
    moment: datetime = call.started_at + timedelta(seconds=after)
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _session(call: Call) -> Json:
    return {
        "id": 700_000 + call.number,
        "start_time": _local(call),
        "finish_time": _local(call, call.seconds),
        "direction": call.direction,
        "is_lost": not call.is_answered,
        "contact_phone_number": call.customer,
        "virtual_phone_number": LINE,
        "total_duration": call.seconds,
        "voice_mail_records": [],
    }


def _legs(call: Call) -> list[Json]:
    base: Json = {"call_session_id": 700_000 + call.number, "is_coach": False,
                  "calling_phone_number": call.customer, "called_phone_number": LINE,
                  "call_records": []}  # fmt: skip
    legs = []
    if call.queue or not call.rings:
        legs.append({**base, "id": 9_000_000 + call.number * 100, "start_time": _local(call),
                     "connect_time": _local(call, 1), "duration": call.seconds - 1,
                     "total_duration": call.seconds, "is_operator": False, "is_talked": True,
                     "employee_id": None, "finish_reason": "caller_disconnects"})  # fmt: skip
    legs += [_leg(call, base, place, ring) for place, ring in enumerate(call.rings, 1)]
    return legs


def _leg(call: Call, base: Json, place: int, ring: Ring) -> Json:
    return {
        **base,
        "id": 9_000_000 + call.number * 100 + place,
        "start_time": _local(call, ring.after),
        "connect_time": _local(call, ring.after + ring.seconds - ring.talk) if ring.talk else None,
        "duration": ring.talk,
        "total_duration": ring.seconds,
        "is_operator": True,
        "is_talked": bool(ring.talk),
        "employee_id": 50 + int(ring.extension) - 100,
        "finish_reason": _reason(ring),
        "call_records": [f"rec{call.number}"] if ring.talk else [],
    }


def _reason(ring: Ring) -> str:
    if ring.talk:
        return "caller_disconnects"
    return "operator_busy" if ring.is_busy else "no_answer"
