"""What sqlfluff sees of dbt's graph: the raw tables, as their YAML states them."""

from pathlib import Path
from typing import Any

import yaml

_MODELS = Path(__file__).parents[2] / "dbt_project" / "models"


def _raw_tables() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in sorted(_MODELS.rglob("*.yml")):
        for source in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("sources", ()):
            for table in source["tables"]:
                columns = {
                    column["name"]: {**column, "config": {"meta": {}} | column.get("config", {})}
                    for column in table.get("columns", ())
                }
                key = f"source.voronka.{source['name']}.{table['name']}"
                found[key] = {
                    **table,
                    "columns": columns,
                    "config": {"meta": {}} | table.get("config", {}),
                }
    return found


nodes: dict[str, Any] = {}
sources = _raw_tables()
