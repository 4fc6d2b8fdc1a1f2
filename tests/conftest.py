"""Raw zones in a few lines, and the command as people run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from hypothesis import settings

from tests.forked import Commands, is_forkable

ROOT = Path(__file__).resolve().parents[1]
LOADED_AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)

# The files that take longest, so that no process is left alone with one of them. The first builds
# the demo, which the second does not wait for.
LONG = (
    "test_metrics_layer.py",
    "test_incremental.py",
    "test_refresh.py",
    "test_reference.py",
    "test_every_kind.py",
    "test_odd_zones.py",
    "test_acceptance.py",
)

Rows = Sequence[Mapping[str, Any]]
Zone = Mapping[str, Rows]


# `make test-all` tries five times as many examples.
settings.register_profile("nightly", max_examples=5 * settings.default.max_examples)


def examples(by_day: int) -> int:
    """How many examples a property is tried on: so many, and five times as many each night."""
    return by_day * settings.default.max_examples // settings.get_profile("default").max_examples


def write_file(path: Path, rows: Rows, schema: pa.Schema | None = None) -> Path:
    """A Parquet file of these rows; `_loaded_at` is added where a row does not say it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if schema is None:
        rows = [{"_loaded_at": LOADED_AT, **row} for row in rows]
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
    return path


def write_zone(raw_dir: Path, tables: Zone, file: str = "2026-03-01") -> Path:
    """A raw zone with one file for each table, by names as crm.leads."""
    raw_dir.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        write_file(raw_dir / Path(*table.split(".")) / f"{file}.parquet", rows)
    return raw_dir


def query(file: Path, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query on a DuckDB file."""
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def voronka(*arguments: str | Path, env: Mapping[str, str], **options: Any) -> Any:
    """Run the command in a process of its own; its output as text.

    With `options`, which are those of `subprocess.run`, it is a program of its own, too.
    """
    if not options and is_forkable(env):
        return _COMMANDS.run(
            [str(it) for it in arguments], {**clean_environment(), **env}, Path.cwd(), 900
        )
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *map(str, arguments)],
        env={**clean_environment(), **env},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        **options,
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files."""
    items.sort(key=lambda it: LONG.index(it.path.name) if it.path.name in LONG else len(LONG))


_COMMANDS = Commands(ROOT)


@pytest.fixture(scope="session", autouse=True)
def _commands_end() -> Iterator[None]:
    yield
    _COMMANDS.close()


def clean_environment() -> dict[str, str]:
    """The environment without this machine's settings of the project."""
    return {
        **{name: text for name, text in os.environ.items() if not name.startswith("VORONKA_")},
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "120",
    }


@pytest.fixture
def zone(tmp_path: Path) -> Callable[..., Path]:
    """Writes a raw zone into the test's own directory."""

    def write(tables: Zone, name: str = "raw") -> Path:
        return write_zone(tmp_path / name, tables)

    return write


def shared_directory(factory: pytest.TempPathFactory) -> Path:
    """A directory of this session that all workers have in common."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


class Parsed:
    """A place for data directories in which the project is parsed already.

    dbt parses a project again where its database has another path: so all data directories of a
    worker are reached, one after the other, through one link.
    """

    def __init__(self, place: Path, shared: Path) -> None:
        self._link = place / "data"
        self._template = place / "template"
        self._shared = shared

    def __call__(self, data: Path) -> Path:
        """The link, which leads to this data directory until the next call."""
        if not data.exists():
            if not self._template.exists():
                self._parse()
            shutil.copytree(self._template, data)
            # What MetricFlow compiled does not depend on where the data lie.
            for file in ("metrics_sql.json", "running_sql.json"):
                with suppress(FileNotFoundError):
                    shutil.copy(self._shared / "demo/build" / file, data / "build" / file)
        self._lead_to(data)
        return self._link

    def _parse(self) -> None:
        from orchestration.base.settings import Settings
        from orchestration.models.dbt import load_manifest

        made = self._template.with_name("parsed")
        made.mkdir(parents=True)
        self._lead_to(made)
        load_manifest(Settings(data_dir=self._link))
        made.rename(self._template)

    def _lead_to(self, data: Path) -> None:
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(data, target_is_directory=True)


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    """Where refreshes of this worker find the project parsed."""
    return Parsed(tmp_path_factory.mktemp("parsed"), shared_directory(tmp_path_factory))


@pytest.fixture(scope="session")
def demo_publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DuckDB file published from the committed demo, made once for all workers."""
    shared = shared_directory(tmp_path_factory)
    data = shared / "demo"
    with FileLock(shared / "demo.lock"):
        if not (data / "published").exists():
            done = voronka("refresh", env={"VORONKA_DATA_DIR": str(data)})
            assert done.returncode == 0, done.stdout + done.stderr
    return data / "published/voronka.duckdb"
