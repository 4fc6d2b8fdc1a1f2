"""What the command shows: progress while a refresh runs, then one screen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from orchestration.base import progress
from orchestration.base.errors import DiskFull, shortened
from orchestration.base.files import read_json
from orchestration.base.findings import Finding
from orchestration.base.lock import (
    REFRESH,
    ending,
    is_space_missing,
    killed_refresh,
    running_refresh,
)
from orchestration.base.record import ERROR, FAIL, PASS, STEPS, WARN, Failure, Record, TargetOutcome
from orchestration.base.settings import ORIGIN_DATA, Settings
from orchestration.base.terminal import escape
from orchestration.base.text import counted
from orchestration.dashboard.page_cache import shown_publication
from orchestration.publication.published import HEADLINES, Kpi, Published, read_published

_TITLES = {
    "raw zone": "Raw zone",
    "models": "Models and tests",
    "outlook": "Outlook",
    "metrics": "Metrics layer",
    "expectations": "Expectations",
    "publication": "Publication",
    "cluster": "Cluster",
    "postgres": "Postgres",
}
_BAD = {"error", "fail", "runtime error"}
_MARKS = {"good": "[green]✓[/]", "note": "[yellow]![/]", "bad": "[red]✗[/]"}


class ProgressScreen:
    """A line for each step while the refresh runs; where nobody watches, only its name."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[item]}", style="dim", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks: dict[str, TaskID] = {}
        self._current: str | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        self._begin("start", "Starting", None)
        self._stop_listening = progress.listen(self._on_progress)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_listening()
        self._bars.stop()

    def _on_progress(self, seen: progress.Progress) -> None:
        if seen.step != self._current:
            self._begin(seen.step, _TITLES.get(seen.step, seen.step), seen.total)
        task = self._tasks[seen.step]
        if seen.total is not None:
            self._bars.update(task, total=seen.total)
        if seen.item:
            self._bars.update(task, advance=1, item=seen.item)
            if seen.status in _BAD:
                self._console.print(f"  {_MARKS['bad']} {escape(seen.item)}: {seen.status}")

    def _begin(self, step: str, title: str, total: int | None) -> None:
        if self._current is not None:
            done = self._tasks[self._current]
            self._bars.update(done, total=self._bars.tasks[done].completed or 1, item="")
            self._bars.update(done, completed=self._bars.tasks[done].total)
            self._bars.stop_task(done)
        if step != "start" and not self._console.is_terminal:
            self._console.print(f"{title} …")
        self._tasks[step] = self._bars.add_task(title, total=total, item="")
        self._current = step


def show_summary(console: Console, settings: Settings, record: Record) -> None:
    """One screen about a refresh that published."""
    published = read_published(settings.published_file)
    console.print(
        Panel(
            Group(*_summary_parts(settings, record, published)),
            title="[bold]Published[/]",
            subtitle=f"as of {published.as_of_date or 'no date: the zone is empty'}",
            border_style="green",
            padding=(1, 2),
        )
    )


def _summary_parts(
    settings: Settings, record: Record, published: Published
) -> list[RenderableType]:
    parts: list[RenderableType] = [Text.from_markup(_raw_line(record)), Text()]
    if published.kpis:
        parts.append(_kpi_table(published))
        if later := _later_line(published):
            parts.append(Text.from_markup(later))
        parts.append(Text())
    parts += [_layer_table(record, published), Text()]
    if published.quarantine:
        parts += [_quarantine_table(published), Text()]
    parts += [Text.from_markup(line) for line in (*_check_lines(record), *_dbt_lines(record))]
    parts.append(Text.from_markup(_file_line(settings, record, published)))
    parts += [Text.from_markup(line) for line in _target_lines(record)]
    parts.append(Text.from_markup(_dashboard_line(record)))
    parts.append(Text.from_markup(_time_line(record)))
    return parts


def _raw_line(record: Record) -> str:
    name = "the demo company" if record.is_demo else "raw zone"
    origin = {ORIGIN_DATA: " (found in data/raw)"}.get(record.raw_origin, "")
    line = (
        f"From [bold]{name}[/]{origin} {escape(record.raw_dir)}: "
        f"{counted(record.raw_files, 'file')}, {counted(record.raw_rows, 'row')}"
    )
    if record.new_files < record.raw_files:
        line += f"; {counted(record.new_files, 'new file') if record.new_files else 'no new files'}"
    if record.is_demo:
        line += "\n[dim]Bring your own: voronka refresh --raw-dir DIR[/]"
    if record.killed_before:
        line += f"\n[yellow]The one before:[/] {escape(record.killed_before)}"
    if record.missing_tables:
        line += f"\n[dim]No files for {', '.join(record.missing_tables)}: taken as empty[/]"
    if record.drift:
        shown = "; ".join(record.drift[:3])
        more = f" and {len(record.drift) - 3} more" if len(record.drift) > 3 else ""
        line += f"\n[yellow]Schema drift:[/] {escape(shown)}{more}"
    return line


