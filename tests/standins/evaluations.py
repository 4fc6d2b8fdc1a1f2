"""Products that evaluate calls: a list of a REST API with a range and pages, and UIS's analysis."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.standins.company import Call, Company
from tests.standins.server import Reply, Request, StandIn, json_reply

TOKEN = "evaluations-api-secret"
PATH, UIS_PATH = "/v1/evaluations", "/api/v1.0/scenario_result"
CRITERIA = ("Выявил потребность", "Провёл презентацию", "Отработал возражения", "Следующий шаг")

Json = dict[str, Any]


class RestStandIn(StandIn):
    """A list of objects in `items`, with its `total`; a page has at most `page_size` of them.

    `since` and `until` are a range of `made_at`. Tokens of OAuth end when `ended` has them.
    """

    def __init__(self, rows: Callable[[], Sequence[Json]], page_size: int = 1_000) -> None:
        super().__init__()
        self.page_size = page_size
        self.tokens = {f"Bearer {TOKEN}"}
        self.issued = 0
        self._rows = rows

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth/token":
            return self._token(request)
        if not self._is_known(request):
            return json_reply({"error": "no such key"}, 401)
        if request.path != PATH:
            return json_reply({"error": "nothing here"}, 404)
        asked = {**request.query, **(request.json or {})}
        rows = list(self._rows())
        if "since" in asked:
            rows = [it for it in rows if asked["since"] <= it["made_at"] < asked["until"]]
        start = int(asked.get("offset", 0))
        size = min(int(asked.get("limit", self.page_size)), self.page_size)
        return json_reply({"items": rows[start : start + size], "total": len(rows)})

    def _is_known(self, request: Request) -> bool:
        basic = base64.b64encode(f"reader:{TOKEN}".encode()).decode()
        given = request.headers.get("authorization", "")
        return (
            given in {*self.tokens, f"Basic {basic}"}
            or request.headers.get("x-api-key") == TOKEN
            or request.query.get("key") == TOKEN
        )

    def _token(self, request: Request) -> Reply:
        if request.form.get("client_secret") != TOKEN:
            return json_reply({"error": "invalid_client"}, 401)
        self.issued += 1
        token = f"evaluations-session-secret-{self.issued}"
        self.tokens.add(f"Bearer {token}")
        return json_reply({"access_token": token, "expires_in": 3600})


class UisAnalysisStandIn(StandIn):
    """Rows by id; a page has at most `page_size` of them, whatever is asked for."""

    def __init__(self, rows: Callable[[], Sequence[Json]], page_size: int = 1_000) -> None:
        super().__init__()
        self.page_size = page_size
        self._rows = rows

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return json_reply({"message": "Unauthorized"}, 401)
        if request.path != UIS_PATH:
            return json_reply({"message": "Not Found"}, 404)
        assert (request.query["_sort"], request.query["_order"]) == ("id", "asc")
        start, end = int(request.query["_start"]), int(request.query["_end"])
        rows = sorted(self._rows(), key=lambda it: int(it["id"]))
        return json_reply(rows[start : min(end, start + self.page_size)])


def judged(company: Company) -> list[Call]:
    """Conversations that were evaluated: all, each an hour after it began."""
    return sorted(company.calls, key=lambda it: (it.started_at, it.number))


def rest_rows(company: Company) -> list[Json]:
    """The company's evaluations in the REST product's words."""
    return [
        {
            "id": call.number,
            "call": {"session": call.number},
            "checklist": "Входящий" if call.direction == "in" else "Исходящий",
            "judge": "ai",
            "made_at": _written(call.started_at + timedelta(hours=1)),
            "result": {"points": call.number, "of": 10},
            "insights": [
                {"title": name, "points": (call.number + place) % 2}
                for place, name in enumerate(CRITERIA)
            ],
        }
        for call in judged(company)
    ]


def uis_rows(company: Company) -> list[Json]:
    """The company's evaluations in UIS's words; ids grow with time."""
    return [uis_row(34_000 + place, it) for place, it in enumerate(judged(company), 1)]


def uis_row(ident: int, call: Call) -> Json:
    """One evaluation in UIS's words."""
    marks = [
        {"name": name, "score": (call.number + place) % 2, "start": 1.5, "end": 7.25}
        for place, name in enumerate(CRITERIA)
    ]
    return {
        "id": ident, "app_id": 1234, "call_session_id": 700_000 + call.number, "scenario_id": 130,
        "scenario_name": "Входящий звонок",
        "result": {"scenario": {"percent_completion": 10 * call.number, "count": 4, "data": marks}},
    }  # fmt: skip


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
