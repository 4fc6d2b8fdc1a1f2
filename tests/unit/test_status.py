"""What `voronka status` says, from the files that a refresh leaves."""

import os
import socket
from io import StringIO

import duckdb
import pytest
from rich.console import Console

from orchestration.base.errors import ContractBroken, DiskFull, Problem
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
    found = Settings(data_dir=tmp_path / "data")
    found.build_dir.mkdir(parents=True)
    unit.build(found)
    with duckdb.connect(str(found.raw_zone_file)) as connection:
        connection.execute(unit.RAW_ZONE)
    done = publish(found, [unit.FACTS, unit.BAD], unit.checked(), "1")
    page = f'<meta name="publication" content="{done.publication_id}">'
    found.dashboard_file.write_text(page)
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


def kill(settings: Settings, **values) -> Record:
    """Leave what a killed refresh leaves: its name as the holder of a lock that is free."""
    with only_refresh(settings) as run_id:
        record = Record.begin(settings.record_file, run_id)
        for name, value in values.items():
            setattr(record, name, value)
        record.save(settings.record_file)
        me = settings.holder_file.read_bytes()
    settings.holder_file.write_bytes(me)
    return record


def test_a_killed_refresh_is_told(settings):
    kill(settings, finished_steps=["raw zone", "models"])
    is_good, text = status(settings)
    assert not is_good
    assert "did not publish:" in text
    assert f"The refresh was killed after the step models: process {os.getpid()} on " in text
    assert "VORONKA_MEMORY" in text


def test_a_refresh_that_was_killed_while_it_wrote_the_page_has_published(settings):
    settings.dashboard_file.write_text('<meta name="publication" content="an older one">')
    kill(settings, finished_steps=DONE)
    is_good, text = status(settings)
    assert not is_good
    assert f"The dashboard is older than the figures: {settings.dashboard_file}." in text
    assert "Run `voronka dashboard`, which writes it anew." in text
    assert "published, but did not come to its end:" in text
    assert "The refresh was killed after it had published" in text


def test_a_page_of_the_published_figures_is_well(settings):
    remember(settings, finished_steps=DONE)
    assert status(settings)[0]
    settings.dashboard_file.unlink()
    is_good, text = status(settings)
    assert (is_good, f"There is no dashboard: {settings.dashboard_file}." in text) == (False, True)
    remember(settings, finished_steps=DONE, dashboard_failure="No space left on device")
    assert ".html. No space left on device\n" in status(settings)[1]


def test_a_page_is_not_judged_while_a_refresh_may_write_it(settings):
    settings.dashboard_file.unlink()
    with only_refresh(settings):
        assert "dashboard" not in status(settings)[1]


@pytest.mark.parametrize("task", ["refresh", "dbt build"])
def test_a_running_refresh_is_no_failed_one(settings, task):
    with only_refresh(settings, task):
        remember(settings)
        is_good, text = status(settings)
    said = "A refresh" if task == "refresh" else "`dbt build`"
    assert is_good and f"{said} runs, since 20" in text
    assert f": process {os.getpid()} on {socket.gethostname()}." in text
    assert not status(settings)[0]


def test_a_run_of_some_steps_is_no_killed_one(settings):
    remember(settings, finished_steps=["raw zone", "models"])
    is_good, text = status(settings)
    assert not is_good
    assert "Only some of its steps were run: raw zone, models." in text


def test_a_full_disk_is_said_after_the_command_has_ended(settings):
    """Where there was space for the record, and where there was none for a word."""
    remember(settings, failure=Failure.of(DiskFull.of(settings.data)))
    is_good, text = status(settings)
    assert not is_good
    assert f"The disk is full: no space is left in {settings.data}." in text
    settings.record_file.unlink()
    settings.holder_file.write_bytes(b"")
    is_good, text = status(settings)
    assert not is_good
    assert "The last refresh could not begin:" in text and "The disk is full" in text
