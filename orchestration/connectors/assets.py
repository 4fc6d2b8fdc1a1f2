"""What Dagster calls the tables of a connection, and what it is told of a run of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg


def asset_key(name: str, table: str) -> dg.AssetKey:
    """The asset of what a connection gives a table, by the contract's name (`crm.leads`)."""
    return dg.AssetKey(["connections", name, *table.split(".")])


def metadata_of(report: Mapping[str, Any], table: str) -> dict[str, Any]:
    """What a run gave a table, and what is true of the whole run; `report` as it is written."""
    counts = {
        f"rows {what}": report.get(what, {}).get(table, 0)
        for what in ("written", "deleted", "unchanged")
    }
    return {**counts, **whole_metadata(report)}


def whole_metadata(report: Mapping[str, Any]) -> dict[str, Any]:
    """What is true of the run, whichever table is looked at."""
    return {
        "requests": sum(report.get("requests", {}).values()),
        "reached": dg.MetadataValue.json(report.get("reached", {})),
        "warnings": "\n".join(report.get("warnings", [])) or "none",
        "report": dg.MetadataValue.json(report),
    }
