"""The KPI glossary: pages in both languages, made from the metrics' YAML files.

`make docs` writes them, a test says which is stale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestration.metrics.catalogue import (
    ENGLISH,
    GROUPS,
    LAST,
    NEITHER,
    RUSSIAN,
    SUM,
    Catalogue,
    Metric,
)

METRICS_DIR = Path("dbt_project/models/semantic/metrics")
MODELS_DIR = Path("dbt_project/models/semantic/models")
PAGES = {ENGLISH: Path("docs/metrics.md"), RUSSIAN: Path("docs/metrics.ru.md")}

_WORDS = {
    ENGLISH: {
        "title": "KPI glossary",
        "intro": "Every metric that `voronka query` answers. Columns of the marts with the same "
        "name have the same value. Made by `make docs` from the files in "
        "`dbt_project/models/semantic/metrics`: edit those. [По-русски](metrics.ru.md)",
        "head": "| metric | label | what it is | unit | good | over time |",
        "activity": "Activity",
        "funnel": "Funnel",
        "productivity": "Productivity",
        "result": "Result",
        "call_quality": "Call quality",
        SUM: "adds up",
        LAST: "as of the end",
        NEITHER: "recomputed",
    },
    RUSSIAN: {
        "title": "Словарь показателей",
        "intro": "Все показатели, которые считает `voronka query`. Одноимённые столбцы витрин "
        "имеют то же значение. Страницу пишет `make docs` по файлам из "
        "`dbt_project/models/semantic/metrics`: правьте их. [In English](metrics.md)",
        "head": "| показатель | название | что это | единица | лучше | во времени |",
        "activity": "Активность",
        "funnel": "Воронка",
        "productivity": "Продуктивность",
        "result": "Результат",
        "call_quality": "Качество звонков",
        SUM: "складывается",
        LAST: "на конец периода",
        NEITHER: "считается заново",
        "count": "шт.",
        "seconds": "с",
        "minutes": "мин",
        "hours": "ч",
        "days": "дн.",
        "currency": "валюта",
        "ratio": "доля",
        "score": "баллы",
    },
}
_CONVERTED = ("base_measure", "conversion_measure")
_ARROWS = {"up": "↑", "down": "↓", "none": "–"}


def read_metrics(project_dir: Path) -> Catalogue:
    """The catalogue as the YAML files have it, without dbt."""
    metrics = _items(project_dir / METRICS_DIR, "metrics")
    models = _items(project_dir / MODELS_DIR, "semantic_models")
    manifest = {
        "metrics": [_as_in_manifest(item) for item in metrics],
        "semantic_models": [{"measures": [], "entities": [], **model} for model in models],
    }
    return Catalogue(json.dumps(manifest))


def _items(directory: Path, kind: str) -> list[Mapping[str, Any]]:
    """All entries of this kind in a directory's YAML files."""
    files = sorted(directory.glob("*.yml"))
    return [
        item for path in files for item in yaml.safe_load(path.read_text(encoding="utf-8"))[kind]
    ]


def pages(project_dir: Path) -> dict[Path, str]:
    """The pages' texts by their paths inside the project; none where it has no metrics."""
    if not (project_dir / METRICS_DIR).is_dir():
        return {}
    catalogue = read_metrics(project_dir)
    return {path: page(catalogue, language) for language, path in PAGES.items()}


def page(catalogue: Catalogue, language: str) -> str:
    """The glossary in one language, by group."""
    words = _WORDS[language]
    lines = [f"# {words['title']}", "", words["intro"]]
    for group in GROUPS:
        lines += ["", f"## {words[group]}", "", words["head"], "| --- " * 6 + "|"]
        members = [metric for metric in catalogue.public if metric.group == group]
        lines += [_row(metric, catalogue, language) for metric in members]
    return "\n".join(lines) + "\n"


def _row(metric: Metric, catalogue: Catalogue, language: str) -> str:
    words = _WORDS[language]
    formula = catalogue.formula(metric.name)
    text = metric.descriptions[language].replace("|", r"\|")
    cells = (
        f"`{metric.name}`",
        metric.labels[language],
        f"{text} `{formula}`" if metric.type == "ratio" else text,
        words.get(metric.unit, metric.unit),
        _ARROWS[metric.good_direction],
        words[metric.over_time],
    )
    return f"| {' | '.join(cells)} |"


def _as_in_manifest(item: Mapping[str, Any]) -> dict[str, Any]:
    """A metric of a YAML file with its parts spelt out, as dbt does."""
    params = dict(item["type_params"])
    for part in ("numerator", "denominator", "measure"):
        if isinstance(params.get(part), str):
            params[part] = {"name": params[part]}
    parts = params.get("metrics") or []
    params["metrics"] = [{"name": part} if isinstance(part, str) else part for part in parts]
    conversion = params.get("conversion_type_params") or {}
    measured = [params.get("measure"), *(conversion.get(it) for it in _CONVERTED)]
    names = [it["name"] if isinstance(it, dict) else it for it in measured if it]
    params["input_measures"] = [{"name": name} for name in names]
    return {**item, "type_params": params}
