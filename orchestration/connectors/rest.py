"""Any REST API by configuration: dlt's client turns its pages and logs in, waits are ours.

dlt is imported where this module begins; import it where a request is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.auth import (
    APIKeyAuth,
    AuthConfigBase,
    BearerTokenAuth,
    HttpBasicAuth,
    OAuth2ClientCredentials,
)
from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api.config_setup import create_paginator

from orchestration.base.errors import VoronkaError, first_line
from orchestration.connectors.http import TIMEOUT, Again, Answer, Http, Judge, refuse
from orchestration.connectors.rest_keys import Auth, Rest

_RANGE, _OFFSET = "range", "offset"


class RangePages(BasePaginator):
    """Pages by the numbers of their first row and of the row after the last, from 0.

    A system may give fewer rows than it was asked for; the end is a page without rows.
    """

    def __init__(
        self,
        start_param: str = "_start",
        end_param: str = "_end",
        limit: int = 1_000,
        start: int = 0,
    ) -> None:
        super().__init__()
        self._names = start_param, end_param
        self._limit = limit
        self._next = start
        self._is_over = False

    @property
    def has_next_page(self) -> bool:
        """Whether the last page had rows."""
        return not self._is_over

    def init_request(self, request: requests.Request) -> None:
        """The first page."""
        self.update_request(request)

    def update_state(self, response: requests.Response, data: list[Any] | None = None) -> None:
        """The next page begins after the rows that came."""
        self._next += len(data or [])
        self._is_over = not data

    def update_request(self, request: requests.Request) -> None:
        """Ask for the next page."""
        numbers = self._next, self._next + self._limit
        params = dict(request.params or {})
        request.params = {**params, **dict(zip(self._names, numbers, strict=True))}


class RestPages:
    """The pages of one list. `secret` is what `rest.auth` logs in with, `variable` its place."""

    def __init__(
        self, http: Http, tokens: Http, rest: Rest, secret: str | None, variable: str | None
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._rest = rest
        self._variable = variable or "secret"
        self._auth = self._login(rest.auth, secret or "")

    def read(self, marks: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        """Rows page by page; `marks` stand in params and body for `{from}` and `{to}`.

        Raises Refused where the block does not fit the system, TryLater where a list is cut short.
        """
        rest, http = self._rest, self._http
        session = _Session(http, rest.path, self._judge)
        session.auth_of = self._auth
        client = RESTClient(http.base_url, headers=dict(http.headers), session=session)
        pages = client.paginate(
            rest.path,
            method=rest.method,
            params=_filled(rest.params, marks),
            json=_filled(rest.body, marks),
            auth=self._auth,
            paginator=self._paginator(),
            data_selector=rest.data,
            # An answer that is none was refused before it comes here.
            hooks={"response": []},
        )
        count, before = 0, ""
        while True:
            try:
                if next(pages, None) is None:
                    break
            except VoronkaError:
                raise
            # What dlt says of a paginator that does not fit the answers.
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise http.refused(
                    rest.path, first_line(error), "Correct rest.paginator."
                ) from None
            answer = session.answer
            assert answer is not None
            rows = _rows(answer, rest.data)
            assert rows is not None
            if rows and answer.text == before:
                raise http.refused(
                    rest.path,
                    "the same page came twice",
                    "Correct rest.paginator: the system does not know the parameter that it sends.",
                )
            before, count = answer.text, count + len(rows)
            yield rows
        self._count(count, session.answer)

    def _count(self, count: int, answer: Answer | None) -> None:
        """A system that gives shorter pages than `limit` asks for would lose the rest."""
        keys: Any = dict(self._rest.paginator)
        path = keys.get("total_path", "total")
        if keys["type"] != _OFFSET or not path or answer is None:
            return
        totals = [int(it) for it in jsonpath.find_values(path, answer.data) if str(it).isdigit()]
        if totals and count < totals[0]:
            raise self._http.later(
                self._rest.path,
                f"{count} rows came, and it says {totals[0]}",
                "Write the size of its pages as limit in rest.paginator, or try again later.",
            )

    def _paginator(self) -> BasePaginator:
        keys: Any = dict(self._rest.paginator)
        try:
            if keys["type"] == _RANGE:
                keys.pop("type")
                return RangePages(**keys)
            found = create_paginator(keys)
        except Exception as error:  # noqa: BLE001 - dlt refuses keys in errors of many types
            raise self._http.refused(
                "rest.paginator", first_line(error), "See docs/connectors/call_evaluations.md."
            ) from None
        assert found is not None
        return found

    def _login(self, auth: Auth, secret: str) -> AuthConfigBase | None:
        if auth.type == "bearer":
            return BearerTokenAuth(token=secret)
        if auth.type == "api_key":
            return APIKeyAuth(name=auth.name, api_key=secret, location=auth.location)
        if auth.type == "http_basic":
            return HttpBasicAuth(username=auth.username, password=secret)
        if auth.type == "none":
            return None
        return OAuth2ClientCredentials(
            access_token_url=auth.access_token_url,
            client_id=auth.client_id,
            client_secret=secret,
            access_token_request_data=dict(auth.data),
            session=_Session(self._tokens, "token", self._judge_token),
        )

    def _judge(self, answer: Answer) -> Again | None:
        if answer.status in (401, 403) and not answer.is_html:
            raise refuse(
                f"Set the right secret as {self._variable}, and look at rest.auth and at the "
                "rights of the key."
            )
        if answer.status == 404:
            raise refuse("Correct base_url and rest.path.")
        if answer.status == 200 and answer.is_json and _rows(answer, self._rest.data) is None:
            raise refuse(
                f"Correct rest.data: {self._rest.data!r} is no list of objects in the answers."
            )
        return None

    def _judge_token(self, answer: Answer) -> Again | None:
        if answer.status in (400, 401, 403) and not answer.is_html:
            raise refuse(f"Set the right client secret as {self._variable}, and rest.auth.")
        is_token = answer.is_json and isinstance(answer.data, dict)
        if answer.status == 200 and not (is_token and answer.data.get("access_token")):
            return Again("unreadable")
        if answer.status == 200:
            self._tokens.hide(str(answer.data["access_token"]))
        return None


class _Session(requests.Session):  # type: ignore[misc] # requests has no types
    """Sends by our rules what dlt has made; `answer` is the last good one."""

    def __init__(self, http: Http, what: str, judge: Judge) -> None:
        super().__init__()
        self.answer: Answer | None = None
        self.auth_of: AuthConfigBase | None = None
        self._http = http
        self._what = what
        self._judge = judge

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """One good answer. Raises Refused for another host: the secret would go there."""
        there, own = urlsplit(str(request.url)), urlsplit(self._http.base_url)
        if (there.scheme, there.netloc) != (own.scheme, own.netloc):
            raise self._http.refused(
                self._what,
                f"its next page is on another host, {there.hostname}",
                "Correct base_url: a secret is only sent there.",
            )
        self._hide(request)
        kwargs |= {"timeout": TIMEOUT, "allow_redirects": False}
        is_renewed = False

        def judge(answer: Answer) -> Again | None:
            nonlocal is_renewed
            token = self.auth_of
            if (
                answer.status == 401
                and isinstance(token, OAuth2ClientCredentials)
                and not is_renewed
            ):
                # A token may end before its time.
                is_renewed = True
                token.obtain_token()
                token(request)
                self._hide(request)
                return Again("token", after=0, at_most=1)
            return self._judge(answer)

        send = super().send
        self.answer, response = self._http.send(lambda: send(request, **kwargs), self._what, judge)
        return response

    def _hide(self, request: requests.PreparedRequest) -> None:
        written = str(request.headers.get("Authorization") or "")
        for part in (written, written.partition(" ")[2]):
            self._http.hide(part)


def _rows(answer: Answer, path: str) -> list[dict[str, Any]] | None:
    """The rows of a page, numbers exact; None where there is no such list."""
    found = jsonpath.find_values(path, answer.data)
    rows = found[0] if found else None
    is_list = isinstance(rows, list) and all(isinstance(it, dict) for it in rows)
    return rows if is_list else None


def _filled(value: Any, marks: Mapping[str, str]) -> Any:
    """A value of the block with the marks in its texts replaced."""
    if isinstance(value, dict):
        return {key: _filled(it, marks) for key, it in value.items()}
    if isinstance(value, list):
        return [_filled(it, marks) for it in value]
    if isinstance(value, str):
        for mark, text in marks.items():
            value = value.replace(f"{{{mark}}}", text)
    return value
