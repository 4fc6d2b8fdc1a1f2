"""Errors that end a refresh, each with the command's exit code and what to do next."""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.base.text import counted

EXIT_GOOD = 0
EXIT_STOPPED = 1
EXIT_WRONG_USE = 2
EXIT_TARGET_FAILED = 3
EXIT_TRY_LATER = 75
EXIT_INTERRUPTED = 130


class VoronkaError(Exception):
    """A failure with a remedy.

    `message` says what is wrong, `remedy` what to do about it in one line, `details` holds
    one line for each finding. `exit_code` is the command's.
    """

    exit_code = EXIT_STOPPED

    def __init__(self, message: str, remedy: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = list(details)

    def __str__(self) -> str:
        return "\n".join([self.message, *self.details, *([self.remedy] if self.remedy else [])])


class WrongUse(VoronkaError):
    """The command, a setting or the environment is wrong; nothing was touched."""

    exit_code = EXIT_WRONG_USE


class RefreshRefused(VoronkaError):
    """A refresh would do harm or cannot end well; nothing was touched."""


class BuildFailed(VoronkaError):
    """dbt could not build a model; nothing was published."""


class ChecksFailed(VoronkaError):
    """A blocking check failed; nothing was published."""


class ProcessEnded(VoronkaError):
    """A program that a refresh started ended without saying what is wrong with the data."""


class DiskFull(VoronkaError):
    """There was no space left to write; what was published stays."""

    @classmethod
    def of(cls, directory: Path | None) -> DiskFull:
        """No space in a directory, where it is known."""
        place = f" in {directory}" if directory else ""
        return cls(f"The disk is full: no space is left{place}.", FREE_SPACE)


class OutputLost(VoronkaError):
    """What the command printed could not be written; what it did stays done."""

    @classmethod
    def of(cls, error: OSError) -> OutputLost:
        """The standard output, with what the system says of it."""
        return cls(
            f"The output could not be written: {error.strerror}.",
            "Send it to another place; `voronka status` says how a refresh ended.",
        )


class PublicationFailed(VoronkaError):
    """The published set could not be replaced; the previous one stays."""


class TargetFailed(VoronkaError):
    """The file is published, a database that should have the same does not; it has the old."""

    exit_code = EXIT_TARGET_FAILED


def first_line(error: BaseException) -> str:
    """What an error says first; its kind where it says nothing."""
    return next((line for line in str(error).splitlines() if line), type(error).__name__)


def shortened(text: str, longest: int = 80) -> str:
    """A text in a message, its beginning where it is long."""
    return text if len(text) <= longest else f"{text[:longest]}…"


@dataclass(frozen=True)
class Problem:
    """One thing in the raw zone that stops a refresh.

    `file` is relative to the raw directory, `column` empty where the file itself is the problem.
    """

    table: str
    file: str
    column: str
    reason: str

    def __str__(self) -> str:
        if self.column:
            if self.reason == "missing":
                return f"{self.table}: column {self.column} is missing in {self.file}"
            return f"{self.table}: {self.file}: column {self.column} {self.reason}"
        return f"{self.table}: {self.file}: {self.reason}"


class ContractBroken(VoronkaError):
    """The raw zone breaks the raw contract; nothing was touched. All problems are listed."""

    exit_code = EXIT_WRONG_USE

    def __init__(self, problems: Sequence[Problem], remedy: str = "") -> None:
        super().__init__(
            f"The raw zone breaks the contract: {counted(len(problems), 'problem')}.",
            remedy
            or "Export these files again with the columns of the contract, or move them out of "
            "the raw zone; then run `voronka doctor`.",
            [str(problem) for problem in problems],
        )
        self.problems = list(problems)


FREE_SPACE = (
    "Free space on it, or set VORONKA_DATA_DIR to a larger disk; then refresh again: "
    "it goes on from there."
)
LESS_MEMORY = (
    "Lower VORONKA_MEMORY or set VORONKA_THREADS=1, or give the machine more; then refresh again: "
    "it goes on from there."
)
_MORE_MEMORY = (
    "Raise VORONKA_MEMORY as far as the machine has memory, or set VORONKA_THREADS=1; then refresh "
    "again: it goes on from there."
)
_FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|max_temp_directory_size"
)
_NO_MEMORY = re.compile(r"Out of Memory Error|MemoryError|Cannot allocate memory|bad_alloc", re.I)
_LOCKED = re.compile(
    r'Could not set lock on file "(?P<file>[^"]+)"'
    r"(?:.*?held in (?P<program>.+?) \(PID (?P<pid>\d+)\))?",
    re.S,
)
# What a shell adds to the number of a signal.
_SHELL = 128


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, of the system or in the words of a tool, says that no space is left."""
    return getattr(error, "errno", None) in _FULL_NUMBERS or bool(_FULL.search(str(error)))


def disk_full(error: BaseException, directory: Path | None = None) -> DiskFull:
    """The same as an error for people. `directory` is where it was written if it does not say."""
    file = getattr(error, "filename", None)
    return DiskFull.of(Path(str(file)).parent if file else directory)


def remedy_of(texts: Iterable[str]) -> str | None:
    """What to do where the words of a tool name the disk, the memory or a lock as the cause.

    None where they do not: then it is the model or the data.
    """
    text = "\n".join(texts)
    if _FULL.search(text):
        return FREE_SPACE
    if _NO_MEMORY.search(text):
        return _MORE_MEMORY
    found = _LOCKED.search(text)
    if found:
        who = f"{found['program']} (process {found['pid']})" if found["pid"] else "Another program"
        return f"{who} has {found['file']} open: close it, then refresh again."
    return None


def process_ended(program: str, code: int, log: Path | None = None) -> ProcessEnded:
    """The error of a program that ended by itself or by a signal, without a result.

    `code` is subprocess' (negative: a signal) or a shell's (128 and the signal's number), `log`
    the file that has what it printed: a full disk or too little memory shows there.
    """
    remedy = remedy_of([_tail(log)]) if log else None
    look = f"See {log}; then refresh again." if log else "Refresh again."
    number = -code if code < 0 else code - _SHELL
    try:
        name = signal.Signals(number).name
    except ValueError:
        if code in (126, 127):
            return ProcessEnded(
                f"{program} could not be started (exit code {code}).",
                "Check that the program is installed and may be run; then refresh again.",
            )
        return ProcessEnded(f"{program} ended with exit code {code} and no result.", remedy or look)
    if name == "SIGKILL":
        return ProcessEnded(
            f"{program} was killed (SIGKILL), as the system does where memory runs out.",
            LESS_MEMORY,
        )
    if name in ("SIGINT", "SIGTERM", "SIGHUP"):
        return ProcessEnded(
            f"{program} was stopped by somebody ({name}).",
            "Refresh again: it goes on from there.",
        )
    if name == "SIGXFSZ":
        return ProcessEnded(
            f"{program} met a limit on the size of files ({name}).",
            "Raise the limit (`ulimit -f unlimited`); then refresh again.",
        )
    return ProcessEnded(f"{program} crashed ({name}).", remedy or look)


def _tail(log: Path, size: int = 20_000) -> str:
    try:
        return log.read_bytes()[-size:].decode(errors="replace")
    except OSError:
        return ""
