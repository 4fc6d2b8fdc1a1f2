"""Conditions of people: one expression over dimensions and values, rewritten for MetricFlow.

DuckDB's own parser reads the text as the condition of a statement that is never run. What it found
is taken apart, and a condition is written from the parts that are listed here. So no text that
somebody typed becomes part of a statement or of a template.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.base.errors import WrongUse, shortened
from orchestration.base.sql import literal
from orchestration.metrics.catalogue import ALL_GRAINS
from orchestration.metrics.choices import Grain
from orchestration.metrics.engine import METRIC_TIME

# The key that every fact has of its day: metric_time by another name.
DATE = "date"
# A few hundred keys in a list; nobody types more.
_LONGEST = 10_000
# Levels of the parsed text; a pair of brackets or a `not` takes two. Python recurses to 1,000.
_DEEPEST = 200

_COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "is distinct from",
    "COMPARE_NOT_DISTINCT_FROM": "is not distinct from",
}
_CONJUNCTIONS = {"CONJUNCTION_AND": " and ", "CONJUNCTION_OR": " or "}
_LISTS = {"COMPARE_IN": "in", "COMPARE_NOT_IN": "not in"}
_OPERATORS = {
    "~~": "like",
    "!~~": "not like",
    "~~*": "ilike",
    "!~~*": "not ilike",
    "+": "+",
    "-": "-",
    "*": "*",
    "/": "/",
    "%": "%",
    "||": "||",
}
FUNCTIONS = (
    *("lower", "upper", "trim", "length", "contains", "starts_with", "ends_with"),
    *("year", "quarter", "month", "week", "day", "hour", "isodow", "date_trunc", "date_part"),
    *("coalesce", "nullif", "abs", "round"),
)
# What the parser makes of `interval 1 month`.
_INTERVALS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")
_FUNCTIONS = frozenset((*FUNCTIONS, "trunc", *(f"to_{unit}" for unit in _INTERVALS)))
_TYPES = frozenset(
    ("BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP", "INTERVAL")
)
_NUMBERS = frozenset(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UBIGINT", "HUGEINT"))
_MARK = re.compile(r"__value_(\d+)__")
_WHAT = {"SUBQUERY": "subquery", "WINDOW": "window", "STAR": "*", "PARAMETER": "parameter"}
_REMEDY = (
    "Write for example \"manager__team = 'North' and metric_time >= '2026-07-01'\", with =, <>, <, "
    "<=, >, >=, between, in, like, ilike, is null, and, or, not, and the functions "
    f"{', '.join(FUNCTIONS)}."
)

Tree = Mapping[str, Any]
Naming = Callable[[str], str]


class Values:
    """The values of conditions, taken out of their text: `__value_0__` stands for the first.

    So questions that differ in values alone are one question to MetricFlow, which takes a tenth
    of a second to plan what it has not been asked before.
    """

    def __init__(self) -> None:
        self._found: list[str] = []

    def mark(self, value: str) -> str:
        """What stands for a value in SQL until it is filled in."""
        self._found.append(value)
        return f"__value_{len(self._found) - 1}__"

    def fill(self, sql: str) -> str:
        """The text with its values; what a value holds is not looked at again."""
        return _MARK.sub(lambda found: self._found[int(found[1])], sql)


def parse(connection: duckdb.DuckDBPyConnection, condition: str) -> Tree:
    """What DuckDB's parser finds in a condition; nothing is run.

    Raises WrongUse where it is no condition, or more than one.
    """
    try:
        # What a shell without UTF-8 gave as bytes.
        condition = condition.encode(errors="surrogateescape").decode(errors="replace")
    except UnicodeEncodeError as error:
        raise WrongUse("--where is no text.", _REMEDY) from error
    if len(condition) > _LONGEST:
        raise WrongUse(
            f"--where has {len(condition):,} characters, more than {_LONGEST:,}.",
            "Say it in several conditions, or ask with --by and choose from the answer.",
        )
    statements = _statements(connection, condition)
    empty = _statements(connection, "true")
    where = [statement["node"].pop("where_clause", None) for statement in statements]
    del empty[0]["node"]["where_clause"]
    # A condition leaves all else as it was: no second statement, union, order, group, limit.
    if statements != empty:
        raise WrongUse("--where takes one condition, and this is more than one.", _REMEDY)
    tree: Tree = where[0]
    return tree


def written(tree: Tree, named: Naming, values: Values) -> str:
    """A condition in SQL, its dimensions as `named` gives them, its values as marks.

    Raises WrongUse for whatever is not among the parts that a condition may have.
    """
    kind = str(tree["type"])
    match tree["class"]:
        case "COLUMN_REF":
            return named(".".join(tree["column_names"]))
        case "CONSTANT":
            return values.mark(_value(tree["value"]))
        case "CONJUNCTION" if kind in _CONJUNCTIONS:
            return f"({_CONJUNCTIONS[kind].join(_all(tree['children'], named, values))})"
        case "COMPARISON" if kind in _COMPARISONS:
            sides = _all((tree["left"], tree["right"]), named, values)
            return f"({f' {_COMPARISONS[kind]} '.join(sides)})"
        case "BETWEEN":
            parts = (tree["input"], tree["lower"], tree["upper"])
            value, lower, upper = _all(parts, named, values)
            return f"({value} between {lower} and {upper})"
        case "OPERATOR":
            return _operator(kind, _all(tree["children"], named, values))
        case "CAST" if tree["cast_type"]["id"] in _TYPES and not tree["try_cast"]:
            return f"cast({written(tree['child'], named, values)} as {tree['cast_type']['id']})"
        case "FUNCTION":
            return _function(tree, named, values)
        case other:
            raise _refused(_WHAT.get(other, "such part"))


def template(name: str, entities: frozenset[str]) -> str:
    """MetricFlow's template of a dimension: `{{ Dimension('manager__team') }}`."""
    if name == METRIC_TIME:
        return f"{{{{ TimeDimension('{METRIC_TIME}', 'day') }}}}"
    if name in entities:
        return f"{{{{ Entity('{name}') }}}}"
    entity, _, attribute = name.rpartition("__")
    if attribute in ALL_GRAINS:
        return f"{{{{ TimeDimension('{entity}', '{attribute}') }}}}"
    return f"{{{{ Dimension('{name}') }}}}"


