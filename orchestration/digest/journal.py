"""What was sent to whom, what waits to be sent, and what the alerts knew last.

One file, replaced as a whole and brought to the disk before anything else happens. A message is
sent first and noted then: a process that is killed between the two sends it once more, and no
message is ever lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from orchestration.base.errors import VoronkaError, WrongUse
from orchestration.base.files import write_bytes
from orchestration.connectors.errors import EXIT_TRY_LATER

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
        self.waiting = [Waiting(**item) for item in found.get("waiting", [])]
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
        write_bytes(self._file, content, is_durable=True)

    def given_up(self) -> list[Waiting]:
        """Take out what was tried in too many runs."""
        gone = [item for item in self.waiting if item.runs >= MOST_RUNS]
        self.waiting = [item for item in self.waiting if item.runs < MOST_RUNS]
        return gone


@contextmanager
def only_sender(directory: Path, patience: float = 0.0) -> Iterator[None]:
    """Let nobody else send meanwhile. Raises Busy where another process does, after `patience`."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(directory / "journal.lock", timeout=patience):
            yield
    except Timeout:
        raise Busy(
            "Another process sends messages at this moment.", "Wait until it ends; then try again."
        ) from None


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
