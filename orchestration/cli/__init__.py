"""The `voronka` command. Heavy imports wait until a command needs them."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from orchestration.base.errors import (
    EXIT_GOOD,
    EXIT_INTERRUPTED,
    EXIT_STOPPED,
    EXIT_WRONG_USE,
)
from orchestration.cli.connect import connect_app, read_before_refresh
from orchestration.cli.digest import EPILOG as DIGEST_EPILOG
from orchestration.cli.digest import digest
from orchestration.cli.explain import EPILOG as EXPLAIN_EPILOG
from orchestration.cli.explain import explain
from orchestration.cli.mcp import EPILOG as MCP_EPILOG
from orchestration.cli.mcp import mcp
from orchestration.cli.report import report_app
from orchestration.cli.serve import EPILOG as SERVE_EPILOG
from orchestration.cli.serve import TOKEN_EPILOG, serve, token
from orchestration.metrics.choices import Comparison, Format, Grain, Group, Language

if TYPE_CHECKING:
    from orchestration.base.errors import VoronkaError
    from orchestration.base.record import Record
    from orchestration.base.settings import Settings
    from orchestration.base.terminal import Screen

_EPILOG = (
    "[bold]Exit codes[/]  0 good · 1 a check, a model or the disk stopped publication"
    " · 2 wrong use or broken contract · 3 published, but not in Postgres · 75 try again later"
    " · 130 stopped"
    "\n\n[bold]Settings[/]  VORONKA_RAW_DIR, VORONKA_DATA_DIR (data/), VORONKA_THREADS (2), "
    "VORONKA_MEMORY (2500MB), VORONKA_DBT_VARS ({} in JSON), VORONKA_POSTGRES_* (README.md); "
    "relative paths are relative to the project"
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
app.add_typer(connect_app)
app.add_typer(report_app)

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

Lang = Annotated[Language, typer.Option("--lang", help="Names in this language.")]


@app.command(
    epilog="[bold]Examples[/]\n\n"
    "voronka refresh                              the demo, or data/raw if there is one\n\n"
    "voronka refresh --raw-dir ~/exports          your own exports\n\n"
    "voronka refresh --var churn_days=60          another definition of a lost customer\n\n"
    "voronka refresh --full                       rebuild everything from the raw zone"
)
def refresh(
    raw_dir: RawDir = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Read all raw files and rebuild everything. "
            "[dim]Else only new files are read, and what they touch is built: the result is the "
            "same.[/]",
        ),
    ] = False,
    connect: Annotated[
        bool,
        typer.Option(
            "--connect",
            help="Read all enabled connections first. [dim]One that fails is reported and stops "
            "nothing.[/]",
        ),
    ] = False,
    var: Vars = None,
    allow_empty: Annotated[
        bool,
        typer.Option("--allow-empty", help="Publish marts without a row, too."),
    ] = False,
    accept_shrink: Annotated[
        bool,
        typer.Option(
            "--accept-shrink", help="Publish though a fact lost more than half of its rows."
        ),
    ] = False,
    accept_quarantine: Annotated[
        bool,
        typer.Option(
            "--accept-quarantine",
            help="Publish though a large share of a table's new rows is in quarantine.",
        ),
    ] = False,
    accept_unpriced: Annotated[
        bool,
        typer.Option(
            "--accept-unpriced",
            help="Publish though most payments or won deals have no rate to the base currency.",
        ),
    ] = False,
) -> None:
    """Build, check and [bold]publish[/] the marts: the raw zone in, one file for BI out.

    Readers keep the last good version until every blocking check has passed.
    """
    from orchestration.base.interrupt import interrupt_on_terminate
    from orchestration.base.lock import keep_temporary_files
    from orchestration.base.record import EMPTY, QUARANTINE, SHRINK, UNPRICED
    from orchestration.cli.screen import ProgressScreen
    from orchestration.refresh import refresh as run
    from orchestration.refresh import yield_to_readers

    console, errors = _consoles()
    settings = _settings(raw_dir, var).checked()
    given = {
        EMPTY: allow_empty,
        SHRINK: accept_shrink,
        QUARANTINE: accept_quarantine,
        UNPRICED: accept_unpriced,
    }
    accept = [word for word, is_given in given.items() if is_given]
    interrupt_on_terminate()
    if connect:
        read_before_refresh(settings, errors)
        settings = _settings(raw_dir, var).checked()
    yield_to_readers()
    with keep_temporary_files(settings), ProgressScreen(console):
        record = run(settings, full=full, accept=accept)
    try:
        _show_end(settings, record)
    finally:
        if settings.dagster_home is not None:
            from orchestration.history import report_at_once

            report_at_once(settings, lambda text: errors.print(text, style="yellow"))
        _alert(settings, record)


def _alert(settings: Settings, record: Record) -> None:
    """Send alerts where notifications.yml asks for it; who stopped the refresh knows of it."""
    stopped = record.failure is not None and record.failure.exit_code == EXIT_INTERRUPTED
    if stopped or not settings.notifications_file.exists():
        return
    from orchestration.digest.run import alert_after_refresh

    _, errors = _consoles()
    alert_after_refresh(
        settings, lambda text: errors.print(text, style="yellow", markup=False, soft_wrap=True)
    )


def _show_end(settings: Settings, record: Record) -> None:
    """How a refresh ended, and the exit code where it did not end well."""
    from orchestration.cli.screen import show_failure, show_summary

    console, errors = _consoles()
    if record.failure is not None:
        show_failure(errors, record.failure)
        raise typer.Exit(record.failure.exit_code)
    show_summary(console, settings, record)
    for target in record.failed_targets:
        assert target.failure is not None
        show_failure(errors, target.failure)
        raise typer.Exit(target.failure.exit_code)


@app.command(epilog="[bold]Example[/]\n\nvoronka status || echo 'look at the warehouse'")
def status() -> None:
    """Say what is [bold]published[/], how old it is and what is wrong.

    Exit code 1 if nothing is published or the last refresh failed.
    """
    from orchestration.cli.screen import show_status

    console, _ = _consoles()
    is_good = show_status(console, _settings(None, None))
    raise typer.Exit(EXIT_GOOD if is_good else EXIT_STOPPED)


@app.command(epilog="[bold]Example[/]\n\nvoronka doctor --raw-dir ~/exports")
def doctor(raw_dir: RawDir = None, var: Vars = None) -> None:
    """Check the [bold]environment[/] and a raw zone against the contract; loads nothing.

    Exit code 2 if a refresh could not run.
    """
    from orchestration.cli.doctor import examine
    from orchestration.cli.screen import show_findings

    console, _ = _consoles()
    is_good = show_findings(console, examine(_settings(raw_dir, var)))
    raise typer.Exit(EXIT_GOOD if is_good else EXIT_WRONG_USE)


@app.command(
    epilog="[bold]Examples[/]\n\n"
    "voronka query revenue new_customers --grain month --compare previous\n\n"
    "voronka query set_meetings_held meeting_show_rate --by manager --order -set_meetings_held\n\n"
    "voronka query win_rate --by source --where \"metric_time >= '2026-07-01'\"\n\n"
    "voronka query open_amount --by stage --grain week --format csv > pipeline.csv"
)
def query(
    metrics: Annotated[list[str], typer.Argument(help="Metrics; `voronka metrics` lists them.")],
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            "-b",
            metavar="DIMENSION",
            help="manager, team, role, source, channel, pipeline, stage …; again for more. "
            "[dim]`voronka metrics NAME` says which.[/]",
            show_default=False,
        ),
    ] = None,
    grain: Annotated[
        Grain | None, typer.Option("--grain", "-g", help="A row for each such period.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            metavar="CONDITION",
            help="One condition over dimensions: \"manager__team = 'North'\"; again for more.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        Comparison | None,
        typer.Option(
            "--compare",
            "-c",
            help="The figure of the period before, or of a year ago, beside it. "
            "[dim]Conditions on metric_time move along.[/]",
        ),
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option("--order", "-o", metavar="COLUMN", help="-COLUMN: the greatest first."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=0, help="Rows at most.")] = None,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="How the answer leaves.")
    ] = Format.TABLE,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="A file: .csv, .json, .xlsx or .parquet."),
    ] = None,
    excel: Annotated[
        bool,
        typer.Option(
            "--excel",
            help="CSV as a Russian Excel opens it: UTF-8 with its mark, semicolons, decimal comma.",
        ),
    ] = False,
    language: Lang = Language.ENGLISH,
) -> None:
    """Ask the [bold]published[/] metrics by any dimension.

    Members are shown with their names, counts of nothing as 0, quotients of nothing as –.
    """
    from orchestration.base.errors import WrongUse
    from orchestration.metrics import show
    from orchestration.metrics.query import Request, published_metrics

    if output and format_ is Format.TABLE:
        format_ = _format_of(output)
    if format_ is Format.PARQUET and output is None:
        raise WrongUse("Parquet is no text for a screen.", "Name a file: --output answer.parquet")
    if excel and format_ is Format.TABLE:
        format_ = Format.CSV
    if excel and format_ is not Format.CSV:
        raise WrongUse(f"--excel is for CSV, not for {format_}.", "Leave --excel out.")
    # A second among objects that stay: collecting them costs more than it frees.
    gc.disable()
    console, errors = _consoles()
    request = Request(
        metrics=tuple(metrics),
        by=_listed(by),
        where=tuple(where or ()),
        grain=grain,
        compare=compare,
        order=_listed(order),
        limit=limit,
    )
    with published_metrics(_settings(None, None).published_file) as published:
        if output and format_ is Format.PARQUET:
            table = published.table(request)
            rows = table.num_rows
            show.write_parquet(table, output)
        else:
            answer = published.answer(request)
            rows = len(answer.rows)
            if format_ is Format.TABLE:
                show.show_answer(console, answer, language)
            else:
                show.write_answer(answer, format_, output, for_excel=excel)
    if output:
        errors.print(f"{rows} rows in {output}", markup=False, soft_wrap=True)


@app.command(
    epilog="[bold]Examples[/]\n\nvoronka metrics\n\nvoronka metrics встреч --lang ru\n\n"
    "voronka metrics win_rate"
)
def metrics(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="A metric's name, or words of either language.", show_default=False),
    ] = None,
    group: Annotated[
        Group | None, typer.Option("--group", help="Those of one group.", show_default=False)
    ] = None,
    language: Lang = Language.ENGLISH,
) -> None:
    """List and search the [bold]catalogue[/] of metrics, or show one with its dimensions."""
    from orchestration.metrics import show
    from orchestration.metrics.query import published_metrics

    console, errors = _consoles()
    with published_metrics(_settings(None, None).published_file) as published:
        catalogue = published.catalogue
        if words and len(words) == 1 and words[0] in catalogue.metrics:
            metric = catalogue.metrics[words[0]]
            dimensions = published.dimensions([metric.name])
            show.show_metric(console, metric, dimensions, catalogue.formula(metric.name))
            return
        found = catalogue.search(words or [], group)
    if not found:
        errors.print("No metric has these words.", style="yellow")
        raise typer.Exit(EXIT_WRONG_USE)
    show.show_metrics(console, found, language)


def _format_of(output: Path) -> Format:
    """The format that a file's suffix names. Raises WrongUse where it names none."""
    from orchestration.base.errors import WrongUse

    by_suffix = {f".{item}": item for item in Format if item is not Format.TABLE}
    format_ = by_suffix.get(output.suffix.lower())
    if format_ is None:
        raise WrongUse(
            f"{output}: its suffix names no format.",
            f"Give it one of {', '.join(by_suffix)}, or say --format.",
        )
    return format_


