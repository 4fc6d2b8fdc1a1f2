"""The block of a HubSpot portal in connections.yml."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.secrets import SecretRef


class HubspotConnection(CrmConnection):
    """One portal, by the access token of a private app."""

    # Its payment objects are not read: nobody has seen their properties.
    payment_origins: ClassVar[tuple[str, ...]] = ("none", "fields", "won_deals")

    kind: Literal["hubspot"]
    access_token: SecretRef = Field(
        description="of a private app", json_schema_extra={"secret": True, "shown": True}
    )
    api_version: str = Field(
        default="v3",
        pattern=r"^(v3|\d{4}-\d{2})$",
        description="v3, or a dated version of the objects' paths",
    )
    leads_from: Literal["auto", "leads_object", "contacts"] = Field(
        default="auto", description="auto: leads where the portal has them, else contacts"
    )
    source_property: str = Field(
        default="hs_analytics_source", description="the property that says where one came from"
    )
    target_lifecycle: list[str] = Field(
        default=["salesqualifiedlead", "opportunity", "customer", "evangelist"],
        description="contacts as leads: lifecycle stages of a target lead",
    )
    non_target_lead_status: list[str] = Field(
        default=["UNQUALIFIED"], description="contacts as leads: statuses that mean no target lead"
    )
    published_quotes: list[str] = Field(
        default=["APPROVAL_NOT_NEEDED", "APPROVED"],
        description="hs_status of quotes that customers can see",
    )
    payments_from: str | None = Field(
        default=None,
        description="none, fields or won_deals: what counts as money",
        examples=["none"],
        json_schema_extra={"shown": True},
    )
