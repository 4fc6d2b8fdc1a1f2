"""The 22 tables of the raw contract as data, in the contract's own notation.

`*` marks a primary key part, `!` a required column, `?` the key part that may be NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from .variables import period_start

_ACTIVITY_KINDS = "email|message|social|proposal|presentation|task|other"
_QUALITY = "exact|day|day_cut|load|first"

_TABLES = {
    "crm.managers": (
        "manager_id* text, full_name! text, email text, team text, "
        "role lead_generator|hunter|farmer|head|other, hired_on date, dismissed_on date"
    ),
    "crm.sources": "source_id* text, name! text, channel text",
    "crm.contacts": (
        "contact_id* text, name text, company text, email text, created_at! timestamp, "
        "source_id text"
    ),
    "crm.contact_phones": "contact_id* text, phone* text",
    "crm.pipelines": "pipeline_id* text, name! text",
    "crm.stages": (
        "stage_id* text, pipeline_id! text, name! text, position! integer, "
        "kind! open|presale|won|lost"
    ),
    "crm.leads": (
        "lead_id* text, contact_id text, manager_id text, source_id text, created_at! timestamp, "
        "taken_at timestamp, is_target boolean, qualified_at timestamp, rejection_reason text, "
        "utm_source text, utm_medium text, utm_campaign text"
    ),
    "crm.deals": (
        "deal_id* text, lead_id text, contact_id text, manager_id text, pipeline_id! text, "
        "stage_id! text, source_id text, amount decimal, currency text, "
        "deal_type new|repeat|upsell, created_at! timestamp, expected_close_on date, "
        "closed_at timestamp, lost_reason text"
    ),
    "crm.deal_stage_history": (
        "event_id* text, deal_id! text, stage_id! text, entered_at! timestamp, manager_id text, "
        f"entered_after timestamp, entered_at_quality {_QUALITY}"
    ),
    "crm.meetings": (
        "meeting_id* text, lead_id text, deal_id text, contact_id text, set_by text, "
        "held_by text, set_at! timestamp, scheduled_for timestamp, confirmed_at timestamp, "
        "held_at timestamp, cancelled_at timestamp, kind meeting|demo|visit"
    ),
    "crm.activities": (
        f"activity_id* text, kind! {_ACTIVITY_KINDS}, direction out|in, manager_id text, "
        "contact_id text, lead_id text, deal_id text, happened_at! timestamp"
    ),
    "crm.payments": (
        "payment_id* text, deal_id text, contact_id text, paid_at! timestamp, amount! decimal, "
        f"currency text, kind! payment|refund, paid_after timestamp, paid_at_quality {_QUALITY}"
    ),
    "crm.surveys": (
        "survey_id* text, contact_id text, deal_id text, manager_id text, score! integer, "
        "answered_at! timestamp"
    ),
    "crm.quotas": (
        "manager_id* text, metric* text, period* day|week|month|quarter|year, "
        "period_start* date, target! decimal"
    ),
    "telephony.calls": (
        "call_id* text, linked_id text, direction! in|out|internal, from_number text, "
        "to_number text, extension text, started_at! timestamp, answered_at timestamp, "
        "ended_at timestamp, disposition! answered|no_answer|busy|failed|voicemail, "
        "talk_seconds integer, line text, recording_url text, source_id text, queue text"
    ),
    "telephony.extensions": (
        "extension* text, valid_from* timestamp, manager_id! text, valid_to timestamp"
    ),
    "telephony.call_evaluations": (
        "call_id* text, evaluated_at! timestamp, evaluator text, score! decimal, "
        "needs_found boolean, presentation_made boolean, objections_handled boolean, "
        "next_step_agreed boolean"
    ),
    "telephony.call_transcripts": "call_id* text, language text, segments! text",
    "marketing.ad_spend": (
        "spend_date* date, source_id* text, campaign? text, cost! decimal, currency text, "
        "impressions integer, clicks integer, campaign_name text"
    ),
    "finance.sales_costs": "month* date, team* text, cost! decimal, currency text",
    "finance.exchange_rates": "rate_date* date, currency* text, rate! decimal",
}

_PARENTS = {
    "manager_id": "crm.managers",
    "set_by": "crm.managers",
    "held_by": "crm.managers",
    "source_id": "crm.sources",
    "pipeline_id": "crm.pipelines",
    "stage_id": "crm.stages",
    "contact_id": "crm.contacts",
    "lead_id": "crm.leads",
    "deal_id": "crm.deals",
    "call_id": "telephony.calls",
}

# Deleted rows of these stay as members; with contacts they also have an unknown member.
MEMBER_TABLES = ("crm.managers", "crm.sources", "crm.pipelines", "crm.stages")
UNKNOWN = "unknown"
HAS_UNKNOWN = (*MEMBER_TABLES, "crm.contacts")

_TYPES = ("text", "integer", "decimal", "boolean", "timestamp", "date")


@dataclass(frozen=True)
class Column:
    """One column: how it is read and what makes it wrong."""

    name: str
    type: str
    is_key: bool = False
    is_required: bool = False
    enum: tuple[str, ...] = ()
    fold: str = ""  # code, direction, disposition or currency: how its text is normalised
    scale: int = 4
    parent: str | None = None

    @property
    def has_other(self) -> bool:
        """An unknown value becomes `other`."""
        return "other" in self.enum


@dataclass(frozen=True)
class Rule:
    """A rule of the last column: `holds` gets the operands, none of them NULL."""

    name: str
    column: str
    operands: tuple[str, ...]
    holds: Callable[..., bool]


@dataclass(frozen=True)
class Table:
    """One table of the contract, its columns in the contract's order."""

    name: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()

    @property
    def key(self) -> tuple[Column, ...]:
        """The primary key's columns."""
        return tuple(column for column in self.columns if column.is_key)

    @property
    def references(self) -> tuple[Column, ...]:
        """Columns that name another table's row."""
        return tuple(column for column in self.columns if column.parent)

    @property
    def event_column(self) -> Column | None:
        """The first required timestamp or date."""
        for column in self.columns:
            is_moment = column.type in ("timestamp", "date") and column.name != "_loaded_at"
            if column.is_required and is_moment:
                return column
        return None


