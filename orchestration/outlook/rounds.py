"""The days on which something was said, in their order: what is said again, and what is read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import duckdb
import pandas as pd
from threadpoolctl import threadpool_limits

from orchestration.base.cache import fingerprint_of
from orchestration.base.interrupt import stop_if_asked
from orchestration.models.run import OUTLOOK
from orchestration.outlook.backtest import Judged, predict
from orchestration.outlook.history import EPOCH, History, read_history
from orchestration.outlook.model import Model
from orchestration.outlook.scoring import DIGITS, reasons, score


class Rounds:
    """Predictions at month ends, scores on the days of forecasts and today, and their judgement."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        build: str,
        terms: str,
        phrases: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._connection = connection
        self._build = build
        self._terms = terms
        self._phrases = phrases
        self._trained = 0

    def run(self) -> int:
        """Say what is new; how many models were trained for it."""
        # One thread: sums in the same order give the same values.
        with threadpool_limits(1):
            self._say(read_history(self._connection, self._build))
        return self._trained

    def _say(self, history: History) -> None:
        @cache
        def model_of(day: int) -> Model | None:
            stop_if_asked()
            try:
                model = Model(history, day)
            except ValueError:
                return None
            self._trained += 1
            return model

        said = self._still_true(history)
        lags = dict(
            self._connection.execute(
                f"select (observed_on - {EPOCH})::integer, lag_days "
                f"from {self._build}.intermediate.int_outlook__payment_lags"
            ).fetchall()
        )
        month_ends = history.month_ends()
        for day in month_ends:
            if day not in said:
                self._add("predictions", predict(history, day, model_of(day)))
        predictions = self._table("predictions")
        for day in history.forecast_days():
            if day in said:
                continue
            before = [end for end in month_ends if end <= day]
            model = model_of(before[-1]) if before else None
            judged = Judged.of(predictions, history, day)
            self._add("scores", score(history, day, model, judged, lags.get(day, 0)))
        judged = Judged.of(predictions, history, history.as_of)
        today = self._today(history, judged, model_of(history.as_of), lags)
        tables = {
            **today,
            "judged": judged.rows,
            "backtest": judged.scores().round(DIGITS),
        }
        for name, rows in tables.items():
            self._replace(name, rows)

    def _today(
        self, history: History, judged: Judged, model: Model | None, lags: Mapping[int, int]
    ) -> dict[str, pd.DataFrame]:
        day = history.as_of
        scored = score(history, day, model, judged, lags.get(day, 0))
        self._connection.execute(
            f"delete from {OUTLOOK}.scores where observed_on = {EPOCH} + {day}"
        )
        self._add("scores", scored)
        if model is None or not (scored.method == "model").any():
            return {"reasons": pd.DataFrame()}
        return {"reasons": reasons(history, scored, model, self._phrases)}

    def _still_true(self, history: History) -> set[int]:
        """Days whose past is what it was when something was said of them; forgets the others."""
        current = {
            day: fingerprint_of(self._terms, str(history.fingerprint(day)))
            for day in sorted({*history.month_ends(), *history.forecast_days()})
        }
        said = self._connection.execute(
            f"select observed_on - {EPOCH}, fingerprint from {OUTLOOK}.fingerprints"
        ).fetchall()
        same = {day for day, fingerprint in said if current.get(day) == fingerprint}
        days = ", ".join(str(day) for day in sorted(same)) or "null"
        for table in ("predictions", "scores"):
            self._connection.execute(
                f"delete from {OUTLOOK}.{table} "
                f"where (observed_on - {EPOCH} in ({days})) is not true"
            )
        self._replace(
            "fingerprints",
            pd.DataFrame(sorted(current.items()), columns=["observed_on", "fingerprint"]),
        )
        return same

    def _add(self, table: str, rows: pd.DataFrame) -> None:
        """Add rows; columns `…_on` are whole days since 1970-01-01."""
        if rows.empty:
            return
        columns = ", ".join(
            f"{EPOCH} + {name}::integer as {name}" if name.endswith("_on") else name
            for name in rows.columns
        )
        self._connection.register("_rows", rows)
        self._connection.execute(
            f"insert into {OUTLOOK}.{table} by name select {columns} from _rows"
        )
        self._connection.unregister("_rows")

    def _replace(self, table: str, rows: pd.DataFrame) -> None:
        self._connection.execute(f"delete from {OUTLOOK}.{table}")
        self._add(table, rows)

    def _table(self, table: str) -> pd.DataFrame:
        return self._connection.execute(
            f"select * replace ((observed_on - {EPOCH})::integer as observed_on) "
            f"from {OUTLOOK}.{table} order by observed_on, deal_id"
        ).df()
