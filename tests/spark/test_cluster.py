"""The cluster of the tests: both servers answer, take the settings, and outlive a worker."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from orchestration.spark.connection import connected, result_settings
from tests.conftest import ROOT
from tests.spark.cluster import Cluster, wait_until
from tests.spark.conftest import OnSpark

SUM = "select count(*), sum(id) from range(1000)"


def test_the_thrift_server_runs_on_both_workers_with_the_settings_of_results(
    cluster: Cluster, thrift: OnSpark
) -> None:
    settings = thrift()
    with connected(settings) as spark:
        assert spark.rows(SUM) == [(1000, 499500)]
        said = {name: spark.rows(f"set {name}")[0][1] for name in result_settings(settings)}
    assert said == dict(result_settings(settings))
    assert all(worker.executors() for worker in cluster.workers)


@pytest.mark.nightly
def test_spark_connect_runs_with_the_settings_of_results(connect: OnSpark) -> None:
    settings = connect()
    with connected(settings) as spark:
        assert spark.rows(SUM) == [(1000, 499500)]
        said = {name: spark.rows(f"set {name}")[0][1] for name in result_settings(settings)}
    assert said == dict(result_settings(settings))


def test_everything_listens_on_loopback_alone(cluster: Cluster, thrift: OnSpark) -> None:
    thrift()
    ours = psutil.Process().children(recursive=True)
    places = {
        it.laddr.ip.removeprefix("::ffff:")
        for process in ours
        for it in process.net_connections(kind="tcp")
        if it.status == psutil.CONN_LISTEN
    }
    assert places == {"127.0.0.1"}


@pytest.mark.nightly
def test_a_killed_worker_is_missed_by_nobody(cluster: Cluster, thrift: OnSpark) -> None:
    with connected(thrift()) as spark:
        assert spark.rows(SUM) == [(1000, 499500)]
        cluster.workers.pop(0).kill()
        assert spark.rows(SUM) == [(1000, 499500)]
    cluster.add_worker()


START = """
from pathlib import Path
from tests.spark.cluster import running_cluster
with running_cluster(Path({folder!r}), workers=0) as cluster:
    print(cluster.master, flush=True)
    input()
"""


def test_it_ends_when_its_parent_is_killed(tmp_path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", START.format(folder=str(tmp_path))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline().startswith("spark://127.0.0.1:")
    (master,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    wait_until(lambda: not master.is_running() or master.status() == "zombie", "the master", 30)
