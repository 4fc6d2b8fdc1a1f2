"""`python -m tests.benchmark.connectors`: what it costs to read a system, the system's time apart.

A first load of a million calls from Asterisk's table and of 200,000 deals with their history from
amoCRM, then a load with nothing new of every kind as `voronka connect run` does it. The systems are
stand-ins in processes of their own: our work is the processor time of our process. Figures go to
docs/benchmark/connectors.json, and connectors.md beside it is made from them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.base.settings import load_settings
from orchestration.connectors.clock import Clock
from orchestration.connectors.run import exit_code, run
from tests.benchmark import machine
from tests.benchmark.processes import ROOT, Usage, environment, folder_bytes, voronka
from tests.benchmark.processes import run as run_command
from tests.benchmark.refreshes import Figures, middle
from tests.benchmark.report import RESULTS, Target, written

NAME = "shop"
LARGE = {"asterisk_sql": ("calls", 1_000_000), "amocrm": ("deals", 200_000)}
END = datetime(2026, 3, 1, tzinfo=UTC)
# When the small company of the tests is read first, and again.
FIRST = datetime(2026, 3, 10, 6, tzinfo=UTC)
AFTER = timedelta(hours=1)
CPU_SECONDS, PEAK_BYTES, IDLE_SECONDS = 60.0, 500 * 2**20, 3.0
PAGE = RESULTS / "connectors.md"
FILE = RESULTS / "connectors.json"


class PassingClock(Clock):
    """A clock whose waits take no time, and count all the same: what a system's pace costs."""

    def monotonic(self) -> float:
        """Seconds, those that were to be waited included."""
        return super().monotonic() + self.slept

    def sleep(self, seconds: float) -> None:
        """Wait no longer than it takes to say so."""
        self.slept += seconds


class System:
    """A stand-in in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.said: dict[str, Any] = self._line()

    def cost(self) -> Figures:
        """Processor time and requests since the last question."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))


@contextmanager
def system(kind: str, rows: int, work: Path) -> Iterator[System]:
    """A running stand-in."""
    command = [sys.executable, "-m", "tests.benchmark.systems", kind, str(rows), str(work)]
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    try:
        yield System(process)
    finally:
        process.stdin.close()
        process.wait(30)


@dataclass(frozen=True)
class Place:
    """A directory with one connection, its data and its raw zone."""

    root: Path
    secrets: Mapping[str, str]

    @classmethod
    def of(cls, root: Path, said: Mapping[str, Any]) -> Place:
        """A new one for what a stand-in says of itself."""
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        text = json.dumps({NAME: said["keys"]}, ensure_ascii=False)
        (root / "connections.yml").write_text(text, encoding="utf-8")
        return cls(root, said["secrets"])

    def environment(self, now: datetime) -> dict[str, str]:
        """The environment of its commands."""
        return environment(
            VORONKA_DATA_DIR=str(self.root / "data"),
            VORONKA_RAW_DIR=str(self.root / "raw"),
            VORONKA_CONNECTIONS=str(self.root / "connections.yml"),
            VORONKA_NOW=now.isoformat(),
            **self.secrets,
        )

    def load(self, now: datetime) -> Usage:
        """A load whose waits for the system's pace take no time."""
        command = [sys.executable, "-m", "tests.benchmark.connectors", "--load"]
        return run_command(command, self.environment(now), self.root / "load.log")

    def connect(self, now: datetime) -> Usage:
        """`voronka connect run` as people run it."""
        command = voronka("connect", "run", NAME)
        return run_command(command, self.environment(now), self.root / "run.log")

    def report(self) -> dict[str, Any]:
        """The report of the last run."""
        file = self.root / "data" / "connections" / NAME / "last.json"
        return dict(json.loads(file.read_text(encoding="utf-8")))


def load_here() -> None:
    """The load of `Place.load`, in this process; says how long it would have waited."""
    settings = load_settings()
    clock = PassingClock(settings.now)
    begun = time.monotonic()
    outcomes = run(settings, clock=clock)
    for outcome in outcomes:
        print(outcome.failure or dict(outcome.report.written))
    print(f"{time.monotonic() - begun:.1f} s, and {clock.slept:.1f} s of waits")
    sys.exit(exit_code(outcomes))


