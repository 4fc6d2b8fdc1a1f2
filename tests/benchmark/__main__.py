"""`make benchmark SCALE=s|m|l`: measure the refresh, its limit and its readers side by side.

A run writes docs/benchmark/<scale>.json and shows it as a table; `make performance` brings it
into README. Every part can be measured alone (`--only full day`); the JSON keeps the others.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from rich.console import Console

from orchestration.base.cache import fingerprint_of
from orchestration.base.errors import EXIT_GOOD
from orchestration.base.files import read_json
from tests.benchmark import limit, machine, overhead, profiles, reads, serving
from tests.benchmark.processes import ROOT
from tests.benchmark.readers import Latency
from tests.benchmark.refreshes import Figures, Warehouse, middle
from tests.benchmark.report import RESULTS, show
from tests.benchmark.zone import generator
from tests.benchmark.zone.generator import NEXT_DAYS, SCALES, Company
from tests.integration.dashboard_queries import dashboard_queries

PARTS = ("overhead", "full", "limit", "day", "reads", "serve")
# Long enough for a few hundred questions of sixteen readers that pause.
READ_SECONDS = 20.0

console = Console(highlight=False)


class Benchmark:
    """One scale's measurements, taken in one directory of their own."""

    def __init__(self, scale: str, calls: int, work: Path, repeats: int, threads: int) -> None:
        self.scale = scale
        self.calls = calls
        self.repeats = repeats
        self.threads = threads
        self.work = work / scale
        self.zone = self.work / "zone"
        self.warehouse = Warehouse(self.work / "data", self.work / "raw", threads)

    def prepare(self) -> Figures:
        """Write the zone and its next days, unless they are there; rows of its tables."""
        mark = self.zone / "rows.json"
        there = read_json(mark)
        if there.get("generator") != generator_version() or f"day {self.repeats}" not in there:
            say(f"writing the zone of {self.calls:,} calls")
            shutil.rmtree(self.zone, ignore_errors=True)
            company = Company(self.calls)
            rows: dict[str, Any] = {
                "generator": generator_version(),
                "history": company.write_history(self.zone / "base"),
            }
            for day in range(1, self.repeats + 1):
                rows[f"day {day}"] = company.write_day(self.zone / f"day-{day}", day)
            company.close()
            mark.write_text(json.dumps(rows), encoding="utf-8")
        shutil.rmtree(self.warehouse.raw_dir, ignore_errors=True)
        link_tree(self.zone / "base", self.warehouse.raw_dir)
        rows = read_json(mark)
        return {
            "rows": sum(rows["history"].values()),
            "rows_by_table": rows["history"],
            "day_rows": sum(rows["day 1"].values()),
        }

    def overhead(self) -> Figures:
        """The job on an empty zone."""
        own = Warehouse(self.work / "empty", self.work / "empty-raw", self.threads)
        shutil.rmtree(own.data_dir, ignore_errors=True)
        return overhead.measure(own, self.repeats)

    def full(self) -> Figures:
        """Full refreshes, in a data directory whose project has been read before."""
        shutil.rmtree(self.warehouse.data_dir, ignore_errors=True)
        empty = self.work / "empty-raw"
        empty.mkdir(parents=True, exist_ok=True)
        say("full refresh: reading the project first")
        self.warehouse.refresh(raw_dir=empty)
        runs = []
        for number in range(self.repeats):
            found = self.warehouse.refresh("--full")
            found["kpi_daily"] = limit.within_refresh(self.warehouse)
            say(f"full refresh {number + 1} of {self.repeats}: {found['seconds']:.1f} s")
            runs.append(found)
        found = middle(runs)
        slowest = profiles.slowest(found["models"])
        say(f"profiling {', '.join(slowest)}")
        return {
            **found,
            "sizes": self.warehouse.sizes(),
            "profiles": [
                each
                for name in slowest
                if (each := profiles.profile(self.warehouse, name, self.threads))
            ],
        }

    def limit(self) -> Figures:
        """The script by hand, the plain scan, and kpi_daily's models alone."""
        by_hand, scans, alone = [], [], []
        file = self.work / "limit.duckdb"
        for number in range(self.repeats):
            raw = self.warehouse.raw_dir
            scans.append(limit.run_script(raw, limit.SCAN, self.work / "scan.duckdb", self.threads))
            by_hand.append(limit.run_script(raw, limit.SCRIPT, file, self.threads))
            alone.append(limit.alone(self.warehouse, self.work / "alone"))
            say(
                f"limit {number + 1} of {self.repeats}: by hand {by_hand[-1]['seconds']:.1f} s, "
                f"scan {scans[-1]['seconds']:.1f} s, kpi_daily's models {alone[-1]:.1f} s"
            )
        different = limit.differing_rows(self.warehouse.published_file, file)
        if different:
            raise SystemExit(
                f"{different} rows of kpi_daily differ between the product and the script by hand: "
                "one of them is wrong, and the comparison is worth nothing."
            )
        return {
            "by_hand": middle(by_hand),
            "scan": middle(scans),
            "alone_seconds": sorted(alone)[len(alone) // 2],
            "differing_rows": different,
        }

    def reads(self) -> Figures:
        """The dashboard's questions, idle and while a refresh runs."""
        queries = dashboard_queries()
        file = self.warehouse.published_file
        idle = {}
        for case in reads.CASES:
            idle[case.name] = reads.measure(file, queries, case, READ_SECONDS)
            say(f"reads, idle, {case.name}: {_middle_of(idle[case.name], queries)}")
        busy: dict[str, list[Latency]] = {case.name: [] for case in reads.CASES}
        with RunningRefreshes(self.warehouse) as refreshes:
            for case in reads.CASES:
                busy[case.name] = reads.measure(file, queries, case, READ_SECONDS)
                say(f"reads, refreshing, {case.name}: {_middle_of(busy[case.name], queries)}")
        return {
            "refreshes_meanwhile": refreshes.begun,
            "idle": {name: reads.summary(found, queries) for name, found in idle.items()},
            "refreshing": {name: reads.summary(found, queries) for name, found in busy.items()},
        }

    def serve(self) -> Figures:
        """The server's answers, idle and while a refresh runs beside it."""
        start, end = serving.last_days(self.warehouse.published_file, 90)
        asked = serving.questions(start, end)
        names = list(asked)
        with serving.running(self.warehouse) as port:
            idle = {}
            for case in serving.CASES:
                idle[case.name] = serving.measure(port, asked, case, READ_SECONDS)
                say(f"serve, idle, {case.name}: {_middle_of_answers(idle[case.name])}")
            idle[serving.NEW.name] = serving.measure_new(port, end, 90, READ_SECONDS)
            say(f"serve, {serving.NEW.name}: {_middle_of_answers(idle[serving.NEW.name])}")
            busy = {}
            with RunningRefreshes(self.warehouse) as refreshes:
                for case in serving.CASES:
                    busy[case.name] = serving.measure(port, asked, case, READ_SECONDS)
                    say(f"serve, refreshing, {case.name}: {_middle_of_answers(busy[case.name])}")
        return {
            "refreshes_meanwhile": refreshes.begun,
            "idle": {name: serving.summary(found, names) for name, found in idle.items()},
            "refreshing": {name: serving.summary(found, names) for name, found in busy.items()},
        }

    def day(self) -> Figures:
        """Days on top of the history, each followed by a refresh that finds nothing new."""
        shutil.rmtree(self.warehouse.raw_dir, ignore_errors=True)
        link_tree(self.zone / "base", self.warehouse.raw_dir)
        say("a day's refresh: the history first")
        self.warehouse.refresh()
        days, nothing = [], []
        for number in range(1, self.repeats + 1):
            link_tree(self.zone / f"day-{number}", self.warehouse.raw_dir)
            days.append(self.warehouse.refresh())
            nothing.append(self.warehouse.refresh())
            say(
                f"a day's refresh {number} of {self.repeats}: {days[-1]['seconds']:.1f} s, "
                f"then nothing new: {nothing[-1]['seconds']:.1f} s"
            )
        return {"day": middle(days), "nothing": middle(nothing)}


class RunningRefreshes:
    """Refreshes from scratch one after the other, as long as the block lasts.

    Leaving it raises SystemExit where one of them failed: readers then had the machine to
    themselves.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self.begun = 0
        self._warehouse = warehouse
        self._over = threading.Event()
        self._failures: list[int] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        if self._failures:
            raise SystemExit(
                f"A refresh beside the readers ended with {self._failures[0]}: run it by hand to "
                f"see why: {shlex.join(self._warehouse.command('--full'))}"
            )

    def _run(self) -> None:
        while not self._over.is_set():
            self.begun += 1
            process = subprocess.Popen(
                self._warehouse.command("--full"),
                env=self._warehouse.environment,
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while process.poll() is None:
                if self._over.wait(0.2):
                    process.terminate()
                    process.wait()
                    return
            if process.returncode != EXIT_GOOD:
                self._failures.append(process.returncode)
                return


def generator_version() -> str:
    """Stands for what writes the zones."""
    files = Path(generator.__file__).parent.rglob("*")
    return fingerprint_of([it.read_text() for it in sorted(files) if it.suffix in (".py", ".sql")])


def link_tree(source: Path, target: Path) -> None:
    """Put a zone's files into another; they are the same files, and nobody rewrites them."""
    shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _middle_of(found: list[Latency], queries: dict[str, str]) -> str:
    marts = reads.summary(found, queries)["marts"]
    return f"p50 {marts['p50']:.1f} ms, p95 {marts['p95']:.1f} ms of {len(found)}"


def _middle_of_answers(found: list[Latency]) -> str:
    of_all = reads.percentiles([seconds for _, seconds in found])
    return f"p50 {of_all['p50']:.1f} ms, p95 {of_all['p95']:.1f} ms of {len(found)}"


def say(text: str) -> None:
    """Tell how far it is."""
    console.print(f"[dim]{datetime.now().astimezone():%H:%M:%S}[/] {text}")


def rounded(value: Any) -> Any:
    """Figures with as many digits as mean something."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    """Measure one scale and write its JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="s")
    parser.add_argument("--repeat", type=int, default=3, choices=range(1, NEXT_DAYS + 1))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "benchmark")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON file goes")
    arguments = parser.parse_args()
    benchmark = Benchmark(
        arguments.scale,
        SCALES[arguments.scale],
        arguments.work.resolve(),
        arguments.repeat,
        arguments.threads,
    )
    file = arguments.results / f"{arguments.scale}.json"
    results: dict[str, Any] = {}
    if file.is_file() and set(arguments.only) != set(PARTS):
        results = json.loads(file.read_text(encoding="utf-8"))
    there = {"machine": machine.describe(), "threads": benchmark.threads}
    if any(results.get(name) != value for name, value in there.items()):
        # What another machine has shown is no part of this one's table.
        results = {}
    results |= {
        "scale": arguments.scale,
        "calls": benchmark.calls,
        **there,
        "zone": benchmark.prepare(),
    }
    parts: dict[str, Callable[[], Figures]] = {
        "overhead": benchmark.overhead,
        "full": benchmark.full,
        "limit": benchmark.limit,
        "day": benchmark.day,
        "reads": benchmark.reads,
        "serve": benchmark.serve,
    }
    for name, measure in parts.items():
        if name in arguments.only:
            say(f"[bold]{name}[/]")
            results[name] = measure()
            results.setdefault("measured", {})[name] = {
                "on": f"{datetime.now(UTC):%Y-%m-%d}",
                "repeats": benchmark.repeats,
            }
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(
                json.dumps(rounded(results), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
    console.print(show([rounded(results)]))


if __name__ == "__main__":
    main()
