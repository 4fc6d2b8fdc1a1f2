"""MetricFlow's answers as tables that follow the data: only cells that changed are asked again.

An answer to figures by period is a table in a file of its own. A cell of it is one period and one
member of an entity that it is asked by (a manager, say). Each figure of a cell comes from rows of
facts that are of its period and member; where such rows changed ([`cells`](cells.py)), the cell is
asked again, from these cells' rows alone, and replaces what the table had of it.

Facts whose last day of a period counts (open deals) are read with all rows of these days. Whatever
looks further (running totals, conversions, the period before, facts that lend a column to others)
is asked as a whole where anything changed; names that a dimension lends are followed by its
members. Everything is asked where the metrics, the tools or the code changed, after `--full`, and
after a refresh that broke off.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp, parse_one

from orchestration.base.cache import code_fingerprint, fingerprint_of
from orchestration.base.files import read_json, write_json
from orchestration.base.sql import literal, quote
from orchestration.metrics.catalogue import Catalogue, inputs_of
from orchestration.metrics.cells import DAY, MEMBER, Cells, Rows, day_of, member_of
from orchestration.metrics.engine import Compiler, Question

Table = tuple[str, str]

PERIOD = "period"
# What facts are told apart by beside the day, where a question is asked by it: the entity with the
# most members that nearly all of them have.
_MEMBERS = "manager"
_FACTS = "facts_of_cells"


@dataclass(frozen=True)
class Answer:
    """The table with the whole answer to a question, and which of its cells are new.

    `cells` is a table of `period` and `member`, where the grain of the question tells its periods
    and its `entity` the members (None: there are none); other cells are what they were when the
    answers were last saved. Without `cells` nobody knows that of any.
    """

    table: str
    grain: str
    entity: str | None
    cells: str | None


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
        self._marks_before: dict[str, str] = known.get("marks", {})
        self._marks: dict[str, str] = {}
        self._answers: dict[str, Answer] = {}
        self._catalog = quote(file.stem)
        connection.execute(f"attach {literal(str(file))} as {self._catalog}")
        connection.execute(f"attach if not exists ':memory:' as {_FACTS}")
        self._cells = Cells(connection, self._catalog, known.get("cells", ()))
        self._temporary = 0

    def answer(self, question: Question, compiler: Compiler) -> Answer:
        """The whole answer to a question whose first `by` is the time; columns are the question's.

        Raises WrongUse where there is no answer.
        """
        sql = compiler.sql(question)
        try:
            return self._answer(question, self._narrow(question, sql))
        except duckdb.ConversionException:
            # A sum of more than 64 bits.
            return self._answer(question, sql)

    def _answer(self, question: Question, sql: str) -> Answer:
        key = json.dumps([asdict(question), sql], ensure_ascii=False, sort_keys=True)
        name = f"answer_{hashlib.sha256(key.encode()).hexdigest()[:24]}"
        if name not in self._answers:
            self._answers[name] = self._follow(name, _Plan(self._catalogue, question, sql), sql)
        return self._answers[name]

    def compared(self, answer: Answer, rows: Rows) -> str | None:
        """Cells in which a mart or an answer is not what it was when both were last saved.

        `rows` are the mart's, told apart as the answer's cells are. None: all of them.
        """
        changed = self._cells.changed(rows)
        if answer.cells is None or self._cells.before(rows) is None:
            return None
        return self._temporary_table(
            f"select {PERIOD}, {MEMBER} from {answer.cells} "
            f"union select {day_of(DAY, answer.grain)}, {MEMBER} from {changed}"
        )

    def mark(self, key: str, value: str) -> str | None:
        """Note a value on which more than single cells depends; what it was, None if nobody knows.

        The last value of a key is saved with the answers.
        """
        self._marks[key] = value
        return self._marks_before.get(key)

    def save(self) -> None:
        """Note what the answers are of; called when all of them are asked and good."""
        for name in self._known.difference(self._answers):
            self._connection.execute(f"drop table if exists {self._catalog}.{name}")
        state = {
            "fingerprint": self._fingerprint,
            "answers": sorted(self._answers),
            "cells": self._cells.note(),
            "marks": self._marks,
        }
        write_json(self._state_file, state)

    def _narrow(self, question: Question, sql: str) -> str:
        """Whole numbers in 64 bits: 128, as sums have, are read a hundred times slower."""
        whole = ", ".join(
            f"{quote(name)}::bigint as {quote(name)}"
            for name in question.metrics
            if self._catalogue.metrics[name].sql_type in ("bigint", "decimal(38, 0)")
        )
        return f"select * replace ({whole}) from ({sql})" if whole else sql

    def _follow(self, name: str, plan: _Plan, sql: str) -> Answer:
        table = f"{self._catalog}.{name}"
        # All are looked at, so that the next refresh knows what they were.
        changed = [rows for rows in plan.rows if self._cells.has_changed(rows)]
        if name not in self._known or plan.is_whole_for(changed):
            self._connection.execute(f"create or replace table {table} as {sql}")
            return Answer(table, plan.grain, plan.entity, None)
        cells = self._changed_cells(plan, changed)
        count = self._count(cells)
        if count > self._count(f"(select distinct {plan.keys} from {table})") / 2:
            self._connection.execute(f"create or replace table {table} as {sql}")
        elif count:
            self._ask_again(table, plan, sql, cells)
        return Answer(table, plan.grain, plan.entity, cells)

    def _changed_cells(self, plan: _Plan, changed: Iterable[Rows]) -> str:
        """A table of `period` and `member`: what the changed rows are of."""
        parts = [
            f"select {day_of(DAY, plan.grain)} as {PERIOD}, {MEMBER} from {relation}"
            for rows in changed
            for relation in (
                [self._cells.changed(rows)] if rows in plan.counted else self._cells_of(plan, rows)
            )
        ]
        nothing = f"select {day_of(None)} as {PERIOD}, '' as {MEMBER} limit 0"
        return self._temporary_table(" union ".join(parts or [f"({nothing})"]))

    def _cells_of(self, plan: _Plan, dimension: Rows) -> list[str]:
        """Cells of the members whose row in a dimension changed, as they are and as they were."""
        relations = [
            relation
            for rows in plan.counted
            for relation in (self._cells.of(rows), self._cells.before(rows))
            if relation
        ]
        members = f"(select {MEMBER} from {self._cells.changed(dimension)})"
        return [f"(from {relation} where {MEMBER} in {members})" for relation in relations]

    def _ask_again(self, table: str, plan: _Plan, sql: str, cells: str) -> None:
        """Replace these cells, asked from the facts' rows of these cells alone."""
        for schema, name in plan.tables:
            relation = f"{quote(self._marts)}.{_named((schema, name))}"
            conditions = []
            for rows in plan.counted:
                if (rows.schema, rows.table) == (schema, name):
                    period, day = day_of(rows.day, plan.grain), day_of(rows.day)
                    conditions.append(f"({period}, {member_of(rows.member)}) in (from {cells})")
                    # Rows of others, too, tell which day of a period is the last.
                    days_that_count = plan.days_that_count.get(name, ())
                    conditions += [
                        f"{day} in (select {which}({day}) from {relation} group by {period})"
                        for which in sorted(days_that_count if plan.grain != "day" else ())
                    ]
            self._connection.execute(f"create schema if not exists {_FACTS}.{quote(schema)}")
            # Whole tables are small; of facts the answer reads a few columns, more than once.
            columns = ", ".join(
                quote(column)
                for (column,) in self._connection.execute(
                    f"select column_name from (describe {relation})"
                ).fetchall()
                if column.lower() in plan.columns
            )
            where = f" where {' or '.join(conditions)}" if conditions else ""
            self._connection.execute(
                f"create or replace table {_FACTS}.{_named((schema, name))} as "
                f"select {columns} from {relation}{where}"
            )
        is_theirs = f"({plan.keys}) in (from {cells})"
        self._connection.execute(f"delete from {table} where {is_theirs}")
        self._connection.execute(f"use {_FACTS}")
        try:
            self._connection.execute(f"insert into {table} select * from ({sql}) where {is_theirs}")
        finally:
            self._connection.execute(f"use {quote(self._marts)}")

    def _temporary_table(self, sql: str) -> str:
        self._temporary += 1
        name = f"cells_to_ask_{self._temporary}"
        self._connection.execute(f"create temp table {name} as {sql}")
        return f"temp.main.{name}"

    def _count(self, relation: str) -> int:
        found = self._connection.execute(f"select count(*) from {relation}").fetchone()
        return int(found[0]) if found else 0


