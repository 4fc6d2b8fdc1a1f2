"""Errors that end a refresh, each with the command's exit code and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.base.text import counted

EXIT_GOOD = 0
EXIT_STOPPED = 1
EXIT_WRONG_USE = 2
EXIT_TARGET_FAILED = 3
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
