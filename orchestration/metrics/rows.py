"""The rows behind a figure: MetricFlow asked once more, by the key of the fact's rows.

What it answers adds up to the figure, by its own joins and filters; the fact says what each row is.
A semantic model says in its `config.meta` how its rows are found:

- `row` names the keys that tell them apart, as MetricFlow names them;
- of a state, as the open pipeline at the end of a day, `row` tells its cells apart, and `members`
  says which rows of a fact stand in a cell: their `table` and `key`, `same` (a key of the cell and
  the column that equals it), `day` with `since` and `until` (the days from and before which a row
  stands there), `where`, and `columns` (the cell's columns, of one row).

Every metric has rows or parts (`parts_of`): a quotient leads to what is above and below its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlglot import exp, parse_one

from orchestration.base.errors import WrongUse, shortened
from orchestration.base.sql import literal, quote
from orchestration.connectors.links import CrmLinks, is_address
from orchestration.metrics.catalogue import ALL_GRAINS, Catalogue, Metric, inputs_of
from orchestration.metrics.choices import Grain
from orchestration.metrics.query import PERIOD, Answer, PublishedMetrics, Request

VALUE = "value"
# Where people see a row in the CRM, and where they hear a call.
CRM_URL, RECORDING = "crm_url", "recording_url"
_COUNTED = "_counted"
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
_BATCH = 2_000
# Of a fact's columns these are shown in brief, beside its names; by the ids a row is linked.
_SHOWN = ("team", "deal_id", "lead_id", "contact_id", "call_id", RECORDING)
# How a figure comes from its rows' values.
SUM, DISTINCT, MEDIAN, MEAN = "sum", "count distinct", "median", "mean"
_RULES = {"sum": SUM, "sum_boolean": SUM, "count": SUM, "count_distinct": DISTINCT}
_RULES |= {"median": MEDIAN, "average": MEAN}


@dataclass(frozen=True)
class RowsRequest:
    """Which rows: of a metric, of one period or all time, under conditions, so many at most.

    `period_start` is the first day of a period of `grain`. `where` has the conditions of
    `voronka query`. `offset` rows are passed over; rows stand in one order, by their time and key,
    so pages of one publication fit together. `is_brief`: only key, day, value and names, without
    the fact's other columns. Raises WrongUse where no such period begins on that day.
    """

    metric: str
    is_brief: bool = False
    grain: Grain | None = None
    period_start: date | None = None
    where: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        # Else a month from the 15th to the 15th would pass for the month's figure.
        if self.grain is None or self.period_start is None:
            return
        first = _first_day(self.grain, self.period_start)
        if first != self.period_start:
            raise WrongUse(
                f"No {self.grain} begins on {self.period_start}.",
                f"The one that it is in begins on {first}.",
            )


@dataclass(frozen=True)
class Rows:
    """The rows behind a figure; `answer` is the page asked for, `count` and `total` are of all.

    `figure` is the metric itself, `total` the same from the rows' values, by `rule`: their sum,
    how many different things they count, their median, or their mean. Both are equal. `table` is
    the fact, `keys` the columns that tell its rows apart; `counted` says in SQL what is counted.
    """

    metric: Metric
    table: str
    keys: tuple[str, ...]
    counted: str
    answer: Answer
    count: int
    total: object
    figure: object
    rule: str
    offset: int = 0

    @property
    def is_sum(self) -> bool:
        """Whether the figure is the sum of the rows' values."""
        return self.rule == SUM


def parts_of(catalogue: Catalogue, name: str) -> list[str]:
    """The metrics whose rows stand behind a metric: itself, or what it is computed from.

    Raises WrongUse where there is no such metric.
    """
    if name not in catalogue.metrics:
        near = ", ".join(item.name for item in catalogue.search([name])[:5])
        raise WrongUse(
            f"There is no metric {shortened(name)}." + (f" Near it: {near}." if near else ""),
            "`voronka metrics` lists them.",
        )
    if _has_rows(catalogue, name):
        return [name]
    return list(dict.fromkeys(inputs_of(catalogue.definition(name))))


