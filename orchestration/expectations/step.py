"""The refresh's fourth step: Great Expectations' suites on the raw zone and on the marts."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.base import progress
from orchestration.base.cache import Memory, build_version, zone_version
from orchestration.base.errors import ChecksFailed
from orchestration.base.object_store import object_store_extension
from orchestration.base.record import step
from orchestration.base.settings import Settings
from orchestration.expectations.suites import (
    MARTS,
    RAW,
    ExpectationResult,
    Suite,
    kept_results,
    run_suites,
)

STEP = "expectations"


def check(settings: Settings, suites: Sequence[Suite]) -> list[ExpectationResult]:
    """Run the suites on what they have not seen; results in the order of the suites.

    Raises ChecksFailed where a blocking expectation failed or broke.
    """
    progress.tell(STEP, total=sum(len(suite.expectations) for suite in suites))
    with step(settings.record_file, STEP) as record:
        results = [*_of_marts(settings, suites), *_of_raw_zone(settings, suites)]
        record.merge_checks([result.outcome() for result in results])
        for result in results:
            name = f"{result.suite.full_name}: {result.expectation.name}"
            progress.tell(STEP, name, result.status)
        stopping = [check for check in record.blocking if check.kind == "gx"]
        if stopping:
            raise ChecksFailed(
                f"{len(stopping)} blocking expectations failed. Nothing was published.",
                "`voronka status` lists them; correct the data or the models, then refresh again.",
                [f"{c.asset}: {c.name}: {c.message}" for c in stopping],
            )
    return results


def _of_marts(settings: Settings, suites: Sequence[Suite]) -> list[ExpectationResult]:
    wanted = [suite for suite in suites if suite.layer == MARTS]
    return kept_results(
        Memory(settings.mart_expectations_memory),
        build_version(settings),
        wanted,
        lambda: run_suites(settings.build_file, wanted, session=settings.session()),
    )


def _of_raw_zone(settings: Settings, suites: Sequence[Suite]) -> list[ExpectationResult]:
    wanted = [suite for suite in suites if suite.layer == RAW]
    extension = object_store_extension(settings.raw_zone)
    return kept_results(
        Memory(settings.raw_expectations_memory),
        zone_version(settings),
        wanted,
        lambda: run_suites(settings.raw_zone_file, wanted, extension, settings.session()),
    )
