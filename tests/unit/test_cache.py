import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.base.cache import (
    Memory,
    build_version,
    forget_build,
    is_made_by_these_tools,
    version_of,
    zone_version,
)
from orchestration.base.settings import Settings
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import register
from tests.conftest import ROOT, write_zone


@pytest.fixture
def settings(tmp_path) -> Settings:
    found = Settings(project_dir=tmp_path, data_dir=tmp_path / "data")
    found.build_dir.mkdir(parents=True)
    change(
        found,
        """
        create schema marts; create schema state;
        create table marts.fct_things as select 1 as thing_id;
        create table state.of__fct_things as select 'a' as version;
        create table seed as select 'x' as name;
        create table state.changes_of__fct_things as select 1 as thing_id
        """,
    )
    return found


def change(settings: Settings, sql: str) -> None:
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(sql)


def test_a_build_is_the_versions_of_its_tables(settings):
    before = build_version(settings)
    change(settings, "insert into state.changes_of__fct_things values (2)")
    assert build_version(settings) == before
    change(settings, "update state.of__fct_things set version = 'b'")
    assert build_version(settings) != before


def test_what_has_no_version_has_one_from_its_rows(settings):
    before = build_version(settings)
    change(settings, "update seed set name = 'y'")
    assert build_version(settings) != before
    change(settings, "update seed set name = 'x'")
    assert build_version(settings) == before


def test_a_new_table_is_a_new_build(settings):
    before = build_version(settings)
    change(settings, "create table marts.empty as select 1 as thing_id limit 0")
    assert build_version(settings) != before


def test_memory_is_of_one_version_and_of_files_as_they_were_left(tmp_path):
    memory = Memory(tmp_path / "memory.json")
    made, folder = tmp_path / "made", tmp_path / "folder"
    folder.mkdir()
    for file in (made, folder / "part"):
        file.write_text("1")
    files = [made, folder]
    version = version_of("rows", {"b": 1, "a": frozenset({"y", "x"})})
    assert memory.recall(version, files) is None
    memory.note(version, files, {"rows": 7})
    assert memory.recall(version, files) == {"rows": 7}
    assert memory.recall(version_of("other rows"), files) is None

    for file in (made, folder / "part"):
        file.write_text("12")
        assert memory.recall(version, files) is None
        memory.note(version, files, {"rows": 7})
        file.unlink()
        assert memory.recall(version, files) is None
        memory.note(version, files, {"rows": 8})
    assert memory.recall(version, files) == {"rows": 8}
    memory.forget()
    assert memory.recall(version, files) is None


def test_a_version_depends_on_every_part_and_its_place(tmp_path):
    assert len({version_of("a", "b"), version_of("ab"), version_of("b", "a")}) == 3
    assert version_of(Path("a").name, frozenset({"x", "y"})) == version_of("a", {"y", "x"})


def test_a_version_is_of_anything_that_a_suite_may_hold():
    assert version_of({"min_value": date(2026, 1, 1)}) != version_of(
        {"min_value": date(2026, 1, 2)}
    )
    assert version_of({"b", "a"}) == version_of({"a", "b"})


def test_a_raw_zone_is_its_files_and_the_contracts_columns(tmp_path):
    settings = Settings(project_dir=ROOT, data_dir=tmp_path / "data")
    contract = load_contract(ROOT)
    stage = {"stage_id": "1", "pipeline_id": "p", "name": "x", "position": 1, "kind": "open"}
    raw_dir = str(write_zone(tmp_path / "raw", {"crm.stages": [stage]}))

    def version(contract=contract) -> str:
        register(scan(raw_dir, contract), settings.raw_zone_file)
        return zone_version(settings)

    first = version()
    assert version() == first
    stages = contract.tables["crm.stages"]
    narrower = replace(stages, columns=tuple(it for it in stages.columns if it.name != "kind"))
    assert version(replace(contract, tables={**contract.tables, "crm.stages": narrower})) != first
    write_zone(tmp_path / "raw", {"crm.stages": [stage]}, file="2026-03-02")
    assert version() != first


def test_a_build_of_other_tools_or_options_is_made_anew(tmp_path):
    settings = Settings(project_dir=ROOT, data_dir=tmp_path)
    settings.build_dir.mkdir()
    assert not is_made_by_these_tools(settings)
    forget_build(settings)
    assert is_made_by_these_tools(settings)
    tools = json.loads(settings.made_by_file.read_text())
    assert tools["storage_compatibility_version"] == "latest"
    for name in ("duckdb", "storage_compatibility_version"):
        settings.made_by_file.write_text(json.dumps({**tools, name: "older"}))
        assert not is_made_by_these_tools(settings)
        # Until the old build is forgotten.
        assert not is_made_by_these_tools(settings)


def test_what_is_forgotten_leaves_nothing_to_be_spared(tmp_path):
    settings = Settings(project_dir=ROOT, data_dir=tmp_path)
    settings.build_dir.mkdir()
    for file in (settings.build_file, *settings.memories):
        file.write_text("{}")
    forget_build(settings)
    assert [file for file in (settings.build_file, *settings.memories) if file.exists()] == []
