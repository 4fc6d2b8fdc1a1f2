"""A standalone Spark on loopback, from the jars that pyspark brings: master, workers, servers.

Each process is a context manager: it is entered when the process answers, and left when it has
ended. All listen on 127.0.0.1 alone, on ports that were free; they log into the cluster's folder
and end with the process that started them.

    python -m tests.spark.cluster FOLDER    # a cluster with both servers, until Enter is pressed
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psutil

LOOPBACK = "127.0.0.1"
WORKERS = 2
DRIVER_MEMORY = "1g"
_SUBMIT = "org.apache.spark.deploy.SparkSubmit"
_SECONDS_TO_START = 300
_SECONDS_TO_STOP = 20
_PR_SET_PDEATHSIG = 1
_SHOWN_CHARACTERS = 4_000
# Short lives: the second compiler and a concurrent collector cost more than they save.
# The first compiler alone would get a fifth of the usual space for code, which a refresh fills: the
# rest of it then runs without being compiled.
_JVM = (
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m "
    "-XX:+UseSerialGC -XX:-UsePerfData -Xshare:auto"
)
# Warnings, and where each process answers; of each statement Spark would tell a page.
_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.deploy.name = org.apache.spark.deploy
logger.deploy.level = info
logger.thrift.name = org.apache.hive.service.cli.thrift
logger.thrift.level = info
logger.connect.name = org.apache.spark.sql.connect.service
logger.connect.level = info
"""
# What every application of the cluster runs with. None of it decides what is computed.
LIGHT: Mapping[str, str] = {
    "spark.ui.enabled": "false",
    "spark.driver.memory": DRIVER_MEMORY,
    "spark.executor.memory": "600m",
    "spark.executor.cores": "1",
    "spark.cores.max": str(WORKERS),
    "spark.default.parallelism": "2",
    "spark.sql.shuffle.partitions": "2",
    # A stage of a small zone takes as long as the compilation of its code.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": _JVM,
    "spark.executor.extraJavaOptions": _JVM,
    # A worker that dies is missed within seconds.
    "spark.network.timeout": "30s",
    "spark.network.timeoutInterval": "10s",
    "spark.executor.heartbeatInterval": "5s",
    "spark.locality.wait": "0s",
    "spark.cleaner.periodicGC.interval": "5min",
}


class Started(NamedTuple):
    """A process that answers, and what its log said of where."""

    process: subprocess.Popen[bytes]
    said: re.Match[str]
    log: Path


@dataclass(frozen=True)
class Worker:
    """A worker of the cluster; its executors are processes that it started."""

    process: subprocess.Popen[bytes]

    def executors(self) -> list[psutil.Process]:
        """Its executors that run now."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def kill(self) -> None:
        """Kill it with its executors, as a machine dies."""
        executors = self.executors()
        self.process.kill()
        for executor in executors:
            with suppress(psutil.NoSuchProcess):
                executor.kill()
        self.process.wait()


@dataclass(frozen=True)
class Server:
    """An application that takes SQL; `url` is what VORONKA_SPARK is set to."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


