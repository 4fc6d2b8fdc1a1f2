"""What `voronka doctor` says of connections: how each stands, and whether their keys meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration.base.errors import VoronkaError
from orchestration.base.text import counted
from orchestration.connectors.connector import Finding
from orchestration.connectors.own_rows import OwnRows
from orchestration.connectors.registry import all_kinds
from orchestration.connectors.run import Status, statuses
from orchestration.raw_zone.contract import load_contract

if TYPE_CHECKING:
    import duckdb

    from orchestration.base.settings import Settings

_SHOWN = 10
# Below this share of calls with a contact, the phones of CRM and telephony hardly ever meet.
_MEETING_SHARE = 0.05
_FEW_CALLS = 20

_NOBODYS_EXTENSIONS = """
    select extension, count(*) from intermediate.int_calls__legs
    where extension is not null and manager_id is null
    group by 1 order by 2 desc, 1
"""
_NAMELESS_SOURCES = """
    select source_id from staging.stg_crm__sources where nullif(trim(name), '') is null
    union
    select source_id from staging.stg_marketing__ad_spend
    where source_id is not null
        and source_id not in (select source_id from staging.stg_crm__sources)
    order by 1
"""
_CALLS_WITH_A_CONTACT = """
    select count(*), count(*) filter (where contact_id != 'unknown')
    from marts.fct_call_sessions where customer_number is not null
"""


def examine(settings: Settings) -> Iterator[Finding]:
    """How the connections stand. Nothing where none is set up."""
    if not settings.connections_file.is_file():
        return
    try:
        found = statuses(settings)
    except VoronkaError as error:
        # Keys that could meet in one table are among what is refused.
        yield Finding("bad", error.message, error.remedy, error.details)
        return
    for status in found:
        yield _standing(settings, status)
    if found:
        yield from _together(settings)


def _standing(settings: Settings, status: Status) -> Finding:
    name, last = status.connection.name, status.last
    title = f"Connection {name} ({status.title})"
    if not status.connection.enabled:
        return Finding("note", f"{title} is off", "Remove `enabled: false` to read it.")
    if not last:
        return Finding("note", f"{title} has never run", f"`voronka connect run {name}`")
    before = last.get("prefix")
    if before is not None and before != status.connection.prefix:
        return Finding(
            "bad",
            f"{title}: prefix was {before!r} and is {status.connection.prefix!r}",
            f"Write prefix: {before!r} again: every row would come twice otherwise.",
        )
    rows = _newest_rows(settings, status)
    if failure := last.get("failure"):
        return Finding("note", f"{title}: {failure['message']}", failure["remedy"], rows)
    return Finding("good", f"{title} was read to its end", details=rows)


def _newest_rows(settings: Settings, status: Status) -> list[str]:
    """The newest row of each table that the connection filled."""
    kind, contract = all_kinds()[status.connection.kind], load_contract(settings.root)
    own = OwnRows(settings.raw_zone, status.connection.name, contract, kind.private_tables)
    now = settings.now or datetime.now(UTC)
    found = []
    for table in kind.tables:
        newest = own.newest([table])
        if newest is not None:
            hours = max(0, int((now - newest).total_seconds() // 3600))
            found.append(f"{table}: newest row read {newest:%Y-%m-%d %H:%M} UTC, {hours} h ago")
    return found


def _together(settings: Settings) -> Iterator[Finding]:
    """Whether keys of several systems meet, as the last build has them."""
    import duckdb

    if not settings.build_file.is_file():
        return
    # A refresh may be writing it, or the build may be of another project.
    with (
        suppress(duckdb.Error),
        duckdb.connect(str(settings.build_file), read_only=True) as build,
    ):
        yield from _extensions(build)
        yield from _sources(build)
        yield from _phones(build)


def _extensions(build: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    found = build.execute(_NOBODYS_EXTENSIONS).fetchall()
    if found:
        yield Finding(
            "note",
            f"{counted(len(found), 'extension')} held by nobody; the calls are nobody's",
            "Name whose they are under `extensions` or `managers` of the telephony's connection.",
            [f"{extension}: {counted(calls, 'leg')}" for extension, calls in found[:_SHOWN]],
        )


def _sources(build: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    found = [source for (source,) in build.execute(_NAMELESS_SOURCES).fetchall()]
    if found:
        yield Finding(
            "note",
            f"{counted(len(found), 'source')} without a name",
            "Name them in the CRM, or bring crm.sources by a connection of kind files.",
            found[:_SHOWN],
        )


def _phones(build: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    calls, known = build.execute(_CALLS_WITH_A_CONTACT).fetchone() or (0, 0)
    if calls < _FEW_CALLS:
        return
    share = known / calls
    text = f"{share:.0%} of {calls:,} conversations have a contact of the CRM"
    if share < _MEETING_SHARE:
        yield Finding(
            "note",
            f"{text}: the phones of CRM and telephony hardly ever meet",
            "Compare a number in both systems: is the CRM's empty, or of another country?",
        )
    else:
        yield Finding("good", text)