class _Plan:
    """What the cells of an answer come from.

    `counted` are rows of facts, told apart as the answer's cells are; `lent` those that others'
    rows are joined to or that tell more than days.
    """

    def __init__(self, catalogue: Catalogue, question: Question, sql: str) -> None:
        self._catalogue, self._question = catalogue, question
        reading = _Reading(sql)
        self.tables, self.columns = sorted(reading.tables), reading.columns
        grain = question.by[0].rpartition("__")[2]
        self.grain = "day" if grain == "hour" else grain
        self.entity = None if self._spines & reading.tables else self._entity_of_all()
        self.counted, self.lent = self._rows(reading)
        self.keys = f"{day_of(quote(question.by[0]), self.grain)}, {member_of(self._key)}"

    @property
    def rows(self) -> list[Rows]:
        """All that the answer comes from."""
        return [*self.counted, *self.lent]

    def is_whole_for(self, changed: Sequence[Rows]) -> bool:
        """Whether the cells do not tell which figures changed where these rows did."""
        if not changed:
            return False
        if not _looks_at_its_period(self._catalogue, self._question.metrics):
            return True
        if any(
            (measure.get("non_additive_dimension") or {}).get("window_groupings")
            for _, measures in self._measured
            for measure in measures
        ):
            return True
        return any(rows in self.lent and rows.member is None for rows in changed)

    @cached_property
    def days_that_count(self) -> dict[str, set[str]]:
        """Facts of which a period's `min` or `max` day counts, whoever has rows of it."""
        found: dict[str, set[str]] = {}
        for model, measures in self._measured:
            for measure in measures:
                if one_day := measure.get("non_additive_dimension"):
                    found.setdefault(_table(model)[1], set()).add(one_day["window_choice"])
        return found

    @property
    def _key(self) -> str | None:
        return quote(self.entity) if self.entity else None

    @cached_property
    def _measured(self) -> list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]:
        """Semantic models with those of their measures that the metrics come from."""
        names = self._catalogue.measures_of(self._question.metrics)
        found = []
        for model in self._catalogue.manifest["semantic_models"]:
            measures = [measure for measure in model["measures"] if measure["name"] in names]
            if measures:
                found.append((model, measures))
        return found

    def _entity_of_all(self) -> str | None:
        """The entity that the question is asked by and that all its facts have."""
        asked = sorted(self._question.by[1:], key=lambda item: item != _MEMBERS)
        shared = [
            item for item in asked if all(_entity(model, item) for model, _ in self._measured)
        ]
        return shared[0] if shared else None

    def _rows(self, reading: _Reading) -> tuple[list[Rows], list[Rows]]:
        counted: dict[Rows, None] = {}
        lent: list[Rows] = []
        for model, measures in self._measured:
            table = _table(model)
            days = {item["name"]: item.get("expr") or item["name"] for item in model["dimensions"]}
            member = _entity(model, self.entity) if self.entity else None
            parts = next(filter(None, (_entity(model, it) for it in (_MEMBERS, "source"))), None)
            for measure in measures:
                day = measure.get("agg_time_dimension") or model["defaults"]["agg_time_dimension"]
                counted[Rows(*table, days[day], member, parts=parts)] = None
        facts = {(rows.schema, rows.table) for rows in counted}
        for table in sorted(reading.tables):
            if table in self._spines:
                counted[Rows(*table, quote(self._spine_days[table]))] = None
            elif table not in facts:
                lent.append(Rows(*table, member=self._key_of(table)))
            elif table in reading.joined:
                lent.append(Rows(*table))
        return list(counted), lent

    def _key_of(self, table: Table) -> str | None:
        """The key of a dimension whose members are the cells'."""
        if self.entity is None or any(item.count("__") > 1 for item in self._question.by[1:]):
            return None
        for model in self._catalogue.manifest["semantic_models"]:
            if _table(model) == table and not model["measures"]:
                for entity in model["entities"]:
                    if entity["name"] == self.entity and entity["type"] == "primary":
                        return str(entity.get("expr") or entity["name"])
        return None

    @cached_property
    def _spine_days(self) -> dict[Table, str]:
        return {
            _table(spine): spine["primary_column"]["name"]
            for spine in self._catalogue.manifest["project_configuration"]["time_spines"]
        }

    @property
    def _spines(self) -> set[Table]:
        return set(self._spine_days)