@dataclass
class Cluster:
    """A master, its workers, and the folder in which everything of them lies."""

    folder: Path
    master: str = ""
    workers: list[Worker] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def warehouse(self) -> Path:
        """Where tables lie; every process reads and writes it."""
        return self.folder / "warehouse"

    def add_worker(self, memory: str = "2g", cores: int = 3) -> Worker:
        """One more worker: three slots, for both servers of the session and one of a test's own."""
        started = self._stack.enter_context(
            self.running(
                f"worker-{len(self.workers) + 1}",
                [
                    "org.apache.spark.deploy.worker.Worker",
                    *("--host", LOOPBACK, "--port", "0", "--webui-port", "0"),
                    *("--cores", str(cores), "--memory", memory),
                    *("--work-dir", str(self.folder / "work"), self.master),
                ],
                r"Successfully registered with master",
            )
        )
        worker = Worker(started.process)
        self.workers.append(worker)
        return worker

    @contextmanager
    def thrift_server(self, **settings: str) -> Iterator[Server]:
        """HiveThriftServer2, which beeline, PyHive, ODBC and JDBC speak to."""
        port = "hive.server2.thrift.port=0"
        host = f"hive.server2.thrift.bind.host={LOOPBACK}"
        with self._application(
            "thrift",
            "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
            settings,
            r"ThriftBinaryCLIService on port (\d+)",
            ["--hiveconf", port, "--hiveconf", host],
        ) as started:
            yield Server(
                started.process, f"thrift://{LOOPBACK}:{int(started.said[1])}", started.log
            )

    @contextmanager
    def connect_server(self, **settings: str) -> Iterator[Server]:
        """Spark Connect's server, which pyspark's remote sessions speak to."""
        place = {
            "spark.connect.grpc.binding.address": LOOPBACK,
            "spark.connect.grpc.binding.port": "0",
        }
        with self._application(
            "connect",
            "org.apache.spark.sql.connect.service.SparkConnectServer",
            {**place, **settings},
            r"Spark Connect server started at: \S+?:(\d+)",
        ) as started:
            yield Server(started.process, f"sc://{LOOPBACK}:{int(started.said[1])}", started.log)

    @contextmanager
    def _application(
        self,
        name: str,
        main: str,
        settings: Mapping[str, str],
        answers: str,
        arguments: Sequence[str] = (),
    ) -> Iterator[Started]:
        metastore = f"jdbc:derby:memory:{name};create=true"
        given = {
            **LIGHT,
            "spark.driver.host": LOOPBACK,
            "spark.driver.bindAddress": LOOPBACK,
            "spark.sql.warehouse.dir": str(self.warehouse),
            "spark.sql.catalogImplementation": "hive",
            "spark.hadoop.javax.jdo.option.ConnectionURL": metastore,
            **settings,
        }
        pairs = [part for key, value in given.items() for part in ("--conf", f"{key}={value}")]
        command = [_SUBMIT, "--master", self.master]
        command += ["--class", main, *pairs, "spark-internal", *arguments]
        with self.running(name, command, answers) as started:
            yield started

    @contextmanager
    def running(self, name: str, command: Sequence[str], answers: str) -> Iterator[Started]:
        """A class of Spark in a JVM of its own, from when its log says what matches `answers`."""
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        log = place / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(spark_home() / "bin/spark-class"), *command],
                cwd=place,
                env=self._environment(place, command[0] == _SUBMIT),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
            )
        try:
            yield Started(process, _wait(name, process, log, answers), log)
        finally:
            _stop(process)

    def _environment(self, place: Path, is_application: bool) -> dict[str, str]:
        """Nothing of this machine's own Spark."""
        others = {k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "HADOOP_"))}
        return {
            **others,
            "SPARK_HOME": str(spark_home()),
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_LOCAL_IP": LOOPBACK,
            "SPARK_LOCAL_HOSTNAME": LOOPBACK,
            "SPARK_LOCAL_DIRS": str(self.folder / "scratch"),
            "SPARK_LOG_DIR": str(place),
            # A master and a worker keep books; the thrift server counts as a daemon, too.
            "SPARK_DAEMON_MEMORY": DRIVER_MEMORY if is_application else "192m",
            "SPARK_DAEMON_JAVA_OPTS": _JVM,
        }


@contextmanager
def running_cluster(folder: Path, workers: int = WORKERS) -> Iterator[Cluster]:
    """A master with so many workers; ended by their process ids, the folder stays."""
    cluster = Cluster(folder)
    for name in ("conf", "scratch", "warehouse", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "conf/log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    with cluster._stack as stack:
        started = stack.enter_context(
            cluster.running(
                "master",
                [
                    "org.apache.spark.deploy.master.Master",
                    *("--host", LOOPBACK, "--port", "0", "--webui-port", "0"),
                ],
                r"Starting Spark master at (spark://\S+)",
            )
        )
        cluster.master = started.said[1]
        for _ in range(workers):
            cluster.add_worker()
        yield cluster


def spark_home() -> Path:
    """Where pyspark's jars and programs are."""
    found = find_spec("pyspark")
    assert found is not None and found.origin is not None, "pyspark is not installed"
    return Path(found.origin).parent


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = _SECONDS_TO_START) -> None:
    """Wait for something of another process. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


def _wait(name: str, process: subprocess.Popen[bytes], log: Path, answers: str) -> re.Match[str]:
    said: list[re.Match[str]] = []

    def has_answered() -> bool:
        text = log.read_text(encoding="utf-8", errors="replace")
        found = re.search(answers, text)
        if found is None and process.poll() is not None:
            raise RuntimeError(
                f"{name} ended with {process.returncode}:\n{text[-_SHOWN_CHARACTERS:]}"
            )
        said.extend([found] if found else [])
        return found is not None

    wait_until(has_answered, f"{name}, see {log}")
    return said[0]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started, whatever they do at the moment."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _end_with_parent() -> None:
    """In the child, before its program: be told when the parent dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    """Run a cluster with both servers by hand."""
    folder = Path(sys.argv[1]).resolve()
    with (
        running_cluster(folder) as cluster,
        cluster.thrift_server() as thrift,
        cluster.connect_server() as connect,
    ):
        print(f"{cluster.master}\nVORONKA_SPARK={thrift.url}\nVORONKA_SPARK={connect.url}")
        sys.stdin.readline()
    shutil.rmtree(folder / "scratch", ignore_errors=True)


if __name__ == "__main__":
    main()
