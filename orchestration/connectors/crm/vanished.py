"""Rows that are no more: tombstones, dictionaries that lost a member, children that went (1.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from orchestration.connectors.connector import Row
from orchestration.connectors.loading import text_of
from orchestration.connectors.own_rows import OwnRows


def bare(key: str, value: str | None, at: datetime | None) -> Row:
    """A tombstone of a row with a key of one column."""
    return {key: value, "is_deleted": "true", "updated_at": text_of(at) if at else None}


def without_leads(own: OwnRows, rows: Sequence[Row]) -> None:
    """Take the lead away from rows about deals that are no leads, as repeat sales are."""
    deals = {row["deal_id"] for row in rows if row.get("lead_id") and row.get("deal_id")}
    where = "lead_id is null and is_deleted is distinct from 'true'"
    found = own.select("crm.deals", ["deal_id"], where, {"deal_id": sorted(deals)})
    alone = {deal for (deal,) in found}
    for row in rows:
        if row.get("deal_id") in alone:
            row["lead_id"] = None


def dropped(own: OwnRows, table: str, listed: Iterable[Row]) -> list[Row]:
    """Members of a dictionary that are not listed any more, flagged, with their last values."""
    columns = [name for name in own.columns(table) if not name.startswith("_")]
    key = own.keys(table)[0]
    there = {row[key] for row in listed}
    found = []
    for values in own.select(table, columns, "is_deleted is distinct from 'true'"):
        row = dict(zip(columns, values, strict=True))
        if row[key] not in there:
            found.append({**row, "is_deleted": "true"})
    return found


def stale(
    own: OwnRows, table: str, key: str, parent: str, parents: Collection[str | None]
) -> Sequence[tuple[str, str]]:
    """Living rows of these parents: key and parent."""
    ids = {parent: [it for it in parents if it is not None]}
    return own.select(table, [key, parent], "is_deleted is distinct from 'true'", ids)
