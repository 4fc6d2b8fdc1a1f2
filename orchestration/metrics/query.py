"""Questions of people to the published file: metrics by dimensions, compared with earlier periods.

The file carries its own semantic manifest, so an answer is always by the definitions that its
figures were made with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    import pyarrow

from orchestration.base.errors import WrongUse, first_line, shortened
from orchestration.base.outside import close_but_for, facts_on_cluster
from orchestration.base.sql import attach, quote
from orchestration.metrics.catalogue import (
    ALL_GRAINS,
    MANIFEST_TABLE,
    SCHEMA,
    Catalogue,
    Metric,
)
from orchestration.metrics.choices import Comparison, Grain
from orchestration.metrics.conditions import DATE, Values, moved, parse, template, written
from orchestration.metrics.engine import METRIC_TIME, Compiler, Question
from orchestration.metrics.needs import Needs, empty_tables

PERIOD = "period"

# A year before a Monday is no Monday; 52 weeks before it is.
_YEAR_BEFORE = {"week": "interval 364 day"}
# Compiled questions that one process remembers; people can think of any number.
_COMPILED = 5_000
# A figure, the one before it, and the change between them.
_COMPARED = ("", "_previous", "_change")
_ORDER = re.compile(r"\s*(-?)\s*(\w+)(?:\s+(asc|desc))?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """What somebody asks; see `voronka query --help` for the words."""

    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    grain: Grain | None = None
    compare: Comparison | None = None
    order: tuple[str, ...] = ()
    limit: int | None = None


@dataclass(frozen=True)
class Answer:
    """Columns and rows; `metrics` says which columns are figures, and of which metric.

    `not_loaded` names the empty raw tables of metrics that cannot be known, `types` are DuckDB's of
    the columns.
    """

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    metrics: dict[str, Metric]
    not_loaded: Mapping[str, str] = field(default_factory=dict)
    types: tuple[str, ...] = ()


class PublishedMetrics:
    """The metrics layer of one published file, open for reading."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, other: PublishedMetrics | None = None
    ) -> None:
        """`other` reads the same file: its definitions and compiled questions are shared."""
        self._connection = connection
        if other is not None:
            self.catalogue: Catalogue = other.catalogue
            self.compiler: Compiler = other.compiler
            return
        row = connection.execute(f"select manifest from {SCHEMA}.{MANIFEST_TABLE}").fetchone()
        assert row is not None
        self.catalogue = Catalogue(row[0])
        self.compiler = Compiler(row[0], most=_COMPILED)

    def answer(self, request: Request) -> Answer:
        """The answer to a request. Raises WrongUse where there is none, and says why."""
        found = self.run(self.sql(request))
        columns = tuple(item[0] for item in found.description or ())
        types = tuple(str(item[1]) for item in found.description or ())
        rows = found.fetchall()
        shown = {
            f"{name}{suffix}": self.catalogue.metrics[name]
            for name in request.metrics
            for suffix in _COMPARED[:2]
        }
        needs = Needs(self.catalogue, empty_tables(self._connection))
        lacks = {name: needs.absence(name, request.by).text for name in request.metrics}
        not_loaded = {name: tables for name, tables in lacks.items() if tables}
        return Answer(columns, rows, shown, not_loaded, types)

    def sql(self, request: Request) -> str:
        """One select statement that answers the request on the published file."""
        asked = {name: self._asked(name, request.grain) for name in request.metrics}
        metrics = tuple(dict.fromkeys(asked.values()))
        known = self.dimensions(metrics) if request.by or request.where else []
        by = _group_bys(known, request.by)
        times = [f"{METRIC_TIME}__{request.grain}"] if request.grain else []
        trees = [parse(self._connection, text) for text in request.where]
        entities = self.catalogue.entities
        values = Values()

        def now(name: str) -> str:
            return template(_in_condition(known, name), entities)

        where = tuple(written(tree, now, values) for tree in trees)
        question = Question(metrics, (*times, *by), where)
        columns = [*[PERIOD] * bool(times), *by]
        if request.compare:
            if request.grain is None:
                raise WrongUse("--compare needs periods.", "Add --grain month, for example.")
            grain, step = request.grain, _step(request.grain, request.compare)

            def before(name: str) -> str:
                return moved(_in_condition(known, name), grain, step, entities)

            earlier = replace(
                question, where=tuple(written(tree, before, values) for tree in trees)
            )
            relation = self._compared(question, earlier, grain, step, asked)
            figures = [f"{name}{suffix}" for name in asked for suffix in _COMPARED]
        else:
            relation = self._relation(question, request.grain, asked)
            figures = list(asked)
        requested = dict(_order(text, [*columns, *figures]) for text in request.order)
        # No two rows share period and keys, so these order what is left.
        keys = [quote(name) for name in columns if name not in requested]
        order = [*requested.values(), *keys]
        ending = f" order by {', '.join(order)}" if order else ""
        ending += f" limit {request.limit}" if request.limit is not None else ""
        return values.fill(f"select * from ({relation}){ending}")

    def by_keys(
        self, metrics: Sequence[str], keys: Sequence[str], where: Sequence[str] = ()
    ) -> str:
        """One select statement of metrics by keys, both as MetricFlow names them, times with grain.

        Its columns are `keys`, then `metrics`. Raises WrongUse where it cannot be asked.
        """
        known = self.dimensions(metrics) if where else []
        values = Values()
        conditions = tuple(
            written(
                parse(self._connection, text),
                lambda name: template(_in_condition(known, name), self.catalogue.entities),
                values,
            )
            for text in where
        )
        question = Question(tuple(metrics), tuple(keys), conditions)
        columns = [*map(quote, keys), *(f"{self._figure(i)} as {quote(i)}" for i in metrics)]
        return values.fill(f"select {', '.join(columns)} from ({self.compiler.sql(question)})")

    def dimensions(self, names: Sequence[str]) -> list[str]:
        """What the metrics can be asked by, without time."""
        found = self.compiler.group_bys(names)
        return [item for item in found if not item.startswith(METRIC_TIME)]

    def _asked(self, name: str, grain: str | None) -> str:
        metric = self.catalogue.metrics.get(name)
        if metric is None:
            near = [item.name for item in self.catalogue.search([name])][:5]
            hint = f" Near it: {', '.join(near)}." if near else ""
            raise WrongUse(
                f"There is no metric {shortened(name)}.{hint}", "`voronka metrics` lists them."
            )
        asked = metric.name_at(grain)
        if asked is None:
            raise WrongUse(
                f"{name} has no figure by {grain}.",
                f"Ask for it by {' or '.join(metric.all_grains)}: --grain.",
            )
        return asked

    def _figure(self, name: str) -> str:
        """The figure of a metric: of nothing a count is 0, and sums of whole numbers are such."""
        metric = self.catalogue.metrics[name]
        value = f"coalesce({quote(name)}, 0)" if metric.is_zero_of_nothing else quote(name)
        return f"{value}::bigint" if metric.sql_type == "bigint" else value

    def _relation(self, question: Question, grain: str | None, asked: Mapping[str, str]) -> str:
        """The layer's answer under the names that people asked by."""
        cast = "::date" if grain != Grain.HOUR else ""
        columns = [
            f"{quote(item)}{cast} as {PERIOD}" if item.startswith(METRIC_TIME) else quote(item)
            for item in question.by
        ]
        columns += [f"{self._figure(asked[name])} as {quote(name)}" for name in asked]
        return f"select {', '.join(columns)} from ({self.compiler.sql(question)})"

    def _compared(
        self,
        question: Question,
        question_before: Question,
        grain: Grain,
        step: str,
        asked: Mapping[str, str],
    ) -> str:
        """Each row beside the same question's answer of a step earlier.

        From the first period with any figure on, a count that the earlier period lacks is 0.
        """
        by = question.by[1:]
        if DATE in by:
            raise WrongUse("A date has no period before it.", "Ask by --grain day, without date.")
        relation = self._relation(question, grain, asked)
        earlier = self._relation(question_before, grain, asked)
        whole = self._relation(Question(question.metrics, question.by[:1]), grain, asked)
        same = "".join(f" and now.{quote(i)} is not distinct from before.{quote(i)}" for i in by)
        figures = ""
        for name in asked:
            now, before = f"now.{quote(name)}", f"before.{quote(name)}"
            if self.catalogue.metrics[asked[name]].is_zero_of_nothing:
                zero = f"case when now.{PERIOD} - {step} >= known.since then 0 end"
                before = f"coalesce({before}, {zero})"
            figures += (
                f", {now}, {before} as {quote(name + '_previous')}, "
                f"{now}::double / nullif({before}::double, 0) - 1 as {quote(name + '_change')}"
            )
        keys = "".join(f", now.{quote(item)}" for item in by)
        return (
            f"with asked as ({relation}), earlier as ({earlier}), "
            f"known as (select min({PERIOD}) as since from ({whole})) "
            f"select now.{PERIOD}{keys}{figures} from asked as now cross join known "
            f"left join earlier as before on before.{PERIOD} = now.{PERIOD} - {step}{same}"
        )

    def table(self, request: Request) -> pyarrow.Table:
        """The answer in Arrow's types. Raises WrongUse as `answer` does."""
        return self.run(self.sql(request)).to_arrow_table()

    def run(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run one select statement on the published file. Raises WrongUse where it cannot."""
        try:
            statements = self._connection.extract_statements(sql)
            if [item.type for item in statements] != [duckdb.StatementType.SELECT]:
                raise WrongUse("A question is one select statement, and this is not.", _REMEDY)
            return self._connection.execute(statements[0])
        except duckdb.Error as error:
            raise WrongUse(shortened(first_line(error), 300), _REMEDY) from error


@contextmanager
def published_metrics(file: Path) -> Iterator[PublishedMetrics]:
    """The metrics of a published file. Raises WrongUse where it has none.

    A question reads the published file and its facts on a cluster, whatever it says.
    """
    if not file.is_file():
        raise WrongUse(f"Nothing is published: {file} is not there.", "Run `voronka refresh`.")
    try:
        # A session of its own: what closes it may not close the file to others in this process.
        connection = duckdb.connect()
        attach(connection, file)
        connection.execute(f"use {quote(file.stem)}")
        close_but_for(connection, facts_on_cluster(connection))
    except duckdb.Error as error:
        raise WrongUse(
            f"{file} cannot be read: {first_line(error)}", "Run `voronka refresh`."
        ) from error
    with connection:
        try:
            metrics = PublishedMetrics(connection)
        except duckdb.CatalogException as error:
            raise WrongUse(
                f"{file} was published by a version without a metrics layer.",
                "Run `voronka refresh`.",
            ) from error
        yield metrics


_REMEDY = "Look at --where: texts and dates are written in quotes, as '2026-07-01'."


def _step(grain: Grain, comparison: Comparison) -> str:
    """How much earlier the period is that one is compared with."""
    if comparison == Comparison.YEAR:
        return _YEAR_BEFORE.get(grain, "interval 1 year")
    return f"interval 1 {grain}"


def _order(text: str, columns: Sequence[str]) -> tuple[str, str]:
    """`-revenue`, `revenue desc`: the column, and what orders by it."""
    found = _ORDER.fullmatch(text)
    named = found[2].lower() if found else ""
    matches = [named] if named in columns else _ending_with(columns, named)
    if found is None or len(matches) != 1:
        raise WrongUse(
            f"--order {shortened(text)}: that is no column of this answer.",
            f"One of {', '.join(columns)}; the greatest first as -{columns[-1]} or "
            f"'{columns[-1]} desc'.",
        )
    is_down = bool(found[1]) or (found[3] or "").lower() == "desc"
    return matches[0], f"{quote(matches[0])} {'desc' if is_down else 'asc'} nulls last"


def _group_bys(known: Sequence[str], asked: Sequence[str]) -> list[str]:
    """MetricFlow's names for what people call `team`; a member's name beside its key."""
    found: list[str] = []
    for item in asked:
        match = _dimension(known, item)
        name = f"{match}__name"
        found += [match, *([name] if name in known else [])]
    return list(dict.fromkeys(found))


def _in_condition(known: Sequence[str], item: str) -> str:
    """A dimension, or a time by its grain: `metric_time`, `deal__created_on__month`."""
    name = item.lower()
    base, _, grain = name.rpartition("__")
    if name == METRIC_TIME or (grain in ALL_GRAINS and base in (METRIC_TIME, *known)):
        return name
    try:
        return _dimension(known, name)
    except WrongUse as error:
        raise WrongUse(
            error.message, f"{error.remedy} A text stands in single quotes: source = 'site'."
        ) from None


def _dimension(known: Sequence[str], item: str) -> str:
    matches = [item] if item in known else _ending_with(known, item)
    if len(matches) != 1:
        raise WrongUse(
            f"{shortened(item)} is {'ambiguous' if matches else 'no dimension of these metrics'}.",
            f"One of {', '.join(matches or _short(known))}.",
        )
    return matches[0]


def _ending_with(known: Sequence[str], item: str) -> list[str]:
    return [name for name in known if name.rpartition("__")[2] == item and name.count("__") == 1]


def _short(known: Sequence[str]) -> list[str]:
    return [name for name in known if name.count("__") <= 1]
