"""Funnel and pipeline: funnel_conversion, pipeline_daily, lost_reasons."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Any

from .facts import Fact, Facts
from .identity import World
from .stages import is_uncertain
from .variables import GRAINS, days, period_start

Mart = list[dict[str, Any]]
_FUNNEL_ZEROS = dict.fromkeys(
    ("entered", "reached", "advanced", "lost_here", "won_here", "still_here"), 0
)


def divide(numerator: Any, denominator: Any) -> float | None:
    """A ratio; None where either is NULL or the denominator is 0."""
    if numerator is None or not denominator:
        return None
    return float(numerator) / float(denominator)


def build_funnel(world: World, facts: Facts) -> Mart:
    """funnel_conversion; hours of a stay are its whole seconds / 3600."""
    stays: dict[str, list[Fact]] = defaultdict(list)
    for stay in facts.stage_entries:
        stays[stay["deal_id"]].append(stay)
    counts: dict[Any, dict[str, int]] = defaultdict(lambda: dict(_FUNNEL_ZEROS))
    hours: dict[Any, list[float]] = defaultdict(list)
    for deal in facts.deals:
        _count_deal(world, deal, stays[deal["deal_id"]], counts, hours)
    return [
        {
            **dict(zip(_FUNNEL_KEY, key, strict=True)),
            **row,
            "skipped": row["reached"] - row["entered"],
            "conversion_to_next": divide(row["advanced"], row["reached"]),
            "median_stay_hours": median(hours[key]) if hours[key] else None,
        }
        for key, row in sorted(counts.items())
        if row["reached"]
    ]


_FUNNEL_KEY = ("cohort_month", "pipeline_id", "stage_id", "manager_id", "source_id")


def funnel_stages(world: World, pipeline: str) -> tuple[list[str], int]:
    """The stages of a pipeline that are not lost, and the place of the first one.

    A deleted stage is the first only where all are deleted. Whoever reached the first stage has
    also reached deleted ones before it: otherwise `reached` would grow with position.
    """
    all_stages = world.ordered_stages.get(pipeline, [])
    stages = [key for key in all_stages if world.stage_kind(key) != "lost"]
    living = [place for place, key in enumerate(stages) if not world.stage_is_deleted(key)]
    return stages, min(living, default=0)


def _count_deal(
    world: World,
    deal: Fact,
    stays: list[Fact],
    counts: dict[Any, dict[str, int]],
    hours: dict[Any, list[float]],
) -> None:
    stages, first = funnel_stages(world, deal["pipeline_id"])
    visited = {stay["stage_id"] for stay in stays}
    furthest = max([first, *(place for place, key in enumerate(stages) if key in visited)])
    cohort = period_start(world.clock.day(deal["created_at"]), "month")
    for place, stage in enumerate(stages):
        key = (cohort, deal["pipeline_id"], stage, deal["manager_id"], deal["source_id"])
        row = counts[key]
        row["entered"] += stage in visited
        row["reached"] += place <= furthest
        row["advanced"] += place < furthest
        row["lost_here"] += deal["outcome"] == "lost" and place == furthest
        row["won_here"] += deal["outcome"] == "won" and stage == deal["stage_id"]
        row["still_here"] += deal["outcome"] == "open" and stage == deal["stage_id"]
        for stay in stays:
            if stay["stage_id"] == stage and _is_certain(stay, stays):
                hours[key].append(stay["stay_seconds"] / 3600)


def _is_certain(stay: Fact, stays: list[Fact]) -> bool:
    """Whether the stay ended, and beginning and end are certain to a day."""
    following = [other for other in stays if other["entry_no"] == stay["entry_no"] + 1]
    return bool(following) and not is_uncertain(stay) and not is_uncertain(following[0])


def build_pipeline_daily(world: World, facts: Facts) -> Mart:
    """pipeline_daily."""
    if world.as_of is None:
        return []
    deals = {deal["deal_id"]: deal for deal in facts.deals}
    zeros = {"open_deals": 0, "open_amount": Decimal(0), "entered": 0, "exited": 0}
    sums: dict[Any, dict[str, Any]] = defaultdict(lambda: dict(zeros))
    for stay in facts.stage_entries:
        if world.stage_kind(stay["stage_id"]) in ("open", "presale"):
            _count_stay(world, stay, deals[stay["deal_id"]], world.as_of, sums)
    key_columns = ("date_day", "pipeline_id", "stage_id", "manager_id")
    return [
        {**dict(zip(key_columns, key, strict=True)), **row}
        for key, row in sorted(sums.items())
        if row["open_deals"] or row["entered"] or row["exited"]
    ]


def _count_stay(world: World, stay: Fact, deal: Fact, as_of: date, sums: Any) -> None:
    where = (stay["pipeline_id"], stay["stage_id"], deal["manager_id"])
    entered_on = world.clock.day(stay["entered_at"])
    exited_on = world.clock.day(stay["exited_at"]) if stay["exited_at"] else None
    if entered_on <= as_of:
        sums[entered_on, *where]["entered"] += 1
    if exited_on and exited_on <= as_of:
        sums[exited_on, *where]["exited"] += 1
    for day in days(entered_on, as_of):
        if exited_on and exited_on <= day:
            break
        sums[day, *where]["open_deals"] += 1
        sums[day, *where]["open_amount"] += deal["amount"] or 0


def build_lost_reasons(world: World, facts: Facts) -> Mart:
    """lost_reasons."""
    lost = [deal for deal in facts.deals if deal["outcome"] == "lost"]
    return [row for grain in GRAINS for row in _lost_by_period(world, lost, grain)]


def _lost_by_period(world: World, lost: list[Fact], grain: str) -> Mart:
    groups: dict[Any, list[Fact]] = defaultdict(list)
    totals: dict[Any, int] = defaultdict(int)
    for deal in lost:
        start = period_start(world.clock.day(deal["closed_at"]), grain)
        groups[start, deal["manager_id"], deal["lost_reason"] or "unknown"].append(deal)
        totals[start, deal["manager_id"]] += 1
    return [
        {
            "period_grain": grain,
            "period_start": first,
            "manager_id": manager,
            "lost_reason": reason,
            "deals_lost": len(deals),
            "lost_amount": sum((deal["amount"] or 0 for deal in deals), Decimal(0)),
            "share": divide(len(deals), totals[first, manager]),
        }
        for (first, manager, reason), deals in sorted(groups.items())
    ]
