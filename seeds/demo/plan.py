"""Steady numbers of events: how many of each, on which working day.

Weekly and monthly totals follow a plan, days within a week vary. So nobody's figures fall by
chance, and what the diagnosis finds is what was planted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date
from itertools import groupby
from random import Random

from seeds.demo.clock import Calendar

WEEKDAY_WEIGHTS = (0.9, 1.1, 1.1, 1.05, 0.85, 0.5, 0.5)
FULL_WEEK_DAYS = 5


def weeks(calendar: Calendar) -> Iterator[list[date]]:
    """Working days of the range, week by week."""
    for _, days in groupby(calendar.working_days, key=lambda day: day.isocalendar()[:2]):
        yield list(days)


def daily_counts(
    calendar: Calendar, rng: Random, rate_of: Callable[[date], float]
) -> dict[date, int]:
    """Events per working day; `rate_of` gives the expected events of one working day.

    A week cut by a holiday catches up half of the lost day. A week that lies in two months is
    shared between them in proportion.
    """
    counts = dict.fromkeys(calendar.working_days, 0)
    ahead = 0
    for days in weeks(calendar):
        whole = days[0].month == days[-1].month or len(days) > 2
        catch_up = (len(days) + FULL_WEEK_DAYS) / (2 * len(days)) if len(days) == 4 else 1.0
        total = math.ceil(sum(map(rate_of, days)) * (catch_up if whole else 1.0) - 1e-9)
        if total > 10 and len(days) == FULL_WEEK_DAYS:
            # One more or one less, and never further than one from the plan in all.
            total -= ahead
            ahead = rng.randint(0, 1)
            total += ahead
        for segment, share in _share(days, rate_of, total):
            weights = [WEEKDAY_WEIGHTS[day.weekday()] for day in segment]
            for day in rng.choices(segment, weights, k=share):
                counts[day] += 1
            _level(counts, segment, share)
    return counts


def _share(
    days: list[date], rate_of: Callable[[date], float], total: int
) -> list[tuple[list[date], int]]:
    """Share the week's total between the months it lies in."""
    segments = [list(group) for _, group in groupby(days, key=lambda day: day.month)]
    weights = [sum(map(rate_of, segment)) for segment in segments]
    if len(segments) == 1 or not sum(weights):
        return [(segments[0], total)]
    first = round(total * weights[0] / sum(weights))
    return [(segments[0], first), (segments[1], total - first)]


def _level(counts: dict[date, int], segment: list[date], total: int) -> None:
    """Move events from the fullest to the emptiest day until none has over twice the mean."""
    limit = max(1, math.ceil(2 * total / len(segment)) - 1)
    while max(counts[day] for day in segment) > limit:
        fullest = max(segment, key=counts.__getitem__)
        counts[fullest] -= 1
        counts[min(segment, key=counts.__getitem__)] += 1


class Steady:
    """True with a given share, evenly spread: no runs of bad luck in small numbers."""

    def __init__(self, rng: Random) -> None:
        self._due = rng.random()

    def draw(self, share: float) -> bool:
        """Whether the next one is true."""
        self._due += share
        if self._due >= 1:
            self._due -= 1
            return True
        return False


class Deck:
    """Draws items in fixed proportions: a shuffled deck, dealt to its end, shuffled again."""

    def __init__(self, rng: Random, weights: dict[str, int]) -> None:
        self._rng = rng
        self._cards = [item for item, weight in weights.items() for _ in range(weight)]
        self._left: list[str] = []

    def draw(self) -> str:
        """Take the next item."""
        if not self._left:
            self._left = self._cards.copy()
            self._rng.shuffle(self._left)
        return self._left.pop()
