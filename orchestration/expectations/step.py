"""The refresh's fourth step: Great Expectations' suites, and the checks that may be accepted."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.base import progress
from orchestration.base.cache import CacheEntry, build_fingerprint, zone_fingerprint
from orchestration.base.object_store import object_store_extension
from orchestration.base.record import CheckOutcome, step
from orchestration.base.settings import Settings
from orchestration.expectations.acceptance import ACCEPTANCES, judge, raise_stopping
from orchestration.expectations.suites import (
    MARTS,
    RAW,
    ExpectationResult,
    Suite,
    cached_results,
    run_suites,
    run_suites_on_spark,
)
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.spark_questions import tables_on_cluster
from orchestration.spark.connection import connected

STEP = "expectations"


def check(
    settings: Settings, contract: Contract, suites: Sequence[Suite]
) -> tuple[list[ExpectationResult], list[CheckOutcome]]:
    """Run the suites on what they have not seen, and judge what may be accepted.

    Results are in the order of the suites and of ACCEPTANCES. Raises ChecksFailed where a blocking
    expectation failed or broke, or where a person has to accept what was found and did not.
    """
    count = sum(len(suite.expectations) for suite in suites) + len(ACCEPTANCES)
    progress.tell(STEP, total=count)
    with step(settings.record_file, STEP) as record:
        results = [*_of_marts(settings, suites), *_of_raw_zone(settings, suites)]
        record.merge_checks([result.outcome() for result in results])
        for result in results:
            name = f"{result.suite.full_name}: {result.expectation.name}"
            progress.tell(STEP, name, result.status)
        judged = judge(settings, contract, record.accepted)
        record.merge_checks(judged)
        for outcome in judged:
            progress.tell(STEP, f"{outcome.asset}: {outcome.name}", outcome.status)
        raise_stopping(record.blocking)
    return results, judged


def _of_marts(settings: Settings, suites: Sequence[Suite]) -> list[ExpectationResult]:
    wanted = [suite for suite in suites if suite.layer == MARTS]
    return cached_results(
        CacheEntry(settings.mart_expectations_cache),
        build_fingerprint(settings),
        wanted,
        lambda: run_suites(settings.marts_file, wanted, session=settings.session()),
    )


def _of_raw_zone(settings: Settings, suites: Sequence[Suite]) -> list[ExpectationResult]:
    wanted = [suite for suite in suites if suite.layer == RAW]
    return cached_results(
        CacheEntry(settings.raw_expectations_cache),
        zone_fingerprint(settings),
        wanted,
        lambda: _run_on_raw_zone(settings, wanted),
    )


def _run_on_raw_zone(settings: Settings, suites: Sequence[Suite]) -> list[ExpectationResult]:
    """Small tables are read here, and large ones where a cluster builds by the cluster."""
    large = tables_on_cluster(settings)
    here = [suite for suite in suites if suite.full_name not in large]
    there = [suite for suite in suites if suite.full_name in large]
    extension = object_store_extension(settings.raw_zone)
    results = run_suites(settings.raw_zone_file, here, extension, settings.session())
    if there:
        with connected(settings) as spark:
            results += run_suites_on_spark(spark, settings.spark_prefix, there)
    return sorted(results, key=lambda it: suites.index(it.suite))
