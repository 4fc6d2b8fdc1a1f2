"""What a sheet for a one-to-one talk says of a manager and a month, without words.

All figures are the marts'; what is chosen here is which of them are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import duckdb

from orchestration.base.errors import WrongUse
from orchestration.base.sql import literal, quote
from orchestration.metrics.catalogue import Catalogue
from orchestration.metrics.needs import MANAGER, Needs, empty_tables
from orchestration.report.people import Person

# As many as are talked about in an hour.
SHOWN = 3
MOST_RESULTS = 8
MOST_CALLS = 4
MOST_DEALS = 5
TREND_MONTHS = 6

# What a role is there for, and the rates on the way to it.
_MEETINGS = ("set_meetings_paid", "set_meetings_held", "meetings_set", "calls_60s")
_RESULTS = {
    "lead_generator": _MEETINGS,
    "hunter": ("revenue", "deals_won", "meetings_held", "sales_actions"),
    "farmer": ("revenue", "deals_won", "upsells_won", "sales_actions"),
}
_RESULTS_OF_OTHERS = ("revenue", "deals_won", "set_meetings_held", "sales_actions")
_TREND_RATES = {
    "lead_generator": ("call_to_meeting_rate", "meeting_show_rate", "held_to_paid_rate"),
    "hunter": ("win_rate", "avg_deal_size"),
    "farmer": ("win_rate", "csat"),
}
_TREND_RATES_OF_OTHERS = ("win_rate", "avg_deal_size")
# Flags of an evaluation, and the metric that counts each.
FLAGS = {
    "needs_found": "needs_found",
    "presentation_made": "presentations_made",
    "objections_handled": "objections_handled",
    "next_step_agreed": "next_steps_agreed",
}


@dataclass(frozen=True)
class Rate:
    """A row of `manager_profile`."""

    metric: str
    value: float | None
    numerator: int
    denominator: int
    team_median: float | None
    team_managers: int
    own_previous: float | None
    low: float | None
    high: float | None
    is_small_sample: bool
    funnel: str | None
    from_step: int | None
    to_step: int | None
    gap_in_deals: float | None
    gap_in_money: float | None
    verdict: str | None

    def overlaps(self, other: Rate) -> bool:
        """Whether both speak of the same step of a funnel."""
        if self.funnel is None or self.funnel != other.funnel:
            return False
        assert self.from_step and self.to_step and other.from_step and other.to_step
        return self.from_step < other.to_step and other.from_step < self.to_step


@dataclass(frozen=True)
class Result:
    """A figure of the month beside its plan; figures that cannot be known are None.

    `target_to_date` and `pace` are of the plan's part up to the as-of date.
    """

    metric: str
    actual: float | None
    previous: float | None
    target: float | None = None
    attainment: float | None = None
    target_to_date: float | None = None
    pace: float | None = None


@dataclass(frozen=True)
class Load:
    """Deals in work and actions for each, the manager's own and the team's median."""

    kind: str | None
    deals: int
    actions: float
    team_deals: float
    team_actions: float


@dataclass(frozen=True)
class Call:
    """An evaluated call; `lacks` are the metrics of the flags that were judged false."""

    day: date
    score: float
    lacks: tuple[str, ...]
    url: str | None


@dataclass(frozen=True)
class Deal:
    """An open deal; `probability` is that of winning it.

    `step` is the next one with its evidence and `reason` what moves the probability most, each by
    language.
    """

    deal_id: str
    stage: str | None
    amount: float | None
    days_in_stage: int | None
    days_since_contact: int | None = None
    probability: float | None = None
    step: dict[str, str | None] = field(default_factory=dict)
    reason: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Sheet:
    """Everything about one manager and one month, given by its first day.

    `has_outlook` says whether deals come with next steps. `missing` are metrics that cannot be
    known, each with the empty raw tables that it needs; `unpriced` are sums of money of the month
    with the number of rows that they lack for want of a rate.
    """

    person: Person
    month: date
    as_of: date
    results: list[Result]
    rates: list[Rate]
    trend: dict[str, list[float | None]]
    load: Load | None
    calls: list[Call]
    evaluated_calls: int
    deals: list[Deal]
    open_deals: int
    has_outlook: bool
    missing: dict[str, str]
    unpriced: dict[str, int]

    @property
    def is_running(self) -> bool:
        """Whether the month ends after the as-of date."""
        return _next(self.month) > self.as_of + timedelta(days=1)

    @property
    def months(self) -> list[date]:
        """The months of the trend, the sheet's own last."""
        return _months(self.month, TREND_MONTHS)

    @property
    def has_team(self) -> bool:
        """Whether anybody else of the role has any rate this month."""
        return any(rate.team_managers > 1 for rate in self.rates)

    @property
    def strengths(self) -> list[Rate]:
        """The best rates above the team's median: the certain ones first, small samples last."""
        above = [it for it in self._compared() if _lead(it) > 0]
        above.sort(key=lambda it: (it.verdict != "strength", it.is_small_sample, -_lead(it)))
        return _apart(above)

    @property
    def gaps(self) -> list[Rate]:
        """The steps that cost most; where deals have no price, those that cost most deals."""
        behind = [it for it in self._compared() if (it.gap_in_deals or 0) > 0]
        behind.sort(key=lambda it: (-(it.gap_in_money or 0), -(it.gap_in_deals or 0), it.metric))
        return _apart(behind)

    @property
    def weaknesses(self) -> list[Rate]:
        """Rates certainly below the team's that no gap speaks of."""
        priced = self.gaps
        return [
            it
            for it in self._compared()
            if it.verdict == "weakness" and not any(it is of or it.overlaps(of) for of in priced)
        ][:SHOWN]

    def _compared(self) -> list[Rate]:
        return [it for it in self.rates if it.team_managers > 1 and it.value is not None]


