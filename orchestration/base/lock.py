"""One refresh at a time in a data directory, and what a killed one left there."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields

from filelock import FileLock, Timeout

from orchestration.base.errors import VoronkaError, WrongUse, disk_full, is_disk_full
from orchestration.base.files import empty, overwrite, read_overwritten, remove_drafts, reserve
from orchestration.base.record import Failure, Record, utc_now
from orchestration.base.settings import Settings

REFRESH = "refresh"
# A name of this length is cut; the rest of a holder is short.
_HOLDER_BYTES = 2048
# Who asks whether the lock is free holds it for an instant.
_PATIENCE_SECONDS = 0.3


@dataclass(frozen=True)
class Holder:
    """Who took the lock and what for: a refresh, or dbt's command by hand. `since` is in UTC."""

    task: str = REFRESH
    run_id: str = ""
    pid: int = 0
    host: str = "?"
    since: str = "?"

    def __str__(self) -> str:
        return f"process {self.pid or '?'} on {self.host}, since {self.since}"


_held: dict[str, str] = {}


@contextmanager
def only_refresh(
    settings: Settings, task: str = REFRESH, run_id: str | None = None
) -> Iterator[str]:
    """Hold the lock of the data directory and give the run's id; free again when the process ends.

    The lock is the system's and ends with its process, however that ends; the file beside it only
    says who holds it. A process that holds it may take it again, with the same id. What dead
    processes left behind is removed. Raises WrongUse where another process holds it, with who and
    since when, and where the data directory cannot be written; DiskFull where it is full.
    """
    path = str(settings.lock_file)
    if path in _held:
        yield _held[path]
        return
    lock = _take(settings, task)
    run_id = run_id or str(uuid.uuid4())
    _held[path] = run_id
    try:
        _note_killed(settings)
        _remove_leftovers(settings)
        me = Holder(task, run_id, os.getpid(), socket.gethostname()[:200], utc_now())
        reserve(settings.holder_file, _HOLDER_BYTES)
        overwrite(settings.holder_file, asdict(me))
        yield run_id
    except Exception as error:
        if is_disk_full(error) and not isinstance(error, VoronkaError):
            raise disk_full(error, settings.data) from error
        raise
    finally:
        del _held[path]
        # Nobody holds it, and whoever did came to an end. There may have been no space for a name.
        with suppress(OSError, ValueError):
            overwrite(settings.holder_file, {})
        lock.release()


def running_refresh(settings: Settings) -> Holder | None:
    """Who holds the lock now; None where nobody does, whatever the file beside it says."""
    return (_holder(settings) or Holder()) if _is_locked(settings) else None


def killed_refresh(settings: Settings) -> Holder | None:
    """Whose refresh ended without giving the lock back: its process was killed."""
    holder = _holder(settings)
    is_killed = holder is not None and holder.task == REFRESH and not _is_locked(settings)
    return holder if is_killed else None


def ending(settings: Settings) -> tuple[Record, Failure | None]:
    """The record of the last refresh and why it did not come to a good end; while none runs."""
    record = Record.load(settings.record_file)
    holder = killed_refresh(settings)
    if holder is not None:
        if record.run_id != holder.run_id:
            # It could not even begin one.
            record = Record(run_id=holder.run_id, started_at=holder.since, saved_at=holder.since)
        return record, killed(holder, record)
    if record.failure is None and record.started_at and not record.is_published:
        return record, Failure.of_steps(record.finished_steps)
    return record, record.failure


def note_stopped(settings: Settings) -> None:
    """Write down that somebody stopped the refresh, where no step could."""
    record = Record.load(settings.record_file)
    if record.run_id == current_run(settings) and record.failure is None:
        record.failure = Failure.of(KeyboardInterrupt())
        with suppress(VoronkaError, OSError):
            record.save(settings.record_file)


def is_space_missing(settings: Settings) -> bool:
    """Whether there was not even space to write down who began to refresh."""
    file = settings.holder_file
    return file.is_file() and not file.read_bytes().strip() and not _is_locked(settings)


def current_run(settings: Settings) -> str:
    """The id of the run that holds the lock in this process; a new one where none does."""
    return _held.get(str(settings.lock_file)) or str(uuid.uuid4())


def killed(holder: Holder, record: Record) -> Failure:
    """What became of a refresh whose process was killed, for people."""
    where = "before its first step was done"
    if record.run_id == holder.run_id and record.finished_steps:
        where = f"after the step {record.finished_steps[-1]}"
        if record.is_published:
            where = "after it had published"
    return Failure.of_killed(str(holder), where)


def _holder(settings: Settings) -> Holder | None:
    known = {item.name for item in fields(Holder)}
    state = read_overwritten(settings.holder_file)
    return Holder(**{name: it for name, it in state.items() if name in known}) if state else None


def _is_locked(settings: Settings) -> bool:
    """Ask the system. Where its locks do not work, the file has to do."""
    try:
        descriptor = os.open(settings.lock_file, os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared: two who ask see each other's not, and who only reads may ask.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return True
        return _holder(settings) is not None
    finally:
        os.close(descriptor)
    return False


def _take(settings: Settings, task: str) -> FileLock:
    path = settings.lock_file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=_PATIENCE_SECONDS)
        lock.acquire(poll_interval=_PATIENCE_SECONDS / 6)
    except Timeout:
        holder = _holder(settings) or Holder()
        raise WrongUse(
            f"{_article(holder.task)} runs already: {holder}.",
            "Wait until it ends; `voronka status` shows its result.",
        ) from None
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(error, path.parent) from error
        raise WrongUse(
            f"The data directory {path.parent} cannot be written: {error.strerror}.",
            "Set VORONKA_DATA_DIR to a directory that you may write to.",
        ) from error
    return lock


def _article(task: str) -> str:
    return f"A {task}" if task == REFRESH else f"`{task}`"


def _note_killed(settings: Settings) -> None:
    """Write down that the former holder was killed, before its name is overwritten."""
    holder = _holder(settings)
    if holder is None or holder.task != REFRESH:
        return
    record = Record.load(settings.record_file)
    record.failure = killed(holder, record)
    record.is_killed = True
    with suppress(VoronkaError, OSError):
        record.save(settings.record_file)


def _remove_leftovers(settings: Settings) -> None:
    """Remove drafts and temporary files of processes that are gone.

    Nothing but the holder of the lock writes them, or a lock on the file tells that its writer
    lives.
    """
    for directory in (settings.data, settings.build_dir, settings.published_dir):
        remove_drafts(directory)
    settings.temporary_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.temporary_dir, os.O_RDONLY)
    try:
        # Where somebody writes the dashboard meanwhile, the next refresh will do.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            empty(settings.temporary_dir)
    finally:
        os.close(descriptor)


@contextmanager
def keep_temporary_files(settings: Settings) -> Iterator[None]:
    """Let this process' tools write their temporary files where the next refresh removes them."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(settings.temporary_dir)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


@contextmanager
def use_temporary_files(settings: Settings) -> Iterator[None]:
    """Keep a refresh from removing the temporary files of a command that needs no lock."""
    settings.temporary_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.temporary_dir, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
