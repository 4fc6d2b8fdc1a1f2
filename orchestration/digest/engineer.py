"""An engineer's morning: what is published, how the last refresh ended, what came and what did not.

It holds names of tables and checks, and counts; no row, no value and no message of a check, which
may show one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from orchestration.base.errors import VoronkaError
from orchestration.base.lock import ending, running_refresh
from orchestration.base.settings import Settings
from orchestration.connectors.report import last_report
from orchestration.connectors.run import connections
from orchestration.digest.alerts import trouble_lines, trouble_of, warning_checks
from orchestration.digest.freshness import Calendar, Loads
from orchestration.digest.links import Page
from orchestration.digest.message import Block, Line, Message, Span, line, name
from orchestration.digest.words import Words
from orchestration.serving.session import Warehouse
from orchestration.serving.viewer import LOCAL

_MOST = 5


def engineer_message(
    settings: Settings,
    warehouse: Warehouse,
    loads: Loads,
    calendar: Calendar,
    today: date,
    words: Words,
    page: Page,
    zone: tzinfo,
) -> Message:
    """The message of a day in the company's time; `zone` is the reader's."""
    published = _published(settings, warehouse)
    link = page.link("quality")
    blocks = [
        Block(words("published"), _publication(published, words, zone)),
        Block(words("refresh"), _refresh(settings, words, zone)),
        _checks(settings, words),
        Block(words("loads"), _loads(settings, loads, calendar, today, words)),
        _quarantine(published, words),
    ]
    return Message(
        words("title_engineer", day=words.weekday(today)),
        tuple(block for block in blocks if block.lines),
        (Span(words("link_quality"), link=link),) if link else (),
        words("more", count="{count}"),
    ).fitted()


def _published(settings: Settings, warehouse: Warehouse) -> Mapping[str, Any]:
    """The publication's row, and tables of quarantine and of money; empty where nothing is."""
    if not settings.published_file.is_file():
        return {}
    with warehouse.session(LOCAL) as session:
        connection = session.connection
        cursor = connection.execute("select * from quality.publication")
        names = [column[0] for column in cursor.description or ()]
        row = cursor.fetchone() or ()
        quarantined = connection.execute(
            "select table_name, rows_quarantined, rows_read from quality.raw_reconciliation "
            "where rows_quarantined > 0 order by rows_quarantined desc, table_name"
        ).fetchall()
        unpriced = connection.execute(
            "select table_name, coalesce(currency, '–'), sum(rows_unpriced)::bigint as lacking, "
            'sum("rows")::bigint from quality.unpriced_money where rows_unpriced > 0 '
            "group by all order by lacking desc, 1, 2"
        ).fetchall()
    return {**dict(zip(names, row, strict=False)), "tables": quarantined, "money": unpriced}


def _publication(published: Mapping[str, Any], words: Words, zone: tzinfo) -> tuple[Line, ...]:
    if not published:
        return (line(words("published_nothing")),)
    as_of = published["as_of_date"]
    at = words.moment(published["published_at"].astimezone(zone))
    day = words.day(as_of) if as_of else words("as_of_none")
    number = words.number
    return (
        line(words("published_line", day=day, at=at)),
        line(words("raw_line", rows=number(published["raw_rows"], 0),
                   quarantined=number(published["rows_quarantined"], 0))),
        line(words("checks_line", passed=number(published["checks_passed"], 0),
                   warned=number(published["checks_warned"], 0),
                   failed=number(published["checks_failed"], 0))),
    )  # fmt: skip


def _refresh(settings: Settings, words: Words, zone: tzinfo) -> tuple[Line, ...]:
    if running_refresh(settings) is not None:
        return (line(words("refresh_runs")),)
    record, failure = ending(settings)
    if not record.run_id:
        return (line(words("refresh_never")),)
    trouble = trouble_of(record, failure)
    if trouble is not None:
        return tuple(trouble_lines(trouble, words, "refresh_failed"))
    ended = datetime.fromisoformat(record.saved_at or record.started_at)
    at = ended if ended.tzinfo else ended.replace(tzinfo=UTC)
    return (line(words("refresh_good", at=words.moment(at.astimezone(zone)))),)


def _checks(settings: Settings, words: Words) -> Block:
    if running_refresh(settings) is not None:
        return Block("", ())
    found = warning_checks(ending(settings)[0])
    lines = []
    for check, asset, rows in found[:_MOST]:
        count = "" if rows is None else words("check_rows", rows=words.number(rows, 0))
        lines.append(line(words("check", name=check, asset=asset, rows=count)))
    return Block(words("warnings"), tuple(lines), more=max(0, len(found) - _MOST))


def _loads(
    settings: Settings, loads: Loads, calendar: Calendar, today: date, words: Words
) -> tuple[Line, ...]:
    lines = [
        line(words("connection_failed", name=connection, message=name(message, 300)))
        for connection, message in _failed_connections(settings)
    ]
    if not loads.tables:
        return (*lines, line(words("loads_nothing")))
    late = loads.late(today, calendar)
    for table, it in late.items():
        text = words("alert_late_line", table=table, day=words.day(it.last_on), due=it.due)
        lines.append(line(text))
    unknown = [table for table, it in loads.tables.items() if it.due is None]
    judged = len(loads.tables) - len(unknown)
    if judged and not late:
        lines.append(line(words("loads_on_time", count=judged)))
    if unknown:
        lines.append(line(words("loads_unknown", tables=", ".join(unknown))))
    return tuple(lines)


def _failed_connections(settings: Settings) -> list[tuple[str, str]]:
    """Connections whose last run failed, and what it said."""
    try:
        found = connections(settings)
    except VoronkaError as error:
        return [("connections.yml", error.message)]
    reports = {it: last_report(settings.connections_dir / it) for it in found}
    return [
        (connection, str(report["failure"].get("message")))
        for connection, report in reports.items()
        if report.get("failure")
    ]


def _quarantine(published: Mapping[str, Any], words: Words) -> Block:
    if not published:
        return Block("", ())
    number, tables, money = words.number, published["tables"], published["money"]
    lines = [
        line(words("quarantine_table", table=table, rows=number(rows, 0), read=number(read, 0)))
        for table, rows, read in tables[:_MOST]
    ]
    lines += [
        line(
            words(
                "unpriced_table",
                table=table,
                currency=name(currency, 20),
                rows=number(rows, 0),
                read=number(read, 0),
            )
        )
        for table, currency, rows, read in money[:_MOST]
    ]
    more = max(0, len(tables) - _MOST) + max(0, len(money) - _MOST)
    lines = lines or [line(words("quarantine_none"))]
    return Block(words("quarantine"), tuple(lines), more)
