"""Refreshes of the command, as Dagster's history has them."""

import dagster as dg
import duckdb
import pytest
import yaml

from orchestration.base.lock import only_refresh
from orchestration.base.record import STEPS, CheckOutcome, Failure, ModelOutcome, Record
from orchestration.base.settings import Settings
from orchestration.history import PUBLISHED, prepare_home, report_at_once, report_refresh
from orchestration.raw_zone.contract import load_contract
from tests.conftest import ROOT

MODELS = [
    ModelOutcome("marts", "kpi_daily", "ok", 12, 0.1),
    ModelOutcome("marts", "dim_date", "unchanged", None, 0.0),
    ModelOutcome("marts", "broken", "error", None, 0.0, "no such column"),
]
CHECKS = [
    CheckOutcome("not_null_id", "dbt", "marts.kpi_daily", "error", "pass", 0),
    CheckOutcome("is_fresh", "gx", "crm.leads", "warn", "warn", 3, "3 rows are old"),
    CheckOutcome("holds", "dbt", "marts.kpi_daily", "error", "fail", 2, "2 rows"),
    CheckOutcome("broke", "gx", "crm.leads", "warn", "error", None, "no such table"),
    CheckOutcome("later", "dbt", "marts.kpi_daily", "error", "skipped"),
    CheckOutcome("of_no_model", "dbt", "", "error", "pass"),
]


@pytest.fixture
def settings(tmp_path) -> Settings:
    """A data directory with a raw zone of one table in two files."""
    found = Settings(data_dir=tmp_path / "data")
    found.build_dir.mkdir(parents=True)
    with duckdb.connect(str(found.raw_zone_file)) as connection:
        connection.execute("create schema zone")
        connection.execute(
            "create table zone.files as select 'crm.leads' as table_name, file, 5 as rows "
            "from (values ('a'), ('b')) as t(file)"
        )
    return found


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def refresh(settings: Settings, **values) -> Record:
    """What a refresh leaves."""
    with only_refresh(settings) as run_id:
        record = Record.begin(settings.record_file, run_id)
        for name, value in {"models": MODELS, "checks": CHECKS, **values}.items():
            setattr(record, name, value)
        record.save(settings.record_file)
    return record


def published(settings: Settings) -> Record:
    return refresh(
        settings,
        finished_steps=list(STEPS),
        publication_id="20260301-1",
        dashboard=str(settings.dashboard_file),
        raw_dir="/exports",
    )


def latest(instance: dg.DagsterInstance, *path: str) -> dict | None:
    """The metadata of an asset's last materialization."""
    event = instance.get_latest_materialization_event(dg.AssetKey(path))
    found = event.asset_materialization if event else None
    return {name: it.value for name, it in found.metadata.items()} if found else None


def observed(instance: dg.DagsterInstance) -> list[dg.AssetObservation]:
    records = instance.fetch_observations(PUBLISHED, limit=10).records
    return [it.asset_observation for it in records if it.asset_observation]


def evaluations(instance: dg.DagsterInstance, *path: str) -> dict[str, tuple]:
    """Evaluated checks of an asset, as Dagster's own view of an asset counts them."""
    keys = [dg.AssetCheckKey(dg.AssetKey(path), check.name) for check in CHECKS]
    found = {}
    for key in keys:
        event = instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).get(key)
        if event is not None and event.event is not None:
            it = event.event.dagster_event.event_specific_data
            found[key.name] = (it.passed, it.severity.value)
    return found


def test_what_was_refreshed_is_materialized(settings, instance):
    record = published(settings)
    count = report_refresh(settings, instance)
    tables = load_contract(ROOT).tables
    # Raw tables, models that were built, checks of assets, the set, the page, and how it ended.
    assert count == len(tables) + 2 + 4 + 1 + 1 + 1
    mart = latest(instance, "marts", "kpi_daily")
    assert mart is not None
    assert (mart["dagster/row_count"], mart["refresh"]) == (12, record.run_id)
    assert latest(instance, "marts", "dim_date")["status"] == "unchanged"
    assert latest(instance, "marts", "broken") is None
    leads, deals = (latest(instance, "crm", name) for name in ("leads", "deals"))
    assert (leads["dagster/row_count"], leads["files"]) == (10, 2)
    assert (deals["dagster/row_count"], deals["files"]) == (0, 0)
    assert latest(instance, "published", "voronka")["publication_id"] == "20260301-1"
    assert latest(instance, "published", "dashboard")["file"] == str(settings.dashboard_file)


