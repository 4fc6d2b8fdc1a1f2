"""Commands in processes forked from one that has imported their tools: a refresh imports six
seconds of them.

    python -m tests.forked

reads requests, one line of JSON each, runs `orchestration.cli` in a fork and answers with its
exit code. A command sees its own environment, directory and files, and no other command's state.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

# What a command imports before it does anything; a command that is not named waits for nothing.
_DBT = ("dbt.cli.main", "dbt.adapters.duckdb")
_METRICS = ("duckdb", "metricflow.engine.metricflow_engine", "orchestration.metrics.query")
_TOOLS = {
    "refresh": (
        *_DBT,
        *_METRICS,
        "great_expectations",
        "sqlalchemy",
        "duckdb_engine",
        "pyarrow.parquet",
        "orchestration.raw_zone.step",
        "orchestration.models.step",
        "orchestration.metrics.step",
        "orchestration.expectations.step",
        "orchestration.publication.step",
        "orchestration.dashboard.step",
    ),
    "query": _METRICS,
    "metrics": _METRICS,
    "dbt": _DBT,
    "connect": ("tests.connectors.preload",),
}
# Read when an interpreter starts, or once a process: such a command gets an interpreter of its own.
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "TZ", "DAGSTER_HOME")


class Commands:
    """The process that commands are forked from; it starts with the first of them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._server: subprocess.Popen[str] | None = None

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run the command; its output as text."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = self._ask(
                {
                    "arguments": list(arguments),
                    "environment": dict(env),
                    "directory": str(cwd),
                    "files": [f"/proc/{os.getpid()}/fd/{it.fileno()}" for it in (out, err)],
                },
                timeout,
            )
            said = [_text(file) for file in (out, err)]
        return subprocess.CompletedProcess(list(arguments), code, *said)

    def close(self) -> None:
        """End the process, and a command that still runs."""
        if self._server is not None:
            with self._server as server:
                os.killpg(server.pid, signal.SIGKILL)
            self._server = None

    def _ask(self, request: dict[str, Any], timeout: float) -> int:
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-m", __name__],
                cwd=self._root,
                env={**os.environ, "PYTHONPATH": str(self._root)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        server = self._server
        assert server.stdin is not None and server.stdout is not None
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        if not select.select([server.stdout], [], [], timeout)[0]:
            self.close()
            raise subprocess.TimeoutExpired(request["arguments"], timeout)
        answer = server.stdout.readline()
        assert answer, "the process that commands are forked from has ended"
        return int(answer)


def is_forkable(env: Mapping[str, str]) -> bool:
    """Whether a command with these variables of its own can share an interpreter."""
    return not any(name.startswith(_OF_THE_INTERPRETER) for name in env)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def _serve() -> None:
    """Answer requests until nobody is there to ask; in a fork, run the command and end with it."""
    imported: set[str] = set()
    for line in sys.stdin:
        request = json.loads(line)
        tools = set(_TOOLS.get(next(iter(request["arguments"]), ""), ())) - imported
        if tools:
            for name in sorted(tools):
                importlib.import_module(name)
            imported |= tools
            # What is shared stays shared: a collection would copy every page that it marks.
            gc.collect()
            gc.freeze()
        pid = os.fork()
        if not pid:
            _become(request)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(request: Mapping[str, Any]) -> NoReturn:
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["directory"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, file in enumerate(request["files"], 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), number)
    sys.argv = ["voronka", *request["arguments"]]
    code: object = 0
    try:
        runpy.run_module("orchestration.cli", run_name="__main__", alter_sys=True)
    except SystemExit as done:
        code = done.code
    except BaseException:  # noqa: BLE001 - the command is told of as the interpreter would
        traceback.print_exc()
        code = 1
    # Not by the interpreter's end: libraries would wait there for threads that a fork does not
    # have, and crash.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        _serve()
