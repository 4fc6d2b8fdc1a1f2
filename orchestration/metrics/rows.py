"""The rows behind a figure: MetricFlow asked once more, by the key of the fact's rows.

What it answers adds up to the figure, by its own joins and filters; the fact says what each row is.
A semantic model names in its `config.meta.row` the keys that tell its rows apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestration.base.errors import WrongUse, shortened
from orchestration.base.sql import literal, quote
from orchestration.metrics.catalogue import Catalogue, Metric, inputs_of
from orchestration.metrics.choices import Grain
from orchestration.metrics.query import Answer, PublishedMetrics, Request

VALUE = "value"
# Facts carry keys; people read names. Key column, dimension table, its key, names beside it.
_NAMES = (
    ("manager_id", "dim_manager", "manager_id", ("manager_name", "team")),
    ("set_by", "dim_manager", "manager_id", ("manager_name",)),
    ("held_by", "dim_manager", "manager_id", ("manager_name",)),
    ("contact_id", "dim_contact", "contact_id", ("contact_name", "company")),
    ("stage_id", "dim_stage", "stage_id", ("stage_name",)),
    ("pipeline_id", "dim_pipeline", "pipeline_id", ("pipeline_name",)),
    ("source_id", "dim_source", "source_id", ("source_name",)),
)
_STEP = {"hour": "1 hour", "day": "1 day", "week": "7 day", "month": "1 month"}
_STEP |= {"quarter": "3 month", "year": "1 year"}


@dataclass(frozen=True)
class RowsRequest:
    """Which rows: of a metric, of one period or all time, under conditions, so many at most.

    `is_brief`: only key, day, value and names, without the fact's other columns.
    """

    metric: str
    is_brief: bool = False
    grain: Grain | None = None
    period_start: date | None = None
    where: tuple[str, ...] = ()
    limit: int | None = None


@dataclass(frozen=True)
class Rows:
    """The rows behind a figure; `answer` has at most the limit, `count` and `total` are of all.

    `figure` is the metric itself, `total` the sum of the rows' values, which equals it where
    `is_sum`. `counted` says in SQL what is counted of the fact's columns.
    """

    metric: Metric
    table: str
    keys: tuple[str, ...]
    counted: str
    answer: Answer
    count: int
    total: object
    figure: object
    is_sum: bool


def parts_of(catalogue: Catalogue, name: str) -> list[str]:
    """The metrics whose rows stand behind a metric: itself, or what it is computed from."""
    if name not in catalogue.metrics:
        near = ", ".join(item.name for item in catalogue.search([name])[:5])
        raise WrongUse(
            f"There is no metric {shortened(name)}." + (f" Near it: {near}." if near else ""),
            "`voronka metrics` lists them.",
        )
    definition = catalogue.definition(name)
    if definition["type"] == "simple":
        return [name]
    return list(dict.fromkeys(inputs_of(definition)))


def rows_behind(published: PublishedMetrics, request: RowsRequest) -> Rows:
    """The rows behind the figure of a measured metric. Raises WrongUse where it has none."""
    catalogue = published.catalogue
    parts = parts_of(catalogue, request.metric)
    if parts != [request.metric]:
        raise WrongUse(
            f"{request.metric} = {catalogue.formula(request.metric)}: it has no rows of its own.",
            f"Ask for the rows of a part: {' or '.join(parts) or 'there is none with rows'}.",
        )
    model, measure = _measured(catalogue, request.metric)
    keys = ((model.get("config") or {}).get("meta") or {}).get("row") or []
    if not keys:
        raise WrongUse(
            f"{request.metric} is a state, and no rows of events stand behind it.",
            "`voronka query` shows it by every dimension.",
        )
    where = (*request.where, *_period(request))
    asked = published.sql(Request((request.metric,), tuple(keys), where))
    figures = published.answer(Request((request.metric,), (), where)).rows
    columns = [_column(model, key) for key in keys]
    relation = model["node_relation"]
    table = f"{quote(relation['schema_name'])}.{quote(relation['alias'])}"
    metric = published.catalogue.metrics[request.metric]
    fact = [row[0] for row in published.run(f"describe {table}").fetchall()]
    joins, names = _names(fact)
    value = f"answer.{quote(request.metric)}"
    counts = f"{value} is not null"
    if measure["agg"] in ("sum", "sum_boolean", "count", "count_distinct"):
        counts += f" and {value} <> 0"
    on = " and ".join(
        f"fact.{quote(column)} is not distinct from answer.{quote(key)}"
        for key, column in zip(keys, columns, strict=True)
    )
    time = _time_column(model, measure)
    first = [*([time] if time in fact else []), *(key for key in columns if key != time)]
    rest = [] if request.is_brief else [name for name in fact if name not in first]
    select = ", ".join(
        [
            *(f"fact.{quote(name)}" for name in first),
            f"{value} as {quote(VALUE)}",
            *names,
            *(f"fact.{quote(name)}" for name in rest),
        ]
    )
    source = f"from ({asked}) as answer inner join {table} as fact on {on} {joins} where {counts}"
    order = ", ".join(f"fact.{quote(name)}" for name in first)
    limit = "" if request.limit is None else f" limit {request.limit}"
    found = published.run(f"select {select} {source} order by {order}{limit}")
    answer = Answer(
        tuple(item[0] for item in found.description or ()), found.fetchall(), {VALUE: metric}
    )
    count, total = published.run(f"select count(*), sum({value}) {source}").fetchall()[0]
    is_sum = measure["agg"] in ("sum", "sum_boolean", "count")
    return Rows(
        metric=metric,
        table=f"{relation['schema_name']}.{relation['alias']}",
        keys=tuple(columns),
        counted=f"{measure['agg']}({measure.get('expr') or measure['name']})",
        answer=answer,
        count=count,
        total=total,
        figure=figures[0][0] if figures else None,
        is_sum=is_sum,
    )


def _period(request: RowsRequest) -> list[str]:
    """The period as a condition."""
    if request.period_start is None:
        return []
    if request.grain is None:
        raise WrongUse("A period needs its length.", "Add --grain month, for example.")
    start = request.period_start.isoformat()
    step = _STEP[request.grain]
    return [
        f"metric_time >= {literal(start)}",
        f"metric_time < date {literal(start)} + interval {step}",
    ]


def _measured(catalogue: Catalogue, name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The semantic model and the measure that a simple metric comes from."""
    (wanted,) = catalogue.measures_of([name])
    for model in catalogue.manifest["semantic_models"]:
        for measure in model["measures"]:
            if measure["name"] == wanted:
                return model, measure
    raise WrongUse(f"{name} is measured on nothing.", "`voronka metrics` lists the metrics.")


