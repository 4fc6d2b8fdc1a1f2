"""Whether a refresh could build on the Spark that the settings name, before it begins.

Nothing of Spark is imported where the engine is another.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import duckdb

from orchestration.base.errors import VoronkaError, first_line
from orchestration.base.findings import Finding
from orchestration.base.object_store import load_object_store
from orchestration.base.settings import Settings
from orchestration.base.sql import literal
from orchestration.spark.connection import (
    SESSION,
    Spark,
    SparkRefused,
    SparkSilent,
    connected,
    result_settings,
    silence,
)
from orchestration.spark.tables import (
    data_files,
    describe,
    identifier,
    is_local,
    place_of,
    table_name,
)

JAVA = 17
# The oldest that was tried; models need its QUALIFY.
TRIED = (4, 3)
# A schema of ours that lasts as long as the check.
_SCHEMA = "doctor"
_PAGE = "docs/spark.md"
_DUCKDB = "unset VORONKA_ENGINE to build with DuckDB"
_CLIENTS = {
    "dbt.adapters.spark": "dbt-spark",
    "pyspark": "pyspark",
    "pyhive": "PyHive",
    "grpc": "grpcio",
}
_NEEDED = {
    "session": ("dbt.adapters.spark", "pyspark"),
    "thrift": ("dbt.adapters.spark", "pyhive"),
    "sc": ("dbt.adapters.spark", "pyspark", "grpc"),
}


def examine_spark(settings: Settings) -> Iterator[Finding]:
    """What building on Spark needs: Java, clients, the server, its settings, rights and places."""
    if settings.engine != "spark":
        return
    kind = settings.spark.partition("://")[0]
    missing = _missing_clients(kind)
    java = _java() if kind == SESSION else None
    if java is not None:
        yield java
    if missing:
        yield Finding(
            "bad",
            f"VORONKA_SPARK={settings.spark} needs {', '.join(missing)}, not installed here",
            f"Run `make spark-env`, or {_DUCKDB}.",
        )
        return
    if java is not None and java.grade == "bad":
        # A session would not start, in other words.
        return
    try:
        with connected(settings) as spark:
            yield from examine_server(settings, spark)
    except SparkRefused as error:
        # It answered, and went away while it was asked.
        silent = silence(settings, error)
        yield Finding("bad", silent.message, silent.remedy, may_pass=True)
    except VoronkaError as error:
        may_pass = isinstance(error, SparkSilent)
        yield Finding("bad", error.message, error.remedy, error.details, may_pass)


def examine_server(settings: Settings, spark: Spark) -> Iterator[Finding]:
    """A Spark that answers: its version, its settings, what we may do there."""
    version = str(spark.rows("select version()")[0][0]).partition(" ")[0]
    where = "in this process" if settings.spark == SESSION else f"at {settings.spark}"
    yield from _version(version, where)
    yield _results(settings, spark)
    yield from _rights(settings, spark)


def examine_raw_file(settings: Settings, address: str) -> Iterator[Finding]:
    """Whether the cluster reads a file of the raw zone; `address` is Spark's name of it."""
    if settings.engine != "spark" or _missing_clients(settings.spark.partition("://")[0]):
        return
    if settings.spark == SESSION and _java().grade == "bad":
        return
    try:
        with connected(settings) as spark:
            spark.rows(f"select count(*) from parquet.{identifier(address)}")
    except SparkRefused as error:
        yield Finding(
            "bad",
            f"Spark cannot read the raw zone: {error.reason}",
            "Put it where every executor has it under the same name: a shared directory, or an "
            f"object store for which the cluster has a client and credentials ({_PAGE}).",
            [address],
        )
        return
    except VoronkaError:
        # What stands in the way of a connection was said before.
        return
    yield Finding("good", "Spark reads the raw zone", details=[address])


def _missing_clients(kind: str) -> list[str]:
    """Packages that reaching such a Spark needs and that are not installed; nothing is imported."""
    return [_CLIENTS[name] for name in _NEEDED[kind] if not _is_there(name)]


def _is_there(module: str) -> bool:
    # Raised where the package around the module is missing.
    with contextlib.suppress(ModuleNotFoundError):
        return find_spec(module) is not None
    return False


