"""Zones that are empty or bad all through, and the same zone in another order."""

import hashlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import ROOT, Parsed, query, voronka, write_file, write_zone


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("odd")


@pytest.fixture(scope="module")
def refresh(place: Path, parsed: Parsed) -> Callable[..., tuple[Any, Path]]:
    """Refreshes one data directory from any zone; what the command said, and what is published."""

    def run(raw: Path, *arguments: str, **env: str) -> tuple[Any, Path]:
        done = voronka(
            *("refresh", "--raw-dir", raw, *arguments),
            env={"VORONKA_DATA_DIR": str(parsed(place / "data")), **env},
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done, place / "data/published/voronka.duckdb"

    return run


def test_an_empty_zone_makes_empty_marts(place, refresh):
    (place / "empty").mkdir()
    done, file = refresh(place / "empty")
    assert "the zone is empty" in done.stdout
    assert query(file, "select as_of_date, raw_files, raw_rows from quality.publication") == [
        (None, 0, 0)
    ]
    assert query(file, "select count(*) from marts.kpi_daily") == [(0,)]
    assert query(file, "select manager_id from marts.dim_manager") == [("unknown",)]


@pytest.fixture(scope="module")
def odd_rows(place, refresh) -> Path:
    """What is published of a zone whose leads are all bad, with a deal of long ago."""
    raw = write_zone(
        place / "odd_rows",
        {
            "crm.leads": [
                {"lead_id": None, "created_at": "2026-01-01"},
                {"lead_id": "l2", "created_at": "soon"},
                {"lead_id": "l3", "created_at": "1969-12-31"},
                {"lead_id": "l4", "created_at": None},
            ],
            "crm.managers": [{"manager_id": "m1", "full_name": "Анна"}],
            "crm.pipelines": [{"pipeline_id": "p", "name": "Sales"}],
            "crm.stages": [
                {
                    "stage_id": "won",
                    "pipeline_id": "p",
                    "name": "Won",
                    "position": 1,
                    "kind": "won",
                }
            ],
            "crm.deals": [
                {
                    "deal_id": "d1",
                    "pipeline_id": "p",
                    "stage_id": "won",
                    "created_at": "2026-02-01T10:00:00Z",
                    "updated_at": "2001-01-01T10:00:00Z",
                }
            ],
        },
    )
    _, file = refresh(raw)
    return file


def test_a_table_of_bad_rows_is_quarantined_as_a_whole(odd_rows):
    assert query(
        odd_rows, "select lead_id, reasons from quarantine.crm_leads order by reasons, lead_id"
    ) == [
        ("l3", ["created_at: range"]),
        ("l4", ["created_at: required"]),
        ("l2", ["created_at: type"]),
        (None, ["lead_id: required"]),
    ]
    assert query(odd_rows, "select count(*) from marts.fct_leads") == [(0,)]
    assert query(odd_rows, "select count(*) from marts.dim_manager") == [(2,)]


def test_a_deal_that_closed_at_its_last_change_long_ago_has_its_days(odd_rows):
    assert query(
        odd_rows,
        """select kpi.date_day::varchar, kpi.deals_won, dates.is_working_day
           from marts.kpi_daily as kpi
           inner join marts.dim_date as dates using (date_day)
           where kpi.deals_won > 0""",
    ) == [("2001-01-01", 1, True)]
    assert query(
        odd_rows, "select count(*) from marts.kpi_company_period where period_grain = 'month'"
    ) == [(302,)]


# By day: test_reference.py (rows in random order have the marts that their set has) and
# test_publication.py (the same rows in any order have the same bytes).
@pytest.mark.nightly
@pytest.mark.parametrize(("seed", "threads"), [(2, "4"), (1, "1")])
def test_the_same_rows_give_the_same_bytes_in_any_order_of_files_and_threads(
    place, refresh, demo_publication, seed, threads
):
    """The demo was published in its own order, by two threads."""
    raw = shuffled(ROOT / "seeds/demo/raw", place / f"demo-{seed}", seed)
    shutil.rmtree(place / "data/published", ignore_errors=True)
    _, file = refresh(raw, "--full", VORONKA_THREADS=threads)
    expected = digests(demo_publication.with_name("parquet"))
    assert len(expected) > 20
    assert digests(file.with_name("parquet")) == expected


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.parquet")
        if path.is_file()
    }


def shuffled(demo: Path, target: Path, seed: int) -> Path:
    """The demo with the rows of each file, and the files of each table, in another order."""
    tables = {path.parent.relative_to(demo) for path in demo.rglob("*.parquet")}
    for table in sorted(tables):
        files = sorted((demo / table).glob("*.parquet"))
        for number, file in enumerate(files):
            rows = duckdb.sql(f"select * from '{file}'").arrow().read_all()
            order = list(range(rows.num_rows))
            random.Random(f"{seed}{file}").shuffle(order)
            name = f"{number if seed == 1 else len(files) - number:04}.parquet"
            path = target / table / name
            path.parent.mkdir(parents=True, exist_ok=True)
            import pyarrow.parquet as pq

            pq.write_table(rows.take(order), path)
    return target


