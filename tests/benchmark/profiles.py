"""What the slowest models spend their time on, as DuckDB's profiler tells it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from orchestration.base.sql import attach
from tests.benchmark.refreshes import Warehouse

_OPERATORS = 6
_DETAILS = ("Table", "Function", "Conditions", "Groups", "Aggregates", "Projections", "Expression")


def slowest(models: Mapping[str, float], count: int = 3) -> list[str]:
    """The models that took the longest, by `schema.name`."""
    return sorted(models, key=lambda name: -models[name])[:count]


def profile(warehouse: Warehouse, model: str, threads: int) -> dict[str, Any] | None:
    """Run a model's compiled SQL on the build with the profiler; None where it cannot be run."""
    build = warehouse.data_dir / "build" / "voronka_build.duckdb"
    name = f"{model.partition('.')[2]}.sql"
    compiled = list((build.with_name("target") / "compiled").rglob(name))
    if not compiled or not build.is_file():
        return None
    code = compiled[0].read_text(encoding="utf-8")
    output = warehouse.data_dir / "profile.json"
    session: dict[str, Any] = {
        "threads": threads,
        "memory_limit": "2500MB",
        "preserve_insertion_order": False,
    }
    with duckdb.connect(str(build), read_only=True, config=session) as connection:
        raw_zone = build.with_name("raw_zone.duckdb")
        attach(connection, build.with_name("voronka_marts.duckdb"), raw_zone)
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("pragma enable_profiling = 'json'")
        connection.execute(f"pragma profiling_output = '{output}'")
        try:
            connection.execute(f"create temp table profiled as {code}")
        except duckdb.Error as error:
            return {"model": model, "error": str(error).splitlines()[0]}
        connection.execute("pragma disable_profiling")
    tree = json.loads(output.read_text(encoding="utf-8"))
    output.unlink()
    return {"model": model, **operators(tree)}


def operators(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of the query and its most expensive operators with their share."""
    found = list(_walk(tree))
    total = sum(each["operator_timing"] for each in found) or 1.0
    found.sort(key=lambda each: -each["operator_timing"])
    return {
        "seconds": float(tree.get("latency", 0.0)),
        "operators": [
            {
                "name": each["operator_name"],
                "share": each["operator_timing"] / total,
                "rows": int(each["operator_cardinality"]),
                "detail": _detail(each.get("extra_info") or {}),
            }
            for each in found[:_OPERATORS]
        ],
    }


def _walk(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if node.get("operator_name"):
        yield node
    for child in node.get("children", []):
        yield from _walk(child)


def _detail(info: Mapping[str, Any]) -> str:
    """What an operator works on, in one short line without paths."""
    for key in _DETAILS:
        if info.get(key):
            value = info[key]
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            text = re.sub(r"\S*/\S+", "…", text)
            return " ".join(text.split())[:100]
    return ""
