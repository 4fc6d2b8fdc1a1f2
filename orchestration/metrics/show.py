"""Metrics and answers on the screen. What the CRM says is text there, never rich's markup."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.metrics.catalogue import ENGLISH, RUSSIAN, Metric
from orchestration.metrics.query import PERIOD, Answer

# A thin space between thousands reads in both languages.
_THIN = "\u2009"
_WORDS = {
    ENGLISH: {
        **{PERIOD: "Period", "previous": "before", "change": "change", "none": "No rows."},
        "not_loaded": "not loaded, there are no rows in",
    },
    RUSSIAN: {
        **{PERIOD: "Период", "previous": "раньше", "change": "изменение", "none": "Строк нет."},
        "not_loaded": "не загружено, нет строк в",
    },
}
_ARROWS = {"up": "↑", "down": "↓", "none": ""}


def show_answer(console: Console, answer: Answer, language: str) -> None:
    """An answer as a table: figures to the right, in units that people read.

    What cannot be known is a dash, and a line below says which tables it needs.
    """
    words = _WORDS[language]
    if not answer.rows:
        console.print(words["none"])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in answer.columns:
        is_figure = column in answer.metrics or column.endswith("_change")
        table.add_column(
            Text(_heading(column, answer, language)), justify="right" if is_figure else "left"
        )
    for row in answer.rows:
        table.add_row(
            *(
                Text(_shown(column, value, answer))
                for column, value in zip(answer.columns, row, strict=True)
            )
        )
    console.print(table)
    for name, tables in answer.not_loaded.items():
        label = answer.metrics[name].labels[language]
        console.print(Text(f"{label}: {words['not_loaded']} {tables}"), style="yellow")


def write_csv(answer: Answer) -> None:
    """An answer as CSV on standard output, figures as they are."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)


def write_json(answer: Answer) -> None:
    """An answer as a JSON list of objects on standard output."""
    rows = [dict(zip(answer.columns, map(_plain, row), strict=True)) for row in answer.rows]
    json.dump(rows, sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")


def show_metrics(console: Console, metrics: Sequence[Metric], language: str) -> None:
    """A list of metrics, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("metric", "label", "unit", "good", "what it is"):
        table.add_column(heading, overflow="fold")
    group = None
    for metric in sorted(metrics, key=lambda item: item.group):
        if metric.group != group:
            group = metric.group
            table.add_row(Text(group, style="dim"))
        cells = (
            metric.name,
            metric.labels[language],
            metric.unit,
            _ARROWS[metric.good_direction],
            metric.descriptions[language],
        )
        table.add_row(*map(Text, cells))
    console.print(table)


def show_metric(console: Console, metric: Metric, dimensions: Sequence[str], formula: str) -> None:
    """All about one metric, in both languages."""
    about = f"  {metric.type}, {metric.unit}, {metric.group}"
    lines = [
        f"  {metric.labels[language]}: {metric.descriptions[language]}"
        for language in (ENGLISH, RUSSIAN)
    ]
    lines += [f"  = {formula}"] if formula else []
    lines.append(f"  by time: {', '.join((*metric.grains, *metric.at_grain))}")
    lines.append(f"  by: {', '.join(item for item in dimensions if item.count('__') <= 1)}")
    console.print(Text.assemble((metric.name, "bold"), "\n".join([about, *lines])))


def _heading(column: str, answer: Answer, language: str) -> str:
    words = _WORDS[language]
    for suffix in ("previous", "change"):
        base = column.removesuffix(f"_{suffix}")
        if base != column and base in answer.metrics:
            return f"{words[suffix]}"
    if column in answer.metrics:
        return answer.metrics[column].labels[language]
    return words.get(column, column)


def _shown(column: str, value: object, answer: Answer) -> str:
    metric = answer.metrics.get(column)
    if value is None or (metric is not None and _is_unknown(metric, value, answer)):
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if column.endswith("_change") and isinstance(value, float):
        return f"{value:+.0%}"
    if metric is None or not isinstance(value, (int, float, Decimal)):
        return str(value)
    if metric.unit == "ratio":
        return f"{value:.1%}"
    digits = 0 if metric.unit in ("count", "seconds", "currency") else 1
    return f"{value:,.{digits}f}".replace(",", _THIN)


def _is_unknown(metric: Metric, value: object, answer: Answer) -> bool:
    """Whether a figure means nothing to a person."""
    return metric.name in answer.not_loaded or (metric.is_price and value == 0)


def _plain(value: object) -> object:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
