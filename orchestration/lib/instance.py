"""Dagster's instance of one refresh."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    memory, and asking it for the versions of every model's inputs, took four seconds of a refresh.
    """

    def store_event(self, event: Any) -> None:
        """Forget it."""

    def get_asset_records(self, asset_keys: Sequence[dg.AssetKey] | None = None) -> Sequence[Any]:
        """No history, as nothing is kept."""
        return []


def refresh_instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME with its history, or one that lives as long as the process."""
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    # What DagsterInstance.ephemeral() makes, but for the event log.
    return dg.DagsterInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=TemporaryLocalArtifactStorage(),  # type: ignore[no-untyped-call]
        run_storage=InMemoryRunStorage(),
        event_storage=UnreadEventLog(),
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
    )
