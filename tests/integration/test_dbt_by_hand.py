"""`voronka dbt`: dbt's own commands on the private build, while no refresh writes it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from orchestration.base.errors import WrongUse
from orchestration.base.files import write_json
from orchestration.base.lock import only_refresh, running_refresh
from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.cli.dbt import run_dbt
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import register
from tests.conftest import ROOT, clean_environment, voronka

SHOW = ("dbt", "show", "--quiet", "--inline", "select '{{ var(\"base_currency\") }}' as currency")


@pytest.fixture
def settings(tmp_path) -> Settings:
    """A data directory whose raw zone is registered, as after a first refresh."""
    (tmp_path / "raw").mkdir()
    found = Settings(data_dir=tmp_path / "data", raw_dir=str(tmp_path / "raw"))
    register(scan(found.raw_zone, load_contract(ROOT)), found.raw_zone_file)
    return found


def environment(settings: Settings, **more: str) -> dict[str, str]:
    return {"VORONKA_DATA_DIR": str(settings.data), **more}


def test_dbt_runs_with_the_projects_settings_and_holds_the_lock(settings):
    running = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", *SHOW],
        env={
            **clean_environment(),
            **environment(settings, VORONKA_DBT_VARS='{"base_currency": "KZT"}'),
        },
        stdout=subprocess.PIPE,
        text=True,
        cwd=settings.data,
    )
    # The lock is there an instant before the name of who holds it.
    while not ((holder := running_refresh(settings)) and holder.pid) and running.poll() is None:
        time.sleep(0.02)
    assert holder is not None and (holder.task, holder.pid) == ("dbt show", running.pid)
    refused = voronka("refresh", env=environment(settings))
    assert refused.returncode == 2
    assert f"`dbt show` runs already: process {running.pid} on " in refused.stderr
    out, _ = running.communicate(timeout=300)
    assert (running.returncode, "| KZT" in out) == (0, True)
    assert running_refresh(settings) is None
    assert not Record.load(settings.record_file).started_at


def test_a_refresh_that_runs_is_named_in_one_line(settings):
    with only_refresh(settings):
        done = voronka(*SHOW, env=environment(settings))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"A refresh runs already: process {os.getpid()} on " in done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 2


def test_before_the_first_refresh_there_is_nothing_to_build_on(tmp_path):
    done = voronka("dbt", "build", env={"VORONKA_DATA_DIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (
        2,
        f"✗ There is no build in {tmp_path}/build.\n→ Run `voronka refresh` first.\n",
    )


@pytest.mark.parametrize(("engine", "built_by"), [("spark", "duckdb"), ("duckdb", "spark")])
def test_duckdb_writes_nothing_into_what_spark_has_built(settings, engine, built_by):
    write_json(settings.tools_file, {"engine": built_by})
    with pytest.raises(WrongUse, match="`voronka dbt build` builds with DuckDB") as caught:
        run_dbt(settings.model_copy(update={"engine": engine}), ["build", "-s", "kpi_daily"])
    assert "unset VORONKA_ENGINE" in caught.value.remedy
    assert running_refresh(settings) is None


def test_dbts_exit_code_is_the_commands(settings):
    assert voronka("dbt", "no-such-command", env=environment(settings)).returncode == 2
    done = voronka("dbt", "--version", env=environment(settings))
    assert (done.returncode, "duckdb" in done.stdout) == (0, True)


def test_a_dbt_that_is_ended_gives_the_lock_back(settings):
    running = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", *SHOW],
        env={**clean_environment(), **environment(settings)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while running_refresh(settings) is None and running.poll() is None:
        time.sleep(0.02)
    time.sleep(1)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=60) != 0
    assert running_refresh(settings) is None
