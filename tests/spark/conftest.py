"""A Spark for the tests of a session: one in this process, and a cluster with its two servers.

Each starts when a test first asks for it. Where there is no Java or no pyspark, every test here is
skipped, and says what installs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.base.settings import Settings
from orchestration.spark.connection import Spark, connected, stop_session
from tests import needs
from tests.spark.cluster import LIGHT, Cluster, Server, running_cluster

# Settings of a Spark with these options: a data directory, a prefix.
OnSpark = Callable[..., Settings]


@pytest.fixture(scope="session", autouse=True)
def _spark_is_here() -> None:
    needs.spark()


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a session of Spark in this process; its warehouse is thrown away."""
    # A place whose name has to be quoted, and looks like a partition's.
    data = tmp_path_factory.mktemp("spark") / "the data=here"
    return Settings(data_dir=data, engine="spark", threads=2)


@pytest.fixture(scope="session")
def spark(spark_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    """The session: one for all tests, as it has one warehouse and one metastore."""
    place = tmp_path_factory.mktemp("conf")
    lines = [f"{name} {value}" for name, value in LIGHT.items()]
    (place / "spark-defaults.conf").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        # Read when the JVM starts, which is with the first connection.
        patch.setenv("SPARK_CONF_DIR", str(place))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        try:
            with connected(spark_settings) as opened:
                yield opened
        finally:
            stop_session()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One master and two workers on loopback."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def thrift_server(cluster: Cluster) -> Iterator[Server]:
    """The cluster's thrift server."""
    with cluster.thrift_server() as server:
        yield server


@pytest.fixture(scope="session")
def connect_server(cluster: Cluster) -> Iterator[Server]:
    """The cluster's Spark Connect server. Its catalogue is in memory, Hive's is the other's."""
    with cluster.connect_server(**{"spark.sql.catalogImplementation": "in-memory"}) as server:
        yield server


@pytest.fixture
def thrift(thrift_server: Server, tmp_path: Path) -> OnSpark:
    """Settings that reach the cluster over thrift, in this test's own data directory.

    One thread: where two sessions end at once, Spark 4's server may look for a class of Hive that
    no Spark brings, and refuse to close one of them (docs/spark.md).
    """
    return _settings_of(thrift_server, tmp_path, threads=1)


@pytest.fixture
def connect(
    connect_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OnSpark]:
    """Settings that reach the cluster by Spark Connect; the test's own session ends with it."""
    # pyspark sets it with the first remote session, and takes it for all that come after.
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
    yield _settings_of(connect_server, tmp_path)
    stop_session()


# Of two processes the first begins with a whole refresh on the cluster and goes on with what needs
# it, too; the other has a Spark in itself.
FIRST = ("test_parity.py", "test_raw_views.py", "test_settings.py")
LAST = ("test_cluster.py", "test_doctor.py", "test_handover_over_servers.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Remote sessions first: there can be none in a process that has a Spark of its own."""
    items.sort(key=lambda it: ("connect" not in getattr(it, "fixturenames", ()), _rank(it)))


def _rank(item: pytest.Item) -> int:
    name = item.path.name
    return FIRST.index(name) if name in FIRST else len(FIRST) + (name in LAST)


def _settings_of(server: Server, place: Path, **always: object) -> OnSpark:
    def settings(**options: object) -> Settings:
        given = {"engine": "spark", "spark": server.url, "data_dir": place / "spark"}
        return Settings(**{**given, **always, **options})

    return settings