def rows_behind(
    published: PublishedMetrics, request: RowsRequest, links: CrmLinks | None = None
) -> Rows:
    """The rows behind a figure. Raises WrongUse where it has none of its own, with its parts.

    Where `links` know an account, they end in `crm_url`, the row's page there. `recording_url` is
    an address or NULL, so that a page may link to both.
    """
    behind = _Behind(published, request)
    limit = "" if request.limit is None else f" limit {request.limit}"
    offset = f" offset {request.offset}" if request.offset else ""
    found = published.run(behind.select + limit + offset)
    columns = tuple(item[0] for item in found.description or ())
    shown, linked = _linked(columns, behind.columns, links)
    answer = Answer(shown, [linked(row) for row in found.fetchall()], {VALUE: behind.metric})
    count, total = published.run(behind.sums).fetchall()[0]
    figures = published.run(behind.figure).fetchall()
    return Rows(
        metric=behind.metric,
        table=behind.table,
        keys=tuple(behind.columns),
        counted=behind.counted,
        answer=answer,
        count=count,
        total=total,
        figure=figures[0][0] if figures else None,
        rule=behind.rule,
        offset=request.offset,
    )


def figure_by(published: PublishedMetrics, request: RowsRequest, by: Sequence[str] = ()) -> Answer:
    """The figure of the request's period, by dimensions, of whatever metric; no row is unknown.

    A period is picked from the answer by periods: what looks back is asked as it is always.
    """
    question = Request((request.metric,), tuple(by), request.where, request.grain)
    answer = published.answer(question)
    if request.period_start is None:
        return answer
    rows = [row for row in answer.rows if row[0] == request.period_start]
    return replace(answer, rows=rows)


def all_rows(
    published: PublishedMetrics, request: RowsRequest, links: CrmLinks | None = None
) -> tuple[tuple[str, ...], Iterator[tuple[object, ...]]]:
    """Columns and rows, read while they are taken: for files of any length.

    Nothing else may be asked on the same connection until the last row is taken. Raises WrongUse
    as `rows_behind` does.
    """
    behind = _Behind(published, request)
    limit = "" if request.limit is None else f" limit {request.limit}"
    found = published.run(f"{behind.select}{limit} offset {request.offset}")
    columns = tuple(item[0] for item in found.description or ())
    shown, linked = _linked(columns, behind.columns, links)

    def rows() -> Iterator[tuple[object, ...]]:
        while batch := found.fetchmany(_BATCH):
            yield from map(linked, batch)

    return shown, rows()


def _linked(
    columns: tuple[str, ...], keys: Sequence[str], links: CrmLinks | None
) -> tuple[tuple[str, ...], Callable[[tuple[object, ...]], tuple[object, ...]]]:
    """The columns with the link, and what gives a row its own; no text but an address is one."""
    place = columns.index(RECORDING) if RECORDING in columns else None

    def heard(row: tuple[object, ...]) -> tuple[object, ...]:
        if place is None or row[place] is None or is_address(str(row[place])):
            return row
        return (*row[:place], None, *row[place + 1 :])

    if links is None or not links.accounts:
        return columns, heard
    return (*columns, CRM_URL), lambda row: (
        *heard(row),
        links.of_row(dict(zip(columns, row, strict=True)), keys),
    )


