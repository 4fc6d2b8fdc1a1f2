"""The period marts: managers, company, sources, lead generators."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from statistics import fmean, median
from typing import Any

from . import daily
from .customers import Customers
from .daily import MEASURES, ZEROS, sums_by
from .facts import Facts
from .funnel import divide
from .identity import World
from .variables import (
    GRAINS,
    next_period,
    period_end,
    period_start,
    previous_period,
)

Mart = list[dict[str, Any]]
Sums = dict[str, Any]
RATIOS = {
    "answer_rate": ("calls_answered", "calls"),
    "call_to_meeting_rate": ("meetings_set", "calls_60s"),
    "meeting_confirmation_rate": ("meetings_confirmed", "meetings_set"),
    "confirmed_to_held_rate": ("set_meetings_held", "meetings_confirmed"),
    "meeting_show_rate": ("set_meetings_held", "meetings_set"),
    "held_to_paid_rate": ("set_meetings_paid", "set_meetings_held"),
    "win_rate": ("deals_won", "deals_closed"),
    "target_lead_rate": ("leads_target", "leads_qualified"),
    "won_share": ("deals_won", "deals_created"),
    "lead_conversion_rate": ("new_customers", "leads_created"),
    "avg_deal_size": ("won_amount", "deals_won"),
    "avg_cycle_days": ("cycle_days_won", "deals_won"),
    "responded_in_5min_rate": ("responded_in_5min", "leads_created"),
    "csat": ("surveys_positive", "surveys"),
    "avg_call_score": ("evaluation_score", "evaluated_calls"),
    "needs_found_rate": ("needs_found", "evaluated_calls"),
    "presentation_rate": ("presentations_made", "evaluated_calls"),
    "objections_rate": ("objections_handled", "evaluated_calls"),
    "next_step_rate": ("next_steps_agreed", "evaluated_calls"),
}
_ACTIONS = [
    "calls",
    "emails_sent",
    "messages_sent",
    "social_touches",
    "proposals_sent",
    "presentations",
    "meetings_held",
]
OPEN_ZEROS: Sums = {
    "open_deals": 0,
    "open_amount": Decimal(0),
    "presale_deals": 0,
    "presale_amount": Decimal(0),
}
ADDITIVE = (*MEASURES, "talk_minutes", "sales_actions")
EVERYONE = "\x00everyone"  # no key: the exporters' keys are text without NUL


class Periods:
    """What the period marts share: periods, snapshots of the pipeline, values for medians."""

    def __init__(self, world: World, facts: Facts, kpi_daily: Mart, pipeline: Mart) -> None:
        """Takes the daily marts that the periods are made of."""
        self.world, self.facts = world, facts
        self.kpi_daily = kpi_daily
        self.customers = Customers(world, facts)
        self.ad_spend = daily.ad_spend_rows(world)
        self.sales_costs = daily.sales_cost_rows(world)
        self.first_stay = min((row["date_day"] for row in pipeline), default=None)
        self.snapshots = self._snapshots(pipeline)

    def _snapshots(self, pipeline: Mart) -> dict[tuple[date, str], Sums]:
        found: dict[tuple[date, str], Sums] = defaultdict(lambda: dict(OPEN_ZEROS))
        for row in pipeline:
            presale = self.world.stage_kind(row["stage_id"]) == "presale"
            for who in (row["manager_id"], EVERYONE):
                sums = found[row["date_day"], who]
                sums["open_deals"] += row["open_deals"]
                sums["open_amount"] += row["open_amount"]
                if presale:
                    sums["presale_deals"] += row["open_deals"]
                    sums["presale_amount"] += row["open_amount"]
        return dict(found)

    def last_day(self, start: date, grain: str) -> date | None:
        """The period's last day or the as-of date; None for a period that starts later."""
        if self.world.as_of is None or start > self.world.as_of:
            return None
        return min(period_end(start, grain), self.world.as_of)

    def open_figures(self, start: date, grain: str, who: str) -> Sums:
        """The pipeline of a manager at the end of a period."""
        last = self.last_day(start, grain)
        return self.snapshots.get((last, who), OPEN_ZEROS) if last else OPEN_ZEROS

    def manager_rows(self) -> Mart:
        """kpi_manager_period."""
        return [row for grain in GRAINS for row in self._manager_rows(grain)]

    def _manager_rows(self, grain: str) -> Mart:
        sums = sums_by(
            self.kpi_daily,
            lambda row: (period_start(row["date_day"], grain), row["manager_id"]),
            ZEROS,
        )
        for who in {who for _, who in self.snapshots} - {EVERYONE}:
            for start in self._pipeline_periods(grain):
                if self.open_figures(start, grain, who)["open_deals"]:
                    sums.setdefault((start, who), dict(ZEROS))
        responses, cycles = self._lists(grain)
        return [
            {
                "period_grain": grain,
                "period_start": start,
                "manager_id": who,
                **figures(row, responses[start, who], cycles[start, who]),
                **self.open_figures(start, grain, who),
            }
            for (start, who), row in sorted(sums.items())
        ]

    def _pipeline_periods(self, grain: str) -> list[date]:
        return periods_between(self.first_stay, self.world.as_of, grain)

    def _lists(self, grain: str) -> tuple[Any, Any]:
        """Response seconds of leads by creation and cycle days of won deals by closing."""
        responses: dict[Any, list[int]] = defaultdict(list)
        cycles: dict[Any, list[float]] = defaultdict(list)
        for lead in self.facts.leads:
            if lead["response_seconds"] is not None:
                start = period_start(self.world.clock.day(lead["created_at"]), grain)
                for who in (lead["manager_id"], EVERYONE):
                    responses[start, who].append(lead["response_seconds"])
        for deal in self.facts.deals:
            if deal["outcome"] == "won":
                start = period_start(self.world.clock.day(deal["closed_at"]), grain)
                for who in (deal["manager_id"], EVERYONE):
                    cycles[start, who].append(deal["cycle_days"])
        return responses, cycles

    def company_rows(self) -> Mart:
        """kpi_company_period."""
        rows = [row for grain in GRAINS for row in self._company_rows(grain)]
        _add_clv(rows, self.world.as_of)
        return rows

    def _company_rows(self, grain: str) -> Mart:
        def start(row: dict[str, Any]) -> date:
            return period_start(row["date_day"], grain)

        sums = sums_by(self.kpi_daily, start, ZEROS)
        spend = sums_by(self.ad_spend, start, {"ad_spend": Decimal(0)})
        costs = sums_by(self.sales_costs, start, {"sales_cost": Decimal(0)})
        recovery = self._recovery(grain)
        responses, cycles = self._lists(grain)
        starts = set(self._dense(grain)) | self._counted(grain, sums, spend, costs)
        rows = []
        for first in sorted(starts):
            row: Sums = {"period_grain": grain, "period_start": first}
            measures = sums.get(first, dict(ZEROS))
            row |= figures(measures, responses[first, EVERYONE], cycles[first, EVERYONE])
            row |= self.open_figures(first, grain, EVERYONE)
            row |= spend.get(first, {"ad_spend": Decimal(0)})
            row |= _cost(grain, row, costs.get(first, {"sales_cost": Decimal(0)})["sales_cost"])
            row |= self._customer_figures(first, grain, row["revenue"])
            row |= recovery[first] if first in recovery else _no_sessions()
            rows.append(row)
        return rows

    def _dense(self, grain: str) -> list[date]:
        """From the first row of kpi_daily, ad spend or sales costs, whatever its amount."""
        first = min(
            (
                row["date_day"]
                for rows in (self.kpi_daily, self.ad_spend, self.sales_costs)
                for row in rows
            ),
            default=None,
        )
        return periods_between(first, self.world.as_of, grain)

    def _counted(self, grain: str, *measures: dict[date, Sums]) -> set[date]:
        """Periods with a measure that is not 0: the as-of date may lie before all of them.

        A sales cost is no measure of a day or a week.
        """
        counted = measures if grain not in ("day", "week") else measures[:-1]
        return {start for sums in counted for start, row in sums.items() if any(row.values())}

    def _recovery(self, grain: str) -> dict[date, Sums]:
        found: dict[date, list[str | None]] = defaultdict(list)
        for session in self.facts.sessions:
            start = period_start(self.world.clock.day(session["started_at"]), grain)
            found[start].append(session["recovery"])
        return {start: _sessions(outcomes) for start, outcomes in found.items()}

    def _customer_figures(self, start: date, grain: str, revenue: Decimal) -> Sums:
        last = self.last_day(start, grain)
        if last is None:
            names = "active_customers churned_customers churn_rate retention_rate arpc"
            return dict.fromkeys(names.split())
        active = self.customers.active(last)
        before = self.customers.active(start - timedelta(days=1))
        churn_rate = divide(len(before - active), len(before))
        return {
            "active_customers": len(active),
            "churned_customers": len(before - active),
            "churn_rate": churn_rate,
            "retention_rate": None if churn_rate is None else 1 - churn_rate,
            "arpc": divide(revenue, len(active)),
        }

    def source_rows(self) -> Mart:
        """kpi_source_period."""
        return [row for grain in GRAINS for row in self._source_rows(grain)]

    def _source_rows(self, grain: str) -> Mart:
        def key(row: dict[str, Any]) -> tuple[date, str]:
            return period_start(row["date_day"], grain), row["source_id"]

        sales = sums_by(self.kpi_daily, key, {name: ZEROS[name] for name in _SOURCE_MEASURES})
        spend = sums_by(self.ad_spend, key, _SPEND_ZEROS)
        no_sales = {name: ZEROS[name] for name in _SOURCE_MEASURES}
        rows = []
        for start, source in sorted(sales.keys() | spend.keys()):
            row = sales.get((start, source), no_sales) | spend.get((start, source), _SPEND_ZEROS)
            if any(row.values()):
                keys = {"period_grain": grain, "period_start": start, "source_id": source}
                rows.append(keys | row | _source_ratios(row))
        return rows

    def lead_generator_rows(self) -> Mart:
        """kpi_lead_generator_period."""
        return [row for grain in GRAINS for row in self._lead_generator_rows(grain)]

    def _lead_generator_rows(self, grain: str) -> Mart:
        sums = sums_by(
            self.kpi_daily,
            lambda row: (
                period_start(row["date_day"], grain),
                row["manager_id"],
                row["source_id"],
            ),
            {name: ZEROS[name] for name in _GENERATOR_MEASURES},
        )
        return [
            {
                "period_grain": grain,
                "period_start": start,
                "manager_id": manager,
                "source_id": source,
                **{name: row[name] for name in row if name != "talk_seconds"},
                "talk_minutes": row["talk_seconds"] / 60,
                **{name: divide(row[RATIOS[name][0]], row[RATIOS[name][1]]) for name in _STEPS},
            }
            for (start, manager, source), row in sorted(sums.items())
            if any(row.values())
        ]


