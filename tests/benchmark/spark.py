"""`make benchmark ENGINE=spark SCALE=s|m|l`: the refresh on Spark beside the one on DuckDB.

Both build the same zone on this machine from scratch, then a day on top of it, one after the
other; at the smaller scales every table of the two builds is compared. Spark is a session in the
refresh's own process, or the server that VORONKA_SPARK names: then the memory and the seconds of
its JVMs are not seen from here. A run writes docs/benchmark/spark-<scale>.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.base.settings import Settings
from tests.benchmark import machine, spark_events
from tests.benchmark.__main__ import Benchmark, console, link_tree, rounded, say
from tests.benchmark.processes import ROOT
from tests.benchmark.refreshes import Figures, Warehouse, middle
from tests.benchmark.report import RESULTS, written
from tests.benchmark.zone.generator import NEXT_DAYS, SCALES
from tests.spark.compare import differences, relations

SESSION = "session"
PREFIX = "benchmark_"
# Ten million wide rows twice are more than this machine's memory.
COMPARED = ("s", "m")
SHOWN = 15
_FIGURES = (
    ("refresh from scratch", "s", "seconds"),
    ("processor time", "s", "cpu_seconds"),
    ("— of Java", "s", "jvm_cpu_seconds"),
    ("peak memory", "bytes", "peak_bytes"),
    ("— of Java", "bytes", "jvm_peak_bytes"),
)


class BothEngines:
    """The same zone by DuckDB and on Spark, each in its own data directory."""

    def __init__(self, benchmark: Benchmark, spark: str) -> None:
        self._benchmark = benchmark
        self._spark = spark
        self._events = benchmark.work / "spark-events"

    def measure(self) -> Figures:
        """Figures of both, and whether they built the same."""
        zone = self._benchmark.prepare()
        found: Figures = {"zone": zone}
        for engine in ("duckdb", "spark"):
            found[engine] = self._of_engine(engine)
        if self._benchmark.scale in COMPARED:
            found["equal_tables"] = self._compare()
        return found

    def _of_engine(self, engine: str) -> Figures:
        raw = self._benchmark.warehouse.raw_dir
        shutil.rmtree(raw, ignore_errors=True)
        link_tree(self._benchmark.zone / "base", raw)
        shutil.rmtree(self._warehouse(engine).data_dir, ignore_errors=True)
        full, days = [], []
        for number in range(self._benchmark.repeats):
            shutil.rmtree(self._events, ignore_errors=True)
            full.append(self._warehouse(engine).refresh("--full"))
            say(f"{engine}, from scratch {number + 1}: {full[-1]['seconds']:.1f} s")
        work = spark_events.work_by_table(self._events, PREFIX) if self._events.exists() else {}
        for number in range(1, self._benchmark.repeats + 1):
            link_tree(self._benchmark.zone / f"day-{number}", raw)
            days.append(self._warehouse(engine).refresh())
            say(f"{engine}, a day {number}: {days[-1]['seconds']:.1f} s")
        return {"full": middle(full), "day": middle(days), **({"work": work} if work else {})}

    def _warehouse(self, engine: str) -> Warehouse:
        variables: dict[str, str] = {}
        if engine == "spark":
            variables = {
                "VORONKA_ENGINE": "spark",
                "VORONKA_SPARK": self._spark,
                "VORONKA_SPARK_PREFIX": PREFIX,
            }
            if self._spark == SESSION:
                variables |= spark_events.settings(self._events)
        own = self._benchmark.warehouse
        place = self._benchmark.work / f"data-{engine}"
        return Warehouse(place, own.raw_dir, own.threads, variables)

    def _compare(self) -> int:
        files = [
            Settings(data_dir=self._warehouse(engine).data_dir).build_files
            for engine in ("duckdb", "spark")
        ]
        different = differences(*files)
        if different:
            raise SystemExit("\n".join(["The two builds are not equal:", *different]))
        return len(relations(files[0]))


def table(found: Figures) -> str:
    """Both engines side by side, and where Spark's time goes."""
    lines = ["", f"{'':32}{'DuckDB':>12}{'Spark':>12}"]
    for part in ("full", "day"):
        of = [found[engine][part] for engine in ("duckdb", "spark")]
        for label, unit, name in _FIGURES:
            shown = label if part == "full" else label.replace("from scratch", "of a day")
            lines.append(_line(shown, [written(it.get(name), unit) for it in of]))
        for step in dict.fromkeys([*of[0]["steps"], *of[1]["steps"]]):
            lines.append(_line(f"— {step}", [written(it["steps"].get(step), "s") for it in of]))
    lines += ["", f"{'slowest on Spark':52}" + "".join(f"{it:>12}" for it in _HEADS)]
    models = found["spark"]["full"]["models"]
    for name in sorted(models, key=lambda it: -models[it])[:SHOWN]:
        work: dict[str, Any] = found["spark"].get("work", {}).get(name, {})
        by_duckdb = found["duckdb"]["full"]["models"].get(name)
        cells = [written(by_duckdb, "s"), written(models[name], "s")]
        cells += [written(work.get("seconds"), "s"), written(work.get("gc_seconds"), "s")]
        cells += [written(work.get(it), "bytes") for it in ("shuffle_bytes", "spilled_bytes")]
        lines.append(f"{name:52}" + "".join(f"{it:>12}" for it in cells))
    if "equal_tables" in found:
        lines += ["", f"All {found['equal_tables']} tables and views are equal."]
    return "\n".join(lines)


_HEADS = ("DuckDB", "Spark", "tasks", "gc", "shuffled", "spilled")


def _line(label: str, cells: Sequence[str]) -> str:
    return f"{label:32}" + "".join(f"{it:>12}" for it in cells)


def main() -> None:
    """Measure one scale with both engines and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="s")
    parser.add_argument("--repeat", type=int, default=1, choices=range(1, NEXT_DAYS + 1))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "benchmark")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON file goes")
    arguments = parser.parse_args()
    scale, calls = arguments.scale, SCALES[arguments.scale]
    work = arguments.work.resolve()
    spark = os.environ.get("VORONKA_SPARK", SESSION)
    benchmark = Benchmark(scale, calls, work, arguments.repeat, arguments.threads)
    found = BothEngines(benchmark, spark).measure()
    results = {
        "scale": scale,
        "calls": calls,
        "machine": machine.describe() | machine.describe_spark(),
        "threads": arguments.threads,
        "spark": spark.partition("://")[0],
        "measured": {"on": f"{datetime.now(UTC):%Y-%m-%d}", "repeats": arguments.repeat},
        **found,
    }
    file = arguments.results / f"spark-{scale}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded(results), indent=1, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")
    console.print(table(results), soft_wrap=True)


if __name__ == "__main__":
    main()
