"""Twilio in the shared tests."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from tests.connectors.adapter import Adapter, ErrorCase, Story, calls_story
from tests.standins.company import Company
from tests.standins.server import Reply, Request, StandIn, json_reply
from tests.standins.twilio import ACCOUNT, TOKEN, TwilioStandIn, company_store


def _calls(request: Request) -> bool:
    return request.path.endswith("/Calls.json")


class Twilio(Adapter):
    kind = "twilio"
    nulls: Mapping[str, Sequence[str]] = {
        "telephony.calls": ("updated_at", "is_deleted", "source_id", "queue", "answered_at"),
        "telephony.extensions": ("updated_at", "is_deleted", "valid_to"),
    }
    # The account, and three days; the day with a call asks for its recordings too.
    least_requests = 4
    short: Mapping[str, Any] = {}

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        return TwilioStandIn(lambda: company_store(company), page_size)

    def keys(self, standin: StandIn) -> dict[str, Any]:
        return {
            "kind": "twilio",
            "base_url": standin.address,
            "account_sid": ACCOUNT,
            "auth_token": "env:TWILIO_TOKEN",
            "managers": {"101": "7001", "102": "7002"},
            "start_date": "2026-03-01",
        }

    def secrets(self) -> Mapping[str, str]:
        return {"TWILIO_TOKEN": TOKEN}

    def hidden(self) -> Sequence[str]:
        return [TOKEN, base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()]

    def paged(self, request: Request) -> bool:
        return _calls(request)

    def story(self) -> Story:
        return calls_story()

    def errors(self) -> Sequence[ErrorCase]:
        def error(status: int, code: int, message: str) -> Reply:
            return json_reply({"code": code, "message": message, "status": status}, status)

        return (
            ErrorCase("401", error(401, 20003, "Authenticate"), 2, _calls,
                      ("20003", "Authenticate", "env:TWILIO_TOKEN"), 1),
            ErrorCase("404", error(404, 20404, "Not found"), 2, _calls, ("account_sid",), 1),
            ErrorCase("429 twice", error(429, 20429, "Too many requests"), 0, _calls, times=2),
            ErrorCase("429 for ever", error(429, 20429, "Too many requests"), 75, _calls,
                      ("20429",), 11),
            ErrorCase("503 for ever", Reply(503, b"busy"), 75, _calls, ("503", "busy"), 6),
            ErrorCase("no calls", json_reply({}), 75, _calls, ("no calls",), 1),
        )  # fmt: skip


ADAPTERS = (Twilio(),)