class _Reading:
    """Which tables and columns a select reads; `joined` are tables whose rows others' look at."""

    def __init__(self, sql: str) -> None:
        statement = parse_one(sql, dialect="duckdb")
        self.columns = {column.name.lower() for column in statement.find_all(exp.Column)}
        self.tables: set[Table] = set()
        self.joined: set[Table] = set()
        # Who reads a named subquery.
        self._readers: dict[str, list[exp.Expr]] = {}
        tables = list(statement.find_all(exp.Table))
        for node in tables:
            self._readers.setdefault(node.name, []).append(node)
        for node in tables:
            if not node.db:
                continue
            table = (node.db, node.name)
            self.tables.add(table)
            if self._is_joined(node):
                self.joined.add(table)

    def _is_joined(self, node: exp.Expr | None) -> bool:
        while node is not None:
            if isinstance(node, exp.Select) and node.args.get("group"):
                return False
            if isinstance(node, exp.Join):
                return True
            if isinstance(node, exp.CTE):
                return any(map(self._is_joined, self._readers.get(node.alias, ())))
            node = node.parent
        return False


def _entity(model: Mapping[str, Any], name: str) -> str | None:
    """The expression of an entity of a semantic model."""
    for entity in model["entities"]:
        if entity["name"] == name:
            return str(entity.get("expr") or name)
    return None


def _table(item: Mapping[str, Any]) -> Table:
    return item["node_relation"]["schema_name"], item["node_relation"]["alias"]


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


def _named(table: Table) -> str:
    return ".".join(map(quote, table))
