"""Yandex Direct's API v5: reports in TSV, at once or from a queue, and two methods in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.standins.company import Spend
from tests.standins.server import Reply, Request, StandIn, json_reply

TOKEN = "direct-secret-token"
LOGIN = "romashka-direct"
Json = dict[str, Any]


class YandexDirectStandIn(StandIn):
    """One advertiser, whose statistics are asked for anew at each report.

    `queued` answers come before a report is ready, with so many seconds to wait in each. A report
    of more days than `heavy_from` is too heavy. `borders` are days from which on statistics of
    campaigns were corrected. The account says that each day cost `more` millionths than its
    campaigns.
    """

    def __init__(self, spending: Callable[[], Sequence[Spend]]) -> None:
        super().__init__()
        self._spending = spending
        self._reports: dict[str, tuple[Json, str]] = {}
        self._asked: dict[str, int] = {}
        self.queued: Sequence[int] = ()
        self.heavy_from: int | None = None
        self.borders: Mapping[int, str] = {}
        self.currency = "RUB"
        self.more = 0

    def answer(self, request: Request) -> Reply:
        """The answer of the API."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return error_reply(53, "Authorization error", "Invalid OAuth token")
        body = request.json
        if request.path == "/clients":
            return json_reply({"result": {"Clients": [
                {"Login": LOGIN, "Currency": self.currency},
            ]}})  # fmt: skip
        if request.path == "/changes":
            return self._changes(body["params"])
        if request.path == "/reports":
            return self._report(request, body["params"])
        return Reply(404, b"no such service")

    def _changes(self, params: Json) -> Reply:
        found = [
            {"CampaignId": it, "BorderDate": self.borders[it]}
            for it in params["CampaignIds"]
            if it in self.borders
        ]
        result: Json = {"Timestamp": "2026-03-10T06:00:05Z"}
        if found:
            result["Modified"] = {"CampaignsStat": found}
        return json_reply({"result": result})

    def _report(self, request: Request, params: Json) -> Reply:
        """A name that is known gives the report that was made of it, whatever happened since."""
        if request.headers.get("skipreportheader") != "true":
            return error_reply(8000, "Invalid request", "The report would have a title")
        if "IncludeVAT" not in params:
            return error_reply(8000, "Invalid request", "The IncludeVAT parameter is required")
        name = params["ReportName"]
        first, last = (params["SelectionCriteria"][it] for it in ("DateFrom", "DateTo"))
        spans = int(last[-2:]) - int(first[-2:]) + 1
        if self.heavy_from is not None and spans >= self.heavy_from:
            return Reply(502, b"Bad Gateway", {"Content-Type": "text/html"})
        known = self._reports.get(name)
        if known and known[0] != params:
            return error_reply(8000, "Invalid request", "ReportName is not unique")
        asked = self._asked[name] = self._asked.get(name, 0) + 1
        if asked <= len(self.queued):
            wait = {"retryIn": str(self.queued[asked - 1]), "reportsInQueue": "1"}
            return Reply(201 if asked == 1 else 202, b"", wait)
        if known is None:
            known = self._reports[name] = (params, self._text(params, first, last))
        return Reply(200, known[1].encode(), {"Content-Type": "text/tab-separated-values"})

    def _text(self, params: Json, first: str, last: str) -> str:
        rows = [it for it in self._spending() if first <= it.day <= last]
        if params["ReportType"] == "ACCOUNT_PERFORMANCE_REPORT":
            listed = [
                {"Date": day, "Cost": sum(it.micros for it in rows if it.day == day) + self.more}
                for day in sorted({it.day for it in rows})
            ]
        else:
            rows.sort(key=lambda it: (it.day, it.campaign))
            listed = [_row(it) for it in rows]
        fields = params["FieldNames"]
        lines = ["\t".join(str(row[name]) for name in fields) for row in listed]
        return "\n".join(["\t".join(fields), *lines, f"Total rows: {len(lines)}", ""])


def _row(spend: Spend) -> Json:
    return {
        "Date": spend.day, "CampaignId": spend.campaign, "Impressions": spend.impressions,
        "Clicks": spend.clicks, "Cost": spend.micros, "CampaignName": spend.name,
    }  # fmt: skip


def error_reply(code: int, text: str, detail: str, status: int = 400) -> Reply:
    """An error in Direct's own form."""
    error = {
        "request_id": "8123", "error_code": code, "error_string": text, "error_detail": detail,
    }  # fmt: skip
    return json_reply({"error": error}, status)


def sample_spending(text: str) -> list[Spend]:
    """The rows of a report that was saved."""
    rows = [line.split("\t") for line in text.splitlines()[1:-1]]
    return [
        Spend(day, int(campaign), name, int(cost), int(shown), int(clicks))
        for day, campaign, shown, clicks, cost, name in rows
    ]


def is_report(request: Request) -> bool:
    """Whether a request is for the statistics of campaigns."""
    return request.path == "/reports" and b"CAMPAIGN_PERFORMANCE" in request.body


def report_params(request: Request) -> Json:
    """What a report was asked for with."""
    found: Json = json.loads(request.body)["params"]
    return found
