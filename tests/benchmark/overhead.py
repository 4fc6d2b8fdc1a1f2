"""What a refresh costs before there is a single row."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmark.processes import environment, run
from tests.benchmark.refreshes import Figures, Warehouse, intervals, middle, span

# In the job dbt's import runs beside Dagster's: their sum is more than passes.
IMPORTS = {
    "Python alone": "pass",
    "import of the command and Dagster": "import orchestration.cli, orchestration.defs.build",
    "import of dbt": "import dbt.cli.main",
}


def measure(warehouse: Warehouse, repeats: int) -> Figures:
    """The job on an empty zone: the first time, then medians of `repeats` more.

    `--full`, because a refresh without news keeps what it has made; one of those follows each.
    """
    warehouse.raw_dir.mkdir(parents=True, exist_ok=True)
    first = warehouse.refresh()
    runs, nothing = [], []
    for _ in range(repeats):
        runs.append({**warehouse.refresh("--full"), "dbt": dbt_parts(warehouse)})
        nothing.append(warehouse.refresh())
    found = middle(runs)
    return {
        "first_seconds": first["seconds"],
        "nothing_seconds": middle(nothing)["seconds"],
        "seconds": found["seconds"],
        "cpu_seconds": found["cpu_seconds"],
        "peak_bytes": found["peak_bytes"],
        "imports": {name: _import(code, warehouse, repeats) for name, code in IMPORTS.items()},
        "steps": found["steps"],
        "dbt": found["dbt"],
    }


def dbt_parts(warehouse: Warehouse) -> dict[str, float]:
    """The step of the models: dbt's own preparation, its models and tests, and what is left."""
    results: dict[str, Any] = warehouse.target("run_results.json")
    nodes = intervals(results)
    if not nodes:
        return {}
    begun = datetime.fromisoformat(results["metadata"]["invocation_started_at"]).timestamp()
    tests = [each for each in nodes if each.node.startswith("test.")]
    models = [each for each in nodes if not each.node.startswith("test.")]
    return {
        "before the first node": min(each.started for each in nodes) - begun,
        "nodes, by the clock": span(nodes),
        "models, added up": sum(each.ended - each.started for each in models),
        "tests, added up": sum(each.ended - each.started for each in tests),
    }


def _import(code: str, warehouse: Warehouse, repeats: int) -> float:
    command = [sys.executable, "-c", code]
    log: Path = warehouse.data_dir / "import.log"
    run(command, environment(), log)  # compiles what was never imported
    return median(run(command, environment(), log).seconds for _ in range(repeats))
