"""Third parties' tools are used as they come: nothing of theirs is replaced, faked or private.

Read from the source of the whole tree, without importing it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OWN = {"orchestration", "tests", "seeds"}
FILES = sorted(
    path
    for part in (*OWN, "docs")
    for path in (ROOT / part).rglob("*.py")
    if "node_modules" not in path.parts
)


def findings(source: str) -> list[str]:
    """What a file does to third parties, as `line: what`."""
    tree = ast.parse(source)
    foreign = set(_foreign_names(tree))
    found = []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.ImportFrom) and _is_foreign(node.module or "") and not node.level:
            parts = (node.module or "").split(".")
            private = [
                name for name in (*parts, *(a.name for a in node.names)) if _is_private(name)
            ]
            found += [f"{line}: imports the private {name}" for name in private]
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names if _is_foreign(a.name)]
            private = [name for name in names if any(map(_is_private, name.split(".")))]
            found += [f"{line}: imports the private {name}" for name in private]
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and _root(node) in foreign:
            found.append(f"{line}: reads the private {ast.unparse(node)}")
        for target in _targets(node):
            if isinstance(target, ast.Attribute | ast.Subscript) and _root(target) in foreign:
                found.append(f"{line}: assigns {ast.unparse(target)}")
            elif ast.unparse(target).startswith("sys.modules"):
                found.append(f"{line}: fakes a module")
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("setattr", "delattr") and node.args and _root(node.args[0]) in foreign:
                found.append(f"{line}: {called} of {ast.unparse(node.args[0])}")
            if called.startswith("sys.modules.") and called != "sys.modules.get":
                found.append(f"{line}: fakes a module")
            if called == "pickle.loads":
                found.append(f"{line}: unpickles")
    return found


def _foreign_names(tree: ast.AST) -> Iterator[str]:
    """Names that stand for third parties' modules and what is imported from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_foreign(alias.name):
                    yield (alias.asname or alias.name).split(".")[0]
        elif isinstance(node, ast.ImportFrom) and not node.level and _is_foreign(node.module or ""):
            for alias in node.names:
                yield alias.asname or alias.name


def _is_foreign(module: str) -> bool:
    return module.split(".")[0] not in OWN | set(sys.stdlib_module_names)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = list(node.targets)
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Delete):
        targets = list(node.targets)
    for target in targets:
        yield from target.elts if isinstance(target, ast.Tuple | ast.List) else [target]


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_changes_or_reaches_into_third_parties(path: Path) -> None:
    assert findings(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import duckdb\nduckdb.connect = None", "2: assigns duckdb.connect"),
        ("from dbt.task import test\ntest.Runner.run, x = 1, 2", "2: assigns test.Runner.run"),
        ("import sys\nsys.modules['dbt'] = None", "2: fakes a module"),
        ("import sys\nsys.modules.update(dbt=None)", "2: fakes a module"),
        ("import dagster as dg\nsetattr(dg.Run, 'go', 1)", "2: setattr of dg.Run"),
        ("from dagster._core import x", "1: imports the private _core"),
        ("import dagster\ndagster._core.run()", "2: reads the private dagster._core"),
        ("import gx\ngx.get()._save = 1", "2: assigns gx.get()._save"),
        ("import pickle\npickle.loads(b'')", "2: unpickles"),
    ],
)
def test_each_kind_of_it_is_found(source: str, what: str) -> None:
    assert what in findings(source)


def test_what_is_ours_may_be_changed() -> None:
    assert findings("from orchestration.base import record\nrecord.STEPS = ()\nself._x = 1") == []
