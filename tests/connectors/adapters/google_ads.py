"""Google Ads in the shared tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.connectors.adapter import SAMPLES, Adapter, ErrorCase, Story
from tests.connectors.adapters.yandex_direct import ads_story
from tests.standins.company import Company
from tests.standins.google_ads import (
    ACCESS,
    ACCOUNT,
    CLIENT_SECRET,
    REFRESH,
    GoogleAdsStandIn,
    failure,
    is_spending,
)
from tests.standins.server import Reply, Request, StandIn, json_reply

_SAMPLES = SAMPLES / "google_ads"


class GoogleAds(Adapter):
    kind = "google_ads"
    nulls: Mapping[str, Sequence[str]] = {"marketing.ad_spend": ("updated_at",)}
    # The token, the account, and one query for each two days.
    least_requests = 7
    short: Mapping[str, Any] = {"slice": "1d"}

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        return GoogleAdsStandIn({ACCOUNT: lambda: company.spending}, page_size)

    def keys(self, standin: StandIn) -> dict[str, Any]:
        return {
            "kind": "google_ads",
            "base_url": standin.address,
            "token_url": f"{standin.address}/token",
            "customer_id": ACCOUNT,
            "client_id": "client",
            "client_secret": "env:ADS_CLIENT_SECRET",
            "refresh_token": "env:ADS_REFRESH_TOKEN",
            "source_id": "src-google",
            "start_date": "2026-03-01",
            "slice": "2d",
        }

    def secrets(self) -> Mapping[str, str]:
        return {"ADS_CLIENT_SECRET": CLIENT_SECRET, "ADS_REFRESH_TOKEN": REFRESH}

    def hidden(self) -> Sequence[str]:
        return [CLIENT_SECRET, REFRESH, ACCESS]

    def story(self) -> Story:
        return ads_story()

    def paged(self, request: Request) -> bool:
        return is_spending(request)

    def errors(self) -> Sequence[ErrorCase]:
        exhausted = Reply(429, (_SAMPLES / "google_ads_error.json").read_bytes(),
                          {"Content-Type": "application/json"})  # fmt: skip
        late = json_reply([{"results": []}, {"error": {"code": 13, "status": "INTERNAL",
                                                      "message": "broke off"}}])  # fmt: skip
        level = failure(403, "PERMISSION_DENIED", "authorizationError",
                        "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION")  # fmt: skip
        denied = failure(403, "PERMISSION_DENIED", "authorizationError", "USER_PERMISSION_DENIED")
        version = failure(400, "INVALID_ARGUMENT", "requestError", "UNSUPPORTED_VERSION")
        expired = failure(401, "UNAUTHENTICATED", "authenticationError", "OAUTH_TOKEN_EXPIRED")
        query = failure(400, "INVALID_ARGUMENT", "queryError", "BAD_FIELD_NAME", "no such field")
        return (
            ErrorCase("429 once", exhausted, 0, is_spending, times=1, waits=[900.0]),
            ErrorCase("429 for ever", exhausted, 75, is_spending, ("Retry in 900 seconds",), 3,
                      waits=[900.0] * 2),
            ErrorCase("an error after good batches", late, 75, is_spending, ("broke off",), 6),
            ErrorCase("level", level, 2, is_spending, ("Explorer", "REQ-9"), 1),
            ErrorCase("403", denied, 2, is_spending, ("login_customer_id",), 1),
            ErrorCase("version", version, 2, is_spending, ("v26", "api_version"), 1),
            ErrorCase("401 once", expired, 0, is_spending, times=1),
            ErrorCase("401 for ever", expired, 2, is_spending, ("OAUTH_TOKEN_EXPIRED",), 2),
            ErrorCase("400", query, 2, is_spending, ("no such field", "BAD_FIELD_NAME"), 1),
            ErrorCase("refresh token revoked", json_reply({"error": "invalid_grant"}, 400), 2,
                      lambda it: it.path == "/token", ("invalid_grant", "env:ADS_REFRESH_TOKEN"),
                      1),
            ErrorCase("503 for ever", Reply(503, b"busy"), 75, is_spending, ("503",), 6),
        )  # fmt: skip


ADAPTERS = (GoogleAds(),)
