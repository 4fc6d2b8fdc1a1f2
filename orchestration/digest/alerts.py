"""What engineers are told at once: what broke, came late, grew or changed since the last look.

What was seen is kept in the journal, so that a thing is told when it begins and not again while it
lasts. The first look finds its baseline and tells of a failure and of late tables only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from orchestration.base.errors import EXIT_INTERRUPTED
from orchestration.base.lock import ending, running_refresh
from orchestration.base.record import FAIL, WARN, Failure, Record
from orchestration.base.settings import Settings
from orchestration.digest.freshness import Calendar, Loads, Rhythm
from orchestration.digest.links import Page
from orchestration.digest.message import Block, Line, Message, Span, line, name
from orchestration.digest.words import Words

FAILED, RECOVERED, LATE = "failed", "recovered", "late"
_MOST_CHECKS = 10
QUARANTINED, UNPRICED, DRIFT, CHECKS = "quarantined", "unpriced", "drift", "checks"


@dataclass(frozen=True)
class Trouble:
    """Why a refresh did not come to a good end; `checks` are those that stopped it, by name."""

    message: str
    remedy: str
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """The state of the warehouse at one look.

    `trouble` is None after a good refresh; `is_judged` says whether a refresh has ended at all,
    neither runs nor was stopped by a person. `quarantined` and `unpriced` count rows by table;
    both are None where nothing is published. Of checks and tables there are names, never values.
    """

    is_judged: bool
    trouble: Trouble | None = None
    run_id: str = ""
    quarantined: Mapping[str, int] | None = None
    unpriced: Mapping[str, int] | None = None
    drift: tuple[str, ...] | None = None
    warning: tuple[str, ...] | None = None
    late: Mapping[str, Rhythm] = field(default_factory=dict)


@dataclass(frozen=True)
class Alert:
    """One thing to tell. `key` tells it from others of its kind."""

    kind: str
    key: str
    trouble: Trouble | None = None
    late: Mapping[str, Rhythm] = field(default_factory=dict)
    # What grew: rows before and now.
    grown: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    names: tuple[str, ...] = ()


def look(settings: Settings, loads: Loads, today: date, calendar: Calendar) -> Look:
    """Look at the last refresh, at what is published and at what was loaded."""
    late = loads.late(today, calendar)
    runs = running_refresh(settings) is not None
    record, failure = (Record(), None) if runs else ending(settings)
    is_stopped = failure is not None and failure.exit_code == EXIT_INTERRUPTED
    quarantined, unpriced = _counts(settings)
    if not record.run_id or is_stopped:
        return Look(False, quarantined=quarantined, unpriced=unpriced, late=late)
    lists = record.is_published and not record.is_abridged
    return Look(
        True,
        trouble_of(record, failure),
        record.run_id,
        quarantined,
        unpriced,
        _drift(settings),
        _warning(record) if lists else None,
        late,
    )


def news(seen: Mapping[str, Any], now: Look, today: date) -> tuple[list[Alert], dict[str, Any]]:
    """What is new since the last look, and what to remember of this one.

    `seen` is what the last call gave; empty before the first.
    """
    known = dict(seen)
    alerts: list[Alert] = []
    _judge_refresh(known, now, alerts)
    _find_late(known, now, alerts)
    for kind, counts in ((QUARANTINED, now.quarantined), (UNPRICED, now.unpriced)):
        _find_grown(known, kind, counts, today, alerts)
    for kind, names in ((DRIFT, now.drift), (CHECKS, now.warning)):
        _find_new(known, kind, names, now.run_id, alerts)
    return alerts, known


def _judge_refresh(known: dict[str, Any], now: Look, alerts: list[Alert]) -> None:
    """A failure is told once for as long as it is the same one, and then its end."""
    if not now.is_judged:
        return
    before = known.get(FAILED)
    if now.trouble is not None:
        same = {"message": now.trouble.message, "checks": list(now.trouble.checks)}
        if before is None or any(before.get(key) != value for key, value in same.items()):
            alerts.append(Alert(FAILED, now.run_id, now.trouble))
            known[FAILED] = {**same, "run": now.run_id}
    elif before is not None:
        alerts.append(Alert(RECOVERED, before["run"], Trouble(before["message"], "")))
        del known[FAILED]


def _find_late(known: dict[str, Any], now: Look, alerts: list[Alert]) -> None:
    """A table is told of once for each load that was its last."""
    before = known.get(LATE, {})
    fresh = {
        table: it for table, it in now.late.items() if before.get(table) != str(it.last_on)
    }  # fmt: skip
    if fresh:
        key = ",".join(f"{table}@{it.last_on}" for table, it in fresh.items())
        alerts.append(Alert(LATE, key, late=fresh))
    known[LATE] = {table: str(it.last_on) for table, it in now.late.items()}


def _find_grown(
    known: dict[str, Any],
    kind: str,
    counts: Mapping[str, int] | None,
    today: date,
    alerts: list[Alert],
) -> None:
    """Growth is told at most once a day, against what was told before; shrinking lowers that."""
    if counts is None:
        return
    before = known.get(kind)
    if before is None:
        known[kind] = {"rows": dict(counts), "on": ""}
        return
    rows: dict[str, int] = before["rows"]
    grown = {
        table: (rows.get(table, 0), count)
        for table, count in counts.items()
        if count > rows.get(table, 0)
    }
    lowered = {table: min(count, rows.get(table, 0)) for table, count in counts.items()}
    if grown and before["on"] != str(today):
        alerts.append(Alert(kind, str(today), grown=grown))
        known[kind] = {"rows": dict(counts), "on": str(today)}
    else:
        known[kind] = {"rows": lowered, "on": before["on"]}


def _find_new(
    known: dict[str, Any],
    kind: str,
    names: Sequence[str] | None,
    run_id: str,
    alerts: list[Alert],
) -> None:
    """What was not there at the last look. What goes and comes back is new again."""
    if names is None:
        return
    before = known.get(kind)
    fresh = tuple(it for it in names if before is not None and it not in before)
    if fresh:
        alerts.append(Alert(kind, run_id, names=fresh))
    known[kind] = list(names)


def write_alert(alert: Alert, words: Words, page: Page) -> Message:
    """An alert in words."""
    lines: list[Line] = []
    if alert.trouble is not None:
        key = "alert_recovered_line" if alert.kind == RECOVERED else ""
        lines += trouble_lines(alert.trouble, words, key)
    for table, it in alert.late.items():
        text = words("alert_late_line", table=table, day=words.day(it.last_on), due=it.due)
        lines.append(line(text))
    for table, (before, now) in alert.grown.items():
        text = words(
            f"alert_{alert.kind}_line", table=name(table), before=words.number(before, 0),
            now=words.number(now, 0),
        )  # fmt: skip
        lines.append(line(text))
    lines += [line(name(it, 200)) for it in alert.names]
    link = page.link("quality")
    links = (Span(words("link_quality"), link=link),) if link else ()
    title = words(f"alert_{alert.kind}")
    # The title says what the list is of.
    block = Block("", tuple(lines))
    return Message(f"Voronka: {title}", (block,), links, words("more", count="{count}")).fitted()


def warning_checks(record: Record) -> list[tuple[str, str, int | None]]:
    """Checks that did not pass without remark: name, asset and failing rows."""
    return sorted(
        (it.name, it.asset, it.failing_rows)
        for it in record.checks
        if it.status in (WARN, FAIL)
    )  # fmt: skip


def _warning(record: Record) -> tuple[str, ...]:
    return tuple(f"{check} ({asset})" for check, asset, _ in warning_checks(record))


def _drift(settings: Settings) -> tuple[str, ...] | None:
    """Columns and folders that the contract does not know, whatever the number of their files."""
    if not settings.raw_zone_file.is_file():
        return None
    try:
        with duckdb.connect(str(settings.raw_zone_file), read_only=True) as connection:
            found = connection.execute(
                "select distinct table_name || ': ' || column_name || ' (' || data_type || ')' "
                "from zone.schema_drift where column_name is not null union "
                "select distinct table_name || '/' from zone.schema_drift "
                "where column_name is null and table_name <> '' "
                "and table_name not in (select table_name from zone.tables) order by 1"
            ).fetchall()
    except duckdb.Error:
        # Damaged: the next refresh writes it again, or fails and is told. Unknown is no news.
        return None
    return tuple(text for (text,) in found)


def trouble_of(record: Record, failure: Failure | None) -> Trouble | None:
    """What went wrong, without values of the data: the refresh, else what lacks the publication.

    What a check found is not in it, nor the words of an error that is not ours.
    """
    if failure is not None:
        message = failure.message.partition(":")[0] if failure.is_fault else failure.message
        stopping = tuple(f"{it.name} ({it.asset})" for it in record.blocking)
        return Trouble(message, failure.remedy, stopping)
    for target in record.failed_targets:
        assert target.failure is not None
        return Trouble(f"{target.name}: {target.failure.message}", target.failure.remedy)
    if record.dashboard_failure:
        return Trouble(record.dashboard_failure, "voronka dashboard")
    return None


def trouble_lines(trouble: Trouble, words: Words, key: str = "") -> list[Line]:
    """A trouble in words; `key` is the text that its message stands in."""
    message = name(trouble.message, 500)
    lines = [line(words(key, message=message) if key else message)]
    lines += [line(name(it, 200)) for it in trouble.checks[:_MOST_CHECKS]]
    if trouble.remedy:
        lines.append(line(words("remedy", remedy=name(trouble.remedy, 500))))
    return lines


def _counts(settings: Settings) -> tuple[dict[str, int] | None, dict[str, int] | None]:
    """Rows in quarantine, and of money without a rate, by table; None where nothing says it."""
    if not settings.published_file.is_file():
        return None, None
    try:
        with duckdb.connect(str(settings.published_file), read_only=True) as connection:
            quarantined = connection.execute(
                "select table_name, rows_quarantined from quality.raw_reconciliation "
                "where rows_quarantined > 0 order by 1"
            ).fetchall()
            unpriced = connection.execute(
                "select table_name || ', ' || coalesce(currency, '–'), sum(rows_unpriced)::bigint "
                "from quality.unpriced_money where rows_unpriced > 0 group by 1 order by 1"
            ).fetchall()
    except duckdb.Error:
        # Of an older version, or damaged: unknown, and growth is judged from the next publication.
        return None, None
    return dict(quarantined), dict(unpriced)
