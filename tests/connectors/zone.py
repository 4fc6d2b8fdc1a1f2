"""What a raw zone says in the end, by the contract's rule and no code of the connectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from orchestration.raw_zone.contract import load_contract
from tests.conftest import ROOT

CONTRACT = load_contract(ROOT)
Rows = dict[tuple[str, ...], dict[str, Any]]


def tables(raw: Path) -> list[str]:
    """The contract's tables that have files."""
    found = {f"{it.parent.parent.name}.{it.parent.name}" for it in raw.glob("*/*/*.parquet")}
    return sorted(found & set(CONTRACT.tables))


def current(raw: Path, table: str) -> Rows:
    """The rows that exist: current versions that are not deleted, load times left out."""
    source, name = table.split(".")
    files = sorted(str(it) for it in raw.glob(f"{source}/{name}/*.parquet"))
    if not files:
        return {}
    keys = [column.name for column in CONTRACT.tables[table].columns if column.is_key]
    columns = [column.name for column in CONTRACT.tables[table].columns]
    listed = ", ".join(f'"{key}"' for key in keys)
    with duckdb.connect() as session:
        session.execute("set TimeZone = 'UTC'")
        relation = session.execute(
            f"select {', '.join(columns)} from read_parquet({files}) "
            f"qualify row_number() over (partition by {listed} order by "
            "cast(updated_at as timestamptz) desc nulls last, _loaded_at desc) = 1"
        )
        rows = [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
    for row in rows:
        row.pop("_loaded_at")
    return {
        tuple(str(row[key]) for key in keys): row for row in rows if row.pop("is_deleted") != "true"
    }


def all_rows(raw: Path, table: str) -> list[dict[str, Any]]:
    """Every row of every file."""
    source, name = table.split(".")
    files = sorted(str(it) for it in raw.glob(f"{source}/{name}/*.parquet"))
    if not files:
        return []
    with duckdb.connect() as session:
        session.execute("set TimeZone = 'UTC'")
        found = session.execute(f"select * from read_parquet({files}) order by all")
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def whole(raw: Path) -> Mapping[str, Rows]:
    """All tables as they are in the end; those without a living row left out."""
    return {table: rows for table in tables(raw) if (rows := current(raw, table))}


def settled(raw: Path) -> Mapping[str, Rows]:
    """The same without what counts nowhere: children of what does not exist.

    Who saw a deal before it was deleted knows its history and its source; who came later does not.
    """
    found = {table: dict(rows) for table, rows in whole(raw).items()}
    deals, contacts = found.get("crm.deals", {}), found.get("crm.contacts", {})
    _keep(found, "crm.deal_stage_history", lambda row: (row["deal_id"],) in deals)
    _keep(found, "crm.contact_phones", lambda row: (row["contact_id"],) in contacts)
    named = {
        row.get("source_id")
        for table in ("crm.leads", "crm.deals", "crm.contacts")
        for row in found.get(table, {}).values()
    }
    _keep(found, "crm.sources", lambda row: row["source_id"] in named)
    return found


def _keep(found: dict[str, Rows], table: str, is_kept: Callable[[dict[str, Any]], bool]) -> None:
    if table in found:
        found[table] = {key: row for key, row in found[table].items() if is_kept(row)}
