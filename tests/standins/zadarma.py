"""Zadarma: signed questions, pages by skip and limit, times of the account without a zone."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from tests.standins.company import LINE, Call, Company
from tests.standins.server import Reply, Request, StandIn, json_reply

KEY, SECRET = "zadarma-user-key", "zadarma-user-secret"
ZONE = ZoneInfo("Europe/Moscow")

Json = dict[str, Any]


@dataclass
class Store:
    """What the account knows; `names` are by extension."""

    stats: list[Json] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    timezone: Json = field(
        default_factory=lambda: {"unixtime": 1795424400, "datetime": "2026-11-23 12:00:00"}
    )


class ZadarmaStandIn(StandIn):
    """Answers only what is signed."""

    def __init__(self, store: Callable[[], Store], page_size: int = 1000) -> None:
        super().__init__()
        self.page_size = page_size
        self._store = store

    def answer(self, request: Request) -> Reply:
        query = urlencode(sorted(request.query.items()))
        digest = hashlib.md5(query.encode()).hexdigest()
        text = f"{request.path}{query}{digest}".encode()
        signed = hmac.new(SECRET.encode(), text, hashlib.sha1).hexdigest()
        wanted = f"{KEY}:{base64.b64encode(signed.encode()).decode()}"
        if request.headers.get("authorization") != wanted:
            return json_reply({"status": "error", "message": "Not authorized"}, 401)
        store = self._store()
        if request.path == "/v1/info/timezone/":
            return _good(store.timezone)
        if request.path == "/v1/pbx/internal/":
            return _good({"pbx_id": 1234, "numbers": [int(it) for it in store.names]})
        if request.path.endswith("/info/"):
            number = request.path.split("/")[-3]
            return _good({"pbx_id": 1234, "number": number, "name": store.names[number]})
        if request.path != "/v1/statistics/pbx/":
            return json_reply({"status": "error", "message": "Not found"}, 404)
        asked = request.query
        rows = [it for it in store.stats if asked["start"] <= it["callstart"] <= asked["end"]]
        skip, limit = int(asked["skip"]), min(int(asked["limit"]), 1000)
        return _good({"version": 2, "stats": rows[skip : skip + limit]})


def _good(body: Json) -> Reply:
    return json_reply({"status": "success", **body})


def company_store(company: Company) -> Store:
    """The company in Zadarma's words."""
    return Store(
        [row for it in company.calls for row in _rows(it)],
        {it.extension: it.name for it in company.managers},
    )


def _rows(call: Call) -> list[Json]:
    is_in = call.direction == "in"
    base: Json = {"pbx_call_id": f"{call.direction}_{call.number:040x}", "is_recorded": "false"}
    rows = []
    if is_in and (call.queue or not call.rings):
        rows.append({**base, "sip": LINE, "clid": f"+{call.customer}", "destination": "0-main",
                     "disposition": "answered" if call.is_answered else "cancel",
                     "seconds": call.seconds, "callstart": _local(call, 0)})  # fmt: skip
    for ring in call.rings:
        extension = int(ring.extension)
        rows.append({
            **base,
            "sip": LINE if is_in else extension,
            "clid": f"+{call.customer}" if is_in else ring.extension,
            "destination": extension if is_in else call.customer,
            "disposition": "answered" if ring.talk else "busy" if ring.is_busy else "no answer",
            "seconds": ring.talk or ring.seconds,
            "callstart": _local(call, ring.after),
        })  # fmt: skip
    unix = int(call.started_at.timestamp())
    return [{"call_id": f"{unix}.{call.number * 100 + n}", **it} for n, it in enumerate(rows)]


def _local(call: Call, after: int) -> str:
    moment: datetime = call.started_at + timedelta(seconds=after)
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")
