"""The job in this process: what `voronka refresh` runs."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import time
from collections.abc import Collection, Iterator
from typing import Any

from orchestration.base.errors import EXIT_INTERRUPTED
from orchestration.base.lock import only_refresh
from orchestration.base.record import Failure, Record
from orchestration.base.settings import Settings
from orchestration.warm import WarmTools

_NICENESS = 10


def refresh(settings: Settings, full: bool = False, accept: Collection[str] = ()) -> Record:
    """Run the Dagster job `refresh` here and return what it found.

    `accept` has words of `orchestration.base.record.ACCEPTABLE`: what else would stop it.
    The record's `failure` says why nothing was published, or that somebody stopped it; it is None
    after a publication, also where one of `targets` failed. Raises VoronkaError where the job
    could not begin.
    """
    with only_refresh(settings) as run_id:
        tools = WarmTools(settings)
        start = time.monotonic()
        try:
            with _logged(settings):
                Record.begin(settings.record_file, run_id)
                tools.start_dbt()
                record = _run(settings, tools, full, accept)
        except BaseException as error:
            record = Record.load(settings.record_file)
            record.failure = Failure.of(error)
            with contextlib.suppress(OSError):
                record.save(settings.record_file)
            if record.failure.exit_code != EXIT_INTERRUPTED:
                raise
        finally:
            tools.close()
        record.phases["total"] = round(time.monotonic() - start, 1)
        record.save(settings.record_file)
        return record


def _run(settings: Settings, tools: WarmTools, full: bool, accept: Collection[str]) -> Record:
    """The job's record. Dagster is imported here, while dbt starts beside it."""
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    # Half a minute among imported modules that stay: collecting them costs more than it frees.
    gc.disable()
    from orchestration.defs.build import build_definitions
    from orchestration.defs.jobs import run_config
    from orchestration.instance import refresh_instance

    definitions = build_definitions(settings, tools)
    config: dict[str, Any] = run_config(full, accept)
    config["loggers"] = {"console": {"config": {"log_level": "WARNING"}}}
    with refresh_instance() as instance:
        result = definitions.resolve_job_def("refresh").execute_in_process(
            run_config=config, instance=instance, raise_on_error=False
        )
    record = Record.load(settings.record_file)
    if not result.success and record.failure is None and not record.failed_targets:
        record.failure = Failure.of(_first_error(result))
    return record


def _first_error(result: Any) -> BaseException:
    """What ended a run outside of its steps."""
    from dagster import DagsterExecutionInterruptedError

    for event in result.all_events:
        info = getattr(event.event_specific_data, "error", None) if event.is_failure else None
        if info is not None:
            is_stop = info.cls_name == DagsterExecutionInterruptedError.__name__
            return KeyboardInterrupt() if is_stop else RuntimeError(info.message.strip())
    return RuntimeError("the run failed without a message")


@contextlib.contextmanager
def _logged(settings: Settings) -> Iterator[None]:
    """What the tools print goes to the refresh's log, not to the person."""
    settings.build_dir.mkdir(parents=True, exist_ok=True)
    with (
        settings.log_file.open("w", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        handler = logging.StreamHandler(log)
        root = logging.getLogger()
        before = list(root.handlers)
        root.handlers = [handler]
        logging.captureWarnings(True)
        try:
            yield
        finally:
            root.handlers = before
            logging.captureWarnings(False)


def yield_to_readers() -> None:
    """Let dashboards on this machine have the cores first: who looks at a chart waits badly."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)


def interrupt_on_terminate() -> None:
    """Let SIGTERM end a refresh as Ctrl-C does: in order, with nothing left behind."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
