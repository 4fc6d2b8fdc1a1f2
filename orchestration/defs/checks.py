"""Great Expectations' suites as asset checks of the raw tables and of the marts."""

from collections.abc import Iterator, Sequence

import dagster as dg

from orchestration.base import progress
from orchestration.base.cache import Memory, build_version
from orchestration.base.errors import ChecksFailed
from orchestration.base.record import ERROR, PASS, step
from orchestration.base.settings import Settings
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.expectations.suites import (
    MARTS,
    RAW,
    Expectation,
    ExpectationResult,
    Suite,
    kept_results,
    run_suites,
)
from orchestration.warm import EXPECTATIONS, WarmTools

STEP = "expectations"


def build_expectations(
    settings: Settings, suites: list[Suite], tools: WarmTools, after: Sequence[dg.AssetKey]
) -> dg.AssetChecksDefinition:
    """The step that runs the suites, after the assets `after`.

    Those of the raw zone ran beside dbt, those of the marts beside the metrics layer; they are
    collected.
    """
    of_marts = [suite for suite in suites if suite.layer == MARTS]

    def run_mart_suites() -> list[ExpectationResult]:
        return kept_results(
            Memory(settings.mart_expectations_memory),
            build_version(settings),
            of_marts,
            lambda: run_suites(settings.build_file, of_marts, session=settings.session()),
        )

    tools.offer(MARTS, run_mart_suites, EXPECTATIONS)
    specs = [
        _spec(suite, expectation, after if suite.layer == MARTS else ())
        for suite in suites
        for expectation in suite.expectations
    ]

    @dg.multi_asset_check(specs=specs, name="expectations", required_resource_keys={REFRESH_LOCK})
    def expectations() -> Iterator[dg.AssetCheckResult]:
        progress.tell(STEP, total=len(specs))
        with step(settings.record_file, STEP) as record:
            results: list[ExpectationResult] = tools.result(MARTS)
            results += tools.raw_results([suite for suite in suites if suite.layer == RAW])
            record.merge_checks([result.outcome() for result in results])
            for result in results:
                name = f"{result.suite.full_name}: {result.expectation.name}"
                progress.tell(STEP, name, result.status)
                yield _check_result(result)
            stopping = [check for check in record.blocking if check.kind == "gx"]
            if stopping:
                raise ChecksFailed(
                    f"{len(stopping)} blocking expectations failed. Nothing was published.",
                    "`voronka status` lists them; correct the data or the models, then refresh "
                    "again.",
                    [f"{c.asset}: {c.name}: {c.message}" for c in stopping],
                )

    return expectations


def _spec(
    suite: Suite, expectation: Expectation, after: Sequence[dg.AssetKey]
) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=expectation.name,
        asset=dg.AssetKey([suite.schema, suite.table]),
        description=expectation.description,
        blocking=expectation.is_blocking,
        # The order of the record's steps; the work itself may be done already.
        additional_deps=after,
    )


def _check_result(result: ExpectationResult) -> dg.AssetCheckResult:
    metadata: dict[str, dg.MetadataValue] = {
        "status": dg.MetadataValue.text(result.status),
        "message": dg.MetadataValue.text(result.message),
    }
    if result.failing_rows is not None:
        metadata["failing_rows"] = dg.MetadataValue.int(result.failing_rows)
    if result.rows:
        metadata["examples"] = dg.MetadataValue.text("\n".join(result.rows))
    is_severe = result.expectation.is_blocking or result.status == ERROR
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey([result.suite.schema, result.suite.table]),
        check_name=result.expectation.name,
        passed=result.status == PASS,
        severity=dg.AssetCheckSeverity.ERROR if is_severe else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
