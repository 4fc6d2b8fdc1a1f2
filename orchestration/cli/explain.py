"""`voronka explain`: the rows behind a figure."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from orchestration.metrics.choices import Format, Grain, Language

EPILOG = (
    "[bold]Examples[/]\n\n"
    "voronka explain revenue --grain month --period 2026-09-01\n\n"
    "voronka explain win_rate                             of which metrics it is made\n\n"
    "voronka explain win_rate --part deals_won --where \"manager = 'm-06'\"\n\n"
    "voronka explain set_meetings_held --limit 1000 --format csv --excel > meetings.csv"
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
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Rows at most.")] = 20,
    format_: Annotated[
        Format,
        typer.Option("--format", "-f", help="How they leave; CSV and JSON have all columns."),
    ] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="A file: .csv or .json.")
    ] = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="CSV as a Russian Excel opens it.")
    ] = False,
    language: Annotated[
        Language, typer.Option("--language", "--lang", help="Language of the metric's name.")
    ] = Language.ENGLISH,
) -> None:
    """Show the [bold]rows behind[/] a published figure: deals, calls, payments, with names.

    Their sum is the figure, or the line says what else it is.
    """
    from orchestration.base.errors import WrongUse
    from orchestration.base.settings import load_settings
    from orchestration.base.terminal import screens
    from orchestration.metrics import show
    from orchestration.metrics.query import published_metrics
    from orchestration.metrics.rows import RowsRequest, parts_of, rows_behind

    console, errors = screens()
    if format_ is Format.PARQUET:
        raise WrongUse("Rows leave as a table, CSV or JSON.", "Take --format csv.")
    if output is not None and format_ is Format.TABLE:
        format_ = Format.JSON if output.suffix == ".json" else Format.CSV
    if excel and format_ is Format.TABLE:
        format_ = Format.CSV
    with published_metrics(load_settings().published_file) as published:
        parts = parts_of(published.catalogue, metric)
        if part is not None and part not in parts:
            raise WrongUse(
                f"{part} is no part of {metric}.", f"One of {', '.join(parts) or 'none'}."
            )
        if part is None and parts != [metric]:
            show.show_parts(console, published.catalogue, metric, parts, language)
            return
        rows = rows_behind(
            published,
            RowsRequest(
                metric=part or metric,
                is_brief=format_ is Format.TABLE,
                grain=grain,
                period_start=_day(period),
                where=tuple(where or ()),
                limit=limit,
            ),
        )
    show.show_rows(console if format_ is Format.TABLE else errors, rows, language)
    if format_ is Format.TABLE:
        show.show_answer(console, rows.answer, language)
    else:
        show.write_answer(rows.answer, format_, output, for_excel=excel)


def _day(text: str | None) -> date | None:
    from orchestration.base.errors import WrongUse

    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongUse(f"--period {text} is no date.", "Write it as 2026-09-01.") from None
