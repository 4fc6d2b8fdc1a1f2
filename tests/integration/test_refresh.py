"""A small company from raw files to published marts, and everything that can go wrong after."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from orchestration.base.errors import BuildFailed, ChecksFailed
from orchestration.base.files import read_json
from orchestration.base.settings import Settings
from orchestration.expectations.step import check
from orchestration.expectations.suites import load_suites
from orchestration.models.dbt import load_manifest, read_manifest
from orchestration.models.step import build
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.step import take_in
from tests.conftest import (
    ROOT,
    Parsed,
    clean_environment,
    query,
    voronka,
    write_file,
    write_zone,
)

# Two managers, two leads, one won deal with two payments; a call that reaches a lead.
COMPANY = {
    "crm.managers": [
        {"manager_id": "m1", "full_name": "Анна Ким", "role": "lead_generator"},
        {"manager_id": "m2", "full_name": "Борис Лев", "role": "hunter"},
    ],
    "crm.sources": [{"source_id": "s1", "name": "Поиск", "channel": "yandex_direct"}],
    "crm.contacts": [
        {"contact_id": "c1", "name": "ООО «Ель»", "created_at": "2026-01-10", "source_id": "s1"}
    ],
    "crm.contact_phones": [{"contact_id": "c1", "phone": "8 (912) 000-11-22"}],
    "crm.pipelines": [{"pipeline_id": "p1", "name": "Продажи"}],
    "crm.stages": [
        {"stage_id": "st1", "pipeline_id": "p1", "name": "Новая", "position": 1, "kind": "open"},
        {"stage_id": "st2", "pipeline_id": "p1", "name": "Успех", "position": 2, "kind": "won"},
    ],
    "crm.leads": [
        {"lead_id": "l1", "contact_id": "c1", "manager_id": "m1", "created_at": "2026-01-12 09:00"},
        {"lead_id": "l2", "contact_id": "c1", "manager_id": "m1", "created_at": "2026-02-03 09:00"},
        {"lead_id": "l3", "contact_id": "c1", "manager_id": "m1", "created_at": "yesterday"},
    ],
    "crm.deals": [
        {
            "deal_id": "d1",
            "lead_id": "l1",
            "manager_id": "m2",
            "pipeline_id": "p1",
            "stage_id": "st2",
            "amount": "1000.50",
            "created_at": "2026-01-15 10:00",
            "closed_at": "2026-02-10 10:00",
        }
    ],
    "crm.payments": [
        {"payment_id": "y1", "deal_id": "d1", "paid_at": "2026-02-11", "amount": "600", "kind": k}
        for k in ("payment",)
    ]
    + [{"payment_id": "y2", "deal_id": "d1", "paid_at": "2026-02-28", "amount": "400.5",
        "kind": "payment"}],
    "telephony.calls": [
        {
            "call_id": "k1",
            "direction": "out",
            "to_number": "+7 912 000-11-22",
            "extension": "101",
            "started_at": "2026-01-12 09:30:00",
            "answered_at": "2026-01-12 09:30:05",
            "ended_at": "2026-01-12 09:32:05",
            "disposition": "ANSWERED",
            "talk_seconds": 120,
        }
    ],
    "telephony.extensions": [
        {"extension": "101", "valid_from": "2025-01-01", "manager_id": "m1"}
    ],
}  # fmt: skip


class Company:
    """A copy of the project with its own data, and the zone that it is refreshed from."""

    def __init__(self, directory: Path, parsed: Parsed) -> None:
        self.project = directory / "project"
        for part in ("dbt_project", "seeds/reference", "expectations"):
            shutil.copytree(ROOT / part, self.project / part)
        for part in ("dbt_project.yml", "profiles.yml", "requirements.lock"):
            shutil.copy(ROOT / part, self.project / part)
        self.raw = write_zone(directory / "raw", COMPANY)
        self.data = directory / "data"
        self.published = self.data / "published" / "voronka.duckdb"
        self.target = self.data / "build" / "target"
        self._parsed = parsed

    @property
    def env(self):
        return {
            "VORONKA_PROJECT_DIR": str(self.project),
            "VORONKA_DATA_DIR": str(self._parsed(self.data)),
            "VORONKA_RAW_DIR": str(self.raw),
        }

    def settings(self):
        return Settings(
            project_dir=self.project, data_dir=self._parsed(self.data), raw_dir=str(self.raw)
        )

    def run(self, *arguments):
        return voronka(*arguments, env=self.env)

    def state(self):
        """What readers see: it must not change when a refresh fails."""
        parquet = self.data / "published" / "parquet"
        return (self.published.stat().st_ino, os.readlink(parquet))

    def leftovers(self):
        return [path.name for path in self.data.rglob("*.tmp*")]


@pytest.fixture(scope="module")
def company(tmp_path_factory, parsed) -> Company:
    return Company(tmp_path_factory.mktemp("company"), parsed)


@pytest.fixture(scope="module")
def first(company):
    """The first refresh; another one is started while it runs."""
    running = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "refresh"],
        env={**clean_environment(), **company.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    holder = company.data / "refresh.holder.json"
    while not holder.exists() and running.poll() is None:
        time.sleep(0.05)
    second = company.run("refresh")
    out, err = running.communicate(timeout=400)
    return subprocess.CompletedProcess([], running.returncode, out, err), second


def test_the_small_company_is_published(company, first):
    done, _ = first
    assert (done.returncode, done.stderr) == (0, "")
    assert query(
        company.published,
        "select sum(revenue), sum(deals_won), sum(leads_created), sum(calls), sum(talk_seconds), "
        "sum(new_customers) from marts.kpi_daily",
    ) == [(pytest.approx(1000.5), 1, 2, 1, 120, 1)]
    assert query(company.published, "select manager_id, calls from marts.kpi_daily where calls > 0")
    assert query(company.published, "select as_of_date::varchar from quality.publication") == [
        ("2026-02-28",)
    ]
    assert query(company.published, "select lead_id, reasons from quarantine.crm_leads") == [
        ("l3", ["created_at: type"])
    ]


def test_the_summary_fits_a_screen_and_says_what_matters(company, first):
    out = first[0].stdout
    for text in (
        "11 files",
        "Revenue",
        "1 000",
        "created_at: type",
        "crm.leads",
        "as of 2026-02-28",
    ):
        assert text in out, text
    assert len(out.splitlines()) <= 60


def test_the_second_refresh_is_told_who_runs(first):
    _, second = first
    assert (second.returncode, second.stdout) == (2, "")
    assert "A refresh runs already: process" in second.stderr


def test_parquet_copies_hold_the_same_rows(company, first):
    import duckdb

    copy = company.data / "published/parquet/kpi_daily.parquet"
    rows = duckdb.sql(f"select * from '{copy}'").fetchall()
    assert rows == query(company.published, "select * from marts.kpi_daily")


def test_status_says_that_all_is_well(company, first):
    done = company.run("status")
    assert done.returncode == 0
    assert "The last refresh published." in done.stdout
    assert "crm.leads: created_at: type" in done.stdout


def test_dbt_unit_tests_pass(company, first):
    target = company.data / "build" / "unit_tests"
    target.mkdir()
    # What the refresh has parsed, so that dbt does not parse it again.
    shutil.copy(company.data / "build/target/partial_parse.msgpack", target)
    done = subprocess.run(
        [
            sys.executable, "-m", "dbt.cli.main", "test", "--select", "test_type:unit",
            "--project-dir", company.project, "--profiles-dir", company.project,
            "--target-path", target, "--log-path", target, "--no-use-colors",
        ],
        env={**clean_environment(), **company.env},
        cwd=company.project,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    written = len(read_manifest(target)["unit_tests"])
    assert written > 100
    passed = [it for it in _results(target, "unit_test") if it["status"] == "pass"]
    assert len(passed) == written


def test_one_model_can_be_built_by_itself(company, first):
    """As somebody materializes it on Dagster's page."""
    settings = company.settings()
    results = build(settings, load_manifest(settings), ["--select", "dim_source"])
    asked = {result.unique_id.split(".")[2] for result in results}
    assert "dim_source" in asked and "dim_manager" not in asked
    assert all(result.status in ("success", "pass") for result in results)


