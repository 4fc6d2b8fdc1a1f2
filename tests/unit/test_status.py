"""What `voronka status` says, from the files that a refresh leaves."""

import json
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
from orchestration.models.dbt import PublishedModel
from orchestration.publication.publish import publish
from orchestration.publication.published import read_published
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
    ("is_unchanged", "said"),
    [(False, "The last refresh published."), (True, "The last refresh found nothing new, 20")],
)
def test_all_is_well(settings, is_unchanged, said):
    remember(settings, finished_steps=DONE, is_publication_unchanged=is_unchanged)
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
    assert "Run `voronka dashboard`, which rewrites it." in text
    assert "published, but did not come to its end:" in text
    assert "The refresh was killed after it had published" in text


def test_a_refresh_that_was_killed_between_its_publication_and_the_record_has_published(settings):
    kill(settings, finished_steps=DONE[:-1], started_at="2020-01-01T00:00:00+00:00")
    is_good, text = status(settings)
    assert not is_good
    assert "published, but did not come to its end:" in text
    assert "The refresh was killed after the step expectations" in text


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


def add(settings: Settings, sql: str) -> None:
    """Publish a build with more in it."""
    with duckdb.connect(str(settings.marts_file)) as connection:
        connection.execute(sql)
    publish(settings, [unit.FACTS, unit.BAD, MONEY], unit.checked(), "1")


MONEY = PublishedModel("quality", "unpriced_money", ("figure", "currency"), "Money.", {})
UNPRICED = """
    create schema quality;
    create table quality.unpriced_money as
    select 'revenue' as figure, 'USD' as currency, 4::bigint as rows, 3::bigint as rows_unpriced,
        date '2026-02-05' as first_unpriced_on
"""
TWO_REASONS = """
    create or replace view quarantine.crm_things as
    select 'x' as thing_id, ['amount: range', 'paid_at: type'] as reasons
    union all select 'y', ['amount: range']
"""


def test_rows_in_quarantine_are_rows_and_their_reasons_stand_beside_them(settings):
    add(settings, UNPRICED + ";" + TWO_REASONS)
    published = read_published(settings.published_file)
    assert published.rows_quarantined == 2
    assert [(it.reason, it.rows) for it in published.quarantine] == [
        ("amount: range", 2),
        ("paid_at: type", 1),
    ]
    _, text = status(settings)
    assert "quarantine 2 rows, for 2 reasons" in text


def test_one_row_is_one_row(settings):
    assert "quarantine 1 row, for 1 reason\n" in status(settings)[1]


def test_money_without_a_rate_is_said(settings):
    assert "money " not in status(settings)[1]
    add(settings, UNPRICED)
    assert (
        "money      revenue lacks 3 of 4 payments (75.0%): no rate of USD (3 rows), "
        "first on 2026-02-05" in status(settings)[1]
    )


def test_a_record_of_an_older_version_is_still_read(settings):
    remember(settings, finished_steps=DONE)
    written = json.loads(settings.record_file.read_text())
    del written["is_publication_unchanged"]
    settings.record_file.write_text(json.dumps({**written, "is_publication_kept": True}))
    assert "The last refresh found nothing new" in status(settings)[1]