_SOURCE_MEASURES = [
    "leads_created",
    "leads_target",
    "leads_non_target",
    "meetings_set",
    "set_meetings_held",
    "deals_created",
    "deals_won",
    "new_customers",
    "revenue",
]
_SPEND_ZEROS: Sums = {"ad_spend": Decimal(0), "impressions": 0, "clicks": 0}
_GENERATOR_MEASURES = [
    "calls_60s",
    "talk_seconds",
    "leads_taken",
    "leads_target",
    "leads_non_target",
    "meetings_set",
    "meetings_confirmed",
    "set_meetings_held",
    "set_meetings_paid",
]
_STEPS = [
    "call_to_meeting_rate",
    "meeting_confirmation_rate",
    "confirmed_to_held_rate",
    "meeting_show_rate",
    "held_to_paid_rate",
]


def periods_between(first: date | None, last: date | None, grain: str) -> list[date]:
    """The starts of the periods from the one of `first` to the one of `last`."""
    if first is None or last is None or first > last:
        return []
    starts = [period_start(first, grain)]
    while (following := next_period(starts[-1], grain)) <= last:
        starts.append(following)
    return starts


def figures(sums: Sums, responses: list[int], cycles: list[float]) -> Sums:
    """kpi_daily's columns and every ratio made of them."""
    parts = sums | {
        "deals_closed": sums["deals_won"] + sums["deals_lost"],
        "leads_qualified": sums["leads_target"] + sums["leads_non_target"],
        "responded_in_5min": sum(seconds <= 300 for seconds in responses),
    }
    return {
        **sums,
        **{name: divide(parts[part], parts[whole]) for name, (part, whole) in RATIOS.items()},
        "talk_minutes": sums["talk_seconds"] / 60,
        "median_cycle_days": median(cycles) if cycles else None,
        "median_response_minutes": median(responses) / 60 if responses else None,
        "avg_response_minutes": fmean(responses) / 60 if responses else None,
        "sales_actions": sum(sums[name] for name in _ACTIONS),
    }