def test_a_truncated_file_stops_before_anything_is_touched(company, first):
    before = company.state()
    whole = company.raw / "crm/leads/2026-03-01.parquet"
    cut = company.raw / "crm/leads/2026-03-02.parquet"
    cut.write_bytes(whole.read_bytes()[:300])
    try:
        done = company.run("refresh")
        doctor = company.run("doctor")
    finally:
        cut.unlink()
    assert done.returncode == 2
    assert "crm.leads: crm/leads/2026-03-02.parquet: is not a whole Parquet file" in done.stderr
    assert (doctor.returncode, "2026-03-02.parquet" in doctor.stdout) == (2, True)
    assert company.state() == before


def test_a_missing_required_column_stops_and_status_remembers(company, first):
    before = company.state()
    build = company.data / "build/voronka_build.duckdb"
    built = build.stat()
    bad = write_file(company.raw / "crm/deals/2026-03-02.parquet", [{"deal_id": "d9"}])
    try:
        done = company.run("refresh", "--full")
    finally:
        bad.unlink()
    assert done.returncode == 2
    assert build.stat() == built
    for column in ("created_at", "pipeline_id", "stage_id"):
        assert f"crm.deals: column {column} is missing in crm/deals/2026-03-02.parquet" in (
            done.stderr
        )
    assert done.stderr.count("column") >= 3
    assert company.state() == before
    status = company.run("status")
    assert status.returncode == 1
    assert "did not publish" in status.stdout