def first_load(kind: str, rows: int, work: Path, repeats: int) -> Figures:
    """A first load, and one with nothing new on top of it; medians."""
    runs, idle = [], []
    with system(kind, rows, work) as other:
        for _ in range(repeats):
            place = Place.of(work / kind, other.said)
            other.cost()
            usage = place.load(END + timedelta(days=1))
            theirs = other.cost()
            found = place.report()
            loaded = sum(count for name, count in found["written"].items() if "._" not in name)
            runs.append(
                {
                    "rows": rows,
                    "seconds": usage.seconds,
                    "cpu_seconds": usage.cpu_seconds,
                    "peak_bytes": usage.peak_bytes,
                    "system_cpu_seconds": theirs["cpu_seconds"],
                    "requests": sum(found["requests"].values()),
                    "written": loaded,
                    "files": found["files"],
                    "raw_bytes": folder_bytes(place.root / "raw"),
                    "system_share": theirs["cpu_seconds"] / usage.seconds,
                }
            )
            say(f"{kind}: {runs[-1]}")
            idle.append(_idle(place, other, END + timedelta(days=1) + AFTER))
            say(f"{kind}, nothing new: {idle[-1]}")
    return {**middle(runs), "nothing": middle(idle)}


def nothing_new(kind: str, work: Path, repeats: int) -> Figures:
    """A load with nothing new from the small company of the tests."""
    with system(kind, 0, work) as other:
        place = Place.of(work / f"small-{kind}", other.said)
        place.load(FIRST)
        found = [_idle(place, other, FIRST + AFTER * (it + 1)) for it in range(repeats)]
    say(f"{kind}: {found[0]}")
    return middle(found)


def _idle(place: Place, other: System, now: datetime) -> Figures:
    before = sorted((place.root / "raw").rglob("*"))
    other.cost()
    usage = place.connect(now)
    theirs = other.cost()
    if sorted((place.root / "raw").rglob("*")) != before:
        raise SystemExit("A load with nothing new has written something: it measures nothing.")
    return {
        "seconds": usage.seconds,
        "cpu_seconds": usage.cpu_seconds,
        "peak_bytes": usage.peak_bytes,
        "requests": theirs["requests"],
        "waited_seconds": place.report()["waited"],
    }


def targets(results: Mapping[str, Any]) -> list[Target]:
    """What was promised of the loads, and what they took."""
    found = []
    for kind, large in results.get("first", {}).items():
        name = f"{kind}: {large['rows']:,} {LARGE[kind][0]}"
        found += [
            Target(f"{name}, our processor time", CPU_SECONDS, "s", large["cpu_seconds"]),
            Target(f"{name}, memory", PEAK_BYTES, "bytes", large["peak_bytes"]),
            Target(f"{name}, then nothing new", IDLE_SECONDS, "s", _own(large["nothing"])),
        ]
    for kind, idle in results.get("nothing", {}).items():
        found.append(Target(f"{kind}: nothing new", IDLE_SECONDS, "s", _own(idle)))
    return found


def _own(idle: Figures) -> float:
    """Seconds without the waits that the system's limits ask for."""
    return float(idle["seconds"]) - float(idle["waited_seconds"])


