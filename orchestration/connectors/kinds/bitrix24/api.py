"""Bitrix24's REST: who we are, how fast we may ask, what its errors mean, and its lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from orchestration.base.errors import WrongUse
from orchestration.connectors.connector import Work
from orchestration.connectors.http import Again, Answer, Http, Pace, refuse
from orchestration.connectors.kinds.bitrix24.keys import Bitrix24Connection
from orchestration.connectors.secrets import SecretStore, read_secret
from orchestration.connectors.tokens import TokenPair, judge_exchange

Json = dict[str, Any]

BATCH = 50
# Half of the portal's bucket at once; the other is for other programs at this address.
BURST = 25
_OAUTH = "https://oauth.bitrix.info"
_WEBHOOK = re.compile(r"(https?://[^/]+)(/rest/(\d+)/([^/]+))/?")
_MOST_WAIT, _RATE_TRIES = 30.0, 10
# A method may use so many seconds of server time in ten minutes; from SLOW on we spread the rest.
_ALLOWED, _SLOW = 480.0, 400.0
_LIMIT_WAIT, _LIMIT_TRIES = 60.0, 12
_DENIED = ("NO_AUTH_FOUND", "INVALID_CREDENTIALS")
_judge_exchange = judge_exchange(
    "The application was removed, or its refresh token is older than 180 days: authorise it again "
    "and set the new refresh token."
)
_RIGHTS = ("insufficient_scope", "user_access_error")


@dataclass(frozen=True)
class _Used:
    """Server time that a method has used, and when the count restarts (our monotonic clock)."""

    seconds: float
    until: float


class Api:
    """One portal. Answers are bodies as JSON, which have a `result`."""

    def __init__(
        self, keys: Bitrix24Connection, work: Work, store: SecretStore | None = None
    ) -> None:
        self._keys = keys
        self._work = work
        self._tokens = (
            TokenPair(store, lambda: self._secret("refresh_token"), self._exchange)
            if store
            else None
        )
        self._used: dict[str, _Used] = {}
        self._method = ""
        self._full = 0
        self._sent: Json = {}
        self._first: datetime | None = None
        self.user: str | None = None
        base, self._path = f"https://{keys.portal}", "/rest"
        if keys.webhook_url:
            base, self._path = self._webhook(keys.webhook_url)
        self.http = self._http(keys.base_url or base)
        self._oauth = self._http(keys.base_url or _OAUTH)

    def _http(self, base: str) -> Http:
        work = self._work
        pace = Pace(self._keys.requests_per_second, work.clock, burst=BURST)
        return Http(
            self._keys.name, "Bitrix24", base, work.clock, work.mask, work.report, pace, self._judge
        )

    def _webhook(self, reference: str) -> tuple[str, str]:
        """The portal's address and the path of the webhook, both from the secret."""
        written = read_secret(reference, self._keys.name, "webhook_url", self._work.mask)
        found = _WEBHOOK.fullmatch(written)
        if found is None:
            raise WrongUse(
                f"{self._keys.name}: webhook_url does not look like a webhook's address.",
                "Copy it whole: https://<portal>/rest/<user>/<code>/",
            )
        base, path, user, code = found.groups()
        self._work.mask.hide(code)
        self.user = user
        if not base.startswith("https://") and not self._keys.base_url:
            raise WrongUse(
                f"{self._keys.name}: webhook_url has to begin with https://: it is a secret.",
                "Copy it from the portal as it is.",
            )
        return base, path

    def call(self, method: str, body: Mapping[str, Any] | None = None, what: str = "") -> Json:
        """One answer. Raises as `Http.request` does."""
        if self._tokens is not None and not self._tokens.access:
            self._tokens.renew()
        what = what or method
        self._slow_down(method)
        self._method = method
        self._sent = dict(body or {})
        if self._tokens is not None:
            self._sent["auth"] = self._tokens.access
        answer = self.http.request(
            "POST", f"{self._path}/{method}", json_body=self._sent, what=what
        )
        found: Json = answer.data
        if not isinstance(found, dict) or "result" not in found:
            raise self._missing(what, "result")
        self._full = 0
        self._note(method, found)
        return found

    def items(
        self, method: str, key: str, name: str | None, body: Mapping[str, Any], what: str, last: int
    ) -> Iterator[list[Json]]:
        """Pages of a list in order of its id, after `last`; a page that is not full ends it."""
        while True:
            query = {
                **body,
                "order": {key: "ASC"},
                "filter": {**body.get("filter", {}), f">{key}": last},
                "start": -1,
            }
            rows = self.rows(self.call(method, query, what), name, what)
            yield rows
            ids = [int(row[key]) for row in rows]
            if len(rows) < self._keys.page_size:
                return
            if ids != sorted(ids) or ids[-1] <= last:
                raise self.http.later(
                    what,
                    "the list is not in order of id",
                    "Try again later; if it stays so, the system has changed its API.",
                )
            last = ids[-1]

    def all(
        self, method: str, name: str | None, body: Mapping[str, Any] | None = None, what: str = ""
    ) -> list[Json]:
        """All rows of a short list that has no filter by id, page after page by offset."""
        found: list[Json] = []
        start = 0
        while True:
            answer = self.call(method, {**(body or {}), "start": start}, what)
            found += self.rows(answer, name, what or method)
            if not answer.get("next"):
                return found
            start = int(answer["next"])

    def batch(self, calls: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
        """The results of several calls, 50 in a request. Raises where one of them failed."""
        found: dict[str, Any] = {}
        names = list(calls)
        for first in range(0, len(names), BATCH):
            part, tries = names[first : first + BATCH], 0
            while part:
                cmd = {it: f"{calls[it][0]}?{urlencode(calls[it][1])}" for it in part}
                result = self.call("batch", {"halt": 0, "cmd": cmd})["result"]
                # Errors of single calls come in a good answer; empty ones are lists, in PHP's way.
                errors = result.get("result_error") or {}
                results = result.get("result") or {}
                found |= {it: results[it] for it in part if it in results and it not in errors}
                part = [it for it in part if it not in found]
                if part:
                    tries += 1
                    refused = next((it for it in part if it in errors), part[0])
                    self._wait_for_batch(calls[refused][0], errors and errors.get(refused), tries)
        return found

    def _wait_for_batch(self, method: str, error: Any, tries: int) -> None:
        """Wait where a call of a batch was refused for a time. Raises where it was for good."""
        code = str(error.get("error") or "") if isinstance(error, dict) else str(error or "")
        words = str(error or "a call has no result")
        if code in (*_RIGHTS, *_DENIED, "ACCESS_DENIED"):
            raise self.http.refused(
                f"batch of {method}",
                words,
                "Give the webhook the scope or the right that is named, or an administrator as its "
                "owner.",
            )
        is_full, is_blocked = code == "QUERY_LIMIT_EXCEEDED", code == "OPERATION_TIME_LIMIT"
        most = _RATE_TRIES if is_full else _LIMIT_TRIES if is_blocked else 0
        if tries > most:
            raise self.http.later(
                f"batch of {method}", words, "Try again later; what was loaded stays."
            )
        self._work.report.waits[code] += 1
        wait = min(_MOST_WAIT, 2.0 ** (tries - 1)) if is_full else _LIMIT_WAIT
        self._work.clock.sleep(wait)

    def rows(self, body: Json, name: str | None, what: str) -> list[Json]:
        """The rows of an answer. Raises TryLater where they are missing: that is no empty list."""
        result = body["result"]
        found = result.get(name) if name and isinstance(result, dict) else result
        if not isinstance(found, list):
            raise self._missing(what, f"result.{name}" if name else "list in result")
        return found

    def _missing(self, what: str, name: str) -> Exception:
        return self.http.later(
            what,
            f"the answer has no {name}",
            "Try again later; if it stays so, the system has changed its API.",
        )

    def now(self) -> datetime:
        """The present by the system's own clock at our first question of this run."""
        clock = self._work.clock
        return clock.now() if clock.fixed or self._first is None else self._first

    @property
    def first_answer(self) -> datetime | None:
        """What the portal's clock said at the first answer, in the portal's zone."""
        return self._first

    def _note(self, method: str, body: Json) -> None:
        time = body.get("time")
        if not isinstance(time, dict):
            return
        if self._first is None and time.get("date_start"):
            self._first = datetime.fromisoformat(str(time["date_start"]))
        if time.get("operating_reset_at") is None or time.get("finish") is None:
            return
        left = float(time["operating_reset_at"]) - float(time["finish"])
        until = self._work.clock.monotonic() + max(0.0, left)
        self._used[method] = _Used(float(time.get("operating") or 0), until)

    def _slow_down(self, method: str) -> None:
        """Spread what is left of a method's server time before it is used up."""
        used = self._used.get(method)
        if used is None or used.seconds <= _SLOW:
            return
        left = used.until - self._work.clock.monotonic()
        if left > 0:
            self._work.report.waits["operating"] += 1
            self._work.clock.sleep(min(left, left / max(1.0, _ALLOWED - used.seconds)))

    def _judge(self, answer: Answer) -> Again | None:
        if not answer.is_json or not isinstance(answer.data, dict) or "error" not in answer.data:
            return None
        code = str(answer.data["error"] or "")
        if "result" in answer.data and not code:
            return None
        if code == "QUERY_LIMIT_EXCEEDED":
            self._full += 1
            wait = min(_MOST_WAIT, 2.0 ** (self._full - 1))
            return Again(code, after=wait, at_most=_RATE_TRIES)
        if code == "OPERATION_TIME_LIMIT":
            return self._blocked(code)
        if code == "OVERLOAD_LIMIT":
            raise refuse(
                "The vendor has blocked REST for this portal by hand: ask Bitrix24's support to "
                "lift it, and run nothing until then."
            )
        if code == "expired_token" and self._tokens is not None:
            # In the request that is asked again.
            self._sent["auth"] = self._tokens.renew()
            return Again(code, after=0, at_most=1)
        if code in ("expired_token", *_DENIED):
            raise refuse(
                "The webhook was deleted, has ended or is written wrong: make a new one (Developer "
                f"resources, Other, Incoming webhook) and set it as {self._keys.webhook_url}."
                if self._tokens is None
                else "The application may not enter any more: authorise it again."
            )
        if code in _RIGHTS:
            raise refuse(
                f"{self._method} needs a scope or a right that the webhook or its owner has not: "
                "give the webhook the scopes crm, department and user, and let an administrator "
                "be its owner."
            )
        if code == "ACCESS_DENIED":
            raise refuse("Bitrix24 gives REST only on commercial plans, and to its administrators.")
        if answer.status < 500 and code and code != "0":
            raise refuse("Check the keys of the connection, and the rights of the webhook's owner.")
        if answer.status >= 500:
            return None
        return Again("error")

    def _blocked(self, code: str) -> Again:
        """Pause until the method's count restarts, as its last good answer said."""
        used = self._used.get(self._method)
        left = used.until - self._work.clock.monotonic() if used else _LIMIT_WAIT
        wait = left if left > 0 else _LIMIT_WAIT
        return Again(code, after=wait, at_most=_LIMIT_TRIES, budget=_LIMIT_TRIES * 900.0)

    def _exchange(self, token: str) -> Answer:
        return self._oauth.request(
            "GET",
            "/oauth/token/",
            {
                "grant_type": "refresh_token",
                "client_id": self._keys.client_id,
                "client_secret": self._secret("client_secret"),
                "refresh_token": token,
            },
            judge=_judge_exchange,
        )

    def _secret(self, key: str) -> str:
        return read_secret(getattr(self._keys, key), self._keys.name, key, self._work.mask)


def ids_in(values: Sequence[str], size: int) -> Iterator[list[int]]:
    """Ids as numbers, so many at once."""
    numbers = [int(it) for it in values if it.isdigit()]
    for first in range(0, len(numbers), size):
        yield numbers[first : first + size]
