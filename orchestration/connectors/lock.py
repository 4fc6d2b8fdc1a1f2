"""One process at a time on one connection."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from orchestration.base.errors import WrongUse
from orchestration.base.files import read_json, write_json
from orchestration.base.record import utc_now
from orchestration.connectors.errors import TryLater


@contextmanager
def only_run(
    name: str,
    directory: Path,
    doing: str = "is being read",
    remedy: str = "Wait until it ends; `voronka connect list` shows its result.",
) -> Iterator[None]:
    """Hold the lock of a connection, or of another task, until the process ends, however it ends.

    Raises TryLater where another process holds it, with who and since when.
    """
    holder = directory / "holder.json"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / "lock", timeout=0)
        lock.acquire()
    except Timeout:
        who = read_json(holder)
        raise TryLater(
            f"{name} {doing} already: process {who.get('pid', '?')} on "
            f"{who.get('host', '?')}, since {who.get('since', '?')}.",
            remedy,
        ) from None
    except OSError as error:
        raise WrongUse(
            f"The data directory {directory} cannot be written: {error.strerror}.",
            "Set VORONKA_DATA_DIR to a directory that you may write to.",
        ) from error
    try:
        write_json(holder, {"pid": os.getpid(), "host": socket.gethostname(), "since": utc_now()})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
