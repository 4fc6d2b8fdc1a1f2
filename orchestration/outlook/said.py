"""What was said on earlier days, in the private build, and whether it still holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import blake2b

import duckdb
import numpy as np
import pandas as pd

from orchestration.base.cache import fingerprint_of
from orchestration.models.run import OUTLOOK
from orchestration.outlook.curve import EDGES, Curve
from orchestration.outlook.history import EPOCH, History
from orchestration.outlook.training import Training

# What is said of a day, each of what stands before it.
CURVES, PREDICTIONS, SCORES, REASONS = "curves", "predictions", "scores", "reasons"
_WON = [f"won_{span}" for span in range(len(EDGES))]


class Said:
    """The tables of the schema `outlook`; days are whole numbers since 1970-01-01.

    Each result of a day has a fingerprint of exactly that which it is computed from: while it is
    the same, the result is read and not computed. So a late call to one deal trains only the
    models that learn from its observations.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, build: str, history: History, terms: str
    ) -> None:
        """Of the build attached as `build`; `terms` is what results depend on but the history."""
        self._connection = connection
        self.history = history
        self._terms = terms
        # Median days from winning to payment, as they were known on each day.
        self.lags: dict[int, int] = dict(
            connection.execute(
                f"select (observed_on - {EPOCH})::integer, lag_days "
                f"from {build}.intermediate.int_outlook__payment_lags"
            ).fetchall()
        )
        self.month_ends, self.forecast_days = history.month_ends(), history.forecast_days()
        self.trainings = {
            day: Training.at(history, day) for day in (*self.month_ends, history.as_of)
        }
        before = connection.execute(
            f"select said, (observed_on - {EPOCH})::integer, fingerprint "
            f"from {OUTLOOK}.fingerprints"
        ).fetchall()
        self._holding = {
            (said, day) for said, day, mark in before if self._fingerprints.get((said, day)) == mark
        }

    def holds(self, said: str, day: int) -> bool:
        """Whether what was said of a day is what would be said now."""
        return (said, day) in self._holding

    @property
    def is_current(self) -> bool:
        """Whether all that would be said stands there."""
        return len(self._holding) == len(self._fingerprints)

    def days(self, said: str) -> list[int]:
        """The days of which this is said, in their order."""
        return sorted(day for it, day in self._fingerprints if it == said)

    def model_day(self, day: int) -> int | None:
        """The day whose model is asked on a day: the last month end, or today; None without one."""
        if day == self.history.as_of:
            return day
        return max((end for end in self.month_ends if end <= day), default=None)

    @cached_property
    def _fingerprints(self) -> dict[tuple[str, int], str]:
        """By what is said, and of which day."""
        history, today = self.history, self.history.as_of
        found: dict[tuple[str, int], str] = {}
        known = {
            day: str(history.known_at(day))
            for day in (*self.month_ends, *self.forecast_days, today)
        }
        for day in known:
            learned_on = self.model_day(day)
            training = None if learned_on is None else self.trainings[learned_on]
            found[CURVES, day] = fingerprint_of(
                self._terms,
                training.fingerprint if training else "",
                blake2b(history.hashes_at(day).tobytes()).hexdigest(),
            )
        for day in self.month_ends:
            found[PREDICTIONS, day] = fingerprint_of(found[CURVES, day], known[day])
        for day in (*self.forecast_days, today):
            judged = [found[PREDICTIONS, end] for end in self.month_ends if end < day]
            lag = self.lags.get(day, 0)
            found[SCORES, day] = fingerprint_of(found[CURVES, day], known[day], judged, lag)
        usual = self.trainings[today]
        found[REASONS, today] = fingerprint_of(
            found[SCORES, today], usual.fingerprint_of_recent if usual else ""
        )
        return found

    def curves(self, days: Iterable[int]) -> dict[int, Curve]:
        """The model's chances of the deals that were open on these days, where there are any."""
        rows = self._connection.execute(
            f"select (observed_on - {EPOCH})::integer as day, given_closing, {', '.join(_WON)} "
            f"from {OUTLOOK}.{CURVES} where (observed_on - {EPOCH})::integer in {_listed(days)} "
            "order by observed_on, deal_id"
        ).fetchnumpy()
        won = np.column_stack([np.asarray(rows[name]) for name in _WON])
        found, starts = np.unique(rows["day"], return_index=True)
        ends = [*starts, len(won)][1:]
        return {
            int(day): Curve(np.asarray(rows["given_closing"][start:end]), won[start:end])
            for day, start, end in zip(found, starts, ends, strict=True)
        }

    def predictions(self) -> pd.DataFrame:
        """What was predicted at month ends, where it still holds."""
        days = [day for day in self.month_ends if self.holds(PREDICTIONS, day)]
        rows = self._connection.execute(
            f"select * replace ((observed_on - {EPOCH})::integer as observed_on) "
            f"from {OUTLOOK}.{PREDICTIONS} "
            f"where (observed_on - {EPOCH})::integer in {_listed(days)} "
            "order by observed_on, deal_id"
        ).df()
        for name in ("deal_id", "pipeline_id"):
            dtype = self.history.observations[name].dtype
            rows[name] = rows[name].astype(object).astype(dtype)
        return rows

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, which drops what does not hold and notes what all is said of."""
        self._connection.execute("begin")
        try:
            for said in (CURVES, PREDICTIONS, SCORES):
                days = [day for day in self.days(said) if self.holds(said, day)]
                self._connection.execute(
                    f"delete from {OUTLOOK}.{said} "
                    f"where ((observed_on - {EPOCH})::integer in {_listed(days)}) is not true"
                )
            yield
            rows = [(said, day, mark) for (said, day), mark in self._fingerprints.items()]
            columns = ["said", "observed_on", "fingerprint"]
            self.replace("fingerprints", pd.DataFrame(rows, columns=columns))
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def add_curves(self, curves: dict[int, Curve]) -> None:
        """Add the model's chances of days."""
        found = []
        for day, curve in curves.items():
            rows = self.history.at(day)[["observed_on", "deal_id"]]
            found.append(
                rows.assign(
                    given_closing=curve.given_closing,
                    **dict(zip(_WON, curve.won.T, strict=True)),
                )
            )
        self.add(CURVES, found)

    def add(self, table: str, frames: Sequence[pd.DataFrame]) -> None:
        """Add rows; columns `…_on` are days."""
        frames = [frame for frame in frames if not frame.empty]
        if not frames:
            return
        rows = pd.concat(frames, ignore_index=True)
        columns = ", ".join(
            f"{EPOCH} + {name}::integer as {name}" if name.endswith("_on") else name
            for name in rows.columns
        )
        self._connection.register("_rows", rows)
        self._connection.execute(
            f"insert into {OUTLOOK}.{table} by name select {columns} from _rows"
        )
        self._connection.unregister("_rows")

    def replace(self, table: str, rows: pd.DataFrame) -> None:
        """Put these rows in the place of a table's."""
        self._connection.execute(f"delete from {OUTLOOK}.{table}")
        self.add(table, [rows])


def _listed(days: Iterable[int]) -> str:
    return f"({', '.join(map(str, days)) or 'null'})"
