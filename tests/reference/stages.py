"""The stays of deals in stages: fct_stage_entries."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from .contract import UNKNOWN
from .identity import World
from .reading import Values
from .variables import seconds_between

Fact = dict[str, Any]


def deal_history(world: World) -> dict[str, list[Values]]:
    """The history of each existing deal in its order."""
    found: dict[str, list[Values]] = defaultdict(list)
    for row in world.rows["crm.deal_stage_history"].values():
        deal = world.find("crm.deals", row["deal_id"])
        if deal is not None:
            found[deal].append(row)
    return {
        deal: sorted(rows, key=lambda row: (row["entered_at"], row["event_id"]))
        for deal, rows in found.items()
    }


def build_stage_entries(world: World, deals: list[Fact]) -> list[Fact]:
    """fct_stage_entries."""
    history = deal_history(world)
    entries: list[Fact] = []
    for deal in deals:
        stays = _stays(world, history.get(deal["deal_id"], []))
        if not stays or stays[-1]["stage_id"] != deal["stage_id"]:
            stays.append(_inferred(world, deal, stays))
        entries += _linked(world, deal["deal_id"], stays)
    return entries


def _stays(world: World, history: list[Values]) -> list[Fact]:
    """A repeated entry is no new stay; all unknown stages are one stage."""
    stays: list[Fact] = []
    for row in history:
        stage = world.stage(row["stage_id"])
        if not stays or stays[-1]["stage_id"] != stage:
            stays.append(_stay(stage, row["entered_at"], row["event_id"], row))
    return stays


def _stay(
    stage: str, entered_at: datetime, event_id: str | None, row: Values | None = None
) -> Fact:
    row = row or {}
    return {
        "entered_after": row.get("entered_after"),
        "entered_at_quality": row.get("entered_at_quality"),
        "stage_id": stage,
        "entered_at": entered_at,
        "event_id": event_id,
        "is_inferred": event_id is None,
    }


def _inferred(world: World, deal: Fact, stays: list[Fact]) -> Fact:
    updated_at = world.rows["crm.deals"][deal["deal_id"]]["updated_at"]
    if deal["outcome"] != "open":
        entered_at = deal["closed_at"]
    elif stays and updated_at:
        entered_at = updated_at
    else:
        entered_at = deal["created_at"]
    if stays:
        entered_at = max(entered_at, stays[-1]["entered_at"])
    return _stay(deal["stage_id"], entered_at, None)


def is_uncertain(stay: Fact) -> bool:
    """Whether its beginning is not exact, and uncertain by more than a day."""
    if stay["entered_at_quality"] in (None, "exact") or stay["entered_after"] is None:
        return False
    return bool(stay["entered_at"] - stay["entered_after"] > timedelta(days=1))


def _linked(world: World, deal_id: str, stays: list[Fact]) -> list[Fact]:
    linked = []
    for position, stay in enumerate(stays):
        following = stays[position + 1] if position + 1 < len(stays) else None
        exited_at = following["entered_at"] if following else None
        linked.append(
            {
                "deal_id": deal_id,
                "entry_no": position + 1,
                **stay,
                "pipeline_id": world.stage_pipeline(stay["stage_id"]),
                "exited_at": exited_at,
                "next_stage_id": following["stage_id"] if following else None,
                "stay_seconds": seconds_between(stay["entered_at"], exited_at),
                "movement": _movement(
                    world, stays[position - 1]["stage_id"] if position else None, stay["stage_id"]
                ),
            }
        )
    return linked


def _movement(world: World, before: str | None, after: str) -> str:
    if before is None:
        return "first"
    if UNKNOWN in (before, after):
        return "pipeline_change"
    if world.stage_pipeline(before) != world.stage_pipeline(after):
        return "pipeline_change"
    if world.stage_kind(before) in ("won", "lost"):
        return "reopen"
    if world.stage_kind(after) == "lost":
        return "forward"
    order = world.ordered_stages[world.stage_pipeline(after)]
    start, end = order.index(before), order.index(after)
    if end < start:
        return "back"
    return (
        "skip" if any(_can_be_skipped(world, key) for key in order[start + 1 : end]) else "forward"
    )


def _can_be_skipped(world: World, stage: str) -> bool:
    return world.stage_kind(stage) != "lost" and not world.stage_is_deleted(stage)