def read_sheet(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, person: Person, month: date | None
) -> Sheet:
    """Read the sheet of a month, by default the last one that ended by the as-of date.

    Raises WrongUse for a month that has not begun.
    """
    as_of = _as_of(connection)
    chosen = month or _default_month(connection, as_of)
    if chosen > as_of:
        raise WrongUse(
            f"{chosen:%Y-%m} has not begun: the data end on {as_of}.", "Name an earlier month."
        )
    needs = Needs(catalogue, empty_tables(connection))
    of_role = _RESULTS.get(person.role or "", _RESULTS_OF_OTHERS)
    plans = _plans(connection, person, chosen)
    planned = (name for name in plans if name in catalogue.metrics)
    shown = list(dict.fromkeys([*of_role, *planned]))[:MOST_RESULTS]
    trended = (*of_role[:3], *_TREND_RATES.get(person.role or "", _TREND_RATES_OF_OTHERS))
    absences = {name: needs.absence(name, (MANAGER,)).text for name in {*shown, *trended}}
    missing = {name: tables for name, tables in absences.items() if tables}
    figures = _figures(connection, person, {*shown, *trended} - missing.keys(), catalogue)
    unpriced = _unpriced(connection, person, chosen, {it: needs.lacks(it) for it in shown})
    for name in unpriced:
        # Where all of it is without a rate, nobody knows how much it was.
        if not figures.get((name, chosen)):
            figures[name, chosen] = None
    before = _months(chosen, 2)[0]
    has_outlook = _has_table(connection, "deal_outlook")
    calls, evaluated = _calls(connection, person, chosen)
    return Sheet(
        person=person,
        month=chosen,
        as_of=as_of,
        results=[
            Result(
                name,
                figures.get((name, chosen)),
                figures.get((name, before)),
                *plans.get(name, ()),
            )
            for name in shown
        ],
        rates=_rates(connection, person, chosen),
        trend={
            name: [figures.get((name, start)) for start in _months(chosen, TREND_MONTHS)]
            for name in trended
        },
        load=_load(connection, person, chosen),
        calls=calls,
        evaluated_calls=evaluated,
        deals=_deals_by_outlook(connection, person) if has_outlook else _deals(connection, person),
        open_deals=_one(
            connection,
            f"select count(*) from marts.open_deals where manager_id = {literal(person.key)}",
        )[0],
        has_outlook=has_outlook,
        missing=missing,
        unpriced=unpriced,
    )