def _listed(values: list[str] | None) -> tuple[str, ...]:
    """`--by a --by b` and `--by a,b` are the same."""
    return tuple(part.strip() for value in values or () for part in value.split(","))


@app.command(
    epilog="[bold]Examples[/]\n\n"
    "voronka dashboard\n\n"
    "voronka dashboard --lang en --output ~/sales.html"
)
def dashboard(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Where to write it. [dim]Default: dashboard.html beside the published file.[/]",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        Language, typer.Option("--lang", help="The language it opens in.")
    ] = Language.RUSSIAN,
) -> None:
    """Write the [bold]dashboard[/] of what is published: one HTML file that needs no network."""
    from orchestration.base.lock import use_temporary_files
    from orchestration.dashboard.page import write_dashboard

    # What is typed is relative to where it is typed.
    file = output.expanduser().absolute() if output else None
    settings = _settings(None, None)
    with use_temporary_files(settings):
        done = write_dashboard(settings, file, language)
    console, _ = _consoles()
    console.print(f"[bold]{done.file}[/] ({done.bytes / 1e6:.1f} MB)", soft_wrap=True)


app.command(epilog=EXPLAIN_EPILOG)(explain)
app.command(epilog=SERVE_EPILOG)(serve)
app.command(epilog=TOKEN_EPILOG)(token)
app.command(epilog=DIGEST_EPILOG)(digest)
app.command(epilog=MCP_EPILOG)(mcp)


