"""That the metrics layer and the marts say the same.

Both count from the same facts, the marts in SQL of their own, the layer through MetricFlow. For
every figure that both hold they are laid side by side; a difference is an error of one of them.
A mart says in its `config.meta.metrics` how its columns are asked for:

    time: period_start          the column that holds the period's first day
    grain: day                  its grain; not given: the column `period_grain` says it
    by: {manager_id: manager}   columns of the key and what MetricFlow calls them
    names: {entered: ...}       columns that are metrics of another name (null: of none)
    known: [cohort_month]       keys without which the mart counts nothing: the layer's rows
                                that lack them have no counterpart
    begins: itself              the mart has no periods before its first one, though balances may
    ends: as_of                 the mart has no periods that begin after the as-of date
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.base.sql import literal, quote
from orchestration.metrics.catalogue import GRAINS, SCHEMA, Catalogue, Metric
from orchestration.metrics.cells import Rows, day_of, member_of
from orchestration.metrics.engine import METRIC_TIME, Question

# Sums of doubles depend on the order of adding; nothing else may differ.
TOLERANCE = 1e-9
SHOWN = 5
_PERIOD_GRAIN = "period_grain"
AS_OF = f"(select max(date_day) from {SCHEMA}.time_spine_day)"


@dataclass(frozen=True)
class ComparedMart:
    """A mart that the layer can be compared with; see this module's head."""

    schema: str
    name: str
    time: str
    grain: str | None
    by: Mapping[str, str]
    names: Mapping[str, str | None]
    known: tuple[str, ...]
    begins_itself: bool
    ends_as_of: bool
    columns: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """`marts.kpi_daily`."""
        return f"{self.schema}.{self.name}"

    @property
    def grains(self) -> tuple[str, ...]:
        """The grains that its rows have."""
        return (self.grain,) if self.grain else GRAINS

    @property
    def usual_grain(self) -> str:
        """The one grain to compare where one has to do."""
        return self.grain or "month"

    def question(self, catalogue: Catalogue, grain: str) -> Question:
        """What the layer is asked for at a grain."""
        names = [metric.name_at(grain) for metric in self.metrics(catalogue).values()]
        by = (f"{METRIC_TIME}__{grain}", *self.by.values())
        return Question(tuple(dict.fromkeys(name for name in names if name)), by)

    def rows(self, catalogue: Catalogue, grain: str, entity: str | None) -> Rows:
        """What is compared of the mart's rows of a grain, told apart by period and an entity."""
        members = {item: column for column, item in self.by.items()}
        return Rows(
            self.schema,
            self.name,
            day=quote(self.time),
            member=quote(members[entity]) if entity else None,
            where=f"{_PERIOD_GRAIN} = {literal(grain)}" if self.grain is None else None,
            columns=(self.time, *self.by, *self.metrics(catalogue)),
        )

    def metrics(self, catalogue: Catalogue) -> dict[str, Metric]:
        """The mart's columns that are metrics."""
        named = {column: self.names.get(column, column) for column in self.columns}
        return {
            column: catalogue.metrics[name]
            for column, name in named.items()
            if name in catalogue.metrics
        }


@dataclass(frozen=True)
class Difference:
    """One figure that mart and layer do not agree on; values as text, None for NULL."""

    mart: str
    metric: str
    grain: str
    key: Mapping[str, str | None]
    mart_value: str | None
    layer_value: str | None

    def __str__(self) -> str:
        """The difference in one line."""
        key = ", ".join(f"{column} {value}" for column, value in self.key.items())
        return (
            f"{self.metric} by {self.grain}, {key}: {self.mart} has {self.mart_value}, "
            f"the metrics layer {self.layer_value}"
        )


@dataclass(frozen=True)
class Side:
    """The layer's answer, to be read as SQL, and which cells of it and of the mart to compare.

    `cells` is a table of periods and members of `entity` (None: of no member); compared are they
    and what ended on the day `until` or later. Without `cells` everything is.
    """

    answer: str
    cells: str | None = None
    entity: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class Agreement:
    """What a comparison of one mart found: how many differ, and some of those.

    `figures` are all that the mart has: those that were not compared now were before, and neither
    the mart's nor the layer's side of them changed since.
    """

    mart: ComparedMart
    figures: int
    differing: int
    examples: Sequence[Difference]


def compared_marts(manifest: Mapping[str, Any]) -> list[ComparedMart]:
    """The marts of dbt's manifest that say how they are compared, by name."""
    found = []
    for node in manifest["nodes"].values():
        terms = ((node["config"].get("meta") or {}).get("metrics")) or {}
        if node["resource_type"] == "model" and terms:
            found.append(
                ComparedMart(
                    schema=node["schema"],
                    name=node["alias"],
                    time=terms["time"],
                    grain=terms.get("grain"),
                    by=terms.get("by") or {},
                    names=terms.get("names") or {},
                    known=tuple(terms.get("known") or ()),
                    begins_itself=terms.get("begins") == "itself",
                    ends_as_of=terms.get("ends") == "as_of",
                    columns=tuple(node["columns"]),
                )
            )
    return sorted(found, key=lambda mart: mart.full_name)


def compare(
    connection: duckdb.DuckDBPyConnection,
    ask: Callable[[ComparedMart, str], Side],
    catalogue: Catalogue,
    marts: Iterable[ComparedMart],
    all_grains: bool = False,
) -> Iterator[Agreement]:
    """Compare marts with the layer: at their usual grain, or at all of theirs.

    The session uses the database that holds the marts; `ask` gives what the layer says of a mart at
    a grain.
    """
    for mart in marts:
        parts = [
            _compare_grain(connection, ask, catalogue, mart, grain)
            for grain in (mart.grains if all_grains else (mart.usual_grain,))
        ]
        yield Agreement(
            mart=mart,
            figures=sum(part.figures for part in parts),
            differing=sum(part.differing for part in parts),
            examples=[example for part in parts for example in part.examples][:SHOWN],
        )


