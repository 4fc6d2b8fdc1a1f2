"""What is said of open deals on a day: probability, interval, when, and what moves it."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, timedelta

import numpy as np
import pandas as pd

from orchestration.outlook.backtest import (
    COMPANY_RATE,
    MODEL,
    NONE,
    STAGE_RATE,
    Judged,
    rate_intervals,
)
from orchestration.outlook.curve import Curve
from orchestration.outlook.history import History, codes, places
from orchestration.outlook.model import Model
from orchestration.outlook.rates import rates_at

_FIRST = date(1970, 1, 1)
# A median of fewer deals is none.
MIN_WON_FOR_MEDIAN = 20
MIN_REASON = 0.01
REASONS = 3
PERIODS = 3
DIGITS = 6
_ONE_DAY = re.compile(r"\b1 days\b")


def score(
    history: History, day: int, of_model: Curve | None, judged: Judged, lag_days: int
) -> pd.DataFrame:
    """One row per deal that was open at the end of a day. `of_model`: the model's chances of them.

    `method`, `win_probability` with `_low` and `_high`, `closes_this_month_probability`,
    `closes_next_month_probability`, `median_days` until it is won, and `paid_in_0` … `paid_in_2`:
    that it is won in time to be paid, `lag_days` later, in this month and the two after.
    """
    observed, rates = history.at(day), rates_at(history, day)
    said = observed[["observed_on", "deal_id", "pipeline_id", "stage_id"]].copy()
    if observed.empty:
        return said.assign(method=[])
    by_rate = rates.of(observed)
    is_model = np.zeros(len(said), dtype=bool)
    if of_model is not None:
        is_model = said.pipeline_id.isin(judged.pipelines_of_the_model()).to_numpy()
    is_pipeline = by_rate.is_pipeline_known.to_numpy()
    said["method"] = np.select(
        [is_model, is_pipeline, np.full(len(said), rates.is_known)],
        [MODEL, STAGE_RATE, COMPANY_RATE],
        NONE,
    )
    rate = np.where(is_pipeline, by_rate.stage_rate, by_rate.company_rate)
    low, high = rate_intervals(by_rate.won.to_numpy(), by_rate.lost.to_numpy())
    curve = _RateCurve(history, day, observed, rate)
    probability, median = rate, curve.median_days()
    within: Callable[[float], np.ndarray] = curve.won_within
    if is_model.any():
        assert of_model is not None
        probability = np.where(is_model, of_model.given_closing, rate)
        model_low, model_high = judged.intervals(of_model.given_closing)
        low, high = np.where(is_model, model_low, low), np.where(is_model, model_high, high)
        median = np.where(is_model & ~np.isnan(median), of_model.median_days(), median)
        within = _either(is_model, of_model, curve)
    is_none = (said.method == NONE).to_numpy()
    ends = _month_ends(day)
    by_end = [within(end) for end in ends]
    said["win_probability"] = probability
    said["win_probability_low"], said["win_probability_high"] = low, high
    said["closes_this_month_probability"] = by_end[0]
    said["closes_next_month_probability"] = by_end[1] - by_end[0]
    paid = [np.zeros(len(said)), *(within(end - lag_days) for end in ends)]
    for number in range(PERIODS):
        said[f"paid_in_{number}"] = paid[number + 1] - paid[number]
    numbers = said.columns[said.columns.get_loc("win_probability") :]
    said.loc[is_none, numbers] = np.nan
    said[numbers] = said[numbers].astype(float).round(DIGITS)
    said["median_days"] = np.where(is_none, np.nan, np.round(median))
    return said


def reasons(
    history: History, scored: pd.DataFrame, model: Model, phrases: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """What moves the deals that the model scored, in words: `reason_1` … and their languages.

    A feature's weight is the probability less the probability with that feature as the median deal
    of the stage has it.
    """
    observed = history.at(history.as_of)
    is_model = (scored.method == MODEL).to_numpy()
    observed = observed[is_model].reset_index(drop=True)
    given = model.curve(observed).given_closing
    medians = model.stage_medians.reindex(observed.stage_id).reset_index(drop=True)
    names = [name for name in history.numbers if name in phrases]
    weights = np.zeros((len(observed), len(names)))
    for place, name in enumerate(names):
        usual = medians[name]
        differs = ((observed[name] != usual) & ~(observed[name].isna() & usual.isna())).to_numpy()
        if differs.any():
            other = observed[differs].assign(**{name: usual[differs]})
            weights[differs, place] = given[differs] - model.curve(other).given_closing
    order = np.argsort(-np.abs(weights), axis=1, kind="stable")[:, :REASONS]
    values, rows = observed[names].to_numpy(), []
    for row, (deal, ranked) in enumerate(zip(observed.deal_id, order, strict=True)):
        found: list[str | None] = []
        for place in ranked:
            weight, name = weights[row, place], names[place]
            if round(abs(weight), 4) < MIN_REASON:
                found += [None, None, None]
                continue
            value = values[row, place]
            found.append(name)
            found += [_told(phrases[name], language, value, weight) for language in ("ru", "en")]
        rows.append((deal, *found))
    columns = [f"reason_{n + 1}{end}" for n in range(REASONS) for end in ("", "_ru", "_en")]
    return pd.DataFrame(rows, columns=["deal_id", *columns])


class _RateCurve:
    """When deals that are won are won, as it was seen of deals at the same stage."""

    def __init__(
        self, history: History, day: int, observed: pd.DataFrame, rate: np.ndarray
    ) -> None:
        seen, outcomes = history.week_ends_before(day), history.outcomes(day)
        deals = history.deals[seen]
        days = outcomes.closed_on[deals] - history.days[seen]
        is_later_won = (outcomes.is_won[deals] == 1) & (days > 0)
        deals, days, seen = deals[is_later_won], days[is_later_won], seen[is_later_won]
        at, pipelines = history.places[seen], codes(history.observations.pipeline_id)[seen]
        self._rate = rate
        self._places, self._days, self._is_stage = [], [], []
        observed_at = places(observed)
        for place in np.unique(observed_at):
            where = np.flatnonzero(observed_at == place)
            found = at == place
            is_stage = len(np.unique(deals[found])) >= MIN_WON_FOR_MEDIAN
            if not is_stage:
                found = pipelines == observed.pipeline_id.cat.codes.iloc[where[0]]
                if len(np.unique(deals[found])) < MIN_WON_FOR_MEDIAN:
                    found = np.full(len(deals), True)
            self._places.append(where)
            self._days.append(np.sort(days[found]))
            self._is_stage.append(is_stage)

    def won_within(self, days: float) -> np.ndarray:
        """Chance to be won within so many days; NaN where no won deal was ever watched."""
        chances = np.full(len(self._rate), np.nan)
        for where, seen in zip(self._places, self._days, strict=True):
            share = np.searchsorted(seen, days, side="right") / len(seen) if len(seen) else np.nan
            chances[where] = share
        return np.asarray(chances * self._rate)

    def median_days(self) -> np.ndarray:
        """Median days until winning; NaN where too few won deals were at the stage."""
        medians = np.full(len(self._rate), np.nan)
        for where, seen, is_stage in zip(self._places, self._days, self._is_stage, strict=True):
            if is_stage:
                medians[where] = np.median(seen)
        return medians


def _either(
    is_model: np.ndarray, of_model: Curve, by_rate: _RateCurve
) -> Callable[[float], np.ndarray]:
    """The model's curve where it has earned it, else the rate's."""
    return lambda days: np.where(is_model, of_model.won_within(days), by_rate.won_within(days))


def _month_ends(day: int) -> list[int]:
    """Days from a day to the ends of its month and of the two after."""
    start = _FIRST + timedelta(days=day)
    year, month, ends = start.year, start.month, []
    for _ in range(PERIODS):
        last = date(year, month, monthrange(year, month)[1])
        ends.append((last - start).days)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return ends


def _told(phrase: Mapping[str, str], language: str, value: float, weight: float) -> str:
    """`no contact for 19 days: −12 pp`."""
    points = f"{'+' if weight > 0 else '−'}{abs(weight) * 100:.0f}"
    unit = {"ru": "п. п.", "en": "pp"}[language]
    if pd.isna(value):
        text = phrase[f"missing_{language}"]
    elif value == 0 and phrase[f"none_{language}"]:
        text = phrase[f"none_{language}"]
    else:
        shown = value / float(phrase["divisor"] or 1)
        text = phrase[f"text_{language}"].replace("{}", f"{shown:.0f}")
        text = _ONE_DAY.sub("1 day", text)
    return f"{text}: {points} {unit}"
