"""What `voronka doctor` says of a Spark, without one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.base.settings import Settings
from orchestration.spark.checks import (
    examine_raw_file,
    examine_server,
    examine_spark,
    java_version,
)
from orchestration.spark.connection import (
    SparkRefused,
    SparkSilent,
    connected,
    reason,
    result_settings,
)
from tests.conftest import ROOT, clean_environment


class Server:
    """Answers what the checks ask, as a Spark would that has these settings and this place."""

    def __init__(
        self,
        settings: Mapping[str, str],
        location: str,
        version: str = "4.3.0 98bc",
        refuses: str = "nothing",
    ) -> None:
        self.said: list[str] = []
        self._settings = settings
        self._location = location
        self._version = version
        self._refuses = refuses

    def run(self, sql: str) -> None:
        self.said.append(sql)
        if self._refuses in sql:
            raise SparkRefused("CREATE on voronka_doctor")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        if sql == "select version()":
            return [(self._version,)]
        if sql.startswith("set "):
            return [(sql[4:], self._settings.get(sql[4:], "<undefined>"))]
        if sql.startswith("describe"):
            details = [("# Detailed Table Information", ""), ("Provider", "parquet")]
            return [("n", "int"), *details, ("Location", self._location)]
        return [(1,)]


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """A table of one row, as Spark leaves it."""
    place = tmp_path / "warehouse"
    place.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"copy (select 1 as n) to '{place}/part-0.parquet'")
    return place


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(engine="spark", spark="thrift://spark.example:10000", data_dir=tmp_path)


def said(settings: Settings, server: Server) -> list[tuple[str, str]]:
    return [(it.grade, it.text) for it in examine_server(settings, server)]


def test_a_good_server_is_good_and_keeps_nothing_of_the_check(
    settings: Settings, warehouse: Path
) -> None:
    server = Server(result_settings(settings), f"file:{warehouse}")
    assert said(settings, server) == [
        ("good", "Spark 4.3.0 answers at thrift://spark.example:10000"),
        ("good", "Spark's settings are those that results depend on"),
        ("good", "Schemas, tables and views voronka_… can be created"),
        ("good", "Spark's warehouse, in a directory of this machine, is read from here"),
    ]
    assert server.said[-1] == "drop schema if exists `voronka_doctor` cascade"


def test_each_setting_that_differs_is_named_with_what_is_needed(
    settings: Settings, warehouse: Path
) -> None:
    has = {**result_settings(settings), "spark.sql.session.timeZone": "Europe/Moscow"}
    del has["spark.sql.ansi.enabled"]
    server = Server(has, str(warehouse))
    (found,) = (it for it in examine_server(settings, server) if it.grade == "bad")
    assert found.text == "2 of Spark's settings would change what is computed"
    assert found.details == [
        "spark.sql.session.timeZone: UTC is needed, the server has Europe/Moscow",
        "spark.sql.ansi.enabled: true is needed, the server has <undefined>",
    ]
    assert "--conf NAME=VALUE" in found.remedy


def test_an_older_server_is_noted(settings: Settings, warehouse: Path) -> None:
    server = Server(result_settings(settings), str(warehouse), version="3.5.1 fd86")
    grade, text = said(settings, server)[0]
    assert grade == "note"
    assert text.startswith("Spark 3.5.1 at thrift://spark.example:10000 is older than 4.3")


@pytest.mark.parametrize("statement", ["create schema", "create table", "create or replace view"])
def test_a_right_that_is_missing_is_said_in_one_line(
    settings: Settings, warehouse: Path, statement: str
) -> None:
    server = Server(result_settings(settings), str(warehouse), refuses=statement)
    last = list(examine_server(settings, server))[-1]
    assert (last.grade, last.text) == (
        "bad",
        "Spark lets us not build in schemas voronka_…: CREATE on voronka_doctor",
    )
    assert "VORONKA_SPARK_PREFIX" in last.remedy


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("hdfs://cluster/warehouse/x", "Spark's warehouse is in hdfs://cluster/warehouse/x, which"),
        ("file:/nowhere/on/this/machine", "Spark has written to /nowhere/on/this/machine, which"),
    ],
)
def test_a_warehouse_that_cannot_be_read_from_here_is_named(
    settings: Settings, location: str, text: str
) -> None:
    last = list(examine_server(settings, Server(result_settings(settings), location)))[-1]
    assert last.grade == "bad"
    assert last.text.startswith(text)
    assert last.remedy


@pytest.mark.parametrize("spark", ["thrift://127.0.0.1:1", "sc://127.0.0.1:1"])
def test_nothing_of_spark_is_looked_at_where_duckdb_builds(spark: str) -> None:
    settings = Settings(engine="duckdb", spark=spark)
    assert list(examine_spark(settings)) == []
    assert list(examine_raw_file(settings, "file:/x.parquet")) == []


def test_doctor_imports_nothing_of_spark_where_duckdb_builds(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    code = (
        "import sys\n"
        "from orchestration.base.settings import Settings\n"
        "from orchestration.cli.doctor import examine\n"
        f"examine(Settings(raw_dir={str(tmp_path / 'raw')!r}, data_dir={str(tmp_path)!r}))\n"
        "print([it for it in sys.modules if it.startswith(('pyspark', 'pyhive', 'dbt.adapters'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(), cwd=ROOT, capture_output=True
    )
    assert done.stdout.decode() == "[]\n", done.stderr.decode()


@pytest.mark.parametrize(("kind", "client"), [("thrift", "pyhive"), ("sc", "pyspark")])
def test_a_server_that_does_not_answer_may_answer_later(
    tmp_path: Path, kind: str, client: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(client)
    address = f"{kind}://127.0.0.1:1"
    settings = Settings(engine="spark", spark=address, data_dir=tmp_path)
    (found,) = examine_spark(settings)
    assert found.grade == "bad"
    assert found.may_pass
    assert found.text.startswith(f"VORONKA_SPARK={address} does not answer: ")
    assert "\n" not in found.text
    # One cause is said once, by nobody but us.
    assert list(examine_raw_file(settings, "file:/x.parquet")) == []
    assert capfd.readouterr() == ("", "")


def test_a_refresh_says_what_doctor_says_of_a_silent_server(tmp_path: Path) -> None:
    pytest.importorskip("pyhive")
    settings = Settings(engine="spark", spark="thrift://127.0.0.1:1", data_dir=tmp_path)
    with pytest.raises(SparkSilent) as caught, connected(settings):
        pass
    (found,) = examine_spark(settings)
    assert (caught.value.message, caught.value.remedy) == (found.text, found.remedy)
    assert caught.value.exit_code == 75


@pytest.mark.parametrize(
    ("home", "text"),
    [
        ("/nowhere", "/nowhere/bin/java does not run: "),
        ("old", "Java is 11; Spark needs 17 or later"),
        ("strange", "Java is of an unknown version; Spark needs 17 or later"),
    ],
)
def test_a_session_needs_java(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    home: str,
    text: str,
) -> None:
    pytest.importorskip("pyspark")
    for name, says in (("old", 'openjdk version "11.0.2" 2019-01-15'), ("strange", "no Java")):
        program = tmp_path / name / "bin/java"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
        program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", home if home.startswith("/") else str(tmp_path / home))
    settings = Settings(engine="spark", data_dir=tmp_path)
    (found,) = examine_spark(settings)
    assert found.grade == "bad"
    assert found.text.startswith(text)
    assert "default-jre-headless" in found.remedy
    # No session is tried, whose launcher would speak for itself.
    assert list(examine_raw_file(settings, "file:/x.parquet")) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ("command not found", None),
    ],
)
def test_java_tells_its_version_in_two_ways(said: str, version: int | None) -> None:
    assert java_version(said) == version


THRIFT = (
    "TExecuteStatementResp(status=TStatus(statusCode=3, infoMessages=['*org.apache…:1:2'], "
    "sqlState='42501', errorCode=0, errorMessage='org.apache.hive.service.cli.HiveSQLException: "
    "Error running query: org.apache.spark.sql.AnalysisException: [NO_RIGHT] Nothing of yours.\\n"
    "\\tat org.apache.spark'), operationHandle=None)"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[PATH_NOT_FOUND] Path does not exist: s3a://x\nmore", "Path does not exist: s3a://x"),
        ("\nCould not connect", "Could not connect"),
        (THRIFT, "Nothing of yours."),
        (
            "An error occurred while calling o61.collectToPython.\n: "
            "org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Not readable.\n\tat x",
            "Not readable.",
        ),
        ("", "RuntimeError"),
    ],
)
def test_reasons_are_one_line_without_the_clients_wrapping(text: str, expected: str) -> None:
    assert reason(RuntimeError(text)) == expected


def test_java_of_this_machine_is_not_asked_where_a_server_runs_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyhive")
    monkeypatch.setenv("JAVA_HOME", os.devnull)
    settings = Settings(engine="spark", spark="thrift://127.0.0.1:1", data_dir=tmp_path)
    assert [it.text for it in examine_spark(settings) if "Java" in it.text] == []
