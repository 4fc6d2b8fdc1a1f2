"""MetricFlow's answers as tables that follow the data: only periods that changed are asked again.

An answer to figures by period is a table in a file of its own. For each fact the layer knows by
which days it is counted; what a month's rows were is noted with a fingerprint of them. Where the
rows of some months changed, the periods of these months are asked again, from the facts' rows of
these months alone, and replace what the table had of them.

That is right for figures of a period that come from the period's own rows. Whatever looks further
(running totals, conversions, the period before, facts that only lend a column) is asked as a whole
where anything changed. So is everything where the metrics, the tools or the code changed, after
`--full`, and after a refresh that broke off.
"""

from __future__ import annotations

import hashlib
import json
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp, parse_one

from orchestration.base.cache import code_fingerprint, fingerprint_of
from orchestration.base.files import read_json, write_json
from orchestration.base.sql import literal, quote
from orchestration.metrics.catalogue import Catalogue, inputs_of
from orchestration.metrics.engine import Compiler, Question

# What the rows of each month were, by its first day; of rows without a day by `_NO_MONTH`.
Months = dict[str, str]
Table = tuple[str, str]

_FACTS = "facts_of_months"
_NO_MONTH = "none"
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# Days of the longest period of a grain.
_LONGEST = {"week": 7, "month": 31, "quarter": 92, "year": 366}


class Answers:
    """The answers' tables, in a file beside the build.

    The session uses the database `marts`, which answers. `file` is attached under its stem; nobody
    else may have it open. `terms` are what decides an answer beside the data.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        marts: str,
        file: Path,
        catalogue: Catalogue,
        terms: Sequence[Any],
    ) -> None:
        self._connection, self._marts, self._catalogue = connection, marts, catalogue
        self._state_file = file.with_suffix(".json")
        self._fingerprint = fingerprint_of(duckdb.__version__, code_fingerprint(), *terms)
        known = read_json(self._state_file)
        # Until all is well again, nobody knows what the tables are of.
        self._state_file.unlink(missing_ok=True)
        if known.get("fingerprint") != self._fingerprint or not file.is_file():
            known = {}
            # A writer that was killed leaves its log beside the file.
            for path in (file, file.with_name(f"{file.name}.wal")):
                path.unlink(missing_ok=True)
        self._known = set(known.get("answers", ()))
        self._before: dict[str, Months] = known.get("months", {})
        self._now: dict[str, Months] = {}
        self._asked: set[str] = set()
        self._catalog = quote(file.stem)
        connection.execute(f"attach {literal(str(file))} as {self._catalog}")
        connection.execute(f"attach if not exists ':memory:' as {_FACTS}")

    def table(self, question: Question, compiler: Compiler) -> str:
        """The table with the whole answer to a question whose first `by` is the time.

        Its columns are the question's. Raises WrongUse where there is no answer.
        """
        sql = compiler.sql(question)
        key = json.dumps([asdict(question), sql], ensure_ascii=False, sort_keys=True)
        name = f"answer_{hashlib.sha256(key.encode()).hexdigest()[:24]}"
        table = f"{self._catalog}.{name}"
        reading = _Reading(sql)
        counted = _counted_by(self._catalogue, question.metrics)
        months, is_whole = self._changes(reading, counted)
        is_whole = is_whole or not _looks_at_its_period(self._catalogue, question.metrics)
        if name not in self._known or (months and is_whole):
            self._connection.execute(f"create or replace table {table} as {sql}")
        elif months:
            self._ask_again(table, question.by[0], sql, reading, counted, months)
        self._asked.add(name)
        return table

    def save(self) -> None:
        """Note what the answers are of; called when all of them are asked and good."""
        for name in self._known - self._asked:
            self._connection.execute(f"drop table if exists {self._catalog}.{name}")
        state = {
            "fingerprint": self._fingerprint,
            "months": self._now,
            "answers": sorted(self._asked),
        }
        write_json(self._state_file, state)

    def _changes(
        self, reading: _Reading, counted: Mapping[Table, set[str]]
    ) -> tuple[set[str], bool]:
        """Months whose rows changed in what an answer reads, and whether months tell all of it."""
        changed: set[str] = set()
        is_whole = False
        for table in sorted(reading.tables):
            by = counted.get(table) or self._spines.get(table) or {""}
            for column in sorted(by):
                found = self._changed(table, column)
                changed |= found
                # It lends columns to other facts' rows, of whatever month.
                lends = table in reading.joined or not (table in counted or table in self._spines)
                is_whole = is_whole or bool(found and lends)
        return changed, is_whole

    def _changed(self, table: Table, column: str) -> set[str]:
        key = f"{'.'.join(table)} {column}"
        if key not in self._now:
            self._now[key] = self._months(table, column)
        before, now = self._before.get(key), self._now[key]
        if before is None:
            return {*now, _NO_MONTH}
        return {month for month in {*before, *now} if before.get(month) != now.get(month)}

    def _months(self, table: Table, column: str) -> Months:
        """A fingerprint of the rows of each month; without a column of all rows at once."""
        month = f"coalesce(strftime({column}, '%Y-%m-01'), '{_NO_MONTH}')" if column else "'all'"
        rows = self._connection.execute(
            f"select {month}, count(*) || ' ' || coalesce(sum(hash(_row)), 0) "
            f"from {_named(table)} as _row group by 1"
        ).fetchall()
        return dict(rows)

    def _ask_again(
        self,
        table: str,
        time: str,
        sql: str,
        reading: _Reading,
        counted: Mapping[Table, set[str]],
        months: set[str],
    ) -> None:
        """Replace the periods of these months, asked from the facts' rows of these months alone."""
        grain = time.rpartition("__")[2]
        periods, of_periods = map(_listed, periods_of(grain, months - {_NO_MONTH}))
        period = f"date_trunc('{'day' if grain == 'hour' else grain}', {quote(time)})"
        is_theirs = f"({quote(time)} is null or {period} in {periods})"
        for schema, name in reading.tables:
            relation = f"{quote(self._marts)}.{_named((schema, name))}"
            conditions = [
                f"({column} is null or date_trunc('month', {column}) in {of_periods})"
                for column in sorted(counted.get((schema, name), ()))
            ]
            where = f" where {' or '.join(conditions)}" if conditions else ""
            self._connection.execute(f"create schema if not exists {_FACTS}.{quote(schema)}")
            self._connection.execute(
                f"create or replace view {_FACTS}.{_named((schema, name))} as "
                f"select * from {relation}{where}"
            )
        self._connection.execute(f"delete from {table} where {is_theirs}")
        self._connection.execute(f"use {_FACTS}")
        try:
            self._connection.execute(f"insert into {table} select * from ({sql}) where {is_theirs}")
        finally:
            self._connection.execute(f"use {quote(self._marts)}")

    @cached_property
    def _spines(self) -> dict[Table, set[str]]:
        return {
            (spine["node_relation"]["schema_name"], spine["node_relation"]["alias"]): {
                quote(spine["primary_column"]["name"])
            }
            for spine in self._catalogue.manifest["project_configuration"]["time_spines"]
        }


