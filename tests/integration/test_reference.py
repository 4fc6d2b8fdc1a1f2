"""Random hostile zones: what is built equals what the reference computes, to the last value.

The models alone are built, but for one zone: a whole refresh publishes what they hold, and each
night it does so with every zone.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.metrics.parity import compared_marts
from orchestration.metrics.query import published_metrics
from tests.builds import Build, compare_file
from tests.conftest import Parsed, query, voronka
from tests.reference.compare import CALENDAR, differences, disagreements
from tests.reference.compare_outlook import outlook_differences
from tests.reference.facts import build_facts
from tests.reference.identity import World
from tests.reference.marts import build as build_reference
from tests.reference.planted import write_planted
from tests.reference.reading import read_zone
from tests.reference.variables import Variables, read_calendar, variables_from_text
from tests.reference.zones import generate, split

OUTLOOK = "+path:dbt_project/models/outlook"
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


# Kind of zone, its seed, in how many batches it comes. By day one is built and another published,
# and test_incremental.py compares batches with one build.
BY_DAY = ("extreme", 302, 1)
ZONES = [("mild", 101, 1), ("filthy", 103, 1), ("sparse", 105, 2), ("hostile", 104, 3)]


@pytest.mark.parametrize(
    ("kind", "seed", "batches"),
    [BY_DAY, *(pytest.param(*it, marks=pytest.mark.nightly) for it in ZONES)],
)
def test_built_marts_equal_the_reference(
    tmp_path: Path, kind: str, seed: int, batches: int
) -> None:
    generate(tmp_path / "all", seed, kind, Variables().source_timezone)
    build = Build(tmp_path / "data", tmp_path / "raw")
    for batch in range(batches):
        split(tmp_path / "all", tmp_path / "raw", batch, batches, seed)
        build.refresh()
    _, marts = build.files
    found = differences(marts, tmp_path / "raw", Variables(), read_calendar(CALENDAR))
    assert found == []
    assert has_many_days(marts, kind)


@pytest.mark.parametrize(
    ("kind", "seed", "assignments", "batches"),
    [
        ("hostile", 102, OTHER_VARIABLES, 1),
        *(pytest.param(*it[:2], [], it[2], marks=pytest.mark.nightly) for it in (BY_DAY, *ZONES)),
    ],
)
def test_published_marts_equal_the_reference(
    tmp_path: Path, parsed: Parsed, kind: str, seed: int, assignments: list[str], batches: int
) -> None:
    publish_and_compare(tmp_path, parsed, kind, seed, assignments, batches)


# By day every refresh compares at one grain, and test_metrics_layer.py the demo at every grain.
@pytest.mark.nightly
def test_the_layer_agrees_with_a_hostile_zone_at_every_grain(
    tmp_path: Path, parsed: Parsed
) -> None:
    publish_and_compare(tmp_path, parsed, "hostile", 102, OTHER_VARIABLES, 1)
    assert layer_differences(tmp_path / "data") == []


def publish_and_compare(
    tmp_path: Path, parsed: Parsed, kind: str, seed: int, assignments: list[str], batches: int
) -> None:
    """Publish a random zone and hold what is published against the reference."""
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
            env={"VORONKA_DATA_DIR": str(parsed(tmp_path / "data"))},
        )
        assert done.returncode == 0, done.stdout + done.stderr

    published = tmp_path / "data/published/voronka.duckdb"
    reference = build_reference(raw, variables, read_calendar(CALENDAR))
    assert disagreements(published, reference) == []
    assert outlook_differences(published, reference.world, reference.facts) == []
    assert has_many_days(published, kind)


@pytest.mark.parametrize(
    ("kind", "seed", "as_of", "methods"),
    [
        ("hostile", 202, "2027-01-20", {"stage_rate", "company_rate"}),
        *(
            pytest.param(*it, marks=pytest.mark.nightly)
            for it in (
                ("mild", 201, None, {"stage_rate", "company_rate"}),
                ("mild", 203, "2026-10-10", {"stage_rate"}),
                ("extreme", 206, None, {"stage_rate", "company_rate"}),
                ("filthy", 209, None, {"none"}),
                ("sparse", 208, None, set()),
            )
        ),
    ],
)
def test_the_outlook_equals_the_reference(
    tmp_path: Path, kind: str, seed: int, as_of: str | None, methods: set[str]
) -> None:
    raw = generate(tmp_path / "raw", seed, kind, Variables().source_timezone, size=10)
    marts = compare_outlook(tmp_path / "data", raw, as_of)
    assert told(marts, "method") == methods


@pytest.mark.parametrize(
    ("deals", "method"),
    [(260, "stage_rate"), pytest.param(420, "model", marks=pytest.mark.nightly)],
)
def test_the_outlook_of_a_company_with_evidence_equals_the_reference(
    tmp_path: Path, deals: int, method: str
) -> None:
    raw = write_planted(tmp_path / "raw", 1, deals)
    marts = compare_outlook(tmp_path / "data", raw)
    assert told(marts, "method") == {method}
    # Who is written to again wins more often; a meeting set changes nothing.
    assert told(marts, "next_step", "next_step_lift > 0.4") == {"revive"}


def compare_outlook(data: Path, raw: Path, as_of: str | None = None) -> Path:
    """Build a zone, learn, and hold the outlook against the reference; the file of the marts."""
    build = Build(data, raw)
    build.refresh(only=OUTLOOK, learns=True, **({"as_of": as_of} if as_of else {}))
    variables = variables_from_text([f"as_of={as_of or ''}"])
    world = World(read_zone(raw, variables), variables, read_calendar(CALENDAR))
    private, marts = build.files
    assert outlook_differences(marts, world, build_facts(world), private) == []
    return marts


def told(marts: Path, column: str, where: str = "true") -> set[str]:
    """The values of a column of deal_outlook."""
    found = query(marts, f"select distinct {column} from marts.deal_outlook where {where}")
    return {value for (value,) in found}


def has_many_days(file: Path, kind: str) -> bool:
    """Whether there was something to compare; these two kinds have next to nothing."""
    ((days,),) = query(file, "select count(*) from marts.kpi_daily")
    return days > 100 or kind in ("filthy", "sparse")


def layer_differences(data: Path) -> list[str]:
    """What the metrics layer says otherwise than the marts, at every grain that these have."""
    manifest = json.loads((data / "build/target/manifest.json").read_bytes())
    published = data / "published/voronka.duckdb"
    with published_metrics(published) as metrics:
        marts, catalogue, compiler = compared_marts(manifest), metrics.catalogue, metrics.compiler
    found = compare_file(published, compiler, catalogue, marts, all_grains=True)
    assert marts
    assert [agreement.mart for agreement in found] == marts
    return [str(example) for agreement in found for example in agreement.examples]
