"""Ratios of the catalogue as quotients of sums, which a page can form for any cut.

A mart's ratio cannot be added up over managers or days, its numerator and denominator can. So the
page gets every metric as two weighted sums of additive columns, taken from the metric's own
definition; what is not of that form (medians, states, figures of past periods) it shows only as
the marts have it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from orchestration.metrics.catalogue import OF_MEMBERS, Catalogue

Sum = dict[str, float]


@dataclass(frozen=True)
class Formula:
    """`numerator` / `denominator`, each a sum of columns times factors; no denominator: a sum.

    `having` names a dimension and a column: only members whose sum of that column in the period is
    not 0 are added up.
    """

    numerator: Sum
    denominator: Sum | None = None
    having: tuple[str, str] | None = None


def formula(catalogue: Catalogue, name: str, columns: Collection[str]) -> Formula | None:
    """The metric in terms of additive columns; None where it is not a quotient of sums."""
    if name in columns:
        return Formula({name: 1.0})
    if name not in catalogue.metrics:
        return None
    definition = catalogue.definition(name)
    members = ((definition.get("config") or {}).get("meta") or {}).get(OF_MEMBERS)
    if members:
        whole = formula(catalogue, members["sum"], columns)
        return whole and replace(whole, having=(members["over"], members["having"]))
    params = definition["type_params"]
    if definition["type"] == "ratio":
        parts = [params["numerator"], params["denominator"]]
        if any(part.get("filter") for part in parts):
            return None
        above, below = (formula(catalogue, part["name"], columns) for part in parts)
        return _divide(above, below)
    if definition["type"] == "derived":
        inputs = params.get("metrics") or []
        if any(
            i.get("offset_window") or i.get("offset_to_grain") or i.get("filter") for i in inputs
        ):
            return None
        known = {
            item.get("alias") or item["name"]: formula(catalogue, item["name"], columns)
            for item in inputs
        }
        return _read(params["expr"], known)
    return None


def _read(expression: str, known: dict[str, Formula | None]) -> Formula | None:
    """A derived metric's SQL, if it is arithmetic on sums."""
    text = re.sub(r"::\s*\w+", "", expression)
    # The page does not divide by 0 either.
    text = re.sub(r"nullif\(([^(),]+), 0\)", r"(\1)", text)
    try:
        return _evaluate(ast.parse(text, mode="eval").body, known)
    except SyntaxError:
        return None


def _evaluate(node: ast.expr, known: dict[str, Formula | None]) -> Formula | None:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Formula({"": float(node.value)})
    if not isinstance(node, ast.BinOp):
        return None
    left, right = _evaluate(node.left, known), _evaluate(node.right, known)
    if isinstance(node.op, ast.Div):
        return _divide(left, right)
    if left is None or right is None or left.denominator or right.denominator:
        return None
    if isinstance(node.op, ast.Add | ast.Sub):
        sign = 1.0 if isinstance(node.op, ast.Add) else -1.0
        total = dict(left.numerator)
        for column, factor in right.numerator.items():
            total[column] = total.get(column, 0.0) + sign * factor
        # A constant beside sums has no place in a quotient of sums.
        if "" in total and len(total) > 1:
            return None
        return Formula(total, having=left.having or right.having)
    return None


def _divide(above: Formula | None, below: Formula | None) -> Formula | None:
    if above is None or below is None or below.denominator:
        return None
    if set(below.numerator) == {""}:
        factor = 1.0 / below.numerator[""]
        scaled = {column: value * factor for column, value in above.numerator.items()}
        return replace(above, numerator=scaled)
    if above.denominator or "" in above.numerator:
        return None
    return Formula(above.numerator, below.numerator, above.having or below.having)
