"""What a refresh cost, step by step, from what it leaves behind."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmark.processes import Usage, environment, folder_bytes, run, voronka

Figures = dict[str, Any]
START = "starting the tools"


@dataclass(frozen=True)
class Interval:
    """A node of dbt that ran, in seconds of the clock."""

    node: str
    started: float
    ended: float


@dataclass(frozen=True)
class Warehouse:
    """A data directory of its own and the raw zone that is refreshed into it."""

    data_dir: Path
    raw_dir: Path
    threads: int
    # Beside those of every warehouse: which engine builds it.
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def published_file(self) -> Path:
        """What BI reads."""
        return self.data_dir / "published" / "voronka.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its commands."""
        return environment(
            VORONKA_DATA_DIR=str(self.data_dir),
            VORONKA_THREADS=str(self.threads),
            **self.variables,
        )

    def command(self, *arguments: str, raw_dir: Path | None = None) -> list[str]:
        """`voronka refresh` with these arguments."""
        return voronka("refresh", "--raw-dir", str(raw_dir or self.raw_dir), *arguments)

    def refresh(self, *arguments: str, raw_dir: Path | None = None) -> Figures:
        """Refresh once; the figures of it."""
        log = self.data_dir / "benchmark.log"
        usage = run(self.command(*arguments, raw_dir=raw_dir), self.environment, log)
        return self.figures(usage)

    def record(self) -> dict[str, Any]:
        """What the last refresh wrote down of itself."""
        text = (self.data_dir / "build" / "refresh.json").read_text(encoding="utf-8")
        return dict(json.loads(text))

    def target(self, name: str) -> dict[str, Any]:
        """One of dbt's artifacts; empty where the refresh left none."""
        path = self.data_dir / "build" / "target" / name
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def figures(self, usage: Usage) -> Figures:
        """Figures of the refresh that just ended."""
        record = self.record()
        phases = {name: seconds for name, seconds in record["phases"].items() if name != "total"}
        phases[START] = max(0.0, usage.seconds - sum(phases.values()))
        rows = int(record["raw_rows"])
        of_java = {
            "jvm_cpu_seconds": usage.jvm_cpu_seconds,
            "jvm_peak_bytes": usage.jvm_peak_bytes,
        }
        return {
            "seconds": usage.seconds,
            "cpu_seconds": usage.cpu_seconds,
            "peak_bytes": usage.peak_bytes,
            **(of_java if usage.jvm_peak_bytes else {}),
            "raw_rows": rows,
            "rows_per_second": rows / usage.seconds,
            "steps": phases,
            "layers": layer_seconds(record["models"], self.target("run_results.json")),
            "models": {
                f"{model['schema']}.{model['name']}": model["seconds"] for model in record["models"]
            },
        }

    def sizes(self) -> dict[str, int]:
        """Bytes on disk by part."""
        published = self.data_dir / "published"
        return {
            "raw": folder_bytes(self.raw_dir),
            "build": folder_bytes(self.data_dir / "build"),
            "published": folder_bytes(self.published_file),
            "parquet": folder_bytes((published / "parquet").resolve()),
        }


def layer_seconds(
    models: Iterable[Mapping[str, Any]], run_results: Mapping[str, Any]
) -> dict[str, float]:
    """Seconds of the models by schema, and of dbt's tests; two run at once, so more than passed."""
    layers: dict[str, float] = defaultdict(float)
    for model in models:
        if model["schema"] != "main":
            layers[model["schema"]] += model["seconds"]
    for result in run_results.get("results", []):
        if result["unique_id"].startswith("test."):
            layers["tests"] += result["execution_time"]
    return dict(sorted(layers.items(), key=lambda item: -item[1]))


def intervals(run_results: Mapping[str, Any]) -> list[Interval]:
    """When each node of a dbt run began and ended."""
    found = []
    for result in run_results.get("results", []):
        moments = [
            datetime.fromisoformat(timing[edge]).timestamp()
            for timing in result["timing"]
            for edge in ("started_at", "completed_at")
            if timing[edge]
        ]
        if moments:
            found.append(Interval(result["unique_id"], min(moments), max(moments)))
    return found


def ancestors(manifest: Mapping[str, Any], name: str) -> set[str]:
    """A model and the models and seeds that it is built from."""
    parents = manifest.get("parent_map", {})
    pending = [node for node in parents if node.startswith("model.") and node.endswith(f".{name}")]
    found: set[str] = set()
    while pending:
        node = pending.pop()
        if node not in found and node.startswith(("model.", "seed.")):
            found.add(node)
            pending += parents.get(node, [])
    return found


def span(found: Sequence[Interval]) -> float:
    """From the first start to the last end."""
    if not found:
        return 0.0
    return max(each.ended for each in found) - min(each.started for each in found)


def share(found: Sequence[Interval], nodes: set[str]) -> float:
    """The time that passed for these nodes: every moment divided among those that ran in it."""
    edges = sorted({edge for each in found for edge in (each.started, each.ended)})
    total = 0.0
    for since, until in pairwise(edges):
        running = [each for each in found if each.started <= since and each.ended >= until]
        if running:
            ours = sum(each.node in nodes for each in running)
            total += (until - since) * ours / len(running)
    return total


def middle(runs: Sequence[Figures]) -> Figures:
    """The median of every figure of several runs; what is no figure is the first run's."""
    first = runs[0]
    found: Figures = {}
    for name, value in first.items():
        if isinstance(value, Mapping):
            names = list(dict.fromkeys(key for each in runs for key in each[name]))
            found[name] = {
                key: median(float(each[name].get(key, 0)) for each in runs) for key in names
            }
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = median(each[name] for each in runs)
        else:
            found[name] = value
    return found
