"""Saved queries as tables: each figure, that of the period before, and the year to date.

A table has a row for every member (manager, source …) and period from the member's first one to
the as-of date, so that a week without anything is a row of zeros and not a gap. Figures of the
period come from MetricFlow as they are. The year to date is MetricFlow's daily sums added up to
the period's last day, and quotients of those sums; where days do not add up (medians, distinct
counts) it is MetricFlow's own running figure. A state's year to date is the state. What has
neither (churn, lifetime value: their period is a month) has no such column. Figures whose raw
tables are empty are 0 or NULL as in the marts; the column `not_loaded` names them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.base.sql import literal, quote
from orchestration.metrics.catalogue import (
    LAST,
    SCHEMA,
    SUM,
    Catalogue,
    Metric,
    inputs_of,
)
from orchestration.metrics.engine import METRIC_TIME, Question
from orchestration.metrics.needs import Needs

PERIOD = "period_start"
PREVIOUS, TO_DATE = "_previous", "_year_to_date"
IS_RUNNING = "is_running"
NOT_LOADED = "not_loaded"
_RUNNING_FIGURE = "__year_to_date"
PERIOD_ENDS = "period_ends"
_CALL = re.compile(r"(TimeDimension|Dimension|Entity)\('([^']+)'(?:,\s*'([^']+)')?\)")


@dataclass(frozen=True)
class Export:
    """A saved query that becomes a table; `by` is what MetricFlow groups by beside time."""

    name: str
    description: str
    metrics: tuple[str, ...]
    grain: str
    by: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The table's columns for `by`: entities are keys, `manager__name` is `manager_name`."""
        return tuple(_column(item) for item in self.by)

    @property
    def grain_columns(self) -> tuple[str, ...]:
        """The table's key: the period and the entities, or all of `by` where there is none."""
        entities = [_column(item) for item in self.by if "__" not in item]
        return (PERIOD, *(entities or self.keys))


def exports_of(catalogue: Catalogue) -> list[Export]:
    """The saved queries that are to be tables, in the manifest's order."""
    found = []
    for query in catalogue.saved_queries:
        calls = [_CALL.fullmatch(item) for item in query["query_params"]["group_by"]]
        parts = [call.groups() for call in calls if call]
        times = [grain for kind, _, grain in parts if kind == "TimeDimension"]
        for export in query["exports"]:
            found.append(
                Export(
                    name=export["config"]["alias"] or export["name"],
                    description=query["description"],
                    metrics=tuple(query["query_params"]["metrics"]),
                    grain=times[0],
                    by=tuple(name for kind, name, _ in parts if kind != "TimeDimension"),
                )
            )
    return found


def with_running_figures(manifest_text: str) -> str:
    """The manifest and a year-to-date metric for each figure whose days do not add up.

    Its days and hours are the last ones of periods, so that a running figure is not made for
    every hour.
    """
    manifest = json.loads(manifest_text)
    catalogue = Catalogue(manifest_text)
    running = []
    for item in manifest["metrics"]:
        if item["type"] == "simple" and not _adds_up_over_days(catalogue.metrics[item["name"]]):
            params = {
                **item["type_params"],
                "cumulative_type_params": {
                    "window": None,
                    "grain_to_date": "year",
                    "period_agg": "last",
                },
            }
            name = f"{item['name']}{_RUNNING_FIGURE}"
            running.append({**item, "name": name, "type": "cumulative", "type_params": params})
    manifest["metrics"] += running
    for spine in manifest["project_configuration"]["time_spines"]:
        if spine["primary_column"]["time_granularity"] in ("day", "hour"):
            spine["node_relation"]["relation_name"] = f"temp.main.{PERIOD_ENDS}"
    return json.dumps(manifest, ensure_ascii=False, sort_keys=True)


def to_date_parts(catalogue: Catalogue, name: str) -> tuple[set[str], set[str]] | None:
    """What a metric's year to date is made of: daily sums, and running figures or states.

    None where it has none: it looks at earlier periods or is counted period by period. Of one that
    is defined for each grain it is what the year's is made of.
    """
    metric, definition = catalogue.metrics[name], catalogue.definition(name)
    if metric.at_grain:
        parts = inputs_of(catalogue.definition(_of_year(catalogue, name)))
        adds_up = parts and all(catalogue.metrics[part].over_time == SUM for part in parts)
        return (set(parts), set()) if adds_up else None
    if metric.type == "conversion" or metric.variant_of:
        return None
    if metric.over_time == LAST:
        return set(), {name}
    if metric.type == "simple":
        return ({name}, set()) if _adds_up_over_days(metric) else (set(), {name})
    if any(part.get("offset_window") for part in definition["type_params"].get("metrics") or []):
        return None
    sums: set[str] = set()
    others: set[str] = set()
    for part in inputs_of(definition):
        found = to_date_parts(catalogue, part)
        if found is None:
            return None
        sums |= found[0]
        others |= found[1]
    return sums, others


