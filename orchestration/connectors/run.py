"""Running and checking connections: the lock, the state, the windows, the report, the errors."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.base.errors import (
    EXIT_GOOD,
    EXIT_INTERRUPTED,
    EXIT_TRY_LATER,
    VoronkaError,
    WrongUse,
)
from orchestration.base.findings import Finding
from orchestration.base.object_store import OBJECT_STORES
from orchestration.base.record import Failure
from orchestration.base.settings import ORIGIN_DATA, ORIGIN_DEMO, Settings
from orchestration.connectors.clock import Clock, Stamps
from orchestration.connectors.connections import Connection, read_connections
from orchestration.connectors.connector import LOADED_AT, Connector, Slice, Window, Work
from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.lock import only_run
from orchestration.connectors.own_rows import OwnRows
from orchestration.connectors.registry import all_kinds
from orchestration.connectors.report import COMMAND, Report, last_report, save_report
from orchestration.connectors.secrets import Mask
from orchestration.raw_zone.contract import load_contract


@dataclass(frozen=True)
class Progress:
    """How far a run is: what was read last, rows so far, share of the whole (0 to 1)."""

    connection: str
    what: str
    rows: int
    requests: int
    done: float
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """When it is about done, at the speed so far; None where too little is known."""
        if self.done < 0.02 or self.seconds < 1:
            return None
        return self.seconds * (1 - self.done) / self.done


Watcher = Callable[[Progress], None]
# Digits of a time in Unix seconds, until 2286; ids of rows are fewer.
_UNIX = 10


@dataclass(frozen=True)
class Outcome:
    """How the run of one connection ended."""

    name: str
    report: Report
    failure: Failure | None = None

    @property
    def exit_code(self) -> int:
        """The command's."""
        return self.failure.exit_code if self.failure else EXIT_GOOD


@dataclass(frozen=True)
class Status:
    """What `voronka connect list` says of a connection."""

    connection: Connection
    title: str
    last: Mapping[str, Any]
    newest: datetime | None

    @property
    def reached(self) -> str:
        """How far the last run got: the earliest of its cursors in time, else what it read last."""
        cursors = (self.last.get("reached") or {}).values()
        found = [it for it in map(_moment, cursors) if it is not None]
        return f"{min(found):%Y-%m-%d %H:%M}" if found else str(self.last.get("window") or "")


def _moment(cursor: str) -> datetime | None:
    """A cursor's time, in ISO 8601 or Unix seconds; None of one that counts rows."""
    try:
        if cursor.isdigit():
            return datetime.fromtimestamp(int(cursor), UTC) if len(cursor) == _UNIX else None
        found = datetime.fromisoformat(cursor)
    except ValueError:
        return None
    return found.astimezone(UTC)


def connections(settings: Settings) -> dict[str, Connection]:
    """All connections by name. Raises WrongUse with all that is wrong in the file."""
    return read_connections(settings, all_kinds())


def run(
    settings: Settings,
    names: Sequence[str] = (),
    asked: Slice | None = None,
    clock: Clock | None = None,
    watch: Watcher | None = None,
    by: str = COMMAND,
) -> list[Outcome]:
    """Read connections one after another: those named, else all that are enabled.

    A connection that fails does not stop the others; its outcome has the failure. Raises WrongUse
    where connections.yml is wrong, a name is not in it, or there is nowhere to write.
    """
    chosen = _chosen(settings, names)
    raw_zone = zone_to_write(settings)
    found = []
    for connection in chosen:
        found.append(_run_one(settings, connection, raw_zone, asked or Slice(), clock, watch, by))
        if found[-1].exit_code == EXIT_INTERRUPTED:
            break
    return found


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """The command's: a stop, then a refusal, then something that passes."""
    codes = {outcome.exit_code for outcome in outcomes}
    for code in (EXIT_INTERRUPTED, 1, 2, EXIT_TRY_LATER):
        if code in codes:
            return code
    return EXIT_GOOD


