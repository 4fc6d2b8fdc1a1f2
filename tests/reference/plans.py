"""Plans and diagnosis: quota_attainment and kpi_diagnostics."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from .contract import UNKNOWN
from .daily import MEASURES
from .funnel import divide
from .identity import World
from .periods import ADDITIVE, OPEN_ZEROS, RATIOS
from .variables import next_period, period_end, period_start, previous_period

Mart = list[dict[str, Any]]
Row = dict[str, Any]
_MEDIANS = ("median_cycle_days", "median_response_minutes", "avg_response_minutes")
METRICS = (*ADDITIVE, *OPEN_ZEROS, *RATIOS, *_MEDIANS)


def build_quota_attainment(world: World, manager_rows: Mart, kpi_daily: Mart) -> Mart:
    """quota_attainment; a quota of `unknown` stays if the raw zone has such a manager."""
    actuals = {
        (row["manager_id"], row["period_grain"], row["period_start"]): row for row in manager_rows
    }
    days: dict[Any, list[Row]] = defaultdict(list)
    for row in kpi_daily:
        days[row["manager_id"]].append(row)
    return [
        _attainment(world, quota, actuals, days[quota["manager_id"]])
        for quota in world.rows["crm.quotas"].values()
        if world.exists("crm.managers", quota["manager_id"])
    ]


def _attainment(world: World, quota: Row, actuals: dict[Any, Row], days: list[Row]) -> Row:
    metric, target = quota["metric"], quota["target"]
    row = actuals.get((quota["manager_id"], quota["period"], quota["period_start"]))
    actual = _actual(metric, row)
    to_date, reached = target, actual
    if metric in ADDITIVE:
        to_date = _target_to_date(world, target, quota["period"], quota["period_start"])
        reached = _actual_to_date(world, metric, quota["period"], quota["period_start"], days)
    return {
        **{name: quota[name] for name in ("manager_id", "metric", "period", "period_start")},
        "target": target,
        "actual": actual,
        "attainment": divide(actual, target),
        "target_to_date": to_date,
        "actual_to_date": reached,
        "pace": divide(reached, to_date),
    }


def _actual(metric: str, row: Row | None) -> Any:
    if metric not in METRICS:
        return None
    if row is not None:
        return row[metric]
    return 0 if metric in ADDITIVE or metric in OPEN_ZEROS else None


_ACTIONS = (
    "calls",
    "emails_sent",
    "messages_sent",
    "social_touches",
    "proposals_sent",
    "presentations",
    "meetings_held",
)


def _actual_to_date(world: World, metric: str, period: str, start: date, days: list[Row]) -> Any:
    """What the period's days up to the as-of date add up to."""
    assert world.as_of is not None
    end = min(period_end(start, period), world.as_of)
    rows = [row for row in days if start <= row["date_day"] <= end]
    if metric == "talk_minutes":
        return sum(row["talk_seconds"] for row in rows) / 60
    if metric == "sales_actions":
        return sum(row[name] for row in rows for name in _ACTIONS)
    return sum((row[metric] for row in rows), 0)


def _target_to_date(world: World, target: Any, period: str, start: date) -> float | None:
    assert world.as_of is not None
    end = period_end(start, period)
    whole = world.clock.working_minutes(start, end)
    passed = world.clock.working_minutes(start, min(end, world.as_of))
    return divide(float(target) * passed, whole)


# Diagnosis

_MEETING_CHECKS = ("target_lead_rate", "new_source_share", "call_quality")
_SITUATIONS = {
    "meetings_without_payments": _MEETING_CHECKS,
    "meetings_not_held": (
        *_MEETING_CHECKS,
        "meeting_confirmation_rate",
        "confirmed_to_held_rate",
    ),
    "few_meetings_set": ("calls_60s", "talk_minutes", "leads_taken", "target_lead_rate"),
}
_NEW_SOURCE_SHARE = 0.30


def build_diagnostics(world: World, manager_rows: Mart, kpi_daily: Mart) -> Mart:
    """kpi_diagnostics, without the advice."""
    diagnosis = Diagnosis(world, manager_rows, kpi_daily)
    return [row for grain in ("week", "month") for row in diagnosis.rows(grain)]


