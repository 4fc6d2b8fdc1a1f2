"""Whether a new set may take the place of the present one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from orchestration.base.errors import RefreshRefused
from orchestration.base.outside import facts_on_cluster
from orchestration.base.record import EMPTY, SHRINK, Record
from orchestration.base.sql import quote
from orchestration.models.dbt import PublishedModel

# A table of less may lose half of its rows on an ordinary day; all facts together may not.
_SMALLEST = 10


def refuse_shrinking(
    present: Path, models: Sequence[PublishedModel], rows: Mapping[str, int], record: Record
) -> None:
    """Raise RefreshRefused where the facts of the present set would lose more than half their rows.

    One fact of some rows, or all together. `rows` of the new set by full table name. The demo may
    be replaced by anything; `--accept-shrink` lets the new set pass, and `--allow-empty` one
    without any fact.
    """
    facts = [model.full_name for model in models if model.counts_events]
    new = {name: rows.get(name, 0) for name in facts}
    is_empty = not any(new.values())
    if SHRINK in record.accepted or (is_empty and EMPTY in record.accepted):
        return
    old = _rows(present, facts)
    lost = [
        f"{name}: {new[name]:,} rows, {old[name]:,} before"
        for name in facts
        if old[name] >= _SMALLEST and new[name] * 2 < old[name]
    ]
    whole, before = sum(new.values()), sum(old.values())
    if not lost and whole * 2 >= before:
        return
    raise RefreshRefused(
        "The facts have lost more than half of their rows; what is published stays.",
        "Look whether files are missing in the raw zone, or many rows are in quarantine; if it is "
        "meant so, say --accept-shrink.",
        lost or [f"All facts: {whole:,} rows, {before:,} before"],
    )


def _rows(present: Path, facts: Sequence[str]) -> dict[str, int]:
    """Rows of these tables in the present set; 0 for the demo, and where there is none."""
    none = dict.fromkeys(facts, 0)
    if not present.is_file():
        return none
    try:
        with duckdb.connect(str(present), read_only=True) as connection:
            is_demo = connection.execute("select is_demo from quality.publication").fetchone()
            if is_demo and is_demo[0]:
                return none
            facts_on_cluster(connection)
            return {fact: _count(connection, fact) for fact in facts}
    except duckdb.Error:
        # What cannot be read is worth nothing to anybody.
        return none


def _count(connection: duckdb.DuckDBPyConnection, fact: str) -> int:
    table = ".".join(quote(part) for part in fact.split("."))
    try:
        found = connection.execute(f"select count(*) from {table}").fetchone()
    except duckdb.CatalogException:
        return 0
    return int(found[0]) if found else 0
