"""The tables that a page adds up: what each is read from, its keys and its additive columns.

Both kinds of page read these: the file, which carries them by day, and the live one, which asks for
the sums of a few periods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
from numpy.typing import NDArray

from orchestration.base.sql import quote
from orchestration.dashboard.encode import encode, encode_days, encode_figures
from orchestration.dashboard.outlook import OPEN_DEALS, OPEN_DEALS_SQL

# Cubes whose columns add up over days, so that metrics can be formed of them.
ADDED_UP = ("daily", "ads", "missed", "waits", "response", "lost", "gaps", "company")
DAY = "date_day"
REASON = "reason"


@dataclass(frozen=True)
class Cube:
    """`source` is a table or a select in brackets, read from `tables` of the schema marts.

    `keys` are columns by the names that the page has for them; a dated cube has one named `day`.
    """

    tables: tuple[str, ...]
    source: str
    keys: Mapping[str, str]
    columns: tuple[str, ...]

    @property
    def is_dated(self) -> bool:
        """Whether its rows are of days."""
        return "day" in self.keys

    def cut(self, keys: Sequence[str], columns: Sequence[str]) -> Cube:
        """The same with some of its keys and columns."""
        kept = {name: column for name, column in self.keys.items() if name in keys}
        return replace(self, keys=kept, columns=tuple(columns))


_PEOPLE = {"manager": "manager_id", "source": "source_id"}
_STAGES = {"pipeline": "pipeline_id", "stage": "stage_id", **_PEOPLE}

ADS = ("ad_spend", "impressions", "clicks")
_SIMPLE = {
    "ads": Cube(
        ("kpi_source_period",),
        "(select *, period_start as date_day from marts.kpi_source_period "
        "where period_grain = 'day')",
        {"day": DAY, "source": "source_id"},
        ADS,
    ),
    "missed": Cube(
        ("missed_call_recovery",),
        "marts.missed_call_recovery",
        {"day": DAY, "source": "source_id"},
        (
            *("missed_calls", "recovered_by_agent", "recovered_by_client", "missed_calls_lost"),
            *("missed_calls_lost_unnumbered", "missed_calls_open", "recovery_seconds"),
        ),
    ),
    "response": Cube(
        ("speed_to_lead",),
        "(select *, month_start as date_day from marts.speed_to_lead)",
        {"day": DAY, **_PEOPLE},
        (
            *("leads_answered", "leads_answered_in_5min", "response_seconds"),
            "response_working_seconds",
        ),
    ),
    "waits": Cube(
        ("call_waiting",),
        "marts.call_waiting",
        {"day": DAY, "source": "source_id"},
        ("answer_waits", "answer_wait_seconds", "missed_waits", "missed_wait_seconds"),
    ),
    "gaps": Cube(
        ("unpriced_daily",),
        "marts.unpriced_daily",
        {"day": DAY, **_PEOPLE},
        (
            *("payments_unpriced", "deals_won_unpriced", "deals_lost_unpriced"),
            *("ad_costs_unpriced", "sales_costs_unpriced"),
        ),
    ),
    "company": Cube(
        ("kpi_company_period",),
        "(select period_start as date_day, "
        "case when period_grain = 'day' then sessions else 0 end as sessions, "
        "case when period_grain = 'month' then sales_cost else 0 end as sales_cost "
        "from marts.kpi_company_period where period_grain in ('day', 'month'))",
        {"day": DAY},
        ("sessions", "sales_cost"),
    ),
    "hours": Cube(
        ("calls_by_hour",),
        "(select * replace (date_trunc('month', date_day)::date as date_day) "
        "from marts.calls_by_hour, quality.publication where date_day <= as_of_date)",
        {"day": DAY, "weekday": "weekday", "hour": "hour_of_day", "manager": "manager_id"},
        ("calls", "calls_answered", "calls_missed"),
    ),
    # A deal stays where it is for days: days last, so that neighbours are alike.
    "pipeline": Cube(
        ("fct_pipeline_days",),
        "marts.fct_pipeline_days",
        {**_STAGES, "day": DAY},
        ("open_deals", "open_amount", "open_deals_without_amount"),
    ),
    "funnel": Cube(
        ("funnel_conversion",),
        "(select *, cohort_month as date_day from marts.funnel_conversion)",
        {"day": DAY, **_STAGES},
        ("reached", "skipped", "advanced", "lost_here", "won_here", "still_here"),
    ),
    "lost": Cube(
        ("lost_reasons",),
        "(select *, period_start as date_day from marts.lost_reasons where period_grain = 'day')",
        {"day": DAY, "manager": "manager_id", REASON: "lost_reason"},
        ("deals_lost", "lost_amount"),
    ),
    # Open deals by how long they have been where they are.
    "ageing": Cube(
        ("open_deals",),
        "(select *, 1 as aged_deals from marts.open_deals)",
        {**_STAGES, "age": "age_from_days"},
        ("aged_deals",),
    ),
    "outlook": Cube(("deal_outlook",), OPEN_DEALS_SQL, _PEOPLE, OPEN_DEALS),
    "customers": Cube(
        ("customer_value",),
        "(select *, 1 as customers, is_active::int as customers_active, "
        "revenue as customer_revenue, payments as customer_payments from marts.customer_value)",
        {"source": "source_id"},
        ("customers", "customers_active", "customer_revenue", "customer_payments"),
    ),
}


def cubes(connection: duckdb.DuckDBPyConnection) -> dict[str, Cube]:
    """All cubes by name; kpi_daily has whatever additive columns the file has there."""
    described = connection.execute("describe select * from marts.kpi_daily").fetchall()
    additive = tuple(row[0] for row in described if row[1] not in ("VARCHAR", "DATE"))
    daily = Cube(("kpi_daily",), "marts.kpi_daily", {"day": DAY, **_PEOPLE}, additive)
    return {"daily": daily, **_SIMPLE}


class Positions:
    """Managers, sources and so on as positions in the page's lists, which are sorted by key."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        def listed(sql: str) -> dict[Any, int]:
            found = connection.execute(f"{sql} order by all").fetchall()
            return {row[0]: position for position, row in enumerate(found)}

        self.age_bands: list[tuple[Any, ...]] = connection.execute(
            "select distinct age_from_days, age_to_days from marts.open_deals order by all"
        ).fetchall()
        self._of = {
            f"{name}_id": listed(f"select {name}_id from marts.dim_{name}")
            for name in ("manager", "source", "stage", "pipeline")
        }
        ages = {band[0]: position for position, band in enumerate(self.age_bands)}
        self._of["age_from_days"] = ages

    def of(self, column: str, values: Iterable[Any]) -> list[Any] | None:
        """The positions of a column's values, -1 for one that no list has; None: not listed."""
        known = self._of.get(column)
        return None if known is None else [known.get(value, -1) for value in values]


def encoded(cube: Cube, found: Mapping[str, NDArray[Any]], positions: Positions) -> dict[str, Any]:
    """The columns of a result as the page reads them; days are numbers already."""
    rows = len(next(iter(found.values())))
    result: dict[str, Any] = {"rows": rows, "keys": {}, "columns": {}}
    for key, column in cube.keys.items():
        values = found[column].tolist()
        if key == REASON:
            result["reasons"] = sorted(set(values))
            place = {value: at for at, value in enumerate(result["reasons"])}
            result["keys"][key] = encode([place[value] for value in values])
            continue
        listed = positions.of(column, values)
        numbers = [int(value) for value in values] if listed is None else listed
        result["keys"][key] = (encode_days if key == "day" else encode)(numbers)
    for name in cube.columns:
        result["columns"][name] = encode_figures(found[name])
    return result


def summed(columns: Iterable[str]) -> str:
    """Sums of columns as SQL, 0 of nothing."""
    return ", ".join(
        f"coalesce(sum({quote(name)}), 0)::double as {quote(name)}" for name in columns
    )
