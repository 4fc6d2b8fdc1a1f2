"""Dagster's instance of one refresh."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import dagster as dg
from dagster._core.instance.types import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import TemporaryLocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage


class UnreadEventLog(InMemoryEventLogStorage):
    """An event log that nobody reads, because it ends with the process: it keeps nothing.

    The run's result takes its events from the steps themselves. Storing them in a database in
    memory, and asking it for the versions of every model's inputs, takes five seconds.
    """

    def store_event(self, event: Any) -> None:
        """Forget it."""

    def get_asset_records(self, asset_keys: Sequence[dg.AssetKey] | None = None) -> Sequence[Any]:
        """No history, as nothing is kept."""
        return []

    def fetch_observations(self, *arguments: Any, **options: Any) -> dg.EventRecordsResult:
        """No history, as nothing is kept."""
        return dg.EventRecordsResult(records=[], cursor="", has_more=False)


class BriefInstance(dg.DagsterInstance):
    """An instance whose runs keep no snapshots of job and plan, as nobody will look at them.

    To digest both takes a second before the first step.
    """

    def create_run_for_job(self, *arguments: Any, **options: Any) -> dg.DagsterRun:
        """A run, without snapshots where it is as `execute_in_process` asks for a whole job."""
        is_whole = options.get("execution_plan") and not options.get("asset_selection")
        if arguments or options.keys() != _OF_A_WHOLE_RUN or not is_whole:
            return super().create_run_for_job(*arguments, **options)
        job, plan = options["job_def"], options["execution_plan"]
        return self.create_run(
            job_name=job.name,
            run_id=options["run_id"],
            run_config=options["run_config"],
            status=None,
            tags=options["tags"],
            step_keys_to_execute=plan.step_keys_to_execute,
            asset_graph=job.asset_layer.asset_graph,
            **dict.fromkeys(_NOT_OF_A_WHOLE_RUN),
        )


_OF_A_WHOLE_RUN = {
    *("job_def", "execution_plan", "run_config", "tags", "run_id", "asset_selection"),
}
_NOT_OF_A_WHOLE_RUN = (
    *("root_run_id", "parent_run_id", "execution_plan_snapshot", "job_snapshot"),
    *("parent_job_snapshot", "asset_selection", "asset_check_selection"),
    *("resolved_op_selection", "op_selection", "remote_job_origin", "job_code_origin"),
)


def refresh_instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME with its history, or one that lives as long as the process."""
    _list_outputs_once()
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    # What DagsterInstance.ephemeral() makes, but for the event log and the snapshots.
    return BriefInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=TemporaryLocalArtifactStorage(),  # type: ignore[no-untyped-call]  # Dagster leaves it untyped
        run_storage=InMemoryRunStorage(),
        event_storage=UnreadEventLog(),
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
    )


def _list_outputs_once() -> None:
    """Let a step list its outputs once, not once for each of two hundred: almost a second."""
    with suppress(ImportError, AttributeError):
        from dagster._core.execution.context.system import StepExecutionContext

        listed = StepExecutionContext.get_output_asset_keys

        def listed_once(context: Any) -> Any:
            if "_output_asset_keys" not in context.__dict__:
                context.__dict__["_output_asset_keys"] = listed(context)
            return context.__dict__["_output_asset_keys"]

        StepExecutionContext.get_output_asset_keys = listed_once  # type: ignore[method-assign,assignment]  # replaced on purpose
