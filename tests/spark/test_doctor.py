"""`voronka doctor` against a real cluster."""

from __future__ import annotations

import pytest

from orchestration.base.settings import DEMO_DIR, Settings
from orchestration.cli.doctor import examine
from orchestration.spark.checks import examine_raw_file, examine_spark
from orchestration.spark.connection import Spark, connected
from tests.conftest import ROOT
from tests.spark.cluster import Cluster
from tests.spark.conftest import OnSpark


def test_a_cluster_that_a_refresh_could_use_is_good(cluster: Cluster, thrift: OnSpark) -> None:
    settings = thrift(raw_dir=str(ROOT / DEMO_DIR), spark_prefix="looked_")
    found = [it for it in examine(settings) if "Spark" in it.text or "looked_" in it.text]
    assert [it for it in found if it.grade != "good"] == []
    assert [it.text for it in found] == [
        f"Spark 4.3.0 answers at {settings.spark}",
        "Spark's settings are those that results depend on",
        "Schemas, tables and views looked_… can be created",
        "Spark's warehouse, in a directory of this machine, is read from here",
        "Spark reads the raw zone",
    ]
    # Nothing is left of the trial.
    with connected(settings) as spark:
        assert spark.rows("show schemas like 'looked_*'") == []
    assert list(cluster.warehouse.glob("looked_*")) == []


def test_a_file_that_the_cluster_does_not_have_is_said_in_one_line(thrift: OnSpark) -> None:
    (found,) = examine_raw_file(thrift(), "file:/not/there/2026-03-01.parquet")
    assert found.grade == "bad"
    assert found.text.startswith("Spark cannot read the raw zone: Path does not exist: file:/not")
    assert "\n" not in found.text


def test_a_session_is_looked_at_in_this_process(spark: Spark, spark_settings: Settings) -> None:
    java, *found = examine_spark(spark_settings)
    assert java.text.startswith("Java ")
    assert {it.grade for it in (java, *found)} == {"good"}
    assert found[0].text == "Spark 4.3.0 answers in this process"


@pytest.mark.nightly
def test_a_connect_server_is_looked_at(connect: OnSpark) -> None:
    found = list(examine_spark(connect(spark_prefix="remote_")))
    assert [it.text for it in found if it.grade != "good"] == []
    assert len(found) == 4
