"""The metrics layer as assets: its tables, and the marts' agreement with it as their checks."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.base.settings import Settings
from orchestration.defs.failures import plain_failures
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.metrics.catalogue import SCHEMA
from orchestration.metrics.layer import MetricsLayer
from orchestration.metrics.parity import Agreement, ComparedMart
from orchestration.metrics.step import CHECK, measure


def build_metrics(settings: Settings, layer: MetricsLayer) -> dg.AssetsDefinition:
    """The step that makes the saved queries' tables and compares the marts with the layer."""
    specs = [
        dg.AssetSpec(
            key=dg.AssetKey([SCHEMA, export.name]),
            deps=[dg.AssetKey(list(source)) for source in layer.sources_of(export)]
            + [dg.AssetKey([SCHEMA, "time_spine_day"])],
            description=export.description,
            group_name=SCHEMA,
            kinds={"duckdb", "metricflow"},
        )
        for export in layer.exports
    ]
    checks = [
        dg.AssetCheckSpec(
            name=CHECK,
            asset=_key(mart),
            description=f"{layer.mart_metrics(mart)} metrics have the same values when MetricFlow "
            "computes them from the facts.",
            blocking=True,
        )
        for mart in layer.compared
    ]

    @dg.multi_asset(
        specs=specs,
        check_specs=checks,
        name="metrics",
        required_resource_keys={REFRESH_LOCK},
        allow_arbitrary_check_specs=True,
    )
    def metrics() -> Iterator[Any]:
        with plain_failures():
            done = measure(settings, layer)
        for export, rows in done.tables:
            yield dg.MaterializeResult(
                asset_key=dg.AssetKey([SCHEMA, export.name]),
                metadata={"dagster/row_count": rows},
            )
        for agreement in done.agreements:
            yield _check_result(agreement)

    return metrics


def _check_result(agreement: Agreement) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=_key(agreement.mart),
        check_name=CHECK,
        passed=not agreement.differing,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "figures": agreement.figures,
            "differing": agreement.differing,
            "examples": "\n".join(str(example) for example in agreement.examples) or "none",
        },
    )


def _key(mart: ComparedMart) -> dg.AssetKey:
    return dg.AssetKey([mart.schema, mart.name])
