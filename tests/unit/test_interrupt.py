"""A command that is asked to stop says so, whatever a library makes of the interruption."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestration.base.errors import EXIT_INTERRUPTED, EXIT_STOPPED, WrongUse
from orchestration.base.interrupt import is_interruption
from orchestration.base.record import Failure
from tests.conftest import ROOT, clean_environment


def caused(error: Exception, cause: BaseException) -> Exception:
    """The error as it is where the cause led to it."""
    error.__cause__ = cause
    return error


def test_an_interrupted_query_is_no_fault_of_the_program() -> None:
    """DuckDB gives an error of its own, caused by what the signal raised."""
    code = (
        "import duckdb, signal\n"
        "from orchestration.base.record import Failure\n"
        # With more threads one of them may have the work, and the main one waits for it, deaf.
        "connection = duckdb.connect(config={'threads': 1})\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "try:\n"
        "    connection.execute('select sum(a.i * b.i) "
        "from range(9999999) a(i), range(9999) b(i)')\n"
        "except Exception as error:\n"
        "    failure = Failure.of(error)\n"
        "    print('interrupted' in str(error), failure.message, failure.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(), cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == f"True The refresh was stopped. {EXIT_INTERRUPTED}\n", done.stderr


def test_other_errors_and_their_causes_are_none() -> None:
    assert is_interruption(KeyboardInterrupt())
    assert is_interruption(caused(ValueError(), caused(OSError(), KeyboardInterrupt())))
    assert not is_interruption(caused(ValueError(), OSError()))
    assert Failure.of(caused(WrongUse("no"), OSError())).message == "no"
    assert Failure.of(RuntimeError("Query interrupted")).exit_code == EXIT_STOPPED


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_request_that_a_library_swallowed_is_remembered(name: str) -> None:
    code = (
        "import os, signal, time\n"
        "from orchestration.base.interrupt import *\n"
        "interrupt_on_terminate(); stop_if_asked()\n"
        "try:\n"
        f"    os.kill(os.getpid(), signal.{name}); time.sleep(9)\n"
        "except BaseException: pass\n"
        "try: stop_if_asked()\n"
        "except KeyboardInterrupt: print('stopped')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=clean_environment(),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("stopped\n", "")


def test_a_command_that_ends_at_once_leaves_no_word_of_python() -> None:
    """dbt's locks are still there then; multiprocessing's helper removes them, and is silent."""
    lines = (
        "import multiprocessing, os, sys",
        "from orchestration.base.interrupt import interrupt_on_terminate",
        "if sys.argv[1:]: interrupt_on_terminate()",
        "lock = multiprocessing.get_context('spawn').RLock()",
        "os._exit(130)",
    )
    said = {}
    # A command that ran in this process has set it.
    environment = {it: text for it, text in clean_environment().items() if it != "PYTHONWARNINGS"}
    for arguments in ((), ("ours",)):
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(lines), *arguments], cwd=ROOT,
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == EXIT_INTERRUPTED
        said[arguments] = done.stderr
    # Without it there is a warning: the day that Python says nothing, the setting can go.
    assert "resource_tracker" in said[()]
    assert said["ours",] == ""
