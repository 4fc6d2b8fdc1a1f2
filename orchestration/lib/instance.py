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


def refresh_instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME with its history, or one that lives as long as the process."""
    _list_outputs_once()
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    # What DagsterInstance.ephemeral() makes, but for the event log.
    return dg.DagsterInstance(
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