def _column(model: Mapping[str, Any], key: str) -> str:
    """The fact's column of a key, which is an entity or `model__dimension`."""
    name = key.split("__")[1] if "__" in key else key
    for item in [*model["entities"], *model["dimensions"]]:
        if item["name"] == name:
            return str(item.get("expr") or name)
    raise WrongUse(f"{key} is no key of {model['name']}.", "Correct `row` of the semantic model.")


def _time_column(model: Mapping[str, Any], measure: Mapping[str, Any]) -> str:
    """The fact's day on which a measure counts."""
    name = measure.get("agg_time_dimension") or model["defaults"]["agg_time_dimension"]
    for item in model["dimensions"]:
        if item["name"] == name:
            return str(item.get("expr") or name)
    return str(name)


def _names(fact: Sequence[str]) -> tuple[str, list[str]]:
    """Joins of the dimensions that a fact's keys name, and the names that it lacks."""
    joins, names = "", []
    for number, (column, table, key, texts) in enumerate(_NAMES):
        if column not in fact:
            continue
        alias = f"d{number}"
        joins += f" left join marts.{table} as {alias} on fact.{quote(column)} = {alias}.{key}"
        for text in texts:
            name = text if column == key else f"{column}_name"
            if name not in fact:
                names.append(f"{alias}.{quote(text)} as {quote(name)}")
    return joins, names
