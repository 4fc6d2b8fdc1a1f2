"""One Spark for all tests of a process: a session has one warehouse and one metastore."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.base.settings import Settings
from orchestration.spark.connection import Spark, connected, stop_session

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a session of Spark in this process; its warehouse is thrown away."""
    pytest.importorskip("pyspark", reason="Apache Spark is not installed: make spark-env")
    # A place whose name has to be quoted, and looks like a partition's.
    data = tmp_path_factory.mktemp("spark") / "the data=here"
    return Settings(project_dir=PROJECT, data_dir=data, engine="spark", threads=2)


@pytest.fixture(scope="session")
def spark(spark_settings: Settings) -> Iterator[Spark]:
    """The session."""
    with connected(spark_settings) as opened:
        yield opened
    stop_session()
