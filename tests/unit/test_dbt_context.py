"""Contexts of dbt's templates: everything is there, and nothing is made before it is asked for."""

import json
import subprocess
import sys

import pytest

from orchestration.base.files import read_marked, write_marked
from orchestration.models.dbt_context import KeptTemplates, LazyNames
from tests.conftest import ROOT


def test_a_name_is_made_when_it_is_read_and_once():
    made = []
    names = LazyNames({"a", "b"}, lambda name: made.append(name) or name.upper())
    assert ("a" in names, "c" in names, made) == (True, False, [])
    assert (names["a"], names["a"], names.get("b"), names.get("c", 3)) == ("A", "A", "B", 3)
    assert made == ["a", "b"]
    with pytest.raises(KeyError):
        names["c"]


def test_what_is_put_in_comes_before_what_would_be_made():
    names = LazyNames({"a"}, str.upper)
    names["a"] = 1
    names.update(d=2)
    assert (names["a"], names.setdefault("d"), names.setdefault("e", 5)) == (1, 2, 5)
    assert dict(names) == {"a": 1, "d": 2, "e": 5}


@pytest.mark.parametrize(
    "copied",
    [
        dict,
        lambda names: {**names},
        lambda names: dict((), **names),
        lambda names: names.copy(),
        lambda names: {name: names[name] for name in names},
        lambda names: dict(names.items()),
        lambda names: dict(zip(names.keys(), names.values(), strict=True)),
    ],
)
def test_a_copy_has_all_of_it(copied):
    names = LazyNames({"a", "b"}, str.upper)
    assert copied(names) == {"a": "A", "b": "B"}
    assert len(LazyNames({"a", "b"}, str.upper)) == 2


def test_a_marked_file_is_read_by_who_knows_the_mark_and_only_whole(tmp_path):
    file = tmp_path / "kept.bin"
    assert read_marked(file, "this") is None
    write_marked(file, "this", b"content")
    assert (read_marked(file, "this"), read_marked(file, "that")) == (b"content", None)
    file.write_bytes(file.read_bytes()[:-1])
    assert read_marked(file, "this") is None


def test_damaged_templates_are_no_templates(tmp_path):
    file = tmp_path / "templates.bin"
    file.write_bytes(b"not marshal's")
    assert KeptTemplates(file)._kept == {}


# Both ways to make a context in one process: what dbt makes of it, and what is made lazily.
COMPARISON = """
import json, sys
from orchestration.models import dbt_context
from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
from dbt.clients.jinja import MacroStack
from types import SimpleNamespace as Macro

def packages():
    found = {}
    for package, names in {
        "voronka": ["mine", "both", "over_dbt"],
        "other": ["theirs", "both"],
        "dbt": ["core", "over_dbt", "adapted"],
        "dbt_duckdb": ["adapted"],
    }.items():
        found[package] = {
            name: Macro(name=name, package_name=package, unique_id=f"{package}.{name}",
                        macro_sql="")
            for name in names
        }
    return found

def shown(search_package):
    builder = MacroNamespaceBuilder(
        "voronka", search_package, MacroStack(), ["dbt", "dbt_duckdb"], None)
    namespace = builder.build_namespace(packages(), {})
    top = {name: namespace[name] for name in sorted(namespace)}
    return {
        "top": {
            name: sorted(found) if isinstance(found, dict) else found.macro.unique_id
            for name, found in top.items()
        },
        "by package": {
            package: {
                name: found and found.macro.unique_id
                for name in ["mine", "both", "theirs", "core", "adapted", "over_dbt", "none"]
                for found in [namespace.get_from_package(package, name)]
            }
            for package in ["voronka", "other", "dbt"]
        },
    }

before = [shown(package) for package in ("voronka", "other", "dbt")]
dbt_context.make_macros_when_called()
after = [shown(package) for package in ("voronka", "other", "dbt")]
print(json.dumps([before, after]))
"""


def test_macros_are_found_by_dbts_own_rules():
    done = subprocess.run(
        [sys.executable, "-c", COMPARISON], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    assert before == after
    assert before[0]["top"]["over_dbt"] == "voronka.over_dbt"
    assert before[0]["by package"]["other"]["both"] == "other.both"