def _as_of(connection: duckdb.DuckDBPyConnection) -> date:
    found: date | None = _one(connection, "select max(as_of_date) from quality.publication")[0]
    if found is None:
        raise WrongUse("There are no events yet.", "Load exports and run `voronka refresh`.")
    return found


def _plans(
    connection: duckdb.DuckDBPyConnection, person: Person, month: date
) -> dict[str, tuple[float | None, ...]]:
    rows = connection.execute(
        "select metric, target::double, attainment, target_to_date, pace "
        f"from marts.quota_attainment where manager_id = {literal(person.key)} "
        f"and period = 'month' and period_start = date '{month}' order by metric"
    ).fetchall()
    return {row[0]: row[1:] for row in rows}


def _figures(
    connection: duckdb.DuckDBPyConnection,
    person: Person,
    names: Iterable[str],
    catalogue: Catalogue,
) -> dict[tuple[str, date], float | None]:
    """The figures of all months, by metric and month; what is counted is 0 without a row."""
    columns = [
        name
        for (name,) in connection.execute(
            "select column_name from duckdb_columns() where schema_name = 'marts' "
            "and table_name = 'kpi_manager_period'"
        ).fetchall()
        if name in set(names)
    ]
    if not columns:
        return {}
    selected = ", ".join(f"{quote(name)}::double" for name in columns)
    rows = connection.execute(
        f"select period_start, {selected} from marts.kpi_manager_period "
        f"where period_grain = 'month' and manager_id = {literal(person.key)} order by 1"
    ).fetchall()
    found = {
        (name, row[0]): value for row in rows for name, value in zip(columns, row[1:], strict=True)
    }
    if rows:
        # Between his first and his last month nothing was nothing, before and after he was not.
        start = rows[0][0]
        while (start := _next(start)) < rows[-1][0]:
            for name in columns:
                nothing = 0.0 if catalogue.metrics[name].is_zero_of_nothing else None
                found.setdefault((name, start), nothing)
    return found


def _unpriced(
    connection: duckdb.DuckDBPyConnection,
    person: Person,
    month: date,
    lacks: Mapping[str, Sequence[tuple[str, str]]],
) -> dict[str, int]:
    """How many rows of the month a figure's money lacks, by figure; those that lack none apart."""
    found = {}
    for name, pairs in lacks.items():
        gaps = sorted({gap for _, gap in pairs})
        if gaps:
            sums = " + ".join(f"coalesce(sum({quote(gap)}), 0)" for gap in gaps)
            (rows,) = _one(
                connection,
                f"select ({sums})::bigint from marts.unpriced_daily "
                f"where manager_id = {literal(person.key)} and date_day >= date '{month}' "
                f"and date_day < date '{_next(month)}'",
            )
            if rows:
                found[name] = int(rows)
    return found


def _rates(connection: duckdb.DuckDBPyConnection, person: Person, month: date) -> list[Rate]:
    names = ", ".join(Rate.__dataclass_fields__)
    rows = connection.execute(
        f"select {names} from marts.manager_profile where manager_id = {literal(person.key)} "
        f"and period_start = date '{month}' order by metric"
    ).fetchall()
    return [Rate(*row) for row in rows]


def _load(connection: duckdb.DuckDBPyConnection, person: Person, month: date) -> Load | None:
    rows = connection.execute(
        "select distinct depth_or_breadth, deals_in_work, actions_per_deal, team_deals_in_work, "
        f"team_actions_per_deal from marts.manager_profile "
        f"where manager_id = {literal(person.key)} and period_start = date '{month}' "
        "and deals_in_work is not null"
    ).fetchall()
    return Load(*rows[0]) if rows else None