@app.command(
    "evaluate-calls",
    epilog="[bold]Examples[/]\n\n"
    "export VORONKA_LLM_URL=https://api.openai.com/v1 VORONKA_LLM_MODEL=gpt-4o-mini\n\n"
    "export VORONKA_LLM_KEY=env:OPENAI_API_KEY    the name of the variable, not the key\n\n"
    "voronka evaluate-calls --dry-run             which calls, and what they would cost\n\n"
    "voronka evaluate-calls --limit 20            the 20 latest\n\n"
    "voronka evaluate-calls --since 2026-11-01 --limit 2000 --max-tokens 10000000",
)
def evaluate_calls(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Calls at most.")] = 100,
    max_tokens: Annotated[
        int,
        typer.Option(
            "--max-tokens", min=1, help="Tokens at most, of questions and answers together."
        ),
    ] = 500_000,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DAY", help="Calls from this local day on."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which calls, and send nothing.")
    ] = False,
) -> None:
    """Let a [bold]language model[/] evaluate transcribed calls, the latest first.

    Phone numbers and e-mail addresses are masked before anything leaves. It can be stopped at any
    time and goes on from there; no call is sent twice. Exit code 75 if calls were left.
    """
    from orchestration.cli.evaluate_calls import evaluate

    console, errors = _consoles()
    settings = _settings(None, None).checked()
    raise typer.Exit(evaluate(console, errors, settings, limit, max_tokens, since, dry_run))


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
    epilog="[bold]Examples[/]\n\n"
    "voronka dbt build --select kpi_daily+ --exclude-resource-type unit_test\n\n"
    "voronka dbt test --select test_type:unit\n\n"
    "voronka dbt show --select fct_deals --limit 5",
)
def dbt(context: typer.Context) -> None:
    """Run [bold]dbt[/] by hand on the private build, with this project and these settings.

    While a refresh runs, it says who runs it, with exit code 2.
    """
    from orchestration.cli.dbt import run_dbt

    if context.args in ([], ["--help"]):
        _consoles()[0].print(context.get_help(), soft_wrap=True)
        raise typer.Exit(EXIT_GOOD if context.args else EXIT_WRONG_USE)
    raise typer.Exit(run_dbt(_settings(None, None), context.args))


