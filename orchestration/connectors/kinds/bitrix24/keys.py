"""The block of a Bitrix24 portal in connections.yml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.secrets import SecretRef, secret_key


class Bitrix24Connection(CrmConnection):
    """One portal. Either an incoming webhook, or an application's id, secret and refresh token."""

    # Other systems have no invoices of their own.
    payment_origins: ClassVar[tuple[str, ...]] = (
        "none", "native", "invoices", "fields", "won_deals",
    )  # fmt: skip

    kind: Literal["bitrix24"]
    webhook_url: SecretRef | None = secret_key("https://…/rest/<user>/<code>/", shown=True)
    portal: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$",
        description="instead of the webhook: OAuth; the portal's host",
        examples=["romashka.bitrix24.ru"],
    )
    client_id: str | None = Field(default=None, description="of the application")
    client_secret: SecretRef | None = secret_key("of the application")
    refresh_token: SecretRef | None = secret_key("lives 180 days; later ones are stored")
    payments_from: str | None = Field(
        default=None,
        description="none, native, invoices, fields or won_deals: what counts as money",
        examples=["none"],
        json_schema_extra={"shown": True},
    )
    deal_only_pipelines: list[str] = Field(
        default=[],
        description="repeat sales: no lead; only where there are no leads but deals",
        examples=[["Повторные"]],
    )
    meeting_providers: list[str] = Field(
        default=["CRM_MEETING", "CRM_CALENDAR"],
        description="providers whose activities are meetings",
    )
    read_quotes: bool = Field(default=False, description="true: quotes are activities (proposal)")
    user_time_shift_minutes: int = Field(
        default=0,
        description="minutes by which createdTime is ahead, where `check` finds that it is",
    )
    requests_per_second: float = Field(
        default=2, gt=0, le=5, description="5 only on the Enterprise plan"
    )
    page_size: int = Field(
        default=50, ge=1, le=50, description="rows of a page: 50, but on a changed server"
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        oauth = (self.portal, self.client_id, self.client_secret, self.refresh_token)
        if self.webhook_url and any(oauth):
            raise ValueError("webhook_url and OAuth keys exclude each other: keep one way")
        if not self.webhook_url and not all(oauth):
            raise ValueError(
                "needs webhook_url: env:NAME, or all of portal, client_id, client_secret, "
                "refresh_token"
            )
        return self

    @property
    def known_urls(self) -> Mapping[str, str]:
        """Pages of the portal; none where its address is known to a secret alone."""
        if self.portal is None:
            return {}
        kinds = ("lead", "deal", "contact", "company")
        return {kind: f"https://{self.portal}/crm/{kind}/details/{{id}}/" for kind in kinds}
