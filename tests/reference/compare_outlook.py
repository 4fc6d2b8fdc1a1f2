"""Holds the outlook of a build against the reference, where no model has a part in it.

What a model said of a deal, and what is expected of open deals, is taken from the build: the rest
has to follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from .facts import Facts
from .identity import World
from .outlook import EVERYBODY, FEWEST_WON_TO_DATE, Outlook

Row = dict[str, Any]
SHOWN = 20
# Of values rounded to six places, and of means and chances of money rounded to cents.
PLACES, CENT = 1.5e-6, 0.011
_OF_CENTS = (
    "expected_amount",
    "expected_won_unpaid",
    "expected_new",
    "expected_repeat",
    "forecast",
)
_RATES = "method != 'model'"


def outlook_differences(
    marts: Path, world: World, facts: Facts, build: Path | None = None
) -> list[str]:
    """Every difference, at most 20 a table; with the private build that of the evidence, too."""
    if world.as_of is None:
        return []
    outlook = Outlook(world, facts)
    with duckdb.connect(str(marts), read_only=True) as connection:
        deals = rows_of(connection, "marts.deal_outlook")
        months = rows_of(connection, "marts.revenue_forecast")
        scores = rows_of(connection, f"marts.outlook_backtest where {_RATES}")
        tenths = rows_of(connection, f"marts.outlook_calibration where {_RATES}")
        past = rows_of(connection, "marts.forecast_backtest")
    points = outlook.forecast_rows(expected_open_of(months))
    judged = [dict(zip(_POINT, it, strict=True)) for it in outlook.forecast_points()]
    found = [
        *compared("deal_outlook", _DEAL, outlook.deal_rows(by_key(_DEAL[:1], deals)), deals),
        *compared("revenue_forecast", _MONTH, points, months),
        *compared("outlook_backtest", _SCORE, outlook.backtest_rows(), scores),
        *compared("outlook_calibration", _TENTH, outlook.calibration_rows(), tenths),
        *compared("forecast_backtest", _POINT[:2], judged, past),
        *broken_deals(outlook, deals),
        *broken_months(months, past),
    ]
    if build is not None:
        with duckdb.connect(str(build), read_only=True) as connection:
            steps = rows_of(connection, "intermediate.int_outlook__step_evidence")
        found += compared("step_evidence", ("step",), outlook.evidence_rows(), steps)
    return found


_DEAL, _MONTH = ("deal_id",), ("period_start", "manager_id")
_SCORE = ("as_of_on", "pipeline_id", "method")
_TENTH = ("pipeline_id", "method", "tenth")
_POINT = ("as_of_on", "period_start", "paid_so_far", "actual")


def rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    """All rows of a table as dicts."""
    done = connection.execute(f"select * from {table}")
    names = [column[0] for column in done.description or []]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def by_key(names: tuple[str, ...], rows: Iterable[Row]) -> dict[Any, Row]:
    """Rows by key; a key of one column is its value."""
    keyed = {tuple(row[name] for name in names): row for row in rows}
    return {key[0] if len(names) == 1 else key: row for key, row in keyed.items()}


def expected_open_of(months: list[Row]) -> dict[tuple[date, str], Decimal | None]:
    """What is expected of open deals, by month and manager."""
    return {(it["period_start"], it["manager_id"]): it["expected_open"] for it in months}


def compared(name: str, key: tuple[str, ...], ours: list[Row], theirs: list[Row]) -> list[str]:
    """Rows and values that are not the same; columns that the reference does not have pass."""
    mine, built = by_key(key, ours), by_key(key, theirs)
    found = [f"{name} {it}: in the reference alone" for it in mine.keys() - built.keys()]
    found += [f"{name} {it}: in the build alone" for it in built.keys() - mine.keys()]
    if len(built) != len(theirs):
        found.append(f"{name}: a key twice")
    for at in mine.keys() & built.keys():
        found += [
            f"{name} {at} {column}: reference {value!r}, built {built[at][column]!r}"
            for column, value in mine[at].items()
            if not is_near(column, value, built[at][column], EVERYBODY in (at, *_parts(at)))
        ]
    return sorted(found)[:SHOWN]


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def is_near(column: str, ours: Any, theirs: Any, is_sum: bool) -> bool:
    """The same but for rounding; of sums of rounded values a cent for each."""
    if ours is None or theirs is None or not isinstance(ours, float | Decimal):
        return bool(ours == theirs)
    if column in _OF_CENTS:
        return abs(float(ours) - float(theirs)) < CENT * (10 if is_sum else 4)
    if isinstance(theirs, Decimal):
        return bool(ours == theirs)
    return abs(float(ours) - float(theirs)) <= PLACES * max(1, abs(float(theirs)))


def broken_deals(outlook: Outlook, deals: list[Row]) -> list[str]:
    """What holds of every deal, whoever said how likely it is."""
    won = outlook.won_from(outlook.as_of)
    found = []
    for it in deals:
        chance, closing = it["win_probability"], it["expected_close_on"]
        seen = won[it["pipeline_id"], it["stage_id"]]
        if (closing is None) != (seen < FEWEST_WON_TO_DATE or it["method"] == "none"):
            found.append(f"deal_outlook {it['deal_id']}: {closing}, {seen} won deals seen")
        if closing is not None and closing < outlook.as_of:
            found.append(f"deal_outlook {it['deal_id']}: expected to close on {closing}")
        months = [it[f"closes_{month}_month_probability"] or 0 for month in ("this", "next")]
        if chance is None:
            continue
        if min(months) < 0 or sum(months) > chance + PLACES:
            found.append(f"deal_outlook {it['deal_id']}: {months} of {chance}")
        if not it["win_probability_low"] <= chance <= it["win_probability_high"]:
            found.append(f"deal_outlook {it['deal_id']}: {chance} is not in its interval")
    return found[:SHOWN]


def broken_months(months: list[Row], past: list[Row]) -> list[str]:
    """What holds of every forecast."""
    found = [
        f"forecast of {it['period_start']}: not in its interval: {it}"
        for it in (*months, *past)
        if it["forecast_low"] is not None
        and not it["forecast_low"] <= it["forecast"] <= it["forecast_high"]
    ]
    for it in past:
        if it["error"] != it["actual"] - it["forecast"]:
            found.append(f"forecast_backtest: not the error: {it}")
        inside = it["forecast_low"] is not None and (
            it["forecast_low"] <= it["actual"] <= it["forecast_high"]
        )
        if bool(it["is_inside"]) != inside:
            found.append(f"forecast_backtest: not inside: {it}")
    for start in {it["period_start"] for it in months}:
        own = [it for it in months if it["period_start"] == start]
        parts = [it["expected_open"] for it in own if it["manager_id"] != EVERYBODY]
        whole = next(it["expected_open"] for it in own if it["manager_id"] == EVERYBODY)
        if (None in parts) != (whole is None) or (whole is not None and sum(parts) != whole):
            found.append(f"revenue_forecast {start}: {whole} is not the sum of {parts}")
    return found[:SHOWN]
