"""`voronka connect`: which systems are connected, whether they answer, and reading them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from orchestration.base.durations import HOUR, MINUTE
from orchestration.base.errors import EXIT_WRONG_USE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from orchestration.base.settings import Settings
    from orchestration.connectors.run import Outcome, Progress, Status

connect_app = typer.Typer(
    name="connect",
    help="Read CRMs, telephony, advertising and files into the raw zone.",
    rich_markup_mode="rich",
    no_args_is_help=True,
)
_MARKS = {"good": "[green]✓[/]", "note": "[yellow]![/]", "bad": "[red]✗[/]"}


@connect_app.command(
    epilog="[bold]Examples[/]\n\n"
    "voronka connect add                                        the kinds that there are\n\n"
    "voronka connect add amocrm --name shop >> connections.yml"
)
def add(
    kind: Annotated[
        str | None, typer.Argument(help="A kind of system; without it, those that there are.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the connection.", show_default=False)
    ] = None,
) -> None:
    """Print the [bold]block[/] of a new connection for connections.yml, every key explained."""
    from orchestration.base.errors import WrongUse
    from orchestration.connectors.connections import example_block
    from orchestration.connectors.registry import all_kinds

    kinds = all_kinds()
    if kind is None:
        for known in sorted(kinds):
            typer.echo(f"{known:<18}{kinds[known].title}")
        return
    if kind not in kinds:
        raise WrongUse(f"There is no kind {kind}.", f"There are {', '.join(sorted(kinds))}.")
    typer.echo(example_block(kinds[kind], name), nl=False)


@connect_app.command("list", epilog="[bold]Example[/]\n\nvoronka connect list")
def list_() -> None:
    """Show what is [bold]set up[/], when each last ran, how far it got, how old its rows are."""
    from orchestration.connectors.run import statuses

    console = _console()
    settings = _settings()
    found = statuses(settings)
    if not found:
        console.print(f"No connection in {settings.connections_file}.")
        console.print("[bold]→[/] `voronka connect add KIND` prints a block to put there.")
        return
    _show_statuses(console, found)


@connect_app.command(
    epilog="[bold]Examples[/]\n\nvoronka connect check amocrm\n\n"
    "voronka connect check plans plans.xlsx              how this file would be read\n\n"
    "voronka connect check plans plans.xlsx --draft      a mapping to begin with"
)
def check(
    name: Annotated[str, typer.Argument(help="A connection.")],
    file: Annotated[
        Path | None, typer.Argument(help="A file, of connections that read files.")
    ] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Print a mapping made from the file's headers.")
    ] = False,
) -> None:
    """Try a connection and [bold]write nothing[/]: keys, rights, what stays empty.

    Exit code 2 if something stands in its way, 75 if that may pass by itself.
    """
    if draft:
        _print_draft(name, file)
        return
    from orchestration.base.errors import EXIT_TRY_LATER
    from orchestration.cli.screen import show_finding
    from orchestration.connectors.run import check as run_check

    # What is typed is relative to where it is typed.
    file = file.expanduser().absolute() if file else None
    console = _console()
    bad = []
    for finding in run_check(_settings(), name, file=file):
        if finding.grade == "bad":
            bad.append(finding)
        show_finding(console, finding)
    if bad:
        passes = all(finding.may_pass for finding in bad)
        raise typer.Exit(EXIT_TRY_LATER if passes else EXIT_WRONG_USE)


def _print_draft(name: str, file: Path | None) -> None:
    from orchestration.base.errors import WrongUse
    from orchestration.connectors.run import draft

    if file is None:
        raise WrongUse(
            "A draft is made from a file, and none is named.",
            f"Write `voronka connect check {name} FILE --draft`.",
        )
    typer.echo(draft(file), nl=False)


@connect_app.command(
    epilog="[bold]Examples[/]\n\nvoronka connect run                          all enabled ones\n\n"
    "voronka connect run pbx --from 2026-11-01 --to 2026-11-08   read a range again"
)
def run(
    names: Annotated[
        list[str] | None, typer.Argument(help="Connections; without them all enabled ones.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Read from here again: a date or ISO 8601."),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="And until here.")] = None,
) -> None:
    """Read what is [bold]new[/] into the raw zone. It can be stopped and goes on from there.

    Exit code 2 for what has to be mended, 75 for what may pass by itself.
    """
    from orchestration.connectors.run import exit_code

    outcomes = run_connections(_settings(), names or [], start, end)
    raise typer.Exit(exit_code(outcomes))


def run_connections(
    settings: Settings,
    names: Sequence[str] = (),
    start: str | None = None,
    end: str | None = None,
) -> Sequence[Outcome]:
    """Run connections and show how far they are and how they ended."""
    from orchestration.base.interrupt import interrupt_on_terminate
    from orchestration.connectors.connector import Slice
    from orchestration.connectors.run import run as run_all

    interrupt_on_terminate()
    asked = Slice(_instant("--from", start), _instant("--to", end))
    console = _console()
    with _Screen(console) as screen:
        outcomes = run_all(settings, names, asked, watch=screen.show)
    for outcome in outcomes:
        _show_outcome(console, outcome)
    if settings.dagster_home is not None:
        from orchestration.history import report_connections_at_once

        report_connections_at_once(settings, lambda text: console.print(text, style="yellow"))
    return outcomes


def read_before_refresh(settings: Settings, errors: Console) -> None:
    """Run all enabled connections; what stands in the way is shown, and stops no refresh.

    Somebody who stops it stops the refresh with it.
    """
    from orchestration.base.errors import EXIT_INTERRUPTED, VoronkaError
    from orchestration.base.record import Failure
    from orchestration.cli.screen import show_failure

    try:
        outcomes = run_connections(settings)
    except VoronkaError as error:
        show_failure(errors, Failure.of(error))
        return
    if any(outcome.exit_code == EXIT_INTERRUPTED for outcome in outcomes):
        raise typer.Exit(EXIT_INTERRUPTED)


def _instant(option: str, text: str | None) -> datetime | None:
    from orchestration.base.errors import WrongUse

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUse(
            f"{option} {text} is not a time.", "Write 2026-11-23 or 2026-11-23T10:00+03:00."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class _Screen:
    """A line that moves while a terminal watches; else a line now and then."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, SpinnerColumn, TextColumn
        from rich.progress import Progress as Bars

        self._console = console
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description:<16}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[speed]}"),
            TextColumn("[dim]{task.fields[what]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, Any] = {}
        self._said = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def show(self, seen: Progress) -> None:
        """Show how far a run is."""
        rate = seen.rows / seen.seconds if seen.seconds else 0
        speed = f"{seen.rows:,} rows, {rate:,.0f}/s"
        if seen.seconds_left is not None:
            speed += f", about {_time(seen.seconds_left)} left"
        if not self._console.is_terminal:
            if seen.seconds - self._said >= _QUIET_SECONDS:
                self._said = seen.seconds
                share = f"{seen.done:.0%}"
                self._console.print(f"{seen.connection}: {share}, {speed} ({seen.what})")
            return
        if seen.connection not in self._tasks:
            self._said = 0.0
            self._tasks[seen.connection] = self._bars.add_task(
                seen.connection, total=1.0, speed="", what=""
            )
        task = self._tasks[seen.connection]
        self._bars.update(task, completed=seen.done, speed=speed, what=seen.what)


_QUIET_SECONDS = 15.0


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 1.5 * HOUR else f"{seconds / HOUR:.1f} h"


def _show_outcome(console: Console, outcome: Outcome) -> None:
    from rich.markup import escape

    from orchestration.base.text import counted
    from orchestration.cli.screen import show_failure

    report = outcome.report
    written = ", ".join(
        f"{table} {count:,}"
        for table, count in sorted(report.written.items())
        if count and not table.partition(".")[2].startswith("_")
    )
    asked = report.requests.total()
    if outcome.failure is None:
        said = written or "nothing new"
        console.print(f"{_MARKS['good']} [bold]{outcome.name}[/]: {said}", soft_wrap=True)
    else:
        show_failure(console, outcome.failure)
        if written:
            console.print(f"    read before it stopped: {written}", soft_wrap=True)
    detail = counted(asked, "request") if asked else ""
    deleted = sum(report.deleted.values())
    detail += f", {counted(deleted, 'deletion')}" if deleted else ""
    if detail:
        console.print(f"    [dim]{detail.removeprefix(', ')}[/]")
    for warning in report.warnings:
        console.print(f"    {_MARKS['note']} {escape(warning)}", soft_wrap=True)
    for what, count in sorted(report.counted.items()):
        if count:
            console.print(f"    [dim]{count:,} × {escape(what)}[/]", soft_wrap=True)


def _show_statuses(console: Console, found: Sequence[Status]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("connection", "system", "last run", "ended", "read to", "newest row"):
        table.add_column(title)
    from orchestration.base.text import age

    now = _settings().now or datetime.now(UTC)
    for status in found:
        last = status.last
        failure = last.get("failure")
        ended = "never" if not last else "well"
        if failure:
            ended = f"[red]{escape(failure['message'])}[/]"
        name = status.connection.name + ("" if status.connection.enabled else " [dim](off)[/]")
        at = (last.get("ended_at") or "")[:16].replace("T", " ")
        newest = age(now - status.newest) if status.newest else "none"
        table.add_row(name, status.title, at, ended, escape(status.reached), newest)
    console.print(table)


def _console() -> Console:
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def _settings() -> Settings:
    from orchestration.base.settings import load_settings

    return load_settings()
