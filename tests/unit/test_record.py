"""The record of a refresh: whose it is, and that it can be written where nothing else can."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.base.errors import ChecksFailed, DiskFull
from orchestration.base.record import STEPS, CheckOutcome, Failure, Record, step

CHECKS = [CheckOutcome(f"check {n}", "dbt", "marts.a", "error", "pass") for n in range(500)]


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """As on a full disk, writing fails: here whatever would make a file larger than this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The record of a refresh that has begun."""
    file = tmp_path / "build/refresh.json"
    Record.begin(file, "run 1")
    return file


def test_a_run_begins_with_nothing_of_the_one_before(path):
    with step(path, "raw zone") as record:
        record.merge_checks(CHECKS)
    before = Record.load(path)
    assert (before.run_id, len(before.checks)) == ("run 1", 500)
    assert Record.begin(path, "run 1") == before
    begun = Record.begin(path, "run 2")
    assert begun == Record.load(path)
    assert (begun.run_id, begun.checks, begun.finished_steps) == ("run 2", [], [])


def test_a_record_without_space_says_so_all_the_same(path):
    with pytest.raises(DiskFull) as full, no_file_beyond(20_000), step(path, "raw zone") as record:
        record.merge_checks(CHECKS)
    assert full.value.message == f"The disk is full: no space is left in {path.parent}."
    found = Record.load(path)
    assert (found.run_id, found.is_abridged, found.checks) == ("run 1", True, [])
    assert found.failure is not None and found.failure.message == full.value.message
    assert not list(path.parent.glob("*.tmp"))


def test_the_first_cause_is_told_where_the_disk_is_full_too(path):
    with (
        pytest.raises(DiskFull),
        no_file_beyond(20_000),
        step(path, "models") as record,
    ):
        record.merge_checks(CHECKS)
        raise ChecksFailed("3 checks failed.", "Correct the data.", ["я" * 2000] * 50)
    failure = Record.load(path).failure
    assert failure is not None
    assert (failure.message, failure.remedy) == ("3 checks failed.", "Correct the data.")
    assert failure.details == ["я" * 300] * 10


def test_steps_whose_checks_were_lost_have_to_be_run_again(path):
    with step(path, "raw zone"):
        pass
    with pytest.raises(DiskFull), no_file_beyond(20_000), step(path, "models") as record:
        record.merge_checks(CHECKS)
    with step(path, "metrics"):
        pass
    found = Record.load(path)
    assert (found.finished_steps, found.is_abridged) == (["metrics"], False)


def test_a_publication_that_stands_is_known_where_the_record_is_abridged(path):
    for name in STEPS:
        with step(path, name):
            pass
    record = Record.load(path)
    record.merge_checks(CHECKS)
    with pytest.raises(DiskFull), no_file_beyond(20_000):
        record.save(path)
    assert Record.load(path).is_published


def test_a_whole_record_takes_the_place_of_an_abridged_one(path):
    record = Record.load(path)
    record.merge_checks(CHECKS)
    with pytest.raises(DiskFull), no_file_beyond(20_000):
        record.save(path)
    record.failure = None
    record.save(path)
    found = Record.load(path)
    assert (found.is_abridged, len(found.checks), found.failure) == (False, 500, None)


def test_a_fault_that_is_no_full_disk_is_raised_as_it_is(tmp_path):
    (tmp_path / "build").write_text("no directory")
    with pytest.raises(FileExistsError):
        Record().save(tmp_path / "build/refresh.json")


def test_a_stopped_step_is_no_fault_of_the_program(path):
    with pytest.raises(KeyboardInterrupt), step(path, "models"):
        raise KeyboardInterrupt
    failure = Record.load(path).failure
    assert failure == Failure.of(KeyboardInterrupt())
    assert failure.exit_code == 130
    assert failure.message == "The refresh was stopped."