def _calls(
    connection: duckdb.DuckDBPyConnection, person: Person, month: date
) -> tuple[list[Call], int]:
    """The lowest-scored calls of the month that can be heard, then others; how many there are."""
    where = (
        f"manager_id = {literal(person.key)} and credited_on >= date '{month}' "
        f"and credited_on < date '{_next(month)}'"
    )
    (count,) = _one(connection, f"select count(*) from marts.fct_call_evaluations where {where}")
    rows = connection.execute(
        f"select credited_on, score::double, recording_url, {', '.join(FLAGS)} "
        f"from marts.fct_call_evaluations where {where} and score is not null "
        f"order by recording_url is null, score, credited_on desc, call_id limit {MOST_CALLS}"
    ).fetchall()
    calls = [
        Call(
            day,
            score,
            tuple(
                metric for metric, flag in zip(FLAGS.values(), flags, strict=True) if flag is False
            ),
            url,
        )
        for day, score, url, *flags in rows
    ]
    return calls, count


def _deals_by_outlook(connection: duckdb.DuckDBPyConnection, person: Person) -> list[Deal]:
    rows = connection.execute(
        "select deal_id, stage_name, amount::double, days_in_stage, days_since_contact, "
        "win_probability, next_step_ru, next_step_en, reason_1_ru, reason_1_en "
        f"from marts.deal_outlook where manager_id = {literal(person.key)} "
        f"order by rank limit {MOST_DEALS}"
    ).fetchall()
    return [
        Deal(
            deal_id=row[0],
            stage=row[1],
            amount=row[2],
            days_in_stage=row[3],
            days_since_contact=row[4],
            probability=row[5],
            step={"ru": row[6], "en": row[7]},
            reason={"ru": row[8], "en": row[9]},
        )
        for row in rows
    ]


def _deals(connection: duckdb.DuckDBPyConnection, person: Person) -> list[Deal]:
    """Without an outlook the greatest deals, those about to close first."""
    rows = connection.execute(
        "select deal_id, stage_name, amount::double, days_in_stage from marts.open_deals "
        f"where manager_id = {literal(person.key)} "
        "order by stage_kind = 'presale' desc, amount desc nulls last, deal_id "
        f"limit {MOST_DEALS}"
    ).fetchall()
    return [Deal(*row) for row in rows]


def _has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    return bool(
        _one(
            connection,
            "select count(*) from duckdb_tables() where schema_name = 'marts' "
            f"and table_name = {literal(name)}",
        )[0]
    )


def _lead(rate: Rate) -> float:
    """By how much a rate is above the team's median, in widths of its own interval."""
    assert rate.value is not None and rate.team_median is not None
    ahead = rate.value - rate.team_median
    width = rate.high - rate.low if rate.high is not None and rate.low is not None else None
    return ahead / width if width else ahead


def _apart(rates: Sequence[Rate]) -> list[Rate]:
    """The first ones of which no two speak of the same step."""
    found: list[Rate] = []
    for rate in rates:
        if len(found) < SHOWN and not any(rate.overlaps(other) for other in found):
            found.append(rate)
    return found


def _default_month(connection: duckdb.DuckDBPyConnection, as_of: date) -> date:
    """The last month that ended by the as-of date; the running one where nothing is older."""
    after = (as_of + timedelta(days=1)).replace(day=1)
    whole = (after - timedelta(days=1)).replace(day=1)
    (first,) = _one(
        connection,
        "select min(period_start) from marts.kpi_manager_period where period_grain = 'month'",
    )
    return whole if first is None or first <= whole else as_of.replace(day=1)


def _next(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _months(last: date, count: int) -> list[date]:
    index = last.year * 12 + last.month - 1
    return [date(at // 12, at % 12 + 1, 1) for at in range(index - count + 1, index + 1)]


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row
