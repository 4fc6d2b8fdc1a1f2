"""What is written by hand for the benchmark says what the product says."""

from __future__ import annotations

from tests.benchmark.limit import SCAN, SCRIPT, differing_rows, run_script
from tests.benchmark.refreshes import Warehouse
from tests.benchmark.zone.generator import Company
from tests.conftest import query


def test_kpi_daily_by_hand_has_the_rows_of_the_product(tmp_path, parsed):
    company = Company(6000)
    company.write_history(tmp_path / "raw")
    company.write_day(tmp_path / "raw", 1)
    company.close()
    warehouse = Warehouse(parsed(tmp_path / "data"), tmp_path / "raw", threads=2)
    figures = warehouse.refresh()
    assert figures["raw_rows"] > 6000
    assert figures["layers"]["staging"] > 0

    by_hand = tmp_path / "limit.duckdb"
    run_script(warehouse.raw_dir, SCRIPT, by_hand, threads=2)
    calls, revenue, evaluated, paid = query(
        by_hand,
        "select sum(calls), sum(revenue), sum(evaluated_calls), sum(set_meetings_paid) "
        "from kpi_daily",
    )[0]
    assert min(calls, revenue, evaluated, paid) > 0
    assert differing_rows(warehouse.published_file, by_hand) == 0

    run_script(warehouse.raw_dir, SCAN, tmp_path / "scan.duckdb", threads=2)
