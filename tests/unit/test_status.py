"""What `voronka status` says, from the files that a refresh leaves."""

import os
import subprocess
import sys
from io import StringIO

import duckdb
import pytest
from rich.console import Console

from orchestration.base.errors import ContractBroken, Problem
from orchestration.base.files import write_json
from orchestration.base.lock import only_refresh
from orchestration.base.record import STEPS, Failure, Record, step
from orchestration.base.settings import Settings
from orchestration.cli.screen import show_status
from orchestration.publication.publish import publish
from tests.unit import test_publication as unit

DONE = list(STEPS)


@pytest.fixture
def settings(tmp_path) -> Settings:
    """A data directory with a published file."""
    found = Settings(project_dir=tmp_path, data_dir=tmp_path / "data")
    found.build_dir.mkdir(parents=True)
    unit.build(found)
    with duckdb.connect(str(found.raw_zone_file)) as connection:
        connection.execute(unit.RAW_ZONE)
    publish(found, [unit.FACTS, unit.BAD], unit.checked(), "1")
    return found


def status(settings: Settings) -> tuple[bool, str]:
    text = StringIO()
    is_good = show_status(Console(file=text, width=400), settings)
    return is_good, text.getvalue()


def remember(settings: Settings, **values) -> None:
    Record(started_at="2026-03-01T03:00:00+00:00", **values).save(settings.record_file)


@pytest.mark.parametrize(
    ("is_kept", "said"),
    [(False, "The last refresh published."), (True, "The last refresh found nothing new, 20")],
)
def test_all_is_well(settings, is_kept, said):
    remember(settings, finished_steps=DONE, is_publication_kept=is_kept)
    is_good, text = status(settings)
    assert is_good and said in text


def test_a_published_file_without_a_refresh_here_is_well(settings):
    assert status(settings)[0]
    assert "There was no refresh in" in status(settings)[1]


def test_a_failed_step_is_told_with_all_its_findings(settings):
    problems = [Problem("crm.leads", f"{number}.parquet", "", "too short") for number in range(30)]
    with pytest.raises(ContractBroken), step(settings.record_file, "raw zone"):
        raise ContractBroken(problems)
    remember(settings, failure=Record.load(settings.record_file).failure)
    is_good, text = status(settings)
    assert not is_good
    assert "did not publish" in text and "30 problems" in text and "29.parquet" in text


def test_a_killed_refresh_is_told(settings):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with only_refresh(settings):
        remember(settings, finished_steps=["raw zone", "models"])
        holder = settings.lock_file.with_name("refresh.holder.json")
        state = holder.read_text().replace(f'"pid": {os.getpid()}', f'"pid": {gone.pid}')
    holder.write_text(state)
    is_good, text = status(settings)
    assert not is_good
    assert "did not come to its end; the last step that did: models" in text


@pytest.mark.parametrize("host", ["", "another machine"])
def test_a_running_refresh_is_no_failed_one(settings, host):
    with only_refresh(settings):
        remember(settings)
        if host:
            holder = settings.lock_file.with_name("refresh.holder.json")
            write_json(holder, {"pid": 1, "host": host, "since": "then"})
        is_good, text = status(settings)
    assert is_good and "A refresh runs, since" in text
    assert not status(settings)[0]


def test_a_stopped_refresh_is_no_fault_of_the_program(settings):
    with pytest.raises(KeyboardInterrupt), step(settings.record_file, "models"):
        raise KeyboardInterrupt
    failure = Record.load(settings.record_file).failure
    assert failure == Failure.of(KeyboardInterrupt())
    assert failure.exit_code == 130
    assert failure.message == "The refresh was stopped."
