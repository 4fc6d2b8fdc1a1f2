"""The block of an amoCRM or Kommo account in connections.yml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.secrets import SecretRef, secret_key


class AmocrmConnection(CrmConnection):
    """One account. Either a long-lived token, or an integration's id, secret and refresh token."""

    kind: Literal["amocrm"]
    subdomain: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$",
        description="the account's address without .amocrm.ru",
        examples=["romashka"],
    )
    domain: Literal["amocrm.ru", "kommo.com"] = Field(
        default="amocrm.ru", description="or kommo.com"
    )
    long_lived_token: SecretRef | None = secret_key("of a private integration", shown=True)
    client_id: str | None = Field(
        default=None, description="instead of the token: OAuth", examples=["0000-0000"]
    )
    client_secret: SecretRef | None = secret_key("of the integration")
    redirect_uri: str | None = Field(default=None, examples=["https://romashka.example/"])
    refresh_token: SecretRef | None = secret_key("works once; later ones are stored")
    lead_pipelines: list[str] = Field(
        default=[], description="a lead only, until it moves out", examples=[["Лидогенерация"]]
    )
    deal_only_pipelines: list[str] = Field(
        default=[], description="repeat sales: no lead", examples=[["Повторные"]]
    )
    meeting_task_types: list[int] = Field(default=[2], description="ids of types of tasks")
    not_held_results: list[str] = Field(
        default=["не состоялась", "отмен", "перенос", "no show"],
        description="in a task's result: the meeting did not take place",
    )
    contact_source_field: str | None = Field(
        default=None, description="a contact's source; none is built in"
    )
    requests_per_second: float = Field(
        default=5, gt=0, le=7, description="amoCRM blocks the address beyond 7"
    )

    @field_validator("lead_pipelines", "deal_only_pipelines", "contact_source_field", mode="before")
    @classmethod
    def _pipeline_ids(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [str(it) for it in value]
        return str(value) if isinstance(value, int) else value

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        oauth = (self.client_id, self.client_secret, self.redirect_uri, self.refresh_token)
        if self.long_lived_token and any(oauth):
            raise ValueError("long_lived_token and OAuth keys exclude each other: keep one way")
        if not self.long_lived_token and not all(oauth):
            raise ValueError(
                "needs long_lived_token: env:NAME, or all of client_id, client_secret, "
                "redirect_uri, refresh_token"
            )
        return self

    @property
    def known_urls(self) -> Mapping[str, str]:
        """Pages of the account; leads and deals are one thing in amoCRM."""
        account = f"https://{self.subdomain}.{self.domain}"
        return {
            "lead": f"{account}/leads/detail/{{id}}",
            "deal": f"{account}/leads/detail/{{id}}",
            "contact": f"{account}/contacts/detail/{{id}}",
            "company": f"{account}/companies/detail/{{id}}",
        }