def check(
    settings: Settings, name: str, clock: Clock | None = None, file: Path | None = None
) -> Iterator[Finding]:
    """Try one connection without writing anything; findings as they come.

    With a `file`, how a connection that reads files would read this one.
    """
    (connection,) = _chosen(settings, [name])
    clock = clock or Clock(settings.now)
    mask = Mask()
    kind = all_kinds()[connection.kind]
    report = Report(name, connection.kind, clock.now())
    try:
        work = _work(settings, connection, kind, mask, report, clock, {})
        connector = kind(connection, work)
        for found in connector.preview(file) if file else connector.check():
            texts = [mask(it) for it in found.details]
            yield replace(found, text=mask(found.text), remedy=mask(found.remedy), details=texts)
    except Exception as error:  # noqa: BLE001 - a person reads it, in one line
        said = _failure(connection, error, mask)
        may_pass = said.exit_code == EXIT_TRY_LATER
        yield Finding("bad", said.message, said.remedy, said.details, may_pass)


def draft(file: Path) -> str:
    """A mapping to begin with for a connection of kind files, made from a file's headers."""
    from orchestration.connectors.kinds.files.drafts import draft as draft_of

    return draft_of(file)


def statuses(settings: Settings) -> list[Status]:
    """Every connection, how its last run ended and how old its newest row is."""
    contract = load_contract(settings.root)
    found = []
    for name, connection in connections(settings).items():
        kind = all_kinds()[connection.kind]
        own = OwnRows(_zone(settings), name, contract, kind.private_tables)
        last = last_report(_directory(settings, name))
        found.append(Status(connection, kind.title, last, own.newest(kind.tables)))
    return found


def zone_to_write(settings: Settings) -> str:
    """The raw zone that connectors write into: data/raw where none is set, never the demo.

    Raises WrongUse where the demo was named.
    """
    if settings.is_demo and settings.raw_origin != ORIGIN_DEMO:
        raise WrongUse(
            "The raw zone is the demo company's, and nothing of yours belongs there.",
            "Set VORONKA_RAW_DIR to a directory of your own.",
        )
    zone = _zone(settings)
    if not zone.startswith(OBJECT_STORES):
        try:
            Path(zone).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WrongUse(
                f"The raw zone {zone} cannot be made: {error.strerror}.",
                "Set VORONKA_RAW_DIR to a directory that you may write to.",
            ) from error
    return zone


def _zone(settings: Settings) -> str:
    return str(settings.root / ORIGIN_DATA) if settings.is_demo else settings.raw_zone


def _directory(settings: Settings, name: str) -> Path:
    return settings.connections_dir / name


def _chosen(settings: Settings, names: Sequence[str]) -> list[Connection]:
    found = connections(settings)
    unknown = [name for name in names if name not in found]
    if unknown:
        known = ", ".join(found) or "none yet"
        raise WrongUse(
            f"{settings.connections_file} has no connection {', '.join(unknown)}; it has {known}.",
            "`voronka connect add KIND` prints the block for a new one.",
        )
    if names:
        return [found[name] for name in dict.fromkeys(names)]
    enabled = [connection for connection in found.values() if connection.enabled]
    if not enabled:
        raise WrongUse(
            f"{settings.connections_file} has no connection to run.",
            "`voronka connect add KIND` prints a block to put into it.",
        )
    # Telephony and files look people up among the CRM's.
    return sorted(enabled, key=lambda it: not isinstance(it, CrmConnection))


def _run_one(
    settings: Settings,
    connection: Connection,
    raw_zone: str,
    asked: Slice,
    clock: Clock | None,
    watch: Watcher | None,
    by: str,
) -> Outcome:
    clock = clock or Clock(settings.now)
    mask = Mask()
    directory = _directory(settings, connection.name)
    report = Report(connection.name, connection.kind, clock.now(), by)
    failure: Failure | None = None
    slept = clock.slept
    try:
        with only_run(connection.name, directory):
            _read(settings, connection, directory, raw_zone, asked, clock, mask, report, watch)
    except BaseException as error:
        failure = _failure(connection, error, mask)
        if not isinstance(error, (Exception, KeyboardInterrupt)):
            raise
    report.ended_at = clock.now()
    report.waited = round(clock.slept - slept, 3)
    report.failure = vars(failure) if failure else None
    if failure is None or failure.exit_code != EXIT_TRY_LATER or report.requests:
        with _disk(connection):
            save_report(report, directory)
    return Outcome(connection.name, report, failure)


