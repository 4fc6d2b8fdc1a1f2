"""Questions of people to the published file: metrics by dimensions, compared with earlier periods.

The file carries its own semantic manifest, so an answer is always by the definitions that its
figures were made with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.lib.errors import WrongUse
from orchestration.lib.metrics.catalogue import (
    ALL_GRAINS,
    MANIFEST_TABLE,
    SCHEMA,
    Catalogue,
    Metric,
)
from orchestration.lib.metrics.choices import Comparison, Format, Grain
from orchestration.lib.metrics.engine import METRIC_TIME, Compiler, Question
from orchestration.lib.raw_zone import literal, quote

PERIOD = "period"

# A year before a Monday is no Monday; 52 weeks before it is.
_YEAR_BEFORE = {"week": "interval 364 day"}
_QUOTED = re.compile(r"('(?:[^']|'')*')")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
    """Columns and rows; `metrics` says which columns are figures, and of which metric."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    metrics: dict[str, Metric]


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
        shown = {
            f"{name}{suffix}": self.catalogue.metrics[name]
            for name in request.metrics
            for suffix in ("", "_previous")
        }
        return Answer(columns, found.fetchall(), shown)

    def sql(self, request: Request) -> str:
        """One select statement that answers the request on the published file."""
        asked = {name: self._asked(name, request.grain) for name in request.metrics}
        by = self._group_bys(list(asked.values()), request.by)
        times = [f"{METRIC_TIME}__{request.grain}"] if request.grain else []
        where = tuple(as_template(text, self.catalogue.entities) for text in request.where)
        question = Question(tuple(dict.fromkeys(asked.values())), (*times, *by), where)
        answered = self.compiler.sql(question)
        cast = "::date" if request.grain != "hour" else ""
        columns = [f"{quote(times[0])}{cast} as {PERIOD}"] if times else []
        columns += [quote(item) for item in by]
        columns += [f"{self._figure(asked[name])} as {quote(name)}" for name in asked]
        relation = f"select {', '.join(columns)} from ({answered})"
        if request.compare:
            relation = self._compared(relation, request, by)
        order = [_order(text) for text in request.order] or [PERIOD] * bool(times) + [
            quote(item) for item in by
        ]
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
        is_whole = metric.is_zero_of_nothing and metric.unit in ("count", "seconds")
        return f"{value}::bigint" if is_whole else value

    def _compared(self, relation: str, request: Request, by: Sequence[str]) -> str:
        if request.grain is None:
            raise WrongUse("--compare needs periods.", "Add --grain month, for example.")
        step = f"interval 1 {request.grain}"
        if request.compare == Comparison.YEAR:
            step = _YEAR_BEFORE.get(request.grain, "interval 1 year")
        same = "".join(f" and now.{quote(i)} is not distinct from before.{quote(i)}" for i in by)
        figures = ", ".join(
            f"now.{quote(name)}, before.{quote(name)} as {quote(name + '_previous')}, "
            f"now.{quote(name)}::double / nullif(before.{quote(name)}::double, 0) - 1 "
            f"as {quote(name + '_change')}"
            for name in request.metrics
        )
        keys = "".join(f", now.{quote(item)}" for item in by)
        return (
            f"with asked as ({relation}) select now.{PERIOD}{keys}, {figures} from asked as now "
            f"left join asked as before on before.{PERIOD} = now.{PERIOD} - {step}{same}"
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
                str(error).splitlines()[0],
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
            f"{file} cannot be read: {str(error).splitlines()[0]}", "Run `voronka refresh`."
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


def as_template(condition: str, entities: frozenset[str]) -> str:
    """A condition like `manager__team = 'North' and metric_time >= '2026-01-01'` for MetricFlow.

    Conditions that are templates already stay as they are.
    """
    if "{{" in condition:
        return condition

    def named(match: re.Match[str]) -> str:
        word = match[0]
        if word == METRIC_TIME:
            return "{{ TimeDimension('metric_time', 'day') }}"
        if word in entities:
            return f"{{{{ Entity('{word}') }}}}"
        if "__" in word:
            entity, _, attribute = word.rpartition("__")
            if entity.partition("__")[0] == METRIC_TIME or attribute in ALL_GRAINS:
                return f"{{{{ TimeDimension('{entity}', '{attribute}') }}}}"
            return f"{{{{ Dimension('{word}') }}}}"
        return word

    parts = _QUOTED.split(condition)
    return "".join(
        part if number % 2 else _WORD.sub(named, part) for number, part in enumerate(parts)
    )


def _order(text: str) -> str:
    name, _, direction = text.strip().partition(" ")
    is_down = name.startswith("-") or direction.strip().lower() == "desc"
    return f"{quote(name.lstrip('-'))} {'desc' if is_down else 'asc'} nulls last"


def _ending_with(known: Sequence[str], item: str) -> list[str]:
    return [name for name in known if name.rpartition("__")[2] == item and name.count("__") == 1]


def _short(known: Sequence[str]) -> list[str]:
    return [name for name in known if name.count("__") <= 1]
