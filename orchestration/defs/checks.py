"""Great Expectations' suites as asset checks of the raw tables and of the marts."""

from collections.abc import Iterator, Sequence

import dagster as dg

from orchestration.base.record import ERROR, PASS
from orchestration.base.settings import Settings
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.expectations.step import check
from orchestration.expectations.suites import MARTS, Expectation, ExpectationResult, Suite


def build_expectations(
    settings: Settings, suites: list[Suite], after: Sequence[dg.AssetKey]
) -> dg.AssetChecksDefinition:
    """The step that runs the suites, after the assets `after`."""
    specs = [
        _spec(suite, expectation, after if suite.layer == MARTS else ())
        for suite in suites
        for expectation in suite.expectations
    ]

    @dg.multi_asset_check(specs=specs, name="expectations", required_resource_keys={REFRESH_LOCK})
    def expectations() -> Iterator[dg.AssetCheckResult]:
        for result in check(settings, suites):
            yield _check_result(result)

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
