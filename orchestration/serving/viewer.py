"""Who asks, and what that one may see."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.base.errors import VoronkaError
from orchestration.metrics.choices import Language


class NotAllowed(VoronkaError):
    """What was asked for is there, and not for this viewer."""


@dataclass(frozen=True)
class Viewer:
    """Somebody who asks.

    `managers` are those whose rows are shown, None: every row is. `is_personal` says that names,
    phone numbers and quarantine are shown as they are.
    """

    name: str
    language: Language = Language.RUSSIAN
    managers: frozenset[str] | None = None
    is_personal: bool = False


# Who sits at the machine itself may read the published file anyway.
LOCAL = Viewer("local", is_personal=True)
