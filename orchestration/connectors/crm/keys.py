"""The keys that every CRM has (connectors_crm.md 1.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestration.base.findings import Finding
from orchestration.connectors.connections import HttpConnection
from orchestration.connectors.links import EXAMPLE, Templates

MeetingOrigin = Literal["objects", "stages", "fields"]
SourceOrigin = Literal["system", "channel", "field", "utm"]
DealType = Literal["new", "repeat", "upsell"]
_KINDS: dict[str, Literal["meeting", "demo", "visit"]] = {
    "demo": "demo", "демо": "demo", "презентация": "demo",
    "visit": "visit", "визит": "visit", "выезд": "visit",
}  # fmt: skip


class ManagerKeys(BaseModel):
    """What no CRM says of a manager."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["lead_generator", "hunter", "farmer", "head", "other"] | None = None
    team: str | None = None
    hired_on: date | None = None
    dismissed_on: date | None = None


def _texts(value: Any) -> Any:
    """Ids are often written as numbers."""
    if isinstance(value, list):
        return [str(it) if isinstance(it, int) and not isinstance(it, bool) else it for it in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _yaml(value: Any) -> Any:
    """YAML reads an unquoted yes, no, on and off as a truth value."""
    words = {True: "да", False: "нет"}
    if isinstance(value, list):
        return [words.get(it, it) if isinstance(it, bool) else it for it in value]
    return value


class CrmConnection(HttpConnection):
    """Keys of all CRMs. A stage is its id or Pipeline / Stage, a field its id or exact name."""

    default_prefix: ClassVar[str | None] = ""
    # Where this kind can look for a source.
    payment_origins: ClassVar[tuple[str, ...]] = ("none", "native", "fields", "won_deals")
    source_origins: ClassVar[tuple[str, ...]] = ("system", "field", "utm")

    sweep_every_days: int = Field(
        default=7, ge=1, description="how often all ids are listed to find silent deletions"
    )
    max_vanished_share: float = Field(
        default=0.05, ge=0, le=1, description="more than this vanished: lost rights, not deletions"
    )
    overlap_seconds: int | None = Field(
        default=None, ge=0, description="what is read again before the cursor"
    )
    presale_stages: list[str] = Field(
        default=[], description="about to close", examples=[["Продажи / Договор"]]
    )
    target_stages: list[str] = Field(default=[], description="reached: a target lead")
    non_target_stages: list[str] = Field(default=[], description="in it now: not a target lead")
    taken_stages: list[str] = Field(default=[], description="entered: taken into work")
    won_stages: list[str] = Field(default=[], description="where the system does not say it")
    lost_stages: list[str] = Field(default=[], description="where the system does not say it")
    meetings_from: list[MeetingOrigin] | None = Field(
        default=None, description="any of objects, stages, fields", examples=[["objects"]]
    )
    meeting_set_stages: list[str] = Field(default=[], description="for meetings_from: [stages]")
    meeting_confirmed_stages: list[str] = Field(default=[])
    meeting_held_stages: list[str] = Field(default=[])
    meeting_set_field: str | None = Field(default=None, description="for meetings_from: [fields]")
    meeting_scheduled_field: str | None = None
    meeting_confirmed_field: str | None = Field(default=None, description="a date or a check box")
    meeting_held_field: str | None = None
    meeting_cancelled_field: str | None = None
    meeting_kinds: dict[str, Literal["meeting", "demo", "visit"]] = Field(
        default=_KINDS, description="text in a meeting's type or title: its kind"
    )
    target_field: str | None = Field(
        default=None, description="says whether a lead is a target one", examples=["Целевой"]
    )
    target_values: list[str] = Field(default=[], examples=[["Да"]])
    non_target_values: list[str] = Field(default=[], examples=[["Нет"]])
    target_tags: list[str] = Field(default=[], description="the same by tags")
    non_target_tags: list[str] = Field(default=[])
    lost_reason_field: str | None = Field(
        default=None, description="where the system's own reasons are not used"
    )
    non_target_reasons: list[str] = Field(
        default=[], description="reasons that mean: no target lead"
    )
    source_from: list[SourceOrigin] = Field(
        default=["system", "field", "utm"], description="where a source is looked for, in order"
    )
    source_field: str | None = None
    source_channels: dict[str, str] = Field(
        default={},
        description="source's name or id: channel",
        examples=[{"Яндекс": "yandex_direct"}],
    )
    deal_type_field: str | None = None
    deal_types: dict[str, DealType] = Field(
        default={},
        description="pipeline, or the field's value: new, repeat, upsell",
        examples=[{"Повторные": "repeat"}],
    )
    expected_close_field: str | None = Field(default=None, description="where none is built in")
    utm_source_field: str | None = Field(default=None, description="where none is built in")
    utm_medium_field: str | None = None
    utm_campaign_field: str | None = None
    managers: dict[str, ManagerKeys] = Field(
        default={},
        description="by id or e-mail; no CRM knows the role",
        examples=[{"anna@romashka.example": {"role": "hunter", "team": "Север"}}],
    )
    payments_from: str | None = Field(
        default=None,
        description="none, native, fields or won_deals: what counts as money",
        examples=["none"],
        json_schema_extra={"shown": True},
    )
    paid_at_field: str | None = Field(default=None, description="for payments_from: fields")
    paid_amount_field: str | None = None
    activity_kinds: dict[
        str, Literal["email", "message", "social", "proposal", "presentation", "task", "other"]
    ] = Field(default={}, description="the system's type: kind")
    companies_as_contacts: bool = Field(
        default=True, description="false: companies' phones belong to nobody"
    )
    crm_url_template: Templates = Field(
        default={},
        description="where people see a lead, deal, contact, company, meeting or payment",
        examples=[EXAMPLE],
    )

    @field_validator(
        "presale_stages", "target_stages", "non_target_stages", "taken_stages", "won_stages",
        "lost_stages", "meeting_set_stages", "meeting_confirmed_stages", "meeting_held_stages",
        "meeting_set_field", "meeting_scheduled_field", "meeting_confirmed_field",
        "meeting_held_field", "meeting_cancelled_field", "target_field", "lost_reason_field",
        "source_field", "deal_type_field", "expected_close_field", "utm_source_field",
        "utm_medium_field", "utm_campaign_field", "paid_at_field", "paid_amount_field",
        "target_tags", "non_target_tags", "non_target_reasons",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _ids_are_text(cls, value: Any) -> Any:
        return _texts(value)

    @field_validator("payments_from")
    @classmethod
    def _known_payments(cls, value: str | None) -> str | None:
        if value is not None and value not in cls.payment_origins:
            raise ValueError(f"{value} is none of {', '.join(cls.payment_origins)}")
        return value

    @field_validator("source_from")
    @classmethod
    def _known_origins(cls, value: list[SourceOrigin]) -> list[SourceOrigin]:
        for it in value:
            if it not in cls.source_origins:
                raise ValueError(f"{it} is none of {', '.join(cls.source_origins)}")
        return value

    @field_validator("target_values", "non_target_values", mode="before")
    @classmethod
    def _values_are_text(cls, value: Any) -> Any:
        return _texts(_yaml(value))

    @field_validator("managers", "source_channels", "deal_types", mode="before")
    @classmethod
    def _names_are_text(cls, value: Any) -> Any:
        return {_texts(key): it for key, it in value.items()} if isinstance(value, dict) else value

    @property
    def known_urls(self) -> Mapping[str, str]:
        """Addresses of the system's own pages, where the account's address tells them."""
        return {}

    @property
    def page_urls(self) -> Mapping[str, str]:
        """The system's addresses, and before them those that somebody wrote down."""
        written: dict[str, str] = {str(it): url for it, url in self.crm_url_template.items()}
        return {**self.known_urls, **written}

    def prefixed(self, value: str | None) -> str | None:
        """An id with the connection's prefix."""
        return None if value is None else self.prefix + value

    def unset(self) -> Iterator[Finding]:
        """Keys without which figures are missing or mean less, and what is missing."""
        is_judged = self.target_field or self.target_tags or self.target_stages
        wanted = (
            ("payments_from", self.payments_from is not None, "there are no payments and revenue"),
            ("managers", self.managers, "managers have no roles"),
            ("source_channels", self.source_channels, "sources have no channels"),
            ("presale_stages", self.presale_stages, "no deal is about to close"),
            (
                "target_field, target_tags or target_stages",
                is_judged,
                "only the system itself says which leads are target leads, if it does",
            ),
        )
        for key, value, lacking in wanted:
            if not value:
                remedy = f"`voronka connect add {self.kind}` shows how it is written."
                yield Finding("note", f"{key} is not set: {lacking}", remedy)
