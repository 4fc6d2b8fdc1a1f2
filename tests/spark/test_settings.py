"""What dbt runs on a Spark is computed under the settings that decide results."""

from __future__ import annotations

import pytest

from orchestration.base.settings import Settings
from orchestration.models.run import DbtRun, run_dbt
from orchestration.spark.connection import Spark
from tests.spark.conftest import OnSpark

# A division that ANSI refuses, and columns that differ in case alone.
DIVISION = "select 1 / 0 as x"
CASES = "select a.X as x from (select 1 as X, 2 as x) as a"


def shown(settings: Settings, sql: str) -> DbtRun:
    return run_dbt(settings, ["show", "--inline", sql], lambda name, status: None)


def refuses_what_ansi_refuses(settings: Settings) -> bool:
    done = shown(settings, DIVISION)
    return not done.is_success and "DIVIDE_BY_ZERO" in str(done)


def test_dbt_over_thrift_has_the_settings_of_results(thrift: OnSpark) -> None:
    settings = thrift()
    assert refuses_what_ansi_refuses(settings)
    assert shown(settings, CASES).is_success


def test_dbt_in_a_session_has_the_settings_of_results(
    spark: Spark, spark_settings: Settings
) -> None:
    assert refuses_what_ansi_refuses(spark_settings)
    assert shown(spark_settings, CASES).is_success
    assert spark.rows("set spark.sql.ansi.enabled") == [("spark.sql.ansi.enabled", "true")]


@pytest.mark.nightly
def test_dbt_by_spark_connect_has_the_settings_of_results(connect: OnSpark) -> None:
    settings = connect()
    assert refuses_what_ansi_refuses(settings)
    assert shown(settings, CASES).is_success
