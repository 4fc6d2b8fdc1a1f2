"""The refresh's third step: the metrics layer's tables, and the marts' agreement with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.base import progress
from orchestration.base.errors import ChecksFailed
from orchestration.base.record import FAIL, PASS, CheckOutcome, ModelOutcome, step
from orchestration.base.settings import Settings
from orchestration.metrics.catalogue import SCHEMA
from orchestration.metrics.exports import Export
from orchestration.metrics.layer import MetricsLayer
from orchestration.metrics.parity import Agreement

STEP = "metrics"
CHECK = "agrees_with_the_metrics_layer"


@dataclass(frozen=True)
class Measured:
    """The saved queries' tables with their rows, and how each mart compares with the layer."""

    tables: list[tuple[Export, int]]
    agreements: list[Agreement]


def measure(settings: Settings, layer: MetricsLayer) -> Measured:
    """Write the saved queries' tables and compare the marts; neither twice for the same build.

    Raises ChecksFailed where a mart and the layer disagree.
    """
    progress.tell(STEP, total=len(layer.exports) + len(layer.compared))
    with step(settings.record_file, STEP) as record:
        cached = layer.cached_tables()
        agreed = layer.cached_agreements()
        tables, agreements = [], []

        def made(status: str, found: Iterable[tuple[Export, int]]) -> None:
            for export, rows in found:
                tables.append((export, rows))
                progress.tell(STEP, export.name, "ok")
                record.merge_models([ModelOutcome(SCHEMA, export.name, status, rows, 0.0)])

        def compared(found: Iterable[Agreement]) -> None:
            for agreement in found:
                agreements.append(agreement)
                outcome = _outcome(agreement)
                record.merge_checks([outcome])
                progress.tell(STEP, f"{agreement.mart.name} agrees", outcome.status)

        if cached is not None and agreed is not None:
            made("unchanged", cached)
            compared(agreed)
        else:
            with layer.asking() as asking:
                made("ok", asking.tables())
                compared(asking.agreements())
        differing = [agreement for agreement in agreements if agreement.differing]
        if differing:
            raise ChecksFailed(
                f"Marts and metrics layer disagree on {len(differing)} marts. Nothing was "
                "published.",
                "One of the two counts wrong: compare the mart's SQL with the metric in "
                "dbt_project/models/semantic, then refresh again.",
                [str(example) for agreement in differing for example in agreement.examples],
            )
        if cached is None:
            layer.cache_results(tables, agreements)
    return Measured(tables, agreements)


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
