"""What a model learns from: observations of deals at week ends, and how the deals ended."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import pandas as pd

from orchestration.outlook.history import History, Outcomes

# Enough for the regression; more takes longer and says the same.
MAX_OBSERVATIONS = 20_000
MAX_FOR_TIMING = 6_000
MIN_CLOSED = 50
MIN_OF_A_KIND = 10


@dataclass(frozen=True)
class Training:
    """The rows that a model of a day learns from, as positions in the history's observations.

    `closed`: the last ones of deals that had closed; `timed`: some of all, closed or not; `recent`:
    the last ones of all, whose medians are what is usual.
    """

    history: History
    day: int
    outcomes: Outcomes
    closed: np.ndarray
    timed: np.ndarray
    recent: np.ndarray

    @staticmethod
    def at(history: History, day: int) -> Training | None:
        """What there was to learn from at the end of a day; None where too few deals had closed."""
        watched, outcomes = history.week_ends_before(day), history.outcomes(day)
        is_won = outcomes.is_won[history.deals[watched]]
        counts = [len(np.unique(history.deals[watched[is_won == kind]])) for kind in (1, 0)]
        if sum(counts) < MIN_CLOSED or min(counts) < MIN_OF_A_KIND:
            return None
        return Training(
            history,
            day,
            outcomes,
            watched[~np.isnan(is_won)][-MAX_OBSERVATIONS:],
            watched[:: -(-len(watched) // MAX_FOR_TIMING)],
            watched[-MAX_OBSERVATIONS:],
        )

    def observed(self, positions: np.ndarray) -> pd.DataFrame:
        """Observations with their features."""
        return self.history.observations.iloc[positions]

    def deals(self, positions: np.ndarray) -> int:
        """How many deals these observations are of."""
        return len(np.unique(self.history.deals[positions]))

    def is_won(self, positions: np.ndarray) -> np.ndarray:
        """Whether the deals were won; NaN where they were open."""
        return np.asarray(self.outcomes.is_won[self.history.deals[positions]])

    def days_to_close(self, positions: np.ndarray) -> np.ndarray:
        """Days from the observations until the deals closed; NaN where they were open."""
        closed_on = self.outcomes.closed_on[self.history.deals[positions]]
        return np.asarray(closed_on - self.history.days[positions])

    @cached_property
    def fingerprint(self) -> str:
        """Of all that the model depends on: its rows in their order, and how their deals ended."""
        found = blake2b(str(self.day).encode(), digest_size=16)
        for positions in (self.closed, self.timed):
            for values in (
                self.history.hashes[positions],
                self.is_won(positions),
                self.days_to_close(positions),
            ):
                found.update(np.ascontiguousarray(values).tobytes())
        return found.hexdigest()

    @cached_property
    def fingerprint_of_recent(self) -> str:
        """Of what is usual."""
        hashes = self.history.hashes[self.recent]
        return blake2b(hashes.tobytes(), digest_size=16).hexdigest()
