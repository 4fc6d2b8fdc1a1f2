"""The days on which something is said, in their order."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from threadpoolctl import threadpool_limits

from orchestration.base.interrupt import stop_if_asked
from orchestration.outlook.backtest import MODEL, Judged, predict
from orchestration.outlook.model import Model
from orchestration.outlook.said import Said
from orchestration.outlook.scoring import DIGITS, reasons, score


class Rounds:
    """Predictions at month ends, scores on the days of forecasts and today, and their judgement."""

    def __init__(self, said: Said, phrases: Mapping[str, Mapping[str, str]]) -> None:
        self._said = said
        self._history = said.history
        self._phrases = phrases
        self._models: dict[int, Model | None] = {}

    def run(self) -> int:
        """Say what is not said yet; how many models were trained for it."""
        self._said.forget_others()
        # One thread: sums in the same order give the same values.
        with threadpool_limits(1):
            self._run()
        self._said.remember()
        return sum(model is not None for model in self._models.values())

    def _run(self) -> None:
        history, said = self._history, self._said
        month_ends = history.month_ends()
        for day in month_ends:
            if day not in said.days:
                said.add("predictions", predict(history, day, self._model(day)))
        predictions = said.predictions()
        for day in history.forecast_days():
            if day not in said.days:
                before = [end for end in month_ends if end <= day]
                model = self._model(before[-1]) if before else None
                said.add("scores", self._scored(day, model, predictions))
        model = self._model(history.as_of)
        scored = self._scored(history.as_of, model, predictions)
        said.add("scores", scored)
        told = pd.DataFrame()
        if model is not None and (scored.method == MODEL).any():
            told = reasons(history, scored, model, self._phrases)
        said.replace("reasons", told)
        judged = Judged.of(predictions, history, history.as_of)
        said.replace("judged", judged.rows)
        said.replace("backtest", judged.scores().round(DIGITS))

    def _scored(self, day: int, model: Model | None, predictions: pd.DataFrame) -> pd.DataFrame:
        judged = Judged.of(predictions, self._history, day)
        return score(self._history, day, model, judged, self._said.lags.get(day, 0))

    def _model(self, day: int) -> Model | None:
        """What was learned by the end of a day; None where that was too little."""
        if day not in self._models:
            stop_if_asked()
            try:
                self._models[day] = Model(self._history, day)
            except ValueError:
                self._models[day] = None
        return self._models[day]
