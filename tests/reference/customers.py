"""Customers: who is active when, customer_value, customer_cohorts."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from .contract import UNKNOWN
from .facts import Fact, Facts
from .identity import World
from .variables import next_period, period_start

Mart = list[dict[str, Any]]


class Customers:
    """The days on which each known contact paid."""

    def __init__(self, world: World, facts: Facts) -> None:
        """Groups the payments of known contacts."""
        self.world = world
        self.window = timedelta(days=world.variables.churn_days)
        self.payments: dict[str, list[Fact]] = defaultdict(list)
        for payment in facts.payments:
            if payment["contact_id"] != UNKNOWN:
                self.payments[payment["contact_id"]].append(payment)
        self.paid_on = {
            contact: self._days_paid(payments)
            for contact, payments in self.payments.items()
            if self._days_paid(payments)
        }

    def _days_paid(self, payments: list[Fact]) -> list[date]:
        kept = [payment for payment in payments if payment["kind"] == "payment"]
        return sorted(self.world.clock.day(payment["paid_at"]) for payment in kept)

    def is_active(self, contact: str, day: date) -> bool:
        """The contact paid in (day − churn_days, day]."""
        return any(day - self.window < paid_on <= day for paid_on in self.paid_on[contact])

    def active(self, day: date) -> set[str]:
        """The customers active on a day."""
        return {contact for contact in self.paid_on if self.is_active(contact, day)}

    def signed(self, contact: str) -> list[Fact]:
        """Payments and refunds of a customer, those before its first payment left out."""
        payments = self.payments[contact]
        first = min(row["paid_at"] for row in payments if row["kind"] == "payment")
        return [row for row in payments if row["paid_at"] >= first]


def build_customer_value(world: World, facts: Facts) -> Mart:
    """customer_value."""
    customers = Customers(world, facts)
    won: dict[str, int] = defaultdict(int)
    for deal in facts.deals:
        won[deal["contact_id"]] += deal["outcome"] == "won"
    rows = []
    for contact, paid_on in sorted(customers.paid_on.items()):
        churned_on = paid_on[-1] + customers.window
        assert world.as_of is not None
        rows.append(
            {
                "contact_id": contact,
                "first_paid_on": paid_on[0],
                "last_paid_on": paid_on[-1],
                "payments": len(paid_on),
                "revenue": _revenue(customers.payments[contact]),
                "deals_won": won[contact],
                "lifetime_days": (paid_on[-1] - paid_on[0]).days,
                "is_active": customers.is_active(contact, world.as_of),
                "churned_on": churned_on if churned_on <= world.as_of else None,
            }
        )
    return rows


def _revenue(payments: list[Fact]) -> Decimal:
    return sum((row["amount"] for row in payments if row["amount"] is not None), Decimal(0))


def build_customer_cohorts(world: World, facts: Facts) -> Mart:
    """customer_cohorts."""
    customers = Customers(world, facts)
    cohorts: dict[date, list[str]] = defaultdict(list)
    for contact, paid_on in customers.paid_on.items():
        cohorts[period_start(paid_on[0], "month")].append(contact)
    return [
        row
        for cohort, contacts in sorted(cohorts.items())
        for row in _cohort(world, customers, cohort, contacts)
    ]


def _cohort(world: World, customers: Customers, cohort: date, contacts: list[str]) -> Mart:
    rows: Mart = []
    month, cumulative = cohort, Decimal(0)
    while world.as_of is not None and month <= world.as_of:
        revenue = _revenue(
            [
                row
                for contact in contacts
                for row in customers.signed(contact)
                if period_start(world.clock.day(row["paid_at"]), "month") == month
            ]
        )
        cumulative += revenue
        rows.append(
            {
                "cohort_month": cohort,
                "months_since": len(rows),
                "customers": len(contacts),
                "active": sum(_paid_in(customers.paid_on[key], month) for key in contacts),
                "revenue": revenue,
                "cumulative_revenue": cumulative,
            }
        )
        month = next_period(month, "month")
    return rows


def _paid_in(paid_on: list[date], month: date) -> bool:
    return any(period_start(day, "month") == month for day in paid_on)
