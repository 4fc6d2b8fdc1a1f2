"""HubSpot in the shared tests: a portal with lead objects, and one whose contacts are the leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.connectors.adapter import SAMPLES, Adapter, ErrorCase
from tests.standins.company import Company
from tests.standins.hubspot import TOKEN, HubspotStandIn, company_store, missing_scopes
from tests.standins.server import Reply, Request, StandIn, json_reply, sample_reply

_SAMPLES = SAMPLES / "hubspot"
_OBJECTS = "/crm/v3/objects/deals"


def _deals(request: Request) -> bool:
    return request.path == _OBJECTS and request.query.get("archived") == "false"


def _batch(request: Request) -> bool:
    return request.path == f"{_OBJECTS}/batch/read"


def _links(request: Request) -> bool:
    return request.path == "/crm/v4/associations/deals/contacts/batch/read"


class Hubspot(Adapter):
    kind = "hubspot"
    nulls: Mapping[str, Sequence[str]] = {
        "crm.managers": ("dismissed_on",),
        "crm.sources": ("updated_at", "is_deleted"),
        "crm.pipelines": ("is_deleted",),
        "crm.stages": ("is_deleted",),
        "crm.leads": ("utm_medium", "utm_campaign"),
        "crm.deal_stage_history": (
            "updated_at",
            "is_deleted",
            "entered_after",
            "entered_at_quality",
        ),
        "crm.meetings": ("lead_id", "confirmed_at", "is_deleted"),
        "crm.activities": ("lead_id", "is_deleted"),
        "crm.payments": ("paid_after", "paid_at_quality"),
        "crm.surveys": ("deal_id", "manager_id", "is_deleted"),
    }
    least_requests = 30
    has_leads = True

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        return HubspotStandIn(lambda: company_store(company, self.has_leads), page_size)

    def keys(self, standin: StandIn) -> dict[str, Any]:
        return {
            "kind": "hubspot",
            "base_url": standin.address,
            "access_token": "env:HUBSPOT_TOKEN",
            "payments_from": "won_deals",
            "source_channels": {"DIRECT_TRAFFIC": "site"},
            "target_stages": ["Лиды / Целевой"],
            "non_target_stages": ["Лиды / Нецелевой"],
            "utm_source_field": "UTM source",
            "managers": {"anna@romashka.example": {"role": "hunter", "hired_on": "2025-01-15"}},
        }

    def secrets(self) -> Mapping[str, str]:
        return {"HUBSPOT_TOKEN": TOKEN}

    def paged(self, request: Request) -> bool:
        return _deals(request) or _batch(request)

    def errors(self) -> Sequence[ErrorCase]:
        def sample(name: str) -> Reply:
            return sample_reply(_SAMPLES / f"{name}.json")

        partial = json_reply(
            {"results": [], "errors": [{"status": "error", "category": "INTERNAL_ERROR",
                                        "message": "one failed", "context": {"ids": ["4001"]}}]},
            207,
        )  # fmt: skip
        named = json_reply({"policyName": "TEN_SECONDLY_ROLLING"}, 429, **{"Retry-After": "23"})
        return (
            ErrorCase("401", sample("error_auth_401"), 2, _deals,
                      ("credentials not found", "env:HUBSPOT_TOKEN"), 1),
            ErrorCase("429 TEN_SECONDLY_ROLLING for ever", sample("error_rate_429"), 75, _deals,
                      ("ten_secondly_rolling",), 11, waits=[10.0] * 10),
            ErrorCase("429 TEN_SECONDLY_ROLLING twice", sample("error_rate_429"), 0, _deals,
                      times=2, waits=[10.0] * 2),
            ErrorCase("429 that names its wait", named, 0, _deals, times=2, waits=[23.0] * 2),
            ErrorCase("429 SECONDLY for ever", sample("error_rate_search_429"), 75, _deals,
                      ("secondly limit",), 11, waits=[1.0] * 10),
            ErrorCase("429 DAILY", sample("error_rate_daily_429"), 75, _deals,
                      ("daily limit", "midnight of the portal's zone"), 1),
            ErrorCase("403 MISSING_SCOPES of deals", missing_scopes("crm.objects.deals.read"), 2,
                      _deals, ("403", "crm.objects.deals.read"), 1),
            ErrorCase("207 that stays", partial, 75, _batch, ("one failed",), 2),
            ErrorCase("207 once", partial, 0, _batch, times=1),
            ErrorCase("207 of associations that stays", partial, 75, _links, ("one failed",), 2),
            ErrorCase("400", sample("error_search_10000_400"), 2, _deals,
                      ("problem with the request",), 1),
            ErrorCase("503 for ever", Reply(503, b"busy"), 75, _deals, ("503", "busy"), 6),
            ErrorCase("no results in the answer", json_reply({"paging": {}}), 75, _deals,
                      ("no results",), 1),
        )  # fmt: skip


class ContactsHubspot(Hubspot):
    """A portal without lead objects. Its errors are those of the other one."""

    has_leads = False
    least_requests = 26
    nulls: Mapping[str, Sequence[str]] = {
        **Hubspot.nulls,
        "crm.leads": ("utm_medium", "utm_campaign", "rejection_reason"),
    }

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        standin = super().standin(company, page_size)
        assert isinstance(standin, HubspotStandIn)
        standin.unknown = {"leads"}
        return standin

    def keys(self, standin: StandIn) -> dict[str, Any]:
        found = super().keys(standin)
        del found["target_stages"], found["non_target_stages"]
        return found

    def errors(self) -> Sequence[ErrorCase]:
        return ()


ADAPTERS = (Hubspot(), ContactsHubspot())
