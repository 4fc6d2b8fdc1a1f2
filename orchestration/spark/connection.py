"""One connection to the Spark that `VORONKA_SPARK` names.

Nothing of Spark is imported before a connection is asked for.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml

from orchestration.base.errors import EXIT_TRY_LATER, BuildFailed, VoronkaError, WrongUse
from orchestration.base.settings import Settings

SESSION = "session"
_LOGGING = Path(__file__).with_name("log4j2.properties")
_REMEDY = "Run `make spark-env`, or unset VORONKA_ENGINE to build with DuckDB."


# Seconds; a server that is there answers at once, and Spark Connect's client asks for minutes.
_PATIENCE = 10


class SparkSilent(VoronkaError):
    """The server that VORONKA_SPARK names does not answer."""

    exit_code = EXIT_TRY_LATER


def silence(settings: Settings, error: BaseException) -> VoronkaError:
    """A server that is not reached, or a session that does not start, in the client's words."""
    if settings.spark == SESSION:
        return WrongUse(
            f"A Spark session does not start here: {reason(error)}",
            f"Run `voronka doctor`, and see {settings.spark_dir / 'spark.log'}.",
        )
    return SparkSilent(
        f"VORONKA_SPARK={settings.spark} does not answer: {reason(error)}",
        "Start the server, or correct VORONKA_SPARK (docs/spark.md).",
    )


class SparkRefused(BuildFailed):
    """A statement that Spark did not run; `reason` says why, in its words and in one line."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"Spark refused a statement: {said}",
            "Look at the cluster's log and at our rights there; then refresh again.",
        )
        self.reason = said


class Spark(Protocol):
    """What the refresh asks of a Spark, however it is reached. All raise SparkRefused."""

    def run(self, sql: str) -> None:
        """Run one statement."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one query; only for those that are few."""

    def named_rows(self, sql: str) -> list[dict[str, str | None]]:
        """The same as text, by the names of the columns."""


def result_settings(settings: Settings) -> Mapping[str, str]:
    """The session settings that decide what is computed: those of dbt's target `spark`."""
    profile = yaml.safe_load((settings.root / "profiles.yml").read_text(encoding="utf-8"))
    found = profile["voronka"]["outputs"]["spark"]["server_side_parameters"]
    return {str(name): str(value) for name, value in found.items()}


def give_dbt_settings(settings: Settings) -> None:
    """Let the connections that dbt is about to open have the settings that decide results.

    dbt-spark 1.11 has its own will: it turns ANSI off before each statement of a session, so that
    a sum which overflows would be NULL, and over thrift sends names of which no server takes
    notice. To be called when dbt has made its adapter and opened no connection.
    """
    from dbt.adapters.factory import get_adapter_by_type

    sent = get_adapter_by_type("spark").config.credentials.server_side_parameters
    sent.clear()
    sent.update(_parameters(settings))


def _parameters(settings: Settings) -> dict[str, str]:
    """The settings under the names by which this Spark takes them when a connection opens."""
    prefix = "set:hiveconf:" if settings.spark.startswith("thrift://") else ""
    return {prefix + name: value for name, value in result_settings(settings).items()}


@contextlib.contextmanager
def connected(settings: Settings) -> Iterator[Spark]:
    """A connection with the settings that decide results.

    A session in this process stays for whoever asks next, dbt too; `stop_session` ends it.
    Raises WrongUse where the client or Java is missing, SparkSilent where no server answers.
    """
    if settings.spark.startswith("thrift://"):
        with _thrift(settings) as spark:
            yield spark
    else:
        yield _Session(session(settings))