# By day: test_acceptance.py (nothing comes), test_broken_zones.py and test_publication.py (half).
@pytest.mark.nightly
def test_a_set_never_gives_way_to_an_empty_one_or_to_half_of_it(tmp_path, parsed):
    def run(rows: int, *arguments: str):
        shutil.rmtree(raw, ignore_errors=True)
        write_zone(raw, {"crm.leads": leads[:rows]} if rows else {})
        (raw / "crm/leads").mkdir(parents=True, exist_ok=True)
        (raw / "crm/leads/leads.csv").write_text("lead_id;created_at")
        env = {"VORONKA_DATA_DIR": str(parsed(data))}
        return voronka("refresh", "--raw-dir", raw, *arguments, env=env)

    raw, data = tmp_path / "raw", tmp_path / "data"
    leads = [{"lead_id": f"l{number}", "created_at": "2026-02-01"} for number in range(40)]
    count = "select count(*) from marts.fct_leads"
    assert run(40).returncode == 0
    done = run(0)
    assert done.returncode == 1
    assert "has no row; what lies there is not read: 1 CSV file." in done.stderr
    assert "What is published was made from 40 raw rows and stays." in done.stderr
    assert "crm/leads/leads.csv is no Parquet file: ignored" in done.stderr
    done = run(19)
    assert done.returncode == 1
    assert "marts.fct_leads: 19 rows, 40 before" in done.stderr
    assert query(data / "published/voronka.duckdb", count) == [(40,)]
    assert run(19, "--accept-shrink").returncode == 0
    assert query(data / "published/voronka.duckdb", count) == [(19,)]


def test_a_broken_zone_is_refused_by_name_and_doctor_is_not_ready(tmp_path):
    raw = write_zone(tmp_path / "raw", {"crm.managers": [{"manager_id": "m1", "full_name": "A"}]})
    os.mkfifo(raw / "crm/managers/pipe.parquet")
    (raw / "crm/managers/empty.parquet").touch()
    env = {"VORONKA_DATA_DIR": str(tmp_path / "data")}
    done = voronka("refresh", "--raw-dir", raw, env=env)
    seen = voronka("doctor", "--raw-dir", raw, env=env)
    assert (done.returncode, seen.returncode) == (2, 2)
    assert not (tmp_path / "data/published").exists()
    for text in (done.stderr, seen.stdout):
        assert "crm/managers/pipe.parquet: is a named pipe, not a file" in text
        assert "crm/managers/empty.parquet: is empty: it has 0 bytes" in text
        assert "Traceback" not in text
    assert "Ready" not in seen.stdout


def test_a_zone_that_is_not_there_is_wrong_use(place):
    done = voronka(
        "refresh", "--raw-dir", place / "nowhere", env={"VORONKA_DATA_DIR": str(place / "data")}
    )
    assert done.returncode == 2
    assert "There is no raw zone at" in done.stderr


def test_a_data_directory_that_cannot_be_made_is_wrong_use(place):
    (place / "file").write_text("")
    done = voronka("refresh", env={"VORONKA_DATA_DIR": str(place / "file" / "data")})
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_an_unknown_option_is_wrong_use(place):
    done = voronka("refresh", "--rawdir", place, env={})
    assert done.returncode == 2


def test_help_names_the_commands_and_exit_codes():
    done = voronka("--help", env={})
    assert done.returncode == 0
    for text in ("refresh", "status", "doctor", "Exit codes", "VORONKA_RAW_DIR"):
        assert text in done.stdout


def test_status_without_a_publication(tmp_path):
    done = voronka("status", env={"VORONKA_DATA_DIR": str(tmp_path)})
    assert done.returncode == 1
    assert "Run `voronka refresh`" in done.stdout


def test_doctor_reports_drift_and_missing_values_without_loading(tmp_path):
    raw = write_zone(
        tmp_path / "raw",
        {"crm.leads": [{"lead_id": "", "created_at": "2026-01-01", "colour": 1}]},
    )
    write_file(raw / "crm/ghosts/1.parquet", [{"id": "1"}])
    data = tmp_path / "data"
    env = {"VORONKA_DATA_DIR": str(data), "VORONKA_RAWDIR": "misspelt"}
    done = voronka("doctor", "--raw-dir", raw, env=env)
    assert done.returncode == 0, done.stdout
    assert "VORONKA_RAWDIR is no setting and is ignored" in done.stdout
    assert "column colour (BIGINT) in 1 file is ignored" in done.stdout
    assert "crm.leads: lead_id is missing in 1 of 1" in done.stdout
    assert not data.exists()
