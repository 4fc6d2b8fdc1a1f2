"""What a change of the project does to the figures: the demo built twice, laid side by side.

`make metric-diff BASE=<git ref>` builds the demo with the project as it is and as it was at BASE,
and says which metrics changed, in which periods, by how much, and which models changed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.errors import EXIT_GOOD, EXIT_WRONG_USE, VoronkaError, WrongUse
from orchestration.base.settings import DEMO_DIR
from orchestration.base.sql import literal, quote
from orchestration.metrics.parity import ComparedMart, compared_marts

PROJECT_DIR = Path(__file__).resolve().parents[2]
WORK_DIR = Path("data/metric-diff")
REPORT = "report.md"
MANIFEST = Path("build/target/manifest.json")
PUBLISHED = Path("published/voronka.duckdb")
SHOWN_PERIODS = 6
_TREE_REMEDY = f"Look at `git worktree list`; what is under {WORK_DIR} may be removed."
_NUMBERS = ("BIGINT", "DOUBLE", "DECIMAL", "INTEGER", "HUGEINT")


@dataclass(frozen=True)
class PeriodChange:
    """A figure of one period, before and after; summed over the mart's other keys."""

    period: str
    base: float | None
    head: float | None


@dataclass(frozen=True)
class MetricChange:
    """A figure of a mart that changed: in how many cells, and its greatest changes by period."""

    mart: str
    column: str
    cells: int
    periods: Sequence[PeriodChange]


@dataclass(frozen=True)
class ModelChanges:
    """Models and seeds whose text changed, that are new or gone, and models that read them."""

    changed: Sequence[str]
    added: Sequence[str]
    removed: Sequence[str]
    affected: Sequence[str]


def metric_changes(
    base: Path, head: Path, marts: Sequence[ComparedMart]
) -> tuple[list[MetricChange], list[str]]:
    """Figures that differ between two published files, and what only one of them has."""
    changes: list[MetricChange] = []
    missing: list[str] = []
    with duckdb.connect() as connection:
        for name, file in (("base", base), ("head", head)):
            connection.execute(f"attach {literal(str(file))} as {name} (read_only)")
        for mart in marts:
            before, after = (_columns(connection, name, mart) for name in ("base", "head"))
            missing += [f"{mart.full_name}.{c} is new" for c in after if c not in before]
            missing += [f"{mart.full_name}.{c} is gone" for c in before if c not in after]
            keys = [mart.time, *mart.by] + (["period_grain"] if mart.grain is None else [])
            if not before or not after or any(key not in before for key in keys):
                continue
            for column, type_ in after.items():
                is_figure = type_.startswith(_NUMBERS) and column not in keys
                if is_figure and column in before:
                    change = _change(connection, mart, column, keys)
                    changes += [change] if change else []
    return changes, missing


def model_changes(base: Mapping[str, Any], head: Mapping[str, Any]) -> ModelChanges:
    """Models and seeds that differ between two manifests of dbt, by name."""
    before, after = (_models(manifest) for manifest in (base, head))
    macros = _changed_macros(base["macros"], head["macros"])
    changed = {
        name
        for name, node in after.items()
        if name in before
        and (
            node["checksum"]["checksum"] != before[name]["checksum"]["checksum"]
            or macros & set(node["depends_on"]["macros"])
        )
    }
    added = after.keys() - before.keys()
    affected = _dependents(changed | added, after)
    return ModelChanges(
        changed=_names(changed),
        added=_names(added),
        removed=_names(before.keys() - after.keys()),
        affected=_names(affected - changed - added),
    )


def report(
    base: str,
    changes: Sequence[MetricChange],
    missing: Sequence[str],
    models: ModelChanges | str,
) -> str:
    """The findings as Markdown; a text in place of models says why there are none."""
    lines = [f"# What changed in the demo's figures since {base}", "", "## Metrics", ""]
    if not changes:
        lines.append("No figure changed.")
    for change in changes:
        lines += [f"**{change.column}** in `{change.mart}`: {change.cells} cells differ.", ""]
        lines += ["| period | before | now | change |", "| --- | ---: | ---: | ---: |"]
        lines += [
            f"| {it.period} | {_text(it.base)} | {_text(it.head)} | {_difference(it)} |"
            for it in change.periods
        ]
        lines.append("")
    if missing:
        lines += ["", "## Columns", "", *(f"- {text}" for text in missing)]
    lines += ["", "## Models and seeds", ""]
    if isinstance(models, str):
        lines.append(models)
        return "\n".join(lines) + "\n"
    for title, names in (
        ("changed", models.changed),
        ("new", models.added),
        ("gone", models.removed),
        ("read what changed", models.affected),
    ):
        lines.append(f"- {title}: {', '.join(f'`{name}`' for name in names) or 'none'}")
    return "\n".join(lines) + "\n"


def build(project: Path, raw_dir: Path, data: Path) -> None:
    """Refresh the marts of a project in `data`. Raises WrongUse where that fails."""
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("VORONKA_")},
        "PYTHONPATH": str(project),
        "VORONKA_PROJECT_DIR": str(project),
        "VORONKA_RAW_DIR": str(raw_dir),
        "VORONKA_DATA_DIR": str(data),
    }
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "refresh"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WrongUse(
            f"The demo could not be built with {project}: {done.stderr.strip()}",
            "Correct that version, or compare with another: BASE=<git ref>.",
        )