@contextlib.contextmanager
def _opening(settings: Settings) -> Iterator[None]:
    """Tell whatever a client raises while it connects as one error."""
    try:
        if settings.spark != SESSION:
            host, _, port = settings.spark.partition("://")[2].partition(":")
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
        with warnings.catch_warnings():
            # Connect's client has an opinion on the version of pandas, of which nothing is asked.
            warnings.simplefilter("ignore", FutureWarning)
            yield
    except Exception as error:
        raise silence(settings, error) from error


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Tell as one error what a client raises of a statement, or of the way to its server.

    Each client has its own errors, and lets those of what it is built on through.
    """
    try:
        yield
    except Exception as error:
        raise SparkRefused(reason(error)) from error


def reason(error: BaseException) -> str:
    """What went wrong in one line. A thrift client puts it into a reply with the whole trace."""
    if isinstance(error, SparkRefused):
        return error.reason
    found = re.search(r"errorMessage=(['\"])(.*?)\1\)", str(error), re.DOTALL)
    said = found[2].replace("\\n", "\n") if found else str(error)
    lines = (it.strip().removeprefix(": ") for it in said.splitlines())
    # A session in this process says first through what it was asked.
    told = (it for it in lines if it and not it.startswith("An error occurred while calling "))
    line = next(told, type(error).__name__)
    return re.sub(r"^((\S+(Exception|Error): )|Error running query: |\[[A-Z0-9_.]+\] )*", "", line)


def session(settings: Settings) -> Any:
    """The SparkSession of this process: its own Spark, or a Connect server's."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise WrongUse("Apache Spark is not installed here.", _REMEDY) from error
    builder = SparkSession.builder.appName("voronka")
    if settings.spark == SESSION:
        for name, value in _static_settings(settings).items():
            builder = builder.config(name, value)
        builder = builder.enableHiveSupport()
    else:
        builder = builder.remote(settings.spark)
    with _opening(settings):
        opened = builder.getOrCreate()
        for name, value in result_settings(settings).items():
            opened.conf.set(name, value)
    return opened


def stop_session() -> None:
    """End the Spark of this process, if there is one."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        return
    active = SparkSession.getActiveSession()
    if active is not None:
        active.stop()


def _static_settings(settings: Settings) -> Mapping[str, str]:
    """Settings of a Spark in this process: its tables stay from one refresh to the next."""
    place = settings.spark_dir
    place.mkdir(parents=True, exist_ok=True)
    return {
        "spark.master": f"local[{settings.threads}]",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": os.environ.get("SPARK_DRIVER_MEMORY", "2g"),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.local.dir": str(place / "scratch"),
        "spark.sql.warehouse.dir": str(place / "warehouse"),
        "spark.sql.shuffle.partitions": str(settings.threads),
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={place / 'metastore'};create=true"
        ),
        "spark.driver.extraJavaOptions": " ".join(
            f'"-D{name}={value}"'
            for name, value in {
                "derby.system.home": str(place),
                "log4j2.configurationFile": _LOGGING.as_uri(),
                "voronka.spark.log": str(place / "spark.log"),
            }.items()
        ),
    }


class _Session:
    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def run(self, sql: str) -> None:
        with _refusals():
            self._opened.sql(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with _refusals():
            return [tuple(row) for row in self._opened.sql(sql).collect()]

    def named_rows(self, sql: str) -> list[dict[str, str | None]]:
        with _refusals():
            found = self._opened.sql(sql)
            return [_as_text(found.columns, row) for row in found.collect()]


@contextlib.contextmanager
def _thrift(settings: Settings) -> Iterator[Spark]:
    try:
        from pyhive import hive
    except ImportError as error:
        raise WrongUse("The client of Spark's thrift server is not installed.", _REMEDY) from error
    host, _, port = settings.spark.removeprefix("thrift://").partition(":")
    with _opening(settings):
        connection = hive.connect(host=host, port=int(port), configuration=_parameters(settings))
    with contextlib.closing(connection):
        yield _Thrift(connection)


class _Thrift:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @contextlib.contextmanager
    def _asked(self, sql: str) -> Iterator[Any]:
        with _refusals(), contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)
            yield cursor

    def run(self, sql: str) -> None:
        with self._asked(sql):
            pass

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._asked(sql) as cursor:
            return list(cursor.fetchall())

    def named_rows(self, sql: str) -> list[dict[str, str | None]]:
        with self._asked(sql) as cursor:
            names = [name.rpartition(".")[2] for name, *_ in cursor.description]
            return [_as_text(names, row) for row in cursor.fetchall()]


def _as_text(names: Sequence[str], row: Sequence[Any]) -> dict[str, str | None]:
    texts = (None if value is None else str(value) for value in row)
    return dict(zip(names, texts, strict=True))
