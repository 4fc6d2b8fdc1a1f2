"""amoCRM in the shared tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.connectors.adapter import SAMPLES, Adapter, ErrorCase
from tests.standins.amocrm import AmocrmStandIn, company_store
from tests.standins.company import Company
from tests.standins.server import Reply, Request, StandIn, json_reply, sample_reply

_SAMPLES = SAMPLES / "amocrm"
TOKEN = "long-lived-secret-token"


def _leads(request: Request) -> bool:
    return request.path == "/api/v4/leads" and "filter[updated_at][from]" in request.query


class Amocrm(Adapter):
    kind = "amocrm"
    nulls: Mapping[str, Sequence[str]] = {
        "crm.managers": ("dismissed_on", "updated_at"),
        "crm.sources": ("updated_at", "is_deleted"),
        "crm.contacts": ("source_id",),
        "crm.pipelines": ("updated_at", "is_deleted"),
        "crm.stages": ("updated_at", "is_deleted"),
        "crm.leads": ("utm_medium", "utm_campaign"),
        "crm.deal_stage_history": (
            "updated_at",
            "is_deleted",
            "entered_after",
            "entered_at_quality",
        ),
        "crm.meetings": ("confirmed_at", "is_deleted", "contact_id"),
        "crm.activities": ("contact_id", "updated_at", "is_deleted"),
        "crm.payments": ("paid_after", "paid_at_quality"),
    }
    least_requests = 16

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        return AmocrmStandIn(lambda: company_store(company), page_size)

    def keys(self, standin: StandIn) -> dict[str, Any]:
        return {
            "kind": "amocrm",
            "subdomain": "romashka",
            "base_url": standin.address,
            "long_lived_token": "env:AMO_TOKEN",
            "payments_from": "won_deals",
            "target_field": "Целевой",
            "target_values": ["Да"],
            "non_target_values": ["Нет"],
            "expected_close_field": "Дата договора",
            "source_channels": {"Сайт": "site"},
            "deal_types": {"Повторные": "repeat"},
            "managers": {"anna@romashka.example": {"role": "hunter", "hired_on": "2025-01-15"}},
        }

    def secrets(self) -> Mapping[str, str]:
        return {"AMO_TOKEN": TOKEN}

    def paged(self, request: Request) -> bool:
        return _leads(request)

    def errors(self) -> Sequence[ErrorCase]:
        forbidden = json_reply({"title": "Forbidden", "status": 403, "detail": "нет прав"}, 403)
        return (
            ErrorCase("401", sample_reply(_SAMPLES / "error_auth_401.json"), 2, _leads,
                      ("Неправильный логин или пароль", "make a new one", "env:AMO_TOKEN"), 1),
            ErrorCase("403 with HTML", sample_reply(_SAMPLES / "error_blocked_403.json"), 75,
                      _leads, ("blocked",), 1),
            ErrorCase("403 with JSON", forbidden, 2, _leads, ("нет прав", "administrator"), 1),
            ErrorCase("402", json_reply({"title": "Payment Required"}, 402), 2, _leads,
                      ("tariff",), 1),
            ErrorCase("429 for ever", sample_reply(_SAMPLES / "error_rate_429.json"), 75, _leads,
                      ("429",), 11, waits=[10.0] * 10),
            ErrorCase("429 twice", sample_reply(_SAMPLES / "error_rate_429.json"), 0, _leads,
                      times=2, waits=[10.0] * 2),
            ErrorCase("503 for ever", Reply(503, b"busy"), 75, _leads, ("503", "busy"), 7),
            ErrorCase("no leads in the answer", json_reply({"_embedded": {}}), 75, _leads,
                      ("_embedded.leads",), 1),
        )  # fmt: skip


ADAPTERS = (Amocrm(),)
