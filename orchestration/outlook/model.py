"""The model: whether and when an open deal is won, in discrete time.

Two logistic regressions on what is known of a deal on a day: the chance that it closes in each span
of weeks ahead, given that it did not before, and the chance that it is won where it closes in that
span. Open deals count for as long as they were watched. From both follow the probability of winning
given closing, and when.
"""

from __future__ import annotations

from functools import cached_property

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

from orchestration.outlook.curve import EDGES, Curve
from orchestration.outlook.history import CATEGORIES, codes
from orchestration.outlook.training import MIN_CLOSED, Training

# Days whose effect bends: a week of silence weighs early, not late.
BENDING = ("age_days", "days_in_stage", "days_since_contact")
# A category seen less often says nothing by itself.
MIN_FREQUENCY = 20
# Strength of the coefficients' prior, per deal that was watched.
STRENGTH = 0.1
# What speaks for winning in one pipeline may say nothing in another: those with enough closed deals
# have slopes of their own, held back towards the common ones.
MIN_FOR_OWN_SLOPES = 100
MAX_OWN_SLOPES = 4


class Model:
    """A model that was trained on what was known at the end of a day."""

    def __init__(self, training: Training) -> None:
        """Train. Raises ValueError where no deal was watched for long enough."""
        self._training = training
        closed = training.observed(training.closed)
        self._encoder = _encoder(training.history.numbers)
        encoded = np.asarray(self._encoder.fit_transform(closed), dtype=float)
        self._own_slopes = _pipelines_apart(closed)
        self._win = self._fit_winning(training, self._by_pipeline(closed, encoded))
        self._close, self._last_seen = self._fit_closing(training)

    @cached_property
    def stage_medians(self) -> pd.DataFrame:
        """By stage, the median of each number among the last observations."""
        recent = self._training.observed(self._training.recent)
        return recent.groupby("stage_id", observed=True)[self._training.history.numbers].median()

    def _fit_winning(self, training: Training, encoded: np.ndarray) -> LogisticRegression:
        rows = training.closed
        spans = _span_of(training.days_to_close(rows))
        return _regression(
            np.hstack([encoded, _winning_terms(spans)]),
            training.is_won(rows) == 1,
            training.deals(rows) / len(rows),
        )

    def _fit_closing(self, training: Training) -> tuple[LogisticRegression, int]:
        """On a sample of observations, each once for every span that it lived to see.

        Returns the last span that enough of them saw, too.
        """
        some, until = training.timed, training.days_to_close(training.timed)
        is_closed = ~np.isnan(until)
        until = np.where(is_closed, until, training.day - training.history.days[some])
        encoded = self.encoded(training.observed(some))
        starts = np.concatenate([[0], EDGES[:-1]])
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
        weight = training.deals(some) / len(target)
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
    deals = closed.groupby("pipeline_id", observed=True).deal_id.nunique().sort_index()
    deals = deals.sort_values(ascending=False, kind="stable")
    many = deals[deals >= MIN_FOR_OWN_SLOPES].index[:MAX_OWN_SLOPES]
    return [str(name) for name in many] if len(deals) > 1 else []


def _encoder(numbers: list[str]) -> ColumnTransformer:
    """Numbers on a logarithmic scale, the bending ones as splines; categories by indicators."""
    plain = [name for name in numbers if name not in BENDING]
    return ColumnTransformer(
        [
            ("plain", make_pipeline(FunctionTransformer(_logarithms), StandardScaler()), plain),
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
                make_pipeline(
                    # Numbers are encoded many times faster than texts.
                    FunctionTransformer(_category_codes),
                    OneHotEncoder(
                        handle_unknown="infrequent_if_exist",
                        min_frequency=MIN_FREQUENCY,
                        sparse_output=False,
                    ),
                ),
                list(CATEGORIES),
            ),
        ]
    )


def _logarithms(values: pd.DataFrame) -> np.ndarray:
    numbers = values.to_numpy(dtype=float)
    # Nothing yet is as long as can be.
    return np.asarray(np.log1p(np.maximum(np.where(np.isnan(numbers), 365.0, numbers), 0.0)))


def _missing(values: pd.DataFrame) -> np.ndarray:
    return np.asarray(values.isna().to_numpy(dtype=float))


def _category_codes(values: pd.DataFrame) -> np.ndarray:
    return np.column_stack([codes(values[name]) for name in values.columns])


def _regression(rows: np.ndarray, target: np.ndarray, weight: float) -> LogisticRegression:
    """Observations of one deal resemble each other: together they weigh as one."""
    fitted = LogisticRegression(C=STRENGTH, max_iter=300)
    return fitted.fit(rows, target, sample_weight=np.full(len(target), weight))


def _split(fitted: LogisticRegression, width: int) -> tuple[np.ndarray, np.ndarray, float]:
    return fitted.coef_[0, :width], fitted.coef_[0, width:], float(fitted.intercept_[0])


def _span_of(days: np.ndarray) -> np.ndarray:
    places = np.searchsorted(EDGES, days)
    return np.asarray(places.clip(max=len(EDGES) - 1))


def _span_terms(spans: np.ndarray) -> np.ndarray:
    """An indicator of each span; the one after the last that is judged is taken for it."""
    return np.asarray(np.eye(len(EDGES) - 1)[np.minimum(spans, len(EDGES) - 2)])


def _winning_terms(spans: np.ndarray) -> np.ndarray:
    """How far ahead, on a logarithmic scale."""
    return np.asarray(np.log(EDGES[spans] / EDGES[0])[:, None] / np.log(EDGES[-1] / EDGES[0]))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))
