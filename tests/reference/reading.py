"""Reads a raw zone and applies the rules for every table: judging, versions, deletions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .contract import TABLES, Column, Table
from .values import Reading, read
from .variables import Variables

Values = dict[str, Any]
_NEVER = datetime.min.replace(tzinfo=UTC)


class MissingColumnError(Exception):
    """A file lacks a required column: the refresh stops."""


@dataclass(frozen=True)
class Row:
    """One judged row: kept if `reasons` is empty."""

    values: Values
    reasons: tuple[str, ...]  # why it is quarantined
    complete: bool  # would be kept were it not deleted
    bad: tuple[str, ...]  # optional columns whose value was bad

    @property
    def is_deleted(self) -> bool:
        """Says that the row was deleted."""
        return self.values["is_deleted"] is True

    def rank(self) -> tuple[datetime, datetime, str]:
        """Greater is newer."""
        values = self.values
        return values["updated_at"] or _NEVER, values["_loaded_at"], repr(sorted(values.items()))


@dataclass(frozen=True)
class TableRows:
    """All rows of one table, on the two sides of the reconciliation."""

    table: Table
    kept: list[Row]
    quarantined: list[Row]

    def key(self, row: Row) -> Any:
        """A row's key: a scalar, or a tuple for a key of several columns; NULL as empty text."""
        parts = tuple(row.values[column.name] for column in self.table.key)
        parts = tuple("" if part is None else part for part in parts)
        return parts[0] if len(parts) == 1 else parts

    def versions(self) -> dict[Any, list[Row]]:
        """The kept rows of each key, the current version first."""
        found: dict[Any, list[Row]] = {}
        for row in self.kept:
            found.setdefault(self.key(row), []).append(row)
        return {key: sorted(rows, key=Row.rank, reverse=True) for key, rows in found.items()}

    def existing(self) -> dict[Any, Values]:
        """Current versions that are not deleted."""
        current = {key: rows[0] for key, rows in self.versions().items()}
        return {key: row.values for key, row in current.items() if not row.is_deleted}

    def members(self) -> dict[Any, Values]:
        """Existing rows, and deleted ones with the values of their greatest complete version."""
        found: dict[Any, Values] = {}
        for key, rows in self.versions().items():
            complete = [row for row in rows if row.complete]
            if not rows[0].is_deleted:
                found[key] = {**rows[0].values, "is_deleted": False}
            elif complete:
                found[key] = {**complete[0].values, "is_deleted": True}
        return found


Zone = dict[str, TableRows]


def read_zone(raw_dir: Path, variables: Variables) -> Zone:
    """Every table of the contract; a missing one is empty."""
    return {name: _read_table(raw_dir, table, variables) for name, table in TABLES.items()}


def _read_table(raw_dir: Path, table: Table, variables: Variables) -> TableRows:
    source, name = table.name.split(".")
    folder = raw_dir / source / name
    rows = [
        judge(table, raw, variables.source_timezone)
        for file in sorted(folder.rglob("*.parquet"))
        if file.is_file() and not _is_hidden(file.relative_to(folder))
        for raw in _raw_rows(file, table)
    ]
    kept = [row for row in rows if not row.reasons]
    return TableRows(table, kept, [row for row in rows if row.reasons])


def _is_hidden(path: Path) -> bool:
    """Loaders keep their state under names that begin so."""
    return any(part.startswith(("_", ".")) for part in path.parts)


def _raw_rows(file: Path, table: Table) -> Iterator[Values]:
    data = pq.ParquetFile(file).read()
    found = {name.lower(): data.column(position) for position, name in enumerate(data.schema.names)}
    for column in table.columns:
        # The key part that may be NULL is still a key column, which every file must have.
        if (column.is_required or column.is_key) and column.name not in found:
            raise MissingColumnError(f"{table.name}: no column {column.name} in {file}")
    cells = {
        column.name: _cells(found[column.name]) for column in table.columns if column.name in found
    }
    for position in range(data.num_rows):
        yield {name: values[position] for name, values in cells.items()}


def _cells(values: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(values.type):  # nanoseconds are cut, before 1970 as in a text
        cut = pc.floor_temporal(values, unit="microsecond")
        values = cut.cast(pa.timestamp("us", values.type.tz))
    return list(values.to_pylist())


def judge(table: Table, raw: Values, zone: str) -> Row:
    """Reads and judges one row by itself."""
    readings = {column.name: read(column, raw.get(column.name), zone) for column in table.columns}
    is_deleted = readings["is_deleted"].value is True
    full = _broken_values(table.columns, readings) | _broken_rules(table, readings)
    judged = [column for column in table.columns if column.is_key or column.name == "_loaded_at"]
    broken = _broken_values(tuple(judged), readings) if is_deleted else full
    return Row(
        values={column.name: _settled(column, readings[column.name]) for column in table.columns},
        reasons=tuple(sorted(f"{name}: {rule}" for name, rule in broken.items())),
        complete=not full,
        bad=tuple(column.name for column in table.columns if _is_bad(column, readings, is_deleted)),
    )


def _broken_values(columns: tuple[Column, ...], readings: dict[str, Reading]) -> dict[str, str]:
    broken = {}
    for column in columns:
        problem = readings[column.name].problem
        if problem and _quarantines(column, problem):
            broken[column.name] = problem
    return broken


def _quarantines(column: Column, problem: str) -> bool:
    if column.fold == "direction" and problem == "enum":  # also where the column is optional
        return True
    if problem == "enum" and column.has_other:
        return False
    return column.is_required


def _broken_rules(table: Table, readings: dict[str, Reading]) -> dict[str, str]:
    """Rules of the last column; a bad or out-of-range operand is a missing one."""
    broken: dict[str, str] = {}
    for rule in table.rules:
        operands = [readings[name].value for name in rule.operands]
        if None not in operands and not rule.holds(*operands):
            broken.setdefault(rule.column, rule.name)
    # Of two rules the first in the order is named: the values' own problems leave no operand.
    return broken


def _settled(column: Column, reading: Reading) -> Any:
    return "other" if reading.problem == "enum" and column.has_other else reading.value


def _is_bad(column: Column, readings: dict[str, Reading], is_deleted: bool) -> bool:
    """A bad optional value, of a deletion too (there also an unknown optional direction).

    An unknown activities.kind counts as well, but not of a deletion: the column is required.
    """
    problem = readings[column.name].problem
    if problem in (None, "required") or column.is_key:
        return False
    if column.is_required:
        return problem == "enum" and column.has_other and not is_deleted
    return True
