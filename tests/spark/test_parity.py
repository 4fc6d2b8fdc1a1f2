"""What a Spark cluster builds equals what DuckDB builds of the same files: every table and view.

One zone by day; each night more zones, news in batches, both servers, and what goes wrong in the
middle: time goes by statement and hardly by row, so the zones of these are as small as can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from orchestration.base.settings import DEMO_DIR, Settings
from orchestration.raw_zone.spark_questions import tables_on_cluster
from orchestration.spark.connection import connected
from tests.builds import Build
from tests.conftest import ROOT, voronka, write_zone
from tests.integration.test_incremental import COMPANY, at, loaded
from tests.reference.zones import generate, split
from tests.spark.cluster import Cluster, wait_until
from tests.spark.compare import differences, relations
from tests.spark.conftest import OnSpark

# More than any executor of the cluster has.
HOG = (
    "select max(length(concat_ws('', texts))) from "
    "(select collect_list(repeat('x', 1000000)) as texts from range(0, 2000, 1, 2))"
)
# Rows; the calls of the mild zone are more.
LARGE = 20
OUT_OF_MEMORY = "Command exited with code 52"


def refreshed(settings: Settings, raw: Path) -> str:
    """Refresh a zone as these settings say; what the command wrote. Everything has to be good."""
    done = _refresh(settings, raw)
    assert done[0] == 0, done[1]
    return done[1]


def _refresh(settings: Settings, raw: Path) -> tuple[int, str]:
    done = voronka(
        *("refresh", "--raw-dir", raw),
        env={
            "VORONKA_DATA_DIR": str(settings.data),
            "VORONKA_ENGINE": settings.engine,
            "VORONKA_SPARK": settings.spark,
            "VORONKA_SPARK_PREFIX": settings.spark_prefix,
            "VORONKA_THREADS": str(settings.threads),
            "VORONKA_LOCAL_FACTS_ROWS": str(settings.local_facts_rows),
        },
    )
    return done.returncode, done.stdout + done.stderr


def by_duckdb(raw: Path, data: Path) -> Build:
    """The models by DuckDB, with what is learned between them."""
    build = Build(data, raw)
    build.refresh(learns=True)
    return build


def compare(settings: Settings, build: Build) -> None:
    """Equal, and not because there was nothing."""
    assert differences(build.files, settings.build_files) == []
    assert len(relations(build.files)) > 150


def smallest(place: Path) -> Path:
    """A company of one deal, a handful of calls and a payment."""
    return write_zone(place / "raw", loaded(COMPANY, at(9, 20)))


def test_a_hostile_zone_is_equal_by_spark_connect(connect: OnSpark, tmp_path: Path) -> None:
    raw = generate(tmp_path / "raw", 407, "hostile")
    settings = connect(spark_prefix="hostile_")
    with refreshing(settings, raw) as done:
        build = by_duckdb(raw, tmp_path / "duckdb")
    assert done.result()[0] == 0, done.result()[1]
    compare(settings, build)


@pytest.mark.nightly
def test_a_mild_zone_is_equal_over_thrift_where_large_tables_are_the_clusters(
    thrift: OnSpark, tmp_path: Path
) -> None:
    raw = generate(tmp_path / "raw", 401, "mild")
    settings = thrift(spark_prefix="mild_", local_facts_rows=LARGE)
    refreshed(settings, raw)
    assert "telephony.calls" in tables_on_cluster(settings)
    build = by_duckdb(raw, tmp_path / "duckdb")
    compare(settings, build)
    # What the cluster says of raw rows is what this machine says.
    here = Settings(data_dir=tmp_path / "here")
    refreshed(here, raw)
    assert checks_of(settings) == checks_of(here)


def checks_of(settings: Settings) -> dict[tuple[str, str], tuple[str, int | None]]:
    """Great Expectations' checks of what was published: status and failing rows."""
    with duckdb.connect(str(settings.published_file), read_only=True) as connection:
        rows = connection.execute(
            "select asset, check_name, status, failing_rows from quality.checks where kind = 'gx'"
        ).fetchall()
    assert len(rows) > 40
    return {(asset, name): (status, failing) for asset, name, status, failing in rows}


@pytest.mark.nightly
def test_the_demo_is_equal_over_thrift(thrift: OnSpark, tmp_path: Path) -> None:
    settings = thrift(spark_prefix="demo_")
    refreshed(settings, ROOT / DEMO_DIR)
    compare(settings, by_duckdb(ROOT / DEMO_DIR, tmp_path / "duckdb"))


