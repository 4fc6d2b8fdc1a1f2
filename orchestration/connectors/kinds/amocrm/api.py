"""amoCRM's API v4: who we are, how fast we may ask, what its errors mean, and its lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from orchestration.connectors.connector import Work
from orchestration.connectors.http import Again, Answer, Http, Pace, later, refuse
from orchestration.connectors.kinds.amocrm.keys import AmocrmConnection
from orchestration.connectors.secrets import SecretStore, read_secret
from orchestration.connectors.tokens import TokenPair, judge_exchange

LIMIT = 250
EVENTS_LIMIT = 100
_RATE_WAIT, _RATE_TRIES = 10.0, 10
_FAULT_WAIT = 20.0
_API = "/api/v4"

Json = dict[str, Any]

_judge_exchange = judge_exchange(
    "Someone else used this refresh token, or the integration was switched off: authorise it again "
    "and set the new refresh token."
)


class Api:
    """One account. Answers are the bodies as JSON; None where there is nothing (204)."""

    def __init__(self, keys: AmocrmConnection, work: Work, store: SecretStore | None) -> None:
        self._keys = keys
        self._work = work
        self._tokens = (
            TokenPair(store, lambda: self._secret("refresh_token"), self._exchange)
            if store
            else None
        )
        base = keys.base_url or f"https://{keys.subdomain}.{keys.domain}"
        self.http = Http(
            keys.name,
            "Kommo" if keys.domain == "kommo.com" else "amoCRM",
            base,
            work.clock,
            work.mask,
            work.report,
            Pace(keys.requests_per_second, work.clock),
            self._judge,
        )
        if store is None:
            self._use(self._secret("long_lived_token"))

    def now(self) -> datetime:
        """The present by the system's own clock, which decides what a window can hold."""
        clock = self._work.clock
        if clock.fixed or self.http.skew is None:
            return clock.now()
        return clock.now() + timedelta(seconds=self.http.skew)

    def get(
        self, path: str, params: Mapping[str, Any] | None = None, what: str = ""
    ) -> Json | None:
        """One answer. Raises as `Http.request` does."""
        if self._tokens is not None and not self._tokens.access:
            self._use(self._tokens.renew())
        answer = self.http.request("GET", _API + path, params, what=what or path)
        if answer.status == 204:
            return None
        body: Json = answer.data
        return body

    def rows(self, path: str, name: str, params: Mapping[str, Any], what: str = "") -> list[Json]:
        """All rows of a list that has no filter by time, page after page."""
        found: list[Json] = []
        page = 1
        while True:
            body = self.get(path, {"limit": LIMIT, "page": page, **params}, what)
            if body is None:
                return found
            found += self.embedded(body, name, what or path)
            if not has_next(body):
                return found
            page += 1

    def changed(
        self, path: str, name: str, start: int, end: int, params: Mapping[str, Any], what: str = ""
    ) -> list[Json]:
        """Rows changed from `start` to `end` (Unix seconds), each once.

        A row that is changed while we read leaves the range, and all after it move up by one: a
        page number would then skip a row. So the next page begins at the last time that was seen,
        and numbers are used only inside one second.
        """
        found: dict[str, Json] = {}
        low, page, restarts = start, 1, 0
        while True:
            query = {
                **params,
                "limit": LIMIT,
                "page": page,
                "order[updated_at]": "asc",
                "filter[updated_at][from]": low,
                "filter[updated_at][to]": end,
            }
            body = self.get(path, query, what)
            if body is None and page > 1 and restarts == 0:
                # The list moved under us.
                low, page, restarts = start, 1, 1
                continue
            rows = self.embedded(body, name, what or path) if body else []
            for row in rows:
                found[str(row.get("id"))] = row
            if body is None or not has_next(body):
                return list(found.values())
            times = [row.get("updated_at") for row in rows]
            if times != sorted(times, key=lambda it: it or 0):
                return self._unordered(path, name, start, end, params, what)
            last = int(times[-1] or 0) - 1
            low, page = (last, 1) if last > low else (low, page + 1)

    def _unordered(
        self, path: str, name: str, start: int, end: int, params: Mapping[str, Any], what: str
    ) -> list[Json]:
        """The same where the order is not kept: read until two readings have the same rows."""
        found: dict[str, Json] = {}
        before: set[str] = set()
        span = {"filter[updated_at][from]": start, "filter[updated_at][to]": end}
        for _ in range(3):
            rows = self.rows(path, name, {**params, **span}, what)
            found |= {str(row.get("id")): row for row in rows}
            ids = {str(row.get("id")) for row in rows}
            if ids == before:
                break
            before = ids
        return list(found.values())

    def events(self, types: Sequence[str], start: int, end: int) -> list[Json]:
        """Events of a closed range of the past, oldest first, each once."""
        found: dict[str, Json] = {}
        page, restarts = 1, 0
        while True:
            query = {
                "limit": EVENTS_LIMIT,
                "page": page,
                "filter[type]": ",".join(types),
                "filter[created_at][from]": start,
                "filter[created_at][to]": end,
            }
            body = self.get("/events", query, "/events")
            if body is None and page > 1 and restarts == 0:
                page, restarts = 1, 1
                continue
            for event in self.embedded(body, "events", "/events") if body else []:
                found[str(event.get("id"))] = event
            if body is None or not has_next(body):
                order = sorted(found.values(), key=lambda it: (it.get("created_at"), it.get("id")))
                return order
            page += 1

    def by_ids(
        self, path: str, name: str, ids: Sequence[str], params: Mapping[str, Any]
    ) -> Iterator[list[Json]]:
        """Rows with these ids, as many as there still are."""
        for first in range(0, len(ids), LIMIT):
            part = ids[first : first + LIMIT]
            wanted = {f"filter[id][{number}]": it for number, it in enumerate(part)}
            yield self.rows(path, name, {**params, **wanted})

    def embedded(self, body: Json, name: str, what: str) -> list[Json]:
        """The rows of an answer. Raises TryLater where they are missing: that is no empty list."""
        rows = body.get("_embedded", {}).get(name) if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise self.http.later(
                what,
                f"the answer has no _embedded.{name}",
                "Try again later; if it stays so, the system has changed its API.",
            )
        return rows

    def _judge(self, answer: Answer) -> Again | None:
        if answer.status == 401:
            if self._tokens is not None:
                self._use(self._tokens.renew())
                return Again("token", after=0, at_most=1)
            raise refuse(
                "The token has expired or was revoked: make a new one in the integration's keys "
                f"and set it as {self._keys.long_lived_token}."
            )
        if answer.status == 403 and answer.is_html:
            raise later(
                "This machine's address is blocked for asking too often. Run nothing for a day, "
                "and lower requests_per_second; if it stays blocked, ask the system's support."
            )
        if answer.status in (402, 403):
            raise refuse(
                "The token's owner may not read this, or the account is not paid: let an "
                "administrator make the token, and look at the account's tariff."
            )
        if answer.status == 429:
            self.http.pace.halve()
            return Again("429", after=_RATE_WAIT, at_most=_RATE_TRIES)
        if answer.status >= 500:
            return Again("5xx", first=_FAULT_WAIT, at_most=6)
        return None

    def _exchange(self, token: str) -> Answer:
        return self.http.request(
            "POST",
            "/oauth2/access_token",
            json_body={
                "client_id": self._keys.client_id,
                "client_secret": self._secret("client_secret"),
                "grant_type": "refresh_token",
                "refresh_token": token,
                "redirect_uri": self._keys.redirect_uri,
            },
            judge=_judge_exchange,
        )

    def _use(self, access: str) -> None:
        self.http.headers["Authorization"] = f"Bearer {self._work.mask.hide(access)}"

    def _secret(self, key: str) -> str:
        return read_secret(getattr(self._keys, key), self._keys.name, key, self._work.mask)


def has_next(body: Json) -> bool:
    """Whether there is another page: a short page says nothing."""
    return bool((body.get("_links") or {}).get("next"))
