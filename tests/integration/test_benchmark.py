"""What is written by hand for the benchmark says what the product says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmark.limit import SCAN, SCRIPT, differing_rows, run_script
from tests.benchmark.refreshes import Warehouse
from tests.benchmark.zone.generator import Company
from tests.builds import Build
from tests.conftest import Parsed, query


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company of 6,000 calls, and its next day."""
    found = tmp_path_factory.mktemp("benchmark") / "raw"
    company = Company(6000)
    company.write_history(found)
    company.write_day(found, 1)
    company.close()
    return found


@pytest.fixture(scope="module")
def by_hand(raw: Path) -> Path:
    file = raw.with_name("limit.duckdb")
    run_script(raw, SCRIPT, file, threads=2)
    calls, revenue, evaluated, paid = query(
        file,
        "select sum(calls), sum(revenue), sum(evaluated_calls), sum(set_meetings_paid) "
        "from kpi_daily",
    )[0]
    assert min(calls, revenue, evaluated, paid) > 0
    return file


def test_kpi_daily_by_hand_has_the_rows_of_the_models(
    raw: Path, by_hand: Path, tmp_path: Path
) -> None:
    build = Build(tmp_path / "data", raw)
    build.refresh(only="+kpi_daily")
    _, marts = build.files
    assert differing_rows(marts, by_hand) == 0
    run_script(raw, SCAN, tmp_path / "scan.duckdb", threads=2)


@pytest.mark.nightly
def test_kpi_daily_by_hand_has_the_rows_of_the_product(
    raw: Path, by_hand: Path, tmp_path: Path, parsed: Parsed
) -> None:
    warehouse = Warehouse(parsed(tmp_path / "data"), raw, threads=2)
    figures = warehouse.refresh()
    assert figures["raw_rows"] > 6000
    assert figures["layers"]["staging"] > 0
    assert differing_rows(warehouse.published_file, by_hand) == 0
