"""Google Ads' API: the exchange of tokens, and searchStream over accounts and their spending."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.standins.company import Spend
from tests.standins.server import Reply, Request, StandIn, json_reply

ACCOUNT, MANAGER, SECOND = "1234567890", "9876543210", "1111111111"
CLIENT_SECRET, REFRESH, ACCESS = "google-client-secret", "google-refresh-secret", "google-access"
Json = dict[str, Any]


class GoogleAdsStandIn(StandIn):
    """Accounts with what their campaigns cost, in batches of `page_size` rows.

    With `manager` the accounts are read through it. `closed` accounts tell nothing.
    """

    def __init__(
        self,
        accounts: Mapping[str, Callable[[], Sequence[Spend]]],
        page_size: int = 250,
        manager: str | None = None,
    ) -> None:
        super().__init__()
        self.accounts = dict(accounts)
        self.zones: dict[str, str] = {}
        self.closed: set[str] = set()
        self.page_size = page_size
        self.manager = manager
        self.version = "v26"
        self.forms: list[dict[str, str]] = []
        self.access = ACCESS

    def answer(self, request: Request) -> Reply:
        """The answer of the API."""
        if request.path == "/token":
            self.forms.append(request.form)
            return json_reply({"access_token": self.access, "expires_in": 3599})
        found = re.fullmatch(r"/(v\d+)/customers/(\d+)/googleAds:searchStream", request.path)
        if found is None or found[1] != self.version:
            return Reply(404, b"<html>not found</html>", {"Content-Type": "text/html"})
        if request.headers.get("authorization") != f"Bearer {self.access}":
            return failure(401, "UNAUTHENTICATED", "authenticationError", "OAUTH_TOKEN_EXPIRED")
        assert "developer-token" not in request.headers
        return self._search(found[2], request)

    def _search(self, customer: str, request: Request) -> Reply:
        query = request.json["query"]
        if "FROM customer_client" in query:
            rows = [{"customerClient": {"id": it, "descriptiveName": f"Account {it}",
                                        "timeZone": self.zone(it), "currencyCode": "USD"}}
                    for it in self.accounts]  # fmt: skip
            return self._stream(rows)
        if "FROM customer" in query:
            return self._stream([{"customer": {**self._customer(customer),
                                               "manager": customer == self.manager}}])  # fmt: skip
        if self.manager and request.headers.get("login-customer-id") != self.manager:
            return failure(403, "PERMISSION_DENIED", "authorizationError",
                           "USER_PERMISSION_DENIED")  # fmt: skip
        if customer in self.closed:
            return failure(403, "PERMISSION_DENIED", "authorizationError", "CUSTOMER_NOT_ENABLED")
        span = re.search(r"BETWEEN '(.*)' AND '(.*)'", query)
        assert span is not None
        first, last = span.groups()
        spending = [it for it in self.accounts[customer]() if first <= it.day <= last]
        return self._stream([self._row(customer, it) for it in spending if it.impressions])

    def _row(self, customer: str, spend: Spend) -> Json:
        return {
            "customer": self._customer(customer),
            "campaign": {"id": str(spend.campaign), "name": spend.name, "status": "ENABLED"},
            "segments": {"date": spend.day},
            "metrics": {"costMicros": str(spend.micros), "impressions": str(spend.impressions),
                        "clicks": str(spend.clicks)},
        }  # fmt: skip

    def _customer(self, customer: str) -> Json:
        return {"id": customer, "currencyCode": "USD", "timeZone": self.zone(customer)}

    def zone(self, customer: str) -> str:
        """An account's zone."""
        return self.zones.get(customer, "Europe/Moscow")

    def _stream(self, rows: Sequence[Json]) -> Reply:
        parts = [rows[it : it + self.page_size] for it in range(0, len(rows), self.page_size)]
        return json_reply([{"results": part, "requestId": "REQ"} for part in parts])


def failure(code: int, status: str, group: str, name: str, text: str = "No") -> Reply:
    """An error in Google's own form."""
    detail = {"errors": [{"errorCode": {group: name}, "message": text}], "requestId": "REQ-9"}
    error = {"code": code, "message": text, "status": status, "details": [detail]}
    return json_reply([{"error": error}], code)


def is_spending(request: Request) -> bool:
    """Whether a request is for what campaigns cost."""
    return b"FROM campaign" in request.body


def sample_spending(batches: Sequence[Json]) -> list[Spend]:
    """The rows of an answer that was saved."""
    return [
        Spend(row["segments"]["date"], int(row["campaign"]["id"]), row["campaign"]["name"],
              *(int(row["metrics"][it]) for it in ("costMicros", "impressions", "clicks")))
        for batch in batches for row in batch["results"]
    ]  # fmt: skip
