"""The days on which something is said, in their order."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from threadpoolctl import threadpool_limits

from orchestration.base.interrupt import stop_if_asked
from orchestration.outlook.backtest import MODEL, Judged, predict
from orchestration.outlook.curve import Curve
from orchestration.outlook.model import Model
from orchestration.outlook.said import CURVES, PREDICTIONS, REASONS, SCORES, Said
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
        # One thread: sums in the same order give the same values.
        with threadpool_limits(1):
            self._run()
        return sum(model is not None for model in self._models.values())

    def _run(self) -> None:
        said, history = self._said, self._history
        to_curve, to_predict, to_score = (self._missing(it) for it in (CURVES, PREDICTIONS, SCORES))
        curves = {day: curve for day in to_curve if (curve := self._curve(day)) is not None}
        read = {*to_predict, *to_score}.difference(to_curve)
        all_curves = curves | (said.curves(read) if read else {})

        predicted = [predict(history, day, all_curves.get(day)) for day in to_predict]
        predictions = pd.concat([said.predictions(), *predicted], ignore_index=True)
        predictions = predictions.sort_values(["observed_on", "deal_id"], ignore_index=True)
        scored = {}
        for day in to_score:
            judged, lag = Judged.of(predictions, history, day), said.lags.get(day, 0)
            scored[day] = score(history, day, all_curves.get(day), judged, lag)
        judged = Judged.of(predictions, history, history.as_of)
        with said.writing():
            said.add_curves(curves)
            said.add(PREDICTIONS, predicted)
            said.add(SCORES, list(scored.values()))
            said.replace("judged", judged.rows)
            said.replace("backtest", judged.scores().round(DIGITS))
            if not said.holds(REASONS, history.as_of):
                said.replace(REASONS, self._reasons(judged, all_curves, scored))

    def _missing(self, said: str) -> list[int]:
        return [day for day in self._said.days(said) if not self._said.holds(said, day)]

    def _curve(self, day: int) -> Curve | None:
        """What the model of a day, or of the month end before it, says of the deals of the day."""
        learned_on = self._said.model_day(day)
        model = None if learned_on is None else self._model(learned_on)
        observed = self._history.at(day)
        return None if model is None or observed.empty else model.curve(observed)

    def _reasons(
        self, judged: Judged, curves: Mapping[int, Curve], scored: Mapping[int, pd.DataFrame]
    ) -> pd.DataFrame:
        """What moves the deals that the model speaks of today."""
        today = self._history.as_of
        rows = scored.get(today)
        if rows is None:
            curve = curves.get(today) or self._said.curves([today]).get(today)
            rows = score(self._history, today, curve, judged, self._said.lags.get(today, 0))
        if not (rows.method == MODEL).any():
            return pd.DataFrame()
        model = self._model(today)
        assert model is not None
        return reasons(self._history, rows, model, self._phrases)

    def _model(self, day: int) -> Model | None:
        """What was learned by the end of a day; None where that was too little."""
        if day not in self._models:
            stop_if_asked()
            training = self._said.trainings[day]
            try:
                self._models[day] = None if training is None else Model(training)
            except ValueError:
                self._models[day] = None
        return self._models[day]
