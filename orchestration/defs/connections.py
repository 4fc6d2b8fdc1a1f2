"""Connections as assets above the raw tables that they fill: a group, a step and a report each.

No dagster-dlt: it makes assets of dlt resources, and a connection's windows become resources only
while it runs; its lock, its report and its errors are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from orchestration.base.errors import WrongUse
from orchestration.base.record import Failure
from orchestration.base.settings import ORIGIN_DATA, Settings
from orchestration.connectors.assets import asset_key, metadata_of, whole_metadata
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Connector
from orchestration.connectors.registry import all_kinds
from orchestration.connectors.report import DAGSTER, Report
from orchestration.connectors.run import connections, run
from orchestration.defs.failures import as_dagsters

JOB = "connect"
SCHEDULE = "connect_hourly"
HOURLY = "50 * * * *"
# Older than this nobody has read the system: a warning after a missed night, a failure after two.
FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
)
_GROUP = "connect_"


def connected(settings: Settings) -> tuple[Mapping[str, Connection], WrongUse | None]:
    """The connections by name; none, and what is wrong, where connections.yml cannot be read."""
    try:
        return connections(settings), None
    except WrongUse as error:
        return {}, error


def with_own_zone(settings: Settings, found: Mapping[str, Connection]) -> Settings:
    """The settings with data/raw where no raw zone is set: what is connected is no demo."""
    if found and settings.raw_dir is None:
        return Settings(**{**settings.model_dump(), "raw_dir": ORIGIN_DATA})
    return settings


def build_connections(
    settings: Settings, found: Mapping[str, Connection], problem: WrongUse | None
) -> list[dg.AssetsDefinition]:
    """A step for each connection, whose assets are the tables that its kind may fill."""
    if problem is not None:
        return [_broken_file(problem)]
    return [_assets(settings, connection) for connection in found.values()]


def raw_dependencies(found: Mapping[str, Connection]) -> Mapping[str, list[dg.AssetKey]]:
    """The assets above each raw table."""
    above: dict[str, list[dg.AssetKey]] = {}
    for name, connection in found.items():
        for table in all_kinds()[connection.kind].tables:
            above.setdefault(table, []).append(asset_key(name, table))
    return above


def without_connections(assets: list[dg.AssetsDefinition]) -> dg.AssetSelection:
    """Everything else: a refresh takes what is in the raw zone, whoever failed to fill it."""
    keys = [key for definition in assets for key in definition.keys]
    return dg.AssetSelection.all() - dg.AssetSelection.assets(*keys)


def build_automation(
    found: Mapping[str, Connection], timezone: str
) -> tuple[list[Any], list[dg.ScheduleDefinition]]:
    """The job that reads all enabled connections, and its schedule, which is off by default."""
    keys = [
        asset_key(name, table)
        for name, connection in found.items()
        if connection.enabled
        for table in all_kinds()[connection.kind].tables
    ]
    if not keys:
        return [], []
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(*keys),
        executor_def=dg.in_process_executor,
        description="All enabled connections, one after another; one that fails stops no other. "
        "`voronka connect run` does the same.",
    )
    schedule = dg.ScheduleDefinition(
        name=SCHEDULE,
        job=job,
        cron_schedule=HOURLY,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Ten minutes before every full hour.",
    )
    return [job], [schedule]


def _assets(settings: Settings, connection: Connection) -> dg.AssetsDefinition:
    kind = all_kinds()[connection.kind]
    name = connection.name

    @dg.multi_asset(specs=_specs(connection, kind), name=f"connect_{name}")
    def read() -> Iterator[dg.MaterializeResult[None]]:
        (outcome,) = run(settings, [name], by=DAGSTER)
        if outcome.failure is not None:
            raise _failure(outcome.failure, outcome.report)
        report = outcome.report.as_json()
        for table in kind.tables:
            yield dg.MaterializeResult(
                asset_key=asset_key(name, table), metadata=metadata_of(report, table)
            )

    return read


def _specs(connection: Connection, kind: type[Connector[Any]]) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            asset_key(connection.name, table),
            group_name=_GROUP + connection.name,
            kinds={"dlt", "parquet"},
            description=f"What {connection.name} ({kind.title}) gives {table}.",
            freshness_policy=FRESHNESS if connection.enabled else None,
        )
        for table in kind.tables
    ]


def _failure(failure: Failure, report: Report) -> dg.Failure:
    said = as_dagsters(failure)
    metadata = {**said.metadata, **whole_metadata(report.as_json())}
    return dg.Failure(said.description, metadata=metadata, allow_retries=False)


def _broken_file(problem: WrongUse) -> dg.AssetsDefinition:
    """Shows what is wrong in connections.yml, and lets everything else load."""

    @dg.asset(
        key=dg.AssetKey(["connections", "connections_yml"]),
        group_name="connections",
        description=f"{problem.message}\n\n" + "\n".join(problem.details),
    )
    def connections_yml() -> None:
        raise as_dagsters(Failure.of(problem))

    return connections_yml
