"""The days on which something was said, in their order: what is said anew, and what is read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import duckdb
import pandas as pd
from threadpoolctl import threadpool_limits

from orchestration.base.cache import fingerprint_of
from orchestration.base.interrupt import stop_if_asked
from orchestration.models.run import OUTLOOK
from orchestration.outlook.backtest import MODEL, Judged, predict
from orchestration.outlook.history import EPOCH, read_history
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
        """Of the build attached under the name `build`; `terms` is what else results depend on."""
        self._connection = connection
        self._terms = terms
        self._phrases = phrases
        self._history = read_history(connection, build)
        self._models: dict[int, Model | None] = {}
        self._build = build

    def run(self) -> int:
        """Say what is not said yet; how many models were trained for it."""
        # One thread: sums in the same order give the same values.
        with threadpool_limits(1):
            self._run()
        return sum(model is not None for model in self._models.values())

    def _run(self) -> None:
        history, said = self._history, self._still_true()
        if history.as_of in said:
            return
        month_ends = history.month_ends()
        for day in month_ends:
            if day not in said:
                self._add("predictions", predict(history, day, self._model(day)))
        predictions = self._predictions()
        for day in history.forecast_days():
            if day not in said:
                before = [end for end in month_ends if end <= day]
                model = self._model(before[-1]) if before else None
                self._add("scores", self._scored(day, model, predictions))
        model = self._model(history.as_of)
        scored = self._scored(history.as_of, model, predictions)
        self._add("scores", scored)
        told = pd.DataFrame()
        if model is not None and (scored.method == MODEL).any():
            told = reasons(history, scored, model, self._phrases)
        self._replace("reasons", told)
        judged = Judged.of(predictions, history, history.as_of)
        self._replace("judged", judged.rows)
        self._replace("backtest", judged.scores().round(DIGITS))

    def _scored(self, day: int, model: Model | None, predictions: pd.DataFrame) -> pd.DataFrame:
        judged = Judged.of(predictions, self._history, day)
        return score(self._history, day, model, judged, self._lags.get(day, 0))

    def _model(self, day: int) -> Model | None:
        """What was learned by the end of a day; None where that was too little."""
        if day not in self._models:
            stop_if_asked()
            try:
                self._models[day] = Model(self._history, day)
            except ValueError:
                self._models[day] = None
        return self._models[day]

    @cached_property
    def _lags(self) -> dict[int, int]:
        """Median days from winning to payment, as they were known on each day."""
        return dict(
            self._connection.execute(
                f"select (observed_on - {EPOCH})::integer, lag_days "
                f"from {self._build}.intermediate.int_outlook__payment_lags"
            ).fetchall()
        )

    def _still_true(self) -> set[int]:
        """Days whose past is what it was when something was said of them; forgets the others."""
        history = self._history
        days = {*history.month_ends(), *history.forecast_days(), history.as_of}
        current = {
            day: fingerprint_of(self._terms, str(history.fingerprint(day)), self._lags.get(day, 0))
            for day in sorted(days)
        }
        before = self._connection.execute(
            f"select observed_on - {EPOCH}, fingerprint from {OUTLOOK}.fingerprints"
        ).fetchall()
        same = {day for day, fingerprint in before if current.get(day) == fingerprint}
        listed = ", ".join(str(day) for day in sorted(same)) or "null"
        for table in ("predictions", "scores"):
            self._connection.execute(
                f"delete from {OUTLOOK}.{table} "
                f"where (observed_on - {EPOCH} in ({listed})) is not true"
            )
        self._replace(
            "fingerprints",
            pd.DataFrame(sorted(current.items()), columns=["observed_on", "fingerprint"]),
        )
        return same

    def _predictions(self) -> pd.DataFrame:
        return self._connection.execute(
            f"select * replace ((observed_on - {EPOCH})::integer as observed_on) "
            f"from {OUTLOOK}.predictions order by observed_on, deal_id"
        ).df()

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
