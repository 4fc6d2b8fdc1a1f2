import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.base.cache import (
    CacheEntry,
    build_fingerprint,
    fingerprint_of,
    is_built_by_these_tools,
    remove_build,
    table_versions,
    zone_fingerprint,
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
    duckdb.connect(str(found.build_file)).close()
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
    with duckdb.connect(str(settings.marts_file)) as connection:
        connection.execute(sql)


def test_a_build_is_the_versions_of_its_tables(settings):
    before = build_fingerprint(settings)
    change(settings, "insert into state.changes_of__fct_things values (2)")
    assert build_fingerprint(settings) == before
    change(settings, "update state.of__fct_things set version = 'b'")
    assert build_fingerprint(settings) != before


def test_what_has_no_version_has_one_from_its_rows(settings):
    before = build_fingerprint(settings)
    change(settings, "update seed set name = 'y'")
    assert build_fingerprint(settings) != before
    change(settings, "update seed set name = 'x'")
    assert build_fingerprint(settings) == before


def test_a_new_table_is_a_new_build(settings):
    before = build_fingerprint(settings)
    change(settings, "create table marts.empty as select 1 as thing_id limit 0")
    assert build_fingerprint(settings) != before


def test_rows_of_a_build_are_hashed_once(settings):
    first = build_fingerprint(settings)
    assert table_versions.cache_info().currsize == 1
    hashed = table_versions.cache_info().misses
    assert build_fingerprint(settings) == first
    assert table_versions.cache_info().misses == hashed


def test_an_entry_holds_for_one_fingerprint_and_unchanged_files(tmp_path):
    cache = CacheEntry(tmp_path / "entry.json")
    made, folder = tmp_path / "made", tmp_path / "folder"
    folder.mkdir()
    for file in (made, folder / "part"):
        file.write_text("1")
    files = [made, folder]
    version = fingerprint_of("rows", {"b": 1, "a": frozenset({"y", "x"})})
    assert cache.get(version, files) is None
    cache.put(version, files, {"rows": 7})
    assert cache.get(version, files) == {"rows": 7}
    assert cache.get(fingerprint_of("other rows"), files) is None

    for file in (made, folder / "part"):
        file.write_text("12")
        assert cache.get(version, files) is None
        cache.put(version, files, {"rows": 7})
        file.unlink()
        assert cache.get(version, files) is None
        cache.put(version, files, {"rows": 8})
    assert cache.get(version, files) == {"rows": 8}
    cache.clear()
    assert cache.get(version, files) is None


def test_a_fingerprint_depends_on_every_part_and_its_place(tmp_path):
    assert len({fingerprint_of("a", "b"), fingerprint_of("ab"), fingerprint_of("b", "a")}) == 3
    assert fingerprint_of(Path("a").name, frozenset({"x", "y"})) == fingerprint_of("a", {"y", "x"})


def test_a_fingerprint_is_of_anything_that_a_suite_may_hold():
    assert fingerprint_of({"min_value": date(2026, 1, 1)}) != fingerprint_of(
        {"min_value": date(2026, 1, 2)}
    )
    assert fingerprint_of({"b", "a"}) == fingerprint_of({"a", "b"})


def test_a_raw_zone_is_its_files_and_the_contracts_columns(tmp_path):
    settings = Settings(project_dir=ROOT, data_dir=tmp_path / "data")
    contract = load_contract(ROOT)
    stage = {"stage_id": "1", "pipeline_id": "p", "name": "x", "position": 1, "kind": "open"}
    raw_dir = str(write_zone(tmp_path / "raw", {"crm.stages": [stage]}))

    def version(contract=contract) -> str:
        register(scan(raw_dir, contract), settings.raw_zone_file)
        return zone_fingerprint(settings)

    first = version()
    assert version() == first
    stages = contract.tables["crm.stages"]
    narrower = replace(stages, columns=tuple(it for it in stages.columns if it.name != "kind"))
    assert version(replace(contract, tables={**contract.tables, "crm.stages": narrower})) != first
    write_zone(tmp_path / "raw", {"crm.stages": [stage]}, file="2026-03-02")
    assert version() != first


def test_a_build_of_other_tools_or_options_is_rebuilt(tmp_path):
    settings = Settings(project_dir=ROOT, data_dir=tmp_path)
    settings.build_dir.mkdir()
    assert not is_built_by_these_tools(settings)
    remove_build(settings)
    assert is_built_by_these_tools(settings)
    tools = json.loads(settings.tools_file.read_text())
    assert tools["storage_compatibility_version"] == "latest"
    for name in ("duckdb", "storage_compatibility_version"):
        settings.tools_file.write_text(json.dumps({**tools, name: "older"}))
        assert not is_built_by_these_tools(settings)
        # Until the old build is removed.
        assert not is_built_by_these_tools(settings)


def test_a_removed_build_leaves_no_cache_entry(tmp_path):
    settings = Settings(project_dir=ROOT, data_dir=tmp_path)
    settings.build_dir.mkdir()
    for file in (*settings.build_files, *settings.cache_files):
        file.write_text("{}")
    remove_build(settings)
    assert [file for file in (*settings.build_files, *settings.cache_files) if file.exists()] == []
