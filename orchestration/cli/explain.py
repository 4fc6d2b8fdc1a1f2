"""`voronka explain`: the rows behind a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.metrics.choices import Format, Grain, Language

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from orchestration.base.settings import Settings
    from orchestration.metrics.catalogue import Catalogue
    from orchestration.metrics.query import PublishedMetrics
    from orchestration.metrics.rows import Rows, RowsRequest

    Table = tuple[tuple[str, ...], Iterable[tuple[object, ...]]]
    Beside = Callable[[Sequence[str], Iterable[tuple[object, ...]]], Table]

EPILOG = (
    "[bold]Examples[/]\n\n"
    "voronka explain revenue --grain month --period 2026-09-01\n\n"
    "voronka explain win_rate                             of which metrics it is made\n\n"
    "voronka explain win_rate --part deals_won --where \"manager = 'm-06'\"\n\n"
    "voronka explain open_amount --by stage -g month -p 2026-09-01     what stands open\n\n"
    "voronka explain set_meetings_held --xlsx meetings.xlsx --lang ru\n\n"
    "voronka explain payments_unpriced --raw              from which raw file each row came"
)


def explain(
    metric: Annotated[str, typer.Argument(help="A metric; `voronka metrics` lists them.")],
    part: Annotated[
        str | None,
        typer.Option(
            "--part", help="Of a rate: the metric above or below its line.", show_default=False
        ),
    ] = None,
    grain: Annotated[
        Grain | None, typer.Option("--grain", "-g", help="How long the period is.")
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(
            "--period",
            "-p",
            metavar="YYYY-MM-DD",
            help="First day of the period. [dim]Default: all time.[/]",
            show_default=False,
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            metavar="CONDITION",
            help="One condition over dimensions, as for `voronka query`; again for more.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            "-b",
            metavar="DIMENSION",
            help="The figure by manager, team, source …, before the rows; again for more.",
            show_default=False,
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="The raw file and row of each, where the build is.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=0,
            help="Rows at most. [dim]Default: 20 on the screen, all in a file.[/]",
            show_default=False,
        ),
    ] = None,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Rows to pass over.")] = 0,
    format_: Annotated[
        Format,
        typer.Option("--format", "-f", help="How they leave; CSV and JSON have all columns."),
    ] = Format.TABLE,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="A file: .csv, .json or .xlsx."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="All rows as CSV in a file.")
    ] = None,
    xlsx: Annotated[
        Path | None, typer.Option("--xlsx", metavar="FILE", help="All rows as a workbook.")
    ] = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="CSV as a Russian Excel opens it.")
    ] = False,
    language: Annotated[
        Language, typer.Option("--language", "--lang", help="Language of names and headings.")
    ] = Language.ENGLISH,
) -> None:
    """Show the [bold]rows behind[/] a published figure: deals, calls, payments, with names.

    Their sum is the figure, or the line says what else it is; below it stand the formula and the
    files that define it. Links lead into the CRM where connections.yml knows it.
    """
    from orchestration.base.errors import WrongUse
    from orchestration.base.settings import load_settings
    from orchestration.base.terminal import screens
    from orchestration.connectors.links import crm_links
    from orchestration.metrics import show
    from orchestration.metrics.query import published_metrics
    from orchestration.metrics.rows import RowsRequest, all_rows, parts_of, rows_behind

    console, errors = screens()
    output, format_ = _way_out(output, csv, xlsx, format_, excel=excel)
    settings = load_settings()
    with published_metrics(settings.published_file) as published:
        catalogue = published.catalogue
        parts = parts_of(catalogue, metric)
        if part is not None and part not in parts:
            raise WrongUse(
                f"{part} is no part of {metric}.", f"One of {', '.join(parts) or 'none'}."
            )
        asked = RowsRequest(
            metric=part or metric,
            is_brief=format_ is Format.TABLE,
            grain=grain,
            period_start=_day(period),
            where=tuple(where or ()),
            limit=20 if limit is None and format_ is Format.TABLE else limit,
            offset=offset,
        )
        if part is None and parts != [metric]:
            figures = {
                name: _figure(published, replace(asked, metric=name)) for name in (metric, *parts)
            }
            show.show_parts(console, catalogue, metric, parts, figures, language)
            _show_by(console, published, asked, by, language)
            _show_files(console, settings, metric, "")
            return
        links = crm_links(settings)
        if links.problem:
            errors.print(f"No links: {links.problem}", markup=False, soft_wrap=True)
        is_file = format_ in (Format.CSV, Format.XLSX)
        told = console if format_ is Format.TABLE else errors
        rows = rows_behind(published, replace(asked, limit=0) if is_file else asked, links)
        show.show_rows(told, rows, language, shown=None if is_file else len(rows.answer.rows))
        _show_files(told, settings, rows.metric.name, rows.table)
        _show_by(told, published, asked, by, language)
        with _raw_rows(settings, rows.table if raw else None) as beside:
            if not is_file:
                columns, found = beside(rows.answer.columns, rows.answer.rows)
                answer = replace(rows.answer, columns=columns, rows=list(found))
            else:
                # Of any length: they go from the one file to the other.
                columns, found = beside(*all_rows(published, asked, links))
                if language is Language.RUSSIAN:
                    columns = _in_russian(columns, rows, catalogue, settings.root)
                counted = Counted(found)
                show.write_table(columns, counted, format_, output, for_excel=excel)
                if output:
                    errors.print(f"{counted.number} rows in {output}", markup=False, soft_wrap=True)
                return
    if format_ is Format.TABLE:
        show.show_answer(console, answer, language)
    else:
        show.write_answer(answer, format_, output)


class Counted:
    """Rows that are counted while they are taken."""

    def __init__(self, rows: Iterable[tuple[object, ...]]) -> None:
        self._rows, self.number = rows, 0

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        for row in self._rows:
            self.number += 1
            yield row


def _way_out(
    output: Path | None, csv: Path | None, xlsx: Path | None, format_: Format, *, excel: bool
) -> tuple[Path | None, Format]:
    """The file and the format that the options come to. Raises WrongUse where they contradict."""
    from orchestration.base.errors import WrongUse

    named = [
        *([(output, format_)] if output else []),
        *([(csv, Format.CSV)] if csv else []),
        *([(xlsx, Format.XLSX)] if xlsx else []),
    ]
    if len(named) > 1:
        raise WrongUse("--output, --csv and --xlsx each name a file.", "Name one of them.")
    if named:
        output, format_ = named[0]
    if output and format_ is Format.TABLE:
        suffixes = {".json": Format.JSON, ".xlsx": Format.XLSX}
        format_ = suffixes.get(output.suffix.lower(), Format.CSV)
    if format_ is Format.PARQUET:
        raise WrongUse("Rows leave as a table, CSV, JSON or XLSX.", "Take --format csv.")
    if excel and format_ is Format.TABLE:
        format_ = Format.CSV
    return output, format_


def _figure(published: PublishedMetrics, request: RowsRequest) -> object:
    """The figure of a metric in one period or of all time; None where it has none."""
    from orchestration.base.errors import WrongUse
    from orchestration.metrics.rows import figure_by

    try:
        rows = figure_by(published, request).rows
    except WrongUse:
        # A part may lack a dimension or a grain of the whole.
        return None
    return rows[0][-1] if len(rows) == 1 else None


def _show_by(
    console: Console,
    published: PublishedMetrics,
    asked: RowsRequest,
    by: list[str] | None,
    language: Language,
) -> None:
    """The figure by dimensions, in the same period and under the same conditions."""
    from orchestration.metrics import show
    from orchestration.metrics.rows import figure_by

    if by:
        show.show_answer(console, figure_by(published, asked, by), language)


@contextmanager
def _raw_rows(settings: Settings, table: str | None) -> Iterator[Beside]:
    """What puts the raw file and row beside each row, where somebody asked for them."""
    from orchestration.cli.raw_rows import COLUMNS, RawRows

    if table is None:
        yield lambda columns, rows: (tuple(columns), rows)
        return
    raw_rows = RawRows(settings, table)
    try:
        yield lambda columns, rows: ((*columns, *COLUMNS), raw_rows.beside(columns, rows))
    finally:
        raw_rows.close()


def _in_russian(
    columns: Sequence[str], rows: Rows, catalogue: Catalogue, root: Path
) -> tuple[str, ...]:
    """Russian headings of the rows' columns."""
    from orchestration.metrics.russian import read_names
    from orchestration.metrics.sheets import headings

    names, figures = read_names(root), rows.answer.metrics
    return tuple(headings(columns, Language.RUSSIAN, catalogue, names, figures))


def _show_files(console: Console, settings: Settings, metric: str, table: str) -> None:
    """Where a figure is defined: the metric's file, the mart and its model's."""
    from orchestration.cli.raw_rows import metric_file, model_file

    metric_defined, model = metric_file(settings.root, metric), model_file(settings.root, table)
    files = [f"metric: {metric_defined}"] if metric_defined else []
    files += [f"rows: {table}, {model} (docs/marts.md#{table.rpartition('.')[2]})"] if model else []
    for line in files:
        console.print(f"  {line}", style="dim", markup=False, soft_wrap=True)


def _day(text: str | None) -> date | None:
    from orchestration.base.errors import WrongUse

    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongUse(f"--period {text} is no date.", "Write it as 2026-09-01.") from None
