"""The company's past as the build tells it: observations of open deals, and how deals ended."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np
import pandas as pd

FEATURES = "intermediate.int_outlook__features"
ENTRIES = "marts.fct_stage_entries"
EPOCH = "date '1970-01-01'"

# What is no feature: keys, and which day it is.
KEYS = ("deal_id", "observed_on", "is_as_of", "is_week_end", "is_month_end", "is_forecast_day")
CATEGORIES = ("pipeline_id", "stage_id", "source_id", "deal_type", "meeting_state", "stage_kind")


@dataclass(frozen=True)
class History:
    """Observations, closings and visits; days are whole numbers since 1970-01-01.

    `observations`: one row per open deal and day, with its features. `closings`: one row per stay
    in a won or lost stage: `deal_id`, `pipeline_id`, `is_won`, `closed_on`, `reopened_on` (a great
    number where it still is). `visits`: `deal_id`, `pipeline_id`, `stage_id`, `entered_on`.
    """

    observations: pd.DataFrame
    closings: pd.DataFrame
    visits: pd.DataFrame
    as_of: int

    @cached_property
    def numbers(self) -> list[str]:
        """Names of the features that are numbers."""
        return [
            name for name in self.observations.columns if name not in (*KEYS, *CATEGORIES, "hash")
        ]

    def outcomes(self, day: int) -> pd.DataFrame:
        """Deals closed at the end of a day: `pipeline_id`, `is_won`, `closed_on` by deal."""
        known = self.closings[(self.closings.closed_on <= day) & (self.closings.reopened_on > day)]
        return known.drop_duplicates("deal_id", keep="last").set_index("deal_id")

    def month_ends(self) -> list[int]:
        """The month ends among the days of observation, but for the as-of date."""
        days = self.observations.loc[self.observations.is_month_end, "observed_on"].unique()
        return sorted(int(day) for day in days if day < self.as_of)

    def forecast_days(self) -> list[int]:
        """The days on which a forecast is made, the as-of date apart."""
        days = self.observations.loc[self.observations.is_forecast_day, "observed_on"].unique()
        return sorted(int(day) for day in days if day < self.as_of)

    def at(self, day: int) -> pd.DataFrame:
        """The observations of a day, by deal."""
        found = self.observations[self.observations.observed_on == day]
        return found.sort_values("deal_id").reset_index(drop=True)

    def fingerprint(self, day: int) -> int:
        """What could be known by the end of a day, as a number."""
        sums = (hashes[days <= day].sum(dtype=np.uint64) for days, hashes in self._hashes)
        return sum(int(number) for number in sums)

    @cached_property
    def _hashes(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Days, and hashes of what is known from them on."""

        def hashed(
            frame: pd.DataFrame, day: str, columns: list[str]
        ) -> tuple[np.ndarray, np.ndarray]:
            rows = pd.util.hash_pandas_object(frame[columns], index=False)
            return frame[day].to_numpy(), rows.to_numpy(dtype=np.uint64)

        reopened = self.closings.assign(what="reopened")
        return [
            hashed(
                self.observations, "observed_on", list(self.observations.columns.drop("is_as_of"))
            ),
            hashed(self.closings, "closed_on", ["deal_id", "pipeline_id", "is_won", "closed_on"]),
            hashed(reopened, "reopened_on", ["deal_id", "reopened_on", "what"]),
            hashed(self.visits, "entered_on", list(self.visits.columns)),
        ]


def read_history(connection: duckdb.DuckDBPyConnection, build: str, marts: str) -> History:
    """Read the private build's, whose files are attached under the names `build` and `marts`."""
    described = connection.execute(f"describe {build}.{FEATURES}").fetchall()
    selected = ", ".join(
        f"({name} - {EPOCH})::integer as {name}"
        if kind == "DATE"
        else f"{name}::double as {name}"
        if kind in ("BIGINT", "INTEGER", "HUGEINT")
        else name
        for name, kind, *_ in described
    )
    observations = connection.execute(
        f"select {selected} from {build}.{FEATURES} order by observed_on, deal_id"
    ).df()
    stays = f"{build}.intermediate.int_outlook__stays"
    closings = connection.execute(
        f"select deal_id, pipeline_id, stage_kind = 'won' as is_won, "
        f"(from_on - {EPOCH})::integer as closed_on, "
        f"coalesce((until_on - {EPOCH})::integer, 999999999) as reopened_on "
        f"from {stays} where stage_kind in ('won', 'lost') order by deal_id, entry_no"
    ).df()
    visits = connection.execute(
        # Whoever passed a stage within a day was in it, too.
        f"select deal_id, pipeline_id, stage_id, min(entered_on - {EPOCH})::integer as entered_on "
        f"from (select deal_id, pipeline_id, stage_id, stage_kind, from_on as entered_on "
        f"from {stays} union all "
        f"select deal_id, pipeline_id, stage_id, stage_kind, entered_on from {marts}.{ENTRIES}) "
        f"where stage_kind not in ('won', 'lost') group by all order by all"
    ).df()
    found = connection.execute(
        f"select (as_of_date - {EPOCH})::integer from {build}.intermediate.int_refresh__as_of"
    ).fetchone()
    assert found is not None
    for name in CATEGORIES:
        observations[name] = observations[name].astype(object).where(observations[name].notna(), "")
    return History(observations, closings, visits, int(found[0]))