def moved(name: str, grain: str, step: str, entities: frozenset[str]) -> str:
    """The template of a dimension for figures that are a step older, asked by `grain`.

    What is said of metric_time holds for the time a step (`interval 1 month`) later. Raises
    WrongUse for a date, which has no such step.
    """
    if name == DATE:
        raise WrongUse(
            f"--compare cannot move a condition on {DATE} to the earlier period.",
            "Write --where \"metric_time >= '2026-01-01'\", or metric_time__month and so on.",
        )
    time, _, asked = name.partition("__")
    if time != METRIC_TIME:
        return template(name, entities)
    asked = asked or Grain.DAY.value
    counted = template(f"{METRIC_TIME}__{_counted_in(asked, grain)}", entities)
    return f"date_trunc('{asked}', {counted} + {step})"


def _counted_in(asked: str, grain: str) -> str:
    """The grain to add a step of another to; the start of a week says little of its month."""
    finer = min(asked, grain, key=ALL_GRAINS.index)
    return Grain.DAY.value if finer == Grain.WEEK and asked != grain else finer


def _statements(connection: duckdb.DuckDBPyConnection, condition: str) -> list[dict[str, Any]]:
    text = literal(f"select 1 where {condition}")
    row = connection.execute(f"select json_serialize_sql({text})").fetchone()
    assert row is not None
    try:
        found = _without_places(json.loads(row[0]))
    except RecursionError as error:
        raise _too_deep() from error
    if found["error"]:
        if "expression depth" in found["error_message"]:
            raise _too_deep()
        if found["error_type"] == "not implemented":
            # A second statement, which the parser may read and this function may not write.
            raise WrongUse("--where takes one condition, and this is more than one.", _REMEDY)
        reason = shortened(str(found["error_message"]).partition("\n")[0].rstrip("."), 300)
        raise WrongUse(f"--where cannot be read: {reason}.", _REMEDY)
    statements: list[dict[str, Any]] = found["statements"]
    return statements


