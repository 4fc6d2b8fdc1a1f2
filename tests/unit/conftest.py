"""What the unit tests share: the SQL of a few models, compiled once a session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import register

PROJECT = Path(__file__).resolve().parents[2]
# The columns of the one table whose file has types of its own; all other values come as text.
TYPED = {
    "finance.sales_costs": {
        "month": "date",
        "team": "varchar",
        "cost": "bigint",
        "currency": "varchar",
        "updated_at": "timestamp",
        "is_deleted": "boolean",
        "_loaded_at": "timestamp with time zone",
    }
}
# Not the default, and a zone that changes its clocks.
SOURCE_TIMEZONE = "Europe/Berlin"


@pytest.fixture(scope="session")
def compiled_sql(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The SQL of every staging model and of int_phones__owner_spans, by name.

    As dbt compiles it for a raw zone of texts (but TYPED) whose times without offset are in
    SOURCE_TIMEZONE.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    target = shared / "compiled_sql" / "target"
    with FileLock(shared / "compiled_sql.lock"):
        if not (target / "compiled").exists():
            _compile(shared / "compiled_sql", target)
    models = (target / "compiled").rglob("*.sql")
    return {path.stem: path.read_text(encoding="utf-8") for path in models}


@pytest.fixture(scope="session")
def typed_columns() -> Mapping[str, Mapping[str, str]]:
    """Tables whose columns have types in the raw zone that the SQL was compiled for."""
    return TYPED


def _compile(data_dir: Path, target: Path) -> None:
    raw = data_dir / "raw"
    for table, columns in TYPED.items():
        file = raw / table.replace(".", "/") / "typed.parquet"
        file.parent.mkdir(parents=True)
        values = ", ".join(f'null::{kind} as "{name}"' for name, kind in columns.items())
        duckdb.sql(f"copy (select {values}) to '{file}' (format parquet)")
    register(scan(raw, load_contract(PROJECT)), data_dir / "build" / "raw_zone.duckdb")
    compilation = subprocess.run(
        [
            sys.executable,
            *("-m", "dbt.cli.main", "--quiet", "--no-use-colors", "compile"),
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
            *("--target-path", str(target), "--log-path", str(data_dir)),
            *("--vars", f"source_timezone: {SOURCE_TIMEZONE}"),
            *("--select", "path:dbt_project/models/staging", "int_phones__owner_spans"),
        ],
        env=os.environ | {"VORONKA_DATA_DIR": str(data_dir)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if compilation.returncode:
        pytest.fail(f"dbt cannot compile the project:\n{compilation.stdout}{compilation.stderr}")
