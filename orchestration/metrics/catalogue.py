"""What the metrics layer knows: every metric with its names, unit and good direction.

Read from dbt's semantic manifest, without MetricFlow: a list needs no planner.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestration.metrics.choices import Grain, Group, Language

# Where the layer's tables are, and the one that holds its definitions.
SCHEMA = "metrics"
MANIFEST_TABLE = "semantic_manifest"
ALL_GRAINS = tuple(item.value for item in Grain)
# Those of the marts.
GRAINS = ALL_GRAINS[1:]
ENGLISH, RUSSIAN = Language.ENGLISH.value, Language.RUSSIAN.value
LANGUAGES = (ENGLISH, RUSSIAN)
GROUPS = tuple(item.value for item in Group)
# The key of `at_grain` for questions without a grain.
ALL_TIME = "all"
# `config.meta` of a sum over some members only: {sum: revenue, over: source, having: ad_spend}.
OF_MEMBERS = "of_members"
# How a longer period's figure comes from its parts: it is their sum, the last one, or neither.
SUM, LAST, NEITHER = "sum", "last", "none"


@dataclass(frozen=True)
class Metric:
    """One metric. Texts by language; `grains` are those that it can be asked at.

    `is_zero_of_nothing`: where nothing happened it is 0, as a count is; a quotient is unknown.
    `is_bounded`: it counts rows or truths, which 64 bits always hold; sums of given numbers may be
    more. `is_price`: it divides a cost, and 0 says that nothing was paid, not that it was cheap:
    people are shown a dash. `blind` names the metric that counts what the denominator holds without
    that anybody could know its outcome. `at_grain` names the metrics that stand for it at other
    grains than `grains`, `variant_of` the one that it stands for.
    """

    name: str
    type: str
    labels: Mapping[str, str]
    descriptions: Mapping[str, str]
    unit: str
    good_direction: str
    group: str
    over_time: str
    is_zero_of_nothing: bool
    is_bounded: bool
    grains: tuple[str, ...]
    at_grain: Mapping[str, str]
    variant_of: str | None
    is_price: bool = False
    blind: str | None = None

    @property
    def sql_type(self) -> str:
        """The type of its figures in a table of DuckDB."""
        if not self.is_zero_of_nothing:
            return "double"
        if self.unit in ("count", "seconds"):
            return "bigint" if self.is_bounded else "decimal(38, 0)"
        return {"currency": "decimal(38, 2)", "score": "decimal(38, 4)"}.get(self.unit, "double")

    def name_at(self, grain: str | None) -> str | None:
        """The metric to ask at a grain for this one; None where it has no figure there.

        Without a grain it is the figure of all time together.
        """
        if grain is None:
            return self.at_grain.get(ALL_TIME, self.name)
        return self.name if grain in self.grains else self.at_grain.get(grain)

    @property
    def all_grains(self) -> tuple[str, ...]:
        """The grains that people can ask it at."""
        return (*self.grains, *(grain for grain in self.at_grain if grain != ALL_TIME))


class Catalogue:
    """The metrics of one semantic manifest."""

    def __init__(self, manifest_text: str) -> None:
        self.manifest: dict[str, Any] = json.loads(manifest_text)

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """All metrics by name, in the manifest's order."""
        summed = {
            measure["name"]
            for model in self.manifest.get("semantic_models", [])
            for measure in model["measures"]
            if measure["agg"] == "sum"
            and measure.get("expr") != "1"
            and measure.get("non_additive_dimension") is None
        }
        return {item["name"]: _metric(item, summed) for item in self.manifest["metrics"]}

    @property
    def public(self) -> list[Metric]:
        """The metrics that people ask for: variants for one grain are left out."""
        return [metric for metric in self.metrics.values() if metric.variant_of is None]

    @cached_property
    def saved_queries(self) -> list[dict[str, Any]]:
        """The saved queries as the manifest has them."""
        return list(self.manifest["saved_queries"])

    @cached_property
    def entities(self) -> frozenset[str]:
        """What figures can be asked by as a key: manager, source, deal and so on."""
        return frozenset(
            entity["name"]
            for model in self.manifest["semantic_models"]
            for entity in model["entities"]
        )

    def definition(self, name: str) -> dict[str, Any]:
        """The manifest's entry of a metric."""
        return next(item for item in self.manifest["metrics"] if item["name"] == name)

    def formula(self, name: str) -> str:
        """How a metric comes from others; empty for one that is measured."""
        params = self.definition(name)["type_params"]
        if params.get("numerator"):
            return f"{params['numerator']['name']} / {params['denominator']['name']}"
        return str(params.get("expr") or "")

    def search(self, words: Sequence[str], group: str | None = None) -> list[Metric]:
        """Public metrics that hold all words in a name or text of either language."""
        needles = [word.casefold() for word in words]
        return [
            metric
            for metric in self.public
            if (group is None or metric.group == group)
            and all(needle in _haystack(metric) for needle in needles)
        ]

    def relations(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Schemas and tables of the facts that the metrics are measured on, sorted."""
        measured = self.measures_of(names)
        return sorted(
            {
                (model["node_relation"]["schema_name"], model["node_relation"]["alias"])
                for model in self.manifest["semantic_models"]
                if any(measure["name"] in measured for measure in model["measures"])
            }
        )

    def measures_of(self, names: Sequence[str]) -> set[str]:
        """Names of the measures that the metrics come from."""
        found: set[str] = set()
        for name in names:
            self._collect_measures(name, found)
        return found

    def _collect_measures(self, name: str, found: set[str]) -> None:
        params = self.definition(name)["type_params"]
        for measure in params.get("input_measures") or []:
            found.add(measure["name"])
        for part in inputs_of(self.definition(name)):
            self._collect_measures(part, found)


def inputs_of(definition: Mapping[str, Any]) -> list[str]:
    """Names of the metrics that a metric is computed from, each once."""
    params = definition["type_params"]
    parts = [params.get("numerator"), params.get("denominator"), *(params.get("metrics") or [])]
    return list(dict.fromkeys(part["name"] for part in parts if part))


def _metric(item: Mapping[str, Any], summed: AbstractSet[str]) -> Metric:
    """One of the manifest's metrics; `summed` are measures that add up a column's numbers."""
    measures = {measure["name"] for measure in item["type_params"].get("input_measures") or []}
    meta = (item.get("config") or {}).get("meta") or {}
    return Metric(
        name=item["name"],
        type=item["type"],
        labels={ENGLISH: item.get("label") or "", RUSSIAN: meta.get("label_ru", "")},
        descriptions={
            ENGLISH: (item.get("description") or "").strip(),
            RUSSIAN: meta.get("description_ru", "").strip(),
        },
        unit=meta.get("unit", ""),
        good_direction=meta.get("good_direction", ""),
        group=meta.get("group", ""),
        over_time=meta.get("over_time", ""),
        is_zero_of_nothing=meta.get("over_time") in (SUM, LAST)
        or (item["type_params"].get("measure") or {}).get("fill_nulls_with") == 0,
        is_bounded=not measures & summed,
        grains=tuple(meta.get("grains") or ALL_GRAINS),
        at_grain=meta.get("at_grain") or {},
        variant_of=meta.get("variant_of"),
        is_price=bool(meta.get("is_price")),
        blind=meta.get("blind"),
    )


def _haystack(metric: Metric) -> str:
    texts = (*metric.labels.values(), *metric.descriptions.values())
    return " ".join((metric.name, *texts)).casefold()