@pytest.mark.nightly
def test_the_smallest_zone_is_equal_in_a_session(tmp_path: Path) -> None:
    raw = smallest(tmp_path)
    settings = Settings(engine="spark", spark="session", data_dir=tmp_path / "spark")
    refreshed(settings, raw)
    compare(settings, by_duckdb(raw, tmp_path / "duckdb"))


@pytest.mark.nightly
def test_batches_equal_a_build_from_all_files_and_a_rerun_changes_nothing(
    thrift: OnSpark, tmp_path: Path
) -> None:
    generate(tmp_path / "all", 31, "hostile")
    settings, raw = thrift(spark_prefix="batches_"), tmp_path / "raw"
    for batch in range(3):
        split(tmp_path / "all", raw, batch, 3, 31)
        refreshed(settings, raw)
    build = by_duckdb(raw, tmp_path / "duckdb")
    compare(settings, build)
    published = settings.published_file.read_bytes()
    refreshed(settings, raw)
    compare(settings, build)
    assert settings.published_file.read_bytes() == published


@pytest.mark.nightly
def test_a_worker_killed_in_the_middle_changes_nothing(
    cluster: Cluster, thrift: OnSpark, tmp_path: Path
) -> None:
    settings, raw = thrift(spark_prefix="killed_"), smallest(tmp_path)
    with refreshing(settings, raw) as done:
        wait_until(lambda: _has_begun(cluster, settings, done), "the models", 600)
        cluster.workers.pop(0).kill()
    assert done.result()[0] == 0, done.result()[1]
    cluster.add_worker()
    compare(settings, by_duckdb(raw, tmp_path / "duckdb"))


@pytest.mark.nightly
def test_executors_out_of_memory_in_the_middle_change_nothing(
    cluster: Cluster, thrift: OnSpark, tmp_path: Path
) -> None:
    settings, raw = thrift(spark_prefix="memory_"), smallest(tmp_path)
    with refreshing(settings, raw) as done:
        wait_until(lambda: _has_begun(cluster, settings, done), "the models", 600)
        # Somebody else on the same cluster.
        with connected(settings) as neighbour, pytest.raises(Exception, match=OUT_OF_MEMORY):
            neighbour.rows(HOG)
        assert not done.done()
    assert done.result()[0] == 0, done.result()[1]
    compare(settings, by_duckdb(raw, tmp_path / "duckdb"))


@pytest.mark.nightly
def test_a_server_that_dies_in_the_middle_publishes_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    raw = smallest(tmp_path)
    # What is there outlives the server.
    place = f"jdbc:derby:;databaseName={tmp_path / 'metastore'};create=true"
    metastore = {"spark.hadoop.javax.jdo.option.ConnectionURL": place}

    def settings_of(url: str) -> Settings:
        return Settings(
            engine="spark",
            spark=url,
            spark_prefix="died_",
            data_dir=tmp_path / "spark",
            threads=1,
        )

    with cluster.thrift_server(**metastore) as server:
        settings = settings_of(server.url)
        refreshed(settings, raw)
        before = settings.published_file.read_bytes()
        generate(raw, 402, "mild")
        marks = _tables(cluster, settings)
        with refreshing(settings, raw) as done:
            wait_until(lambda: _tables(cluster, settings) != marks or done.done(), "a table", 600)
            server.process.kill()
        code, said = done.result()
        assert code == 1, said
        assert "Traceback" not in said
        assert settings.published_file.read_bytes() == before
    with cluster.thrift_server(**metastore) as server:
        settings = settings_of(server.url)
        refreshed(settings, raw)
    compare(settings, by_duckdb(raw, tmp_path / "duckdb"))


@contextmanager
def refreshing(settings: Settings, raw: Path) -> Iterator[Future[tuple[int, str]]]:
    """A refresh beside the block, which ends when both have."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(_refresh, settings, raw)


def _has_begun(cluster: Cluster, settings: Settings, done: Future[tuple[int, str]]) -> bool:
    """Whether some models are there and most are not. A refresh that has ended, ends the test."""
    assert not done.done(), done.result()[1]
    return len(_tables(cluster, settings, "intermediate")) >= 3


def _tables(cluster: Cluster, settings: Settings, schema: str = "*") -> dict[str, float]:
    """Folders of tables in the warehouse, and when they were written."""
    found = cluster.warehouse.glob(f"{settings.spark_prefix}{schema}.db/*")
    return {str(it): it.stat().st_mtime for it in found if it.exists()}
