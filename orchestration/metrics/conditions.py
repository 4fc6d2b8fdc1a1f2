"""Conditions of people as MetricFlow wants them, and the same conditions of an earlier time."""

from __future__ import annotations

import re

from orchestration.base.errors import WrongUse
from orchestration.metrics.catalogue import ALL_GRAINS
from orchestration.metrics.choices import Grain
from orchestration.metrics.engine import METRIC_TIME

# The key that every fact has of its day: metric_time by another name.
DATE = "date"

_QUOTED = re.compile(r"('(?:[^']|'')*')")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIME = re.compile(
    rf"{{{{\s*TimeDimension\(\s*['\"]{METRIC_TIME}['\"]\s*,\s*['\"]({'|'.join(ALL_GRAINS)})['\"]"
    r"\s*\)\s*}}"
)
_OTHER_TIME = re.compile(rf"\(\s*['\"]({METRIC_TIME}\w*|{DATE})['\"]")


def as_template(condition: str, entities: frozenset[str]) -> str:
    """A condition like `manager__team = 'North' and metric_time >= '2026-01-01'` for MetricFlow.

    Conditions that are templates already stay as they are.
    """
    if "{{" in condition:
        return condition

    def named(match: re.Match[str]) -> str:
        word = match[0]
        if word == METRIC_TIME:
            return "{{ TimeDimension('metric_time', 'day') }}"
        if word in entities:
            return f"{{{{ Entity('{word}') }}}}"
        if "__" in word:
            entity, _, attribute = word.rpartition("__")
            if entity.partition("__")[0] == METRIC_TIME or attribute in ALL_GRAINS:
                return f"{{{{ TimeDimension('{entity}', '{attribute}') }}}}"
            return f"{{{{ Dimension('{word}') }}}}"
        return word

    parts = _QUOTED.split(condition)
    return "".join(
        part if number % 2 else _WORD.sub(named, part) for number, part in enumerate(parts)
    )


def moved(template: str, grain: str, step: str) -> str:
    """The condition for figures that are a step (`interval 1 month`) older, asked by `grain`.

    Whatever it says of metric_time it says of the time a step later; the rest stays. Raises
    WrongUse where it names the time in a way that cannot be moved.
    """
    unmoved = _OTHER_TIME.search(_TIME.sub("", template))
    if unmoved:
        raise WrongUse(
            f"--compare cannot move a condition on {unmoved[1]} to the earlier period.",
            "Write --where \"metric_time >= '2026-01-01'\", or metric_time__month and so on.",
        )

    def later(match: re.Match[str]) -> str:
        asked = match[1]
        counted = _counted_in(asked, grain)
        time = f"{{{{ TimeDimension('{METRIC_TIME}', '{counted}') }}}}"
        return f"date_trunc('{asked}', {time} + {step})"

    return _TIME.sub(later, template)


def _counted_in(asked: str, grain: str) -> str:
    """The grain to add a step of another to; the start of a week says little of its month."""
    finer = min(asked, grain, key=ALL_GRAINS.index)
    return Grain.DAY.value if finer == Grain.WEEK and asked != grain else finer
