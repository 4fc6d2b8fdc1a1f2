"""When open deals are won: chances by the end of each span of time ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Ends of the spans ahead, in days.
EDGES = np.array([7, 14, 28, 56, 91, 182, 364, 728])


@dataclass(frozen=True)
class Curve:
    """Chances of deals: `won[i, k]` by the end of span k; `given_closing[i]` ever, if it closes."""

    given_closing: np.ndarray
    won: np.ndarray

    def won_within(self, days: float) -> np.ndarray:
        """Chance to be won within so many days; 0 for none."""
        return interpolated(self.won, days)

    def median_days(self) -> np.ndarray:
        """Days until half of the winning is done."""
        edges = np.concatenate([[0], EDGES])
        curves = np.column_stack([np.zeros(len(self.won)), self.won])
        half = curves[:, -1:] / 2
        after = np.argmax(curves >= half, axis=1).clip(1)
        rows = np.arange(len(curves))
        low, high = curves[rows, after - 1], curves[rows, after]
        share = np.divide(half[:, 0] - low, high - low, out=np.zeros(len(low)), where=high > low)
        return np.asarray(edges[after - 1] + share * (edges[after] - edges[after - 1]))


def interpolated(won: np.ndarray, days: float) -> np.ndarray:
    """Cumulative chances at a day between the spans' ends."""
    if days <= 0:
        return np.zeros(len(won))
    edges = np.concatenate([[0], EDGES])
    curves = np.column_stack([np.zeros(len(won)), won])
    after = min(int(np.searchsorted(edges, days)), len(EDGES))
    share = min(1.0, (days - edges[after - 1]) / (edges[after] - edges[after - 1]))
    return np.asarray(curves[:, after - 1] + share * (curves[:, after] - curves[:, after - 1]))
