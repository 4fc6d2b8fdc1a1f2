"""`voronka report`: sheets for a talk."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from orchestration.metrics.choices import Language

report_app = typer.Typer(
    name="report",
    help="Write a sheet for a talk from what is published.",
    rich_markup_mode="rich",
    no_args_is_help=True,
)
_MONTH = re.compile(r"(\d{4})-(\d{2})")


@report_app.callback()
def group() -> None:
    """Write a sheet for a talk from what is [bold]published[/]."""


@report_app.command(
    epilog="[bold]Examples[/]\n\n"
    "voronka report manager m-01                              on the screen\n\n"
    "voronka report manager Соколова --month 2026-08\n\n"
    "voronka report manager m-06 --language en --output m-06.html   one printed page"
)
def manager(
    who: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The manager's key, or a part of the name that only one has."
        ),
    ],
    month: Annotated[
        str | None,
        typer.Option(
            "--month",
            "-m",
            metavar="YYYY-MM",
            help="The month. [dim]Default: the last one that has ended.[/]",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        Language, typer.Option("--language", "--lang", help="The sheet's language.")
    ] = Language.RUSSIAN,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            help="Write one printed page of HTML instead. [dim]Open it in a browser and print.[/]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """One [bold]manager[/] and one month, for a one-to-one talk.

    Result against plan, strengths, where money is lost, trend, calls to listen to and deals to
    discuss. Says where figures are too few to go by.
    """
    from orchestration.base.settings import load_settings
    from orchestration.base.terminal import screens
    from orchestration.report.manager import manager_page
    from orchestration.report.screen import show_page

    page = manager_page(load_settings(), who, _first_day(month), language)
    console, _ = screens()
    if output is None:
        show_page(console, page)
        return
    from orchestration.report.paper import write_paper

    file = output.expanduser().absolute()
    write_paper(page, file)
    console.print(f"[bold]{file}[/]", soft_wrap=True)


def _first_day(text: str | None) -> date | None:
    """The first day of a month. Raises WrongUse where it is not written as one."""
    from orchestration.base.errors import WrongUse, shortened

    if text is None:
        return None
    found = _MONTH.fullmatch(text)
    try:
        if found:
            return date(int(found[1]), int(found[2]), 1)
    except ValueError:
        pass
    raise WrongUse(f"“{shortened(text)}” is no month.", "Write it as 2026-09.")