def write_failing_test(company):
    """A test of dbt's that this company fails."""
    test = company.project / "dbt_project/tests/singular/no_revenue_at_all.sql"
    test.parent.mkdir(parents=True, exist_ok=True)
    test.write_text("select * from {{ ref('kpi_daily') }} where revenue > 0")
    return test


def write_failing_suite(company):
    """A suite of Great Expectations that it fails."""
    suite = company.project / "expectations/marts/dim_manager.yml"
    suite.write_text(
        "meta: {table: marts.dim_manager}\nexpectations:\n"
        "  - type: expect_table_row_count_to_equal\n    kwargs: {value: 77}\n"
        "    severity: critical\n    meta: {name: there_are_77}\n"
    )
    return suite


def write_broken_model(company):
    """A model that runs into an error, and its YAML."""
    model = company.project / "dbt_project/models/intermediate/int_broken.sql"
    model.write_text("select error('a bug') as column_of from {{ ref('kpi_daily') }} limit 1")
    model.with_suffix(".yml").write_text("models: [{name: int_broken, description: Broken.}]")
    return model


def test_dbts_failures_stop_the_step_and_leave_their_sql(company, first):
    """By themselves on what is built; test_acceptance.py has a whole refresh that is stopped."""
    settings = company.settings()
    test, model = write_failing_test(company), write_broken_model(company)
    try:
        manifest = load_manifest(settings)
        with pytest.raises(ChecksFailed) as failed:
            build(settings, manifest, ["--select", "no_revenue_at_all"])
        # The SQL that finds the rows is written for who looks for them.
        compiled = [path.name for path in company.target.rglob("compiled/**/*.sql")]
        with pytest.raises(BuildFailed) as broken:
            build(settings, manifest, ["--select", "int_broken"])
    finally:
        test.unlink()
        model.unlink()
        model.with_suffix(".yml").unlink()
    assert "no_revenue_at_all" in str(failed.value)
    assert "no_revenue_at_all.sql" in compiled
    assert "dbt could not build intermediate.int_broken" in str(broken.value)
    assert "a bug" in str(broken.value)
    (ran,) = company.target.rglob("run/**/int_broken.sql")
    assert "create or replace table" in ran.read_text()


def test_a_failing_expectation_stops_the_step(company, first):
    """As above; that a mart disagrees with the metrics layer, test_metrics.py."""
    settings = company.settings()
    suite = write_failing_suite(company)
    try:
        with pytest.raises(ChecksFailed) as failed:
            check(settings, load_contract(settings.root), load_suites(suite.parents[1]))
    finally:
        suite.unlink()
    assert "there_are_77" in str(failed.value)


MOVED = "schema: marts\n      materialized: view"


