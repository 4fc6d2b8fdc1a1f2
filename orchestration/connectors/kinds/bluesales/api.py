"""BlueSales' one address: commands, pages whose list moves, and errors inside good answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.connectors.connector import Work
from orchestration.connectors.http import Again, Answer, Http, Pace, refuse
from orchestration.connectors.kinds.bluesales.keys import BluesalesConnection
from orchestration.connectors.secrets import read_secret

PATH = "/app/Customers/WebServer.aspx"
PAGE = 500
# A little less than two a second: one after another, half a second apart.
_PER_SECOND = 1.99
_READINGS = 3

WRONG_PASSWORD = "Неправильный логин или пароль."
LOGIN_BUSY = "Другой пользователь находится онлайн под логином"
API_BUSY = "Уже выполняется одно или несколько других обращений к API"
_COUNTDOWN = re.compile(r"<span class='countdown'>\s*(\d+)\s*</span>")

Json = dict[str, Any]

_CUSTOMERS: Mapping[str, Any] = {
    "firstContactDateFrom": None, "firstContactDateTill": None,
    "nextContactDateFrom": None, "nextContactDateTill": None,
    "lastContactDateFrom": None, "lastContactDateTill": None,
    "ids": None, "vkIds": None, "tags": [], "managers": [], "sources": None, "phone": None,
}  # fmt: skip
_ORDERS: Mapping[str, Any] = {
    "dateFrom": None, "dateTill": None, "orderStatuses": [], "customerId": None, "ids": None,
    "internalNumbers": None,
}  # fmt: skip
_BODIES = {"customers": _CUSTOMERS, "orders": _ORDERS}


@dataclass
class Selection:
    """What one question gave: rows by id, each with the instant at which its page arrived.

    `is_whole` is false where the list moved under every reading, or could not be read.
    """

    rows: dict[str, tuple[Json, datetime]] = field(default_factory=dict)
    is_whole: bool = True


class _BadRequest(Exception):
    """Status 400: the end of a selection, sometimes an empty one."""


class Api:
    """One account."""

    def __init__(self, keys: BluesalesConnection, work: Work) -> None:
        self._keys = keys
        self._work = work
        self._busy = 0
        self.http = Http(
            keys.name,
            "BlueSales",
            keys.base_url or "https://bluesales.ru",
            work.clock,
            work.mask,
            work.report,
            Pace(_PER_SECOND, work.clock),
            self._judge,
        )
        self._password = work.mask.hide(self._hashed())

    def users(self) -> list[Json]:
        """All users: a bare list."""
        found = self._ask("users.get", None).data
        if not isinstance(found, list):
            raise self._unfit("users.get", "the answer is no list")
        return found

    def select(self, what: str, **filters: Any) -> Selection:
        """All customers or orders that fit.

        Offsets count along a list that people edit: where its length changes between two pages,
        or fewer rows come than it has, it is read again from its beginning.
        """
        found = Selection(is_whole=False)
        for _ in range(_READINGS):
            rows, is_whole = self._reading(what, filters)
            found.rows |= rows
            if is_whole:
                found.is_whole = True
                return found
            self._work.report.counted[f"{what}.get: list moved, read again"] += 1
        self._work.report.warn(
            f"{what}.get: the list changed during each of {_READINGS} readings; rows may be "
            "missing until the next load."
        )
        return found

    def total(self, what: str, **filters: Any) -> int:
        """How many there are: rows of the page and those still to come."""
        try:
            rows, rest = self._page(what, filters, 0, 1)
        except _BadRequest:
            return 0
        return len(rows) + rest

    def _reading(
        self, what: str, filters: Mapping[str, Any]
    ) -> tuple[dict[str, tuple[Json, datetime]], bool]:
        found: dict[str, tuple[Json, datetime]] = {}
        start, total, has_moved, is_second = 0, None, False, False
        while True:
            try:
                rows, rest = self._page(what, filters, start, PAGE)
            except _BadRequest:
                if start:
                    return found, not has_moved and len(found) == total
                if not is_second:
                    is_second = True
                    continue
                self._work.report.counted[f"{what}.get: taken as empty after status 400"] += 1
                return found, True
            stamp = self._work.stamps.next()
            size = start + len(rows) + rest
            total = size if total is None else total
            has_moved |= size != total
            found |= {str(row.get("id")): (row, stamp) for row in rows}
            if not rest:
                return found, not has_moved and len(found) == total
            if not rows:
                return found, False
            start += len(rows)

    def _page(
        self, what: str, filters: Mapping[str, Any], start: int, size: int
    ) -> tuple[list[Json], int]:
        """One page and how many rows come after it; `count` is only the page's own length."""
        command = f"{what}.get"
        body = {**_BODIES[what], **filters, "pageSize": size, "startRowNumber": start}
        data = self._ask(command, body).data
        rows = data.get(what) if isinstance(data, dict) else None
        rest = data.get("notReturnedCount") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            raise self._unfit(command, f"the answer has no {what}")
        if not str(rest).isdigit():
            raise self._unfit(command, "the answer has no notReturnedCount")
        return rows, int(str(rest))

    def _ask(self, command: str, body: Json | None) -> Answer:
        answer = self.http.request(
            "POST",
            PATH,
            params={"login": self._keys.login, "password": self._password, "command": command},
            json_body=body,
            what=command,
        )
        self._busy = 0
        return answer

    def _unfit(self, command: str, words: str) -> Exception:
        return self.http.later(
            command, words, "Try again later; if it stays so, BlueSales has changed its API."
        )

    def _judge(self, answer: Answer) -> Again | None:
        if answer.status == 400:
            raise _BadRequest
        if answer.status == 404:
            raise refuse("BlueSales does not know this command (any more); correct base_url.")
        if answer.status != 200 or not answer.is_json or not isinstance(answer.data, dict):
            return None
        if answer.data.get("isValid") is not False:
            return None
        said = str(answer.data.get("error") or answer.data.get("errorMessage") or "no reason")
        if said.strip() == WRONG_PASSWORD:
            secret = self._keys.password or self._keys.password_md5
            raise refuse(
                f"Log in as {self._keys.login} in the browser; correct login or {secret}.", said
            )
        if LOGIN_BUSY in said:
            countdown = _COUNTDOWN.search(said)
            return Again(
                "login in use",
                after=int(countdown[1]) + 1 if countdown else 30,
                at_most=10,
                remedy=f"Someone works as {self._keys.login}; give the connector a login of its "
                "own. What was loaded stays.",
            )
        if API_BUSY in said:
            self._busy += 1
            return Again(
                "API in use",
                after=min(30, 3 * self._busy),
                at_most=20,
                budget=600,
                remedy="Another program asks BlueSales for this organisation: let the two run at "
                "different hours. What was loaded stays.",
            )
        raise refuse("Do as BlueSales says; a PRO account is needed for its API.", said)

    def _hashed(self) -> str:
        keys = self._keys
        if keys.password_md5:
            secret = read_secret(keys.password_md5, keys.name, "password_md5", self._work.mask)
            self._work.mask.hide(secret.lower())
            return secret.upper()
        assert keys.password is not None
        secret = read_secret(keys.password, keys.name, "password", self._work.mask)
        # BlueSales asks for it in this form; it protects nothing and is as secret as the password.
        return hashlib.md5(secret.encode(), usedforsecurity=False).hexdigest().upper()
