"""What the marts take from the metrics' YAML files: ratios and sums of other figures.

A metric of type ratio or derived is defined there once. `make docs` writes from it the SQL that the
marts select (a macro) and the descriptions of their columns (doc blocks); a test says which is
stale. What is no arithmetic on figures of one row (medians, means over months) is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.metrics.catalogue import OF_MEMBERS, Catalogue
from orchestration.metrics.glossary import METRICS_DIR, read_metrics

MACRO = Path("dbt_project/macros/kpi/figure_definitions.sql")
DIRECTIONS = Path("dbt_project/macros/kpi/good_directions.sql")
DOC_BLOCKS = Path("dbt_project/models/figures.md")
# What a description says beside the formula, in the metric's `config.meta`.
NOTE = "note"

# Numbers that have a macro of their own.
_NAMED = {86_400_000_000: "microseconds_per_day()"}
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COLUMN = re.compile(r"\[(\w+)\]")
_HEAD = "Made by `make docs` from dbt_project/models/semantic/metrics: edit those."


@dataclass(frozen=True)
class Definition:
    """A figure made of others: `numerator` / `denominator`, or the numerator alone.

    Both are arithmetic over columns, which stand in brackets: `[deals_won] + [deals_lost]`.
    `formula` is the same for people, in the words of the marts; `file` is where it is defined.
    """

    name: str
    numerator: str
    denominator: str | None
    formula: str
    note: str
    file: Path

    @property
    def text(self) -> str:
        """A description of the column, in Markdown; a change of units is not spelt out."""
        if any(str(number) in self.formula for number in _NAMED):
            return self.note
        formula = _COLUMN.sub(r"`\1`", self.formula).replace(" - ", " − ")
        return f"{formula}. {self.note}".strip()


def definitions(project_dir: Path) -> dict[str, Definition]:
    """The figures that the metrics' YAML files make of others, in the files' order."""
    if not (project_dir / METRICS_DIR).is_dir():
        return {}
    catalogue = read_metrics(project_dir)
    found = {}
    for file in sorted((project_dir / METRICS_DIR).glob("*.yml")):
        for name in re.findall(r"^  - name: (\w+)$", file.read_text(encoding="utf-8"), re.M):
            sides = _sides(catalogue, name)
            if sides is not None and catalogue.metrics[name].variant_of is None:
                meta = catalogue.definition(name)["config"]["meta"]
                where = file.relative_to(project_dir)
                found[name] = Definition(name, *sides, meta.get(NOTE, ""), where)
    return found


def generated_files(project_dir: Path) -> dict[Path, str]:
    """The macros and the doc blocks by their paths inside the project."""
    found = definitions(project_dir)
    if not found:
        return {}
    return {
        MACRO: _macro(found),
        DIRECTIONS: _directions(read_metrics(project_dir), found),
        DOC_BLOCKS: _doc_blocks(found),
    }


def _macro(found: Mapping[str, Definition]) -> str:
    lines = [
        f"{{# {_HEAD}",
        "   [numerator, denominator] of each figure that is made of others, columns in brackets;",
        "   without a denominator it is the numerator alone. #}",
        "{% macro figure_definitions() %}",
        "    {% do return({",
    ]
    for it in found.values():
        below = "none" if it.denominator is None else _jinja(it.denominator)
        lines.append(f"        '{it.name}': [{_jinja(it.numerator)}, {below}],")
    return "\n".join([*lines, "    }) %}", "{% endmacro %}"]) + "\n"


def _directions(catalogue: Catalogue, found: Iterable[str]) -> str:
    lines = [
        f"{{# {_HEAD}",
        "   Which way is good, of each figure that is made of others: up, down or none. #}",
        "{% macro good_directions() %}",
        "    {% do return({",
        *(f"        '{name}': '{catalogue.metrics[name].good_direction}'," for name in found),
    ]
    return "\n".join([*lines, "    }) %}", "{% endmacro %}"]) + "\n"


def _jinja(sql: str) -> str:
    """An expression of Jinja for this SQL, with the names of numbers that have one."""
    text = f"'{sql}'"
    for number, macro in _NAMED.items():
        text = text.replace(str(number), f"' ~ {macro} ~ '")
    return text.removeprefix("'' ~ ").removesuffix(" ~ ''")


def _doc_blocks(found: Mapping[str, Definition]) -> str:
    blocks = [f"{{% docs {it.name} %}}\n{it.text}\n{{% enddocs %}}" for it in found.values()]
    head = (
        f"{_HEAD} Ratios are fractions, NULL where the\ndenominator is 0; never average them over "
        "rows, divide the sums."
    )
    return "\n\n".join([head, *blocks]) + "\n"


def _sides(catalogue: Catalogue, name: str) -> tuple[str, str | None, str] | None:
    """Numerator, denominator and formula of a metric; None where it is no such arithmetic."""
    definition = catalogue.definition(name)
    params = definition["type_params"]
    try:
        if definition["type"] == "ratio":
            above, below = params["numerator"]["name"], params["denominator"]["name"]
            formula = f"{_shown(catalogue, above)} / {_shown(catalogue, below)}"
            return _expanded(catalogue, above), _expanded(catalogue, below), formula
        if definition["type"] != "derived":
            return None
        tree, names = _parsed(params)
        whole = _written(catalogue, tree, names, _shown)
        if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div):
            above = _written(catalogue, tree.left, names, _expanded)
            return above, _written(catalogue, tree.right, names, _expanded), whole
        return _written(catalogue, tree, names, _expanded), None, whole
    except (SyntaxError, _NotArithmetic):
        return None


class _NotArithmetic(ValueError):
    """A metric is made of other things than sums and numbers."""


def _parsed(params: Mapping[str, Any]) -> tuple[ast.expr, dict[str, tuple[str, bool]]]:
    """The expression of a derived metric, and of its inputs the metric and whether it is past."""
    text = re.sub(r"::\s*\w+", "", params["expr"])
    # Marts have 0 where nothing was, and no ratio where the denominator is 0.
    text = re.sub(r"(?:nullif|coalesce)\((\w+), 0\)", r"\1", text)
    names = {
        it.get("alias") or it["name"]: (it["name"], "offset_window" in it)
        for it in params["metrics"]
    }
    return ast.parse(text, mode="eval").body, names


def _written(
    catalogue: Catalogue, node: ast.expr, names: Mapping[str, tuple[str, bool]], write: Any
) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return f"{node.value:g}" if node.value < 10**6 else str(int(node.value))
    if isinstance(node, ast.Name):
        metric, is_past = names[node.id]
        # A figure of the period before has a column of its own.
        return f"[{node.id}]" if is_past else str(write(catalogue, metric))
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        raise _NotArithmetic
    left, right = (_written(catalogue, it, names, write) for it in (node.left, node.right))
    if isinstance(node.op, ast.Mult | ast.Div):
        left, right = _in_brackets(left), _in_brackets(right)
    return f"{left} {_OPERATORS[type(node.op)]} {right}"


def _is_quotient(tree: ast.expr) -> bool:
    """Whether it divides by a figure; dividing by a number changes units."""
    return (
        isinstance(tree, ast.BinOp)
        and isinstance(tree.op, ast.Div)
        and not isinstance(tree.right, ast.Constant)
    )


def _in_brackets(text: str) -> str:
    is_sum = " + " in text or " - " in text
    return f"({text})" if is_sum and not text.startswith("(") else text


def _expanded(catalogue: Catalogue, name: str) -> str:
    """A metric in terms of figures that are counted, for SQL."""
    definition = catalogue.definition(name)
    members = definition["config"]["meta"].get(OF_MEMBERS)
    if members:
        # Of one member it is the sum itself.
        return f"[{members['sum']}]"
    if definition["type"] != "derived":
        return f"[{name}]"
    tree, names = _parsed(definition["type_params"])
    text = _written(catalogue, tree, names, _expanded)
    return f"[{name}]" if _is_quotient(tree) else text


def _shown(catalogue: Catalogue, name: str) -> str:
    """The same for people: a change of units is not spelt out."""
    text = _expanded(catalogue, name)
    if any(str(number) in text for number in _NAMED):
        return f"[{name}]"
    return _in_brackets(text)
