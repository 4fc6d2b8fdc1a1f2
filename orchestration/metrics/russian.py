"""Russian for BI people: names of the marts' columns, and comments in both languages."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestration.metrics.catalogue import ENGLISH, RUSSIAN, Catalogue, Metric
from orchestration.models.dbt import PublishedModel

MARTS = "marts"
NAMES_FILE = Path("seeds/reference/column_names_ru.csv")


def read_names(project_dir: Path) -> dict[str, str]:
    """Russian names of columns that are no metrics."""
    with (project_dir / NAMES_FILE).open(encoding="utf-8", newline="") as file:
        return {row["column_name"]: row["name_ru"] for row in csv.DictReader(file)}


def russian_names(
    columns: Sequence[str], catalogue: Catalogue, names: Mapping[str, str]
) -> dict[str, str]:
    """Columns of one mart and their Russian names, each name once.

    A column without one keeps its own.
    """
    found: dict[str, str] = {}
    for column in columns:
        metric = catalogue.metrics.get(column)
        name = names.get(column) or (metric.labels[RUSSIAN] if metric else column)
        found[column] = name if name not in found.values() else f"{name} ({column})"
    return found


def with_both_languages(
    models: Sequence[PublishedModel], catalogue: Catalogue, names: Mapping[str, str]
) -> list[PublishedModel]:
    """The models, the marts with Russian names and their metrics described as in the glossary."""
    return [
        replace(
            model,
            columns={
                column: describe(catalogue.metrics[column], text)
                if column in catalogue.metrics
                else text
                for column, text in model.columns.items()
            },
            russian_names=russian_names(list(model.columns), catalogue, names),
        )
        if model.schema == MARTS
        else model
        for model in models
    ]


def describe(metric: Metric, text: str) -> str:
    """`Win rate. Deals won / deals closed. · Доля выигранных. …`."""
    return (
        f"{metric.labels[ENGLISH]}. {text} · {metric.labels[RUSSIAN]}. "
        f"{metric.descriptions[RUSSIAN]}"
    )
