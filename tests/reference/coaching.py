"""Coaching: manager_profile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from math import sqrt
from statistics import median
from typing import Any

from .contract import UNKNOWN
from .funnel import divide
from .identity import World
from .periods import RATIOS
from .variables import previous_period

Mart = list[dict[str, Any]]
Row = dict[str, Any]
Z = 1.959963984540054
_CALLS = ("answer_rate", "responded_in_5min_rate")
_EVALUATED = ("needs_found_rate", "presentation_rate", "objections_rate", "next_step_rate")
# The way from a call to a paid deal, and the two shares that span more than one step of it.
_MEETINGS = ("calls_60s", "meetings_set", "meetings_confirmed", "set_meetings_held")
_MEETING_RATES = (
    *("call_to_meeting_rate", "meeting_confirmation_rate", "confirmed_to_held_rate"),
    *("meeting_show_rate", "held_to_paid_rate"),
)
_OF_ROLE = {
    "lead_generator": {
        *_CALLS,
        "target_lead_rate",
        *_MEETING_RATES,
        *(name for name in _EVALUATED if name != "presentation_rate"),
    },
    "hunter": {*_CALLS, "lead_conversion_rate", "win_rate", "won_share", *_EVALUATED},
    "farmer": {"answer_rate", "win_rate", "won_share", "csat", *_EVALUATED},
}
_SHARES = [name for name in RATIOS if not name.startswith("avg_")]


def build_manager_profile(world: World, manager_rows: Mart, company_rows: Mart) -> Mart:
    """Every rate of a manager's role by month, with its interval, its gap and the verdict."""
    sizes = {
        row["period_start"]: row["avg_deal_size"]
        for row in company_rows
        if row["period_grain"] == "month"
    }
    months: dict[date, Mart] = defaultdict(list)
    roles = {key: row["role"] for key, row in world.members["crm.managers"].items()}
    for row in manager_rows:
        if row["period_grain"] == "month" and row["manager_id"] != UNKNOWN:
            months[row["period_start"]].append(row | {"role": roles[row["manager_id"]]})
    found = {
        start: _month(rows, sizes.get(start))
        for start, rows in months.items()
        if world.as_of is not None and start <= world.as_of
    }
    for start, rows in found.items():
        before = found.get(previous_period(start, "month"), {})
        for key, row in rows.items():
            row["own_previous"] = before[key]["value"] if key in before else None
    return [row for rows in found.values() for row in rows.values()]


def _month(managers: Mart, company_size: float | None) -> dict[tuple[str, str], Row]:
    """The profiles of one month, by manager and metric."""
    teams: dict[str | None, Mart] = defaultdict(list)
    for manager in managers:
        teams[manager["role"]].append(manager)
    found = {}
    for team in teams.values():
        loads = [(_deals(it), divide(it["sales_actions"], _deals(it))) for it in team if _deals(it)]
        own_sizes = [it["avg_deal_size"] for it in team if it["avg_deal_size"]]
        team_size = median(own_sizes) if own_sizes else company_size or None
        for metric in _SHARES:
            values = [it[metric] for it in team if it[metric] is not None and _has(it, metric)]
            usual = median(values) if values else None
            for it in (it for it in team if _has(it, metric)):
                gap = _gap(it, metric, usual)
                size = it["avg_deal_size"] or team_size
                found[it["manager_id"], metric] = {
                    "period_start": it["period_start"],
                    "manager_id": it["manager_id"],
                    "metric": metric,
                    "value": it[metric],
                    "team_median": usual,
                    "team_managers": len(values),
                    **_judged(*_sides(it, metric), usual),
                    "gap_in_deals": gap,
                    "gap_in_money": None if gap is None or not size else gap * float(size),
                    **_load(it, loads),
                }
    return found


def _has(manager: Row, metric: str) -> bool:
    """Whether the rate belongs to the manager; a role of its own has its rates always."""
    rates = _OF_ROLE.get(manager["role"])
    return metric in rates if rates is not None else _sides(manager, metric)[1] > 0


def _sides(manager: Row, metric: str) -> tuple[int, int]:
    above, below = RATIOS[metric]
    whole = {
        "deals_closed": manager["deals_won"] + manager["deals_lost"],
        "leads_qualified": manager["leads_target"] + manager["leads_non_target"],
    }
    denominator = whole[below] if below in whole else manager[below]
    if above == "responded_in_5min":
        return round((manager[metric] or 0) * denominator), denominator
    return manager[above], denominator


def _judged(part: int, whole: int, usual: float | None) -> Row:
    """Both sides, Wilson's interval from its textbook form, and what it says. More is better."""
    row = {"numerator": part, "denominator": whole, "is_small_sample": whole < 20}
    if whole == 0 or part > whole or part < 0:
        return row | {"low": None, "high": None, "verdict": None}
    share = part / whole
    middle = (share + Z**2 / (2 * whole)) / (1 + Z**2 / whole)
    half = Z / (1 + Z**2 / whole) * sqrt(share * (1 - share) / whole + Z**2 / (4 * whole**2))
    low = 0.0 if part == 0 else middle - half
    high = 1.0 if part == whole else middle + half
    assert usual is not None
    verdict = "strength" if low > usual else "weakness" if high < usual else None
    return row | {"low": low, "high": high, "verdict": verdict}


def _gap(manager: Row, metric: str, usual: float | None) -> float | None:
    """Deals that this step at the team's rate would have added to the manager's own way."""
    if manager[metric] is None or usual is None:
        return None
    if metric == "win_rate":
        closed: int = manager["deals_won"] + manager["deals_lost"]
        return float(closed * usual - manager["deals_won"])
    if metric not in _MEETING_RATES:
        return None
    paid = manager["set_meetings_paid"]
    above, below = RATIOS[metric]
    came: float = manager[below] * usual
    # Along the manager's own later steps, as far as they have a rate.
    if above in _MEETINGS:
        if not manager[above]:
            return None
        came *= paid / manager[above]
    return came - float(paid)


def _deals(manager: Row) -> int:
    return int(manager["open_deals"] + manager["deals_won"] + manager["deals_lost"])


def _load(manager: Row, team: Iterable[tuple[int, float | None]]) -> Row:
    names = ("deals_in_work", "actions_per_deal", "team_deals_in_work", "team_actions_per_deal")
    deals = _deals(manager)
    if not deals:
        return dict.fromkeys((*names, "depth_or_breadth"))
    actions = manager["sales_actions"] / deals
    usual_deals = float(median(number for number, _ in team))
    usual_actions = float(median(number for _, number in team if number is not None))
    kind = None
    if deals > usual_deals and actions < usual_actions:
        kind = "breadth"
    elif deals < usual_deals and actions > usual_actions:
        kind = "depth"
    load = (deals, actions, usual_deals, usual_actions)
    return dict(zip(names, load, strict=True)) | {"depth_or_breadth": kind}
