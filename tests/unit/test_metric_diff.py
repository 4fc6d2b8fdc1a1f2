"""The report of what a change does to the figures."""

from __future__ import annotations

import subprocess
from pathlib import Path

import duckdb
import pytest

from orchestration.base.errors import WrongUse
from orchestration.metrics import diff
from orchestration.metrics.diff import ModelChanges, metric_changes, model_changes, report
from orchestration.metrics.parity import ComparedMart
from tests import needs

MART = ComparedMart("marts", "kpi", "period_start", None, {}, {}, (), False, False, ("calls",))


def published(path: Path, rows: str, column: str = "calls") -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            f"create table marts.kpi as select * from (values {rows}) "
            f"as t(period_grain, period_start, {column}, win_rate)"
        )
    return path


def node(checksum: str, *parents: str, macros: tuple[str, ...] = ()) -> dict:
    return {
        "resource_type": "model",
        "checksum": {"checksum": checksum},
        "depends_on": {"nodes": list(parents), "macros": list(macros)},
    }


def test_changed_figures_are_told_by_period(tmp_path: Path) -> None:
    base = published(
        tmp_path / "b.duckdb",
        "('month', date '2026-01-01', 10, 0.5), ('month', '2026-02-01', 20, 0.5), "
        "('day', '2026-02-01', 1, 0.5)",
    )
    head = published(
        tmp_path / "h.duckdb",
        "('month', date '2026-01-01', 10, 0.5), ('month', '2026-02-01', 25, 0.5), "
        "('month', '2026-03-01', 5, null), ('day', '2026-02-01', 2, 0.5)",
    )
    changes, missing = metric_changes(base, head, [MART])
    assert missing == []
    (change,) = changes
    assert (change.mart, change.column, change.cells) == ("marts.kpi", "calls", 2)
    assert [(it.period, it.base, it.head) for it in change.periods] == [
        ("2026-02-01", 20, 25),
        ("2026-03-01", None, 5),
    ]
    text = report("main", changes, missing, model_changes(*[{"nodes": {}, "macros": {}}] * 2))
    assert "| 2026-02-01 | 20 | 25 | +25.00% |" in text
    assert "| 2026-03-01 | – | 5 | – |" in text


def test_new_and_lost_columns_are_told(tmp_path: Path) -> None:
    row = "('month', date '2026-01-01', 10, 0.5)"
    base = published(tmp_path / "b.duckdb", row, "calls")
    head = published(tmp_path / "h.duckdb", row, "talks")
    assert metric_changes(base, head, [MART]) == (
        [],
        ["marts.kpi.talks is new", "marts.kpi.calls is gone"],
    )


def test_nothing_changed_is_said(tmp_path: Path) -> None:
    row = "('month', date '2026-01-01', 10, 0.1 + 0.2)"
    files = [published(tmp_path / f"{name}.duckdb", row) for name in "bh"]
    changes, missing = metric_changes(*files, [MART])
    assert (changes, missing) == ([], [])
    models = model_changes(*[{"nodes": {}, "macros": {}}] * 2)
    assert "No figure changed." in report("main", changes, missing, models)


def test_models_are_changed_by_their_text_and_their_macros() -> None:
    alone = {"depends_on": {"macros": []}}
    macros = {"m.ratio": {"macro_sql": "a / b", **alone}, "m.same": {"macro_sql": "x", **alone}}
    base = {
        "nodes": {
            "model.v.text": node("1"),
            "model.v.uses_ratio": node("1", macros=("m.ratio",)),
            "model.v.child": node("1", "model.v.text", macros=("m.same",)),
            "model.v.grandchild": node("1", "model.v.child"),
            "model.v.untouched": node("1"),
            "model.v.dropped": node("1"),
        },
        "macros": macros,
    }
    head = {
        "nodes": {
            **{name: it for name, it in base["nodes"].items() if name != "model.v.dropped"},
            "model.v.text": node("2"),
            "model.v.added": node("1"),
        },
        "macros": {**macros, "m.ratio": {"macro_sql": "a / nullif(b, 0)", **alone}},
    }
    found = model_changes(base, head)
    assert found.changed == ["text", "uses_ratio"]
    assert found.added == ["added"]
    assert found.removed == ["dropped"]
    assert found.affected == ["child", "grandchild"]


