"""What a check of the environment or of a connection found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `grade` is good, note or bad: the last stands in the way.

    `may_pass`: what is bad now may be good later, without anybody's doing.
    """

    grade: str
    text: str
    remedy: str = ""
    details: Sequence[str] = ()
    may_pass: bool = False