def _of_year(catalogue: Catalogue, name: str) -> str:
    """The metric that stands for this one in a year."""
    return catalogue.metrics[name].at_grain.get("year", name)


def _adds_up_over_days(metric: Metric) -> bool:
    return metric.over_time == SUM and "day" in metric.grains


def columns_of(export: Export, catalogue: Catalogue) -> dict[str, str]:
    """The table's columns with their descriptions, in order."""
    columns = {
        PERIOD: f"First day of the {export.grain}.",
        IS_RUNNING: f"Whether the {export.grain} ends after the as-of date.",
    }
    for item, key in zip(export.by, export.keys, strict=True):
        columns[key] = f"`{item}` of the metrics layer."
    for name in export.metrics:
        metric = catalogue.metrics[name]
        text = " ".join(f"{metric.labels[it]}: {metric.descriptions[it]}" for it in metric.labels)
        columns[name] = text
        columns[name + PREVIOUS] = f"`{name}` of the {export.grain} before."
        if to_date_parts(catalogue, name) is not None:
            columns[name + TO_DATE] = f"`{name}` from 1 January to the end of the {export.grain}."
    columns[NOT_LOADED] = (
        "Figures of this table that cannot be known, and the raw tables without a row that they "
        "need: they are 0 or NULL in every row and mean nothing. NULL where all are known. "
        "· Показатели, которых нет из-за незагруженных таблиц."
    )
    return columns


def not_loaded(export: Export, needs: Needs) -> str | None:
    """`revenue, refunds: crm.payments; csat: crm.surveys`: the figures that cannot be known."""
    found: dict[str, list[str]] = {}
    for name in export.metrics:
        text = needs.absence(name, export.by).text
        if text:
            found.setdefault(text, []).append(name)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in found.items()) or None


@dataclass(frozen=True)
class Asked:
    """What the layer is asked for one export.

    `current` are its figures and the states that years to date end in, `daily` what adds up to
    years to date (of this export or of more than one, and by more than it is by), `running` the
    running figures of a manifest `with_running_figures`, by the metrics they are of.
    """

    current: Question
    daily: Question | None
    running: Question | None
    sums: tuple[str, ...]
    states: tuple[str, ...]

    @property
    def running_names(self) -> dict[str, str]:
        """The running figures, each with the metric that it is of."""
        names = self.running.metrics if self.running else ()
        return {name: name.removesuffix(_RUNNING_FIGURE) for name in names}


def questions_of(exports: Sequence[Export], catalogue: Catalogue) -> dict[str, Asked]:
    """What is asked for each export. Exports by parts of the same members share daily sums."""
    shared: dict[tuple[str, ...], set[str]] = {}
    found: dict[str, tuple[Export, list[str], list[str], tuple[str, ...]]] = {}
    for export in sorted(exports, key=lambda item: -len(item.by)):
        parts = [to_date_parts(catalogue, name) for name in export.metrics]
        sums = sorted({item for part in parts if part for item in part[0]})
        others = sorted({item for part in parts if part for item in part[1]})
        by = next((wider for wider in shared if _is_part_of(export.by, wider)), export.by)
        shared.setdefault(by, set()).update(sums)
        found[export.name] = (export, sums, others, by)
    asked = {}
    for name, (export, sums, others, by) in found.items():
        time = f"{METRIC_TIME}__{export.grain}"
        states = tuple(item for item in others if catalogue.metrics[item].over_time == LAST)
        running = tuple(f"{item}{_RUNNING_FIGURE}" for item in others if item not in states)
        daily = Question(tuple(sorted(shared[by])), (f"{METRIC_TIME}__day", *by))
        asked[name] = Asked(
            current=Question(tuple(dict.fromkeys((*export.metrics, *states))), (time, *export.by)),
            daily=daily if sums else None,
            running=Question(running, (time, *export.by)) if running else None,
            sums=tuple(sums),
            states=states,
        )
    return asked


def _is_part_of(by: Sequence[str], wider: Sequence[str]) -> bool:
    """Whether sums `wider` add up to sums `by`, and all that is known by one is by the other."""
    entities = [{item.partition("__")[0] for item in items} for items in (by, wider)]
    return bool(by) and set(by) <= set(wider) and entities[0] == entities[1]


