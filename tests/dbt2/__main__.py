"""`make dbt2-check`: dbt 2 builds the demo, and every table equals the locked dbt's.

Twice: from all raw files at once, and in two batches, as a refresh with news does. The environment
that it is run in names dbt 2 (VORONKA_DBT) and DuckDB's driver (ADBC_DRIVER_PATH).
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import duckdb

from orchestration.base.settings import DEMO_DIR, Settings, load_settings
from orchestration.base.sql import attach
from orchestration.models.run import AFTER_OUTLOOK, BEFORE_OUTLOOK, BUILD, run_dbt
from orchestration.outlook.step import learn
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import files_read, register
from tests.builds import differing_tables
from tests.conftest import ROOT
from tests.reference.zones import split

BATCHES = 2


def build(settings: Settings, title: str) -> None:
    """Build and test what is new in the settings' raw zone. Exits where dbt does not succeed."""
    zone = scan(settings.raw_zone, load_contract(ROOT))
    register(zone, settings.raw_zone_file, files_read(settings.build_file))
    start = time.monotonic()
    nodes = 0
    for selection in (BEFORE_OUTLOOK, AFTER_OUTLOOK):
        if selection is AFTER_OUTLOOK:
            learn(settings)
        done = run_dbt(settings, [*BUILD, *selection], lambda name, status: None)
        if not done.is_success:
            bad = [it for it in done.results if it.status in ("error", "fail", "runtime error")]
            for item in bad:
                print(f"{item.unique_id}: {item.status}: {item.message}")
            sys.exit(f"{title}: dbt did not build the demo. {done.error}")
        nodes += len(done.results)
    print(f"{title}: {nodes} nodes in {time.monotonic() - start:.1f} s")


def compare(one: Settings, other: Settings, title: str) -> None:
    """Exit where two builds do not hold the same."""
    differing = differing_tables(one.build_files, other.build_files)
    for table, rows in differing.items():
        print(f"{table}: {rows} rows differ")
    if differing:
        sys.exit(f"{title}: {len(differing)} tables differ.")
    with duckdb.connect() as connection:
        attach(connection, *one.build_files)
        found = connection.execute(
            "select count(*) from duckdb_tables() where schema_name != 'state'"
        ).fetchone()
    print(f"{title}: all {found[0] if found else 0} tables are equal")


def followed(settings: Settings) -> int:
    """How many tables added or replaced rows in the last build."""
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        found = connection.execute(
            "select count(*) from duckdb_tables() "
            "where starts_with(table_name, 'changes_of__int_calls')"
        ).fetchone()
    return int(found[0]) if found else 0


def main() -> None:
    """Build with both and compare."""
    given = load_settings()
    if given.dbt is None:
        sys.exit("Name dbt 2 in VORONKA_DBT, or run `make dbt2-check`.")
    home = given.data / "dbt2" / "check"
    shutil.rmtree(home, ignore_errors=True)
    demo, raw = ROOT / DEMO_DIR, home / "raw"

    def settings(name: str, zone: Path, dbt: str | None) -> Settings:
        return Settings(data_dir=home / name, raw_dir=str(zone), dbt=dbt)

    locked = settings("locked", raw, None)
    whole = settings("dbt2", raw, given.dbt)
    batches = settings("dbt2_in_batches", raw, given.dbt)
    for batch in range(BATCHES):
        split(demo, raw, batch, BATCHES, seed=1)
        build(batches, f"dbt 2, batch {batch + 1} of {BATCHES}")
    build(whole, "dbt 2, all at once")
    build(locked, "the locked dbt")
    compare(locked, whole, "dbt 2")
    compare(locked, batches, "dbt 2 in batches")
    if not followed(batches):
        sys.exit("dbt 2 rebuilt every table in the second batch.")


if __name__ == "__main__":
    main()
