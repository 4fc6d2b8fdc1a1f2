"""UIS in the shared tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.connectors.adapter import SAMPLES, Adapter, ErrorCase, Story, calls_story
from tests.standins.company import Company
from tests.standins.server import Reply, Request, StandIn, json_reply
from tests.standins.uis import TOKEN, UisStandIn, company_store, error_reply

_LIMIT = (SAMPLES / "uis/uis_error.json").read_bytes()


def _sessions(request: Request) -> bool:
    return bool(request.json["method"] == "get.calls_report")


class Uis(Adapter):
    kind = "uis"
    nulls: Mapping[str, Sequence[str]] = {
        "telephony.calls": ("updated_at", "is_deleted", "source_id", "queue"),
        "telephony.extensions": ("updated_at", "is_deleted", "valid_to"),
    }
    # Account, employees, and four slices: sessions, and legs of the one with a call.
    least_requests = 6
    short: Mapping[str, Any] = {}

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        return UisStandIn(lambda: company_store(company), page_size)

    def keys(self, standin: StandIn) -> dict[str, Any]:
        return {
            "kind": "uis",
            "base_url": standin.address,
            "token": "env:UIS_TOKEN",
            "managers": {"51": "7001", "102": "7002"},
            "start_date": "2026-03-01",
        }

    def secrets(self) -> Mapping[str, str]:
        return {"UIS_TOKEN": TOKEN}

    def paged(self, request: Request) -> bool:
        return _sessions(request)

    def story(self) -> Story:
        return calls_story()

    def errors(self) -> Sequence[ErrorCase]:
        def refusal(mnemonic: str, *words: str) -> ErrorCase:
            reply = error_reply(mnemonic, f"Text of {mnemonic} 203.0.113.7")
            return ErrorCase(mnemonic, reply, 2, _sessions,
                             (mnemonic, "203.0.113.7", *words), 1)  # fmt: skip

        day = error_reply("limit_exceeded", "Limit per day", -32029, params={"limit_type": "day"})
        empty = json_reply({"jsonrpc": "2.0", "id": 1, "result": {"metadata": {}}})
        return (
            ErrorCase("minute's points", Reply(200, _LIMIT, {"Content-Type": "application/json"}),
                      0, _sessions, times=2, waits=[42.0] * 2),
            ErrorCase("day's points", day, 75, _sessions, ("limit_exceeded", "tomorrow"), 1),
            ErrorCase("internal_error for ever", error_reply("internal_error", "Internal"), 75,
                      _sessions, ("internal_error",), 6),
            ErrorCase("internal_error twice", error_reply("internal_error", "Internal"), 0,
                      _sessions, times=2),
            refusal("access_token_invalid", "env:UIS_TOKEN"),
            refusal("access_token_expired", "env:UIS_TOKEN"),
            refusal("access_token_blocked", "unblock"),
            refusal("auth_error", "password"),
            refusal("ip_not_whitelisted", "white list"),
            refusal("method_component_disabled", "component Data API"),
            refusal("account_inactive", "switched off"),
            refusal("something_else", "manual"),
            ErrorCase("no data", empty, 75, _sessions, ("no result.data",), 1),
        )  # fmt: skip


ADAPTERS = (Uis(),)
