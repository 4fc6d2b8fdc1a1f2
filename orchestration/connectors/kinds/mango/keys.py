"""The block of a Mango Office exchange in connections.yml."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from orchestration.base.durations import DAY
from orchestration.connectors.hosted import HostedConnection
from orchestration.connectors.secrets import SecretRef


class MangoConnection(HostedConnection):
    """One exchange."""

    kind: Literal["mango"]
    api_key: SecretRef = Field(
        description="the exchange's unique code, in its API settings",
        json_schema_extra={"secret": True},
    )
    api_salt: SecretRef = Field(
        description="the key for signatures, beside it", json_schema_extra={"secret": True}
    )
    api: Literal["extended", "basic"] = Field(
        default="extended", description="basic: where the tariff has no extended statistics"
    )
    timezone: str = Field(default="Europe/Moscow", description="of the question; answers are UTC")
    context_type_map: dict[int, Literal["in", "out", "internal"]] = Field(
        default={},
        description="where your exchange numbers directions otherwise",
        examples=[{1: "in", 2: "out", 3: "internal"}],
    )
    page: Literal[1, 5, 10, 20, 50, 100, 500, 1000, 2000, 5000] = Field(
        default=1000, description="calls in one answer"
    )
    slice: int = Field(
        default=DAY, gt=0, le=28 * DAY, description="what one question asks for",
        examples=["1d"],
    )  # fmt: skip

    @field_validator("context_type_map", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {int(key) if str(key).isdigit() else key: it for key, it in value.items()}
