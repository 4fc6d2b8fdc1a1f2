"""The engine's limit beside the product: the same kpi_daily by one script, by hand.

The script is the folder `by_hand`, its files one after the other.

`python -m tests.benchmark.limit RAW_DIR SCRIPT FILE` runs one script in a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

from orchestration.base.settings import Settings
from orchestration.models.run import run_dbt
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import register
from tests.benchmark.processes import ROOT, environment, run
from tests.benchmark.refreshes import (
    Figures,
    Interval,
    Warehouse,
    ancestors,
    intervals,
    share,
    span,
)
from tests.benchmark.zone.generator import sql_files

FOLDER = Path(__file__).parent
SCRIPT = FOLDER / "by_hand"
SCAN = FOLDER / "scan.sql"
MART = "kpi_daily"
# What the full refresh at the greatest scale has to do with.
MEMORY_LIMIT = "4GB"
# Quotients of whole microseconds may differ in the last of their sixteen digits.
_FRACTIONS = ("cycle_days_won",)
_NO_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


def run_script(raw_dir: Path, script: Path, file: Path, threads: int) -> Figures:
    """Run a script against a raw zone into a new DuckDB file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    log = file.with_suffix(".log")
    command = [sys.executable, "-m", "tests.benchmark.limit"]
    usage = run([*command, str(raw_dir), str(script), str(file), str(threads)], environment(), log)
    seconds = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])["seconds"]
    return {
        "seconds": float(seconds),
        "cpu_seconds": usage.cpu_seconds,
        "peak_bytes": usage.peak_bytes,
    }


def differing_rows(published: Path, by_hand: Path) -> int:
    """Rows of kpi_daily that only one of the two has."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published}' as product (read_only)")
        connection.execute(f"attach '{by_hand}' as hand (read_only)")
        columns = [
            name for (name, *_) in connection.execute(f"describe hand.main.{MART}").fetchall()
        ]
        listed = ", ".join(
            f"round({name}, 6) as {name}" if name in _FRACTIONS else name for name in columns
        )
        ours = f"select {listed} from product.marts.{MART}"
        theirs = f"select {listed} from hand.main.{MART}"
        found = connection.execute(
            f"select (select count(*) from ({ours} except all {theirs})) + "
            f"(select count(*) from ({theirs} except all {ours}))"
        ).fetchone()
    return int(found[0]) if found else 0


def alone(warehouse: Warehouse, data_dir: Path) -> float:
    """Seconds from the first to the last of kpi_daily's models, built by dbt without the others."""
    settings = Settings(
        data_dir=data_dir, raw_dir=str(warehouse.raw_dir), threads=warehouse.threads
    )
    own = Warehouse(data_dir, warehouse.raw_dir, warehouse.threads)
    settings.build_dir.mkdir(parents=True, exist_ok=True)
    for file in settings.build_files:
        file.unlink(missing_ok=True)
    register(scan(settings.raw_zone, load_contract(ROOT)), settings.raw_zone_file)
    command = ["build", *_NO_TESTS, "--select", f"+{MART}"]
    done = run_dbt(settings, command, lambda name, status: None)
    if not done.is_success:
        raise RuntimeError(f"dbt could not build +{MART}: {done.error}")
    wanted = ancestors(own.target("manifest.json"), MART)
    return span(_of(intervals(own.target("run_results.json")), wanted))


def within_refresh(warehouse: Warehouse) -> Figures:
    """What kpi_daily's models took within the last refresh, by three measures."""
    nodes = ancestors(warehouse.target("manifest.json"), MART)
    found = intervals(warehouse.target("run_results.json"))
    ours = _of(found, nodes)
    return {
        "models": len(ours),
        "span_seconds": span(ours),
        "share_seconds": share(found, nodes),
        "sum_seconds": sum(each.ended - each.started for each in ours),
    }


def _of(found: list[Interval], nodes: set[str]) -> list[Interval]:
    return [each for each in found if each.node in nodes]


def main() -> None:
    """Run one script and print the seconds it took, DuckDB's start left out."""
    raw_dir, script, file, threads = sys.argv[1:5]
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": int(threads),
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": f"{file}.tmp",
    }
    with duckdb.connect(file, config=config) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"set variable raw = '{raw_dir}'")
        text = "\n".join(it.read_text(encoding="utf-8") for it in sql_files(Path(script)))
        statements = duckdb.extract_statements(text)
        start = time.perf_counter()
        for statement in statements:
            connection.execute(statement).fetchall()
        connection.execute("checkpoint")
        print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
