"""A company of three tables as dbt would have built it on Spark, for tests of what comes after."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestration.base.settings import Settings
from orchestration.models.dbt import Manifest
from orchestration.models.run import NodeResult
from orchestration.spark.connection import Spark

PROJECT = Path(__file__).resolve().parents[2]
PUBLISHED = frozenset({"marts", "metrics", "quality", "quarantine"})


def outlook_macro() -> str:
    """The macro that states the outlook's tables, as dbt's manifest has it."""
    file = PROJECT / "dbt_project/macros/create_outlook.sql"
    found = re.search(
        r"\{% macro outlook_tables\(\).*?endmacro %\}", file.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return found[0]


def node(
    schema: str,
    name: str,
    columns: Mapping[str, str] | None = None,
    grain: Sequence[str] = (),
    kind: str = "model",
) -> dict[str, Any]:
    """A node of the manifest of DuckDB's target; with `columns` it has a contract."""
    return {
        "resource_type": kind,
        "database": "voronka_marts" if schema in PUBLISHED else "voronka_build",
        "schema": schema,
        "alias": name,
        "name": name,
        "description": f"What {name} tells.",
        "columns": {
            column: {"name": column, "data_type": data_type, "description": f"About {column}."}
            for column, data_type in (columns or {}).items()
        },
        "config": {
            "materialized": "table",
            "contract": {"enforced": columns is not None},
            "meta": {"grain": list(grain)} if grain else {},
        },
    }


def manifest_of(*nodes: Mapping[str, Any], sources: Sequence[str] = ()) -> Manifest:
    """A manifest of these nodes, and of these tables of the outlook."""
    return {
        "nodes": {f"model.voronka.{it['alias']}": it for it in nodes},
        "sources": {
            f"source.voronka.outlook.{name}": {"source_name": "outlook", "name": name}
            for name in sources
        },
        "macros": {"macro.voronka.outlook_tables": {"macro_sql": outlook_macro()}},
    }


def built(manifest: Manifest, status: str = "success") -> list[NodeResult]:
    """The results of a run that built all nodes."""
    return [NodeResult(name, status, "OK", 0.0, None) for name in manifest["nodes"]]


def build(
    spark: Spark, settings: Settings, schema: str, name: str, select: str, how: str = ""
) -> None:
    """Build a table on Spark in the way of the project's materializations."""
    place = f"{settings.spark_prefix}{schema}"
    spark.run(f"create schema if not exists {place}")
    spark.run(f"drop table if exists {place}.{name}")
    spark.run(f"create table {place}.{name} {how or 'using parquet'} as {select}")