class _Reading:
    """Which tables a select reads; `joined` are those whose single rows are joined to others'."""

    def __init__(self, sql: str) -> None:
        self.tables: set[Table] = set()
        self.joined: set[Table] = set()
        for node in parse_one(sql, dialect="duckdb").find_all(exp.Table):
            if not node.db:
                continue
            table = (node.db, node.name)
            self.tables.add(table)
            if _is_joined(node):
                self.joined.add(table)


def _is_joined(table: exp.Expr) -> bool:
    node: exp.Expr | None = table
    while node is not None:
        if isinstance(node, exp.Select) and node.args.get("group"):
            return False
        if isinstance(node, exp.Join):
            return True
        node = node.parent
    return False


def _counted_by(catalogue: Catalogue, metrics: Sequence[str]) -> dict[Table, set[str]]:
    """The facts that metrics are measured on, and the columns by whose days they are counted."""
    measured = catalogue.measures_of(metrics)
    found: dict[Table, set[str]] = {}
    for model in catalogue.manifest["semantic_models"]:
        columns = {item["name"]: item.get("expr") or item["name"] for item in model["dimensions"]}
        for measure in model["measures"]:
            if measure["name"] in measured:
                day = measure.get("agg_time_dimension") or model["defaults"]["agg_time_dimension"]
                relation = model["node_relation"]
                table = (relation["schema_name"], relation["alias"])
                found.setdefault(table, set()).add(columns[day])
    return found


def _looks_at_its_period(catalogue: Catalogue, metrics: Sequence[str]) -> bool:
    """Whether metrics come from the rows of their own period alone."""
    for name in metrics:
        definition = catalogue.definition(name)
        if definition["type"] in ("cumulative", "conversion"):
            return False
        for part in definition["type_params"].get("metrics") or []:
            if part.get("offset_window") or part.get("offset_to_grain"):
                return False
        if not _looks_at_its_period(catalogue, inputs_of(definition)):
            return False
    return True


def periods_of(grain: str, months: Iterable[str]) -> tuple[set[date], set[date]]:
    """The periods that share a day with the months, and the months of all their days.

    All by their first days; the periods of hours are days.
    """
    starts = {
        _start(grain, first + timedelta(days=day))
        for first in map(date.fromisoformat, months)
        for day in range(monthrange(first.year, first.month)[1])
    }
    theirs = {
        _start("month", start + timedelta(days=day))
        for start in starts
        for day in range(_LONGEST.get(grain, 1))
        if _start(grain, start + timedelta(days=day)) == start
    }
    return starts, theirs


def _start(grain: str, day: date) -> date:
    """The first day of the period that a day is in; of an hour it is the day."""
    if grain == "week":
        return day - timedelta(days=day.weekday())
    if grain in _MONTHS:
        return day.replace(month=(day.month - 1) // _MONTHS[grain] * _MONTHS[grain] + 1, day=1)
    return day


def _listed(days: Iterable[date]) -> str:
    return f"({', '.join(f'date {literal(str(day))}' for day in sorted(days)) or 'null'})"


def _named(table: Table) -> str:
    return ".".join(map(quote, table))
