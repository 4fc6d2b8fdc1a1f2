from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from orchestration.raw_zone.contract import load_contract
from orchestration.spark.build import SCHEMAS, drop_build

ROOT = Path(__file__).resolve().parents[2]


class Cluster:
    def __init__(self, *schemas: str) -> None:
        self.schemas = set(schemas)

    def run(self, sql: str) -> None:
        words = sql.split()
        assert words[:2] == ["drop", "schema"] and words[3:] == ["cascade"]
        self.schemas.remove(words[2])

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        assert sql == "show schemas like 'voronka_*'"
        return [(name,) for name in sorted(self.schemas) if name.startswith("voronka_")]


def test_a_build_has_the_schemas_of_the_project() -> None:
    project = (ROOT / "dbt_project.yml").read_text(encoding="utf-8")
    of_models = set(re.findall(r"\+schema: (\w+)", project))
    of_sources = {table.source for table in load_contract(ROOT).tables.values()}
    assert len(of_models) == 6 and len(of_sources) == 4
    assert of_models | of_sources | {f"{it}_new" for it in of_sources} <= set(SCHEMAS)


def test_only_what_a_build_made_is_dropped() -> None:
    cluster = Cluster(
        "voronka_marts", "voronka_crm_new", "voronka_run_7", "voronka_test_marts", "marts"
    )
    drop_build(cluster, "voronka_")
    assert cluster.schemas == {"voronka_run_7", "voronka_test_marts", "marts"}