def _kpi_table(published: Published) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    first = published.kpis[0]
    currencies = {
        HEADLINES[it.figure]: ", ".join(it.currencies)
        for it in published.unpriced
        if it.figure in HEADLINES
    }
    table.add_column("")
    table.add_column(first.month.strftime("%B %Y"), justify="right")
    table.add_column(first.previous_month.strftime("%B %Y"), justify="right", style="dim")
    table.add_column("")
    for kpi in published.kpis:
        if kpi.not_loaded:
            table.add_row(kpi.title, "[yellow]not loaded[/]", "", f"[dim]no {kpi.not_loaded}[/]")
            continue
        of = shortened(currencies.get(kpi.title, ""))
        note = f"[yellow]{counted(kpi.unpriced, 'row')} without a rate not in it"
        note += f" ({escape(of)})[/]" if of else "[/]"
        table.add_row(
            kpi.title,
            f"[bold]{_number(kpi.value)}[/]",
            _number(kpi.previous),
            f"{_change(kpi)} {note if kpi.unpriced else ''}".strip(),
        )
    return table


def _later_line(published: Published) -> str:
    """What no figure of the summary holds, because it comes after the as-of date."""
    found = [
        f"{kpi.title.lower()} {_number(kpi.later)}"
        for kpi in published.kpis
        if kpi.later and not kpi.not_loaded
    ]
    if not found:
        return ""
    return f"[yellow]After {published.as_of_date} there is more: {', '.join(found)}[/]"


def _change(kpi: Kpi) -> str:
    if kpi.value is None or not kpi.previous:
        return ""
    share = float((kpi.value - kpi.previous) / abs(kpi.previous))
    color = "green" if share > 0 else "red" if share < 0 else "dim"
    return f"[{color}]{share:+.0%}[/]"


def _layer_table(record: Record, published: Published) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("layer")
    table.add_column("tables", justify="right")
    table.add_column("rows", justify="right")
    table.add_column("not touched", justify="right")
    table.add_row("raw", str(record.raw_tables), f"{record.raw_rows:,}", "")
    for schema in ("staging", "intermediate", "marts"):
        models = [model for model in record.models if model.schema == schema]
        rows = sum(model.rows or 0 for model in models)
        unchanged = sum(model.status == "unchanged" for model in models)
        table.add_row(schema, str(len(models)), f"{rows:,}", f"{unchanged or ''}")
    quarantined = f"{published.rows_quarantined:,}"
    table.add_row("quarantine", str(published.quarantine_tables), quarantined, "")
    return table


def _quarantine_table(published: Published, shown: int = 8) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("quarantined because")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for row in published.quarantine[:shown]:
        table.add_row(escape(row.reason), row.table, f"{row.rows:,}")
    rest = len(published.quarantine) - shown
    if rest > 0:
        # Rows of several reasons would be added up several times.
        table.add_row(f"[dim]and {counted(rest, 'more reason')}[/]", "", "")
    return table


def _check_lines(record: Record) -> list[str]:
    failed = record.count(FAIL, ERROR)
    line = f"Checks: [green]{record.count(PASS)} passed[/]"
    line += f", [yellow]{record.count(WARN)} warned[/]" if record.count(WARN) else ""
    line += f", [red]{failed} failed[/]" if failed else ""
    noted = [check for check in record.checks if check.status in (WARN, FAIL, ERROR)]
    return [line] + [
        f"  {_MARKS['note']} {escape(check.asset)}: {escape(check.message or check.name)}"
        for check in noted[:5]
    ]


def _dbt_lines(record: Record, shown: int = 3) -> list[str]:
    """What dbt warned of, in its own words."""
    lines = [
        f"  {_MARKS['note']} dbt: {escape(' '.join(text.split()))}"
        for text in record.dbt_warnings[:shown]
    ]
    more = len(record.dbt_warnings) - shown
    return [*lines, f"  and {counted(more, 'more warning')} of dbt"] if more > 0 else lines


