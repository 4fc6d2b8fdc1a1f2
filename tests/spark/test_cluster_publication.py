"""People on the cluster see what was published, one view after another, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.base.errors import PublicationFailed, TargetFailed
from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.base.sql import attach
from orchestration.models.dbt import PublishedModel
from orchestration.models.handover import hand_over, handed_over
from orchestration.publication.cluster import copy_run, show_run, shown_on_cluster
from orchestration.spark.connection import Spark, SparkRefused
from orchestration.spark.tables import describe

from .handed import PROJECT, build, built, manifest_of, node

_NUMBERS = count()
MODELS = [
    PublishedModel(
        "marts",
        name,
        ("id",),
        f"What {name} tells: it's ${{all}}.",
        {"id": "The key. " + "Long. " * 100},
    )
    for name in ("dim_a", "fct_b")
]
MANIFEST = manifest_of(*(node("marts", it.name, {"id": "bigint"}, ["id"]) for it in MODELS))


@pytest.fixture
def settings(spark: Spark, tmp_path: Path) -> Iterator[Settings]:
    """Settings with a build and a prefix of their own; public schemas are emptied after it."""
    prefix = f"c{next(_NUMBERS)}_"
    yield Settings(project_dir=PROJECT, data_dir=tmp_path, engine="spark", spark_prefix=prefix)
    for schema in ("marts", "metrics"):
        spark.run(f"drop schema if exists {schema} cascade")


def record(number: int) -> Record:
    return Record(run_id=f"{number:08}-aaaa", started_at=f"2026-01-01T00:00:{number:02}Z")


def name(settings: Settings, number: int) -> str:
    return f"{settings.spark_prefix}run_202601010000{number:02}_{number:08}"


def refresh(spark: Spark, settings: Settings, number: int, **rows: int) -> tuple[str, ...]:
    """Build tables of so many rows and publish them; the tables that were copied."""
    for table, size in rows.items():
        build(spark, settings, "marts", table, f"select id from range({size})")
    hand_over(settings, MANIFEST, spark, built(MANIFEST))
    run = copy_run(settings, MODELS, spark, record(number))
    show_run(settings, MODELS, spark, run)
    return run.copied


def seen(spark: Spark, table: str) -> int:
    return int(spark.rows(f"select count(*) from {table}")[0][0])


def runs(spark: Spark, settings: Settings) -> list[str]:
    names = [str(row[0]) for row in spark.rows("show schemas")]
    return sorted(it for it in names if it.startswith(f"{settings.spark_prefix}run_"))


def test_views_name_tables_of_the_run_that_changed_them(spark: Spark, settings: Settings) -> None:
    assert refresh(spark, settings, 1, dim_a=1, fct_b=2) == ("marts.dim_a", "marts.fct_b")
    assert (seen(spark, "marts.dim_a"), seen(spark, "marts.fct_b")) == (1, 2)
    # What dbt builds next is not seen before it is published.
    build(spark, settings, "marts", "dim_a", "select id from range(9)")
    assert seen(spark, "marts.dim_a") == 1
    assert refresh(spark, settings, 2, dim_a=3) == ("marts.dim_a",)
    assert (seen(spark, "marts.dim_a"), seen(spark, "marts.fct_b")) == (3, 2)
    assert refresh(spark, settings, 3) == ()
    # The first run has the table that did not change.
    assert runs(spark, settings) == [name(settings, 1), name(settings, 2)]


def test_views_tell_what_their_models_say(spark: Spark, settings: Settings) -> None:
    refresh(spark, settings, 1, dim_a=1, fct_b=2)
    rows = spark.rows("describe table extended marts.dim_a")
    assert rows[0][:2] == ("id", "bigint")
    assert str(rows[0][2]).startswith("The key. Long. Long.")
    assert dict(row[:2] for row in rows)["Comment"] == "What dim_a tells: it's ${all}."


def test_the_last_two_runs_stay_and_those_that_views_name(spark: Spark, settings: Settings) -> None:
    for number in (1, 2, 3, 4):
        refresh(spark, settings, number, dim_a=number, **({"fct_b": 2} if number == 1 else {}))
    assert runs(spark, settings) == [name(settings, number) for number in (1, 3, 4)]
    assert seen(spark, f"{name(settings, 3)}.marts__dim_a") == 3
    refresh(spark, settings, 5, dim_a=5, fct_b=5)
    assert runs(spark, settings) == [name(settings, number) for number in (4, 5)]


def test_a_copy_that_was_killed_is_dropped_and_made_again(spark: Spark, settings: Settings) -> None:
    refresh(spark, settings, 1, dim_a=1, fct_b=1)
    for table in ("dim_a", "fct_b"):
        build(spark, settings, "marts", table, "select id from range(7)")
    hand_over(settings, MANIFEST, spark, built(MANIFEST))

    class Dying:
        """A cluster that goes away after the first of the copies."""

        def rows(self, sql: str) -> list[tuple[Any, ...]]:
            return spark.rows(sql)

        def run(self, sql: str) -> None:
            if "marts__fct_b" in sql:
                raise SparkRefused("gone")
            spark.run(sql)

    with pytest.raises(TargetFailed, match="gone"):
        copy_run(settings, MODELS, Dying(), record(2))
    assert (seen(spark, "marts.dim_a"), seen(spark, "marts.fct_b")) == (1, 1)
    assert refresh(spark, settings, 3) == ("marts.dim_a", "marts.fct_b")
    assert runs(spark, settings) == [name(settings, number) for number in (1, 3)]


def test_views_that_were_not_replaced_are_replaced_later(spark: Spark, settings: Settings) -> None:
    refresh(spark, settings, 1, dim_a=1, fct_b=1)
    for table in ("dim_a", "fct_b"):
        build(spark, settings, "marts", table, "select id from range(7)")
    hand_over(settings, MANIFEST, spark, built(MANIFEST))
    run = copy_run(settings, MODELS, spark, record(2))
    # Killed after the first view.
    show_run(
        settings, MODELS, spark, replace(run, tables={"marts.dim_a": run.tables["marts.dim_a"]})
    )
    assert (seen(spark, "marts.dim_a"), seen(spark, "marts.fct_b")) == (7, 1)
    assert refresh(spark, settings, 3) == ("marts.fct_b",)
    assert (seen(spark, "marts.dim_a"), seen(spark, "marts.fct_b")) == (7, 7)
    # Again, it finds nothing to do.
    show_run(settings, MODELS, spark, copy_run(settings, MODELS, spark, record(4)))
    assert (seen(spark, "marts.dim_a"), seen(spark, "marts.fct_b")) == (7, 7)


def test_the_view_of_a_model_that_is_gone_is_dropped_and_others_stay(
    spark: Spark, settings: Settings
) -> None:
    refresh(spark, settings, 1, dim_a=1, fct_b=1)
    spark.run("create view marts.theirs as select 1 as id")
    run = copy_run(settings, MODELS[:1], spark, record(2))
    show_run(settings, MODELS[:1], spark, run)
    assert {row[1] for row in spark.rows("show views in marts")} == {"dim_a", "theirs"}


def test_a_fact_that_stays_is_read_from_its_copy(spark: Spark, settings: Settings) -> None:
    settings = Settings(
        project_dir=PROJECT,
        data_dir=settings.data_dir,
        engine="spark",
        spark_prefix=settings.spark_prefix,
        local_facts_rows=2,
    )
    refresh(spark, settings, 1, dim_a=5, fct_b=5)
    (fact,) = [it for it in handed_over(settings) if it.stays]
    assert f"{name(settings, 1)}.db/marts__fct_b" in fact.location
    # The next build overwrites its own table.
    build(spark, settings, "marts", "fct_b", "select id from range(6)")
    with duckdb.connect() as connection:
        attach(connection, *settings.build_files)
        found = connection.execute("select count(*), sum(id) from voronka_marts.marts.fct_b")
        assert found.fetchall() == [(5, 10)]
    refresh(spark, settings, 2, fct_b=7)
    (fact,) = [it for it in handed_over(settings) if it.stays]
    assert (fact.rows, f"{name(settings, 2)}.db" in fact.location) == (7, True)


def test_a_copy_is_divided_as_its_table_is_and_shows_its_models_columns(
    spark: Spark, settings: Settings
) -> None:
    rows = "select 1L as id, date'2026-01-01' as partition_month"
    how = "using parquet partitioned by (partition_month)"
    build(spark, settings, "marts", "fct_b", rows, how)
    build(spark, settings, "marts", "dim_a", "select 1L as id")
    refresh(spark, settings, 1)
    table = describe(spark, name(settings, 1), "marts__fct_b")
    assert table.partitions == ("partition_month",)
    assert tuple(describe(spark, "marts", "fct_b").columns) == ("id",)


def test_a_publication_is_shown_on_the_cluster_when_it_is_done(
    spark: Spark, settings: Settings
) -> None:
    for table in ("dim_a", "fct_b"):
        build(spark, settings, "marts", table, "select 1L as id")
    hand_over(settings, MANIFEST, spark, built(MANIFEST))
    found = record(1)
    with shown_on_cluster(settings, MODELS, found):
        assert "marts" not in {str(row[0]) for row in spark.rows("show schemas")}
        found.publication_id = "p1"
    assert seen(spark, "marts.dim_a") == 1
    (target,) = found.targets
    assert (target.name, target.publication_id, target.tables) == ("cluster", "p1", 2)
    assert target.failure is None
    # Somebody's table lies where a view is to be.
    spark.run("drop view marts.dim_a")
    spark.run("create table marts.dim_a (theirs int) using parquet")
    with shown_on_cluster(settings, MODELS, found):
        found.publication_id = "p2"
    (target,) = found.targets
    assert target.failure is not None
    assert target.failure.message.startswith("People on the cluster see the version before: ")
    assert tuple(describe(spark, "marts", "dim_a").columns) == ("theirs",)


def test_nothing_is_published_where_a_fact_that_stays_has_no_copy(
    spark: Spark, settings: Settings
) -> None:
    settings = Settings(
        project_dir=PROJECT,
        data_dir=settings.data_dir,
        engine="spark",
        spark_prefix=settings.spark_prefix,
        local_facts_rows=0,
    )
    for table in ("dim_a", "fct_b"):
        build(spark, settings, "marts", table, "select 1L as id")
    hand_over(settings, MANIFEST, spark, built(MANIFEST))
    spark.run(f"drop table {settings.spark_prefix}marts.fct_b")
    with pytest.raises(PublicationFailed), shown_on_cluster(settings, MODELS, record(1)):
        raise AssertionError("published")


def test_the_metrics_layers_tables_come_to_the_cluster(spark: Spark, settings: Settings) -> None:
    settings.build_dir.mkdir()
    with duckdb.connect(str(settings.scorecards_file)) as connection:
        connection.execute("create schema metrics")
        connection.execute(
            "create table metrics.scorecard as select 170141183460469::hugeint as calls, "
            "0.25::double as share, date '2026-01-05' as week, null::varchar as team"
        )
    scorecard = PublishedModel("metrics", "scorecard", (), "By week.", {}, is_scorecard=True)
    for number, copied in ((1, ("metrics.scorecard",)), (2, ())):
        run = copy_run(settings, [scorecard], spark, record(number))
        show_run(settings, [scorecard], spark, run)
        assert run.copied == copied
    rows = spark.rows("select calls, share, cast(week as string), team from metrics.scorecard")
    assert rows == [(170141183460469, 0.25, "2026-01-05", None)]
