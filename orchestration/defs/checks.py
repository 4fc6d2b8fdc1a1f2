"""Great Expectations' suites, and the checks that may be accepted, as asset checks."""

from collections.abc import Iterator, Sequence

import dagster as dg

from orchestration.base.errors import ChecksFailed
from orchestration.base.record import ERROR, PASS, CheckOutcome, Record
from orchestration.base.settings import Settings
from orchestration.defs.failures import plain_failures
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.expectations.acceptance import ACCEPTANCES, Acceptance
from orchestration.expectations.acceptance import KIND as ACCEPTED
from orchestration.expectations.step import check
from orchestration.expectations.suites import KIND as GX
from orchestration.expectations.suites import MARTS, Expectation, ExpectationResult, Suite
from orchestration.raw_zone.contract import Contract


def build_expectations(
    settings: Settings, contract: Contract, suites: list[Suite], after: Sequence[dg.AssetKey]
) -> dg.AssetChecksDefinition:
    """The step that runs the suites and judges what may be accepted, after the assets `after`."""
    specs = [
        _spec(suite, expectation, after if suite.layer == MARTS else ())
        for suite in suites
        for expectation in suite.expectations
    ]
    specs += [_acceptance_spec(about, after) for about in ACCEPTANCES]

    @dg.multi_asset_check(specs=specs, name="expectations", required_resource_keys={REFRESH_LOCK})
    def expectations() -> Iterator[dg.AssetCheckResult]:
        with plain_failures():
            try:
                results, judged = check(settings, contract, suites)
            except ChecksFailed:
                # What stopped the publication shows at its table, before the run fails with it.
                for outcome in Record.load(settings.record_file).checks:
                    if outcome.kind in (GX, ACCEPTED):
                        yield _outcome_result(outcome)
                raise
        for result in results:
            yield _check_result(result)
        for outcome in judged:
            yield _outcome_result(outcome)

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


def _acceptance_spec(about: Acceptance, after: Sequence[dg.AssetKey]) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=about.check,
        asset=dg.AssetKey(about.asset.split(".")),
        description=about.description,
        blocking=True,
        additional_deps=after,
    )


def _outcome_result(outcome: CheckOutcome) -> dg.AssetCheckResult:
    is_severe = outcome.stops_publication or outcome.status == ERROR
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(outcome.asset.split(".")),
        check_name=outcome.name,
        passed=outcome.status == PASS,
        severity=dg.AssetCheckSeverity.ERROR if is_severe else dg.AssetCheckSeverity.WARN,
        metadata={
            "status": outcome.status,
            "message": outcome.message,
            "failing_rows": outcome.failing_rows or 0,
        },
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