def test_a_changed_seed_is_told_with_the_models_that_read_it() -> None:
    """Of a seed, dbt's manifest names no parents."""
    seed = {**node("1"), "resource_type": "seed", "depends_on": {"macros": []}}
    models = {
        "model.v.reads_seed": node("1", "seed.v.holidays"),
        "model.v.reads_model": node("1", "model.v.reads_seed"),
        "model.v.other": node("1"),
    }
    base, head = (
        {"nodes": {"seed.v.holidays": {**seed, "checksum": {"checksum": it}}, **models}}
        for it in "12"
    )
    found = model_changes({**base, "macros": {}}, {**head, "macros": {}})
    assert found == ModelChanges(["holidays"], [], [], ["reads_model", "reads_seed"])


def test_a_macro_changes_the_models_of_the_macros_that_call_it() -> None:
    calls = {"macro_sql": "{{ inner() }}", "depends_on": {"macros": ["macro.v.inner"]}}
    model = {"model.v.one": node("1", macros=("macro.v.outer",)), "model.v.two": node("1")}
    base, head = (
        {
            "nodes": model,
            "macros": {
                "macro.v.inner": {"macro_sql": text, "depends_on": {"macros": []}},
                "macro.v.outer": calls,
            },
        }
        for text in ("1", "2")
    )
    assert model_changes(base, head) == ModelChanges(["one"], [], [], [])


def git(where: Path, *arguments: str) -> None:
    program = needs.git()
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    subprocess.run([program, *who, *arguments], cwd=where, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with one commit, whose builds are a manifest and one figure."""

    def build(tree: Path, raw_dir: Path, data: Path) -> None:
        if not (tree / "figure.txt").is_file():
            raise WrongUse("The demo could not be built.")
        for part in (diff.MANIFEST, diff.PUBLISHED):
            (data / part).parent.mkdir(parents=True, exist_ok=True)
        (data / diff.MANIFEST).write_text('{"nodes": {}, "macros": {}}')
        (data / diff.PUBLISHED).unlink(missing_ok=True)
        figure = (tree / "figure.txt").read_text()
        published(data / diff.PUBLISHED, figure)
        with (data / "builds").open("a") as file:
            file.write(figure.split(", ")[2] + "\n")

    monkeypatch.setattr(diff, "build", build)
    monkeypatch.setattr(diff, "compared_marts", lambda manifest: [MART])
    git(tmp_path, "init", "--quiet")
    (tmp_path / "figure.txt").write_text("('month', date '2026-01-01', 10, 0.5)")
    git(tmp_path, "add", "figure.txt")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    (tmp_path / "figure.txt").write_text("('month', date '2026-01-01', 15, 0.5)")
    return tmp_path


@pytest.mark.parametrize("is_locked", [False, True])
def test_what_a_killed_run_left_behind_is_replaced(project: Path, is_locked: bool) -> None:
    """Git keeps a working tree locked while it makes it."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        cwd=project,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    left = project / diff.WORK_DIR / f"{commit}.tree"
    git(project, "worktree", "add", "--detach", str(left), commit)
    (left / "figure.txt").unlink()
    if is_locked:
        git(project, "worktree", "lock", str(left))
    text = diff.run(project, "HEAD")
    assert "| 2026-01-01 | 10 | 15 | +50.00% |" in text
    assert (project / diff.WORK_DIR / diff.REPORT).read_text() == text
    assert not left.exists()


def test_the_figures_are_reported_where_the_manifests_cannot_be_compared(project: Path) -> None:
    git(project, "tag", "base")
    diff.run(project, "base")
    (manifest,) = (project / diff.WORK_DIR).glob(f"[0-9a-f]*/{diff.MANIFEST}")
    manifest.write_text('{"nodes": {"model.v.a": {}}, "macros": {}}')
    text = diff.run(project, "base")
    assert "| 2026-01-01 | 10 | 15 | +50.00% |" in text
    assert "cannot be compared: KeyError('resource_type')." in text
    assert (project / diff.WORK_DIR / diff.REPORT).read_text() == text


def test_what_has_not_changed_is_not_built_again(project: Path) -> None:
    """The present version starts from the data directory of the one that it is compared with."""
    diff.run(project, "HEAD")
    work = project / diff.WORK_DIR
    assert (work / "head" / "builds").read_text().split() == ["10", "15"]
    diff.run(project, "HEAD")
    assert (work / "head" / "builds").read_text().split() == ["10", "15", "15"]
    assert [path.parent.name == "head" for path in work.glob("*/builds")].count(False) == 1


def test_a_report_that_cannot_be_made_leaves_no_older_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report_file = project / diff.WORK_DIR / diff.REPORT
    report_file.parent.mkdir(parents=True)
    report_file.write_text("of another comparison")
    assert diff.main(["no-such-commit"], project) == 2
    assert "Name a commit that this clone has" in capsys.readouterr().err
    assert not report_file.exists()