def run(project: Path, base: str) -> str:
    """Build both versions and return the report, which is also written beside them."""
    work = project / WORK_DIR
    # A report of another comparison is not to be taken for this one.
    (work / REPORT).unlink(missing_ok=True)
    commit = _git(
        project,
        *("rev-parse", "--short=12", f"{base}^{{commit}}"),
        remedy="Name a commit that this clone has: make metric-diff BASE=main",
    )
    built = work / commit
    if not (built / PUBLISHED).is_file():
        tree = work / f"{commit}.tree"
        _check_out(project, tree, commit)
        try:
            print(f"Building the demo as of {base} ({commit}) …", flush=True)
            build(tree, project / DEMO_DIR, built)
        finally:
            _git(project, "worktree", "remove", "--force", str(tree), remedy=_TREE_REMEDY)
    head = work / "head"
    if not (head / PUBLISHED).is_file():
        # What has not changed since is not built again.
        shutil.rmtree(head, ignore_errors=True)
        shutil.copytree(built, head, symlinks=True)
    print("Building the demo as it is …", flush=True)
    build(project, project / DEMO_DIR, head)
    manifests = [json.loads((data / MANIFEST).read_bytes()) for data in (built, head)]
    changes, missing = metric_changes(
        built / PUBLISHED, head / PUBLISHED, compared_marts(manifests[1])
    )
    models: ModelChanges | str
    try:
        models = model_changes(*manifests)
    except (LookupError, TypeError) as error:
        # Another version of dbt writes another manifest; the figures took minutes to build.
        models = f"The manifests of the two versions cannot be compared: {error!r}."
    text = report(f"{base} ({commit})", changes, missing, models)
    (work / REPORT).write_text(text, encoding="utf-8")
    return text


def _columns(
    connection: duckdb.DuckDBPyConnection, database: str, mart: ComparedMart
) -> dict[str, str]:
    found = connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = ? and schema_name = ? and table_name = ? order by column_index",
        [database, mart.schema, mart.name],
    ).fetchall()
    return dict(found)


def _change(
    connection: duckdb.DuckDBPyConnection, mart: ComparedMart, column: str, keys: Sequence[str]
) -> MetricChange | None:
    """Cells of one column that differ, and the periods in which they differ most.

    Of a mart with several grains the months stand for all.
    """
    table = f"{quote(mart.schema)}.{quote(mart.name)}"
    rows = f"{table} where period_grain = 'month'" if mart.grain is None else table
    figure, time = quote(column), quote(mart.time)
    same = " and ".join(f"b.{quote(key)} is not distinct from h.{quote(key)}" for key in keys)
    found = connection.execute(
        f"""
        select coalesce(b.{time}, h.{time})::varchar as period,
            sum(b.{figure})::double, sum(h.{figure})::double, count(*)
        from (from base.{rows}) as b full join (from head.{rows}) as h on {same}
        where b.{figure} is distinct from h.{figure}
            and coalesce(abs(b.{figure} - h.{figure}) > 1e-9 * abs(h.{figure}), true)
        group by 1
        order by abs(coalesce(sum(h.{figure}), 0) - coalesce(sum(b.{figure}), 0)) desc, 1
        """
    ).fetchall()
    if not found:
        return None
    return MetricChange(
        mart=mart.full_name,
        column=column,
        cells=sum(row[3] for row in found),
        periods=[PeriodChange(*row[:3]) for row in sorted(found[:SHOWN_PERIODS])],
    )


def _models(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: node
        for name, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "seed")
    }


def _changed_macros(base: Mapping[str, Any], head: Mapping[str, Any]) -> set[str]:
    """Macros whose text changed or is new, and those that call them."""
    changed = {
        name
        for name, macro in head.items()
        if macro["macro_sql"] != base.get(name, {}).get("macro_sql")
    }
    return changed | _dependents(changed, head, "macros")


def _dependents(changed: set[str], nodes: Mapping[str, Any], parents: str = "nodes") -> set[str]:
    """What depends on the changed ones, directly or not. Seeds depend on no node."""
    found: set[str] = set()
    front = changed
    while front:
        front = {
            name
            for name, node in nodes.items()
            if front & set(node["depends_on"].get(parents, ())) and name not in found
        }
        found |= front
    return found


def _names(unique_ids: Sequence[str] | set[str]) -> list[str]:
    return sorted(name.rpartition(".")[2] for name in unique_ids)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:,.6g}" if abs(value) < 1000 else f"{value:,.0f}"


def _difference(change: PeriodChange) -> str:
    if not change.base or change.head is None:
        return "–"
    return f"{change.head / change.base - 1:+.2%}"


def _check_out(project: Path, tree: Path, commit: str) -> None:
    """A working tree of a commit, in place of one that a killed run left behind."""
    if tree.exists():
        shutil.rmtree(tree)
    # Twice, for git still knows the tree that is gone, and may hold it locked.
    force = ("--force", "--force")
    _git(project, "worktree", "add", *force, "--detach", str(tree), commit, remedy=_TREE_REMEDY)


def _git(project: Path, *arguments: str, remedy: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WrongUse(f"git {arguments[0]}: {done.stderr.strip()}", remedy)
    return done.stdout.strip()


def main(arguments: Sequence[str], project: Path = PROJECT_DIR) -> int:
    """Print the report; returns the exit code. Changed figures are no error."""
    parser = argparse.ArgumentParser(prog="metric-diff", description=__doc__)
    parser.add_argument("base", help="git ref to compare with")
    try:
        print(run(project, parser.parse_args(arguments).base))
    except VoronkaError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_USE
    return EXIT_GOOD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
