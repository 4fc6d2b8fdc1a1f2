"""dbt as an executable: whose results are read, and how its end is told."""

import json
import os
import shutil
import sys

import pytest

from orchestration.base.errors import BuildFailed, ProcessEnded
from orchestration.base.files import write_json
from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.models.dbt import is_manifest_current, mark_manifest
from orchestration.models.run import NodeResult, run_dbt
from orchestration.models.step import build
from tests.conftest import ROOT

RESULT = {"unique_id": "model.x.a", "status": "success", "execution_time": 0.5}
NODES = {
    "model.x.a": {"resource_type": "model", "schema": "marts", "alias": "a"},
    "operation.x.hook": {"resource_type": "operation", "schema": "main", "alias": "hook"},
}
ENDED = "event('LogModelResult', 'info', 'ok', node_info={'node_name': 'a', 'node_status': 'ok'})\n"


@pytest.fixture
def settings(tmp_path) -> Settings:
    found = Settings(project_dir=tmp_path, data_dir=tmp_path / "data", dbt=str(tmp_path / "dbt"))
    found.build_dir.mkdir(parents=True)
    shutil.copy(ROOT / "dbt_project.yml", tmp_path)
    return found


def write_dbt(settings: Settings, body: str) -> None:
    """A program that stands for dbt; `target` is the folder that it is given."""
    program = settings.root / "dbt"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, signal, sys, time\n"
        "target = sys.argv[sys.argv.index('--target-path') + 1]\n"
        "def event(name, level, text, **data):\n"
        "    print(json.dumps({'info': {'name': name, 'level': level, 'msg': text}, 'data': data}),"
        " flush=True)\n"
        "def write(*results, nodes={}):\n"
        "    json.dump({'results': results}, open(f'{target}/run_results.json', 'w'))\n"
        "    json.dump({'nodes': nodes, 'sources': {}}, open(f'{target}/manifest.json', 'w'))\n"
        f"{body}\n"
    )
    program.chmod(0o755)


def run(settings: Settings, told: list | None = None):
    return run_dbt(settings, ["build"], lambda *node: None if told is None else told.append(node))


def test_results_are_those_of_this_run(settings):
    stale = settings.executable_target_dir / "run_results.json"
    stale.parent.mkdir(parents=True)
    stale.write_text(json.dumps({"results": [RESULT]}))
    write_dbt(settings, "sys.exit(2)")
    done = run(settings)
    assert (done.is_success, done.results) == (False, ())
    assert done.error == "It ended with exit code 2."
    write_dbt(settings, f"write({RESULT})")
    done = run(settings)
    assert (done.is_success, done.error) == (True, "")
    assert done.results == (NodeResult("model.x.a", "success", "", 0.5, None),)


def test_the_locked_dbts_files_stay_as_they_are(settings):
    settings.target_dir.mkdir(parents=True)
    manifest = settings.target_dir / "manifest.json"
    manifest.write_text("the locked dbt's")
    write_dbt(settings, "write()")
    assert run(settings).target == settings.executable_target_dir
    assert manifest.read_text() == "the locked dbt's"


def test_a_node_is_what_the_executables_own_manifest_says_and_a_hook_is_none(settings):
    hook = {**RESULT, "unique_id": "operation.x.hook"}
    write_dbt(settings, f"write({RESULT}, {hook}, nodes={NODES})")
    results = build(settings, {"nodes": {}, "sources": {}})
    assert [result.unique_id for result in results] == ["model.x.a"]
    record = Record.load(settings.record_file)
    assert [(it.schema, it.name, it.status) for it in record.models] == [("marts", "a", "ok")]


def test_nodes_and_warnings_are_told(settings):
    of_checks = "".join(
        f"event('{name}', 'warn', 'a check')\n"
        for name in ("LogTestResult", "RunResultWarning", "RunResultWarningMessage")
    )
    told_by = "event('Generic', 'warn', 'old YAML')\nprint('no event')\nwrite()"
    write_dbt(settings, ENDED + of_checks + told_by)
    told: list = []
    assert run(settings, told).warnings == ("old YAML",)
    assert told == [("a", "ok")]


def test_a_killed_dbt_is_told_with_its_signal_and_nothing_is_taken_for_built(settings):
    write_dbt(settings, f"write({RESULT}, nodes={NODES}); os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ProcessEnded, match="dbt was killed"):
        build(settings, {"nodes": {}, "sources": {}})
    record = Record.load(settings.record_file)
    assert (record.finished_steps, record.models) == ([], [])
    assert record.failure is not None and "SIGKILL" in record.failure.message


def test_a_stopped_refresh_leaves_no_dbt_behind(settings, tmp_path):
    write_dbt(
        settings,
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{ENDED}time.sleep(99)",
    )

    def interrupt(name: str, status: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_dbt(settings, ["build"], interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_that_is_not_there_is_named(settings):
    with pytest.raises(BuildFailed, match="which cannot be run: No such file"):
        run(settings)


def test_dbt_gets_no_password(settings, monkeypatch):
    monkeypatch.setenv("VORONKA_POSTGRES_URL", "postgresql://u:s3cret@host/db")
    write_dbt(settings, "event('Generic', 'warn', json.dumps(dict(os.environ)))\nwrite()")
    (said,) = run(settings).warnings
    assert "s3cret" not in said and "VORONKA_DATA_DIR" in said


@pytest.mark.parametrize("name", ["manifest.json", "semantic_manifest.json"])
def test_half_a_manifest_is_written_again(settings, name):
    """A full disk or a killed process leaves it; a refresh that believed it would fail for ever."""
    for file in ("manifest.json", "semantic_manifest.json"):
        write_json(settings.target_dir / file, {"nodes": {"model.x.a": {}}})
    mark_manifest(settings, "this project")
    assert is_manifest_current(settings, "this project")
    assert not is_manifest_current(settings, "another one")
    file = settings.target_dir / name
    file.write_bytes(file.read_bytes()[:-3])
    assert not is_manifest_current(settings, "this project")
    file.unlink()
    assert not is_manifest_current(settings, "this project")