class Diagnosis:
    """Two neighbouring periods of one manager, compared."""

    def __init__(self, world: World, manager_rows: Mart, kpi_daily: Mart) -> None:
        """Indexes the period rows and the meetings set by source."""
        self.world = world
        self.drop = world.variables.diagnostic_drop
        self.found = {
            (row["period_grain"], row["period_start"], row["manager_id"]): row
            for row in manager_rows
        }
        self.meetings: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for row in kpi_daily:
            for grain in ("week", "month"):
                key = (grain, period_start(row["date_day"], grain), row["manager_id"])
                if row["meetings_set"]:
                    self.meetings[key][row["source_id"]] += row["meetings_set"]

    def rows(self, grain: str) -> Mart:
        """All situations at one grain."""
        candidates = set()
        for row_grain, start, manager in self.found:
            if row_grain == grain and manager != UNKNOWN:
                candidates |= {(start, manager), (next_period(start, grain), manager)}
        as_of = self.world.as_of
        return [
            row
            for start, manager in sorted(candidates)
            if as_of is not None and period_end(start, grain) <= as_of
            for row in self._diagnose(grain, start, manager)
        ]

    def _diagnose(self, grain: str, start: date, manager: str) -> Mart:
        now_key = (grain, start, manager)
        before_key = (grain, previous_period(start, grain), manager)
        return [
            {
                "period_grain": grain,
                "period_start": start,
                "manager_id": manager,
                "situation": situation,
                "check_no": number,
                **self._check(check, now_key, before_key),
            }
            for situation, checks in _SITUATIONS.items()
            if self._is_in(situation, now_key, before_key)
            for number, check in enumerate(checks, start=1)
        ]

    def _value(self, metric: str, key: Any) -> Any:
        row = self.found.get(key)
        if row is None:
            return 0 if metric in MEASURES or metric in ADDITIVE else None
        return row[metric]

    def _fell(self, metric: str, now: Any, before: Any) -> bool:
        current, previous = self._value(metric, now), self._value(metric, before)
        if current is None or previous is None:
            return False
        return float(current) < self.drop * float(previous)

    def _held(self, metric: str, now: Any, before: Any) -> bool:
        return not self._fell(metric, now, before) and self._value(metric, now) > 0

    def _is_in(self, situation: str, now: Any, before: Any) -> bool:
        if situation == "few_meetings_set":
            return self._fell("meetings_set", now, before)
        if situation == "meetings_not_held":
            held = self._held("meetings_set", now, before)
            return held and self._fell("set_meetings_held", now, before)
        unpaid = self._value("set_meetings_paid", now) == 0
        unpaid = unpaid or self._fell("set_meetings_paid", now, before)
        return self._held("set_meetings_held", now, before) and unpaid

    def _check(self, check: str, now: Any, before: Any) -> Row:
        if check == "new_source_share":
            return self._check_new_source(now, before)
        if check == "call_quality":
            return self._check_call_quality(now, before)
        return self._check_metric(check, now, before)

    def _check_metric(self, metric: str, now: Any, before: Any) -> Row:
        current, previous = self._value(metric, now), self._value(metric, before)
        verdict = "cause" if self._fell(metric, now, before) else "ok"
        if current is None or previous is None:
            verdict = "no_data"
        return {
            "metric": metric,
            "current_value": current,
            "previous_value": previous,
            "ratio": divide(current, previous),
            "verdict": verdict,
        }

    def _check_new_source(self, now: Any, before: Any) -> Row:
        current, previous = self.meetings.get(now, {}), self.meetings.get(before, {})
        share = None
        # The unknown source is a source like any other; the share is of one source, not their sum.
        if current and previous:
            new = [count for source, count in current.items() if source not in previous]
            share = max(new, default=0) / sum(current.values())
        is_cause = share is not None and share >= _NEW_SOURCE_SHARE
        return {
            "metric": "new_source_share",
            "current_value": share,
            "previous_value": None,
            "ratio": None,
            "verdict": "no_data" if share is None else "cause" if is_cause else "ok",
        }

    def _check_call_quality(self, now: Any, before: Any) -> Row:
        metrics = ("needs_found_rate", "next_step_rate")
        checks = [self._check_metric(metric, now, before) for metric in metrics]
        shown = min(checks, key=lambda row: (row["ratio"] is None, row["ratio"] or 0.0))
        verdicts = {row["verdict"] for row in checks}
        verdict = "cause" if "cause" in verdicts else "ok"
        return shown | {"verdict": "no_data" if verdicts == {"no_data"} else verdict}