def _column(table: str, text: str) -> Column:
    marked, type_ = text.split()
    name = marked.rstrip("*!?")
    enum = () if type_ in _TYPES else tuple(type_.split("|"))
    parent = _PARENTS.get(name)
    fold = "code" if enum or (table, name) == ("crm.quotas", "metric") else ""
    fold = name if name in ("direction", "disposition", "currency") else fold
    return Column(
        name=name,
        type="text" if enum else type_,
        is_key=marked[-1] in "*?",
        is_required=marked[-1] in "*!",
        enum=enum,
        fold=fold,
        scale=8 if table == "finance.exchange_rates" else 4,
        parent=parent if parent != table else None,
    )


def _order(earlier: str, later: str) -> Rule:
    return Rule("order", later, (earlier, later), lambda first, second: first <= second)


def _range(column: str, holds: Callable[[Any], bool]) -> Rule:
    return Rule("range", column, (column,), holds)


def _first_of_month(month: date) -> bool:
    return month.day == 1


def _first_of_period(period: str, start: date) -> bool:
    return period_start(start, period) == start


_RULES: dict[str, tuple[Rule, ...]] = {
    "crm.managers": (_order("hired_on", "dismissed_on"),),
    "crm.leads": (_order("created_at", "taken_at"), _order("created_at", "qualified_at")),
    "crm.deals": (
        _range("amount", lambda amount: amount >= 0),
        _order("created_at", "closed_at"),
    ),
    "crm.meetings": (_order("set_at", "confirmed_at"), _order("set_at", "held_at")),
    "crm.payments": (_range("amount", lambda amount: amount > 0),),
    "crm.surveys": (_range("score", lambda score: 1 <= score <= 5),),
    "crm.quotas": (
        _range("target", lambda target: target >= 0),
        Rule("period", "period_start", ("period", "period_start"), _first_of_period),
    ),
    "telephony.calls": (
        _range("talk_seconds", lambda seconds: seconds >= 0),
        _order("started_at", "ended_at"),
        _order("started_at", "answered_at"),
    ),
    "telephony.extensions": (
        Rule("order", "valid_to", ("valid_from", "valid_to"), lambda since, to: since < to),
    ),
    "telephony.call_evaluations": (_range("score", lambda score: 0 <= score <= 100),),
    "marketing.ad_spend": (_range("cost", lambda cost: cost >= 0),),
    "finance.sales_costs": (
        _range("cost", lambda cost: cost >= 0),
        Rule("period", "month", ("month",), _first_of_month),
    ),
    "finance.exchange_rates": (_range("rate", lambda rate: rate > 0),),
}

_EVERY_TABLE = (
    Column("_loaded_at", "timestamp", is_required=True),
    Column("updated_at", "timestamp"),
    Column("is_deleted", "boolean"),
)


def _table(name: str, text: str) -> Table:
    columns = tuple(_column(name, part) for part in text.split(", "))
    return Table(name, columns + _EVERY_TABLE, _RULES.get(name, ()))


TABLES: dict[str, Table] = {name: _table(name, text) for name, text in _TABLES.items()}
