"""What a viewer's morning is about, read from the metrics layer and the marts, through his session.

Nothing is computed here: figures are the metrics layer's, plans, causes, next steps and forecasts
the marts'.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.digest.freshness import Loads
from orchestration.metrics.catalogue import SUM, Metric
from orchestration.metrics.choices import Grain
from orchestration.metrics.needs import Clause, Needs, empty_tables
from orchestration.metrics.query import Request
from orchestration.serving.session import Session

Number = float | Decimal | int

# What a head asks first, and what each role of the CRM is measured by; the order is shown.
HEAD = (
    *("revenue", "new_customers", "deals_won", "leads_created"),
    *("meetings_set", "set_meetings_held", "set_meetings_paid"),
)
MANAGERS = {
    "lead_generator": (
        "calls_60s", "leads_taken", "meetings_set", "set_meetings_held", "set_meetings_paid"
    ),
    "hunter": ("calls_60s", "meetings_held", "deals_created", "deals_won", "revenue"),
    "farmer": ("calls_60s", "deals_won", "upsells_won", "revenue"),
}  # fmt: skip
ANY_MANAGER = ("sales_actions", "meetings_set", "set_meetings_held", "deals_won", "revenue")
# What the diagnosis compares, and what lists of deals come from.
_DIAGNOSED = ("meetings_set", "set_meetings_held", "set_meetings_paid")
_DEALS = "open_deals"
_PLAN = "target"
MOST_TALKS = 3


@dataclass(frozen=True)
class Plan:
    """A plan and how far it is reached; `people` have it. `fact` is of all, with a plan or not."""

    metric: Metric
    people: int
    target: Number
    actual: Number | None
    attainment: float | None
    pace: float | None
    fact: Number | None = None


@dataclass(frozen=True)
class Figure:
    """A metric of a period: `value` is None where it is not known.

    `missing` names raw tables without rows; `source` and `loaded_at` (UTC) the system that was
    loaded before the period was over, the figure being of what was loaded so far. `plan` is the
    day's, None without one.
    """

    metric: Metric
    value: Number | None
    missing: str = ""
    source: str = ""
    loaded_at: datetime | None = None
    plan: Plan | None = None


@dataclass(frozen=True)
class Cause:
    """A check that holds."""

    metric: str
    before: float | None
    now: float | None
    advice: Mapping[str, str]


@dataclass(frozen=True)
class Situation:
    """A manager whose results fell in a period, and why; without causes nothing was found."""

    grain: str
    period_start: date
    manager_id: str
    manager: str
    situation: str
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Weakness:
    """A rate in which a manager lies behind his team, beyond chance."""

    manager_id: str
    manager: str
    metric: str
    month: date
    value: float
    median: float
    gap_in_money: float | None


@dataclass(frozen=True)
class Deal:
    """An open deal with its next step."""

    deal_id: str
    manager: str
    amount: Number | None
    days_since_contact: int | None
    step: Mapping[str, str]


@dataclass(frozen=True)
class Forecast:
    """Revenue that is expected of a month that runs; `value` is None where it is not known."""

    value: Number | None
    low: Number | None
    high: Number | None
    target: Number | None


@dataclass(frozen=True)
class Morning:
    """All of it. `as_of` is the warehouse's today, None without any event; `day` is yesterday."""

    day: date
    as_of: date | None
    # The month of yesterday, or of the as-of date where that is earlier, and its last known day.
    month: date | None
    through: date | None
    figures: tuple[Figure, ...]
    plans: tuple[Plan, ...]
    # Of metrics whose plan is by week only.
    week: date | None
    week_plans: tuple[Plan, ...]
    no_plans: tuple[Figure, ...]
    plans_missing: str
    forecast: Forecast | None
    situations: tuple[Situation, ...]
    # Periods that were diagnosed, by grain.
    diagnosed: Mapping[str, date]
    diagnosis_missing: str
    weaknesses: tuple[Weakness, ...]
    deals: tuple[Deal, ...]
    deals_missing: str
    # The one manager whose rows these are; empty where they are of several.
    manager_id: str


