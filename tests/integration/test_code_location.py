"""Dagster loads the project as it is, with no configuration."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, clean_environment, write_zone


@pytest.fixture(scope="module")
def settings(tmp_path_factory, parsed):
    from orchestration.base.settings import Settings

    return Settings(project_dir=ROOT, data_dir=parsed(tmp_path_factory.mktemp("code") / "data"))


@pytest.fixture(scope="module")
def definitions(settings):
    from orchestration.defs.build import build_definitions

    return build_definitions(settings)


def test_the_code_location_loads_without_configuration(tmp_path):
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "dagster"), "definitions", "validate"],
        env={**clean_environment(), "VORONKA_DATA_DIR": str(tmp_path), "DAGSTER_HOME": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_variable_is_said_in_one_line(tmp_path):
    """Dagster adds where it was raised: the code location's own line, and nothing beyond it."""
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "dagster"), "definitions", "validate"],
        env={
            **clean_environment(),
            "VORONKA_DATA_DIR": str(tmp_path),
            "VORONKA_DBT_VARS": '{"reporting_timezone": "MSK"}',
            "DAGSTER_HOME": "",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert (
        "WrongUse: reporting_timezone is 'MSK': there is no such time zone; "
        "write for example Europe/Moscow." in said
    )
    assert "DagsterInvalidDefinitionError" not in said
    assert said.count('  File "') == 1, said


def test_there_is_a_way_from_every_raw_table_to_the_published_file(definitions):
    import dagster as dg

    graph = definitions.resolve_asset_graph()
    published = dg.AssetKey(["published", "voronka"])
    upstream = graph.get_ancestor_asset_keys(published)
    raw = {key for key in graph.materializable_asset_keys if graph.get(key).group_name == "raw"}
    assert dg.AssetKey(["telephony", "calls"]) in raw
    assert raw <= upstream


def test_every_dbt_test_and_expectation_is_an_asset_check(definitions, settings):
    from orchestration.expectations.suites import load_suites
    from orchestration.models.dbt import load_manifest

    graph = definitions.resolve_asset_graph()
    names = {key.name for key in graph.asset_check_keys}
    for suite in load_suites(ROOT / "expectations"):
        assert {expectation.name for expectation in suite.expectations} <= names
    manifest = load_manifest(settings)
    tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    assert tests <= names


def test_schedules_and_sensors_are_off_and_in_the_companys_time(definitions):
    import dagster as dg

    schedules = {schedule.name: schedule for schedule in definitions.schedules}
    assert {name: schedule.cron_schedule for name, schedule in schedules.items()} == {
        "refresh_in_working_hours": "0 9-18 * * 1-5",
        "full_refresh_at_night": "30 3 * * *",
        "digest_in_the_morning": "30 8-11 * * *",
    }
    for schedule in schedules.values():
        assert schedule.execution_timezone == "Europe/Moscow"
        assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert {sensor.name for sensor in definitions.sensors} == {
        "new_raw_files", "alerts_after_refresh",
    }  # fmt: skip
    for sensor in definitions.sensors:
        assert sensor.default_status == dg.DefaultSensorStatus.STOPPED


def test_the_sensor_asks_for_a_refresh_once_for_each_set_of_files(tmp_path):
    import dagster as dg

    from orchestration.base.lock import only_refresh
    from orchestration.base.settings import Settings
    from orchestration.defs.jobs import build_automation
    from orchestration.raw_zone.contract import load_contract

    settings = Settings(project_dir=ROOT, raw_dir=str(tmp_path / "raw"), data_dir=tmp_path / "data")
    _, _, sensor = build_automation(settings, load_contract(ROOT))

    def evaluate(cursor):
        with dg.build_sensor_context(cursor=cursor) as context:
            result = sensor.evaluate_tick(context)
        return len(result.run_requests or []), result.cursor or cursor

    assert evaluate(None) == (0, None)
    leads = tmp_path / "raw/crm/leads"
    (leads / "_tmp").mkdir(parents=True)
    (leads / "1.parquet").write_bytes(b"1")
    requests, cursor = evaluate(None)
    assert requests == 1
    # An exporter at work, and a table that the contract does not know.
    for half in ("_tmp/2.parquet", ".2.parquet", "../other/2.parquet"):
        (leads / half).parent.mkdir(exist_ok=True)
        (leads / half).write_bytes(b"2")
    assert evaluate(cursor) == (0, cursor)
    (leads / "_tmp/2.parquet").rename(leads / "2.parquet")
    with only_refresh(settings):
        assert evaluate(cursor) == (0, cursor)
    requests, changed = evaluate(cursor)
    assert (requests, changed != cursor) == (1, True)
    (leads / "2.parquet").rename(tmp_path / "2.parquet")
    assert evaluate(changed) == (1, cursor)


def test_a_failed_run_says_what_is_wrong_and_what_to_do(failed_run):
    """In Dagster's event as on the screen: the sentence, the remedy and the findings."""
    from orchestration.defs.failures import as_dagsters

    result, record = failed_run
    (event,) = (it for it in result.all_events if it.is_step_failure)
    failure = event.step_failure_data.user_failure_data
    said = record.failure
    assert failure.description == f"{said.message}\n{said.remedy}"
    assert said.message == "The raw zone breaks the contract: 1 problem."
    assert "crm/leads/1.parquet" in failure.metadata["details"].value
    assert failure.metadata["what to do"].value == said.remedy
    assert as_dagsters(said).allow_retries is False


def test_a_refresh_that_dagster_hosts_has_the_runs_id(failed_run):
    result, record = failed_run
    assert record.run_id == result.run_id


@pytest.fixture(scope="module")
def failed_run(tmp_path_factory, parsed):
    """A run of the whole job on a zone with a file that is none, and its record."""
    import dagster as dg

    from orchestration.base.record import Record
    from orchestration.base.settings import Settings
    from orchestration.defs.build import build_definitions

    place = tmp_path_factory.mktemp("failed")
    file = place / "raw/crm/leads/1.parquet"
    file.parent.mkdir(parents=True)
    file.write_text("no Parquet")
    settings = Settings(raw_dir=str(place / "raw"), data_dir=parsed(place / "data"))
    job = build_definitions(settings).resolve_job_def("refresh")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    return result, Record.load(settings.record_file)


@pytest.mark.parametrize(
    ("is_terminated", "message"), [(True, "The refresh was stopped."), (False, "")]
)
def test_a_run_that_is_terminated_between_two_steps_was_stopped(tmp_path, is_terminated, message):
    import dagster as dg

    from orchestration.base.lock import current_run, killed_refresh
    from orchestration.base.record import Record
    from orchestration.base.settings import Settings
    from orchestration.defs.resources import REFRESH_LOCK, build_refresh_lock

    settings = Settings(data_dir=tmp_path / "data")

    @dg.op(required_resource_keys={REFRESH_LOCK})
    def begin(context) -> None:
        Record.begin(settings.record_file, current_run(settings))
        if is_terminated:
            context.instance.report_run_canceling(context.run)

    @dg.job(resource_defs={REFRESH_LOCK: build_refresh_lock(settings)})
    def refresh():
        begin()

    with dg.DagsterInstance.ephemeral() as instance:
        refresh.execute_in_process(instance=instance, raise_on_error=False)
    failure = Record.load(settings.record_file).failure
    assert (failure.message if failure else "") == message
    assert killed_refresh(settings) is None


def test_what_is_asked_for_is_built_and_checked_alone(tmp_path, parsed):
    import dagster as dg

    from orchestration.base.record import Record
    from orchestration.base.settings import Settings
    from orchestration.defs.models import build_models
    from orchestration.defs.resources import REFRESH_LOCK, build_refresh_lock
    from orchestration.models.dbt import load_manifest
    from orchestration.raw_zone.contract import load_contract
    from orchestration.raw_zone.step import take_in

    source = {"source_id": "s1", "name": "Search", "channel": "yandex_direct"}
    raw = write_zone(tmp_path / "raw", {"crm.sources": [source]})
    settings = Settings(project_dir=ROOT, raw_dir=str(raw), data_dir=parsed(tmp_path / "data"))
    take_in(settings, load_contract(ROOT))
    models = build_models(settings, load_manifest(settings))
    asked = [dg.AssetKey(["staging", f"{layer}_crm__sources"]) for layer in ("base", "stg")]
    tested = dg.AssetKey(["reference", "access_roles"])
    check = min(key for key in models.check_keys if key.asset_key == tested)
    done = dg.materialize(
        [models],
        resources={REFRESH_LOCK: build_refresh_lock(settings)},
        selection=dg.AssetSelection.assets(*asked, tested).without_checks()
        | dg.AssetSelection.checks(check),
    )
    built = {event.asset_key for event in done.get_asset_materialization_events()}
    assert built == {*asked, tested}
    assert [it.check_name for it in done.get_asset_check_evaluations()] == [check.name]
    record = Record.load(settings.record_file)
    assert {(it.name, it.rows) for it in record.models} == {
        ("access_roles", 0),
        ("base_crm__sources", 1),
        ("stg_crm__sources", 1),
    }
    assert [it.name for it in record.checks] == [check.name]
