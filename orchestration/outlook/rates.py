"""What the past says without a model: how many of the closed deals were won, by stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from orchestration.outlook.history import History

# How many deals the wider rate counts for, where a stage has few of its own.
PRIOR_DEALS = 5
MIN_CLOSED = 30
_BY_STAGE = ["pipeline_id", "stage_id"]


@dataclass(frozen=True)
class Rates:
    """Won shares of the deals that were closed at the end of a day.

    `company` and `pipelines` have `won`, `closed`, `rate`; `stages`, by pipeline and stage, of the
    deals that were there.
    """

    company: pd.Series
    pipelines: pd.DataFrame
    stages: pd.DataFrame

    @property
    def is_known(self) -> bool:
        """Whether the company has closed enough deals to say anything."""
        return bool(self.company.closed >= MIN_CLOSED)

    def of(self, observed: pd.DataFrame) -> pd.DataFrame:
        """By observation: `stage_rate`, `company_rate`, and what they rest on.

        `won` and `lost` are the parameters of the Beta distribution of the stage's rate, of the
        company's in pipelines with too few closed deals (`is_pipeline_known`).
        """
        pipelines = self.pipelines.reindex(observed.pipeline_id)
        closed = pipelines.closed.fillna(0).to_numpy()
        is_known = closed >= MIN_CLOSED
        company = float(self.company.rate) if self.company.closed else np.nan
        prior = np.where(closed > 0, pipelines.rate.to_numpy(), company)
        keys = pd.MultiIndex.from_frame(observed[_BY_STAGE])
        stages = self.stages.reindex(keys).fillna(0)
        won = stages.won.to_numpy() + PRIOR_DEALS * prior
        lost = (stages.closed - stages.won).to_numpy() + PRIOR_DEALS * (1 - prior)
        return pd.DataFrame(
            {
                "stage_rate": won / (won + lost),
                "company_rate": company,
                "pipeline_rate": prior,
                "is_pipeline_known": is_known,
                "won": np.where(is_known, won, self.company.won + PRIOR_DEALS * company),
                "lost": np.where(
                    is_known,
                    lost,
                    self.company.closed - self.company.won + PRIOR_DEALS * (1 - company),
                ),
            },
            index=observed.index,
        )


def rates_at(history: History, day: int) -> Rates:
    """The rates as they were known at the end of a day."""
    known = history.outcomes(day)
    visits = history.visits[history.visits.entered_on <= day]
    visits = visits.drop_duplicates(["deal_id", "pipeline_id", "stage_id"])
    return Rates(
        company=_counted(known.assign(all=0), "all").reindex([0], fill_value=0).iloc[0],
        pipelines=_counted(known, "pipeline_id"),
        stages=_counted(visits.join(known.is_won, on="deal_id", how="inner"), _BY_STAGE),
    )


def week_end_rates(
    history: History, day: int, observed: pd.DataFrame, pipeline_rates: pd.Series
) -> np.ndarray:
    """The stage's rate once more, counted over deals and the week ends at which they were there."""
    known = history.outcomes(day)
    seen = history.observations[
        history.observations.is_week_end & (history.observations.observed_on < day)
    ]
    seen = seen[["deal_id", *_BY_STAGE]].join(known.is_won, on="deal_id", how="inner")
    counted = _counted(seen, _BY_STAGE)
    counted = counted.reindex(pd.MultiIndex.from_frame(observed[_BY_STAGE])).fillna(0)
    won = counted.won.to_numpy() + PRIOR_DEALS * pipeline_rates.to_numpy()
    return np.asarray(won / (counted.closed.to_numpy() + PRIOR_DEALS))


def _counted(rows: pd.DataFrame, by: str | list[str]) -> pd.DataFrame:
    counted = rows.assign(is_won=rows.is_won.astype(float)).groupby(by).is_won.agg(["sum", "count"])
    counted.columns = pd.Index(["won", "closed"])
    return counted.assign(rate=counted.won / counted.closed)
