"""Yandex Direct in the shared tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.connectors.adapter import SAMPLES, Adapter, ErrorCase, Story
from tests.standins.company import Company, Spend
from tests.standins.server import Reply, Request, StandIn
from tests.standins.yandex_direct import LOGIN, TOKEN, YandexDirectStandIn, error_reply, is_report

_SAMPLES = SAMPLES / "yandex_direct"


def ads_story() -> Story:
    """A new day, a corrected one, one corrected to nothing, and a campaign with another name."""

    def correct(company: Company) -> None:
        old = {(it.day, it.campaign): it for it in company.spending}
        old.pop(("2026-03-05", 2))
        old["2026-03-04", 1] = Spend("2026-03-04", 1, "Поиск | окна", 41_234_567, 399, 5)
        old["2026-03-10", 1] = Spend("2026-03-10", 1, "Поиск | окна", 7_000_000, 70, 7)
        company.spending = [
            Spend(it.day, it.campaign, "Поиск | двери", it.micros, it.impressions, it.clicks)
            if it.campaign == 1
            else it
            for it in old.values()
        ]

    return Story([correct])


class YandexDirect(Adapter):
    kind = "yandex_direct"
    nulls: Mapping[str, Sequence[str]] = {"marketing.ad_spend": ("updated_at",)}
    # The account, its corrections, one report for each two days, and the account's own total.
    least_requests = 8
    short: Mapping[str, Any] = {"slice": "1d"}

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        return YandexDirectStandIn(lambda: company.spending)

    def keys(self, standin: StandIn) -> dict[str, Any]:
        return {
            "kind": "yandex_direct",
            "base_url": standin.address,
            "token": "env:DIRECT_TOKEN",
            "client_login": LOGIN,
            "source_id": "src-direct",
            "include_vat": False,
            "start_date": "2026-03-01",
            "slice": "2d",
        }

    def secrets(self) -> Mapping[str, str]:
        return {"DIRECT_TOKEN": TOKEN}

    def story(self) -> Story:
        return ads_story()

    def paged(self, request: Request) -> bool:
        return is_report(request)

    def errors(self) -> Sequence[ErrorCase]:
        sample = Reply(400, (_SAMPLES / "yandex_direct_error.json").read_bytes(),
                       {"Content-Type": "application/json"})  # fmt: skip

        def stop(code: int, *words: str) -> ErrorCase:
            reply = error_reply(code, "Refused", "because")
            return ErrorCase(f"error {code}", reply, 2, is_report,
                             ("Refused: because", str(code), "8123", *words), 1)  # fmt: skip

        def wait(code: int, status: int = 400) -> ErrorCase:
            reply = error_reply(code, "Busy", "too many", status)
            return ErrorCase(f"error {code} for ever", reply, 75, is_report, ("Busy",), 31,
                             waits=[60.0] * 30)  # fmt: skip

        return (
            ErrorCase("8000", sample, 2, is_report,
                      ("The IncludeVAT parameter is required", "1234567890123456789"), 1),
            stop(53, "env:DIRECT_TOKEN"),
            stop(54, "client_login"),
            stop(58, "not approved"),
            wait(152),
            wait(506),
            wait(56, 429),
            wait(9000),
            ErrorCase("error 1000 for ever", error_reply(1000, "Down", "a while"), 75, is_report,
                      ("Down",), 6),
            ErrorCase("error 52 once", error_reply(52, "Down", "a while"), 0, is_report, times=1),
            ErrorCase("500 for ever", error_reply(1002, "Fault", "ours", 500), 75, is_report,
                      ("Fault",), 6),
            ErrorCase("202 for ever", Reply(202, b"", {"retryIn": "90"}), 75, is_report,
                      ("202",), 21, waits=[90.0] * 20),
            ErrorCase("502 for ever", Reply(502, b"heavy"), 75, is_report,
                      ("2026-03-01 alone is too heavy",), 2),
        )  # fmt: skip


ADAPTERS = (YandexDirect(),)
