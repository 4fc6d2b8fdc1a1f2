"""What every step of a refresh needs."""

from collections.abc import Iterator

import dagster as dg

from orchestration.base.lock import note_stopped, only_refresh
from orchestration.base.settings import Settings
from orchestration.defs.failures import plain_failures

REFRESH_LOCK = "refresh_lock"
_STOPPED = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)


def build_refresh_lock(settings: Settings) -> dg.ResourceDefinition:
    """The right to be the only refresh, for as long as a run takes."""

    @dg.resource(description="One refresh at a time in a data directory.")
    def refresh_lock(context: dg.InitResourceContext) -> Iterator[None]:
        with plain_failures(), only_refresh(settings, run_id=context.run_id):
            try:
                yield
            finally:
                if _is_stopped(context):
                    note_stopped(settings)

    return refresh_lock


def _is_stopped(context: dg.InitResourceContext) -> bool:
    """Whether somebody terminated the run, between two steps as well as in one."""
    if context.instance is None or not context.run_id:
        return False
    run = context.instance.get_run_by_id(context.run_id)
    return run is not None and run.status in _STOPPED
