"""A clock whose waits take no time."""

from __future__ import annotations

from datetime import datetime

from orchestration.connectors.clock import Clock
from orchestration.connectors.loading import SECONDS_IN_PACKAGE

# The tick of a load that is so slow that every window is a package of its own.
LONG = SECONDS_IN_PACKAGE + 1


class TestClock(Clock):
    """A fixed present; `waits` are the seconds that were slept, in order."""

    __test__ = False

    def __init__(self, now: datetime, tick: float = 0.0) -> None:
        """`tick` seconds pass with every look at it: a load that takes long."""
        super().__init__(now)
        self._tick = tick
        self.waits: list[float] = []
        self._passed = 0.0

    def monotonic(self) -> float:
        self._passed += self._tick
        return self._passed

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.slept += seconds
        self._passed += seconds