def _java() -> Finding:
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin/java")) if home else shutil.which("java")
    remedy = f"Install a JRE {JAVA} or later (apt install default-jre-headless), or {_DUCKDB}."
    if program is None:
        return Finding("bad", "There is no Java, in which a Spark session runs", remedy)
    try:
        said = subprocess.run(
            [program, "-version"], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("bad", f"{program} does not run: {first_line(error)}", remedy)
    version = java_version(said.stderr + said.stdout)
    if version is None or version < JAVA:
        shown = "of an unknown version" if version is None else str(version)
        return Finding("bad", f"Java is {shown}; Spark needs {JAVA} or later", remedy, [program])
    return Finding("good", f"Java {version}", details=[program])


def java_version(said: str) -> int | None:
    """The major version in what `java -version` prints: 17 of 17.0.15, 8 of 1.8.0_392."""
    found = re.search(r'version "(\d+)(?:\.(\d+))?', said)
    if found is None:
        return None
    major, minor = int(found[1]), int(found[2] or 0)
    return minor if major == 1 else major


def _version(version: str, where: str) -> Iterator[Finding]:
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < TRIED:
        oldest = ".".join(map(str, TRIED))
        yield Finding(
            "note",
            f"Spark {version} {where} is older than {oldest}, with which the models are tested",
            f"Use Spark {oldest} or later; the models' QUALIFY needs it.",
        )
    else:
        yield Finding("good", f"Spark {version} answers {where}")


def _results(settings: Settings, spark: Spark) -> Finding:
    """Whether a session has the settings that decide what is computed."""
    wrong = []
    for name, wanted in result_settings(settings).items():
        # A server lists nothing of a name that it does not know: it takes no notice of it either.
        with contextlib.suppress(IndexError):
            has = str(spark.rows(f"set {name}")[0][1])
            if has.lower() != wanted.lower():
                wrong.append(f"{name}: {wanted} is needed, the server has {has}")
    if wrong:
        return Finding(
            "bad",
            f"{len(wrong)} of Spark's settings would change what is computed",
            f"Start the server with --conf NAME=VALUE for each ({_PAGE}).",
            wrong,
        )
    return Finding("good", "Spark's settings are those that results depend on")


def _rights(settings: Settings, spark: Spark) -> Iterator[Finding]:
    """Make a schema with our prefix and a table in it, look for its files here, and remove both."""
    schema = f"{settings.spark_prefix}{_SCHEMA}"
    table, view = table_name(schema, "rights"), table_name(schema, "seen")
    try:
        try:
            spark.run(f"create schema if not exists {identifier(schema)}")
            spark.run(f"drop table if exists {table}")
            spark.run(f"create table {table} using parquet as select 1 as n")
            spark.run(f"create or replace view {view} as select n from {table}")
            written = spark.rows(f"select n from {view}")
        except SparkRefused as error:
            yield Finding(
                "bad",
                f"Spark lets us not build in schemas {settings.spark_prefix}…: {error.reason}",
                "Grant the right to create schemas, tables and views there, or set "
                f"VORONKA_SPARK_PREFIX ({_PAGE}).",
            )
            return
        assert written == [(1,)], written
        yield Finding("good", f"Schemas, tables and views {settings.spark_prefix}… can be created")
        yield _warehouse(spark, schema)
    finally:
        # Where it could not be created, there is nothing to drop; that was said.
        with contextlib.suppress(SparkRefused):
            spark.run(f"drop schema if exists {identifier(schema)} cascade")


def _warehouse(spark: Spark, schema: str) -> Finding:
    """Whether this machine reads what Spark has just written."""
    location = ""
    try:
        location = describe(spark, schema, "rights").location
        place = place_of(location)
        with duckdb.connect() as connection:
            load_object_store(connection, place)
            files = data_files(connection, place)
            paths = ", ".join(literal(file.path) for file in files)
            rows = connection.execute(f"select n from read_parquet([{paths}])").fetchall()
    except VoronkaError as error:
        return Finding("bad", error.message, error.remedy, [location])
    except duckdb.Error as error:
        return Finding(
            "bad",
            f"What Spark writes cannot be read here: {first_line(error)}",
            "Set the usual AWS_* variables for the object store, or let the cluster write to a "
            f"directory that this machine has, too ({_PAGE}).",
            [location],
        )
    assert rows == [(1,)], rows
    where = "in a directory of this machine" if is_local(place) else "in an object store"
    return Finding("good", f"Spark's warehouse, {where}, is read from here", details=[location])