def _file_line(settings: Settings, record: Record, published: Published) -> str:
    size = settings.published_file.stat().st_size / 1e6
    title = "Published"
    if record.is_publication_unchanged:
        since = published.published_at.astimezone()
        title = f"Unchanged, published on {since:%Y-%m-%d} at {since:%H:%M %Z}"
    return (
        f"{title}: [bold]{escape(str(settings.published_file))}[/] ({size:.1f} MB), "
        f"Parquet beside it in {escape(str(settings.published_dir / 'parquet'))}"
    )


def _target_lines(record: Record) -> list[str]:
    lines = []
    for target in record.targets:
        title = _TITLES[target.name]
        if target.failure is not None:
            lines.append(f"[red]{title}: not loaded[/], it shows the version before")
        else:
            lines.append(
                f"{title}: [bold]{escape(target.address)}[/], {counted(target.tables, 'table')}"
            )
        lines += [f"  {_MARKS['note']} {escape(note)}" for note in target.notes[:5]]
    return lines


def _dashboard_line(record: Record) -> str:
    if record.dashboard:
        return f"Dashboard: [bold]{escape(record.dashboard)}[/] (open it in a browser)"
    reason = escape(record.dashboard_failure)
    return f"{_MARKS['note']} No new dashboard: {reason} All else is published."


def _time_line(record: Record) -> str:
    names = (*STEPS, "dashboard", *(target.name for target in record.targets))
    phases = {name: record.phases[name] for name in names if name in record.phases}
    total = record.phases.get("total", sum(phases.values()))
    if not phases:
        return "Nothing new: no raw file, no change of code, variables, tools or outputs"
    # Imports, reading the dbt project after a change, and Dagster's own bookkeeping.
    phases["starting the tools"] = total - sum(phases.values())
    parts = [f"{name} {seconds:.1f} s" for name, seconds in phases.items()]
    return f"Time: [bold]{total:.1f} s[/] [dim]({', '.join(parts)})[/]"


def show_failure(console: Console, failure: Failure, shown: int = 20) -> None:
    """Why it stopped and the one thing to do."""
    console.print(f"[bold red]✗[/] [bold]{escape(failure.message)}[/]", soft_wrap=True)
    for detail in failure.details[:shown]:
        console.print(f"    {escape(detail)}", soft_wrap=True)
    if len(failure.details) > shown:
        console.print(f"    and {len(failure.details) - shown} more")
    if failure.remedy:
        console.print(f"[bold]→[/] {escape(failure.remedy)}", soft_wrap=True)


def show_status(console: Console, settings: Settings) -> bool:
    """Show what is published and what is wrong; whether all is well."""
    if not settings.published_file.is_file():
        console.print(
            f"{_MARKS['bad']} Nothing is published in {escape(str(settings.published_dir))}."
        )
        if _show_last_refresh(console, settings):
            console.print("[bold]→[/] Run `voronka refresh`.")
        return False
    published = read_published(settings.published_file)
    age = datetime.now(UTC) - published.published_at
    console.print(f"[bold]{escape(str(settings.published_file))}[/]")
    console.print(f"  version    {published.publication_id} (voronka {published.version})")
    console.print(f"  as of      {published.as_of_date or 'no date: the zone was empty'}")
    console.print(f"  published  {published.published_at:%Y-%m-%d %H:%M} UTC, {_age(age)} ago")
    demo = " (the demo company)" if published.is_demo else ""
    console.print(
        f"  from       {escape(published.raw_dir)}{demo}: "
        f"{counted(published.raw_files, 'file')}, {counted(published.raw_rows, 'row')}"
    )
    for fact in published.facts_on_cluster:
        console.print(f"  on cluster {escape(str(fact))}", soft_wrap=True)
    console.print(f"  checks     {_counts(published)}")
    for line in published.warnings[:10]:
        console.print(f"    {_MARKS['note']} {escape(line)}", soft_wrap=True)
    for unpriced in published.unpriced:
        console.print(f"  money      {escape(unpriced.text)}", soft_wrap=True)
    reasons = counted(len(published.quarantine), "reason") if published.quarantine else ""
    rows = counted(published.rows_quarantined, "row")
    console.print(f"  quarantine {rows}" + (f", for {reasons}" if reasons else ""))
    for row in published.quarantine[:5]:
        console.print(f"    {row.rows:>7,}  {row.table}: {escape(row.reason)}")
    parts = (
        _show_postgres(console, settings, published),
        _show_page(console, settings, published),
        _show_last_refresh(console, settings, published),
    )
    return all(parts)