def test_a_changed_project_is_built_from_nothing_and_what_is_published_stays(company, first):
    """So a model that moves or becomes a view is there once: each night a test moves one."""
    before = company.state()
    project = company.project / "dbt_project/models/quality/key_clashes.yml"
    as_it_was = project.read_text()
    copied = company.data.with_name("copied")
    shutil.copytree(company.data, copied, symlinks=True)
    settings = company.settings().model_copy(update={"data_dir": copied})
    contract = load_contract(settings.root)
    take_in(settings, contract)
    assert all(file.exists() for file in settings.build_files)
    project.write_text(as_it_was.replace("schema: quality", MOVED))
    try:
        take_in(settings, contract)
    finally:
        project.write_text(as_it_was)
    assert not any(file.exists() for file in settings.build_files)
    assert settings.published_file.exists()
    shutil.rmtree(copied)
    assert company.state() == before


def test_a_stopped_refresh_says_so_and_leaves_what_is_published(company, first):
    before = company.state()
    running = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "refresh", "--full"],
        env={**clean_environment(), **company.env},
        stderr=subprocess.PIPE,
        text=True,
    )
    record = company.data / "build/refresh.json"
    record.unlink()
    while "raw zone" not in read_json(record).get("phases", {}) and running.poll() is None:
        time.sleep(0.05)
    assert "A refresh runs, since" in company.run("status").stdout
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=100)
    assert running.returncode == 130
    # Two lines, and nothing of Python after them.
    assert said.splitlines() == [
        "✗ The refresh was stopped.",
        "→ What was published stays as it was; `voronka refresh` goes on from there.",
    ]
    assert company.state() == before
    status = company.run("status")
    assert (status.returncode, "The refresh was stopped" in status.stdout) == (1, True)


@pytest.mark.nightly
def test_a_failing_check_keeps_the_last_good_version(company, first):
    before = company.state()
    test, suite = write_failing_test(company), write_failing_suite(company)
    leads = company.project / "dbt_project/models/semantic/models/leads.yml"
    semantic_models = leads.read_text()
    counted = '{name: leads_created, agg: sum, expr: "1"}'
    assert counted in semantic_models
    try:
        by_dbt = company.run("refresh")
        compiled = [path.name for path in company.target.rglob("compiled/**/*.sql")]
        test.unlink()
        by_gx = company.run("refresh")
        leads.write_text(semantic_models.replace(counted, counted.replace('"1"', '"2"')))
        by_metrics = company.run("refresh")
    finally:
        test.unlink(missing_ok=True)
        suite.unlink()
        leads.write_text(semantic_models)
    assert by_dbt.returncode == 1
    assert "no_revenue_at_all" in by_dbt.stderr
    # The SQL that finds the rows is written for who looks for them.
    assert "no_revenue_at_all.sql" in compiled
    assert by_gx.returncode == 1
    assert "there_are_77" in by_gx.stderr
    assert by_metrics.returncode == 1
    assert "Marts and metrics layer disagree" in by_metrics.stderr
    assert (
        "leads_created by day, date_day 2026-01-12, manager_id m1, source_id s1: marts.kpi_daily "
        "has 1, the metrics layer 2"
    ) in " ".join(by_metrics.stderr.split())
    assert company.state() == before
    # The next set was being drafted while the last checks failed.
    assert company.leftovers() == []


@pytest.mark.nightly
def test_a_model_that_fails_leaves_the_sql_that_ran(company, first):
    before = company.state()
    model = write_broken_model(company)
    try:
        done = company.run("refresh")
    finally:
        model.unlink()
        model.with_suffix(".yml").unlink()
    assert done.returncode == 1
    assert "dbt could not build intermediate.int_broken" in done.stderr
    assert "a bug" in done.stderr
    (ran,) = company.target.rglob("run/**/int_broken.sql")
    assert "create or replace table" in ran.read_text()
    assert company.state() == before


@pytest.mark.nightly
def test_a_model_that_moves_or_becomes_a_view_is_there_once(company, first):
    found = (
        "select schema_name, 'table' from duckdb_tables() where table_name = 'key_clashes' "
        "union all "
        "select schema_name, 'view' from duckdb_views() where view_name = 'key_clashes'"
    )
    build = company.data / "build/voronka_marts.duckdb"
    project = company.project / "dbt_project/models/quality/key_clashes.yml"
    as_it_was = project.read_text()
    moved = as_it_was.replace("schema: quality", MOVED)
    assert moved != as_it_was
    rows = query(company.published, "from quality.key_clashes order by all")
    project.write_text(moved)
    try:
        assert company.run("refresh").returncode == 0
    finally:
        project.write_text(as_it_was)
    assert query(build, found) == [("marts", "view")]
    assert query(company.published, "from marts.key_clashes order by all") == rows
    assert company.run("refresh").returncode == 0
    assert query(build, found) == [("quality", "table")]
    assert query(company.published, "from quality.key_clashes order by all") == rows


