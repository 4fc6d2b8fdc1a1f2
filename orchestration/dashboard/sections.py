"""What a page says beside its cubes: names, definitions, and rows as the marts have them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
from numpy.typing import NDArray

from orchestration.base.errors import shortened
from orchestration.base.sql import quote
from orchestration.base.variables import Variables
from orchestration.dashboard.cubes import ADDED_UP, Cube, Positions, cubes
from orchestration.dashboard.encode import encode
from orchestration.dashboard.formulas import formula
from orchestration.dashboard.outlook import outlook
from orchestration.expectations.acceptance import unpriced_money
from orchestration.metrics import rows
from orchestration.metrics.catalogue import GRAINS, LANGUAGES, Catalogue
from orchestration.metrics.needs import MANAGER, Needs, empty_tables
from orchestration.publication.published import quarantine_reasons

MAX_PRESALE = 200
_LONGEST_CURRENCY = 12
_GRAINS = "('day', 'week', 'month', 'quarter', 'year')"
# Figures of the company by period that the page cannot form of sums.
COMPANY = (
    *("ad_spend", "sales_cost", "cac", "active_customers", "churned_customers", "churn_rate"),
    *("retention_rate", "arpc", "clv", "sessions", "median_response_minutes"),
    *("median_cycle_days", "responded_in_5min_rate"),
)
# A state of the company that the page divides by.
_STATES = ("active_customers",)
# Figures of managers that the page cannot form of sums: medians, and what has sums by month only.
STATED = ("median_response_minutes", "median_cycle_days", "responded_in_5min_rate")


@dataclass(frozen=True)
class Dated:
    """Rows of a mart that have a day, `period_start`; `select` names the columns that leave."""

    mart: str
    select: str

    def sql(self, where: str) -> str:
        """The rows that a condition on the day and the length of the period leaves."""
        return f"from ({self.select} from marts.{self.mart}) where {where} order by all"


DATED = {
    "company": Dated(
        "kpi_company_period",
        f"select period_grain, period_start, {', '.join(COMPANY)}",
    ),
    # Days apart: nobody reads the median of a day.
    "stated": Dated(
        "kpi_manager_period",
        "select case when period_grain <> 'day' "
        f"and coalesce({', '.join(STATED)}) is not null then period_grain end "
        f"as period_grain, period_start, manager_id, {', '.join(STATED)}",
    ),
    "plans": Dated(
        "quota_attainment",
        "select metric, period as period_grain, period_start, manager_id, target, "
        "actual_to_date as actual, target_to_date",
    ),
    "diagnosis": Dated(
        "kpi_diagnostics",
        "select period_grain, period_start, manager_id, situation, check_no, metric, "
        "current_value, previous_value, ratio, verdict, advice_ru, advice_en",
    ),
    # Rates that have a value; sorted by metric, what repeats stands together.
    "profiles": Dated(
        "manager_profile",
        "select metric, period_start, manager_id, case when value is not null then 'month' end "
        "as period_grain, round(value, 5) as value, denominator, "
        "round(team_median, 5) as team_median, team_managers, is_small_sample, funnel, "
        "from_step, to_step, round(gap_in_deals, 2) as gap_in_deals, "
        "round(gap_in_money) as gap_in_money, verdict",
    ),
    "loads": Dated(
        "manager_profile",
        "select distinct period_start, manager_id, case when depth_or_breadth is not null "
        "then 'month' end as period_grain, depth_or_breadth, deals_in_work, "
        "round(actions_per_deal, 4) as actions_per_deal, team_deals_in_work, "
        "round(team_actions_per_deal, 4) as team_actions_per_deal",
    ),
}
# A table that is hidden says so by an error; one that an older publication lacks is not there. Any
# other error, a question that ran out of its time too, is no answer to what may be seen.
_UNSEEN = (duckdb.InvalidInputException, duckdb.CatalogException)
_NO_ROWS: dict[str, Any] = {"rows": 0, "columns": {}}
KNOWN_GRAIN = f"period_grain in {_GRAINS}"


class Sections:
    """Reads one published file, or what a viewer sees of it: some tables may be hidden from him."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._seen: dict[str, bool] = {}
        self.all_cubes = cubes(connection)
        self.cubes = {
            name: cube
            for name, cube in self.all_cubes.items()
            if all(self.sees(f"marts.{table}") for table in cube.tables)
        }
        self.positions = Positions(connection)
        self.as_of: date | None = self.one("select max(as_of_date) from quality.publication")[0]
        first, last = self.one("select min(date_day), max(date_day) from marts.kpi_daily")
        self.end: date = self.as_of or last or date(2000, 1, 1)
        self.first: date = min(first or self.end, self.end)

    def on(self, connection: duckdb.DuckDBPyConnection) -> Sections:
        """The same by another connection, which sees the same publication and as much of it."""
        other = copy(self)
        other._connection = connection
        return other

    def sees(self, table: str) -> bool:
        """Whether a table, as marts.fct_deals, is there for the reader."""
        if table not in self._seen:
            try:
                self.rows(f"select 1 from {table} limit 1")
                self._seen[table] = True
            except _UNSEEN:
                self._seen[table] = False
        return self._seen[table]

    # Names and definitions

    def about(self, variables: Variables, needs: Needs) -> dict[str, Any]:
        """What is shown: the publication, its last day, what it lacks."""
        row = self.records(
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
            "start": self.first.isoformat(),
            "end": self.end.isoformat(),
            "is_whole": True,
            "has_sources": True,
            "age_bands": [list(band) for band in self.positions.age_bands],
            "later": self._later(),
            "without_rate": self._without_rate(needs),
            "empty": sorted(self._empty()),
            "hidden": sorted(
                {
                    table
                    for name in self.all_cubes.keys() - self.cubes.keys()
                    for table in self.all_cubes[name].tables
                }
                | {dated.mart for dated in DATED.values() if not self.sees(f"marts.{dated.mart}")}
            ),
        }

    def needs(self, catalogue: Catalogue) -> Needs:
        """What metrics lack in this file."""
        return Needs(catalogue, self._empty())

    def _empty(self) -> frozenset[str]:
        if not self.sees("quality.raw_reconciliation"):
            return frozenset()
        return empty_tables(self._connection)

    def _without_rate(self, needs: Needs) -> dict[str, list[list[Any]]]:
        if not self.sees("quality.unpriced_money"):
            return {}
        return {
            gap: [
                [shortened(name, _LONGEST_CURRENCY), rows] for name, rows in it.currencies.items()
            ]
            for it in unpriced_money(self._connection)
            for _, gap in needs.lacks(it.figure)
        }

    def _later(self) -> dict[str, int | float]:
        """What there is after the as-of date, by figure: no period of the page holds it."""
        later: dict[str, int | float] = {}
        for name in ("daily", "ads"):
            if name not in self.cubes:
                continue
            cube = self.cubes[name]
            sums = ", ".join(f"sum({quote(column)})::double" for column in cube.columns)
            found = self.one(f"select {sums} from {cube.source} where date_day > '{self.end}'")
            later |= {key: value for key, value in zip(cube.columns, found, strict=True) if value}
        return later

    def lists(self) -> dict[str, Any]:
        """Managers, sources, pipelines and stages, sorted by key."""
        stages = self.records(
            "select stage_id as id, stage_name as name, pipeline_id as pipeline, stage_no as no, "
            "kind, is_deleted as gone from marts.dim_stage order by stage_id"
        )
        places = self.positions.of("pipeline_id", [stage["pipeline"] for stage in stages])
        assert places is not None
        return {
            "managers": self.records(
                "select manager_id as id, manager_name as name, team, role, is_deleted as gone "
                "from marts.dim_manager order by manager_id"
            ),
            "sources": self.records(
                "select source_id as id, source_name as name, channel, is_deleted as gone "
                "from marts.dim_source order by source_id"
            ),
            "pipelines": self.records(
                "select pipeline_id as id, pipeline_name as name, is_deleted as gone "
                "from marts.dim_pipeline order by pipeline_id"
            ),
            "stages": [
                {**stage, "pipeline": place} for stage, place in zip(stages, places, strict=True)
            ],
        }

    def metrics(self, catalogue: Catalogue, needs: Needs) -> dict[str, Any]:
        """Names, units and formulas of the catalogue's metrics, and what they lack.

        What is empty is left out: most metrics lack nothing. `hidden`: the reader does not see
        what it is made of.
        """
        seen, all_columns = _columns(self.cubes), _columns(self.all_cubes)
        is_company_seen = self.sees("marts.kpi_company_period")
        found: dict[str, Any] = {}
        for metric in catalogue.public:
            entry: dict[str, Any] = {
                "label": {language: metric.labels[language] for language in LANGUAGES},
                "about": {language: metric.descriptions[language] for language in LANGUAGES},
                "unit": metric.unit,
                "good": metric.good_direction,
            }
            whole = formula(catalogue, metric.name, all_columns)
            parts = whole and formula(catalogue, metric.name, seen)
            if parts is not None:
                entry["num"] = parts.numerator
                if parts.denominator is not None:
                    entry["den"] = parts.denominator
                if parts.having is not None:
                    entry["having"] = parts.having
            is_of_company = parts is None and metric.name in COMPANY
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
                "hidden": (whole is not None and parts is None)
                or (is_of_company and metric.name not in STATED and not is_company_seen),
            }
            found[metric.name] = entry | {name: value for name, value in more.items() if value}
        return found

    # Rows as the marts have them

    def dated(self, name: str, where: str) -> dict[str, Any]:
        """Rows of one of `DATED` that a condition on `period_grain` and `period_start` leaves."""
        return self.table(f"{DATED[name].sql(f'{KNOWN_GRAIN} and {where}')}")

    def cohorts(self) -> dict[str, Any]:
        """Customers by the month of their first payment."""
        return self.table(
            "select cohort_month, months_since, customers, active, active_share, revenue, "
            "cumulative_revenue from marts.customer_cohorts order by all"
        )

    def presale(self) -> dict[str, Any]:
        """The dearest deals that are about to be paid."""
        return self.table(
            "select deal_id, stage_id, manager_id, source_id, amount, days_in_stage as days, "
            "is_entry_uncertain as is_at_least from marts.open_deals where stage_kind = 'presale' "
            f"order by amount desc nulls last, deal_id limit {MAX_PRESALE}"
        )

    def column_names(self) -> dict[str, str]:
        """Russian names of the marts' columns, as the schema marts_ru has them."""
        found = self.rows(
            "select named.column_name, mode(said.column_name) from duckdb_columns() as named "
            "join duckdb_columns() as said using (database_name, table_name, column_index) "
            "where named.schema_name = 'marts' and said.schema_name = 'marts_ru' group by all"
        )
        return dict(found)

    def outlook(self) -> dict[str, Any]:
        """What will come, and how good such words were."""

        def seen(sql: str, more: Mapping[str, Mapping[Any, int]]) -> dict[str, Any]:
            marts = re.findall(r"\bmarts\.\w+", sql)
            return self.table(sql, more) if all(map(self.sees, marts)) else _NO_ROWS

        return outlook(self.rows, seen)

    def quality(self) -> dict[str, Any]:
        """What the figures rest on; of tables that the reader does not see, nothing."""

        def seen(table: str, sql: str) -> list[dict[str, Any]]:
            # Of the raw tables such a reader sees only which ones were loaded.
            return self.records(sql) if self.sees(table) and is_whole else []

        is_whole = self.sees("quality.checks")
        return {
            "quarantine": self._quarantine(),
            "checks": seen(
                "quality.checks",
                "select check_name, kind, asset, severity, status, failing_rows, message "
                "from quality.checks where status <> 'pass' order by all limit 100",
            ),
            "kinds": seen(
                "quality.checks",
                "select kind, count(*) filter (where status = 'pass') as passed, "
                "count(*) filter (where status = 'warn') as warned, "
                "count(*) filter (where status not in ('pass', 'warn')) as failed "
                "from quality.checks group by kind order by kind",
            ),
            "tables": seen(
                "quality.raw_reconciliation",
                "select table_name, files, rows_read, rows_kept, rows_quarantined "
                "from quality.raw_reconciliation order by table_name",
            ),
            "found": seen(
                "marts.data_quality_daily",
                "select date_trunc('month', date_day)::date as month, "
                "split_part(check_name, ':', 1) as check_name, sum(rows)::bigint as rows "
                "from marts.data_quality_daily group by all order by all",
            ),
            "drift": seen(
                "quality.schema_drift",
                "select table_name, column_name, data_type, count(*) as files "
                "from quality.schema_drift group by all order by all",
            ),
        }

    def _quarantine(self) -> list[dict[str, Any]]:
        try:
            reasons = quarantine_reasons(self._connection)
        except _UNSEEN:
            # Rows in quarantine are shown as they came, so only to who may see them so.
            return []
        return [{"table": it.table, "reason": it.reason, "rows": it.rows} for it in reasons]

    # Reading

    def one(self, sql: str) -> tuple[Any, ...]:
        """A result's only row."""
        row = self._connection.execute(sql).fetchone()
        assert row is not None
        return row

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A result by rows."""
        return self._connection.execute(sql).fetchall()

    def numpy(self, sql: str) -> dict[str, NDArray[Any]]:
        """A result by columns of numbers."""
        found: dict[str, NDArray[Any]] = self._connection.execute(sql).fetchnumpy()
        return found

    def records(self, sql: str) -> list[dict[str, Any]]:
        """A result as records; dates as texts."""
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
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        table: dict[str, Any] = {"rows": len(rows), "columns": {}}
        for name, values in zip(names, columns, strict=True):
            listed = self.positions.of(name, values)
            if listed is not None:
                values = listed
            elif more and name in more:
                values = [more[name].get(value) for value in values]
            table["columns"][name] = encode(values)
        return table


def parts_of(catalogue: Catalogue) -> dict[str, Any]:
    """By metric that has no rows of its own: how it comes from others, and from which."""
    found: dict[str, Any] = {}
    for metric in catalogue.public:
        parts = rows.parts_of(catalogue, metric.name)
        if parts != [metric.name]:
            found[metric.name] = {"formula": catalogue.formula(metric.name), "parts": parts}
    return found


def _columns(found: Mapping[str, Cube]) -> set[str]:
    """What formulas may be made of: additive columns, and states that the page divides by."""
    return {name for key in ADDED_UP if key in found for name in found[key].columns} | {*_STATES}