class _Behind:
    """The statements that find the rows behind a figure."""

    def __init__(self, published: PublishedMetrics, request: RowsRequest) -> None:
        self._published, self._request = published, request
        catalogue = self._catalogue = published.catalogue
        parts = parts_of(catalogue, request.metric)
        if parts != [request.metric]:
            raise WrongUse(
                f"{request.metric} = {catalogue.formula(request.metric)}: "
                "it has no rows of its own.",
                f"Ask for the rows of a part: {' or '.join(parts) or 'there is none with rows'}.",
            )
        metric = catalogue.metrics[request.metric]
        asked = metric.name_at(request.grain)
        if asked is None:
            raise WrongUse(
                f"{request.metric} has no figure by {request.grain}.",
                f"Ask for it by {' or '.join(metric.all_grains)}: --grain.",
            )
        self.metric = catalogue.metrics[asked]
        self._type = catalogue.definition(asked)["type"]
        model, measure = self._model, self._measure = _measured(catalogue, asked)
        self._meta = (model.get("config") or {}).get("meta") or {}
        period = _period(request, _time(model, measure))
        # A running total has everything before the period's end.
        self._where = (*request.where, *(period[1:] if self._type == "cumulative" else period))
        self._models = _models(catalogue, asked)
        self._keys = _keys_of(model)
        self.rule = MEAN if self._type == "conversion" else _RULES[measure["agg"]]
        expression = str(measure.get("expr") or measure["name"])
        self.counted = f"{measure['agg']}({expression})"
        if self._type in ("derived", "conversion"):
            self.counted = catalogue.formula(asked) or f"mean({asked})"
        if "members" in self._meta:
            self._find_members(expression)
        else:
            self._find_facts(expression)

    def _find_facts(self, expression: str) -> None:
        """Rows of the fact that the metric is measured on."""
        relation = self._model["node_relation"]
        self.table = f"{relation['schema_name']}.{relation['alias']}"
        fact = self._columns_of(self.table)
        self.columns = [_column(self._model, key) for key in self._keys]
        inputs = inputs_of(self._catalogue.definition(self.metric.name))
        figures = (self.metric.name, *(inputs if self._type == "derived" else ()))
        # The simple metric of the same measure: a running total by row is the row.
        names = [self._simple(name) for name in figures]
        asked = self._published.by_keys(names, self._keys, self._where)
        value = f"answer.{quote(names[0])}"
        time = str(_time(self._model, self._measure).get("expr") or "")
        conditions = [f"{value} is not null"]
        if self._type == "conversion":
            value, conditions = f"coalesce({value}, 0)", []
        elif self.rule in (SUM, DISTINCT):
            conditions.append(f"{value} <> 0")
        is_of_one_time = self._type in ("simple", "derived") and len(self._models) == 1
        if self._request.period_start is not None and time in fact and is_of_one_time:
            # Says nothing new, but the fact is read of these days alone.
            conditions += _within(f"fact.{quote(time)}", self._request)
        on = [
            f"fact.{quote(column)} is not distinct from answer.{quote(key)}"
            for key, column in zip(self._keys, self.columns, strict=True)
        ]
        is_distinct = self.rule == DISTINCT
        table = _quoted(self.table)
        source = f"(select *, ({expression}) as {_COUNTED} from {table})" if is_distinct else table
        self._assemble(f"({asked})", source, fact, on, conditions, value, time)
        if self._type == "derived":
            sums = ", ".join(f"sum(answer.{quote(name)}) as {quote(name)}" for name in inputs)
            formula = self._catalogue.formula(self.metric.name)
            source = f"select count(*) as _count, {sums} {self._from}"
            self.sums = f"select _count, {formula} from ({source})"

    def _find_members(self, expression: str) -> None:
        """Rows of another fact that stand in the cells of a state."""
        members = self._meta["members"]
        self.table = f"marts.{members['table']}"
        fact = self._columns_of(self.table)
        self.columns = list(members["key"])
        asked = self._published.by_keys([self.metric.name], self._keys, self._where)
        of_cells = ", ".join(f"{sql} as {quote(name)}" for name, sql in members["columns"].items())
        where = f" where {members['where']}" if "where" in members else ""
        source = (
            f"(select *, ({expression}) as {_COUNTED} "
            f"from (select *, {of_cells} from {_quoted(self.table)}{where}))"
        )
        on = [
            f"fact.{quote(column)} is not distinct from answer.{quote(key)}"
            for key, column in members["same"].items()
        ]
        if "since" in members:
            day = f"answer.{quote(members['day'])}"
            since, until = (f"fact.{quote(members[name])}" for name in ("since", "until"))
            on += [f"{day} >= {since}", f"({until} is null or {day} < {until})"]
        value = f"fact.{_COUNTED}"
        conditions = [f"answer.{quote(self.metric.name)} <> 0", f"{value} <> 0"]
        time = members.get("since") or members["time"]
        self._assemble(f"({asked})", source, fact, on, conditions, value, time)

    def _assemble(
        self,
        answer: str,
        source: str,
        fact: Sequence[str],
        on: Sequence[str],
        conditions: Sequence[str],
        value: str,
        time: str,
    ) -> None:
        joins, names = _names(fact)
        first = [*([time] if time in fact else []), *(key for key in self.columns if key != time)]
        own_names = [name for name in fact if name.endswith("_name") or name in _SHOWN]
        wanted = own_names if self._request.is_brief else fact
        rest = [name for name in wanted if name not in first]
        select = ", ".join(
            [
                *(f"fact.{quote(name)}" for name in first),
                f"{value} as {quote(VALUE)}",
                *names,
                *(f"fact.{quote(name)}" for name in rest),
            ]
        )
        order = ", ".join(f"fact.{quote(name)}" for name in first)
        where = f" where {' and '.join(conditions)}" if conditions else ""
        begin = f"from {answer} as answer inner join {source} as fact on {' and '.join(on)}"
        self._from = begin + where
        self.select = f"select {select} {begin}{joins}{where} order by {order}"
        total = {
            SUM: f"sum({value})",
            DISTINCT: f"count(distinct fact.{_COUNTED})",
            MEDIAN: f"quantile_cont({value}, 0.5)",
            MEAN: f"sum({value})::double / nullif(count(*), 0)",
        }[self.rule]
        self.sums = f"select count(*), {total} {self._from}"

    @property
    def figure(self) -> str:
        """The statement of the metric itself."""
        request, name = self._request, self.metric.name
        if self._type == "cumulative" and request.grain is not None:
            asked = self._published.sql(Request((name,), (), request.where, request.grain))
            start = literal(str(request.period_start))
            return f"select {quote(name)} from ({asked}) where {PERIOD} = date {start}"
        return self._published.by_keys([name], [], self._where)

    def _columns_of(self, table: str) -> list[str]:
        return [row[0] for row in self._published.run(f"describe {_quoted(table)}").fetchall()]

    def _simple(self, name: str) -> str:
        return _running_of(self._catalogue, name) or name