def _show_last_refresh(
    console: Console, settings: Settings, published: Published | None = None
) -> bool:
    """Show that a refresh runs, or how the last one ended; whether nothing is wrong with it."""
    running = running_refresh(settings)
    if running is not None:
        task = "A refresh" if running.task == REFRESH else f"`{running.task}`"
        console.print(
            f"{_MARKS['note']} {escape(task)} runs, since {running.since}: "
            f"process {running.pid} on {escape(running.host)}."
        )
        return True
    record, failure = ending(settings)
    at = record.saved_at[:16].replace("T", " ")
    if failure is not None:
        is_killed = killed_refresh(settings) is not None
        is_out = record.is_published or (is_killed and _is_of(record, published))
        how = "published, but did not come to its end" if is_out else "did not publish"
        console.print(f"{_MARKS['bad']} The last refresh, {at} UTC, {how}:")
        show_failure(console, failure, shown=len(failure.details))
        return False
    if is_space_missing(settings):
        console.print(f"{_MARKS['bad']} The last refresh could not begin:")
        show_failure(console, Failure.of(DiskFull.of(settings.data)))
        return False
    if not record.started_at:
        console.print(f"{_MARKS['note']} There was no refresh in {escape(str(settings.data))}.")
    elif record.is_publication_unchanged:
        console.print(f"{_MARKS['good']} The last refresh found nothing new, {at} UTC.")
    else:
        console.print(f"{_MARKS['good']} The last refresh published.")
    return True


def _is_of(record: Record, published: Published | None) -> bool:
    """Whether a refresh that could not say so made the published file: it was killed right after.

    Its beginning is known to the second, and no refresh publishes in its first one.
    """
    if published is None or not record.started_at:
        return False
    begun = datetime.fromisoformat(record.started_at)
    return published.published_at >= begun + timedelta(seconds=1)


def _show_page(console: Console, settings: Settings, published: Published) -> bool:
    """Show whether the dashboard has the published figures; True while a refresh may write it."""
    file = settings.dashboard_file
    shown = shown_publication(file)
    is_current = shown == published.publication_id or (shown is None and file.is_file())
    if is_current or running_refresh(settings) is not None:
        return True
    reason = Record.load(settings.record_file).dashboard_failure
    console.print(
        f"{_MARKS['bad']} "
        + ("The dashboard is older than the figures" if file.is_file() else "There is no dashboard")
        + f": {escape(str(file))}."
        + (f" {escape(reason)}" if reason else ""),
        soft_wrap=True,
    )
    console.print("[bold]→[/] Run `voronka dashboard`, which rewrites it.")
    return False


def _show_postgres(console: Console, settings: Settings, published: Published) -> bool:
    """Show what Postgres was last given; whether it is what the file has, where it is wanted."""
    if settings.postgres_url is None:
        return True
    state = read_json(settings.postgres_file)
    if not state:
        console.print(f"{_MARKS['bad']} Postgres was never loaded.")
        console.print("[bold]→[/] Run `voronka refresh`.")
        return False
    target = TargetOutcome.of(state)
    if target.failure is not None:
        console.print(f"{_MARKS['bad']} Postgres shows an older version, since {state.get('at')}:")
        show_failure(console, target.failure, shown=10)
        return False
    if target.publication_id != published.publication_id:
        console.print(f"{_MARKS['bad']} Postgres shows {target.publication_id}.")
        console.print("[bold]→[/] Run `voronka refresh`.")
        return False
    console.print(f"  postgres   {escape(target.address)} has the same version")
    for note in target.notes:
        console.print(f"    {_MARKS['note']} {escape(note)}", soft_wrap=True)
    return True


def _counts(published: Published) -> str:
    passed, warned, failed = published.checks
    return f"{passed} passed, {warned} warned, {failed} failed"


def show_finding(console: Console, finding: Finding) -> None:
    """Show one thing that a check found, and what to do about it."""
    console.print(f"{_MARKS[finding.grade]} {escape(finding.text)}", soft_wrap=True)
    for detail in finding.details:
        console.print(f"    {escape(detail)}", soft_wrap=True)
    if finding.remedy:
        console.print(f"    → {escape(finding.remedy)}", soft_wrap=True)


def show_findings(console: Console, findings: Sequence[Finding]) -> bool:
    """Show what the doctor found; whether a refresh can run."""
    for finding in findings:
        show_finding(console, finding)
    is_good = all(finding.grade != "bad" for finding in findings)
    console.print()
    console.print(
        "[green]Ready: `voronka refresh` can run.[/]"
        if is_good
        else "[red]Not ready: correct what is marked ✗ first.[/]"
    )
    return is_good


def _number(value: Decimal | float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}".replace(",", " ")


def _age(age: Any) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"
