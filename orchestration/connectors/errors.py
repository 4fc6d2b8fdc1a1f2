"""How a connection fails: a refusal that only somebody can mend, or something that passes."""

from __future__ import annotations

from orchestration.base.errors import EXIT_TRY_LATER, EXIT_WRONG_USE, VoronkaError


class Refused(VoronkaError):
    """A key, a right or an answer that a retry cannot mend."""

    exit_code = EXIT_WRONG_USE


class TryLater(VoronkaError):
    """The system or another process is in the way for now; what was loaded stays."""

    exit_code = EXIT_TRY_LATER
