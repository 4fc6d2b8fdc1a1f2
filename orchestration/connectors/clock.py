"""The time that connectors go by, in one object, so that tests and repeated windows can set it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

TICK = timedelta(microseconds=1)


class Clock:
    """The machine's clock, or a fixed instant where one is given (VORONKA_NOW)."""

    def __init__(self, fixed: datetime | None = None) -> None:
        self.fixed = fixed
        # Seconds that were waited so far.
        self.slept = 0.0

    def now(self) -> datetime:
        """The present instant, UTC."""
        return self.fixed or datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow, for waits and speeds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.slept += seconds
        time.sleep(seconds)


class Stamps:
    """Load instants of one connection: each later than all before, whatever the clock does.

    A clock that was set back would otherwise make an old version of a row the current one.
    """

    def __init__(self, clock: Clock, last: datetime | None = None) -> None:
        self._clock = clock
        self.last = last

    def next(self) -> datetime:
        """An instant after every earlier one, and not before the clock's."""
        now = self._clock.now()
        self.last = now if self.last is None else max(now, self.last + TICK)
        return self.last