def write_export(
    connection: duckdb.DuckDBPyConnection,
    into: str,
    export: Export,
    catalogue: Catalogue,
    asked: Asked,
    ask: Callable[[Question], str],
    ask_running: Callable[[Question], str],
    needs: Needs,
) -> int:
    """Make the table of an export in the schema `into`; returns its rows.

    The session uses the database that answers. `ask` gives the relation, as SQL, that answers a
    question, `ask_running` one about the manifest `with_running_figures`.
    """
    dated = [name for name in export.metrics if to_date_parts(catalogue, name) is not None]
    names = asked.running_names
    _temporary(connection, "table", "current_figures", _answer(export, asked.current, ask))
    _temporary(connection, "table", PERIOD_ENDS, _period_ends_sql(export))
    _temporary(connection, "table", "cells", _cells_sql(export, catalogue))
    _temporary(connection, "view", "daily_sums", _daily_sums_sql(export, asked, ask))
    _temporary(connection, "view", "running_figures", _answer(export, asked.running, ask_running))
    parts = to_date_parts_sql(export, asked.sums, asked.states, names)
    _temporary(connection, "table", "to_date_parts", parts)
    present = {*asked.sums, *asked.states, *names.values()}
    to_date = with_metrics("from to_date_parts", catalogue, dated, present)
    _temporary(connection, "view", "to_date", to_date)
    table = f"{into}.{quote(export.name)}"
    remark = not_loaded(export, needs)
    found = connection.execute(
        f"create or replace table {table} as {_table_sql(export, catalogue, dated, remark)}"
    ).fetchone()
    return int(found[0]) if found else 0


def _temporary(connection: duckdb.DuckDBPyConnection, kind: str, name: str, sql: str) -> None:
    connection.execute(f"create or replace temp {kind} {name} as {sql}")


def _answer(export: Export, question: Question | None, ask: Callable[[Question], str]) -> str:
    """MetricFlow's answer with the table's key columns; without a question no rows of them."""
    if question is None:
        return f"select {', '.join((PERIOD, *_keys(export)))} from current_figures limit 0"
    time = quote(question.by[0])
    return (
        f"select {time}::date as {PERIOD}, {_key_columns(export)}"
        f"{', '.join(map(quote, question.metrics))} "
        f"from {ask(question)} where {time} is not null"
    )


def _daily_sums_sql(export: Export, asked: Asked, ask: Callable[[Question], str]) -> str:
    """Daily sums with the table's key columns, of parts of its members, to be added up."""
    if asked.daily is None:
        return _answer(export, None, ask)
    time = quote(asked.daily.by[0])
    return (
        f"select {time}::date as {PERIOD}, {_key_columns(export)}"
        f"{', '.join(map(quote, asked.sums))} "
        f"from {ask(asked.daily)} where {time} is not null"
    )


def _key_columns(export: Export) -> str:
    return "".join(
        f"{quote(item)} as {quote(key)}, " for item, key in zip(export.by, export.keys, strict=True)
    )


def _period_ends_sql(export: Export) -> str:
    """Periods up to the as-of date with their last days, the running one's being that date."""
    return (
        f"select date_trunc({literal(export.grain)}, date_day)::date as {PERIOD}, "
        "max(date_day) as date_day, max(date_day) + interval 23 hour as date_hour "
        f"from {quote(SCHEMA)}.time_spine_day group by all"
    )


def _cells_sql(export: Export, catalogue: Catalogue) -> str:
    """The table's rows: members and periods, from the member's first figure to the as-of date."""
    keys = _keys(export)
    counted = [name for name in export.metrics if catalogue.metrics[name].is_zero_of_nothing]
    return f"""
        with members as (
            select {"".join(f"{key}, " for key in keys)}min({PERIOD}) as member_since
            from current_figures
            where {" or ".join(f"{quote(name)} <> 0" for name in counted)}
            group by all
        )
        select ends.{PERIOD}, ends.date_day as last_day{_columns("members", keys)},
            ends.{PERIOD} + interval 1 {export.grain}
                > ends.date_day + interval 1 day as {IS_RUNNING},
            min(members.member_since) over () as first_period
        from members inner join {PERIOD_ENDS} as ends on ends.{PERIOD} >= members.member_since
    """


