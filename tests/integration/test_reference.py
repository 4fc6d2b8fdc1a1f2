"""Random hostile zones: what is published equals what the reference computes, to the last value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.metrics.parity import compared_marts
from orchestration.metrics.query import published_metrics
from tests.builds import compare_file
from tests.conftest import query, voronka
from tests.reference.compare import CALENDAR, differences
from tests.reference.variables import read_calendar, variables_from_text
from tests.reference.zones import generate, split

OTHER_VARIABLES = [
    "source_timezone=Europe/Berlin",
    "reporting_timezone=America/New_York",
    "base_currency=EUR",
    "as_of=2026-02-10",
    "lead_match_tolerance_seconds=60",
    "meaningful_call_seconds=30",
    "recovery_window_hours=6",
    "churn_days=30",
    "diagnostic_drop=0.9",
    "working_weekdays=[1, 2, 3, 6]",
    "working_from=10:00",
    "working_to=16:30",
]


@pytest.mark.parametrize(
    ("kind", "seed", "assignments", "batches"),
    [
        ("mild", 101, [], 1),
        ("hostile", 102, OTHER_VARIABLES, 1),
        ("extreme", 302, [], 1),
        ("filthy", 103, [], 1),
        ("hostile", 104, [], 3),
        ("sparse", 105, [], 2),
    ],
)
def test_published_marts_equal_the_reference(
    tmp_path: Path, kind: str, seed: int, assignments: list[str], batches: int
) -> None:
    variables = variables_from_text(assignments)
    generate(tmp_path / "all", seed, kind, variables.source_timezone)
    given = [part for assignment in assignments for part in ("--var", assignment)]
    # Hardly a row of a filthy zone is valid, and a refresh would rather stop.
    accepted = ["--accept-quarantine"] if kind == "filthy" else []
    raw = tmp_path / "raw"
    for batch in range(batches):
        split(tmp_path / "all", raw, batch, batches, seed)
        done = voronka(
            *("refresh", "--raw-dir", raw, *given, *accepted),
            env={"VORONKA_DATA_DIR": str(tmp_path / "data")},
        )
        assert done.returncode == 0, done.stdout + done.stderr

    published = tmp_path / "data/published/voronka.duckdb"
    assert differences(published, raw, variables, read_calendar(CALENDAR)) == []
    if kind not in ("filthy", "sparse"):
        assert query(published, "select count(*) from marts.kpi_daily")[0][0] > 100
    if assignments:
        assert layer_differences(tmp_path / "data") == []


def layer_differences(data: Path) -> list[str]:
    """What the metrics layer says otherwise than the marts, at every grain that these have."""
    manifest = json.loads((data / "build/target/manifest.json").read_bytes())
    published = data / "published/voronka.duckdb"
    with published_metrics(published) as metrics:
        marts, catalogue = compared_marts(manifest), metrics.catalogue
        found = compare_file(published, metrics.compiler, catalogue, marts, all_grains=True)
    assert marts
    assert [agreement.mart for agreement in found] == marts
    return [str(example) for agreement in found for example in agreement.examples]