def _read(
    settings: Settings,
    connection: Connection,
    directory: Path,
    raw_zone: str,
    asked: Slice,
    clock: Clock,
    mask: Mask,
    report: Report,
    watch: Watcher | None,
) -> None:
    from orchestration.connectors.loading import Loader

    kind = all_kinds()[connection.kind]
    contract = load_contract(settings.root)
    own = OwnRows(raw_zone, connection.name, contract, kind.private_tables)
    source = kind.folder_of(connection)
    loader = Loader(kind, connection.name, directory, raw_zone, own, report, clock, source)
    _same_prefix(connection, loader.state)
    work = _work(settings, connection, kind, mask, report, clock, loader.state, own)
    work.slice = asked
    _read_windows(kind(connection, work), loader, work, watch)


def _read_windows(
    connector: Connector[Any], loader: Any, work: Work, watch: Watcher | None
) -> None:
    began = time.monotonic()
    report, rows = work.report, 0
    work.state = loader.state
    # What is imported stays for the whole run; a long one would look through it for garbage again
    # and again, a tenth of its work.
    gc.freeze()
    try:
        for window in connector.read():
            loader.add(_stamped(window, work))
            rows += sum(len(listed) for listed in window.rows.values())
            report.window = window.what
            if watch:
                spent = time.monotonic() - began
                asked = report.requests.total()
                watch(Progress(report.connection, window.what, rows, asked, window.done, spent))
    finally:
        # What is finished stays, whatever ended the reading.
        loader.commit(last_stamp=work.stamps.next().isoformat(), prefix=connector.connection.prefix)
        loader.close()
        gc.unfreeze()
        report.reached = {
            name.removeprefix("cursor:"): str(value)
            for name, value in loader.state.items()
            if name.startswith("cursor:")
        }


def _stamped(window: Window, work: Work) -> Window:
    for rows in window.rows.values():
        for row in rows:
            row.setdefault(LOADED_AT, work.started_at)
    return window


def _work(
    settings: Settings,
    connection: Connection,
    kind: type[Connector[Any]],
    mask: Mask,
    report: Report,
    clock: Clock,
    state: Mapping[str, Any],
    own: OwnRows | None = None,
) -> Work:
    contract = load_contract(settings.root)
    own = own or OwnRows(_zone(settings), connection.name, contract, kind.private_tables)
    last = state.get("last_stamp")
    known = datetime.fromisoformat(last) if last else own.newest([*kind.tables])
    stamps = Stamps(clock, known)
    return Work(settings, contract, clock, stamps, mask, report, own, state)


def _same_prefix(connection: Connection, state: Mapping[str, Any]) -> None:
    before = state.get("prefix")
    if before is not None and before != connection.prefix:
        raise WrongUse(
            f"{connection.name}: prefix is {connection.prefix!r} and was {before!r}: every row "
            "would come again under another key.",
            f"Write prefix: {before!r} again, or give the connection another name and move its "
            "old files out of the raw zone.",
        )


def _failure(connection: Connection, error: BaseException, mask: Mask) -> Failure:
    if isinstance(error, VoronkaError):
        return Failure.of(_masked(error, mask))
    if not isinstance(error, Exception):
        return Failure(
            f"{connection.name}: stopped.",
            "What was read stays; `voronka connect run` goes on from there.",
            [],
            EXIT_INTERRUPTED,
        )
    text = mask(f"{connection.name}: {type(error).__name__}: {error}")
    return Failure(text, "This is a fault of the program; what was read before stays.", [], 1)


def _masked(error: VoronkaError, mask: Mask) -> VoronkaError:
    """The same without secrets, whoever wrote the message."""
    error.message = mask(error.message)
    error.remedy = mask(error.remedy)
    error.details = [mask(detail) for detail in error.details]
    return error


@contextmanager
def _disk(connection: Connection) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WrongUse(
            f"{connection.name}: the report cannot be written: {error.strerror}.",
            "Free the disk, or set VORONKA_DATA_DIR to a directory that you may write to.",
        ) from error
