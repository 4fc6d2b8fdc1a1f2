"""The model: whether and when an open deal is won, in discrete time.

Two logistic regressions on what is known of a deal on a day: the chance that it closes in each span
of weeks ahead, given that it did not before, and the chance that it is won where it closes in that
span. Open deals count for as long as they were watched. From both follow the probability of winning
given closing, and when.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)

from orchestration.outlook.history import CATEGORIES, History

# Ends of the spans ahead, in days.
EDGES = np.array([7, 14, 28, 56, 91, 182, 364, 728])
# Days whose effect bends: a week of silence weighs early, not late.
BENDING = ("age_days", "days_in_stage", "days_since_contact")
# Enough for the regression; more takes longer and says the same.
MAX_OBSERVATIONS = 20_000
MAX_FOR_TIMING = 6_000
# A category seen less often says nothing by itself.
MIN_FREQUENCY = 20
# Strength of the coefficients' prior, per deal that was watched.
STRENGTH = 0.1
MIN_CLOSED = 50
MIN_OF_A_KIND = 10
# What speaks for winning in one pipeline may say nothing in another: those with enough closed deals
# have slopes of their own, held back towards the common ones.
MIN_FOR_OWN_SLOPES = 100
MAX_OWN_SLOPES = 4


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


class Model:
    """A model that was trained on what was known at the end of a day."""

    def __init__(self, history: History, day: int) -> None:
        """Train. Raises ValueError where too few deals were closed by then."""
        watched = history.observations[
            history.observations.is_week_end & (history.observations.observed_on < day)
        ]
        known = history.outcomes(day)
        watched = watched.join(known[["is_won", "closed_on"]], on="deal_id")
        closed = watched[watched.closed_on.notna()]
        won = closed.is_won.astype(bool)
        counts = closed.deal_id[won].nunique(), closed.deal_id[~won].nunique()
        if sum(counts) < MIN_CLOSED or min(counts) < MIN_OF_A_KIND:
            raise ValueError("too few deals were closed")
        closed = closed.iloc[-MAX_OBSERVATIONS:]
        self._encoder = _encoder(history.numbers).fit(closed)
        self._own_slopes = _pipelines_apart(closed)
        recent = watched.iloc[-MAX_OBSERVATIONS:]
        self.stage_medians = recent.groupby("stage_id")[history.numbers].median()
        self._win = self._fit_winning(closed)
        self._close, self._last_seen = self._fit_closing(watched, day)

    def _fit_winning(self, closed: pd.DataFrame) -> LogisticRegression:
        spans = _span_of(closed.closed_on - closed.observed_on)
        return _regression(
            np.hstack([self._by_pipeline(closed, self.encoded(closed)), _winning_terms(spans)]),
            closed.is_won.astype(bool).to_numpy(),
            closed.deal_id.nunique() / len(closed),
        )

    def _fit_closing(self, watched: pd.DataFrame, day: int) -> tuple[LogisticRegression, int]:
        """On a sample of observations, each once for every span that it lived to see.

        Returns the last span that enough of them saw, too.
        """
        step = -(-len(watched) // MAX_FOR_TIMING)
        some = watched.iloc[::step]
        is_closed = some.closed_on.notna().to_numpy()
        until = np.where(is_closed, some.closed_on, day) - some.observed_on.to_numpy()
        encoded, starts = self.encoded(some), np.concatenate([[0], EDGES[:-1]])
        rows, targets, last_seen = [], [], 0
        for span, (start, end) in enumerate(zip(starts[:-1], EDGES[:-1], strict=True)):
            closes = is_closed & (until > start) & (until <= end)
            # Whoever was watched only for a part of the span says nothing of it.
            seen = closes | (until > end)
            if seen.sum() < MIN_CLOSED:
                break
            rows.append(np.hstack([encoded[seen], _span_terms(np.full(seen.sum(), span))]))
            targets.append(closes[seen])
            last_seen = span
        if not targets or not (np.concatenate(targets).sum() > 0):
            raise ValueError("no deal was watched for long enough")
        target = np.concatenate(targets)
        weight = some.deal_id.nunique() / len(target)
        return _regression(np.vstack(rows), target, weight), last_seen

    def curve(self, observed: pd.DataFrame) -> Curve:
        """The chances of observed deals."""
        encoded = self.encoded(observed)
        of_winning = self._by_pipeline(observed, encoded)
        spans = np.minimum(np.arange(len(EDGES)), self._last_seen)
        closing = _split(self._close, encoded.shape[1])
        winning = _split(self._win, of_winning.shape[1])
        hazard = _sigmoid(
            (encoded @ closing[0])[:, None] + _span_terms(spans) @ closing[1] + closing[2]
        )
        # Nobody was watched for longer: what comes then is not known, and not made up.
        hazard[:, self._last_seen + 1 :] = 0.0
        winning_share = _sigmoid(
            (of_winning @ winning[0])[:, None] + _winning_terms(spans) @ winning[1] + winning[2]
        )
        alive = np.cumprod(np.column_stack([np.ones(len(hazard)), 1 - hazard[:, :-1]]), axis=1)
        closes = alive * hazard
        won = np.cumsum(closes * winning_share, axis=1)
        return Curve(won[:, -1] / closes.sum(axis=1), won)

    def encoded(self, observed: pd.DataFrame) -> np.ndarray:
        """The features of observed deals as the regressions read them, a row each."""
        return np.asarray(self._encoder.transform(observed), dtype=float)

    def _by_pipeline(self, observed: pd.DataFrame, encoded: np.ndarray) -> np.ndarray:
        """The encoded features, and the numbers among them once more for pipelines apart."""
        numbers = encoded[:, : self._encoder.output_indices_["category"].start]
        places = observed.pipeline_id.to_numpy()[:, None]
        return np.hstack([encoded, *(numbers * (places == name) for name in self._own_slopes)])


def _pipelines_apart(closed: pd.DataFrame) -> list[str]:
    """The pipelines with slopes of their own, the largest first; none where there is only one."""
    deals = closed.groupby("pipeline_id").deal_id.nunique().sort_index()
    deals = deals.sort_values(ascending=False, kind="stable")
    many = deals[deals >= MIN_FOR_OWN_SLOPES].index[:MAX_OWN_SLOPES]
    return [str(name) for name in many] if len(deals) > 1 else []


def _encoder(numbers: list[str]) -> ColumnTransformer:
    """Numbers on a logarithmic scale, the bending ones as splines; categories by indicators."""
    plain = [name for name in numbers if name not in BENDING]
    logarithm = FunctionTransformer(_logarithms, feature_names_out="one-to-one")
    return ColumnTransformer(
        [
            ("plain", make_pipeline(logarithm, StandardScaler()), plain),
            (
                "bending",
                make_pipeline(
                    FunctionTransformer(_logarithms),
                    SplineTransformer(n_knots=4, degree=1, knots="quantile"),
                    StandardScaler(),
                ),
                list(BENDING),
            ),
            (
                "missing",
                make_pipeline(FunctionTransformer(_missing), StandardScaler()),
                list(BENDING),
            ),
            (
                "category",
                OneHotEncoder(
                    handle_unknown="infrequent_if_exist",
                    min_frequency=MIN_FREQUENCY,
                    sparse_output=False,
                ),
                list(CATEGORIES),
            ),
        ]
    )


def _logarithms(values: pd.DataFrame) -> np.ndarray:
    # Nothing yet is as long as can be.
    return np.asarray(np.log1p(values.fillna(365).clip(lower=0).to_numpy(dtype=float)))


def _missing(values: pd.DataFrame) -> np.ndarray:
    return np.asarray(values.isna().to_numpy(dtype=float))


def _regression(rows: np.ndarray, target: np.ndarray, weight: float) -> LogisticRegression:
    """Observations of one deal resemble each other: together they weigh as one."""
    fitted = LogisticRegression(C=STRENGTH, max_iter=300)
    return fitted.fit(rows, target, sample_weight=np.full(len(target), weight))


def _split(fitted: LogisticRegression, width: int) -> tuple[np.ndarray, np.ndarray, float]:
    return fitted.coef_[0, :width], fitted.coef_[0, width:], float(fitted.intercept_[0])


def _span_of(days: pd.Series) -> np.ndarray:
    places = np.searchsorted(EDGES, days.to_numpy(dtype=float))
    return np.asarray(places.clip(max=len(EDGES) - 1))


def _span_terms(spans: np.ndarray) -> np.ndarray:
    """An indicator of each span; the one after the last that is judged is taken for it."""
    return np.asarray(np.eye(len(EDGES) - 1)[np.minimum(spans, len(EDGES) - 2)])


def _winning_terms(spans: np.ndarray) -> np.ndarray:
    """How far ahead, on a logarithmic scale."""
    return np.asarray(np.log(EDGES[spans] / EDGES[0])[:, None] / np.log(EDGES[-1] / EDGES[0]))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))
