"""What the past says without a model: how many of the closed deals were won, by stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from orchestration.outlook.history import History, codes, number_of_places, places

# How many deals the wider rate counts for, where a stage has few of its own.
PRIOR_DEALS = 5
MIN_CLOSED = 30


@dataclass(frozen=True)
class Counts:
    """Won and closed deals: of the company, by the code of the pipeline, or by place."""

    won: np.ndarray
    closed: np.ndarray

    @staticmethod
    def of(groups: np.ndarray, is_won: np.ndarray, count: int) -> Counts:
        """Count by group; deals that are open, whose `is_won` is NaN, do not count."""
        is_closed = ~np.isnan(is_won)
        groups, is_won = groups[is_closed], is_won[is_closed]
        return Counts(
            np.bincount(groups, weights=is_won, minlength=count),
            np.bincount(groups, minlength=count),
        )

    @property
    def rate(self) -> np.ndarray:
        """The won share; NaN where none has closed."""
        found = np.full(len(self.won), np.nan)
        np.divide(self.won, self.closed, out=found, where=self.closed > 0)
        return found


@dataclass(frozen=True)
class Rates:
    """Won shares of the deals that were closed at the end of a day.

    `stages` are counted of the deals that were there.
    """

    company: Counts
    pipelines: Counts
    stages: Counts

    @property
    def is_known(self) -> bool:
        """Whether the company has closed enough deals to say anything."""
        return bool(self.company.closed[0] >= MIN_CLOSED)

    def of(self, observed: pd.DataFrame) -> pd.DataFrame:
        """By observation: `stage_rate`, `company_rate`, and what they rest on.

        `won` and `lost` are the parameters of the Beta distribution of the stage's rate, of the
        company's in pipelines with too few closed deals (`is_pipeline_known`).
        """
        pipelines, at = codes(observed.pipeline_id), places(observed)
        is_known = self.pipelines.closed[pipelines] >= MIN_CLOSED
        company = float(self.company.rate[0])
        prior = self.pipelines.rate[pipelines]
        prior = np.where(np.isnan(prior), company, prior)
        won = self.stages.won[at] + PRIOR_DEALS * prior
        lost = self.stages.closed[at] - self.stages.won[at] + PRIOR_DEALS * (1 - prior)
        company_won, company_closed = float(self.company.won[0]), float(self.company.closed[0])
        company_lost = company_closed - company_won
        return pd.DataFrame(
            {
                "stage_rate": won / (won + lost),
                "company_rate": company,
                "pipeline_rate": prior,
                "is_pipeline_known": is_known,
                "won": np.where(is_known, won, company_won + PRIOR_DEALS * company),
                "lost": np.where(is_known, lost, company_lost + PRIOR_DEALS * (1 - company)),
            },
            index=observed.index,
        )


def rates_at(history: History, day: int) -> Rates:
    """The rates as they were known at the end of a day."""
    known = history.closed_at(day)
    is_won, pipelines = known.is_won.to_numpy(dtype=float), codes(known.pipeline_id)
    deals, at, entered_on = history.visited
    there = entered_on <= day
    won_of = history.outcomes(day).is_won
    return Rates(
        company=Counts.of(np.zeros(len(known), dtype=int), is_won, 1),
        pipelines=Counts.of(pipelines, is_won, len(known.pipeline_id.cat.categories)),
        stages=Counts.of(at[there], won_of[deals[there]], number_of_places(history.visits)),
    )


def week_end_rates(
    history: History, day: int, observed: pd.DataFrame, pipeline_rates: pd.Series
) -> np.ndarray:
    """The stage's rate once more, counted over deals and the week ends at which they were there."""
    seen = history.week_ends_before(day)
    is_won = history.outcomes(day).is_won[history.deals[seen]]
    counted = Counts.of(history.places[seen], is_won, number_of_places(history.observations))
    at = places(observed)
    won = counted.won[at] + PRIOR_DEALS * pipeline_rates.to_numpy()
    return np.asarray(won / (counted.closed[at] + PRIOR_DEALS))
