"""`voronka digest`: a word in the morning, and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from orchestration.metrics.choices import Language

if TYPE_CHECKING:
    from orchestration.digest.run import Outcome

EPILOG = (
    "[bold]Examples[/]\n\n"
    "voronka digest --dry-run                     what would be sent, and to whom\n\n"
    "voronka digest --dry-run --to olga --language en\n\n"
    "voronka digest                               every morning, by cron or by Dagster\n\n"
    "voronka digest --alerts                      what engineers have to know now"
)


def digest(
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="NAME",
            help="Only this recipient of notifications.yml; again for more.",
            show_default=False,
        ),
    ] = None,
    alerts: Annotated[
        bool, typer.Option("--alerts", help="Alerts for engineers instead of the morning's word.")
    ] = False,
    language: Annotated[
        Language | None,
        typer.Option(
            "--language",
            "--lang",
            help="In this language, whatever the file says.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")
    ] = False,
) -> None:
    """Send a [bold]word in the morning[/]: yesterday, the month, what to look at, whom to talk to.

    Everybody in notifications.yml gets it once a day, not on days off and not in quiet hours unless
    the file says so. Exit code 2 if something has to be corrected, 75 if a message was not taken:
    the next run tries again. The others got theirs.
    """
    from orchestration.base.settings import load_settings
    from orchestration.base.terminal import screens
    from orchestration.digest.run import Run

    console, errors = screens()
    run = Run(load_settings().checked(), language)
    work = run.alerts if alerts else run.digests
    outcome = work(to or (), dry_run)
    show_outcome(console, errors, outcome, dry_run)
    raise typer.Exit(outcome.exit_code)


def show_outcome(console: Console, errors: Console, outcome: Outcome, is_dry: bool) -> None:
    """Drafts as they would be read, or what was sent and what was not."""
    from orchestration.base.record import Failure
    from orchestration.base.terminal import escape
    from orchestration.cli.screen import show_failure

    for draft in outcome.drafts:
        whom = f"{draft.recipient} ({', '.join(draft.schemes)})"
        console.print(f"[bold]{escape(whom)}[/]", soft_wrap=True)
        if draft.reason:
            console.print(f"[yellow]![/] not now: {escape(draft.reason)}", soft_wrap=True)
        console.print(draft.message.title, markup=False, highlight=False, soft_wrap=True)
        console.print()
        console.print(draft.message.text, markup=False, highlight=False, soft_wrap=True)
        console.print()
    for mark, lines in (("[green]✓[/]", outcome.sent), ("[dim]·[/]", outcome.skipped),
                        ("[yellow]![/] held,", outcome.held)):  # fmt: skip
        for line in lines:
            console.print(f"{mark} {escape(line)}", soft_wrap=True, highlight=False)
    for line in outcome.failed:
        errors.print(f"[red]✗[/] {escape(line)}", soft_wrap=True, highlight=False)
    for error in outcome.wrong:
        show_failure(errors, Failure.of(error))
    if is_dry:
        console.print("[dim]Nothing was sent.[/]")
    elif not any((outcome.sent, outcome.skipped, outcome.held, outcome.failed, outcome.wrong)):
        console.print("There is nothing to send.")
