"""What is asked of large raw tables on a cluster has the answers that DuckDB gives of them here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestration.base.settings import Settings
from orchestration.digest.freshness import Calendar, read_loads
from orchestration.expectations.suites import (
    RAW,
    Expectation,
    ExpectationResult,
    Suite,
    load_suites,
    run_suites,
    run_suites_on_spark,
)
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.spark_views import register_on_spark
from orchestration.raw_zone.views import register
from orchestration.spark.connection import Spark, connected
from tests.conftest import ROOT
from tests.reference.zones import generate
from tests.spark.conftest import OnSpark
from tests.things import CONTRACT, things
from tests.unit.test_expectations import RAW_TABLES

PREFIX = "asked_"
SUITES = [suite for suite in load_suites(ROOT / "expectations") if suite.layer == RAW]


def both(
    raw: Path, spark: Spark, file: Path
) -> tuple[list[ExpectationResult], list[ExpectationResult]]:
    """Results by DuckDB and by Spark."""
    zone = scan(raw, load_contract(ROOT))
    register(zone, file)
    register_on_spark(zone, spark, PREFIX)
    return run_suites(file, SUITES), run_suites_on_spark(spark, PREFIX, SUITES)


def said(results: list[ExpectationResult]) -> list[tuple[str, str, str, int | None]]:
    return [(r.suite.full_name, r.expectation.name, r.status, r.failing_rows) for r in results]


def planted(raw: Path, index: int, limit: int) -> Path:
    """A zone of the rows that pass every suite (0) or fail it (1), and of nothing else."""
    contract = load_contract(ROOT)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, versions in RAW_TABLES.items():
            table = contract.tables[name]
            given = connection.execute(f"describe {versions[index]}").fetchall()
            others = set(table.required_columns) - {column for column, *_ in given}
            columns = ", ".join(["*", *(f"'k' as {column}" for column in sorted(others))])
            place = raw / table.source / table.name
            place.mkdir(parents=True)
            connection.execute(
                f"copy (select {columns} from ({versions[index]}) limit {limit}) "
                f"to '{place / 'a.parquet'}' (format parquet)"
            )
    return raw


def test_suites_of_bad_rows_end_as_by_duckdb_and_tell_the_rows(
    tmp_path: Path, spark: Spark
) -> None:
    here, there = both(planted(tmp_path / "raw", 1, 9), spark, tmp_path / "raw_zone.duckdb")
    assert said(there) == said(here)
    assert statuses(there) == ({"pass"}, {"warn"})
    found = {(it.suite.full_name, it.expectation.name): it for it in there}
    assert found["crm.payments", "kind_is_known"].message.endswith("for example: code gift, rows 1")
    assert found["crm.payments", "events_are_recent"].rows == [
        "last_event_at 2026-01-01T00:00:00.000Z, last_loaded_at 2026-03-01T10:00:00.000Z"
    ]


@pytest.mark.nightly
@pytest.mark.parametrize("limit", [9, 0], ids=["good", "empty"])
def test_suites_of_good_and_of_no_rows_end_as_by_duckdb(
    tmp_path: Path, spark: Spark, limit: int
) -> None:
    here, there = both(planted(tmp_path / "raw", 0, limit), spark, tmp_path / "raw_zone.duckdb")
    assert said(there) == said(here)
    assert statuses(there) == ({"pass"} if limit else {"warn"}, {"pass"})


def test_a_question_that_breaks_is_an_error_and_the_others_are_asked(spark: Spark) -> None:
    queries = ["select no_such_column from {batch}", "select from where (", "select 1 as one"]
    items = tuple(
        Expectation(
            name, "unexpected_rows_expectation", {"unexpected_rows_query": query}, "warning", ""
        )
        for name, query in zip("abc", queries, strict=True)
    )
    spark.run(f"create schema if not exists {PREFIX}crm")
    spark.run(f"create or replace view {PREFIX}crm.things as select 1 as thing_id")
    results = run_suites_on_spark(spark, PREFIX, [Suite(RAW, "crm", "things", (), items)])
    assert [it.status for it in results] == ["error", "error", "warn"]
    assert "no_such_column" in results[0].message
    assert "is no SQL" in results[1].message


def statuses(results: list[ExpectationResult]) -> tuple[set[str], set[str]]:
    """What is said of files, and of rows."""
    of_files = {it.status for it in results if it.expectation.name == "files_hold_rows"}
    return of_files, {it.status for it in results if it.expectation.name != "files_hold_rows"}


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["filthy", "hostile"])
def test_suites_of_a_hostile_zone_end_as_by_duckdb(tmp_path: Path, spark: Spark, kind: str) -> None:
    here, there = both(generate(tmp_path / "raw", 7, kind), spark, tmp_path / "raw_zone.duckdb")
    assert said(there) == said(here)


def test_the_days_of_loads_are_those_of_duckdb(
    tmp_path: Path, spark: Spark, spark_settings: Settings
) -> None:
    raw = tmp_path / "raw"
    evenings = [datetime(2026, 3, day, 22, 30, tzinfo=UTC) for day in range(1, 8)]
    texts = ["2026-03-01 22:30:00+00", "2026-03-02T22:30:00.5Z", "2026-03-04", "infinity", "soon"]
    things(raw, "a", name=["a"] * 7, _loaded_at=pa.array(evenings, pa.timestamp("us", "UTC")))
    things(raw, "b", name=["a"] * 5, _loaded_at=texts)
    zone = scan(raw, CONTRACT)
    here = spark_settings.model_copy(update={"engine": "duckdb", "spark_prefix": PREFIX})
    there = here.model_copy(update={"engine": "spark", "local_facts_rows": 0})
    here.build_dir.mkdir(parents=True, exist_ok=True)
    here.temporary_dir.mkdir(parents=True, exist_ok=True)
    register(zone, here.raw_zone_file)
    register_on_spark(zone, spark, PREFIX)
    found = read_loads(there, "Europe/Moscow", Calendar())
    assert found == read_loads(here, "Europe/Moscow", Calendar())
    assert found.tables["crm.things"].last_at == evenings[-1]


@pytest.mark.nightly
def test_suites_are_answered_over_thrift(tmp_path: Path, thrift: OnSpark) -> None:
    with connected(thrift()) as spark:
        raw = planted(tmp_path / "bad", 1, 9)
        here, there = both(raw, spark, tmp_path / "raw_zone.duckdb")
    assert said(there) == said(here)
