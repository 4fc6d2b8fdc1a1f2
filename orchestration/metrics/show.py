"""Metrics and answers on the screen and in files. What the CRM says is text, and no more.

On the screen it is no markup and no control sequence, in a spreadsheet no formula.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from orchestration.base.errors import WrongUse
from orchestration.base.terminal import UNSAFE, leaving_readers, visible
from orchestration.metrics.catalogue import ENGLISH, RUSSIAN, Catalogue, Metric
from orchestration.metrics.choices import Format
from orchestration.metrics.query import PERIOD, Answer
from orchestration.metrics.sheets import write_csv, write_xlsx

if TYPE_CHECKING:
    import pyarrow

    from orchestration.metrics.rows import Rows

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
# Wider than any answer.
_ENDLESS = 1_000_000
# Between the columns of a table.
_GAP = 2


def show_answer(console: Console, answer: Answer, language: str) -> None:
    """An answer as a table: figures to the right, in units that people read.

    What cannot be known is a dash, and a line below says which tables it needs.
    """
    words = _WORDS[language]
    if not answer.rows:
        console.print(words["none"])
        return
    headings = [visible(_heading(column, answer, language)) for column in answer.columns]
    rows = [
        [visible(_shown(*cell, answer)) for cell in zip(answer.columns, row, strict=True)]
        for row in answer.rows
    ]
    # Nobody watches a pipe, so its lines are as long as need be.
    room = console.width if console.is_terminal else _ENDLESS
    are_figures = [
        column in answer.metrics or column.endswith("_change") for column in answer.columns
    ]
    widths = _widths(headings, rows, are_figures, room)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, is_figure, width in zip(headings, are_figures, widths, strict=True):
        table.add_column(Text(heading), justify="right" if is_figure else "left", width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    _print_whole(console, table)
    for name, tables in answer.not_loaded.items():
        label = answer.metrics[name].labels[language]
        console.print(
            Text(visible(f"{label}: {words['not_loaded']} {tables}")),
            style="yellow",
            soft_wrap=True,
        )


def _widths(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    are_figures: Sequence[bool],
    room: int,
) -> list[int]:
    """Widths of columns: keys are never cut, headings of figures give way down to a word."""
    cells = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    widths = [max(pair) for pair in zip(map(cell_len, headings), cells, strict=True)]
    least = [
        max(cell, *map(cell_len, heading.split())) if is_figure else width
        for heading, cell, is_figure, width in zip(
            headings, cells, are_figures, widths, strict=True
        )
    ]
    excess = sum(widths) + _GAP * (len(widths) - 1) - room
    # As few headings as will do, those first that give most.
    for number in sorted(range(len(widths)), key=lambda i: least[i] - widths[i]):
        given = max(0, min(excess, widths[number] - least[number]))
        widths[number] -= given
        excess -= given
    return widths


def write_answer(
    answer: Answer, format_: Format, output: Path | None, *, for_excel: bool = False
) -> None:
    """Write an answer as CSV, JSON or XLSX to a file; CSV and JSON to standard output, too.

    Raises WrongUse where the file cannot be written.
    """
    if format_ is Format.JSON:
        _write_text(partial(write_json, answer), output)
    else:
        write_table(answer.columns, answer.rows, format_, output, for_excel=for_excel)


def write_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    format_: Format,
    output: Path | None,
    *,
    for_excel: bool = False,
) -> None:
    """Write rows as CSV or XLSX while they are read; raises WrongUse as `write_answer` does."""
    if format_ is Format.XLSX:
        if output is None:
            raise WrongUse("A workbook is no text for a screen.", "Name a file: answer.xlsx")
        with _named(output), output.open("wb") as workbook:
            write_xlsx(columns, rows, workbook)
        return
    write = partial(write_csv, columns, rows, for_excel=for_excel)
    _write_text(write, output, for_excel=for_excel)


def _write_text(
    write: Callable[[TextIO], None], output: Path | None, *, for_excel: bool = False
) -> None:
    encoding = "utf-8-sig" if for_excel else "utf-8"
    if output is None:
        with leaving_readers():
            # Excel knows UTF-8 by its mark alone, whatever the terminal's encoding is.
            if for_excel and isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(encoding=encoding, newline="")
            write(sys.stdout)
        return
    with _named(output), output.open("w", encoding=encoding, newline="") as file:
        write(file)


def write_parquet(table: pyarrow.Table, output: Path) -> None:
    """Write an answer to a Parquet file. Raises WrongUse where it cannot be written."""
    import pyarrow.parquet

    with _named(output), output.open("wb") as file:
        pyarrow.parquet.write_table(table, file)


@contextmanager
def _named(output: Path) -> Iterator[None]:
    """Say which file could not be written."""
    try:
        yield
    except OSError as error:
        raise WrongUse(
            f"{output} cannot be written: {error.strerror}.", "Name another file: --output FILE"
        ) from error


def write_json(answer: Answer, file: TextIO) -> None:
    """An answer as a JSON list of objects; control characters are escaped in it."""
    rows = [dict(zip(answer.columns, map(_plain, row), strict=True)) for row in answer.rows]
    # An encoding that lacks characters has all of them as escapes.
    is_unicode = (file.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(rows, ensure_ascii=not is_unicode, indent=1)
    file.write(UNSAFE.sub(lambda found: _escaped(found[0]), text) + "\n")


def _escaped(character: str) -> str:
    """A character as JSON escapes it; line ends are those between values."""
    return character if character == "\n" else json.dumps(character)[1:-1]


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
        table.add_row(*(Text(visible(cell)) for cell in cells))
    _print_whole(console, table)


def show_metric(console: Console, metric: Metric, dimensions: Sequence[str], formula: str) -> None:
    """All about one metric, in both languages."""
    about = f"  {metric.type}, {metric.unit}, {metric.group}"
    lines = [
        f"  {metric.labels[language]}: {metric.descriptions[language]}"
        for language in (ENGLISH, RUSSIAN)
    ]
    lines += [f"  = {formula}"] if formula else []
    lines.append(f"  by time: {', '.join(metric.all_grains)}")
    lines.append(f"  by: {', '.join(item for item in dimensions if item.count('__') <= 1)}")
    console.print(
        Text.assemble((metric.name, "bold"), "\n".join(map(visible, [about, *lines]))),
        soft_wrap=not console.is_terminal,
    )


def show_parts(
    console: Console,
    catalogue: Catalogue,
    name: str,
    parts: Sequence[str],
    figures: Mapping[str, object],
    language: str,
) -> None:
    """What a computed metric is made of, with the figures, and how to see the rows of a part."""

    def told(name: str) -> str:
        metric = catalogue.metrics[name]
        figure = _shown(name, figures.get(name), Answer((), [], {name: metric}))
        return f"{metric.labels[language]} ({name}): {figure}"

    lines = [f"{told(name)} = {catalogue.formula(name)}", *(f"  {told(part)}" for part in parts)]
    lines += [f"Its rows: voronka explain {name} --part {' or '.join(parts)}"] if parts else []
    console.print(Text("\n".join(map(visible, lines))), soft_wrap=True)


def show_rows(console: Console, rows: Rows, language: str, *, shown: int | None = None) -> None:
    """A line on the rows behind a figure: how many they are, and what they come to.

    `shown` is how many of them follow; None: not here.
    """
    metric = rows.metric
    figure = _shown(metric.name, rows.figure, Answer((), [], {metric.name: metric}))
    text = f"{metric.labels[language]} ({metric.name}): {figure}"
    text += f" = {rows.rule} of {rows.count:,} rows of {rows.table}"
    text += f", {rows.counted}" + (
        f"; {shown:,} of them here" if shown is not None and shown < rows.count else ""
    )
    console.print(Text(visible(text)), soft_wrap=True)


def _print_whole(console: Console, table: Table) -> None:
    """Print a table that may be wider than the screen, without cutting it."""
    before = console.width
    endless = console.options.update(max_width=_ENDLESS)
    whole = Measurement.get(console, endless, table)
    console.width = max(before, whole.minimum) if console.is_terminal else whole.maximum
    console.print(table)
    console.width = before


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