def test_a_killed_refresh_leaves_the_published_file_and_the_next_one_works(company, first):
    before = company.state()
    running = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "refresh", "--full"],
        env={**clean_environment(), **company.env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    record = company.data / "build/refresh.json"
    of_before = read_json(record)["run_id"]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        # In the middle of dbt's work: the raw zone is done, the models are not.
        now = read_json(record)
        if now["run_id"] != of_before and now["finished_steps"] == ["raw zone"]:
            break
        time.sleep(0.1)
    time.sleep(1)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert company.state() == before
    status = company.run("status")
    killed = f"The refresh was killed after the step raw zone: process {running.pid} on "
    assert (status.returncode, killed in status.stdout) == (1, True)
    # A read-only zone with one more file: the refresh after a crash also sees what came.
    write_file(
        company.raw / "crm/leads/2026-03-02.parquet",
        [{"lead_id": "l4", "manager_id": "m1", "created_at": "2026-02-04"}],
    )
    for path in [company.raw, *company.raw.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        done = company.run("refresh")
    finally:
        for path in [company.raw, *company.raw.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"The one before: {killed}"[:70] in done.stdout
    assert company.state() != before
    assert query(company.published, "select count(*) from marts.fct_leads") == [(3,)]
    assert company.leftovers() == []


def test_a_refresh_without_news_keeps_every_table_unless_all_is_asked_for(company, first):
    assert company.run("refresh").returncode == 0
    rows = query(company.published, "from marts.kpi_daily")
    results = company.data / "build/target/run_results.json"
    built = results.stat().st_mtime_ns

    again = company.run("refresh")
    assert again.returncode == 0
    assert "no new files" in again.stdout
    # One look at what everything was made of: dbt is not even asked.
    assert results.stat().st_mtime_ns == built
    assert query(company.published, "from marts.kpi_daily") == rows

    # So are the scorecards, the comparison, the published set itself and its page.
    published = "select publication_id from quality.publication"
    before = query(company.published, published)
    page = company.published.with_name("dashboard.html")
    written = page.stat().st_mtime_ns
    once_more = company.run("refresh")
    assert "Unchanged, published on" in once_more.stdout
    assert "not touched" in once_more.stdout
    assert query(company.published, published) == before
    assert page.stat().st_mtime_ns == written
    assert "The last refresh found nothing new" in company.run("status").stdout
    page.write_text("mine")
    assert company.run("refresh").returncode == 0
    assert page.stat().st_size > 100_000
    # dbt was asked, and found that no large table follows a change.
    record = read_json(company.data / "build/refresh.json")
    assert "unchanged" in {model["status"] for model in record["models"]}
    assert query(company.published, published) == before
    assert {it["status"] for it in record["checks"] if it["kind"] == "dbt"} == {"pass"}

    assert company.run("refresh", "--full").returncode == 0
    assert query(company.published, published) != before
    record = read_json(company.data / "build/refresh.json")
    assert "unchanged" not in {model["status"] for model in record["models"]}
    assert query(company.published, "from marts.kpi_daily") == rows


# By day: test_publication.py, a Parquet file that is gone.
@pytest.mark.nightly
def test_a_published_file_that_is_gone_is_written_again(company, first):
    assert company.run("refresh").returncode == 0
    rows = query(company.published, "from marts.kpi_daily")
    published = "select publication_id from quality.publication"
    before = query(company.published, published)
    parquet = company.published.parent / "parquet" / "kpi_daily.parquet"
    parquet.unlink()
    healed = company.run("refresh")
    assert healed.returncode == 0, healed.stderr
    assert "Unchanged" not in healed.stdout
    assert query(company.published, published) != before
    assert len(duckdb.sql(f"from '{parquet}'").fetchall()) == len(rows)


def _results(target, kind):
    """What dbt says of the models or tests of its last run, in the folder that it wrote to."""
    text = (target / "run_results.json").read_text()
    return [it for it in json.loads(text)["results"] if it["unique_id"].startswith(f"{kind}.")]
