"""The job, when it runs by itself and what makes it run."""

from collections.abc import Collection
from typing import Any

import dagster as dg

from orchestration.base.cache import fingerprint_of
from orchestration.base.errors import WrongUse
from orchestration.base.lock import running_refresh
from orchestration.base.object_store import OBJECT_STORES
from orchestration.base.settings import Settings
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.listing import listed_files

WORKING_HOURS = "0 9-18 * * 1-5"
NIGHT = "30 3 * * *"


def build_automation(
    settings: Settings, contract: Contract, selection: dg.AssetSelection | None = None
) -> tuple[Any, list[dg.ScheduleDefinition], dg.SensorDefinition]:
    """The job `refresh`, its schedules and its sensor; the last two are off by default.

    `selection` is what a refresh makes; all assets where it is not given.
    """
    job = dg.define_asset_job(
        "refresh",
        selection=dg.AssetSelection.all() if selection is None else selection,
        executor_def=dg.in_process_executor,
        description="Raw zone → checked marts → published file. `voronka refresh` runs the same.",
    )
    timezone = settings.variables.reporting_timezone
    return job, _schedules(job, timezone), _raw_files_sensor(settings, contract, job)


def run_config(full: bool = False, accept: Collection[str] = ()) -> dict[str, object]:
    """Run configuration of a refresh: from scratch, and what it lets pass (`ACCEPTABLE`)."""
    return {"ops": {"raw_zone": {"config": {"full": full, "accept": sorted(accept)}}}}


def _schedules(job: Any, timezone: str) -> list[dg.ScheduleDefinition]:
    """Hourly in working time and once a night from scratch, in the company's time."""
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
            run_config=run_config(full=True),
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description="From scratch at 3:30.",
        ),
    ]


def _raw_files_sensor(settings: Settings, contract: Contract, job: Any) -> dg.SensorDefinition:
    """Refresh when the contract's raw files change."""

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
        if running_refresh(settings) is not None:
            return dg.SensorResult(skip_reason="A refresh runs; what is new comes after it.")
        try:
            found = fingerprint_of(listed_files(settings.raw_zone, contract))
        except WrongUse as error:
            return dg.SensorResult(skip_reason=str(error))
        if found == context.cursor:
            return dg.SensorResult(skip_reason="No new file in the raw zone.")
        # Without a key: a zone that becomes what it was before is news, too.
        return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=found)

    return new_raw_files