def to_date_parts_sql(
    export: Export, sums: Sequence[str], states: Sequence[str], running: Mapping[str, str]
) -> str:
    """What years to date are made of, for every cell."""
    keys = _keys(export)
    names = list(map(quote, sums))
    period = f"date_trunc({literal(export.grain)}, {PERIOD})"
    by = ", ".join((*keys, "of_year"))
    renamed = "".join(f", running.{quote(name)} as {quote(it)}" for name, it in running.items())
    return f"""
        with of_periods as (
            select {by}, {period} as {PERIOD}{"".join(f", sum({it}) as {it}" for it in names)}
            from (select *, year({PERIOD}) as of_year from daily_sums)
            where {PERIOD} <= (select max(last_day) from cells)
            group by all
        ),
        so_far as (
            select {PERIOD}, {by}{"".join(f", sum({it}) over until_then as {it}" for it in names)}
            from of_periods
            window until_then as (partition by {by} order by {PERIOD})
        ),
        added as (
            select cells.{PERIOD}{_columns("cells", keys)}
                {"".join(f", coalesce(so_far.{it}, 0) as {it}" for it in names)}
            from cells
            -- A row is equal to one with the same NULLs; `is not distinct from` finds none here.
            asof left join so_far
                on row({"".join(f"cells.{key}, " for key in keys)}year(cells.last_day))
                    = row({"".join(f"so_far.{key}, " for key in keys)}so_far.of_year)
                and cells.{PERIOD} >= so_far.{PERIOD}
        )
        select added.*{_columns("now", map(quote, states))}{renamed}
        from added
        left join current_figures as now on {_same("added", "now", (PERIOD, *keys))}
        left join running_figures as running on {_same("added", "running", (PERIOD, *keys))}
    """


def _table_sql(
    export: Export, catalogue: Catalogue, dated: Sequence[str], remark: str | None
) -> str:
    keys = _keys(export)
    figures = []
    for name in export.metrics:
        metric = catalogue.metrics[name]
        now, before, year = (f"{it}.{quote(name)}" for it in ("now", "before", "year"))
        figures.append(f"{_typed(metric, now)} as {quote(name)}")
        figures.append(
            f"case when cells.{PERIOD} > cells.first_period then {_typed(metric, before)} end "
            f"as {quote(name + PREVIOUS)}"
        )
        if name in dated:
            figures.append(f"{_typed(metric, year)} as {quote(name + TO_DATE)}")
    figures.append(f"{literal(remark) if remark else 'null'}::varchar as {NOT_LOADED}")
    return f"""
        select cells.{PERIOD}, cells.{IS_RUNNING}{_columns("cells", keys)}, {", ".join(figures)}
        from cells
        left join current_figures as now on {_same("cells", "now", (PERIOD, *keys))}
        left join current_figures as before
            on {_same("cells", "before", keys)}
            and before.{PERIOD} = cells.{PERIOD} - interval 1 {export.grain}
        left join to_date as year on {_same("cells", "year", (PERIOD, *keys))}
        order by {", ".join(f"cells.{column} nulls first" for column in (PERIOD, *keys))}
    """


def with_metrics(
    relation: str, catalogue: Catalogue, names: Sequence[str], present: set[str]
) -> str:
    """`relation` with more metrics, computed from those in it as their formulas say."""
    done = set(present)

    def add(name: str) -> None:
        nonlocal relation
        if name in done:
            return
        definition = catalogue.definition(_of_year(catalogue, name))
        for part in inputs_of(definition):
            add(part)
        relation = f"select *, {_formula(definition)} as {quote(name)} from ({relation})"
        done.add(name)

    for name in names:
        add(name)
    return relation


def _formula(definition: Mapping[str, Any]) -> str:
    params = definition["type_params"]
    if definition["type"] == "ratio":
        numerator, denominator = params["numerator"]["name"], params["denominator"]["name"]
        return f"{quote(numerator)}::double / nullif({quote(denominator)}::double, 0)"
    return f"({params['expr']})"


def _keys(export: Export) -> tuple[str, ...]:
    return tuple(map(quote, export.keys))


def _same(left: str, right: str, columns: Sequence[str]) -> str:
    tests = [f"{left}.{column} is not distinct from {right}.{column}" for column in columns]
    return " and ".join(tests) or "true"


def _columns(relation: str, columns: Iterable[str]) -> str:
    return "".join(f", {relation}.{column}" for column in columns)


def _typed(metric: Metric, value: str) -> str:
    if metric.is_zero_of_nothing:
        value = f"coalesce({value}, 0)"
    return f"{value}::{metric.sql_type}"


def _column(item: str) -> str:
    entity, _, attribute = item.partition("__")
    return f"{entity}_{attribute}" if attribute else f"{entity}_id"
