"""What the benchmark reads of Spark's own records."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.benchmark.processes import jvm_seconds_of
from tests.benchmark.spark import table
from tests.benchmark.spark_events import OTHERS, Work, add_up, settings, written_table

CREATES = """== Physical Plan ==
Execute CreateDataSourceTableAsSelectCommand (3)
   +- CreateDataSourceTableAsSelectCommand (2)

(1) Scan parquet spark_catalog.v_staging.stg_calls
Location: InMemoryFileIndex [file:/data/warehouse/v_staging.db/stg_calls]

(3) Execute CreateDataSourceTableAsSelectCommand
Output: []
Arguments: `spark_catalog`.`v_marts`.`fct_calls`, ErrorIfExists, [call_id]
"""
INSERTS = """== Physical Plan ==
AdaptiveSparkPlan (4)

(3) Execute InsertIntoHadoopFsRelationCommand
Input: []
Arguments: file:/data/warehouse/v_marts.db/fct_calls, false, Parquet, [path=file:/data]
"""
READS = "== Physical Plan ==\n* Range (1)\n\n(1) Range\nArguments: Range (0, 1000)\n"


@pytest.mark.parametrize(
    ("plan", "prefix", "expected"),
    [
        (INSERTS, "v_", "marts.fct_calls"),
        (INSERTS, "w_", OTHERS),
        (READS, "v_", OTHERS),
        ("", "v_", OTHERS),
    ],
)
def test_a_plan_tells_what_it_writes(plan: str, prefix: str, expected: str) -> None:
    assert written_table(plan, prefix) == expected


def test_a_plan_that_creates_a_table_names_it_with_its_catalogue() -> None:
    assert written_table(CREATES.replace("`spark_catalog`.", ""), "v_") == "marts.fct_calls"
    assert written_table(CREATES, "v_") == "marts.fct_calls"


def started(execution: int, plan: str) -> dict[str, object]:
    return {
        "Event": "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart",
        "executionId": execution,
        "physicalPlanDescription": plan,
    }


def job(execution: int | None, *stages: int) -> dict[str, object]:
    properties = {} if execution is None else {"spark.sql.execution.id": str(execution)}
    return {
        "Event": "SparkListenerJobStart",
        "Stage IDs": list(stages),
        "Properties": properties,
    }


def task(stage: int, **metrics: object) -> dict[str, object]:
    return {"Event": "SparkListenerTaskEnd", "Stage ID": stage, "Task Metrics": metrics}


def test_tasks_are_added_up_by_the_table_that_they_are_of() -> None:
    metrics = {
        "Executor Run Time": 1500,
        "Executor CPU Time": 1_000_000_000,
        "JVM GC Time": 250,
        "Disk Bytes Spilled": 7,
        "Shuffle Write Metrics": {"Shuffle Bytes Written": 100},
        "Input Metrics": {"Bytes Read": 10},
        "Output Metrics": {"Bytes Written": 20},
    }
    events = [
        started(1, INSERTS),
        job(1, 4, 5),
        task(4, **metrics),
        task(5, **metrics),
        job(None, 6),
        task(6, **metrics),
        {"Event": "SparkListenerTaskEnd", "Stage ID": 9, "Task Metrics": None},
    ]
    assert add_up(events, "v_") == {
        "marts.fct_calls": Work(2, 3.0, 2.0, 0.5, 20, 40, 200, 14),
        OTHERS: Work(2, 1.5, 1.0, 0.25, 10, 20, 100, 7),
    }


def test_a_session_is_told_where_its_events_go(tmp_path: Path) -> None:
    (folder,) = settings(tmp_path).values()
    text = (Path(folder) / "spark-defaults.conf").read_text()
    assert f"spark.eventLog.dir file:{tmp_path}/events" in text.splitlines()
    assert (tmp_path / "events").is_dir()


def test_only_java_has_seconds_of_java(tmp_path: Path) -> None:
    assert jvm_seconds_of(os.getpid()) is None
    assert jvm_seconds_of(2**22 + 1) is None
    sleeper = tmp_path / "java"
    shutil.copy(shutil.which("sleep") or "", sleeper)
    with subprocess.Popen([sleeper, "30"]) as process:
        assert jvm_seconds_of(process.pid) == pytest.approx(0, abs=1)
        process.kill()


def test_both_engines_stand_side_by_side() -> None:
    def figures(seconds: float, **more: float) -> dict[str, object]:
        return {
            "seconds": seconds,
            "cpu_seconds": 1.0,
            "peak_bytes": 2**30,
            "steps": {"models": seconds / 2},
            "models": {"marts.fct_calls": seconds / 4},
            **more,
        }

    duckdb = {"full": figures(8.0), "day": figures(4.0)}
    spark = {
        "full": figures(80.0, jvm_peak_bytes=2 * 2**30, jvm_cpu_seconds=90.0),
        "day": figures(40.0),
        "work": {"marts.fct_calls": {"seconds": 15.0, "gc_seconds": 1.0, "shuffle_bytes": 2**20}},
    }
    said = table({"duckdb": duckdb, "spark": spark, "equal_tables": 168}).splitlines()
    words = [line.split() for line in said]
    assert ["refresh", "from", "scratch", "8.0", "s", "80.0", "s"] in words
    assert ["refresh", "of", "a", "day", "4.0", "s", "40.0", "s"] in words
    assert ["—", "of", "Java", "–", "2.00", "GB"] in words
    expected = "marts.fct_calls 2.0 s 20.0 s 15.0 s 1.0 s 1 MB –"
    assert expected.split() in words
    assert said[-1] == "All 168 tables and views are equal."
