"""What was sent to whom, what waits to be sent, and what the alerts knew last.

One file, replaced as a whole and brought to the disk before anything else happens. A message is
sent first and noted then: a process that is killed between the two sends it once more, and no
message is ever lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from orchestration.base.errors import (
    EXIT_TRY_LATER,
    VoronkaError,
    WrongUse,
    disk_full,
    is_disk_full,
)
from orchestration.base.files import write_bytes

# Nothing is repeated after so long: keys hold the day or the publication.
_REMEMBERED = timedelta(days=60)
# Runs in which a message was tried and not taken; then it is given up.
MOST_RUNS = 5


class Busy(VoronkaError):
    """Another process sends at this moment."""

    exit_code = EXIT_TRY_LATER


@dataclass(frozen=True)
class Waiting:
    """A message that is to be sent: an alert, held back or not taken so far."""

    key: str
    recipient: str
    address: str
    title: str
    text: str
    html: str
    since: str
    runs: int = 0


class Journal:
    """The journal of one data directory; to be changed under `only_sender`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "journal.json"
        found = _read(self._file)
        self._sent: dict[str, str] = dict(found.get("sent", {}))
        known = {item.name for item in fields(Waiting)}
        self.waiting = [
            Waiting(**{key: value for key, value in item.items() if key in known})
            for item in found.get("waiting", [])
        ]
        # What the alerts were about, as the last run saw it.
        self.seen: dict[str, Any] = dict(found.get("seen", {}))

    def is_sent(self, key: str) -> bool:
        """Whether a message of this key went out."""
        return key in self._sent

    def note_sent(self, key: str, now: datetime) -> None:
        """Remember that it went out; it waits no longer."""
        self._sent[key] = now.isoformat()
        self.waiting = [item for item in self.waiting if item.key != key]
        self.save(now)

    def save(self, now: datetime) -> None:
        """Bring it to the disk, without what is too old to be repeated."""
        oldest = (now - _REMEMBERED).isoformat()
        self._sent = {key: at for key, at in self._sent.items() if at >= oldest}
        state: Mapping[str, Any] = {
            "sent": self._sent,
            "waiting": [asdict(item) for item in self.waiting],
            "seen": self.seen,
        }
        content = json.dumps(state, ensure_ascii=False, indent=1).encode()
        try:
            write_bytes(self._file, content, is_durable=True)
        except OSError as error:
            raise _not_writable(self._file.parent, error) from error

    def given_up(self) -> list[Waiting]:
        """Take out what was tried in too many runs."""
        gone = [item for item in self.waiting if item.runs >= MOST_RUNS]
        self.waiting = [item for item in self.waiting if item.runs < MOST_RUNS]
        return gone


@contextmanager
def only_sender(directory: Path, patience: float = 0.0) -> Iterator[None]:
    """Let nobody else send meanwhile. Raises Busy where another process does, after `patience`."""
    lock = FileLock(directory / "journal.lock", timeout=patience)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise Busy(
            "Another process sends messages at this moment.", "Wait until it ends; then try again."
        ) from None
    except OSError as error:
        raise _not_writable(directory, error) from error
    try:
        yield
    finally:
        lock.release()


def _not_writable(directory: Path, error: OSError) -> VoronkaError:
    """The journal cannot be written: what would be sent could come twice."""
    if is_disk_full(error):
        return disk_full(error, directory)
    return WrongUse(
        f"{directory} cannot be written: {error.strerror}.",
        "Set VORONKA_DATA_DIR to a directory that you may write to.",
    )


def _read(file: Path) -> dict[str, Any]:
    """The journal's state. Raises WrongUse where it is damaged: nothing may be sent twice."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{file} cannot be read: {error}", "Check its rights.") from error
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    except ValueError:
        pass
    raise WrongUse(
        f"{file} is damaged, so nobody knows what was sent.",
        "Remove it: what was sent today is then sent once more.",
    )
