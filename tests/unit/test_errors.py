"""What an error's words and a process' end tell people."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.base.errors import (
    BuildFailed,
    ChecksFailed,
    disk_full,
    is_disk_full,
    process_ended,
    remedy_of,
)
from orchestration.base.record import Failure

FULL = "IO Error: Could not write file: No space left on device"


def code_of(program: str) -> int:
    """The exit code of a Python program, as subprocess gives it."""
    return subprocess.run(
        [sys.executable, "-c", f"import os, signal; {program}"], check=False
    ).returncode


@pytest.mark.parametrize("code", [-9, 137])
def test_a_killed_process_is_said_to_be_killed_and_memory_helps(code):
    error = process_ended("dbt", code)
    assert error.message == "dbt was killed (SIGKILL), as the system does where memory runs out."
    assert "VORONKA_MEMORY" in error.remedy and "VORONKA_THREADS=1" in error.remedy
    assert error.exit_code == 1


def test_signals_come_from_real_ends_of_processes():
    for name in ("SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT"):
        code = code_of(f"os.kill(os.getpid(), signal.{name})")
        assert f"({name})" in process_ended("dbt", code).message


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-signal.SIGTERM, "dbt was stopped by somebody (SIGTERM)."),
        (128 + signal.SIGINT, "dbt was stopped by somebody (SIGINT)."),
        (-signal.SIGSEGV, "dbt crashed (SIGSEGV)."),
        (-signal.SIGXFSZ, "dbt met a limit on the size of files (SIGXFSZ)."),
        (127, "dbt could not be started (exit code 127)."),
        (2, "dbt ended with exit code 2 and no result."),
        (0, "dbt ended with exit code 0 and no result."),
        (255, "dbt ended with exit code 255 and no result."),
    ],
)
def test_other_ends_have_their_words(code, message):
    assert process_ended("dbt", code).message == message


def test_the_log_of_a_dead_process_names_the_cause(tmp_path):
    log = tmp_path / "dbt.log"
    assert process_ended("dbt", 1, log).remedy == f"See {log}; then refresh again."
    log.write_text(f"{'x' * 50_000}\nOSError: [Errno 28] No space left on device\n")
    assert "Free space" in process_ended("dbt", 1, log).remedy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FULL, "Free space"),
        ("failed to offload data block … the 'max_temp_directory_size' setting", "Free space"),
        ("Out of Memory Error: could not allocate block", "Raise VORONKA_MEMORY"),
        ("Conversion Error: could not read 'x' as a date", None),
    ],
)
def test_the_cause_decides_what_helps(text, said):
    remedy = remedy_of(["another line", text])
    assert (remedy is None and said is None) or said in remedy


def test_a_lock_on_a_database_names_who_holds_it(tmp_path):
    file = tmp_path / "build.duckdb"
    with duckdb.connect(str(file)):
        other = subprocess.run(
            [sys.executable, "-c", f"import duckdb; duckdb.connect({str(file)!r})"],
            capture_output=True,
            text=True,
            check=False,
        )
    remedy = remedy_of([other.stderr])
    assert remedy.endswith(f" has {file} open: close it, then refresh again.")
    assert "(process " in remedy


def test_memory_that_ran_out_in_duckdb_is_told_from_a_wrong_model():
    small = {"memory_limit": "5MB", "temp_directory": ""}
    with duckdb.connect(config=small) as connection, pytest.raises(duckdb.Error) as found:
        connection.execute("select md5(range::text) as x from range(3000000) order by x")
    failure = Failure.of(BuildFailed("dbt could not build a.", "correct it", [str(found.value)]))
    assert failure.message == "dbt could not build a."
    assert failure.remedy.startswith("Raise VORONKA_MEMORY")


def test_words_of_the_data_are_no_cause():
    """A check's examples are the data's: a lost reason may say anything."""
    failure = Failure.of(ChecksFailed("1 check failed.", "Correct the data.", [FULL]))
    assert failure.remedy == "Correct the data."


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        duckdb.IOException(FULL),
        RuntimeError(f"dagster: OSError: {FULL}"),
    ],
)
def test_a_full_disk_is_no_fault_of_the_program(error):
    assert is_disk_full(error)
    failure = Failure.of(error)
    assert (failure.message, failure.exit_code) == ("The disk is full: no space is left.", 1)
    assert failure.remedy.startswith("Free space on it")


def test_a_full_disk_is_named():
    where = OSError(errno.ENOSPC, "No space left on device", "/data/build/refresh.log")
    assert disk_full(where, Path("/other")).message.endswith("no space is left in /data/build.")
    assert disk_full(OSError(errno.ENOSPC, ""), Path("/other")).message.endswith("in /other.")
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