class Reader:
    """Reads one viewer's morning."""

    def __init__(self, session: Session, loads: Loads, today: date, zone: str) -> None:
        """`today` is a day of the company's time `zone`."""
        self._session = session
        self._connection = session.connection
        self._catalogue = session.metrics.catalogue
        self._needs = Needs(self._catalogue, empty_tables(session.connection))
        self._loads = loads
        self._today = today
        self._zone = ZoneInfo(zone)
        managers = session.viewer.managers
        self._is_limited = managers is not None
        self._manager_id = next(iter(managers)) if managers and len(managers) == 1 else ""

    def morning(self) -> Morning:
        """What there is to say."""
        day = self._today - timedelta(days=1)
        ((as_of,),) = self._rows("select as_of_date from quality.publication")
        names = self._metrics()
        through = self._through(day, as_of)
        month = through.replace(day=1) if through else None
        week = through - timedelta(days=through.weekday()) if through else None
        facts = self._figures(names, Grain.MONTH, month) if month else ()
        known = {it.metric.name: it.value for it in facts}
        plans = [
            replace(it, fact=known.get(it.metric.name)) for it in self._plans("month", month, names)
        ]
        planned = {plan.metric.name for plan in plans}
        week_plans = [it for it in self._plans("week", week, ()) if it.metric.name not in planned]
        by_week = {plan.metric.name for plan in week_plans}
        diagnosed = self._diagnosed(as_of)
        diagnosis_missing = self._missing(_DIAGNOSED)
        deals_missing = self._missing((_DEALS,))
        weaknesses = () if not self._leads else self._weaknesses(diagnosed.get("month"))
        return Morning(
            day=day,
            as_of=as_of,
            month=month,
            through=through,
            figures=tuple(self._day_figures(names, day, as_of)),
            plans=tuple(plans),
            week=week,
            week_plans=tuple(week_plans),
            no_plans=tuple(it for it in facts if it.metric.name not in planned | by_week),
            plans_missing=self._missing((_PLAN,)),
            forecast=self._forecast(month, as_of),
            situations=() if diagnosis_missing else self._situations(diagnosed),
            diagnosed=diagnosed,
            diagnosis_missing=diagnosis_missing,
            weaknesses=weaknesses,
            deals=() if deals_missing else self._deals(MOST_TALKS - len(weaknesses)),
            deals_missing=deals_missing,
            manager_id=self._manager_id,
        )

    @property
    def _leads(self) -> bool:
        """Whether rows of several people are seen."""
        return not self._manager_id

    def _through(self, day: date, as_of: date | None) -> date | None:
        """The last day of yesterday's month that the warehouse knows."""
        if as_of is None:
            return None
        if as_of <= day:
            return as_of
        last = (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        return min(as_of, last)

    def _metrics(self) -> tuple[str, ...]:
        """The metrics that the viewer is measured by, those that this warehouse has."""
        names: Sequence[str] = HEAD
        if self._manager_id:
            found = self._rows("select distinct role from marts.dim_manager where manager_id = ?",
                               [self._manager_id])  # fmt: skip
            names = MANAGERS.get(found[0][0] if found else "", ANY_MANAGER)
        return tuple(name for name in names if name in self._catalogue.metrics)

    def _by(self) -> tuple[str, ...]:
        return ("manager",) if self._is_limited else ()

    def _missing(self, names: Collection[str]) -> str:
        """Raw tables without which none of these metrics is known."""
        known = [name for name in names if name in self._catalogue.metrics]
        return "; ".join(
            dict.fromkeys(
                text for name in known if (text := self._needs.absence(name, self._by()).text)
            )
        )

    def _figures(self, names: Sequence[str], grain: Grain, start: date) -> tuple[Figure, ...]:
        """Metrics of one period."""
        if not names:
            return ()
        answer = self._session.metrics.answer(
            Request(
                tuple(names),
                grain=grain,
                where=(f"metric_time >= '{start}'", f"metric_time < '{_end(start, grain)}'"),
            )
        )
        row = dict(zip(answer.columns, answer.rows[0], strict=True)) if answer.rows else {}
        return tuple(
            self._figure(self._catalogue.metrics[name], row.get(name)) for name in names
        )  # fmt: skip

    def _figure(self, metric: Metric, value: Any) -> Figure:
        missing = self._needs.absence(metric.name, self._by()).text
        if missing:
            return Figure(metric, None, missing)
        return Figure(metric, 0 if value is None and metric.is_zero_of_nothing else value)

    def _day_figures(self, names: Sequence[str], day: date, as_of: date | None) -> Sequence[Figure]:
        """Yesterday's, as far as it was loaded."""
        figures = self._figures(names, Grain.DAY, day)
        plans = {plan.metric.name: plan for plan in self._plans("day", day, ())}
        return [
            replace(self._as_loaded(it, day, as_of), plan=plans.get(it.metric.name))
            for it in figures
        ]

    def _as_loaded(self, figure: Figure, day: date, as_of: date | None) -> Figure:
        """A figure of a day with what is known of its loads."""
        metric = figure.metric
        if figure.missing:
            return figure
        source, loaded_at = self._loaded(self._needs.of(metric.name, self._by()))
        begin = datetime.combine(day, time(), self._zone).astimezone(UTC)
        end = datetime.combine(day + timedelta(days=1), time(), self._zone).astimezone(UTC)
        if loaded_at is None:
            # Nothing is known of the loads: the warehouse's today has to do.
            is_known = as_of is not None and day <= as_of
            return Figure(metric, figure.value if is_known else None)
        if loaded_at >= end:
            return figure
        value = figure.value if loaded_at > begin else None
        return Figure(metric, value, "", source, loaded_at)

    def _loaded(self, clauses: Sequence[Clause]) -> tuple[str, datetime | None]:
        """The system that was loaded first of those that a figure needs, and until when."""
        found = []
        for clause in clauses:
            # Of tables of which one will do, the freshest.
            sources = {table.partition(".")[0] for table in clause}
            known = [(at, it) for it in sources if (at := self._loads.last_of(it)) is not None]
            if known:
                found.append(max(known))
        at, source = min(found, default=(None, ""))
        return source, at

    def _planned(self, period: str, start: date) -> list[tuple[Any, ...]]:
        """Metric, people with a plan, target, actual to date, attainment and pace."""
        if not {_PLAN, "pace"} <= self._catalogue.metrics.keys():
            return []
        answer = self._session.metrics.answer(
            Request(
                (_PLAN, "actual_to_date", "attainment", "pace"),
                by=("metric",),
                grain=Grain.DAY,
                where=(f"metric_time = '{start}'", f"period = '{period}'"),
            )
        )
        people = dict(
            self._rows(
                "select metric, count(*) from marts.quota_attainment "
                "where period = ? and period_start = ? group by 1",
                [period, start],
            )
        )
        rows = [(str(name), figures) for _, name, *figures in answer.rows]
        # Plans of rates do not add up: theirs are said where one person has them.
        return [
            (name, people[name], *figures)
            for name, figures in rows
            if name in self._catalogue.metrics
            and (people[name] == 1 or self._catalogue.metrics[name].over_time == SUM)
        ]

    def _plans(self, period: str, start: date | None, first: Sequence[str]) -> list[Plan]:
        """Plans of one period, those of `first` in its order before the others."""
        if start is None:
            return []
        found = [
            Plan(self._catalogue.metrics[name], people, target,
                 None if self._needs.absence(name, self._by()).missing else actual,
                 attainment, pace)
            for name, people, target, actual, attainment, pace in self._planned(period, start)
        ]  # fmt: skip
        order = {name: position for position, name in enumerate(first)}
        return sorted(found, key=lambda it: (order.get(it.metric.name, len(order)), it.metric.name))

    def _diagnosed(self, as_of: date | None) -> dict[str, date]:
        """The last week and the last month that ended by the as-of date."""
        if as_of is None:
            return {}
        after = as_of + timedelta(days=1)
        month = (after.replace(day=1) - timedelta(days=1)).replace(day=1)
        return {"week": after - timedelta(days=after.weekday() + 7), "month": month}

    def _situations(self, diagnosed: Mapping[str, date]) -> tuple[Situation, ...]:
        found: dict[tuple[str, str, str], list[Cause]] = {}
        people: dict[str, str] = {}
        for grain, start in diagnosed.items():
            rows = self._rows(
                "select manager_id, manager_name, situation, verdict, metric, previous_value, "
                "current_value, advice_ru, advice_en from marts.kpi_diagnostics "
                "where period_grain = ? and period_start = ? "
                "order by manager_name, manager_id, situation, check_no",
                [grain, start],
            )
            for manager_id, manager, situation, verdict, *check in rows:
                people[manager_id] = manager
                causes = found.setdefault((grain, manager_id, situation), [])
                if verdict == "cause":
                    metric, before, now, russian, english = check
                    causes.append(Cause(metric, before, now, {"ru": russian, "en": english}))
        listed = [
            Situation(grain, diagnosed[grain], key, people[key], situation, tuple(causes))
            for (grain, key, situation), causes in found.items()
        ]
        return tuple(sorted(listed, key=lambda it: not it.causes))

    def _weaknesses(self, month: date | None) -> tuple[Weakness, ...]:
        """The costliest one of each manager who is still there, the costliest first."""
        if month is None:
            return ()
        rows = self._rows(
            "select manager_id, manager_name, metric, period_start, value, team_median, "
            "gap_in_money from marts.manager_profile "
            "semi join (select manager_id from marts.dim_manager "
            "where not is_deleted and dismissed_on is null) using (manager_id) "
            "where verdict = 'weakness' and period_start = ? "
            "qualify row_number() over (partition by manager_id "
            "order by gap_in_money desc nulls last, metric) = 1 "
            "order by gap_in_money desc nulls last, manager_name, manager_id limit ?",
            [month, MOST_TALKS],
        )
        return tuple(Weakness(*row) for row in rows)

    def _deals(self, most: int) -> tuple[Deal, ...]:
        """Open deals by what their next step gains, as on the page."""
        rows = self._rows(
            "select deal_id, manager_name, amount, days_since_contact, next_step_ru, next_step_en "
            "from marts.deal_outlook where next_step is not null "
            "order by is_stale, coalesce(next_step_lift * amount::double, 0) desc, "
            "expected_amount desc nulls last, deal_id limit ?",
            [max(0, most)],
        )
        return tuple(
            Deal(key, manager, amount, silent, {"ru": russian, "en": english})
            for key, manager, amount, silent, russian, english in rows
        )

    def _forecast(self, month: date | None, as_of: date | None) -> Forecast | None:
        """Of a month that runs: the company's, or one manager's; a team has none of its own."""
        if month is None or as_of is None or (self._is_limited and not self._manager_id):
            return None
        is_over = (as_of + timedelta(days=1)).month != as_of.month
        if is_over or as_of.replace(day=1) != month:
            return None
        rows = self._rows(
            "select forecast, forecast_low, forecast_high, target from marts.revenue_forecast "
            "where period_start = ? and manager_id = ?",
            [month, self._manager_id or "*"],
        )
        if not rows:
            return None
        missing = self._missing(("revenue", _DEALS))
        return Forecast(None, None, None, None) if missing else Forecast(*rows[0])

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, list(values)).fetchall()


def _end(start: date, grain: Grain) -> date:
    """The first day after a day, or after a month by its first day."""
    if grain == Grain.DAY:
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)
