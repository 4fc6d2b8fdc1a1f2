"""data_quality_daily: everything that was wrong, by date, table and check."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from .facts import Facts
from .identity import World
from .stages import is_uncertain

Mart = list[dict[str, Any]]
Counts = Counter[tuple[date | None, str, str]]
_ORPHANS = {
    ("crm.deal_stage_history", "deal_id"): "orphan_history",
    ("crm.quotas", "manager_id"): "orphan_quota",
}
# Table -> its amount and the column of the date whose rate it takes; deals are in the facts.
_AMOUNTS = {
    "crm.payments": ("amount", "paid_at"),
    "marketing.ad_spend": ("cost", "spend_date"),
    "finance.sales_costs": ("cost", "month"),
}


def build_data_quality(world: World, facts: Facts) -> Mart:
    """data_quality_daily."""
    counts: Counts = Counter()
    for count in (_quarantined, _bad_values, _broken_references, _no_rates):
        count(world, counts)
    _deals(world, facts, counts)
    for stay in facts.stage_entries:
        if is_uncertain(stay):
            day = world.clock.day(stay["entered_at"])
            counts[day, "crm.deal_stage_history", "uncertain_entry"] += 1
    key_columns = ("date_day", "table_name", "check_name")
    return [
        {**dict(zip(key_columns, key, strict=True)), "rows": rows} for key, rows in counts.items()
    ]


def _quarantined(world: World, counts: Counts) -> None:
    for table, rows in world.zone.items():
        for row in rows.quarantined:
            counts[world.event_day(table, row.values), table, "quarantined"] += 1


def _bad_values(world: World, counts: Counts) -> None:
    for table, rows in world.zone.items():
        for row in rows.kept:
            for column in row.bad:
                counts[world.event_day(table, row.values), table, f"bad_value:{column}"] += 1


def _broken_references(world: World, counts: Counts) -> None:
    """Of existing rows; the raw key `unknown` is broken only where no such row exists."""
    for table, rows in world.zone.items():
        for column in rows.table.references:
            assert column.parent is not None
            for row in world.rows[table].values():
                key, day = row[column.name], world.event_day(table, row)
                if key is not None and not world.exists(column.parent, key):
                    counts[day, table, f"broken_ref:{column.name}"] += 1
                    if (table, column.name) in _ORPHANS:
                        counts[day, table, _ORPHANS[table, column.name]] += 1


def _no_rates(world: World, counts: Counts) -> None:
    for table, (amount, at) in _AMOUNTS.items():
        for row in world.rows[table].values():
            moment = row[at]
            day = world.clock.day(moment) if at == "paid_at" else moment
            if world.base_amount(row[amount], row["currency"], day) is None:
                counts[world.event_day(table, row), table, "no_rate"] += 1


def _deals(world: World, facts: Facts, counts: Counts) -> None:
    for deal in facts.deals:
        row = world.rows["crm.deals"][deal["deal_id"]]
        day = world.clock.day(deal["created_at"])
        if row["amount"] is not None and deal["amount"] is None:
            counts[day, "crm.deals", "no_rate"] += 1
        if deal["cycle_days"] is not None and deal["cycle_days"] < 0:
            counts[day, "crm.deals", "negative_cycle"] += 1
