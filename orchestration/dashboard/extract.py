"""What the dashboard shows, read from one published file: marts and what it says about itself.

Tables that a filter cuts are cubes: key columns, as positions in the lists of managers, sources
and so on, and additive columns. Figures that do not add up come as rows of the mart that has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from orchestration.base.errors import shortened
from orchestration.base.sql import quote
from orchestration.base.variables import Variables
from orchestration.dashboard.encode import encode, encode_days, encode_figures
from orchestration.dashboard.formulas import formula
from orchestration.dashboard.outlook import OPEN_DEALS, OPEN_DEALS_SQL, outlook
from orchestration.expectations.acceptance import unpriced_money
from orchestration.metrics.catalogue import GRAINS, LANGUAGES, Catalogue
from orchestration.metrics.needs import MANAGER, Needs, empty_tables
from orchestration.publication.published import quarantine_reasons

# Rows of kpi_daily in a page: what a browser still filters at once, about 1 MB.
MAX_DAILY_ROWS = 60_000
# Days of which the page has the pipeline day by day; before them it has ends of weeks and months.
PIPELINE_DAYS = 62
MAX_PRESALE = 200
# Rates of profiles in a page, those of the latest months: three years of thirty managers.
MAX_PROFILE_ROWS = 12_000
# Cubes whose columns add up over days, so that metrics can be formed of them.
ADDED_UP = ("daily", "ads", "missed", "waits", "response", "lost", "gaps", "company")

_GRAINS = "('day', 'week', 'month', 'quarter', 'year')"
_COMPANY = (
    *("ad_spend", "sales_cost", "cac", "active_customers", "churned_customers", "churn_rate"),
    *("retention_rate", "arpc", "clv", "sessions", "median_response_minutes"),
    *("median_cycle_days", "responded_in_5min_rate"),
)
# A state of the company that the page divides by.
_STATES = ("active_customers",)
# Figures of managers that the page cannot form of sums: medians, and what has sums by month only.
_STATED = ("median_response_minutes", "median_cycle_days", "responded_in_5min_rate")
_ADS = ("ad_spend", "impressions", "clicks")
_MISSED = (
    *("missed_calls", "recovered_by_agent", "recovered_by_client", "missed_calls_lost"),
    *("missed_calls_lost_unnumbered", "missed_calls_open", "recovery_seconds"),
)
_WAITS = ("answer_waits", "answer_wait_seconds", "missed_waits", "missed_wait_seconds")
_GAPS = (
    *("payments_unpriced", "deals_won_unpriced", "deals_lost_unpriced", "ad_costs_unpriced"),
    "sales_costs_unpriced",
)
_LONGEST_CURRENCY = 12
_RESPONSE = (
    *("leads_answered", "leads_answered_in_5min", "response_seconds"),
    "response_working_seconds",
)


@dataclass(frozen=True)
class Window:
    """Which history the page has: days from `start` on; `has_sources`: kpi_daily by source too."""

    start: date
    end: date
    is_whole: bool
    has_sources: bool = True


class Extract:
    """Reads the published file once and gives the page's data."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, max_rows: int) -> None:
        self._connection = connection
        self._as_of = self._one("select max(as_of_date) from quality.publication")[0]
        self.window = self._window(max_rows)
        self._managers = self.rows("select manager_id from marts.dim_manager order by all")
        self._sources = self.rows("select source_id from marts.dim_source order by all")
        self._bands = self.rows(
            "select distinct age_from_days, age_to_days from marts.open_deals order by all"
        )
        self._positions = {
            "manager_id": _positions(self._managers),
            "source_id": _positions(self._sources),
            "stage_id": _positions(self.rows(_STAGES)),
            "pipeline_id": _positions(self.rows(_PIPELINES)),
            "age_from_days": _positions(self._bands),
        }

    def data(self, catalogue: Catalogue, variables: Variables) -> dict[str, Any]:
        """Everything that the page needs, ready for JSON; `variables` are dbt's."""
        cubes = self._cubes()
        columns = {name for cube in ADDED_UP for name in cubes[cube]["columns"]}
        needs = Needs(catalogue, empty_tables(self._connection))
        return {
            "about": self._about(variables, needs),
            "metrics": _metrics(catalogue, needs, {*columns, *_STATES}),
            "managers": self._records(
                "select manager_id as id, manager_name as name, team, role, is_deleted as gone "
                "from marts.dim_manager order by manager_id"
            ),
            "sources": self._records(
                "select source_id as id, source_name as name, channel, is_deleted as gone "
                "from marts.dim_source order by source_id"
            ),
            "pipelines": self._records(
                "select pipeline_id as id, pipeline_name as name, is_deleted as gone "
                "from marts.dim_pipeline order by pipeline_id"
            ),
            "stages": self._stages(),
            "cubes": cubes,
            "company": self._company(),
            "stated": self._stated(),
            "plans": self._plans(),
            "diagnosis": self._diagnosis(),
            "profiles": self._profiles(),
            "loads": self.table(
                "select distinct period_start, manager_id, depth_or_breadth, deals_in_work, "
                "round(actions_per_deal, 4) as actions_per_deal, team_deals_in_work, "
                "round(team_actions_per_deal, 4) as team_actions_per_deal "
                "from marts.manager_profile where depth_or_breadth is not null "
                f"and period_start >= date '{self.window.start.replace(day=1)}' order by all"
            ),
            "cohorts": self.table(
                "select cohort_month, months_since, customers, active, active_share, revenue, "
                "cumulative_revenue from marts.customer_cohorts order by all"
            ),
            "presale": self._presale(),
            "outlook": outlook(self.rows, self.table),
            "quality": self._quality(),
        }

    # How much history

    def _window(self, max_rows: int) -> Window:
        """All of it, or as many last months as fit; if too few do, without sources."""
        first, last = self._one("select min(date_day), max(date_day) from marts.kpi_daily")
        end = self._as_of or last or date(2000, 1, 1)
        first = min(first or end, end)
        for months, has_sources in ((0, True), (25, True), (13, True), (7, True), (0, False)):
            start = first if not months else _months_before(end, months)
            if self._daily_rows(start, has_sources) <= max_rows:
                return Window(max(start, first), end, start <= first, has_sources)
        for months in (25, 13, 7, 4):
            start = _months_before(end, months)
            if self._daily_rows(start, has_sources=False) <= max_rows:
                break
        return Window(max(start, first), end, start <= first, has_sources=False)

    def _daily_rows(self, start: date, has_sources: bool) -> int:
        keys = "*" if has_sources else "distinct (date_day, manager_id)"
        # The date in the text: binding a value makes duckdb import pandas, half a second.
        sql = f"select count({keys}) from marts.kpi_daily where date_day >= date '{start}'"
        return int(self._one(sql)[0])

    # Cubes

    def _cubes(self) -> dict[str, dict[str, Any]]:
        source = "" if self.window.has_sources else "replace ('' as source_id)"
        return {
            "daily": self._cube(
                f"from (select * {source} from marts.kpi_daily)",
                {"day": "date_day", "manager": "manager_id", "source": "source_id"},
                self._additive(),
            ),
            "ads": self._cube(
                "from (select *, period_start as date_day from marts.kpi_source_period "
                "where period_grain = 'day')",
                {"day": "date_day", "source": "source_id"},
                _ADS,
            ),
            "missed": self._cube(
                "from marts.missed_call_recovery",
                {"day": "date_day", "source": "source_id"},
                _MISSED,
            ),
            "response": self._cube(
                "from (select *, month_start as date_day from marts.speed_to_lead)",
                {"day": "date_day", "manager": "manager_id", "source": "source_id"},
                _RESPONSE,
            ),
            "waits": self._cube(
                "from marts.call_waiting", {"day": "date_day", "source": "source_id"}, _WAITS
            ),
            "gaps": self._cube(
                "from marts.unpriced_daily",
                {"day": "date_day", "manager": "manager_id", "source": "source_id"},
                _GAPS,
            ),
            "company": self._cube(
                "from (select period_start as date_day, "
                "case when period_grain = 'day' then sessions else 0 end as sessions, "
                "case when period_grain = 'month' then sales_cost else 0 end as sales_cost "
                "from marts.kpi_company_period where period_grain in ('day', 'month'))",
                {"day": "date_day"},
                ("sessions", "sales_cost"),
            ),
            "hours": self._cube(
                "from (select * replace (date_trunc('month', date_day)::date as date_day) "
                f"from marts.calls_by_hour where date_day <= date '{self.window.end}')",
                {
                    **{"day": "date_day", "weekday": "weekday", "hour": "hour_of_day"},
                    "manager": "manager_id",
                },
                ("calls", "calls_answered", "calls_missed"),
            ),
            "pipeline": self._cube(
                "from (from marts.fct_pipeline_days where date_day > date '"
                f"{self.window.end - timedelta(days=PIPELINE_DAYS)}' or isodow(date_day) = 7 "
                "or date_day = last_day(date_day))",
                # A deal stays where it is for days: days last, so that neighbours are alike.
                {
                    **{"pipeline": "pipeline_id", "stage": "stage_id", "manager": "manager_id"},
                    **{"source": "source_id", "day": "date_day"},
                },
                ("open_deals", "open_amount", "open_deals_without_amount"),
            ),
            "funnel": self._cube(
                "from (select *, cohort_month as date_day from marts.funnel_conversion)",
                {
                    **{"day": "date_day", "pipeline": "pipeline_id", "stage": "stage_id"},
                    **{"manager": "manager_id", "source": "source_id"},
                },
                ("reached", "skipped", "advanced", "lost_here", "won_here", "still_here"),
            ),
            "lost": self._cube(
                "from (select *, period_start as date_day from marts.lost_reasons "
                "where period_grain = 'day')",
                {"day": "date_day", "manager": "manager_id", "reason": "lost_reason"},
                ("deals_lost", "lost_amount"),
            ),
            "ageing": self._ageing(),
            "outlook": self._cube(
                OPEN_DEALS_SQL,
                {"manager": "manager_id", "source": "source_id"},
                OPEN_DEALS,
                is_dated=False,
            ),
            "customers": self._customers(),
        }

    def _cube(
        self, source: str, keys: dict[str, str], columns: Sequence[str], is_dated: bool = True
    ) -> dict[str, Any]:
        """A table by keys, summed; keys as positions, days counted from the window's start."""
        sums = ", ".join(
            f"coalesce(sum({quote(name)}), 0)::double as {quote(name)}" for name in columns
        )
        taken = ", ".join(quote(column) for column in keys.values())
        days = f"(date_day - date '{self.window.start}')::int as date_day"
        selected = taken.replace(quote("date_day"), days)
        # A month that the window cuts is left in where its first day is.
        where = (
            f"where date_day >= date '{self.window.start.replace(day=1)}' "
            f"and date_day <= date '{self.window.end}'"
            if is_dated
            else ""
        )
        found = self._connection.execute(
            f"select {selected}, {sums} {source} {where} group by all order by all"
        ).fetchnumpy()
        rows = len(next(iter(found.values())))
        cube: dict[str, Any] = {"rows": rows, "keys": {}, "columns": {}}
        for key, column in keys.items():
            values = found[column].tolist()
            if key == "reason":
                cube["reasons"] = sorted(set(values))
                cube["keys"][key] = encode([cube["reasons"].index(value) for value in values])
            else:
                found_keys = self._key(column, values)
                cube["keys"][key] = (encode_days if key == "day" else encode)(found_keys)
        for name in columns:
            cube["columns"][name] = encode_figures(found[name])
        return cube

    def _additive(self) -> list[str]:
        """The figures of kpi_daily."""
        found = self.rows(
            "select column_name from duckdb_columns() where schema_name = 'marts' and "
            "table_name = 'kpi_daily' and data_type not in ('VARCHAR', 'DATE') "
            "order by column_index"
        )
        return [name for (name,) in found]

    def _key(self, column: str, values: Iterable[Any]) -> list[int]:
        positions = self._positions.get(column)
        return [int(v) if positions is None else positions.get(v, -1) for v in values]

    def _ageing(self) -> dict[str, Any]:
        """Open deals by how long they have been where they are."""
        return self._cube(
            "from (select *, 1 as aged_deals from marts.open_deals)",
            {
                **{"pipeline": "pipeline_id", "stage": "stage_id", "manager": "manager_id"},
                **{"source": "source_id", "age": "age_from_days"},
            },
            ("aged_deals",),
            is_dated=False,
        )

    def _customers(self) -> dict[str, Any]:
        return self._cube(
            "from (select *, 1 as customers, is_active::int as customers_active, "
            "revenue as customer_revenue, payments as customer_payments "
            "from marts.customer_value)",
            {"source": "source_id"},
            ("customers", "customers_active", "customer_revenue", "customer_payments"),
            is_dated=False,
        )

    # Rows as the marts have them

    def _about(self, variables: Variables, needs: Needs) -> dict[str, Any]:
        row = self._records(
            "select publication_id, project_version as version, as_of_date as as_of, "
            "strftime(published_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as published_at, "
            "is_demo, raw_files, raw_rows, rows_quarantined, checks_passed, checks_warned, "
            "checks_failed from quality.publication"
        )[0]
        return {
            **row,
            "currency": variables.base_currency,
            # What a figure has to fall below, as a share of the one before.
            "drop": variables.diagnostic_drop,
            "start": self.window.start.isoformat(),
            "end": self.window.end.isoformat(),
            "is_whole": self.window.is_whole,
            "has_sources": self.window.has_sources,
            "age_bands": [list(band) for band in self._bands],
            "later": self._later(),
            "without_rate": {
                gap: [
                    [shortened(name, _LONGEST_CURRENCY), rows]
                    for name, rows in it.currencies.items()
                ]
                for it in unpriced_money(self._connection)
                for _, gap in needs.lacks(it.figure)
            },
            "empty": sorted(empty_tables(self._connection)),
        }

    def _later(self) -> dict[str, int | float]:
        """What there is after the as-of date, by figure: no period of the page holds it."""
        later: dict[str, int | float] = {}
        for columns, source in (
            (self._additive(), "marts.kpi_daily"),
            (
                _ADS,
                "(select *, period_start as date_day from marts.kpi_source_period "
                "where period_grain = 'day')",
            ),
        ):
            sums = ", ".join(f"sum({quote(name)})::double" for name in columns)
            found = self._one(f"select {sums} from {source} where date_day > '{self.window.end}'")
            later |= {name: value for name, value in zip(columns, found, strict=True) if value}
        return later

    def _stages(self) -> list[dict[str, Any]]:
        stages = self._records(
            "select stage_id as id, stage_name as name, pipeline_id as pipeline, stage_no as no, "
            "kind, is_deleted as gone from marts.dim_stage order by stage_id"
        )
        pipelines = self._positions["pipeline_id"]
        return [{**stage, "pipeline": pipelines.get(stage["pipeline"], -1)} for stage in stages]

    def _company(self) -> dict[str, Any]:
        return self.table(
            f"select period_grain, period_start, {', '.join(_COMPANY)} "
            f"from marts.kpi_company_period where {self._in_window()} order by all"
        )

    def _stated(self) -> dict[str, Any]:
        """Such figures of managers, days apart: nobody reads the median of a day."""
        found = " or ".join(f"{name} is not null" for name in _STATED)
        return self.table(
            f"select period_grain, period_start, manager_id, {', '.join(_STATED)} "
            f"from marts.kpi_manager_period where {self._in_window()} "
            f"and period_grain <> 'day' and ({found}) order by all"
        )

    def _plans(self) -> dict[str, Any]:
        return self.table(
            "select metric, period as period_grain, period_start, manager_id, target, "
            "actual_to_date as actual, target_to_date from marts.quota_attainment "
            f"where period_start >= date '{self.window.start.replace(day=1)}' order by all"
        )

    def _diagnosis(self) -> dict[str, Any]:
        return self.table(
            "select period_grain, period_start, manager_id, situation, check_no, metric, "
            "current_value, previous_value, ratio, verdict, advice_ru, advice_en "
            f"from marts.kpi_diagnostics where {self._in_window()} order by all"
        )

    def _profiles(self) -> dict[str, Any]:
        """Rates that have a value, sorted so that what repeats stands together."""
        return self.table(
            "select period_start, manager_id, metric, round(value, 5) as value, denominator, "
            "round(team_median, 5) as team_median, team_managers, is_small_sample, funnel, "
            "from_step, to_step, round(gap_in_deals, 2) as gap_in_deals, "
            "round(gap_in_money) as gap_in_money, verdict from (select *, count(*) over "
            "(order by period_start desc range unbounded preceding) as rows_since "
            "from marts.manager_profile where value is not null "
            f"and period_start >= date '{self.window.start.replace(day=1)}') "
            f"where rows_since <= {MAX_PROFILE_ROWS} "
            "order by metric, period_start, role, manager_id"
        )

    def _presale(self) -> dict[str, Any]:
        return self.table(
            "select deal_id, stage_id, manager_id, source_id, amount, days_in_stage as days, "
            "is_entry_uncertain as is_at_least from marts.open_deals where stage_kind = 'presale' "
            f"order by amount desc nulls last, deal_id limit {MAX_PRESALE}"
        )

    def _quality(self) -> dict[str, Any]:
        return {
            "quarantine": [
                {"table": found.table, "reason": found.reason, "rows": found.rows}
                for found in quarantine_reasons(self._connection)
            ],
            "checks": self._records(
                "select check_name, kind, asset, severity, status, failing_rows, message "
                "from quality.checks where status <> 'pass' order by all limit 100"
            ),
            "kinds": self._records(
                "select kind, count(*) filter (where status = 'pass') as passed, "
                "count(*) filter (where status = 'warn') as warned, "
                "count(*) filter (where status not in ('pass', 'warn')) as failed "
                "from quality.checks group by kind order by kind"
            ),
            "tables": self._records(
                "select table_name, files, rows_read, rows_kept, rows_quarantined "
                "from quality.raw_reconciliation order by table_name"
            ),
            "found": self._records(
                "select date_trunc('month', date_day)::date as month, "
                "split_part(check_name, ':', 1) as check_name, sum(rows)::bigint as rows "
                "from marts.data_quality_daily group by all order by all"
            ),
            "drift": self._records(
                "select table_name, column_name, data_type, count(*) as files "
                "from quality.schema_drift group by all order by all"
            ),
        }

    # Reading

    def _in_window(self) -> str:
        # The year and the quarter that hold the window's start begin before it.
        start = self.window.start.replace(month=1, day=1) - timedelta(days=7)
        return (
            f"period_grain in {_GRAINS} and period_start >= date '{start}' "
            f"and period_start <= date '{self.window.end}'"
        )

    def _one(self, sql: str) -> tuple[Any, ...]:
        row = self._connection.execute(sql).fetchone()
        assert row is not None
        return row

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A result by rows."""
        return self._connection.execute(sql).fetchall()

    def _records(self, sql: str) -> list[dict[str, Any]]:
        found = self._connection.execute(sql)
        names = [column[0] for column in found.description or ()]
        return [
            {
                name: value.isoformat() if isinstance(value, date) else value
                for name, value in zip(names, row, strict=True)
            }
            for row in found.fetchall()
        ]

    def table(
        self, sql: str, more: Mapping[str, Mapping[Any, int]] | None = None
    ) -> dict[str, Any]:
        """A result by columns; ids of managers and so on as positions.

        `more` has, by column, the positions of further values. NULL stays NULL in these.
        """
        found = self._connection.execute(sql)
        names = [column[0] for column in found.description or ()]
        rows = found.fetchall()
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        table: dict[str, Any] = {"rows": len(rows), "columns": {}}
        for name, values in zip(names, columns, strict=True):
            positions = self._positions.get(name)
            if positions is not None:
                values = tuple(positions.get(value, -1) for value in values)
            elif more and name in more:
                values = tuple(more[name].get(value) for value in values)
            table["columns"][name] = encode(values)
        return table


def _metrics(catalogue: Catalogue, needs: Needs, columns: set[str]) -> dict[str, Any]:
    """Names, units and formulas of the catalogue's metrics, and what they lack.

    What is empty is left out: most metrics lack nothing.
    """
    found: dict[str, Any] = {}
    for metric in catalogue.public:
        entry: dict[str, Any] = {
            "label": {language: metric.labels[language] for language in LANGUAGES},
            "about": {language: metric.descriptions[language] for language in LANGUAGES},
            "unit": metric.unit,
            "good": metric.good_direction,
        }
        parts = formula(catalogue, metric.name, columns)
        if parts is not None:
            entry["num"] = parts.numerator
            if parts.denominator is not None:
                entry["den"] = parts.denominator
            if parts.having is not None:
                entry["having"] = parts.having
        absence = needs.absence(metric.name)
        by_manager = needs.absence(metric.name, (MANAGER,))
        more: dict[str, Any] = {
            "missing": absence.missing,
            "missing_by_manager": by_manager.missing[len(absence.missing) :],
            "partly": absence.partly,
            "lacks": needs.lacks(metric.name),
            "blind": metric.blind,
            "price": metric.is_price,
            "grains": metric.all_grains if set(metric.all_grains) < set(GRAINS) else (),
        }
        found[metric.name] = entry | {name: value for name, value in more.items() if value}
    return found


def _positions(rows: Sequence[tuple[Any, ...]]) -> dict[Any, int]:
    return {row[0]: position for position, row in enumerate(rows)}


def _months_before(day: date, months: int) -> date:
    """The first day of the month so many months before a day's, that month counted."""
    index = day.year * 12 + day.month - months
    return date(index // 12, index % 12 + 1, 1)


_STAGES = "select stage_id from marts.dim_stage order by stage_id"
_PIPELINES = "select pipeline_id from marts.dim_pipeline order by pipeline_id"
