"""What `voronka doctor` says of the connections, and of what they brought into the raw zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from orchestration.base.errors import VoronkaError, WrongUse
from orchestration.base.findings import Finding
from orchestration.base.settings import Settings
from orchestration.base.text import age, counted
from orchestration.connectors.connections import Connection, secret_keys
from orchestration.connectors.own_rows import OwnRows
from orchestration.connectors.registry import all_kinds
from orchestration.connectors.report import last_report
from orchestration.connectors.run import connections
from orchestration.connectors.secrets import is_set
from orchestration.connectors.state import stored_prefix
from orchestration.raw_zone.contract import Contract, load_contract
from orchestration.raw_zone.sample import extensions_of_nobody, known_callers, nameless_sources
from orchestration.raw_zone.zone import RawZone

_SHOWN = 10
# Fewer outside calls with a contact than this share: the numbers are written in another way.
_FEW = 0.01


def examine_connections(settings: Settings) -> Iterator[Finding]:
    """Keys that meet, secrets, prefixes that changed, failures, the newest row by table."""
    try:
        found = connections(settings)
    except WrongUse as error:
        yield Finding("bad", error.message, error.remedy, list(error.details))
        return
    if not found:
        return
    yield Finding(
        "good", f"{counted(len(found), 'connection')}; their keys meet nowhere: {', '.join(found)}"
    )
    for connection in found.values():
        yield from _secrets(connection)
        yield from _prefix(settings, connection)
        yield from _last_run(settings, connection)
    # A contract that cannot be read is the raw zone's finding.
    with suppress(VoronkaError):
        yield _newest(settings, load_contract(settings.root), found)


def examine_brought(settings: Settings, zone: RawZone) -> Iterator[Finding]:
    """Whether what came from several systems fits together; only where systems are connected."""
    try:
        if not connections(settings):
            return
    except WrongUse:
        return
    yield from _extensions(zone)
    yield from _sources(zone)
    yield from _phones(zone)


def _secrets(connection: Connection) -> Iterator[Finding]:
    kind = all_kinds()[connection.kind]
    given = {key: getattr(connection, key) for key in secret_keys(kind.config)}
    unset = [f"{key}: {ref}" for key, ref in given.items() if ref and not is_set(ref)]
    if unset:
        yield Finding(
            "note",
            f"{connection.name}: a secret is not set here",
            "Set the variable where `voronka connect run` runs.",
            unset,
        )


def _prefix(settings: Settings, connection: Connection) -> Iterator[Finding]:
    before = stored_prefix(settings.connections_dir / connection.name, connection.name)
    if before is not None and before != connection.prefix:
        yield Finding(
            "bad",
            f"{connection.name}: prefix is {connection.prefix!r} and was {before!r}",
            f"Write prefix: {before!r} again: every row would come again under another key.",
        )


def _last_run(settings: Settings, connection: Connection) -> Iterator[Finding]:
    failure = last_report(settings.connections_dir / connection.name).get("failure")
    if failure:
        yield Finding(
            "note", f"The last run failed. {failure.get('message')}", str(failure.get("remedy"))
        )


def _newest(settings: Settings, contract: Contract, found: Mapping[str, Connection]) -> Finding:
    now = settings.now or datetime.now(UTC)
    lines = []
    for name, connection in found.items():
        kind = all_kinds()[connection.kind]
        own = OwnRows(settings.raw_zone, name, contract, kind.private_tables)
        ages = [
            f"{table} {age(now - newest)}"
            for table in kind.tables
            if (newest := own.newest([table])) is not None
        ]
        lines.append(f"{name}: {', '.join(ages) or 'no row yet'}")
    is_empty = any(line.endswith("no row yet") for line in lines)
    return Finding(
        "note" if is_empty else "good",
        "The newest row by table",
        "Run `voronka connect run`." if is_empty else "",
        lines,
    )


def _extensions(zone: RawZone) -> Iterator[Finding]:
    strange = extensions_of_nobody(zone)
    if strange:
        yield Finding(
            "note",
            f"{counted(len(strange), 'extension')} in a sample of the calls belong to nobody",
            "Write them under extensions: (or managers:) of the telephony, with the manager's id.",
            [f"{name}: {counted(calls, 'leg')}" for name, calls in strange[:_SHOWN]],
        )


def _sources(zone: RawZone) -> Iterator[Finding]:
    nameless = nameless_sources(zone)
    if nameless:
        yield Finding(
            "note",
            f"{counted(len(nameless), 'source')} without a name",
            "Give them a row of crm.sources: source keys of the connection, or a file.",
            [f"{name}: in {tables}" for name, tables in nameless[:_SHOWN]],
        )


def _phones(zone: RawZone) -> Iterator[Finding]:
    calls, known = known_callers(zone)
    if not calls:
        return
    text = f"{known / calls:.0%} of {calls:,} outside calls in a sample are of a known contact"
    if known / calls >= _FEW:
        yield Finding("good", text)
        return
    yield Finding(
        "note",
        f"{text}: the phones of the CRM and of the telephony do not meet",
        "Check that both are of one company, that contacts have phones, and how the telephony "
        "writes outside numbers (outbound_prefixes).",
    )
