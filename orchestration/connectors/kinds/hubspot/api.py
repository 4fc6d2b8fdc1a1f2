"""HubSpot's API: how fast we may ask, what its errors mean, its lists, searches and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.connectors.connector import Work
from orchestration.connectors.errors import Refused, TryLater
from orchestration.connectors.http import Again, Answer, Http, Pace, later, refuse
from orchestration.connectors.kinds.hubspot.keys import HubspotConnection
from orchestration.connectors.secrets import read_secret

Json = dict[str, Any]

BASE = "https://api.hubapi.com"
LIST, SEARCH, BATCH, HISTORY_BATCH, LINK_BATCH = 100, 200, 100, 50, 100
# What the smaller plans allow; the answers' headers say what this portal does.
_PACE = 10.0
# The search has a limit of its own, which its answers do not name: 5 a second for all programs.
_SEARCH_PACE = 4.0
_SHARE = 0.9
_TRIES = 10
_WAITS = {"SECONDLY": 1.0}
_USUAL_WAIT = 10.0
_MAX, _SPAN, _LEFT = (
    f"x-hubspot-ratelimit-{it}" for it in ("max", "interval-milliseconds", "remaining")
)
_TOKEN_INFO = "/oauth/v2/private-apps/get/access-token-info"
_CHANGED = "Try again later; if it stays so, the system has changed its API."


class ScopeMissing(Refused):
    """The token may not do this; `scopes` are those that it would take, where they are named."""

    def __init__(self, message: str, remedy: str, scopes: Sequence[str]) -> None:
        super().__init__(message, remedy)
        self.scopes = scopes


class _Lacks(Exception):
    """A judge's way to say that scopes are missing."""

    def __init__(self, scopes: Sequence[str], words: str) -> None:
        self.scopes = scopes
        self.words = words


class _NoneThere(Exception):
    """A batch of which nothing exists is answered with 404."""


@dataclass(frozen=True)
class Page:
    """Rows of a list, and where the next page begins; None: there is none."""

    rows: Sequence[Json]
    after: str | None


@dataclass(frozen=True)
class Link:
    """An object that another one points at."""

    to_id: str
    is_primary: bool


