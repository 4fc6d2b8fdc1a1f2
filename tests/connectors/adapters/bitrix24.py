"""Bitrix24 in the shared tests, in its classic mode and in its simple one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tests.connectors.adapter import SAMPLES, Adapter, ErrorCase
from tests.standins.bitrix24 import DEAL, HOOK, Bitrix24StandIn, company_store
from tests.standins.company import Company
from tests.standins.server import Reply, Request, StandIn, json_reply, sample_reply

_SAMPLES = SAMPLES / "bitrix24"
WEBHOOK = f"https://romashka.bitrix24.ru{HOOK}"


def _deals(request: Request) -> bool:
    return (
        request.path.endswith("/crm.item.list")
        and request.json["entityTypeId"] == DEAL
        and request.json["select"] == ["*"]
    )


class Bitrix24(Adapter):
    kind = "bitrix24"
    nulls: Mapping[str, Sequence[str]] = {
        "crm.managers": ("dismissed_on", "updated_at"),
        "crm.sources": ("updated_at", "is_deleted"),
        "crm.pipelines": ("updated_at", "is_deleted"),
        "crm.stages": ("updated_at", "is_deleted"),
        "crm.leads": ("utm_medium", "utm_campaign"),
        "crm.deal_stage_history": (
            "updated_at",
            "is_deleted",
            "entered_after",
            "entered_at_quality",
        ),
        "crm.meetings": ("lead_id", "confirmed_at", "cancelled_at", "is_deleted"),
        "crm.activities": ("is_deleted",),
        "crm.payments": ("paid_after", "paid_at_quality"),
    }
    least_requests = 14
    # The system does not say what was deleted: only the sweep finds it.
    deletions_after = timedelta(days=1)
    mode = 1

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        return Bitrix24StandIn(lambda: company_store(company, self.mode), page_size)

    def keys(self, standin: StandIn) -> dict[str, Any]:
        assert isinstance(standin, Bitrix24StandIn)
        return {
            "kind": "bitrix24",
            "base_url": standin.address,
            "webhook_url": "env:BITRIX_WEBHOOK",
            "page_size": standin.page_size,
            "sweep_every_days": 1,
            "payments_from": "won_deals",
            "source_channels": {"Сайт": "site"},
            "managers": {"anna@romashka.example": {"role": "hunter", "hired_on": "2025-01-15"}},
        }

    def secrets(self) -> Mapping[str, str]:
        return {"BITRIX_WEBHOOK": WEBHOOK}

    def hidden(self) -> Sequence[str]:
        return [WEBHOOK, "webhook-secret-code"]

    def paged(self, request: Request) -> bool:
        return _deals(request)

    def errors(self) -> Sequence[ErrorCase]:
        def sample(name: str) -> Reply:
            return sample_reply(_SAMPLES / f"{name}.json")

        steps = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0, 30.0]
        nameless = json_reply({"error": "", "error_description": "Internal error"})
        return (
            ErrorCase("QUERY_LIMIT_EXCEEDED for ever", sample("error_rate_503"), 75, _deals,
                      ("Too many requests",), 11, waits=steps[4:]),
            ErrorCase("QUERY_LIMIT_EXCEEDED twice", sample("error_rate_503"), 0, _deals,
                      times=2, waits=[2.0]),
            ErrorCase("OPERATION_TIME_LIMIT for ever", sample("error_operating_429"), 75, _deals,
                      ("operation time limit",), 13, waits=[60.0] * 11),
            ErrorCase("OPERATION_TIME_LIMIT once", sample("error_operating_429"), 0, _deals,
                      times=1),
            ErrorCase("OVERLOAD_LIMIT", sample("error_overload_503"), 2, _deals,
                      ("blocked due to overload", "support"), 1),
            ErrorCase("NO_AUTH_FOUND", sample("error_auth_401"), 2, _deals,
                      ("Wrong authorization data", "env:BITRIX_WEBHOOK"), 1),
            ErrorCase("expired_token", sample("error_expired_401"), 2, _deals,
                      ("has expired", "make a new one"), 1),
            ErrorCase("insufficient_scope", sample("error_scope_403"), 2, _deals,
                      ("crm.item.list", "higher privileges", "scopes crm, department"), 1),
            ErrorCase("ACCESS_DENIED", sample("error_plan_403"), 2, _deals,
                      ("commercial plans",), 1),
            ErrorCase("503 for ever", Reply(503, b"busy"), 75, _deals, ("503", "busy"), 6),
            ErrorCase("an error without a name", nameless, 75, _deals, ("Internal error",), 6),
            ErrorCase("no items in the answer", json_reply({"result": {}}), 75, _deals,
                      ("result.items",), 1),
            ErrorCase("no result in the answer", json_reply({"time": {}}), 75, _deals,
                      ("no result",), 1),
        )  # fmt: skip


class SimpleBitrix24(Bitrix24):
    """A portal without leads: every deal is also one. Its errors are those of the other mode."""

    mode = 2
    # Neither statuses of leads nor leads nor their history.
    least_requests = 11
    nulls: Mapping[str, Sequence[str]] = {
        **Bitrix24.nulls,
        "crm.meetings": ("confirmed_at", "cancelled_at", "is_deleted"),
    }

    def keys(self, standin: StandIn) -> dict[str, Any]:
        stages = {"target_stages": ["Договор"], "non_target_stages": ["LOSE"]}
        return {**super().keys(standin), **stages}

    def errors(self) -> Sequence[ErrorCase]:
        return ()


ADAPTERS = (Bitrix24(), SimpleBitrix24())
