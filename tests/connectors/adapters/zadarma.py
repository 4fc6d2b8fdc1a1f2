"""Zadarma in the shared tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.connectors.adapter import Adapter, ErrorCase, Story, calls_story
from tests.standins.company import Company
from tests.standins.server import Reply, Request, StandIn, json_reply
from tests.standins.zadarma import KEY, SECRET, ZadarmaStandIn, company_store


def _statistics(request: Request) -> bool:
    return request.path == "/v1/statistics/pbx/"


class Zadarma(Adapter):
    kind = "zadarma"
    nulls: Mapping[str, Sequence[str]] = {
        "telephony.calls": ("updated_at", "is_deleted", "source_id", "queue", "answered_at",
                            "ended_at", "recording_url"),
        "telephony.extensions": ("updated_at", "is_deleted", "valid_to"),
    }  # fmt: skip
    # The zone, the extensions, the name of one, and three slices.
    least_requests = 6
    short: Mapping[str, Any] = {}

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        return ZadarmaStandIn(lambda: company_store(company), page_size)

    def keys(self, standin: Any) -> dict[str, Any]:
        return {
            "kind": "zadarma",
            "base_url": standin.address,
            "api_key": "env:ZADARMA_KEY",
            "api_secret": "env:ZADARMA_SECRET",
            "managers": {"101": "7001", "102": "7002"},
            "start_date": "2026-03-01",
            "page": standin.page_size,
            # Its own three would put waits of 20 s between those that are looked at here.
            "statistics_per_minute": 600,
        }

    def secrets(self) -> Mapping[str, str]:
        return {"ZADARMA_KEY": KEY, "ZADARMA_SECRET": SECRET}

    def paged(self, request: Request) -> bool:
        return _statistics(request)

    def story(self) -> Story:
        return calls_story()

    def errors(self) -> Sequence[ErrorCase]:
        def error(message: str, status: int) -> Reply:
            return json_reply({"status": "error", "message": message}, status)

        return (
            ErrorCase("401", error("Not authorized", 401), 2, _statistics,
                      ("401", "Not authorized", "env:ZADARMA_KEY", "env:ZADARMA_SECRET"), 1),
            ErrorCase("error in 200", error("Wrong parameter", 200), 2, _statistics,
                      ("Wrong parameter", "slice"), 1),
            ErrorCase("400", error("Start date is wrong", 400), 2, _statistics,
                      ("Start date is wrong",), 1),
            ErrorCase("429 twice", error("Too many requests", 429), 0, _statistics, times=2,
                      waits=[20.0] * 2),
            ErrorCase("429 for ever", error("Too many requests", 429), 75, _statistics, ("429",)),
            ErrorCase("no stats", json_reply({"status": "success"}), 75, _statistics,
                      ("no stats",), 1),
        )  # fmt: skip


ADAPTERS = (Zadarma(),)
