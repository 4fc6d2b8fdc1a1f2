"""All definitions for one set of settings."""

from __future__ import annotations

import dagster as dg

from orchestration.base.settings import Settings
from orchestration.defs import connections
from orchestration.defs.checks import build_expectations
from orchestration.defs.dashboard import build_dashboard
from orchestration.defs.digest import build_digest
from orchestration.defs.jobs import build_automation
from orchestration.defs.metrics import build_metrics
from orchestration.defs.models import build_models, build_outlook
from orchestration.defs.postgres import build_postgres
from orchestration.defs.publication import build_publication
from orchestration.defs.raw_zone import build_raw_zone
from orchestration.defs.resources import REFRESH_LOCK, build_refresh_lock
from orchestration.refresh import Project


def build_definitions(settings: Settings) -> dg.Definitions:
    """The code location: the steps of a refresh as assets and checks, and what runs them."""
    connected, problem = connections.connected(settings)
    settings = connections.with_own_zone(settings, connected)
    sources = connections.build_connections(settings, connected, problem)
    project = Project(settings)
    metrics = build_metrics(settings, project.layer)
    models = project.published
    refreshed = connections.without_connections(sources)
    job, schedules, sensor = build_automation(settings, project.contract, refreshed)
    timezone = settings.variables.reporting_timezone
    more_jobs, more_schedules = connections.build_automation(connected, timezone)
    messages = build_digest(settings, timezone)
    return dg.Definitions(
        assets=[
            *sources,
            build_raw_zone(settings, project.contract, connections.raw_dependencies(connected)),
            build_models(settings, project.manifest),
            build_outlook(settings, project.manifest),
            metrics,
            build_publication(settings, models),
            *([build_postgres(settings, models)] if settings.postgres_url else []),
            build_dashboard(settings),
        ],
        asset_checks=[
            build_expectations(settings, project.contract, project.suites, sorted(metrics.keys))
        ],
        jobs=[job, *more_jobs, *messages.jobs],
        schedules=[*schedules, *more_schedules, messages.schedule],
        sensors=[sensor, messages.sensor],
        resources={REFRESH_LOCK: build_refresh_lock(settings)},
        executor=dg.in_process_executor,
    )