class Api:
    """One portal, by the token of a private app. Answers are bodies as JSON."""

    def __init__(self, keys: HubspotConnection, work: Work) -> None:
        self._keys = keys
        self._work = work
        version = keys.api_version
        self._objects = "/crm/v3/objects" if version == "v3" else f"/crm/objects/{version}"
        self._rate = _PACE
        self.http = self._http(_PACE)
        self._search = self._http(_SEARCH_PACE)
        self._token = read_secret(keys.access_token, keys.name, "access_token", work.mask)
        for http in (self.http, self._search):
            http.headers["Authorization"] = f"Bearer {self._token}"

    def _http(self, rate: float) -> Http:
        work, keys = self._work, self._keys
        pace = Pace(rate, work.clock)
        base = keys.base_url or BASE
        return Http(
            keys.name, "HubSpot", base, work.clock, work.mask, work.report, pace, self._judge
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None, what: str = "") -> Json:
        """One answer. Raises as `Http.request` does, ScopeMissing where the token lacks a scope."""
        return self._call(self.http, "GET", path, params, None, what or path)

    def _post(self, path: str, body: Json, what: str, judge: Any = None) -> Json:
        return self._call(self.http, "POST", path, None, body, what, judge)

    def _call(
        self,
        http: Http,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Json | None,
        what: str,
        judge: Callable[[Answer], Again | None] | None = None,
    ) -> Json:
        try:
            answer = http.request(method, path, params, body, judge=judge, what=what)
        except _Lacks as lacks:
            said = http.refused(
                what,
                lacks.words,
                f"Give the private app the scope {', '.join(lacks.scopes) or 'that this needs'} "
                "(Settings, Integrations, Private Apps, Scopes).",
            )
            raise ScopeMissing(said.message, said.remedy, lacks.scopes) from None
        if not isinstance(answer.data, dict):
            raise http.later(what, "the answer is no object", _CHANGED)
        self._obey(answer)
        return answer.data

    def _obey(self, answer: Answer) -> None:
        """Go as fast as the answer's headers allow."""
        found = {
            name: int(answer.headers[name])
            for name in (_MAX, _SPAN, _LEFT)
            if answer.headers.get(name, "").isdigit()
        }
        if not found.get(_MAX) or not found.get(_SPAN):
            return
        rate = found[_MAX] * 1000 / found[_SPAN] * _SHARE
        if rate != self._rate:
            self._rate = rate
            self.http.pace = Pace(rate, self._work.clock)
        if found.get(_LEFT) == 0:
            self._work.report.waits["rate limit"] += 1
            self._work.clock.sleep(found[_SPAN] / 1000)

    def rows(self, body: Json, what: str) -> list[Json]:
        """The results of an answer. Raises TryLater where they are missing: no empty list."""
        found = body.get("results")
        if not isinstance(found, list):
            raise self.http.later(what, "the answer has no results", _CHANGED)
        return found

    def all(self, path: str, params: Mapping[str, Any], what: str) -> list[Json]:
        """All rows of a short list."""
        return [row for page in self._pages(path, params, what, None) for row in page.rows]

    def listed(self, kind: str, is_archived: bool, after: str | None = None) -> Iterator[Page]:
        """Pages of all objects of a kind that are archived, or are not: ids and times alone.

        What they say is read by `read`: so many properties do not fit into an address.
        """
        query = {
            "limit": LIST,
            "archived": "true" if is_archived else "false",
            "properties": "hs_object_id",
        }
        what = f"{kind} archived" if is_archived else f"{kind} list"
        yield from self._pages(f"{self._objects}/{kind}", query, what, after)

    def _pages(
        self, path: str, params: Mapping[str, Any], what: str, after: str | None
    ) -> Iterator[Page]:
        while True:
            query = {**params, "after": after} if after else params
            body = self.get(path, query, what)
            rows, before, after = self.rows(body, what), after, _next(body)
            if after is not None and after == before:
                raise self.http.later(what, "the list goes round in a circle", _CHANGED)
            yield Page(rows, after)
            if after is None:
                return

    def found(
        self, kind: str, cursor: str, start: datetime, end: datetime, last: str | None
    ) -> Iterator[Page]:
        """Pages of objects that changed from `start` to before `end`, in order of id after `last`.

        Each page is asked for by the id before it, never by an offset: a row that changes meanwhile
        leaves the result, and would pull another one over the edge of a page, unread. So no query
        goes anywhere near the 10,000 rows that a search gives at most, either.
        """
        what, path = f"{kind} search", f"{self._objects}/{kind}/search"
        at = int(last or 0)
        while True:
            filters = [
                {"propertyName": cursor, "operator": "GTE", "value": _milliseconds(start)},
                {"propertyName": cursor, "operator": "LT", "value": _milliseconds(end)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": str(at)},
            ]
            body = self._call(
                self._search,
                "POST",
                path,
                None,
                {
                    "filterGroups": [{"filters": filters}],
                    "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                    "properties": ["hs_object_id"],
                    "limit": SEARCH,
                },
                what,
            )
            rows = self.rows(body, what)
            ids = [int(row["id"]) for row in rows]
            if ids != sorted(set(ids)) or (ids and ids[0] <= at):
                raise self.http.later(what, "the rows are not in order of id", _CHANGED)
            is_last = _next(body) is None
            total = body.get("total")
            if is_last and isinstance(total, int) and total > len(rows):
                raise self.http.later(
                    what, f"{len(rows)} of {total} rows came, and no next page", _CHANGED
                )
            if not is_last and not rows:
                raise self.http.later(what, "a page without rows that is not the last", _CHANGED)
            at = ids[-1] if ids else at
            yield Page(rows, None if is_last else str(at))
            if is_last:
                return

    def read(
        self, kind: str, ids: Sequence[str], properties: Sequence[str], history: Sequence[str]
    ) -> list[Json]:
        """Objects with these ids, as many as there still are, with the versions of some properties.

        A merged object answers with its survivor.
        """
        what, path = f"{kind} batch/read", f"{self._objects}/{kind}/batch/read"
        body: Json = {"properties": list(properties)}
        if history:
            body["propertiesWithHistory"] = list(history)
        found: dict[str, Json] = {}
        for part in _parts(ids, HISTORY_BATCH if history else BATCH):
            rows = self._batch(path, [{"id": it} for it in part], body, what, _own_id)
            found |= {str(row["id"]): row for row in rows}
        self._work.report.account(what, len(found), len(found))
        return list(found.values())

    def links(self, kind: str, to: str, ids: Sequence[str]) -> dict[str, list[Link]]:
        """What these objects point at, by their id; those that point at nothing are missing."""
        what = f"associations {kind} to {to}"
        path = f"/crm/v4/associations/{kind}/{to}/batch/read"
        found: dict[str, list[Link]] = {}
        for part in _parts(ids, LINK_BATCH):
            inputs = [{"id": it} for it in part]
            while inputs:
                rows = self._batch(path, inputs, {}, what, _from_id)
                inputs = []
                for row in rows:
                    own = _from_id(row)
                    found.setdefault(own, []).extend(_link(it) for it in row.get("to") or [])
                    after = _next(row)
                    # Of an object with very many there are pages of their own.
                    inputs += [{"id": own, "after": after}] if after else []
        return found

    def _batch(
        self,
        path: str,
        inputs: Sequence[Json],
        body: Json,
        what: str,
        id_of: Callable[[Json], str],
    ) -> list[Json]:
        """The results of a batch; what failed in it is asked once more. Raises TryLater then."""
        found: list[Json] = []
        for is_again in (False, True):
            try:
                answer = self._post(path, {**body, "inputs": list(inputs)}, what, _none_there)
            except _NoneThere:
                return found
            found += self.rows(answer, what)
            errors = [it for it in answer.get("errors") or [] if not _is_absence(it)]
            if not errors:
                return found
            if is_again:
                words = str(errors[0].get("message") or errors[0].get("category"))
                raise self.http.later(what, words, "Try again later; what was loaded stays.")
            named = {it for error in errors for it in _ids_of(error)}
            there = {id_of(row) for row in found}
            inputs = [
                it for it in inputs if (it["id"] in named if named else it["id"] not in there)
            ]
        return found

    def token_info(self) -> Json:
        """Whom the token acts as, and its scopes; empty where the system does not say it."""
        try:
            return self._post(_TOKEN_INFO, {"tokenKey": self._token}, "access-token-info")
        except (Refused, TryLater):
            return {}

    def now(self) -> datetime:
        """The present by the system's own clock, as its answers tell it."""
        clock, skew = self._work.clock, self.http.skew
        ahead = 0.0 if clock.fixed or skew is None else skew
        return (clock.now() + timedelta(seconds=ahead)).astimezone(UTC)

    def _judge(self, answer: Answer) -> Again | None:
        body: Json = answer.data if answer.is_json and isinstance(answer.data, dict) else {}
        if answer.status == 401:
            raise refuse(
                "The token was deleted, rotated or is written wrong: copy it again (Settings, "
                "Integrations, Private Apps, Auth) and set it as "
                f"{self._keys.access_token}."
            )
        if answer.status == 403 and body:
            raise _Lacks(_scopes(body), f"403 {body.get('message') or answer.own_words}")
        if answer.status == 429:
            policy = str(body.get("policyName") or "RATE_LIMIT")
            if policy == "DAILY":
                raise later(
                    "The portal's daily limit of requests is used up; it resets at midnight of the "
                    "portal's zone. What was loaded stays."
                )
            return Again(policy, after=_WAITS.get(policy, _USUAL_WAIT), at_most=_TRIES)
        if answer.status == 400:
            raise refuse(
                "Check the keys of the connection. If they are right this is a fault of the "
                "program: report it with the system's words."
            )
        return None


def _none_there(answer: Answer) -> Again | None:
    body = answer.data if answer.is_json and isinstance(answer.data, dict) else {}
    if answer.status == 404 and _is_absence(body):
        raise _NoneThere
    return None


def _is_absence(error: Json) -> bool:
    """Whether an error only says that an object, or what it points at, is not there."""
    return error.get("category") == "OBJECT_NOT_FOUND" or str(error.get("subCategory")).endswith(
        "NO_ASSOCIATIONS_FOUND"
    )


def _ids_of(error: Json) -> set[str]:
    context = error.get("context") or {}
    return {str(it) for name in ("ids", "fromObjectId") for it in context.get(name) or []}


def _scopes(body: Json) -> list[str]:
    contexts = [it.get("context") or {} for it in body.get("errors") or [] if isinstance(it, dict)]
    return [str(it) for context in contexts for it in context.get("requiredGranularScopes") or []]


def _next(body: Json) -> str | None:
    after = ((body.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)


def _own_id(row: Json) -> str:
    return str(row["id"])


def _from_id(row: Json) -> str:
    return str(row["from"]["id"])


def _link(to: Json) -> Link:
    labels = {str(it.get("label")).casefold() for it in to.get("associationTypes") or []}
    return Link(str(to["toObjectId"]), "primary" in labels)


def _milliseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


def _parts(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(ids), size):
        yield ids[first : first + size]