def main() -> None:
    """The console script: every error ends in one clear line and an exit code."""
    from orchestration.base.errors import VoronkaError, is_disk_full
    from orchestration.base.terminal import give_up, prepare_streams

    prepare_streams()
    code: str | int | None = EXIT_GOOD
    try:
        app()
    except SystemExit as done:
        code = done.code
    except VoronkaError as error:
        _report(error)
        code = error.exit_code
    except OSError as error:
        if error.filename is not None or not is_disk_full(error):
            raise
        # A file would have a name: this was the standard output.
        give_up(sys.stdout, error)
    _leave(code)


def _leave(code: str | int | None) -> NoReturn:
    """End with this exit code, or with 1 where the output could not be written."""
    from orchestration.base.errors import OutputLost
    from orchestration.base.terminal import finish_streams

    lost = finish_streams()
    if lost is not None and code in (None, EXIT_GOOD):
        _report(OutputLost.of(lost))
        finish_streams()
        code = EXIT_STOPPED
    if code == EXIT_INTERRUPTED:
        # Python would end by SIGINT where the interruption hit one of its own `exec` of a text, and
        # wait for threads that still ask the database.
        os._exit(EXIT_INTERRUPTED)
    sys.exit(code)


def _report(error: VoronkaError) -> None:
    from orchestration.base.record import Failure
    from orchestration.cli.screen import show_failure

    show_failure(_consoles()[1], Failure.of(error))


def _settings(raw_dir: Path | None, assignments: list[str] | None) -> Settings:
    from orchestration.base.object_store import OBJECT_STORES
    from orchestration.base.settings import load_settings, parse_vars

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


def _consoles() -> tuple[Screen, Screen]:
    from orchestration.base.terminal import screens

    return screens()
