"""Questions of people to the published file: metrics by dimensions, compared with earlier periods.

The file carries its own semantic manifest, so an answer is always by the definitions that its
figures were made with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from orchestration.base.errors import WrongUse, first_line
from orchestration.base.sql import literal, quote
from orchestration.metrics.catalogue import (
    MANIFEST_TABLE,
    SCHEMA,
    Catalogue,
    Metric,
)
from orchestration.metrics.choices import Comparison, Format, Grain
from orchestration.metrics.conditions import DATE, as_template, moved
from orchestration.metrics.engine import METRIC_TIME, Compiler, Question
from orchestration.metrics.needs import Needs, empty_tables

PERIOD = "period"

# A year before a Monday is no Monday; 52 weeks before it is.
_YEAR_BEFORE = {"week": "interval 364 day"}


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

    `not_loaded` names the empty raw tables of metrics that cannot be known.
    """

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    metrics: dict[str, Metric]
    not_loaded: Mapping[str, str] = field(default_factory=dict)


class PublishedMetrics:
    """The metrics layer of one published file, open for reading."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        row = connection.execute(f"select manifest from {SCHEMA}.{MANIFEST_TABLE}").fetchone()
        assert row is not None
        self.catalogue = Catalogue(row[0])
        self.compiler = Compiler(row[0])

    def answer(self, request: Request) -> Answer:
        """The answer to a request. Raises WrongUse where there is none, and says why."""
        found = self._run(self.sql(request))
        columns = tuple(item[0] for item in found.description or ())
        rows = found.fetchall()
        shown = {
            f"{name}{suffix}": self.catalogue.metrics[name]
            for name in request.metrics
            for suffix in ("", "_previous")
        }
        needs = Needs(self.catalogue, empty_tables(self._connection))
        lacks = {name: needs.absence(name, request.by).text for name in request.metrics}
        not_loaded = {name: tables for name, tables in lacks.items() if tables}
        return Answer(columns, rows, shown, not_loaded)

    def sql(self, request: Request) -> str:
        """One select statement that answers the request on the published file."""
        asked = {name: self._asked(name, request.grain) for name in request.metrics}
        by = self._group_bys(list(asked.values()), request.by)
        times = [f"{METRIC_TIME}__{request.grain}"] if request.grain else []
        where = tuple(as_template(text, self.catalogue.entities) for text in request.where)
        question = Question(tuple(dict.fromkeys(asked.values())), (*times, *by), where)
        if request.compare:
            relation = self._compared(question, request, asked)
        else:
            relation = self._relation(question, request.grain, asked)
        requested = [_order(text) for text in request.order]
        # No two rows share period and keys, so these order what is left.
        keys = [name for name in [PERIOD] * bool(times) + by if name not in dict(requested)]
        order = [*(term for _, term in requested), *map(quote, keys)]
        ending = f" order by {', '.join(order)}" if order else ""
        ending += f" limit {request.limit}" if request.limit is not None else ""
        return f"select * from ({relation}){ending}"

    def dimensions(self, names: Sequence[str]) -> list[str]:
        """What the metrics can be asked by, without time."""
        found = self.compiler.group_bys(names)
        return [item for item in found if not item.startswith(METRIC_TIME)]

    def _asked(self, name: str, grain: str | None) -> str:
        metric = self.catalogue.metrics.get(name)
        if metric is None:
            near = [item.name for item in self.catalogue.search([name])][:5]
            hint = f" Near it: {', '.join(near)}." if near else ""
            raise WrongUse(f"There is no metric {name}.{hint}", "`voronka metrics` lists them.")
        asked = metric.name_at(grain)
        if asked is None:
            raise WrongUse(
                f"{name} has no figure by {grain}.",
                f"Ask for it by {' or '.join((*metric.grains, *metric.at_grain))}: --grain.",
            )
        return asked

    def _group_bys(self, metrics: Sequence[str], asked: Sequence[str]) -> list[str]:
        """MetricFlow's names for what people call `team`; a member's name beside its key."""
        if not asked:
            return []
        known = self.dimensions(metrics)
        found: list[str] = []
        for item in asked:
            matches = [item] if item in known else _ending_with(known, item)
            if len(matches) != 1:
                raise WrongUse(
                    f"{item} is {'ambiguous' if matches else 'no dimension of these metrics'}.",
                    f"One of {', '.join(matches or _short(known))}.",
                )
            name = f"{matches[0]}__name"
            found += [matches[0], *([name] if name in known else [])]
        return list(dict.fromkeys(found))

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

    def _compared(self, question: Question, request: Request, asked: Mapping[str, str]) -> str:
        """Each row beside the same question's answer of a step earlier.

        From the first period with any figure on, a count that the earlier period lacks is 0.
        """
        if request.grain is None:
            raise WrongUse("--compare needs periods.", "Add --grain month, for example.")
        by = question.by[1:]
        if DATE in by:
            raise WrongUse("A date has no period before it.", "Ask by --grain day, without date.")
        step = f"interval 1 {request.grain}"
        if request.compare == Comparison.YEAR:
            step = _YEAR_BEFORE.get(request.grain, "interval 1 year")
        where = tuple(moved(text, request.grain, step) for text in question.where)
        relation = self._relation(question, request.grain, asked)
        earlier = self._relation(replace(question, where=where), request.grain, asked)
        whole = self._relation(Question(question.metrics, question.by[:1]), request.grain, asked)
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

    def export(self, request: Request, format_: Format, file: Path) -> int:
        """Write the answer to a file as csv, json or parquet; returns its rows."""
        options = {Format.CSV: "format csv, header", Format.JSON: "format json, array true"}
        found = self._run(
            f"copy ({self.sql(request)}) to {literal(str(file))} "
            f"({options.get(format_, 'format parquet')})"
        ).fetchone()
        return int(found[0]) if found else 0

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(sql)
        except duckdb.Error as error:
            raise WrongUse(
                first_line(error),
                "Look at --where, --order and --output; columns are named as in the answer.",
            ) from error


@contextmanager
def published_metrics(file: Path) -> Iterator[PublishedMetrics]:
    """The metrics of a published file. Raises WrongUse where it has none."""
    if not file.is_file():
        raise WrongUse(f"Nothing is published: {file} is not there.", "Run `voronka refresh`.")
    try:
        connection = duckdb.connect(str(file), read_only=True)
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


def _order(text: str) -> tuple[str, str]:
    """`-revenue`, `revenue desc`: the column, and what orders by it."""
    name, _, direction = text.strip().partition(" ")
    is_down = name.startswith("-") or direction.strip().lower() == "desc"
    column = name.lstrip("-")
    return column, f"{quote(column)} {'desc' if is_down else 'asc'} nulls last"


def _ending_with(known: Sequence[str], item: str) -> list[str]:
    return [name for name in known if name.rpartition("__")[2] == item and name.count("__") == 1]


def _short(known: Sequence[str]) -> list[str]:
    return [name for name in known if name.count("__") <= 1]
