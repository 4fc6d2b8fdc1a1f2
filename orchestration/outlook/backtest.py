"""The back-test: what was predicted at each month end, held against how the deals then closed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta

from orchestration.outlook.history import History
from orchestration.outlook.model import Model
from orchestration.outlook.rates import rates_at, week_end_rates

MODEL, STAGE_RATE, COMPANY_RATE, NONE = "model", "stage_rate", "company_rate", "none"
METHODS = (MODEL, STAGE_RATE, COMPANY_RATE)
# The model is used where it is that much better than both rates, and surely so.
MIN_JUDGED_DEALS = 200
MIN_GAIN = 0.02
NEIGHBOURS = 100
INTERVAL = (0.1, 0.9)
_TINY = 1e-6

_KEYS = ["observed_on", "deal_id", "pipeline_id"]
PREDICTIONS = [*_KEYS, MODEL, STAGE_RATE, "week_end_rate"]


def predict(history: History, day: int, model: Model | None) -> pd.DataFrame:
    """What every method said of the deals that were open at the end of a day.

    Empty where the company had closed too few deals; NaN where a method had nothing to say.
    """
    observed, rates = history.at(day), rates_at(history, day)
    if not rates.is_known or observed.empty:
        empty = pd.DataFrame(columns=[*PREDICTIONS, COMPANY_RATE])
        return empty.astype(dict.fromkeys(empty.columns.difference(_KEYS), float))
    by_rate = rates.of(observed)
    said = pd.concat([observed[["observed_on", "deal_id", "pipeline_id"]], by_rate], axis=1)
    said["week_end_rate"] = week_end_rates(history, day, observed, by_rate.pipeline_rate)
    for name in (STAGE_RATE, "week_end_rate"):
        said[name] = said[name].where(by_rate.is_pipeline_known)
    said[MODEL] = np.nan if model is None else model.curve(observed).given_closing
    return said[[*PREDICTIONS, COMPANY_RATE]]


@dataclass(frozen=True)
class Judged:
    """Predictions of deals that have closed since: with `is_won` and `closed_on`."""

    rows: pd.DataFrame

    @staticmethod
    def of(predictions: pd.DataFrame, history: History, day: int) -> Judged:
        """The predictions that can be judged at the end of a day."""
        known = history.outcomes(day)[["is_won", "closed_on"]]
        earlier = predictions[predictions.observed_on < day]
        rows = earlier.join(known, on="deal_id", how="inner")
        rows = rows[rows.closed_on > rows.observed_on]
        return Judged(rows.assign(is_won=rows.is_won.astype(float)).reset_index(drop=True))

    def methods(self) -> dict[str, str]:
        """By pipeline: whether its model has earned it. Others are not named."""
        found = {}
        for pipeline, rows in self.rows.groupby("pipeline_id"):
            both = rows[rows[MODEL].notna() & rows[STAGE_RATE].notna()]
            if both.deal_id.nunique() < MIN_JUDGED_DEALS:
                continue
            if all(_is_better(both, rate) for rate in (STAGE_RATE, "week_end_rate")):
                found[str(pipeline)] = MODEL
        return found

    def intervals(self, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """80 % Jeffreys intervals of the win rate among the nearest predictions of the model."""
        rows = self.rows[self.rows[MODEL].notna()]
        rows = rows.drop_duplicates("deal_id", keep="last").sort_values([MODEL, "deal_id"])
        said, won = rows[MODEL].to_numpy(), np.concatenate([[0], rows.is_won.cumsum()])
        count = min(NEIGHBOURS, len(said))
        start = np.searchsorted(said, probability) - count // 2
        start = _nearest_window(said, probability, start.clip(0, len(said) - count), count)
        wins = won[start + count] - won[start]
        low = beta.ppf(INTERVAL[0], wins + 0.5, count - wins + 0.5)
        high = beta.ppf(INTERVAL[1], wins + 0.5, count - wins + 0.5)
        return np.minimum(low, probability), np.maximum(high, probability)

    def scores(self) -> pd.DataFrame:
        """`marts.outlook_backtest`: by month end, pipeline and method."""
        found = []
        for (day, pipeline), rows in self.rows.groupby(["observed_on", "pipeline_id"]):
            for method in METHODS:
                said = rows[rows[method].notna()]
                if not said.empty:
                    found.append((day, pipeline, method, *_score(said[method], said.is_won)))
        names = ["deals", "won", "brier", "log_loss", "auc", "mean_predicted", "win_rate"]
        return pd.DataFrame(found, columns=["as_of_on", "pipeline_id", "method", *names])


def rate_intervals(won: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """80 % intervals of rates that rest on so many deals; a rate of 0 or 1 without any is sure."""
    rate = won / (won + lost)
    is_sure = (won <= 0) | (lost <= 0)
    low, high = (beta.ppf(q, np.maximum(won, _TINY), np.maximum(lost, _TINY)) for q in INTERVAL)
    return (
        np.where(is_sure, rate, np.minimum(low, rate)),
        np.where(is_sure, rate, np.maximum(high, rate)),
    )


def _nearest_window(
    said: np.ndarray, wanted: np.ndarray, start: np.ndarray, count: int
) -> np.ndarray:
    """Move windows of sorted values until none outside is nearer than one inside."""
    for _ in range(count):
        is_right = (start + count < len(said)) & (
            np.abs(said[np.minimum(start + count, len(said) - 1)] - wanted)
            < np.abs(said[start] - wanted)
        )
        is_left = (start > 0) & (
            np.abs(said[np.maximum(start - 1, 0)] - wanted)
            < np.abs(said[start + count - 1] - wanted)
        )
        if not (is_right | is_left).any():
            break
        start = start + is_right.astype(int) - (is_left & ~is_right).astype(int)
    return start


def _is_better(rows: pd.DataFrame, rate: str) -> bool:
    """By 2 %, and by a standard error of the paired difference, whose deals hang together."""
    by_model, by_rate = ((rows[name] - rows.is_won) ** 2 for name in (MODEL, rate))
    gain = by_rate - by_model
    around = (gain - gain.mean()).groupby(rows.deal_id).sum()
    error = float(np.sqrt((around**2).sum()) / len(gain))
    return bool(by_model.mean() <= (1 - MIN_GAIN) * by_rate.mean() and gain.mean() > error)


def _score(said: pd.Series, is_won: pd.Series) -> tuple[float | None, ...]:
    from sklearn.metrics import roc_auc_score

    bounded = said.clip(_TINY, 1 - _TINY)
    loss = -(is_won * np.log(bounded) + (1 - is_won) * np.log(1 - bounded)).mean()
    auc = roc_auc_score(is_won, said) if is_won.nunique() == 2 else None
    return (
        len(said),
        int(is_won.sum()),
        ((said - is_won) ** 2).mean(),
        loss,
        auc,
        said.mean(),
        is_won.mean(),
    )
