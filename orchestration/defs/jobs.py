"""The job, when it runs by itself and what makes it run."""

import hashlib
import os
from pathlib import Path

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)

from orchestration.lib.raw_zone import OBJECT_STORES
from orchestration.lib.settings import Settings

WORKING_HOURS = "0 9-18 * * 1-5"
NIGHT = "30 3 * * *"


def build_refresh_job() -> UnresolvedAssetJobDefinition:
    """Everything from the raw zone to the published file, in one process."""
    return dg.define_asset_job(
        "refresh",
        selection=dg.AssetSelection.all(),
        executor_def=dg.in_process_executor,
        description="Raw zone → checked marts → published file. `voronka refresh` runs the same.",
    )


def full_refresh() -> dict[str, object]:
    """Run configuration of a refresh from scratch."""
    return {"ops": {"raw_zone": {"config": {"full": True}}}}


def build_schedules(
    job: UnresolvedAssetJobDefinition, timezone: str
) -> list[dg.ScheduleDefinition]:
    """Hourly in working time and once a night from scratch, in the company's time; both off."""
    return [
        dg.ScheduleDefinition(
            name="refresh_in_working_hours",
            job=job,
            cron_schedule=WORKING_HOURS,
            execution_timezone=timezone,
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description="Every hour from 9 to 18, Monday to Friday.",
        ),
        dg.ScheduleDefinition(
            name="full_refresh_at_night",
            job=job,
            cron_schedule=NIGHT,
            execution_timezone=timezone,
            run_config=full_refresh(),
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description="From scratch at 3:30.",
        ),
    ]


def build_raw_files_sensor(
    settings: Settings, job: UnresolvedAssetJobDefinition
) -> dg.SensorDefinition:
    """Refresh when the set of raw files changes; off by default."""

    @dg.sensor(
        name="new_raw_files",
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Refreshes when a file appears in the raw zone.",
    )
    def new_raw_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if settings.raw_zone.startswith(OBJECT_STORES):
            return dg.SensorResult(skip_reason="An object store is not watched: use the schedule.")
        found = files_digest(Path(settings.raw_zone))
        if found == context.cursor:
            return dg.SensorResult(skip_reason="No new file in the raw zone.")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=found)], cursor=found)

    return new_raw_files


def files_digest(raw_dir: Path) -> str:
    """A digest of the raw files' paths and sizes; files are append-only, so that is enough."""
    state = hashlib.sha256()
    for directory, folders, names in os.walk(raw_dir):
        folders.sort()
        for name in sorted(name for name in names if name.endswith(".parquet")):
            path = Path(directory) / name
            state.update(f"{path.relative_to(raw_dir)}|{path.stat().st_size}\n".encode())
    return state.hexdigest()
