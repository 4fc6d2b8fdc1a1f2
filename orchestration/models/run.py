"""dbt as the refresh runs it: the locked dbt in this process, or the executable `VORONKA_DBT`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.base.errors import BuildFailed, process_ended
from orchestration.base.files import read_json
from orchestration.base.settings import Settings

# A whole refresh: seeds, models and data tests, each as soon as what it needs is there.
BUILD = ("build", "--exclude-resource-type", "unit_test")
_QUIET = ("--quiet", "--no-use-colors", "--log-level-file", "warn")
_RESULTS = frozenset({"LogModelResult", "LogSeedResult", "LogTestResult"})


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
    error: str = ""


# Name and status of a node that has just ended.
Listener = Callable[[str, str], None]


def run_dbt(settings: Settings, arguments: Sequence[str], listener: Listener) -> DbtRun:
    """Run a command of dbt; its results are those of this very run.

    Raises BuildFailed where dbt cannot be started, ProcessEnded where it was killed.
    """
    if settings.dbt is not None:
        return _run_executable(settings, settings.dbt, arguments, listener)
    return _run_here(settings, arguments, listener)


def _run_here(settings: Settings, arguments: Sequence[str], listener: Listener) -> DbtRun:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    warnings: list[str] = []

    def hear(event: Any) -> None:
        if event.info.level == "warn":
            warnings.append(event.info.msg)
        elif event.info.name in _RESULTS:
            listener(event.data.node_info.node_name, event.data.node_info.node_status)

    with _environment(settings.dbt_environment()):
        try:
            done = dbtRunner(callbacks=[hear]).invoke(
                [*arguments, *settings.dbt_arguments(), *_QUIET]
            )
        finally:
            # The next steps read the file that dbt wrote.
            DuckDBConnectionManager.close_all_connections()
    if isinstance(done.exception, KeyboardInterrupt):
        raise done.exception
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
    return DbtRun(bool(done.success), results, tuple(warnings), error)


def _run_executable(
    settings: Settings, executable: str, arguments: Sequence[str], listener: Listener
) -> DbtRun:
    results_file = settings.target_dir / "run_results.json"
    # Of an earlier run; this one may die before it writes its own.
    results_file.unlink(missing_ok=True)
    command = [executable, *arguments, *settings.dbt_arguments(), "--log-format", "json"]
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
    with process:
        for line in process.stdout:
            info, data = _event(line)
            if info.get("level") == "warn":
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
    return DbtRun(code == 0, results, tuple(warnings), "\n".join(errors) if code else "")


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
