"""The `voronka` command. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.lib.errors import EXIT_GOOD, EXIT_STOPPED, EXIT_WRONG_USE

if TYPE_CHECKING:
    from rich.console import Console

    from orchestration.lib.errors import VoronkaError
    from orchestration.lib.settings import Settings

EXIT_INTERRUPTED = 130

_EPILOG = (
    "[bold]Exit codes[/]  0 good · 1 a check stopped publication · 2 wrong use or broken contract"
    "\n\n[bold]Settings[/]  VORONKA_RAW_DIR, VORONKA_DATA_DIR (data/), VORONKA_THREADS (2), "
    "VORONKA_DBT_VARS ({} in JSON); relative paths are relative to the project"
)

app = typer.Typer(
    name="voronka",
    help="Sales data warehouse: CRM and telephony exports in, checked KPI marts out.",
    epilog=_EPILOG,
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RawDir = Annotated[
    Path | None,
    typer.Option(
        "--raw-dir",
        metavar="DIR",
        help="The raw zone: <DIR>/<source>/<table>/*.parquet, or s3://… "
        "[dim]Default: VORONKA_RAW_DIR, else data/raw, else the demo.[/]",
        show_default=False,
    ),
]
Vars = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="NAME=VALUE",
        help="A dbt variable for this refresh; again for more.",
        show_default=False,
    ),
]


@app.command(
    epilog="[bold]Examples[/]\n\n"
    "voronka refresh                              the demo, or data/raw if there is one\n\n"
    "voronka refresh --raw-dir ~/exports          your own exports\n\n"
    "voronka refresh --var churn_days=60          another definition of a lost customer\n\n"
    "voronka refresh --full                       forget the private build first"
)
def refresh(
    raw_dir: RawDir = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Remove the private build first. Every refresh reads all raw files anyway.",
        ),
    ] = False,
    var: Vars = None,
) -> None:
    """Build, check and [bold]publish[/] the marts: the raw zone in, one file for BI out.

    Readers keep the last good version until every blocking check has passed.
    """
    from orchestration.lib.refresh import interrupt_on_terminate
    from orchestration.lib.refresh import refresh as run
    from orchestration.lib.screen import ProgressScreen, show_failure, show_summary

    console, errors = _consoles()
    settings = _settings(raw_dir, var)
    interrupt_on_terminate()
    with ProgressScreen(console):
        record = run(settings, full=full)
    if record.failure is not None:
        show_failure(errors, record.failure)
        raise typer.Exit(record.failure.exit_code)
    show_summary(console, settings, record)


@app.command(epilog="[bold]Example[/]\n\nvoronka status || echo 'look at the warehouse'")
def status() -> None:
    """Say what is [bold]published[/], how old it is and what is wrong.

    Exit code 1 if nothing is published or the last refresh failed.
    """
    from orchestration.lib.screen import show_status

    console, _ = _consoles()
    is_good = show_status(console, _settings(None, None))
    raise typer.Exit(EXIT_GOOD if is_good else EXIT_STOPPED)


@app.command(epilog="[bold]Example[/]\n\nvoronka doctor --raw-dir ~/exports")
def doctor(raw_dir: RawDir = None) -> None:
    """Check the [bold]environment[/] and a raw zone against the contract; loads nothing.

    Exit code 2 if a refresh could not run.
    """
    from orchestration.lib.doctor import examine
    from orchestration.lib.screen import show_findings

    console, _ = _consoles()
    is_good = show_findings(console, examine(_settings(raw_dir, None)))
    raise typer.Exit(EXIT_GOOD if is_good else EXIT_WRONG_USE)


def main() -> None:
    """The console script: every error ends in one clear line and an exit code."""
    from orchestration.lib.errors import VoronkaError

    try:
        app()
    except VoronkaError as error:
        _report(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _, errors = _consoles()
        errors.print("Stopped. The published file is the one from before.", style="yellow")
        sys.exit(EXIT_INTERRUPTED)


def _report(error: VoronkaError) -> None:
    from orchestration.lib.record import Failure
    from orchestration.lib.screen import show_failure

    show_failure(_consoles()[1], Failure.of(error))


def _settings(raw_dir: Path | None, assignments: list[str] | None) -> Settings:
    from orchestration.lib.raw_zone import OBJECT_STORES
    from orchestration.lib.settings import load_settings, parse_vars

    zone = None
    if raw_dir is not None:
        # A path collapses the slashes of an address.
        text = str(raw_dir).replace(":/", "://", 1) if ":/" in str(raw_dir) else str(raw_dir)
        # What is typed is relative to where it is typed.
        zone = text if text.startswith(OBJECT_STORES) else str(raw_dir.expanduser().absolute())
    settings = load_settings(raw_dir=zone)
    if assignments:
        variables = parse_vars(assignments, settings.dbt_vars)
        settings = load_settings(raw_dir=zone, dbt_vars=variables)
    return settings


def _consoles() -> tuple[Console, Console]:
    """Where results go and where errors go; both keep the streams of now."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False), Console(file=sys.stderr, highlight=False)


if __name__ == "__main__":
    main()
