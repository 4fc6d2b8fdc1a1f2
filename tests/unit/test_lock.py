"""The lock decides whether a refresh runs; what dead processes left goes with the next one."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestration.base.errors import DiskFull, WrongUse
from orchestration.base.files import overwrite
from orchestration.base.lock import (
    is_space_missing,
    killed_refresh,
    only_refresh,
    running_refresh,
    use_temporary_files,
)
from orchestration.base.record import Record
from orchestration.base.settings import Settings
from tests.conftest import ROOT
from tests.needs import small_disk

HOLDER = """
import os, sys
from orchestration.base.lock import only_refresh
from orchestration.base.record import Record
from orchestration.base.settings import Settings
settings = Settings(data_dir=sys.argv[1])
with only_refresh(settings, *sys.argv[2:]) as run_id:
    if not sys.argv[2:]:
        Record.begin(settings.record_file, run_id)
    print(run_id, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def hold(settings: Settings) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process that holds the lock; what its task is called may be said."""
    started: list[subprocess.Popen[str]] = []

    def start(*task: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(settings.data), *task],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout and process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def say(settings: Settings, **changes: object) -> None:
    """Change what the file beside the lock says."""
    state = json.loads(settings.holder_file.read_text())
    del state["digest"]
    overwrite(settings.holder_file, {**state, **changes})


def test_nobody_holds_a_lock_that_was_never_taken(settings):
    assert running_refresh(settings) is None
    assert killed_refresh(settings) is None
    assert not settings.data.exists()


def test_another_process_is_seen_and_refused(settings, hold):
    other = hold()
    found = running_refresh(settings)
    assert found is not None
    assert (found.task, found.pid, found.host) == ("refresh", other.pid, socket.gethostname())
    assert killed_refresh(settings) is None
    with pytest.raises(WrongUse) as refused, only_refresh(settings):
        pass
    assert refused.value.message == (
        f"A refresh runs already: process {other.pid} on {found.host}, since {found.since}."
    )
    other.communicate("\n")
    assert (running_refresh(settings), killed_refresh(settings)) == (None, None)


def test_a_killed_process_holds_nothing(settings, hold):
    other = hold()
    kill(other)
    assert running_refresh(settings) is None
    holder = killed_refresh(settings)
    assert holder is not None and holder.pid == other.pid


@pytest.mark.parametrize(
    "change", [{"host": "container-a"}, {"pid": os.getpid()}, {"host": "container-a", "pid": 1}]
)
def test_a_stale_file_makes_no_running_refresh(settings, hold, change):
    """Another host's name, or a number that another process has by now."""
    kill(hold())
    say(settings, **change)
    assert running_refresh(settings) is None
    assert killed_refresh(settings) is not None
    with only_refresh(settings):
        assert running_refresh(settings) is not None
    assert killed_refresh(settings) is None


def test_a_holder_of_another_host_is_believed_while_its_lock_is_there(settings, hold):
    """A directory that several hosts share, with locks that all of them see."""
    hold()
    say(settings, host="container-a", pid=1)
    found = running_refresh(settings)
    assert found is not None and (found.host, found.pid) == ("container-a", 1)
    assert killed_refresh(settings) is None


def test_a_lock_without_a_word_is_a_lock(settings, hold):
    hold()
    settings.holder_file.write_text("")
    found = running_refresh(settings)
    assert found is not None and str(found) == "process ? on ?, since ?"


def test_who_asks_does_not_stand_in_the_way_of_who_begins(settings):
    with only_refresh(settings):
        pass

    def ask() -> None:
        for _ in range(2000):
            running_refresh(settings)

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        for _ in range(20):
            with only_refresh(settings):
                pass
        for each in asking:
            each.result()


def test_the_next_holder_writes_down_that_the_former_was_killed(settings, hold):
    other = hold()
    run_id = Record.load(settings.record_file).run_id
    kill(other)
    with only_refresh(settings) as mine:
        record = Record.load(settings.record_file)
        assert (record.run_id, record.is_killed) == (run_id, True)
        assert record.failure is not None
        said = f"The refresh was killed before its first step was done: process {other.pid} on "
        assert record.failure.message.startswith(said)
        assert "VORONKA_MEMORY" in record.failure.remedy
        begun = Record.begin(settings.record_file, mine)
        assert (begun.run_id, begun.failure, begun.is_killed) == (mine, None, False)
        assert begun.killed_before == record.failure.message
        # The command begins, and so does the job that it runs.
        assert Record.begin(settings.record_file, mine).killed_before == begun.killed_before


def test_a_refresh_that_was_killed_before_its_record_is_not_the_one_before(settings, hold):
    with only_refresh(settings) as first:
        record = Record.begin(settings.record_file, first)
        record.finished_steps = ["raw zone", "models"]
        record.save(settings.record_file)
    kill(hold())
    say(settings, run_id="another")
    with only_refresh(settings):
        failure = Record.load(settings.record_file).failure
    assert failure is not None and "was killed before its first step was done" in failure.message


def test_a_killed_dbt_by_hand_is_no_killed_refresh(settings, hold):
    other = hold("dbt build")
    found = running_refresh(settings)
    assert found is not None and found.task == "dbt build"
    with pytest.raises(WrongUse, match="`dbt build` runs already"), only_refresh(settings):
        pass
    kill(other)
    assert killed_refresh(settings) is None
    with only_refresh(settings):
        assert not Record.load(settings.record_file).is_killed


def test_a_process_takes_its_own_lock_again(settings):
    with only_refresh(settings) as outer:
        with only_refresh(settings) as inner:
            assert inner == outer
        assert running_refresh(settings) is not None
    with only_refresh(settings) as other:
        assert other != outer


def test_what_dead_processes_left_is_removed_and_only_that(settings):
    left = {
        "build/raw_zone.duckdb.12.tmp",
        "build/raw_zone.duckdb.12.tmp.wal",
        "build/refresh.json.12.tmp",
        "build/tmp/duckdb_temp_storage_DEFAULT-0.tmp",
        "build/tmp/tmpabc/log",
        "published/dashboard.html.12.tmp",
        "published/voronka.duckdb.12.tmp",
        "published/parquet-12.tmp/kpi_daily.parquet",
        "postgres.json.12.tmp",
    }
    others = {
        "build/voronka_build.duckdb",
        "build/target/manifest.json",
        "published/voronka.duckdb",
        "published/parquet-20260301/kpi_daily.parquet",
        "dagster/tmp/log",
        "raw/crm/leads/1.12.tmp",
    }
    for name in left | others:
        file = settings.data / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    with only_refresh(settings):
        found = {
            str(path.relative_to(settings.data))
            for path in settings.data.rglob("*")
            if path.is_file()
        }
        assert found == others | {"refresh.lock", "refresh.holder.json"}
        assert not (settings.published_dir / "parquet-12.tmp").exists()


def test_temporary_files_of_a_command_without_the_lock_stay(settings):
    with use_temporary_files(settings):
        spilt = settings.temporary_dir / "duckdb_temp_storage_DEFAULT-0.tmp"
        spilt.touch()
        with only_refresh(settings):
            assert spilt.exists()
    with only_refresh(settings):
        assert not spilt.exists()


def test_a_full_disk_is_said_where_nothing_was_ever_written(tmp_path):
    with small_disk(tmp_path / "disk", free=0) as disk:
        settings = Settings(data_dir=disk / "data")
        with pytest.raises(DiskFull) as full, only_refresh(settings):
            pass
        assert full.value.message == f"The disk is full: no space is left in {settings.data}."
        assert is_space_missing(settings)
        assert (running_refresh(settings), killed_refresh(settings)) == (None, None)


def test_a_holder_needs_no_space_the_second_time(tmp_path):
    with small_disk(tmp_path / "disk", free=200_000) as disk:
        settings = Settings(data_dir=disk / "data")
        with only_refresh(settings):
            pass
        fill(disk)
        with only_refresh(settings):
            found = running_refresh(settings)
            assert found is not None and found.pid == os.getpid()
        assert killed_refresh(settings) is None
        assert not is_space_missing(settings)


def fill(disk: Path) -> None:
    """Leave no byte."""
    with (disk / "filler").open("ab", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(4096))
