"""Raw zones in a few lines, and the command as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
LOADED_AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)

Rows = Sequence[Mapping[str, Any]]
Zone = Mapping[str, Rows]


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
    """Run the command; its output as text."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *map(str, arguments)],
        env={**clean_environment(), **env},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        **options,
    )


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


@pytest.fixture(scope="session")
def demo_publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DuckDB file published from the committed demo, made once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    data = shared / "demo"
    with FileLock(shared / "demo.lock"):
        if not (data / "published").exists():
            done = voronka("refresh", env={"VORONKA_DATA_DIR": str(data)})
            assert done.returncode == 0, done.stdout + done.stderr
    return data / "published/voronka.duckdb"
