"""A hand-over, the outlook and the views for people over a thrift server and Spark Connect."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.base.sql import attach
from orchestration.models.dbt import PublishedModel
from orchestration.models.handover import bring_outlook, hand_over, handed_over
from orchestration.publication.cluster import shown_on_cluster
from orchestration.spark.connection import Spark, connected, stop_session

from .conftest import OnSpark
from .handed import build, built, manifest_of, node

COLUMNS = {"id": "string", "on_day": "date", "partition_month": "date"}
ROWS = (
    "select id, on_day, cast(date_trunc('month', on_day) as date) as partition_month from values "
    "('b', date'2026-02-01'), ('a', null), (null, date'2026-01-31') as t(id, on_day)"
)


def go_the_whole_way(spark: Spark, settings: Settings) -> None:
    columns = {name: kind for name, kind in COLUMNS.items() if name != "partition_month"}
    how = "using parquet partitioned by (partition_month)"
    build(spark, settings, "marts", "fct_things", ROWS, how)
    build(spark, settings, "staging", "stg_things", ROWS, how)
    things = node("marts", "fct_things", columns, ["id"])
    manifest = manifest_of(things, node("staging", "stg_things"), sources=["backtest", "reasons"])
    hand_over(settings, manifest, spark, built(manifest))
    with duckdb.connect() as connection:
        attach(connection, *settings.build_files)
        rows = connection.execute("from voronka_marts.marts.fct_things").fetchall()
        assert rows == [(None, date(2026, 1, 31)), ("a", None), ("b", date(2026, 2, 1))]
        rows = connection.execute(
            "select count(*) from voronka_build.staging.stg_things"
        ).fetchall()
        assert rows == [(3,)]

    # One by a file, one by statements: a file lies where its folder would be.
    schema = f"{settings.spark_prefix}outlook"
    spark.run(f"create schema {schema} location '{settings.data}/outlook'")
    (settings.data / "outlook/handover").mkdir(parents=True, exist_ok=True)
    (settings.data / "outlook/handover/reasons").write_text("no directory")
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(
            "insert into outlook.backtest (as_of_on, brier) values ('2026-01-01', 0.1)"
        )
        connection.execute(
            "insert into outlook.reasons (deal_id, reason_1) values ('d''\\${x};', '100 % «да»')"
        )
    bring_outlook(settings, manifest, spark)
    found = spark.rows(f"select cast(as_of_on as string), brier, won from {schema}.backtest")
    assert found == [("2026-01-01", 0.1, None)]
    found = spark.rows(f"select deal_id, reason_1, reason_2 from {schema}.reasons")
    assert found == [("d'\\${x};", "100 % «да»", None)]

    about = {"id": "Key: it's 100 % «ours»; ${all} of it."}
    models = [PublishedModel("marts", "fct_things", ("id",), "What; it's.", about)]
    record = Record(run_id="1", started_at="2026-01-01T00:00:00Z")
    with shown_on_cluster(settings, models, record):
        record.publication_id = "p1"
    (target,) = record.targets
    assert target.failure is None
    assert spark.rows("select id, cast(on_day as string) from marts.fct_things order by id") == [
        *((None, "2026-01-31"), ("a", None), ("b", "2026-02-01")),
    ]
    row = spark.rows("describe table extended marts.fct_things")[0]
    assert row[2] == about["id"]
    assert [it.rows for it in handed_over(settings) if it.is_table] == [3]
    spark.run("drop schema marts cascade")


def test_over_a_thrift_server(thrift: OnSpark) -> None:
    settings = thrift(spark_prefix="over_thrift_")
    with connected(settings) as spark:
        go_the_whole_way(spark, settings)


@pytest.mark.nightly
def test_over_spark_connect(connect: OnSpark) -> None:
    settings = connect(spark_prefix="over_connect_")
    try:
        with connected(settings) as spark:
            go_the_whole_way(spark, settings)
    finally:
        stop_session()
