"""The metrics layer as assets: its tables, and the marts' agreement with it as their checks."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.base import progress
from orchestration.base.errors import ChecksFailed
from orchestration.base.record import FAIL, PASS, CheckOutcome, ModelOutcome, step
from orchestration.base.settings import Settings
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.metrics.catalogue import SCHEMA
from orchestration.metrics.layer import MetricsLayer
from orchestration.metrics.parity import Agreement, ComparedMart
from orchestration.warm import WarmTools

STEP = "metrics"
CHECK = "agrees_with_the_metrics_layer"


def build_metrics(settings: Settings, layer: MetricsLayer, tools: WarmTools) -> dg.AssetsDefinition:
    """The step that makes the saved queries' tables and compares the marts with the layer.

    The marts are compared while the tables are made; neither is done again for the same build.
    """
    tools.offer(CHECK, lambda: _agreements(layer))
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
        progress.tell(STEP, total=len(specs) + len(checks))
        with step(settings.record_file, STEP) as record:
            kept = layer.kept_tables()
            tables = []
            for export, rows in layer.write_tables() if kept is None else kept:
                tables.append((export, rows))
                progress.tell(STEP, export.name, "ok")
                status = "ok" if kept is None else "kept"
                record.merge_models([ModelOutcome(SCHEMA, export.name, status, rows, 0.0)])
                yield dg.MaterializeResult(
                    asset_key=dg.AssetKey([SCHEMA, export.name]),
                    metadata={"dagster/row_count": rows},
                )
            agreements: list[Agreement] = tools.result(CHECK)
            for agreement in agreements:
                outcome = _outcome(agreement)
                record.merge_checks([outcome])
                progress.tell(STEP, f"{agreement.mart.name} agrees", outcome.status)
                yield _check_result(agreement)
            differing = [agreement for agreement in agreements if agreement.differing]
            if differing:
                raise ChecksFailed(
                    f"Marts and metrics layer disagree on {len(differing)} marts. Nothing was "
                    "published.",
                    "One of the two counts wrong: compare the mart's SQL with the metric in "
                    "dbt_project/models/semantic, then refresh again.",
                    [str(example) for agreement in differing for example in agreement.examples],
                )
            if kept is None:
                layer.remember(tables, agreements)

    return metrics


def _agreements(layer: MetricsLayer) -> list[Agreement]:
    kept = layer.kept_agreements()
    return list(layer.agreements()) if kept is None else kept


def _outcome(agreement: Agreement) -> CheckOutcome:
    return CheckOutcome(
        name=CHECK,
        kind="metricflow",
        asset=agreement.mart.full_name,
        severity="error",
        status=FAIL if agreement.differing else PASS,
        failing_rows=agreement.differing,
        message="; ".join(str(example) for example in agreement.examples),
    )


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