def _has_rows(catalogue: Catalogue, name: str) -> bool:
    """Whether rows stand behind a metric itself, and not behind its parts alone."""
    definition = catalogue.definition(name)
    if definition["type"] in ("simple", "conversion"):
        return True
    if definition["type"] == "cumulative":
        return _running_of(catalogue, name) is not None
    return _is_of_one_fact(catalogue, name)


def _is_of_one_fact(catalogue: Catalogue, name: str) -> bool:
    """Whether a metric is a sum, row by row, of what is measured on one fact.

    Then it can be asked by the fact's rows, and what they say adds up to it.
    """
    definition = catalogue.definition(name)
    if definition["type"] == "simple":
        model, measure = _measured(catalogue, name)
        meta = (model.get("config") or {}).get("meta") or {}
        return "members" not in meta and _RULES[measure["agg"]] == SUM
    if definition["type"] != "derived" or not _is_linear(definition["type_params"]["expr"]):
        return False
    for part in definition["type_params"].get("metrics") or []:
        is_plain = not (
            part.get("offset_window") or part.get("offset_to_grain") or part.get("filter")
        )
        if not is_plain or part.get("alias") or not _is_of_one_fact(catalogue, part["name"]):
            return False
    return len({_rows_of(model) for model in _models(catalogue, name)}) == 1


def _is_linear(formula: str) -> bool:
    """Whether a formula only adds, and multiplies or divides by numbers."""
    for node in parse_one(formula, dialect="duckdb").walk():
        if isinstance(node, (exp.Mul, exp.Div)):
            factors = [node.right] if isinstance(node, exp.Div) else [node.left, node.right]
            if all(factor.find(exp.Column) for factor in factors):
                return False
        elif not isinstance(
            node,
            exp.Add
            | exp.Sub
            | exp.Neg
            | exp.Paren
            | exp.Column
            | exp.Identifier
            | exp.Literal
            | exp.Cast
            | exp.DataType,
        ):
            return False
    return True


def _running_of(catalogue: Catalogue, name: str) -> str | None:
    """The simple metric that a running total from the beginning runs over; None of others."""
    definition = catalogue.definition(name)
    if definition["type"] != "cumulative":
        return None
    params = definition["type_params"].get("cumulative_type_params") or {}
    if params.get("window") or params.get("grain_to_date") or definition.get("filter"):
        return None
    (measure,) = catalogue.measures_of([name])
    for other in catalogue.manifest["metrics"]:
        inputs = {it["name"] for it in other["type_params"].get("input_measures") or []}
        if other["type"] == "simple" and inputs == {measure} and not other.get("filter"):
            return str(other["name"])
    return None


