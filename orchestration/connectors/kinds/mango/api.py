"""Mango Office's API: signed forms, results that have to be waited for, and what its codes mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from orchestration.base.errors import VoronkaError
from orchestration.connectors.connector import Work
from orchestration.connectors.http import Again, Answer, Http, Pace, refuse
from orchestration.connectors.kinds.mango.keys import MangoConnection

VENDOR = "https://app.mango-office.ru/vpbx"
FIELDS = (
    "records", "start", "finish", "answer", "from_extension", "from_number", "to_extension",
    "to_number", "disconnect_reason", "line_number", "location", "entry_id",
)  # fmt: skip
_GOOD = 1000
_POLL = 5.0
_ASKED_ANEW = 5
_PASSING = frozenset({4403, *range(5000, 5006), 5007})
_WAITING = ("request", "work")
# Which zone the system reads the question's times in is stated nowhere: more is asked for.
_WIDER = timedelta(days=1)

Json = dict[str, Any]
T = TypeVar("T")


class Api:
    """One exchange."""

    def __init__(self, keys: MangoConnection, work: Work, key: str, salt: str) -> None:
        self._keys = keys
        self._key = key
        self._salt = salt
        self.http = Http(
            keys.name, "Mango Office", keys.base_url or VENDOR, work.clock, work.mask, work.report,
            Pace(1, work.clock), self._judge,
        )  # fmt: skip

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        judge: Callable[[Answer], Again | None] | None = None,
        is_text: bool = False,
    ) -> Answer:
        """One signed request. Raises as `Http.request` does."""
        # The signature is over the very text that is sent.
        written = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        signed = hashlib.sha256(f"{self._key}{written}{self._salt}".encode()).hexdigest()
        form = {"vpbx_api_key": self._key, "json": written, "sign": signed}
        return self.http.request(
            "POST", f"/{path}", form=form, judge=judge, what=path, is_text=is_text
        )

    def rows(self, path: str, name: str) -> list[Json]:
        """A list of the exchange: its users, its lines."""
        return self._listed(self.post(path, {}).data, name, path)

    def calls(self, start: datetime, end: datetime) -> Iterator[list[Json]]:
        """Pages of calls with their legs; some of them lie up to a day outside the range."""
        zone, offset = self._keys.zone, 0
        while True:
            body = {
                "start_date": (start - _WIDER).astimezone(zone).strftime("%d.%m.%Y %H:%M:%S"),
                "end_date": (end + _WIDER).astimezone(zone).strftime("%d.%m.%Y %H:%M:%S"),
                "limit": str(self._keys.page),
                "offset": str(offset),
            }
            path = "stats/calls/result/"
            answer = self._result("stats/calls/request/", path, body)
            days = self._listed(answer.data, "data", path)
            page = [call for day in days for call in self._listed(day, "list", path)]
            yield page
            if len(page) < self._keys.page:
                return
            offset += self._keys.page

    def lines(self, start: datetime, end: datetime) -> list[str]:
        """Lines of the basic statistics, one for each leg."""
        body = {
            "date_from": str(int(start.timestamp())),
            "date_to": str(int(end.timestamp())),
            # The default has no entry_id.
            "fields": ",".join(FIELDS),
        }
        answer = self._result("stats/request", "stats/result", body, is_text=True)
        return [line for line in answer.text.splitlines() if line.strip()]

    def _result(
        self, ask: str, fetch: str, body: Mapping[str, Any], is_text: bool = False
    ) -> Answer:
        """Order a result and wait for it; an order that has gone stale is given again."""
        for _ in range(_ASKED_ANEW):
            ordered = self.post(ask, body).data
            key = ordered.get("key") if isinstance(ordered, dict) else None
            if not key:
                raise self.http.later(
                    ask, "the answer has no key", "Try again later; what was loaded stays."
                )
            try:
                return self.post(fetch, {"key": key}, self._judge_result, is_text)
            except _Stale:
                continue
        raise self.http.later(
            fetch,
            f"the result was cancelled or lost {_ASKED_ANEW} times",
            "Try again later; what was loaded stays. A smaller slice may help.",
        )

    def _judge_result(self, answer: Answer) -> Again | None:
        status = answer.data.get("status") if _is_object(answer) else None
        if answer.status == 404 or status in ("cancel", "error", "not-found"):
            raise _Stale("", "")
        if answer.status == 204 or status in _WAITING:
            budget = float(self._keys.max_wait)
            return Again("result", after=_POLL, at_most=int(budget), budget=budget)
        return None

    def _judge(self, answer: Answer) -> Again | None:
        if answer.status == 429:
            return Again("429", budget=float(self._keys.max_wait))
        code = _number(answer.data.get("result", _GOOD)) if _is_object(answer) else _GOOD
        if code == _GOOD:
            if answer.status in (401, 403):
                raise refuse(
                    "In Mango Office's settings of the API, look at the allowed addresses and "
                    f"rights, and that {self._keys.api_key} is this exchange's code."
                )
            return None
        if code in _PASSING:
            return Again(f"code {code}")
        raise refuse(self._advice(code))

    def _advice(self, code: int) -> str:
        if code == 3102:
            return (
                "The signature is wrong: copy the key for signatures from the exchange's API "
                f"settings again into {self._keys.api_salt} (api_salt)."
            )
        if code == 3105:
            return (
                "The exchange's code is wrong: copy it from the API settings into "
                f"{self._keys.api_key} (api_key)."
            )
        if code in (3103, 3104):
            return "The parameters are wrong: look at api, page and slice of the connection."
        if 2200 <= code < 2300:
            return "Settle it with Mango Office's billing; then run again."
        return "Look the code up in Mango Office's API manual, and check api_key and the rights."

    def _listed(self, body: Any, name: str, path: str) -> list[Json]:
        """Rows of an answer. Raises TryLater where they are missing: that is no empty list."""
        rows = body.get(name) if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(it, dict) for it in rows):
            raise self.http.later(
                path, f"the answer has no {name}",
                "Try again later; if it stays so, the system has changed its API.",
            )  # fmt: skip
        return rows


class _Stale(VoronkaError):
    """The order of a result is not known any more."""


def _number(code: Any) -> int:
    """A code, which some answers give as text; 0 for what is none."""
    return int(code) if str(code).isdigit() else 0


def _is_object(answer: Answer) -> bool:
    return answer.is_json and isinstance(answer.data, dict)
