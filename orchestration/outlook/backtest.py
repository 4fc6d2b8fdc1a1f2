"""The back-test: what was predicted at each month end, held against how the deals then closed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta, rankdata

from orchestration.outlook.curve import Curve
from orchestration.outlook.history import History, codes
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


def predict(history: History, day: int, of_model: Curve | None) -> pd.DataFrame:
    """What every method said of the deals that were open at the end of a day.

    `of_model` are the model's chances of these deals. Empty where the company had closed too few
    deals; NaN where a method had nothing to say.
    """
    observed, rates = history.at(day), rates_at(history, day)
    if not rates.is_known:
        observed, of_model = observed.iloc[:0], None
    by_rate = rates.of(observed)
    said = pd.concat([observed[_KEYS], by_rate], axis=1)
    said["week_end_rate"] = week_end_rates(history, day, observed, by_rate.pipeline_rate)
    for name in (STAGE_RATE, "week_end_rate"):
        said[name] = said[name].where(by_rate.is_pipeline_known)
    said[MODEL] = np.nan if of_model is None else of_model.given_closing
    return said[[*PREDICTIONS, COMPANY_RATE]]


@dataclass(frozen=True)
class Judged:
    """Predictions of deals that have closed since: with `is_won` and `closed_on`."""

    rows: pd.DataFrame

    @staticmethod
    def of(predictions: pd.DataFrame, history: History, day: int) -> Judged:
        """The predictions that can be judged at the end of a day."""
        earlier = predictions[predictions.observed_on < day]
        outcomes = history.outcomes(day)
        deals = codes(earlier.deal_id)
        rows = earlier.assign(is_won=outcomes.is_won[deals], closed_on=outcomes.closed_on[deals])
        return Judged(rows[rows.closed_on > rows.observed_on].reset_index(drop=True))

    def pipelines_of_the_model(self) -> list[str]:
        """The pipelines whose model has earned it."""
        found = []
        for pipeline, rows in self.rows.groupby("pipeline_id", observed=True):
            both = rows[rows[MODEL].notna() & rows[STAGE_RATE].notna()]
            if both.deal_id.nunique() < MIN_JUDGED_DEALS:
                continue
            if all(_is_better(both, rate) for rate in (STAGE_RATE, "week_end_rate")):
                found.append(str(pipeline))
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
        each = np.arange(count + 1)
        low, high = (beta.ppf(q, each + 0.5, count - each + 0.5) for q in INTERVAL)
        wins = wins.astype(int)
        return np.minimum(low[wins], probability), np.maximum(high[wins], probability)

    def scores(self) -> pd.DataFrame:
        """`marts.outlook_backtest`: by month end, pipeline and method."""
        found = []
        for (day, pipeline), rows in self.rows.groupby(
            ["observed_on", "pipeline_id"], observed=True
        ):
            for method in METHODS:
                said = rows[method].to_numpy()
                is_said = ~np.isnan(said)
                if is_said.any():
                    score = _score(said[is_said], rows.is_won.to_numpy()[is_said])
                    found.append((day, pipeline, method, *score))
        names = ["deals", "won", "brier", "log_loss", "auc", "mean_predicted", "win_rate"]
        return pd.DataFrame(found, columns=["as_of_on", "pipeline_id", "method", *names])


def rate_intervals(won: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """80 % intervals of rates that rest on so many deals; a rate of 0 or 1 without any is sure."""
    pairs, places = np.unique(np.column_stack([won, lost]), axis=0, return_inverse=True)
    low, high = (beta.ppf(q, *np.maximum(pairs, _TINY).T)[places.ravel()] for q in INTERVAL)
    rate = won / (won + lost)
    is_sure = (won <= 0) | (lost <= 0)
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
    around = np.bincount(pd.factorize(rows.deal_id)[0], weights=gain - gain.mean())
    error = float(np.sqrt((around**2).sum()) / len(gain))
    return bool(by_model.mean() <= (1 - MIN_GAIN) * by_rate.mean() and gain.mean() > error)


def _score(said: np.ndarray, is_won: np.ndarray) -> tuple[float | None, ...]:
    bounded = said.clip(_TINY, 1 - _TINY)
    loss = -(is_won * np.log(bounded) + (1 - is_won) * np.log(1 - bounded)).mean()
    won, lost = is_won.sum(), (1 - is_won).sum()
    auc = None
    if won and lost:
        # The chance that a won deal stands above a lost one, by ranks (Mann-Whitney).
        auc = (rankdata(said)[is_won == 1].sum() - won * (won + 1) / 2) / (won * lost)
    return (
        len(said),
        int(won),
        ((said - is_won) ** 2).mean(),
        loss,
        auc,
        said.mean(),
        is_won.mean(),
    )
