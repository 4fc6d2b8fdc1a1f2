"""What dbt is spared: only what the project decides, and only while dbt is as it was."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from orchestration.models.dbt_speed import (
    KeptCode,
    LazyGraph,
    _is_plain_test,
    depends_on_project,
)
from tests.conftest import ROOT

MACROS = {
    "macro.voronka.sums": SimpleNamespace(
        package_name="voronka",
        macro_sql="{% macro sums() %}sum{% endmacro %}",
        depends_on=SimpleNamespace(macros=["macro.voronka.now", "macro.dbt.is_incremental"]),
    ),
    "macro.voronka.now": SimpleNamespace(
        package_name="voronka",
        macro_sql="{% macro now() %}{{ run_started_at }}{% endmacro %}",
        depends_on=SimpleNamespace(macros=["macro.voronka.sums"]),
    ),
    "macro.dbt.is_incremental": SimpleNamespace(
        package_name="dbt", macro_sql="flags", depends_on=SimpleNamespace(macros=[])
    ),
}


def node(**changes):
    return SimpleNamespace(
        **{
            "unique_id": "model.voronka.kpi_daily",
            "resource_type": "model",
            "language": "sql",
            "package_name": "voronka",
            "raw_code": "select {{ var('churn_days') }}",
            "compiled_code": None,
            "extra_ctes": [],
            "all_constraints": [],
            "depends_on": SimpleNamespace(macros=["macro.dbt.is_incremental"]),
            **changes,
        }
    )


def keeps(**changes):
    return depends_on_project(node(**changes), SimpleNamespace(macros=MACROS))


def test_a_model_of_project_and_variables_is_kept():
    assert keeps()
    assert keeps(resource_type="test", is_relational=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"raw_code": "select '{{ run_started_at }}'"},
        {"raw_code": "select '{{ env_var('HOME') }}'"},
        {"raw_code": "{{ modules.datetime.datetime.now() }}"},
        {"depends_on": SimpleNamespace(macros=["macro.voronka.sums"])},
        {"extra_ctes": ["an ephemeral parent"]},
        {"all_constraints": ["a foreign key"]},
        {"language": "python"},
        {"resource_type": "seed"},
        {"resource_type": "test", "is_relational": True},
    ],
    ids=str,
)
def test_what_depends_on_more_is_compiled_each_time(changes):
    assert not keeps(**changes)


def test_kept_code_is_of_one_project_and_one_set_of_raw_columns(tmp_path):
    file = tmp_path / "kept_code.json"
    kept = {"model.voronka.a": ("", "select 1"), "model.voronka.b": ("text", "select 2")}
    file.write_text(json.dumps({"fingerprint": "this project", "kept": kept}))

    def restored(fingerprint, columns):
        code = KeptCode(file, tmp_path / "raw_zone.duckdb", fingerprint)
        code.columns = columns
        nodes = [node(unique_id=f"model.voronka.{name}") for name in "abc"]
        return [each.compiled_code if code.restore(each) else None for each in nodes]

    assert restored("this project", "text") == ["select 1", "select 2", None]
    assert restored("this project", "other columns") == ["select 1", None, None]
    assert restored("another project", "text") == [None, None, None]


def test_the_graph_is_made_when_it_is_read():
    class Manifest:
        flat_graph = None
        made = 0

        def build_flat_graph(self):
            self.made += 1
            self.flat_graph = {"nodes": {"a": 1}, "sources": {}}

    manifest = Manifest()
    graph = manifest.flat_graph = LazyGraph(manifest)
    assert manifest.made == 0
    assert (graph["nodes"], graph.get("sources"), list(graph)) == (
        {"a": 1},
        {},
        ["nodes", "sources"],
    )
    assert (manifest.made, manifest.flat_graph is graph) == (1, True)


def config(**changes):
    plain = {"limit": None, "store_failures": None, "store_failures_as": None}
    terms = {**plain, "materialized": "test", "sql_header": None, **changes}
    return SimpleNamespace(**terms, get=terms.get)


@pytest.mark.parametrize(
    ("changes", "macros", "is_plain"),
    [
        ({}, {}, True),
        ({}, {"sums": None}, True),
        ({"limit": 5}, {}, False),
        ({"store_failures": True}, {}, False),
        ({"store_failures_as": "view"}, {}, False),
        ({"materialized": "own"}, {}, False),
        ({"sql_header": "set x = 1"}, {}, False),
        ({}, {"get_test_sql": None}, False),
        ({}, {"duckdb__get_test_sql": None}, False),
        ({}, {"get_limit_subquery_sql": None}, False),
        ({}, {"materialization_test_duckdb": None}, False),
    ],
    ids=str,
)
def test_only_tests_that_dbt_wraps_by_itself_are_asked_directly(changes, macros, is_plain):
    manifest = SimpleNamespace(get_macros_by_package=lambda: {"voronka": macros})
    test = SimpleNamespace(config=config(**changes), package_name="voronka")
    assert _is_plain_test(test, manifest) is is_plain


SERIALISERS = """
from orchestration.models import dbt_speed
dbt_speed.before_import()
from dataclasses import dataclass
from typing import Dict, List, Optional
from mashumaro.mixins.msgpack import DataClassMessagePackMixin