def _compare_grain(
    connection: duckdb.DuckDBPyConnection,
    ask: Callable[[ComparedMart, str], Side],
    catalogue: Catalogue,
    mart: ComparedMart,
    grain: str,
) -> Agreement:
    asked = {column: metric.name_at(grain) for column, metric in mart.metrics(catalogue).items()}
    time = f"{METRIC_TIME}__{grain}"
    side = ask(mart, grain)
    keys = {mart.time: time, **mart.by}
    rows = mart.rows(catalogue, grain, side.entity)
    columns = ", ".join(map(quote, rows.columns))
    where = f" where {rows.where}" if rows.where else ""
    of_grain = f"(select {columns} from {rows.name}{where})"
    in_mart, in_layer = [], [f"{quote(mart.by[column])} is not null" for column in mart.known]
    if mart.begins_itself:
        in_layer.append(f"{quote(time)} >= (select min({quote(mart.time)}) from {of_grain})")
    if mart.ends_as_of:
        in_layer.append(f"{quote(time)} <= {AS_OF}")
    if side.cells:
        member = quote(side.entity) if side.entity else None
        in_mart.append(_is_compared(side, grain, rows.day, rows.member))
        in_layer.append(_is_compared(side, grain, quote(time), member))
    # A few cells are looked for once, not by every column's comparison.
    kind = "table" if side.cells else "view"
    connection.execute(f"create temp {kind} in_mart as from {of_grain}{_where(in_mart)}")
    connection.execute(
        f"create temp {kind} in_layer as "
        f"select * replace ({quote(time)}::date as {quote(time)}) from {side.answer} as answer"
        f"{_where(in_layer)}"
    )
    join = " and ".join(
        f"in_mart.{quote(column)} is not distinct from in_layer.{quote(item)}"
        for column, item in keys.items()
    )
    # What adds up from the beginning stops at the as-of date, a mart's period at its end.
    begun = f"coalesce(in_mart.{quote(mart.time)}, in_layer.{quote(time)})"
    ended = f"{begun} + interval 1 {grain} <= {AS_OF} + interval 1 day"
    types = dict(
        connection.execute("select column_name, column_type from (describe in_mart)").fetchall()
    )
    key_texts = ", ".join(
        f"coalesce(in_mart.{quote(column)}::varchar, in_layer.{quote(item)}::varchar)"
        for column, item in keys.items()
    )
    side_by_side = f"from in_mart full join in_layer on {join}"
    tests = {
        column: _differs(column, name, catalogue, types[column])
        + (f" and {ended}" if name and catalogue.metrics[name].type == "cumulative" else "")
        for column, name in asked.items()
    }
    # One pass counts what differs in every column; only those that do are looked at again.
    counts = ", ".join(f"count(*) filter (where {test})" for test in tests.values())
    counted = connection.execute(f"select {counts} {side_by_side}").fetchone()
    figures = connection.execute(f"select count(*) from {of_grain}").fetchone()
    assert counted is not None and figures is not None
    differing = dict(zip(tests, counted, strict=True))
    cells = " union all ".join(
        _cells(column, asked[column], catalogue, key_texts, f"{side_by_side} where {tests[column]}")
        for column, count in differing.items()
        if count
    )
    found = connection.execute(f"{cells} order by all limit {SHOWN}").fetchall() if cells else []
    for name in ("in_mart", "in_layer"):
        connection.execute(f"drop {kind} temp.main.{name}")
    examples = [
        Difference(
            mart=mart.full_name,
            metric=metric,
            grain=grain,
            key=dict(zip(keys, key, strict=True)),
            mart_value=mart_value,
            layer_value=layer_value,
        )
        for metric, key, mart_value, layer_value in found
    ]
    return Agreement(
        mart=mart,
        figures=figures[0] * len(asked),
        differing=sum(differing.values()),
        examples=examples,
    )


def _is_compared(side: Side, grain: str, day: str | None, member: str | None) -> str:
    period = day_of(day, grain)
    ended = f"{period} + interval 1 {grain} > date {literal(side.until)}" if side.until else "false"
    return f"({ended} or ({period}, {member_of(member)}) in (from {side.cells}))"


def _where(conditions: Sequence[str]) -> str:
    return f" where {' and '.join(conditions)}" if conditions else ""


def _differs(column: str, name: str | None, catalogue: Catalogue, type_: str) -> str:
    """Whether the cells of a column differ."""
    left, right = _sides(column, name, catalogue)
    differ = f"{left} is distinct from {right}"
    if type_ == "DOUBLE" and name:
        differ += (
            f" and coalesce(abs({left} - {right}) > {TOLERANCE} * "
            f"greatest(abs({left}), abs({right})), true)"
        )
    return f"({differ})"


def _cells(column: str, name: str | None, catalogue: Catalogue, key_texts: str, rows: str) -> str:
    """A select of the cells of one column in `rows`."""
    left, right = _sides(column, name, catalogue)
    return (
        f"select {literal(column)} as metric, [{key_texts}] as key, {left}::varchar as mart_value, "
        f"{right}::varchar as layer_value {rows}"
    )


def _sides(column: str, name: str | None, catalogue: Catalogue) -> tuple[str, str]:
    left, right = f"in_mart.{quote(column)}", f"in_layer.{quote(name)}" if name else "null"
    if name and catalogue.metrics[name].is_zero_of_nothing:
        # No row is no event: 0, not unknown.
        return f"coalesce({left}, 0)", f"coalesce({right}, 0)"
    return left, right
