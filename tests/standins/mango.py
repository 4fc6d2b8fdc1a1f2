"""Mango Office: signed forms, results that are ordered and fetched, in both kinds of statistics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.standins.company import LINE, Call, Company, Ring
from tests.standins.server import Reply, Request, StandIn, json_reply

KEY, SALT = "vpbx-unique-code", "signature-salt-secret"
ZONE = ZoneInfo("Europe/Moscow")
_LIMITS = {"1", "5", "10", "20", "50", "100", "500", "1000", "2000", "5000"}

Json = dict[str, Any]


@dataclass
class Store:
    """What the exchange knows: calls with their legs, users, lines, lines of the basic kind."""

    calls: list[Json] = field(default_factory=list)
    users: list[Json] = field(default_factory=list)
    basic: list[str] = field(default_factory=list)


class MangoStandIn(StandIn):
    """`polls` answers come before a result is ready; `lost` results are gone when fetched."""

    def __init__(self, store: Callable[[], Store], page_size: int = 1000) -> None:
        super().__init__()
        self.page_size = page_size
        self.polls: list[Reply] = []
        self.lost = 0
        self.asked: list[Json] = []
        self._store = store
        self._orders: dict[str, Json] = {}

    def answer(self, request: Request) -> Reply:
        form = request.form
        written = form.get("json", "")
        if form.get("vpbx_api_key") != KEY:
            return json_reply({"result": 3105, "message": "Неверный ключ"})
        if form.get("sign") != hashlib.sha256(f"{KEY}{written}{SALT}".encode()).hexdigest():
            return json_reply({"result": 3102, "message": "Неверная подпись"})
        body = json.loads(written)
        self.asked.append(body)
        path = request.path.strip("/").removeprefix("vpbx/")
        if path == "config/users/request":
            return json_reply({"users": self._store().users})
        if path == "incominglines":
            return json_reply({"result": 1000, "lines": [{"line_id": "1", "number": LINE}]})
        if path in ("stats/calls/request", "stats/request"):
            if path == "stats/calls/request" and body["limit"] not in _LIMITS:
                return json_reply({"result": 3104, "message": "Неверное значение limit"})
            key = f"KEY-{len(self._orders) + 1}"
            self._orders[key] = body
            return json_reply({"key": key})
        if path in ("stats/calls/result", "stats/result"):
            return self._result(path, body["key"])
        return Reply(404, b"{}")

    def _result(self, path: str, key: str) -> Reply:
        if self.polls:
            return self.polls.pop(0)
        order = self._orders.pop(key, None)
        if self.lost or order is None:
            self.lost -= 1
            return json_reply({"result": 1000, "status": "not-found"})
        if path == "stats/result":
            low, high = int(order["date_from"]), int(order["date_to"])
            lines = [it for it in self._store().basic if low <= int(it.split(";")[1]) <= high]
            text = "".join(f"{_chosen(it, order['fields'])}\n" for it in lines)
            return Reply(200, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        low, high = (_moment(order[name]).timestamp() for name in ("start_date", "end_date"))
        begun = [(it, it["context_start_time"]) for it in self._store().calls]
        calls = [it for it, at in begun if not isinstance(at, int) or low <= at <= high]
        offset = int(order["offset"])
        page = calls[offset : offset + int(order["limit"])]
        days: dict[str, list[Json]] = {}
        for call in page:
            begin = call["context_start_time"]
            day = f"{datetime.fromtimestamp(begin, ZONE):%d.%m.%Y}" if begin != "soon" else "?"
            days.setdefault(day, []).append(call)
        data = [{"list": listed, "period": day} for day, listed in days.items()]
        return json_reply({"result": 1000, "status": "complete", "data": data})


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%d.%m.%Y %H:%M:%S").replace(tzinfo=ZONE)


_FIELDS = (
    "records", "start", "finish", "answer", "from_extension", "from_number", "to_extension",
    "to_number", "disconnect_reason", "line_number", "location", "entry_id",
)  # fmt: skip


def _chosen(line: str, fields: str) -> str:
    values = dict(zip(_FIELDS, line.split(";"), strict=True))
    return ";".join(values[it] for it in fields.split(","))


def company_store(company: Company) -> Store:
    """The company in Mango Office's words."""
    calls = [_call(it) for it in company.calls]
    return Store(
        calls=calls,
        users=[
            {
                "general": {"name": it.name, "email": it.email, "user_id": 10_000 + it.number,
                            "department": it.team},
                "telephony": {"extension": it.extension, "outgoingline": LINE, "numbers": []},
            }
            for it in company.managers
        ],
        basic=[line for it in company.calls for line in _basic(it)],
    )  # fmt: skip


def _unix(call: Call, after: int = 0) -> int:
    return int(call.started_at.timestamp()) + after


def _call(call: Call) -> Json:
    """One context; an inbound call through a queue has a group, whose members are the rings."""
    is_in = call.direction == "in"
    legs = [_leg(call, place, ring) for place, ring in enumerate(call.rings)]
    if call.queue and legs:
        answered = next((it for it in legs if it["talk_duration"]), None)
        group = {**(answered or legs[0]), "call_type": "group", "call_abonent_id": 501,
                 "external_call_id": f"GROUP-{call.number}", "recording_id": [],
                 "members": legs}  # fmt: skip
        legs = [group]
    caller = call.rings[0].extension if not is_in else None
    return {
        "entry_id": f"ENTRY-{call.number}",
        "context_type": 1 if is_in else 2,
        "context_status": int(call.is_answered),
        "caller_id": _user(caller) if caller else None,
        "caller_number": caller or call.customer,
        "called_number": LINE if is_in else call.customer,
        "context_start_time": _unix(call),
        "duration": call.seconds,
        "talk_duration": sum(ring.talk for ring in call.rings),
        "mark_client": None,
        "context_calls": legs,
    }


def _user(extension: str) -> int:
    return 10_000 + int(extension) - 100


def _leg(call: Call, place: int, ring: Ring) -> Json:
    is_in = call.direction == "in"
    end = _unix(call, ring.after + ring.seconds)
    return {
        "call_type": "user" if is_in else "number",
        "call_abonent_id": _user(ring.extension) if is_in else None,
        "call_abonent_number": "sip:somebody@example.invalid" if is_in else call.customer,
        "call_start_time": _unix(call, ring.after),
        "call_answer_time": end - ring.talk if ring.talk else None,
        "call_end_time": end,
        "talk_duration": ring.talk,
        "call_end_reason": _reason(ring),
        "recording_id": [f"REC{call.number}="] if ring.talk else [],
        "external_call_id": f"LEG-{call.number}-{place}",
        "members": None,
    }


def _reason(ring: Ring) -> int:
    return 1110 if ring.talk else 1121 if ring.is_busy else 1111


def _basic(call: Call) -> Iterable[str]:
    entry = f"ENTRY-{call.number}"
    is_in = call.direction == "in"
    if not call.rings:
        begin = _unix(call)
        ends = f";{call.customer};;{LINE}"
        yield f"[];{begin};{begin + call.seconds};0;{ends};1110;{LINE};ivr;{entry}"
    for ring in call.rings:
        begin = _unix(call, ring.after)
        end = begin + ring.seconds
        answer = end - ring.talk if ring.talk else 0
        records = f"[REC{call.number}=]" if ring.talk else "[]"
        reason = _reason(ring)
        ends = (f";{call.customer};{ring.extension};sip:a@example.invalid" if is_in
                else f"{ring.extension};sip:a@example.invalid;;{call.customer}")  # fmt: skip
        yield f"{records};{begin};{end};{answer};{ends};{reason};{LINE};abonent;{entry}"
