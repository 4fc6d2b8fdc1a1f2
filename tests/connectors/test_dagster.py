"""Connections in Dagster: their assets, what a failed one shows, and that no event has a secret."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.base.settings import Settings
from orchestration.cli.connect import run_connections
from orchestration.connectors.assets import asset_key
from orchestration.defs import connections as defs
from orchestration.defs.build import build_definitions
from orchestration.defs.connections import JOB, SCHEDULE
from orchestration.history import report_connections, report_connections_at_once
from tests.conftest import ROOT, Parsed
from tests.connectors.adapter import FIRST
from tests.connectors.adapters.amocrm import Amocrm
from tests.connectors.conftest import Place
from tests.connectors.zone import current
from tests.standins.company import small_company
from tests.standins.server import Reply, StandIn, json_reply

ADAPTER = Amocrm()


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with ADAPTER.standin(small_company()) as found:
        yield found


@pytest.fixture
def connected(place: Place, standin: StandIn) -> Settings:
    """One connection that works, and one before it whose secret is not set."""
    keys = ADAPTER.keys(standin)
    place.connect("bad", {**keys, "prefix": "b-", "long_lived_token": "env:NOT_SET"}, {})
    place.connect("shop", keys, ADAPTER.secrets())
    return place.settings(FIRST)


def job_of(settings: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """The job of all connections, and nothing else of the project."""
    found, problem = defs.connected(settings)
    jobs, schedules = defs.build_automation(found, "Europe/Moscow")
    definitions = dg.Definitions(
        assets=defs.build_connections(settings, found, problem), jobs=jobs, schedules=schedules
    )
    job = definitions.resolve_job_def(JOB)
    return job.execute_in_process(instance=instance, raise_on_error=False)


def with_project(settings: Settings, parsed: Parsed) -> Settings:
    """The same, where dbt has parsed the project already."""
    return settings.model_copy(update={"data_dir": parsed(settings.data)})


def test_a_connection_that_fails_shows_and_stops_no_other(
    connected: Settings, place: Place
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = job_of(connected, instance)
    assert not result.success
    assert current(place.raw, "crm.deals")
    (event,) = (it for it in result.all_events if it.is_step_failure)
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert "NOT_SET is not set" in str(failure.description)
    assert "export NOT_SET" in str(failure.metadata["what to do"].value)
    done = {it.asset_key: it for it in result.asset_materializations_for_node("connect_shop")}
    assert asset_key("shop", "crm.payments") in done
    metadata = done[asset_key("shop", "crm.deals")].metadata
    assert metadata["rows written"].value == 5
    report: Any = metadata["report"].value
    assert report["written"]["crm.deals"] == 5


def test_no_event_has_a_secret(
    place: Place, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """After a good run, a refusal in the system's words, a crash of the program and a dead host."""
    secret = next(iter(ADAPTER.secrets().values()))
    replies: list[Reply | None] = [
        None,
        json_reply({"title": "no", "detail": f"token {secret} is over"}, 401),
        json_reply({"id": 1, "_embedded": f"not what a person expects: {secret}"}),
    ]
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        with ADAPTER.standin(small_company()) as standin:
            place.connect("shop", ADAPTER.keys(standin), ADAPTER.secrets())
            for reply in replies:
                standin.always = lambda request, reply=reply: reply
                assert job_of(place.settings(FIRST), instance).success is (reply is None)
        assert not job_of(place.settings(FIRST), instance).success
        records = [str(it) for run in instance.get_runs() for it in instance.all_logs(run.run_id)]
    assert len(records) > 20
    assert not [it for it in records if secret in it]
    for file in (tmp_path / "dagster").rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file
    said = capfd.readouterr()
    assert secret not in said.out + said.err


def test_what_the_command_read_is_in_the_history_once(connected: Settings, place: Place) -> None:
    """A connection that failed is an observation; one that Dagster ran is not told again."""
    place.run(now=FIRST)
    deals, failed = asset_key("shop", "crm.deals"), asset_key("bad", "crm.deals")
    with dg.DagsterInstance.ephemeral() as instance:
        assert report_connections(connected, instance) == 2 * len(ADAPTER.connector.tables)
        event = instance.get_latest_materialization_event(deals)
        assert event is not None
        assert event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        assert metadata["rows written"].value == 5
        assert metadata["by"].value == "voronka connect run"
        (record,) = instance.fetch_observations(failed, limit=9).records
        assert record.asset_observation is not None
        assert "NOT_SET is not set" in str(record.asset_observation.description)
        assert instance.get_latest_materialization_event(failed) is None
        assert report_connections(connected, instance) == 0
        place.run(now=FIRST + timedelta(hours=1))
        assert report_connections(connected, instance) == 2 * len(ADAPTER.connector.tables)
        job_of(connected, instance)
        assert report_connections(connected, instance) == 0


def test_the_command_tells_dagster_where_it_has_a_home(
    connected: Settings, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    said: list[str] = []
    run_connections(connected, ["shop"])
    with dg.DagsterInstance.get() as instance:
        assert instance.get_latest_materialization_event(asset_key("shop", "crm.deals"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "nowhere"))
    report_connections_at_once(connected, said.append)
    assert said[0].startswith("Dagster's history does not have what was read: ")


def test_a_refresh_takes_what_is_there_and_waits_for_no_connection(
    connected: Settings, parsed: Parsed
) -> None:
    definitions = build_definitions(with_project(connected, parsed))
    graph = definitions.resolve_asset_graph()
    deals = dg.AssetKey(["crm", "deals"])
    assert {asset_key(it, "crm.deals") for it in ("bad", "shop")} <= graph.get(deals).parent_keys
    refresh = definitions.resolve_job_def("refresh").asset_layer.executable_asset_keys
    assert deals in refresh
    assert not [key for key in refresh if key.path[0] == "connections"]
    assert graph.get(asset_key("shop", "crm.deals")).freshness_policy is not None
    assert graph.get(asset_key("shop", "crm.deals")).group_name == "connect_shop"
    schedule = definitions.resolve_schedule_def(SCHEDULE)
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert schedule.execution_timezone == "Europe/Moscow"


def test_a_file_that_is_wrong_shows_and_lets_everything_else_load(
    place: Place, parsed: Parsed
) -> None:
    place.connect("shop", {"kind": "amocrn"}, {})
    definitions = build_definitions(with_project(place.settings(FIRST), parsed))
    graph = definitions.resolve_asset_graph()
    shown = graph.get(dg.AssetKey(["connections", "connections_yml"]))
    assert "did you mean amocrm?" in str(shown.description)
    assert definitions.resolve_job_def("refresh")


def test_what_is_connected_is_never_the_demo(connected: Settings) -> None:
    found, _ = defs.connected(connected)
    unset = connected.model_copy(update={"raw_dir": None})
    assert defs.with_own_zone(unset, found).raw_zone == str(ROOT / "data/raw")
    assert defs.with_own_zone(unset, {}).raw_dir is None
