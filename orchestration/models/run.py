"""dbt as the refresh runs it: the locked dbt in this process, or the executable `VORONKA_DBT`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.base.errors import BuildFailed, process_ended
from orchestration.base.files import read_json
from orchestration.base.interrupt import is_interruption
from orchestration.base.settings import DUCKDB, Settings

# A whole refresh: seeds, models and data tests, each as soon as what it needs is there.
BUILD = ("build", "--exclude-resource-type", "unit_test")
# What is learned from the models is written between two runs; what reads it comes after.
OUTLOOK = "outlook"
BEFORE_OUTLOOK = ("--exclude", f"source:{OUTLOOK}+")
AFTER_OUTLOOK = ("--select", f"source:{OUTLOOK}+")
_QUIET = ("--quiet", "--no-use-colors", "--log-level-file", "warn")
_SECONDS_TO_STOP = 5
_RESULTS = frozenset({"LogModelResult", "LogSeedResult", "LogTestResult"})
# The project is read, and no connection is open.
_BEFORE_CONNECTIONS = "FoundStats"
# A check that warns is told with the checks, in better words than dbt's three lines on it.
_WARNINGS_OF_CHECKS = frozenset({"LogTestResult", "RunResultWarning", "RunResultWarningMessage"})


@dataclass(frozen=True)
class NodeResult:
    """How a node of dbt ended; `seconds` of wall time, `failures` of a test's rows."""

    unique_id: str
    status: str
    message: str
    seconds: float
    failures: int | None


@dataclass(frozen=True)
class DbtRun:
    """What a command of dbt came to: its nodes, and what it warned of, in its own words."""

    is_success: bool
    results: tuple[NodeResult, ...]
    warnings: tuple[str, ...]
    # Where it wrote its manifest and the SQL that ran.
    target: Path
    error: str = ""


# Name and status of a node that has just ended.
Listener = Callable[[str, str], None]


def run_dbt(settings: Settings, arguments: Sequence[str], listener: Listener) -> DbtRun:
    """Run a command of dbt; its results are those of this very run.

    Raises BuildFailed where dbt cannot be started, ProcessEnded where it was killed.
    """
    if settings.dbt is not None and settings.engine == DUCKDB:
        return _run_executable(settings, settings.dbt, arguments, listener)
    return _run_here(settings, arguments, listener, settings.engine)


def parse(settings: Settings) -> DbtRun:
    """Let the locked dbt write its manifests, whichever dbt builds: the metrics layer reads them.

    Where that fails, once more without what dbt remembers of an older version of the project.
    """
    done = _run_here(settings, ["parse"], lambda name, status: None)
    if done.is_success:
        return done
    return _run_here(settings, ["parse", "--no-partial-parse"], lambda name, status: None)


def _run_here(
    settings: Settings, arguments: Sequence[str], listener: Listener, engine: str = DUCKDB
) -> DbtRun:
    from dbt.cli.main import dbtRunner

    warnings: list[str] = []
    target = settings.target_dir if engine == DUCKDB else settings.spark_target_dir

    def hear(event: Any) -> None:
        if event.info.level == "warn":
            if event.info.name not in _WARNINGS_OF_CHECKS:
                warnings.append(event.info.msg)
        elif event.info.name in _RESULTS:
            listener(event.data.node_info.node_name, event.data.node_info.node_status)
        elif engine != DUCKDB and event.info.name == _BEFORE_CONNECTIONS:
            from orchestration.spark.connection import give_dbt_settings

            give_dbt_settings(settings)

    with _environment(settings.dbt_environment(engine)):
        try:
            done = dbtRunner(callbacks=[hear]).invoke(
                [*arguments, *settings.dbt_arguments(target, engine), *_QUIET]
            )
        finally:
            if engine == DUCKDB:
                from dbt.adapters.duckdb.connections import DuckDBConnectionManager

                # The next steps read the file that dbt wrote.
                DuckDBConnectionManager.close_all_connections()
    if done.exception is not None and is_interruption(done.exception):
        raise KeyboardInterrupt from done.exception
    found = getattr(done.result, "results", None) or []
    results = tuple(
        NodeResult(
            item.node.unique_id,
            str(item.status),
            str(item.message or ""),
            item.execution_time,
            item.failures,
        )
        for item in found
    )
    error = str(done.exception) if done.exception else ""
    return DbtRun(bool(done.success), results, tuple(warnings), target, error)


def _run_executable(
    settings: Settings, executable: str, arguments: Sequence[str], listener: Listener
) -> DbtRun:
    # Apart from the locked dbt's: each reads there what it wrote itself.
    target = settings.executable_target_dir
    target.mkdir(parents=True, exist_ok=True)
    results_file = target / "run_results.json"
    # Of an earlier run; this one may die before it writes its own.
    results_file.unlink(missing_ok=True)
    command = [executable, *arguments, *settings.dbt_arguments(target), "--log-format", "json"]
    try:
        process = subprocess.Popen(
            command,
            cwd=settings.root,
            env=settings.dbt_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise BuildFailed(
            f"VORONKA_DBT names {executable}, which cannot be run: {error.strerror}.",
            "Name a dbt executable, or unset VORONKA_DBT to use the one of the lock file.",
        ) from error
    warnings, errors = [], []
    assert process.stdout is not None
    with _stopping(process):
        for line in process.stdout:
            info, data = _event(line)
            if info.get("level") == "warn":
                if info.get("name") not in _WARNINGS_OF_CHECKS:
                    warnings.append(str(info.get("msg", "")))
            elif info.get("level") == "error":
                errors.append(str(info.get("msg", "")))
            node = data.get("node_info") or {}
            if info.get("name") in _RESULTS and node:
                listener(str(node.get("node_name")), str(node.get("node_status")))
    code = process.wait()
    if code < 0:
        raise process_ended("dbt", code)
    results = tuple(
        NodeResult(
            item["unique_id"],
            item["status"],
            str(item.get("message") or ""),
            float(item["execution_time"]),
            item.get("failures"),
        )
        for item in read_json(results_file).get("results", [])
    )
    said = "\n".join(errors) or f"It ended with exit code {code}."
    return DbtRun(code == 0, results, tuple(warnings), target, said if code else "")


@contextlib.contextmanager
def _stopping(process: subprocess.Popen[str]) -> Iterator[None]:
    """End the process where the refresh is stopped; it may not hear in the middle of a query."""
    with process:
        try:
            yield
        except BaseException:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
            raise


def _event(line: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Info and data of a line of dbt's JSON log; empty for any other line."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}, {}
    if not isinstance(event, dict):
        return {}, {}
    return event.get("info") or {}, event.get("data") or {}


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """These variables in this process's environment, where profiles.yml reads them."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
