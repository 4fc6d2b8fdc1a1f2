"""Derived identities: references, money, contacts, leads, managers, sources, the as-of date.

Inside, None is nothing found; facts turn it into the unknown member where there is one.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cached_property
from typing import Any

from .contract import HAS_UNKNOWN, MEMBER_TABLES, UNKNOWN
from .phones import phone_identity
from .reading import Values, Zone
from .variables import Calendar, Clock, Variables

_EVENTS = {
    "crm.contacts": ("created_at",),
    "crm.leads": ("created_at", "taken_at", "qualified_at"),
    "crm.deals": ("created_at", "closed_at"),
    "crm.deal_stage_history": ("entered_at",),
    "crm.meetings": ("set_at", "confirmed_at", "held_at", "cancelled_at"),
    "crm.activities": ("happened_at",),
    "crm.payments": ("paid_at",),
    "crm.surveys": ("answered_at",),
    "telephony.calls": ("started_at",),
    "telephony.call_evaluations": ("evaluated_at",),
    "marketing.ad_spend": ("spend_date",),
}
_CENT = Decimal("0.01")
_GREATEST_AMOUNT = Decimal(10) ** 16  # of DECIMAL(18, 2), not included


def or_unknown(key: str | None) -> str:
    """The unknown member where nothing was found."""
    return UNKNOWN if key is None else key


def latest_then_smallest(rows: list[tuple[datetime, str]]) -> str | None:
    """The key with the latest instant, of several the smallest key."""
    if not rows:
        return None
    latest = max(at for at, _ in rows)
    return min(key for at, key in rows if at == latest)


class World:
    """A raw zone with every reference, identity and amount settled."""

    def __init__(self, zone: Zone, variables: Variables, calendar: Calendar) -> None:
        """Settles what the facts need of every table."""
        self.zone = zone
        self.variables = variables
        self.clock = Clock(variables, calendar)
        self.rows = {name: rows.existing() for name, rows in zone.items()}
        self.members = {name: zone[name].members() for name in MEMBER_TABLES}

    # References

    def exists(self, table: str, key: str | None) -> bool:
        """A row, or a member, with this raw key exists."""
        return key in self.members.get(table, self.rows[table])

    def find(self, table: str, key: str | None) -> str | None:
        """The key if its parent exists; the raw key `unknown` of a member counts as nothing."""
        if table in HAS_UNKNOWN and key == UNKNOWN:
            return None
        return key if self.exists(table, key) else None

    def manager(self, key: str | None) -> str:
        """The manager, or the unknown member."""
        return or_unknown(self.find("crm.managers", key))

    # Money and local time

    @cached_property
    def rates(self) -> dict[str, list[tuple[date, Decimal]]]:
        """The rates of each currency by date."""
        found: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
        for row in self.rows["finance.exchange_rates"].values():
            found[row["currency"]].append((row["rate_date"], row["rate"]))
        return {currency: sorted(rates) for currency, rates in found.items()}

    def rate(self, currency: str | None, day: date) -> Decimal | None:
        """The latest rate on or before a day."""
        if currency is None or currency == self.variables.base_currency.upper():
            return Decimal(1)
        rates = [rate for at, rate in self.rates.get(currency, []) if at <= day]
        return rates[-1] if rates else None

    def base_amount(
        self, amount: Decimal | None, currency: str | None, day: date
    ) -> Decimal | None:
        """The amount in base currency to two digits; None without a rate or beyond its type."""
        rate = self.rate(currency, day)
        if amount is None or rate is None:
            return None
        wide = Context(prec=60)
        worth = wide.multiply(amount, rate).quantize(_CENT, ROUND_HALF_UP, context=wide)
        return worth if abs(worth) < _GREATEST_AMOUNT else None

    @cached_property
    def as_of(self) -> date | None:
        """The as-of date; None where neither the variable nor any kept row gives one."""
        if self.variables.as_of:
            return self.variables.as_of
        loads = [row.values["_loaded_at"] for rows in self.zone.values() for row in rows.kept]
        if not loads:
            return None
        last_event = [max(self.event_days)] if self.event_days else []
        return min([self.clock.day(max(loads)), *last_event])

    @cached_property
    def event_days(self) -> list[date]:
        """The local dates of all events that the as-of date is taken from."""
        moments = [
            row[column]
            for table, columns in _EVENTS.items()
            for row in self.rows[table].values()
            for column in columns
            if row[column] is not None
        ]
        return [self.clock.day(at) if isinstance(at, datetime) else at for at in moments]

    # Contacts and leads

    @cached_property
    def owners(self) -> dict[str, set[str]]:
        """The contacts that own each phone."""
        found: dict[str, set[str]] = defaultdict(set)
        for row in self.rows["crm.contact_phones"].values():
            contact, number = self.find("crm.contacts", row["contact_id"]), row["phone"]
            identity = phone_identity(number)
            if contact is not None and identity is not None:
                found[identity].add(contact)
        return found

    def contact_of_number(self, number: str | None, at: datetime) -> str | None:
        """The contact that owns a number: the latest created by then, else the earliest."""
        contacts = self.rows["crm.contacts"]
        owners = [
            (contacts[key]["created_at"], key) for key in self.owners.get(number or "", set())
        ]
        known = [(created_at, key) for created_at, key in owners if created_at <= at]
        if known:
            return latest_then_smallest(known)
        return min(owners)[1] if owners else None

    @cached_property
    def lead_contacts(self) -> dict[str, str | None]:
        """The contact of each lead."""
        leads = self.rows["crm.leads"].items()
        return {key: self.find("crm.contacts", lead["contact_id"]) for key, lead in leads}

    def lead_of_contact(self, contact: str | None, at: datetime) -> str | None:
        """The contact's latest lead at an instant, with the tolerance."""
        if contact is None:
            return None
        limit = at + timedelta(seconds=self.variables.lead_match_tolerance_seconds)
        leads = [
            (lead["created_at"], key)
            for key, lead in self.rows["crm.leads"].items()
            if self.lead_contacts[key] == contact and lead["created_at"] <= limit
        ]
        return latest_then_smallest(leads)

    def deal_lead(self, deal: str | None) -> str | None:
        """The lead of a deal that was found."""
        return self.find("crm.leads", self.rows["crm.deals"][deal]["lead_id"]) if deal else None

    def deal_contact(self, deal: str | None) -> str | None:
        """The contact of a deal: its own, else its lead's."""
        if deal is None:
            return None
        own = self.find("crm.contacts", self.rows["crm.deals"][deal]["contact_id"])
        return own or self.lead_contact(self.deal_lead(deal))

    def lead_contact(self, lead: str | None) -> str | None:
        """The contact of a lead that was found."""
        return self.lead_contacts[lead] if lead else None

    def event_contact(self, row: Values, deal: str | None, lead: str | None) -> str | None:
        """The contact of an event: its own, else its deal's, else its lead's."""
        own = self.find("crm.contacts", row.get("contact_id"))
        return own or self.deal_contact(deal) or self.lead_contact(lead)

    # Sources

    def contact_source(self, contact: str | None) -> str | None:
        """The source of a contact."""
        if contact is None:
            return None
        return self.find("crm.sources", self.rows["crm.contacts"][contact]["source_id"])

    def lead_source(self, lead: str | None) -> str | None:
        """The source of a lead: its own, else its contact's."""
        if lead is None:
            return None
        own = self.find("crm.sources", self.rows["crm.leads"][lead]["source_id"])
        return own or self.contact_source(self.lead_contact(lead))

    def deal_source(self, deal: str | None) -> str | None:
        """The source of a deal: its own, else its lead's, else its contact's."""
        if deal is None:
            return None
        own = self.find("crm.sources", self.rows["crm.deals"][deal]["source_id"])
        lead_source = self.lead_source(self.deal_lead(deal))
        return own or lead_source or self.contact_source(self.deal_contact(deal))

    def event_source(self, lead: str | None, deal: str | None, contact: str | None) -> str:
        """The source of any other event: its lead's, else its deal's, else its contact's."""
        found = self.lead_source(lead) or self.deal_source(deal) or self.contact_source(contact)
        return or_unknown(found)

    # Stages

    def stage(self, key: str | None) -> str:
        """The stage, or the unknown member."""
        return or_unknown(self.find("crm.stages", key))

    def stage_kind(self, stage: str) -> str:
        """The kind of a stage; the unknown one counts as open."""
        return "open" if stage == UNKNOWN else self.members["crm.stages"][stage]["kind"]

    def stage_pipeline(self, stage: str) -> str:
        """The pipeline of a stage; the unknown stage lies in the unknown pipeline."""
        if stage == UNKNOWN:
            return UNKNOWN
        raw = self.members["crm.stages"][stage]["pipeline_id"]
        return or_unknown(self.find("crm.pipelines", raw))

    @cached_property
    def ordered_stages(self) -> dict[str, list[str]]:
        """The stages of each pipeline in their order."""
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for key, stage in self.members["crm.stages"].items():
            if key != UNKNOWN:
                found[self.stage_pipeline(key)].append((stage["position"], key))
        return {name: [key for _, key in sorted(stages)] for name, stages in found.items()}

    def stage_is_deleted(self, stage: str) -> bool:
        """The stage is a deleted member."""
        return bool(self.members["crm.stages"][stage]["is_deleted"])

    # Telephony

    def holder(self, extension: str | None, at: datetime) -> str:
        """Who holds an extension at an instant: the latest holder only, or the unknown member."""
        held = [
            (row["valid_from"], row["manager_id"])
            for row in self.rows["telephony.extensions"].values()
            if row["extension"] == extension
            and row["valid_from"] <= at
            and (row["valid_to"] is None or at < row["valid_to"])
        ]
        return self.manager(max(held)[1]) if held else UNKNOWN

    def event_day(self, table: str, values: dict[str, Any]) -> date | None:
        """The date of a raw row's event, else of its load, else the as-of date."""
        column = self.zone[table].table.event_column
        for name in [column.name] if column else []:
            at = values[name]
            if at is not None:
                return self.clock.day(at) if isinstance(at, datetime) else at
        if values["_loaded_at"] is not None:
            return self.clock.day(values["_loaded_at"])
        return self.as_of