def test_checks_are_evaluated(settings, instance):
    published(settings)
    report_refresh(settings, instance)
    assert evaluations(instance, "marts", "kpi_daily") == {
        "not_null_id": (True, "ERROR"),
        "holds": (False, "ERROR"),
    }
    assert evaluations(instance, "crm", "leads") == {
        "is_fresh": (False, "WARN"),
        "broke": (False, "ERROR"),
    }


def test_a_refresh_is_told_once(settings, instance):
    published(settings)
    assert report_refresh(settings, instance) > 1
    assert report_refresh(settings, instance) == 0
    assert len(observed(instance)) == 1
    published(settings)
    assert report_refresh(settings, instance) > 1
    assert len(observed(instance)) == 2


def test_a_run_that_dagster_hosted_is_not_told_again(settings, instance):
    run = instance.create_run_for_job(dg.define_asset_job("j").resolve(asset_graph=graph()))
    with only_refresh(settings, run_id=run.run_id) as run_id:
        Record.begin(settings.record_file, run_id)
    assert report_refresh(settings, instance) == 0


def graph():
    @dg.asset
    def one() -> None: ...

    return dg.Definitions([one]).resolve_asset_graph()


def test_nothing_is_told_before_a_refresh_and_while_one_runs(settings, instance):
    assert report_refresh(settings, instance) == 0
    with only_refresh(settings) as run_id:
        Record.begin(settings.record_file, run_id)
        assert report_refresh(settings, instance) == 0


def test_a_failed_refresh_says_why_and_what_to_do(settings, instance):
    failure = Failure("2 checks failed.", "Correct the data.", ["holds: 2 rows"], 1)
    refresh(settings, failure=failure, finished_steps=["raw zone"])
    report_refresh(settings, instance)
    (found,) = observed(instance)
    assert found.description == "2 checks failed."
    assert (found.metadata["remedy"].value, found.metadata["details"].value) == (
        "Correct the data.",
        "holds: 2 rows",
    )
    assert latest(instance, "published", "voronka") is None
    assert latest(instance, "crm", "leads") is not None


def test_a_killed_refresh_is_told(settings, instance):
    with only_refresh(settings) as run_id:
        Record.begin(settings.record_file, run_id)
        holder = settings.holder_file.read_bytes()
    settings.holder_file.write_bytes(holder)
    assert report_refresh(settings, instance) == 1
    (found,) = observed(instance)
    assert found.description.startswith("The refresh was killed before its first step was done")


def test_a_refresh_is_told_at_once_where_dagster_has_a_home(settings, tmp_path, monkeypatch):
    prepare_home(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    published(settings)
    said: list[str] = []
    report_at_once(settings, said.append)
    with dg.DagsterInstance.get() as instance:
        assert latest(instance, "marts", "kpi_daily")["dagster/row_count"] == 12
        assert report_refresh(settings, instance) == 0
    assert said == []


def test_a_history_that_cannot_be_written_is_said_and_stops_nothing(
    settings, tmp_path, monkeypatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "missing"))
    published(settings)
    said: list[str] = []
    report_at_once(settings, said.append)
    (text,) = said
    assert text.startswith("Dagster's history does not have this refresh: ")
    assert len(text.splitlines()) == 1


def test_dagsters_home_opens_with_the_project_and_keeps_what_is_there(tmp_path):
    prepare_home(tmp_path / "new")
    state = yaml.safe_load((tmp_path / "new/dagster.yaml").read_text())
    assert (state["nux"], state["telemetry"]) == ({"enabled": False}, {"enabled": False})
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: true}")
    prepare_home(tmp_path)
    assert (tmp_path / "dagster.yaml").read_text() == "telemetry: {enabled: true}"
