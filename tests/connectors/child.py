"""Runs of a connection in a process of its own, to be killed."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

# One server process imports dlt, and each run is a fork of it: a kill costs no second of imports.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.connectors.preload"])


def start(root: Path, now: datetime, secrets: Mapping[str, str]) -> Any:
    """Begin a run; the process, whose exit code is the command's."""
    process = _context.Process(target=_run, args=(root, now, dict(secrets)))
    process.start()
    return process


def run_killed_at(
    root: Path, now: datetime, secrets: Mapping[str, str], standin: Any, number: int
) -> int | None:
    """Run until the stand-in's request of this number comes, and kill it there: its exit code.

    The number counts the requests of this run. A run that ends before is not killed.
    """
    before = len(standin.requests)
    process = start(root, now, secrets)

    def kill(request: Any) -> None:
        if len(standin.requests) - before == number:
            os.kill(process.pid, signal.SIGKILL)
            # Not `join`: two threads that read one exit code leave nothing to the slower one.
            wait([process.sentinel])

    standin.always = kill
    process.join(60)
    standin.always = None
    assert process.exitcode is not None
    return int(process.exitcode)


def call_killed_at_file(root: Path, number: int, module: str, function: str) -> int:
    """Call `function(root)` and kill it before its change of this number to files below root."""
    process = _context.Process(target=_call, args=(root, number, module, function))
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return int(process.exitcode)


def _call(root: Path, number: int, module: str, function: str) -> None:
    called = getattr(importlib.import_module(module), function)
    _kill_at_file(root, number)
    called(root)
    os._exit(0)


def _run(
    root: Path,
    now: datetime,
    secrets: dict[str, str],
) -> None:
    from orchestration.base.settings import Settings
    from orchestration.connectors.run import exit_code, run
    from tests.standins.clock import LONG, TestClock

    os.environ.update(secrets)
    settings = Settings(
        raw_dir=str(root / "raw"),
        data_dir=root / "data",
        connections=root / "connections.yml",
        now=now,
    )
    # A long load: every window is a package of its own.
    outcomes = run(settings, clock=TestClock(now, tick=LONG))
    for outcome in outcomes:
        if outcome.failure:
            print(outcome.failure)
    os._exit(exit_code(outcomes))


_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "shutil.copyfile",
            "shutil.rmtree", "shutil.move")  # fmt: skip


def _kill_at_file(root: Path, number: int) -> None:
    """Kill this process before its change of this number to files below `root`."""
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        is_writing = (
            event == "open" and isinstance(arguments[1], str) and (set(arguments[1]) & set("wax+"))
        )
        if not is_writing and event not in _CHANGES:
            return
        if str(root) not in str(arguments[0]):
            return
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
