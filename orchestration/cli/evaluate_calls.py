"""`voronka evaluate-calls`: what is sent is told first, what came of it at the end."""

from __future__ import annotations

from datetime import date

from rich.console import Console

from orchestration.base.errors import EXIT_GOOD, EXIT_INTERRUPTED, WrongUse
from orchestration.base.interrupt import interrupt_on_terminate
from orchestration.base.settings import Settings
from orchestration.base.terminal import escape
from orchestration.base.text import counted
from orchestration.call_evaluations.run import Outcome, Plan, Run
from orchestration.cli.screen import ProgressScreen, show_failure

_GOOD, _NOTE = "[green]✓[/]", "[yellow]![/]"


def evaluate(
    console: Console,
    errors: Console,
    settings: Settings,
    limit: int,
    max_tokens: int,
    since: str | None,
    is_dry: bool,
) -> int:
    """Evaluate calls, or with `is_dry` only say which would be; the command's exit code."""
    interrupt_on_terminate()
    run = Run(
        settings, limit, max_tokens, _day(since),
        say=lambda text: errors.print(text, style="yellow"),
    )  # fmt: skip
    try:
        if is_dry:
            _show_plan(console, run.plan())
            console.print("[dim]Nothing was sent.[/]")
            return EXIT_GOOD
        with run.only():
            plan = run.plan()
            _show_plan(console, plan)
            with ProgressScreen(console):
                outcome = run.evaluate(plan)
    except KeyboardInterrupt:
        errors.print("Stopped before anything was sent.")
        return EXIT_INTERRUPTED
    _show_outcome(console, errors, outcome)
    return outcome.exit_code


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongUse(f"--since {text} is not a day.", "Write it like 2026-11-23.") from None


def _show_plan(console: Console, plan: Plan) -> None:
    selection = plan.selection
    count = len(selection.calls)
    waiting = f" of {selection.waiting:,} that wait" if count < selection.waiting else ""
    console.print(
        f"[bold]{counted(count, 'call')}[/]{waiting} for [bold]{escape(plan.evaluator)}[/] at "
        f"{escape(plan.url)}: about {plan.tokens:,} tokens at most "
        f"(--limit {plan.limit:,}, --max-tokens {plan.max_tokens:,})",
        soft_wrap=True,
    )
    if count:
        console.print(
            "[dim]What leaves this machine: the prompt, and what was said in these calls, with "
            "phone numbers and e-mail addresses masked.[/]",
            soft_wrap=True,
        )
        if plan.is_open:
            console.print(f"{_NOTE} http:// sends it unencrypted: use https://.")
    total = selection.waiting + sum(selection.passed.values())
    console.print(
        f"[dim]{counted(total, 'transcript')} in the warehouse"
        + "".join(f"; {number:,} {escape(why)}" for why, number in selection.passed.items())
        + "[/]",
        soft_wrap=True,
    )


def _show_outcome(console: Console, errors: Console, outcome: Outcome) -> None:
    if outcome.brought:
        console.print(
            f"{_NOTE} {counted(outcome.brought, 'evaluation')} of a run that was killed "
            "came into the raw zone."
        )
    if outcome.evaluated or not outcome.failure:
        console.print(
            f"{_GOOD} [bold]{counted(outcome.evaluated, 'call')}[/] evaluated, "
            f"{outcome.tokens:,} tokens"
        )
    for flag, count in sorted(outcome.unproved.items()):
        if count:
            console.print(
                f"{_NOTE} {flag}: left empty in {counted(count, 'call')}, as its quote was missing "
                "or not in the transcript",
                soft_wrap=True,
            )
    for why, count in outcome.left.most_common():
        console.print(
            f"{_NOTE} {counted(count, 'call')} left for the next run: {escape(why)}",
            soft_wrap=True,
        )
    if outcome.budget:
        console.print(
            f"Stopped at {outcome.budget}; {counted(outcome.remaining, 'call')} wait.",
            soft_wrap=True,
        )
    if outcome.evaluated or outcome.brought:
        console.print("[bold]→[/] `voronka refresh` brings them into the marts.")
    if outcome.failure is not None:
        show_failure(errors, outcome.failure)