def _cost(grain: str, row: Sums, sales_cost: Decimal) -> Sums:
    if grain in ("day", "week"):
        return {"sales_cost": None, "cac": None}
    cac = divide(row["ad_spend"] + sales_cost, row["new_customers"])
    return {"sales_cost": sales_cost, "cac": cac}


def _sessions(outcomes: list[str | None]) -> Sums:
    lost = outcomes.count("lost")
    recovered = outcomes.count("by_agent") + outcomes.count("by_client")
    return {
        "sessions": len(outcomes),
        "missed_calls_lost": lost,
        "missed_recovery_rate": divide(recovered, recovered + lost),
    }


def _no_sessions() -> Sums:
    return _sessions([])


def _add_clv(rows: Mart, as_of: date | None) -> None:
    """clv of months; NULL for a month that starts after the as-of date."""
    months = {row["period_start"]: row for row in rows if row["period_grain"] == "month"}
    for row in rows:
        row["clv"] = None
        start = row["period_start"]
        if row["period_grain"] == "month" and as_of is not None and start <= as_of:
            before = previous_period(start, "month")
            starts = (start, before, previous_period(before, "month"))
            three = [months[month] for month in starts if month in months]
            row["clv"] = divide(_mean(three, "arpc"), _mean(three, "churn_rate"))


def _mean(rows: Mart, column: str) -> float | None:
    values = [row[column] for row in rows if row[column] is not None]
    return fmean(values) if values else None


def _source_ratios(row: Sums) -> Sums:
    qualified = row["leads_target"] + row["leads_non_target"]
    return {
        "target_lead_rate": divide(row["leads_target"], qualified),
        "cpl": divide(row["ad_spend"], row["leads_created"]),
        "cost_per_target_lead": divide(row["ad_spend"], row["leads_target"]),
        "source_cac": divide(row["ad_spend"], row["new_customers"]),
        "romi": divide(row["revenue"] - row["ad_spend"], row["ad_spend"]),
        "lead_conversion_rate": divide(row["new_customers"], row["leads_created"]),
    }
