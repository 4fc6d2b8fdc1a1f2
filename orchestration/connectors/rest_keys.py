"""The block `rest` of a connection: which list is read, how its pages are turned, how to log in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestration.connectors.connections import HttpConnection

PAGINATORS = (
    "single_page", "offset", "page_number", "cursor", "json_link", "header_link", "header_cursor",
    "range",
)  # fmt: skip


class Auth(BaseModel):
    """How to log in with the connection's `secret`, in the words of dlt's authenticators."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["bearer", "api_key", "http_basic", "oauth2_client_credentials", "none"] = "bearer"
    name: str = "Authorization"
    location: Literal["header", "cookie", "query", "param"] = "header"
    username: str = ""
    client_id: str = ""
    access_token_url: str = ""
    data: dict[str, str] = {}

    @field_validator("access_token_url")
    @classmethod
    def _encrypted(cls, value: str) -> str:
        return HttpConnection.encrypted(value)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        needed = {"http_basic": ["username"],
                  "oauth2_client_credentials": ["client_id", "access_token_url"]}  # fmt: skip
        lacking = [it for it in needed.get(self.type, []) if not getattr(self, it)]
        if lacking:
            raise ValueError(f"auth: type {self.type} needs {', '.join(lacking)}")
        return self


class Rest(BaseModel):
    """One list of a REST API. `{from}` and `{to}` in params or body make it one of a time range."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, Any] = {}
    body: dict[str, Any] | None = None
    data: str = "$"
    paginator: dict[str, Any]
    auth: Auth = Auth()
    time_format: str = "%Y-%m-%dT%H:%M:%S%z"
    requests_per_second: float = Field(default=5, gt=0)

    @field_validator("paginator", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        """A name alone is a paginator without keys."""
        return {"type": value} if isinstance(value, str) else value

    @field_validator("paginator")
    @classmethod
    def _is_known(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Asked for by name: a guess that is wrong would read the first page alone."""
        if value.get("type") not in PAGINATORS:
            raise ValueError(f"its type is one of {', '.join(PAGINATORS)}")
        return value

    @property
    def has_range(self) -> bool:
        """Whether the list is asked for by a range of time."""
        return "{from}" in json.dumps([self.params, self.body], default=str)
