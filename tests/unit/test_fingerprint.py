"""One look that says whether anything is new since the last good refresh."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.base.record import ERROR, STEPS, CheckOutcome, Failure, Record
from orchestration.base.settings import Settings
from orchestration.fingerprint import save_fingerprint, unchanged
from tests.conftest import ROOT, write_zone

GOOD = {"finished_steps": list(STEPS), "publication_id": "1"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data directory as a good refresh leaves it."""
    write_zone(tmp_path / "raw", {"crm.leads": [{"lead_id": "1", "created_at": "2026-03-01"}]})
    found = Settings(project_dir=ROOT, data_dir=tmp_path / "data", raw_dir=str(tmp_path / "raw"))
    for file in (found.published_file, found.dashboard_file, *found.build_files, found.record_file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    save_fingerprint(found, Record(**GOOD))
    return found


def test_nothing_is_new_right_after_a_good_refresh(settings):
    assert unchanged(settings) is not None


def test_a_raw_file_is_news_and_so_is_what_a_refresh_would_name(settings):
    raw = Path(settings.raw_zone)
    (raw / "crm/leads/notes.csv").write_text("x")
    assert unchanged(settings) is None
    save_fingerprint(settings, Record(**GOOD))
    (raw / "crm/leads/2026-03-01.parquet").touch()
    assert unchanged(settings) is None


@pytest.mark.parametrize("name", ["published_file", "dashboard_file", "build_file", "marts_file"])
def test_an_output_that_somebody_changed_is_made_again(settings, name):
    getattr(settings, name).write_text("{ }")
    assert unchanged(settings) is None


@pytest.mark.parametrize(
    "change",
    [
        {"dbt_vars": {"churn_days": 60}},
        {"postgres_url": "postgresql://u:p@localhost/db"},
        {"max_file_rows": 5},
        {"raw_dir": "elsewhere"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_settings_are_news(settings, change):
    given = {"project_dir": ROOT, "data_dir": settings.data, "raw_dir": settings.raw_zone}
    assert unchanged(Settings(**{**given, **change})) is None


@pytest.mark.parametrize(
    "record",
    [
        Record(finished_steps=list(STEPS[:-1])),
        Record(**GOOD, failure=Failure("it broke", "", [], 1)),
        Record(**GOOD, dashboard_failure="no browser"),
        Record(**GOOD, checks=[CheckOutcome("c", "gx", "a.b", "warn", ERROR)]),
    ],
    ids=["unpublished", "failed", "no page", "a check that broke"],
)
def test_a_refresh_that_was_not_all_good_is_tried_again(settings, record):
    settings.refresh_cache.unlink()
    save_fingerprint(settings, record)
    assert unchanged(settings) is None


def test_no_password_stands_in_the_data_directory(settings):
    given = {"project_dir": ROOT, "data_dir": settings.data, "raw_dir": settings.raw_zone}
    save_fingerprint(
        Settings(**given, postgres_url="postgresql://u:s3cret@localhost/db"), Record(**GOOD)
    )
    assert "s3cret" not in settings.refresh_cache.read_text()
