"""The block of a BlueSales account in connections.yml."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.secrets import SecretRef, secret_key


class BluesalesConnection(CrmConnection):
    """One account. The password, or its MD5 as BlueSales takes it."""

    source_origins: ClassVar[tuple[str, ...]] = ("system", "channel", "field", "utm")

    kind: Literal["bluesales"]
    login: str = Field(
        min_length=1,
        description="of a user whom nobody else works as: each of the two locks the other out",
        examples=["api@romashka.example"],
    )
    password: SecretRef | None = secret_key("of that user", shown=True)
    password_md5: SecretRef | None = secret_key("instead of the password: its MD5 in hex")
    source_timezone: str = Field(
        default="Europe/Moscow", description="of the dates that BlueSales shows"
    )
    currency: str = Field(default="RUB", description="of all amounts", pattern=r"^[A-Z]{3}$")
    crm_statuses: list[str] = Field(
        default=[],
        description="CRM statuses in their order, by id or name; the first: not taken yet",
        examples=[["Новый", "В работе", "Ждём оплату", "Оплачено", "Отказ"]],
        json_schema_extra={"shown": True},
    )
    order_statuses: list[str] = Field(
        default=[],
        description="statuses of orders, likewise",
        examples=[["Новый", "Оплачен", "Доставлен"]],
        json_schema_extra={"shown": True},
    )
    paid_order_statuses: list[str] = Field(
        default=[], description="for payments_from: native", examples=[["Оплачен", "Доставлен"]]
    )
    refund_order_statuses: list[str] = Field(
        default=[], description="the money went back", examples=[["Возврат"]]
    )
    cancelled_order_statuses: list[str] = Field(
        default=[], description="never a customer's first order", examples=[["Отменён"]]
    )
    deals_from: Literal["crm_statuses", "orders"] = Field(
        default="crm_statuses", description="orders: customers are leads only"
    )
    repeat_orders_as_deals: bool = Field(
        default=True, description="false: later orders only pay for the customer's deal"
    )
    order_amount: Literal["goods", "with_delivery"] = "goods"
    order_lookback_days: int = Field(
        default=92, ge=1, description="orders of so many days are read each time"
    )
    window_days: int = Field(
        default=7, ge=1, description="days of first contact that are asked for at once"
    )
    full_every_hours: float = Field(
        default=20, gt=0, description="all customers are read; between, those of the last 2 days"
    )

    @field_validator(
        "crm_statuses", "order_statuses", "paid_order_statuses", "refund_order_statuses",
        "cancelled_order_statuses",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _status_ids(cls, value: Any) -> Any:
        return [str(it) for it in value] if isinstance(value, list) else value

    @field_validator("source_timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value} is not a time zone, as Europe/Moscow is one") from None
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bool(self.password) == bool(self.password_md5):
            raise ValueError("needs one of password: env:NAME and password_md5: env:NAME")
        if "objects" in (self.meetings_from or ()):
            raise ValueError("meetings_from: BlueSales has no meetings; use stages or fields")
        if "channel" in self.source_from and len(self.source_from) > 1:
            raise ValueError(
                "source_from: channel stands alone: its ids and those of sources could be equal"
            )
        if self.payments_from == "native" and not self.paid_order_statuses:
            raise ValueError("payments_from: native needs paid_order_statuses")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the account's dates."""
        return ZoneInfo(self.source_timezone)