def page(results: Mapping[str, Any]) -> str:
    """docs/benchmark/connectors.md."""
    about = results["machine"]
    lines = [
        "# Connectors",
        "",
        "Made by `python -m tests.benchmark.connectors` from the JSON file beside it.",
        "",
        f"Measured on {about['cores']} cores with {about['memory_bytes'] / 2**30:.0f} GB "
        f"({about['system']}, Python {about['python']}, DuckDB {about['duckdb']}), "
        f"{results['on']}; medians of {results['repeats']} runs.",
        f"Other processes that wanted a core when it began: {results['load']:.0f}. Seconds by the",
        "clock grow with them, and those of processors a little.",
        "",
        "The systems are stand-ins in processes of their own, over loopback: a MySQL server, and",
        "HTTP servers that answer as the systems do. *Our work* is the processor time of our",
        "process, all threads and imports included; *the system's* is that of the stand-in. In the",
        "first loads the waits for a system's pace pass at once, and count for what happens every",
        "so many seconds: amoCRM allows seven requests a second, so that its pace is what a first",
        "load really takes. A load with nothing new is `voronka connect run`, as people run it;",
        "the waits that a system's limits ask for (Mango: one request a second) are no part of",
        "its bound, and stand beside it.",
        "",
        "## What it must show",
        "",
        "| | must be | is | of it | |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for it in targets(results):
        assert it.value is not None
        verdict = "met" if it.is_met else "**missed**"
        lines.append(
            f"| {it.label} | ≤ {written(it.limit, it.unit)} | {written(it.value, it.unit)} "
            f"| {it.value / it.limit:.0%} | {verdict} |"
        )
    lines += ["", "## First loads", ""]
    first = results.get("first", {})
    lines.append("| | " + " | ".join(first) + " |")
    lines.append("| --- |" + " ---: |" * len(first))
    for label, key, unit in (
        ("read", "rows", "count"),
        ("rows of the contract", "written", "count"),
        ("by the clock", "seconds", "s"),
        ("our work", "cpu_seconds", "s"),
        ("the system's", "system_cpu_seconds", "s"),
        ("our peak memory", "peak_bytes", "bytes"),
        ("requests", "requests", "count"),
        ("files", "files", "count"),
        ("on disk", "raw_bytes", "bytes"),
    ):
        lines.append(
            f"| {label} | " + " | ".join(written(it[key], unit) for it in first.values()) + " |"
        )
    rates = " | ".join(
        f"{it['cpu_seconds'] / it['written'] * 1e6:,.0f} µs" for it in first.values()
    )
    lines.append(f"| our work for a row | {rates} |")
    shares = " | ".join(
        f"{it['cpu_seconds'] / it['system_cpu_seconds']:.2f}×" for it in first.values()
    )
    lines.append(f"| our work, of the system's | {shares} |")
    lines += ["", "## Nothing new", ""]
    lines.append("| | by the clock | of it waits for the pace | our work | memory | requests |")
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    idle = {f"{kind}, after the first load above": it["nothing"] for kind, it in first.items()}
    for kind, it in {**idle, **results.get("nothing", {})}.items():
        figures = [written(it[key], "s") for key in ("seconds", "waited_seconds", "cpu_seconds")]
        figures += [written(it["peak_bytes"], "bytes"), written(it["requests"], "count")]
        lines.append(f"| {kind} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"{datetime.now().astimezone():%H:%M:%S} {text}", flush=True)


def main() -> None:
    """Measure, and write the JSON file and its page."""
    from orchestration.connectors.registry import all_kinds

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="+", choices=("first", "nothing"))
    parser.add_argument("--kinds", nargs="+", choices=sorted(all_kinds()))
    parser.add_argument("--scale", type=float, default=1.0, help="of the first loads' rows")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "benchmark" / "connectors")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the files go")
    arguments = parser.parse_args()
    if arguments.load:
        load_here()
    work = arguments.work.resolve()
    file = arguments.results / FILE.name
    results: dict[str, Any] = {}
    if file.is_file() and (arguments.only or arguments.kinds):
        results = json.loads(file.read_text(encoding="utf-8"))
    if results.get("machine") != machine.describe():
        results = {}
    results |= {
        "machine": machine.describe(),
        "on": f"{datetime.now(UTC):%Y-%m-%d}",
        "repeats": arguments.repeat,
        # Above the number of cores others had the machine too: seconds by the clock grow with it.
        "load": os.getloadavg()[0],
    }
    kinds = arguments.kinds or sorted(all_kinds())
    parts = arguments.only or ("first", "nothing")
    for kind in kinds:
        if "first" in parts and kind in LARGE:
            rows = int(LARGE[kind][1] * arguments.scale)
            found = first_load(kind, rows, work, arguments.repeat)
            results.setdefault("first", {})[kind] = found
        if "nothing" in parts:
            results.setdefault("nothing", {})[kind] = nothing_new(kind, work, arguments.repeat)
    arguments.results.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded(results), indent=1, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")
    (arguments.results / PAGE.name).write_text(page(json.loads(text)), encoding="utf-8")


def rounded(value: Any) -> Any:
    """Figures with as many digits as mean something."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
