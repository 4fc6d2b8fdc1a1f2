"""All definitions for one set of settings."""

from __future__ import annotations

import dagster as dg

from orchestration.base.settings import Settings
from orchestration.defs.checks import build_expectations
from orchestration.defs.dashboard import build_dashboard
from orchestration.defs.jobs import (
    build_raw_files_sensor,
    build_refresh_job,
    build_schedules,
)
from orchestration.defs.metrics import build_metrics
from orchestration.defs.models import build_models
from orchestration.defs.postgres import build_postgres
from orchestration.defs.publication import build_publication
from orchestration.defs.raw_zone import build_raw_zone
from orchestration.defs.resources import REFRESH_LOCK, build_refresh_lock
from orchestration.expectations.suites import load_suites
from orchestration.metrics.layer import MetricsLayer
from orchestration.models.dbt import load_manifest, published_models
from orchestration.raw_zone.contract import load_contract
from orchestration.warm import WarmTools


def build_definitions(settings: Settings, tools: WarmTools | None = None) -> dg.Definitions:
    """The code location. With warm tools, their dbt process also brings the manifest."""
    own_tools = tools or WarmTools(settings)
    manifest = load_manifest(settings, tools.start_dbt() if tools else None)
    contract = load_contract(settings.root)
    suites = load_suites(settings.root / "expectations")
    layer = MetricsLayer(settings, manifest)
    metrics = build_metrics(settings, layer, own_tools)
    job = build_refresh_job()
    models = layer.published(published_models(manifest))
    return dg.Definitions(
        assets=[
            build_raw_zone(settings, contract, own_tools, suites),
            build_models(settings, manifest, own_tools),
            metrics,
            build_publication(settings, models, own_tools),
            *([build_postgres(settings, models)] if settings.postgres_url else []),
            build_dashboard(settings),
        ],
        asset_checks=[build_expectations(settings, suites, own_tools, sorted(metrics.keys))],
        jobs=[job],
        schedules=build_schedules(job, settings.variables.reporting_timezone),
        sensors=[build_raw_files_sensor(settings, contract, job)],
        resources={REFRESH_LOCK: build_refresh_lock(settings, own_tools)},
        executor=dg.in_process_executor,
    )