def _first_day(grain: Grain, day: date) -> date:
    """The first day of the period that a day is in; of an hour it is the day."""
    if grain == Grain.WEEK:
        return day - timedelta(days=day.weekday())
    if months := {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}.get(grain):
        return day.replace(month=(day.month - 1) // months * months + 1, day=1)
    return day


def _period(request: RowsRequest, time: Mapping[str, Any]) -> list[str]:
    """The period as conditions, by the days, weeks or months that a metric's time knows."""
    if request.period_start is None:
        return []
    if request.grain is None:
        raise WrongUse("A period needs its length.", "Add --grain month, for example.")
    known = time["type_params"]["time_granularity"]
    if ALL_GRAINS.index(request.grain) < ALL_GRAINS.index(known):
        raise WrongUse(
            f"{request.metric} has no figure by {request.grain}.",
            f"Ask for it by {known}: --grain.",
        )
    of_days = f"__{known}" if ALL_GRAINS.index(known) > ALL_GRAINS.index(Grain.DAY) else ""
    by_hour = "__hour" if request.grain == Grain.HOUR else of_days
    return _within(f"metric_time{by_hour}", request)


def _within(time: str, request: RowsRequest) -> list[str]:
    assert request.grain is not None and request.period_start is not None
    start = literal(request.period_start.isoformat())
    kind = "timestamp" if request.grain == Grain.HOUR else "date"
    return [
        f"{time} >= {kind} {start}",
        f"{time} < {kind} {start} + interval {_STEP[request.grain]}",
    ]


def _measured(catalogue: Catalogue, name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The semantic model and the measure that a metric comes from, of several the first."""
    definition = catalogue.definition(name)
    conversion = definition["type_params"].get("conversion_type_params")
    base = {conversion["base_measure"]["name"]} if conversion else set()
    wanted = base or catalogue.measures_of([name])
    for model in catalogue.manifest["semantic_models"]:
        for measure in model["measures"]:
            if measure["name"] in wanted:
                return model, measure
    raise WrongUse(f"{name} is measured on nothing.", "`voronka metrics` lists the metrics.")


def _models(catalogue: Catalogue, name: str) -> list[Mapping[str, Any]]:
    measures = catalogue.measures_of([name])
    return [
        model
        for model in catalogue.manifest["semantic_models"]
        if any(measure["name"] in measures for measure in model["measures"])
    ]


def _rows_of(model: Mapping[str, Any]) -> tuple[str, ...]:
    """What tells whether two semantic models have the same rows under the same keys."""
    return (model["node_relation"]["alias"], *_keys_of(model))


def _keys_of(model: Mapping[str, Any]) -> list[str]:
    keys = ((model.get("config") or {}).get("meta") or {}).get("row")
    if not keys:
        raise WrongUse(
            f"The semantic model {model['name']} does not name the keys of its rows.",
            "Add `row` to its config.meta, and run `voronka refresh`.",
        )
    return list(keys)


def _column(model: Mapping[str, Any], key: str) -> str:
    """The fact's column of a key: an entity, `model__dimension` or `model__day__grain`."""
    name = key.split("__")[1] if "__" in key else key
    for item in [*model["entities"], *model["dimensions"]]:
        if item["name"] == name:
            return str(item.get("expr") or name)
    raise WrongUse(f"{key} is no key of {model['name']}.", "Correct `row` of the semantic model.")


def _time(model: Mapping[str, Any], measure: Mapping[str, Any]) -> Mapping[str, Any]:
    """The dimension by which a measure is counted in time; `expr` is the fact's column."""
    name = measure.get("agg_time_dimension") or model["defaults"]["agg_time_dimension"]
    found = next(item for item in model["dimensions"] if item["name"] == name)
    return {**found, "expr": found.get("expr") or name}


def _names(fact: Sequence[str]) -> tuple[str, list[str]]:
    """Joins of the dimensions that a fact's keys name, and the names that it lacks."""
    joins, names = "", []
    for number, (column, table, key, texts) in enumerate(_NAMES):
        if column not in fact:
            continue
        alias = f"d{number}"
        lacking = [
            (text, name)
            for text in texts
            if (name := text if column == key else f"{column}_name") not in fact
        ]
        if lacking:
            joins += f" left join marts.{table} as {alias} on fact.{quote(column)} = {alias}.{key}"
            names += [f"{alias}.{quote(text)} as {quote(name)}" for text, name in lacking]
    return joins, names


def _quoted(table: str) -> str:
    return ".".join(map(quote, table.split(".")))
