"""One refresh at a time in a data directory."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from orchestration.base.errors import WrongUse
from orchestration.base.files import read_json, write_json
from orchestration.base.record import utc_now
from orchestration.base.settings import Settings

_held: set[str] = set()


@contextmanager
def only_refresh(settings: Settings) -> Iterator[None]:
    """Hold the lock of the data directory; free again when the process ends, however it ends.

    A process that holds it may take it again. Raises WrongUse where another process holds it,
    with who and since when, and where the data directory cannot be written.
    """
    path = str(settings.lock_file)
    if path in _held:
        yield
        return
    holder = _holder(settings)
    lock = _take(settings.lock_file, holder)
    _held.add(path)
    try:
        write_json(holder, {"pid": os.getpid(), "host": socket.gethostname(), "since": utc_now()})
        yield
    finally:
        _held.discard(path)
        holder.unlink(missing_ok=True)
        lock.release()


def running_refresh(settings: Settings) -> dict[str, Any] | None:
    """Who holds the lock (`pid`, `host`, `since`); None where nobody does or he is gone."""
    who = read_json(_holder(settings))
    is_here = who.get("host") == socket.gethostname()
    return who if who and (not is_here or psutil.pid_exists(who["pid"])) else None


def _holder(settings: Settings) -> Path:
    return settings.lock_file.with_name("refresh.holder.json")


def _take(path: Path, holder: Path) -> FileLock:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        who = read_json(holder)
        raise WrongUse(
            f"A refresh runs already: process {who.get('pid', '?')} on {who.get('host', '?')}, "
            f"since {who.get('since', '?')}.",
            "Wait until it ends; `voronka status` shows its result.",
        ) from None
    except OSError as error:
        raise WrongUse(
            f"The data directory {path.parent} cannot be written: {error.strerror}.",
            "Set VORONKA_DATA_DIR to a directory that you may write to.",
        ) from error
    return lock