def _without_places(found: Any, depth: int = 0) -> Any:
    """A parsed statement without the places in its text."""
    if depth > _DEEPEST:
        raise _too_deep()
    if isinstance(found, dict):
        return {
            name: _without_places(value, depth + 1)
            for name, value in found.items()
            if name != "query_location"
        }
    if isinstance(found, list):
        return [_without_places(item, depth + 1) for item in found]
    return found


def _all(trees: Sequence[Tree], named: Naming, values: Values) -> list[str]:
    return [written(tree, named, values) for tree in trees]


def _operator(kind: str, operands: Sequence[str]) -> str:
    first = operands[0]
    if kind in _LISTS:
        return f"({first} {_LISTS[kind]} ({', '.join(operands[1:])}))"
    match kind:
        case "OPERATOR_NOT":
            return f"(not {first})"
        case "OPERATOR_IS_NULL":
            return f"({first} is null)"
        case "OPERATOR_IS_NOT_NULL":
            return f"({first} is not null)"
        case "OPERATOR_COALESCE":
            return f"coalesce({', '.join(operands)})"
        case "OPERATOR_NULLIF":
            return f"nullif({', '.join(operands)})"
        case _:
            raise _refused("such operator")


def _function(tree: Tree, named: Naming, values: Values) -> str:
    name = str(tree["function_name"]).lower()
    is_plain = tree["schema"] in ("", "main") and not (
        tree["catalog"] or tree["filter"] or tree["distinct"] or tree["order_bys"]["orders"]
    )
    if is_plain and tree["is_operator"] and name in _OPERATORS:
        operands = _all(tree["children"], named, values)
        if len(operands) == 1:
            return f"({_OPERATORS[name]} {operands[0]})"
        return f"({f' {_OPERATORS[name]} '.join(operands)})"
    if is_plain and not tree["is_operator"] and name in _FUNCTIONS:
        return f"{name}({', '.join(_all(tree['children'], named, values))})"
    raise _refused(f"{'operator' if tree['is_operator'] else 'function'} {shortened(name)}")


def _value(value: Mapping[str, Any]) -> str:
    """A value as SQL that neither MetricFlow's templates nor its line breaks can change."""
    kind, content = value["type"]["id"], value.get("value")
    if value["is_null"]:
        return "null"
    if kind == "VARCHAR":
        return _text(str(content))
    if kind == "BOOLEAN":
        return "true" if content else "false"
    if isinstance(content, Mapping):
        content = (int(content["upper"]) << 64) + int(content["lower"])
    if kind in _NUMBERS:
        return str(int(content or 0))
    if kind == "DECIMAL":
        return f"{Decimal(int(content or 0)).scaleb(-value['type']['type_info']['scale']):f}"
    if kind == "DOUBLE" and math.isfinite(float(content or 0)):
        return repr(float(content or 0))
    raise _refused("such value")


def _text(text: str) -> str:
    """A literal; what opens a template and what ends a line is given by number."""
    parts, plain = [], ""
    for character in text:
        if character == "{" or not character.isprintable():
            parts += [literal(plain), f"chr({ord(character)})"]
            plain = ""
        else:
            plain += character
    if not parts:
        return literal(text)
    return f"({' || '.join([*parts, literal(plain)])})"


def _too_deep() -> WrongUse:
    return WrongUse("--where is nested too deeply.", _REMEDY)


def _refused(what: str) -> WrongUse:
    return WrongUse(f"--where takes no {what}.", _REMEDY)
