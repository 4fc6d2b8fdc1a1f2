"""Whether a new set may take the place of the present one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from orchestration.base.errors import RefreshRefused
from orchestration.base.record import EMPTY, SHRINK, Record
from orchestration.base.sql import quote
from orchestration.models.dbt import PublishedModel

# A table of less may lose half of its rows on an ordinary day.
_SMALLEST = 20


def refuse_shrinking(
    present: Path, models: Sequence[PublishedModel], rows: Mapping[str, int], record: Record
) -> None:
    """Raise RefreshRefused where a fact of the present set would lose more than half of its rows.

    `rows` of the new set by full table name. The demo may be replaced by anything, and
    `--accept-shrink` or `--allow-empty` lets the new set pass.
    """
    if {EMPTY, SHRINK} & set(record.accepted):
        return
    facts = [model for model in models if model.counts_events]
    lost = [
        f"{model.full_name}: {rows.get(model.full_name, 0):,} rows, {before:,} before"
        for model, before in zip(facts, _rows(present, facts), strict=True)
        if before >= _SMALLEST and rows.get(model.full_name, 0) * 2 < before
    ]
    if lost:
        raise RefreshRefused(
            "The new set has lost more than half of what is published, which stays.",
            "Look whether files are missing in the raw zone, or many rows are in quarantine; if it "
            "is meant so, say --accept-shrink.",
            lost,
        )


def _rows(present: Path, facts: Sequence[PublishedModel]) -> list[int]:
    """Rows of these tables in the present set; 0 for the demo, and where there is none."""
    if not present.is_file():
        return [0] * len(facts)
    try:
        with duckdb.connect(str(present), read_only=True) as connection:
            is_demo = connection.execute("select is_demo from quality.publication").fetchone()
            if is_demo and is_demo[0]:
                return [0] * len(facts)
            return [_count(connection, fact) for fact in facts]
    except duckdb.Error:
        # What cannot be read is worth nothing to anybody.
        return [0] * len(facts)


def _count(connection: duckdb.DuckDBPyConnection, fact: PublishedModel) -> int:
    table = f"{quote(fact.schema)}.{quote(fact.name)}"
    try:
        found = connection.execute(f"select count(*) from {table}").fetchone()
    except duckdb.CatalogException:
        return 0
    return int(found[0]) if found else 0
