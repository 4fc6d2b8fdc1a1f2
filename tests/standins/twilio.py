"""Twilio: basic authentication, filters by days of UTC, pages that name the next."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from tests.standins.company import LINE, Call, Company
from tests.standins.server import Reply, Request, StandIn, json_reply

ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "twilio-auth-token-secret"
KEY, KEY_SECRET = "SK0001", "twilio-api-key-secret"

Json = dict[str, Any]


@dataclass
class Store:
    """What the account knows."""

    calls: list[Json] = field(default_factory=list)
    recordings: list[Json] = field(default_factory=list)


class TwilioStandIn(StandIn):
    """A filter with another name is ignored, as the system does.

    `below` are subaccounts, each with its own lists; the login of the account reads them too.
    """

    def __init__(self, store: Callable[[], Store], page_size: int = 1000) -> None:
        super().__init__()
        self.page_size = page_size
        self.below: dict[str, Store] = {}
        self._store = store

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") not in LOGINS:
            return json_reply({"code": 20003, "message": "Authenticate", "status": 401}, 401)
        account = request.path.split("/")[3].removesuffix(".json")
        prefix = f"/2010-04-01/Accounts/{account}"
        if account != ACCOUNT and account not in self.below:
            return json_reply({"code": 20404, "message": "Not found", "status": 404}, 404)
        if request.path == f"{prefix}.json":
            return json_reply({"sid": account, "friendly_name": "Romashka", "status": "active"})
        lists = {
            f"{prefix}/Calls.json": ("calls", "StartTime", "start_time"),
            f"{prefix}/Recordings.json": ("recordings", "DateCreated", "date_created"),
        }
        if request.path not in lists:
            return json_reply({"code": 20404, "message": "Not found", "status": 404}, 404)
        name, asked, column = lists[request.path]
        rows = getattr(self._store() if account == ACCOUNT else self.below[account], name)
        low, high = request.query.get(f"{asked}>"), request.query.get(f"{asked}<")
        rows = [it for it in rows if _is_between(it[column], low, high)]
        page = int(request.query.get("Page", 0))
        size = min(self.page_size, int(request.query["PageSize"]))
        more = len(rows) > (page + 1) * size
        query = f"{asked}%3E={low}&{asked}%3C={high}&PageSize={size}&Page={page + 1}"
        return json_reply({
            name: rows[page * size : (page + 1) * size],
            "next_page_uri": f"{request.path}?{query}" if more else None,
        })  # fmt: skip


def basic(login: str, secret: str) -> str:
    """The header of basic authentication."""
    return f"Basic {base64.b64encode(f'{login}:{secret}'.encode()).decode()}"


LOGINS = {basic(ACCOUNT, TOKEN), basic(KEY, KEY_SECRET)}


def _is_between(written: str, low: str | None, high: str | None) -> bool:
    day = str(parsedate_to_datetime(written).date())
    return (low is None or day >= low) and (high is None or day <= high)


def company_store(company: Company) -> Store:
    """The company in Twilio's words."""
    calls = [row for it in company.calls for row in _rows(it)]
    recordings = [
        {"sid": f"RE{it['sid'][2:]}", "call_sid": it["sid"], "date_created": it["end_time"],
         "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE{it['sid'][2:]}.json"}
        for it in calls
        if it["parent_call_sid"] and it["duration"] != "0"
    ]  # fmt: skip
    return Store(calls, recordings)


def _rows(call: Call) -> list[Json]:
    is_in = call.direction == "in"
    root = f"CA{call.number:08d}00"
    agent = None if is_in else f"client:{call.rings[0].extension}"
    rows = [
        _row(
            call,
            root,
            None,
            0,
            call.seconds,
            call.seconds,
            "inbound",
            agent or f"+{call.customer}",
            f"+{LINE}" if is_in else f"+{call.customer}",
        )
    ]
    for place, ring in enumerate(call.rings, 1):
        ends = ((f"+{call.customer}", f"client:{ring.extension}") if is_in
                else (f"+{LINE}", f"+{call.customer}"))  # fmt: skip
        row = _row(call, f"CA{call.number:08d}{place:02d}", root, ring.after, ring.seconds,
                   ring.talk, "outbound-dial", *ends)  # fmt: skip
        rows.append(row | ({"status": "busy"} if ring.is_busy else {}))
    return rows


def _row(call: Call, sid: str, parent: str | None, after: int, seconds: int, talk: int, way: str,
         source: str, target: str) -> Json:  # fmt: skip
    begin: datetime = call.started_at + timedelta(seconds=after)
    return {
        "sid": sid, "parent_call_sid": parent, "from": source, "to": target, "direction": way,
        "status": "completed" if talk else "no-answer", "duration": str(talk),
        "date_created": format_datetime(begin), "start_time": format_datetime(begin),
        "end_time": format_datetime(begin + timedelta(seconds=seconds)),
    }  # fmt: skip
