"""What Spark itself wrote down of a refresh: for each table its tasks, shuffles and spills."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# The place or the name of what a statement writes, as a plan shows it under the command.
_COMMAND = re.compile(r"\) Execute \w+[^\n]*\n(?:[^\n(][^\n]*\n)*?Arguments: ([^\n]*)")
_NAMED = re.compile(r"/([^/]+)\.db/([^/,\s]+)|`([^`]+)`\.`([^`]+)`,")
OTHERS = "other statements"


@dataclass
class Work:
    """What one table took, added up over its tasks; seconds of executors, not of the clock."""

    tasks: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    gc_seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0
    shuffle_bytes: int = 0
    spilled_bytes: int = 0

    def add(self, metrics: Mapping[str, Any]) -> None:
        """One more task, by the metrics of its end."""
        self.tasks += 1
        self.seconds += metrics.get("Executor Run Time", 0) / 1e3
        self.cpu_seconds += metrics.get("Executor CPU Time", 0) / 1e9
        self.gc_seconds += metrics.get("JVM GC Time", 0) / 1e3
        self.read_bytes += metrics.get("Input Metrics", {}).get("Bytes Read", 0)
        self.written_bytes += metrics.get("Output Metrics", {}).get("Bytes Written", 0)
        shuffle = metrics.get("Shuffle Write Metrics", {})
        self.shuffle_bytes += shuffle.get("Shuffle Bytes Written", 0)
        self.spilled_bytes += metrics.get("Disk Bytes Spilled", 0)


def settings(folder: Path) -> dict[str, str]:
    """Variables with which a Spark in a process writes its events into a folder."""
    for name in ("conf", "events"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file:{folder / 'events'}",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }
    text = "\n".join(f"{name} {value}" for name, value in lines.items())
    (folder / "conf" / "spark-defaults.conf").write_text(text, encoding="utf-8")
    return {"SPARK_CONF_DIR": str(folder / "conf")}


def work_by_table(folder: Path, prefix: str) -> dict[str, dict[str, float]]:
    """The work of each table whose schema begins with the prefix, the most expensive first."""
    found = add_up(_events(folder / "events"), prefix)
    ordered = sorted(found.items(), key=lambda item: -item[1].seconds)
    return {name: asdict(work) for name, work in ordered}


def add_up(events: Iterable[Mapping[str, Any]], prefix: str) -> dict[str, Work]:
    """The work of each table by the events of one application, in their order."""
    table_of_execution: dict[str, str] = {}
    table_of_stage: dict[int, str] = {}
    found: dict[str, Work] = defaultdict(Work)
    for event in events:
        kind = str(event.get("Event", "")).rpartition(".")[2]
        if kind == "SparkListenerSQLExecutionStart":
            execution = str(event["executionId"])
            table_of_execution[execution] = written_table(event["physicalPlanDescription"], prefix)
        elif kind == "SparkListenerJobStart":
            execution = str((event.get("Properties") or {}).get("spark.sql.execution.id"))
            for stage in event["Stage IDs"]:
                table_of_stage[stage] = table_of_execution.get(execution, OTHERS)
        elif kind == "SparkListenerTaskEnd":
            name = table_of_stage.get(event["Stage ID"], OTHERS)
            found[name].add(event.get("Task Metrics") or {})
    return dict(found)


def written_table(plan: str, prefix: str) -> str:
    """Schema and name, without the prefix, of what a plan writes."""
    command = _COMMAND.search(plan)
    named = _NAMED.search(command[1] + ",") if command else None
    if named is None:
        return OTHERS
    schema, name = (named[1], named[2]) if named[1] else (named[3], named[4])
    return f"{schema.removeprefix(prefix)}.{name}" if schema.startswith(prefix) else OTHERS


def _events(folder: Path) -> Iterator[Mapping[str, Any]]:
    for file in sorted(it for it in folder.rglob("*") if it.is_file()):
        if not file.name.endswith(".crc"):
            with file.open(encoding="utf-8") as lines:
                yield from (json.loads(line) for line in lines)