@dataclass
class Part(DataClassMessagePackMixin):
    size: int

@dataclass
class Whole(DataClassMessagePackMixin):
    parts: List[Part]
    names: Dict[str, Optional[Part]]

@dataclass
class Named(Whole):
    title: str = "none"

whole = Named([Part(1)], {"a": None, "b": Part(2)}, "some")
told = {"parts": [{"size": 1}], "names": {"a": None, "b": {"size": 2}}, "title": "some"}
assert whole.to_dict() == told and whole.to_dict() == told
assert Named.from_dict(told) == whole and Whole.from_dict(told) != whole
assert type(Whole.from_dict(told)) is Whole
assert Named.from_msgpack(whole.to_msgpack()) == whole
try:
    Part.from_dict({})
except Exception as error:
    print(type(error).__name__)
"""


def test_serialisers_that_are_written_late_are_mashumaros():
    done = subprocess.run(
        [sys.executable, "-c", SERIALISERS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "MissingField\n", "")


def test_dbt_has_every_place_that_is_changed():
    """Otherwise refreshes would be slow again, and nobody would know why."""
    check = (
        "import contextlib; from pathlib import Path; from orchestration.models import dbt_speed\n"
        "from orchestration.models import dbt_context\n"
        "dbt_speed._gone = dbt_context._gone = contextlib.nullcontext()\n"
        "from mashumaro.config import BaseConfig; BaseConfig.lazy_compilation\n"
        "from dbt.task import runnable; runnable.write_manifest\n"
        "from dbt.compilation import Compiler, Linker\n"
        "Linker.get_graph_summary, Compiler.write_graph_file, Linker.find_cycles\n"
        "from dbt.contracts.project import Configuration, ProfileConfig, Project, ProjectFlags\n"
        "from dbt.contracts.project import PackageConfig\n"
        "kinds = (Configuration, ProfileConfig, Project, ProjectFlags, PackageConfig)\n"
        "[kind.validate for kind in kinds]\n"
        "from dbt.context.macros import MacroNamespaceBuilder\n"
        "MacroNamespaceBuilder.build_namespace\n"
        "from dbt_common.behavior_flags import BehaviorFlagRendered\n"
        "BehaviorFlagRendered._default_source\n"
        "from dbt_common.clients.jinja import TemplateCache; TemplateCache.get_node_template\n"
        "from dbt_common.clients.agate_helper import build_type_tester, empty_table\n"
        "dbt_speed.before_import(); dbt_speed.shorten_events(print)\n"
        "dbt_speed.share_tables_and_types(); dbt_speed.find_relations_by_name()\n"
        "dbt_speed.ask_tests_directly(); dbt_speed.name_no_sources()\n"
        "dbt_speed.write_only_bad_code(); dbt_speed.draw_no_graphs()\n"
        "dbt_speed.trust_the_parsed_project()\n"
        "dbt_context.make_macros_when_called(); dbt_context.make_context_when_read()\n"
        "dbt_context.KeptTemplates(Path('none.bin')).install()\n"
        "assert dbt_speed.wait_before_database(print)\n"
        "dbt_speed.KeptCode(Path('none.json'), Path('raw_zone.duckdb'), '').install()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
