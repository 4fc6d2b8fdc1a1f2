"""The company's past as the build tells it: observations of open deals, and how deals ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np
import pandas as pd

FEATURES = "intermediate.int_outlook__features"
STAYS = "intermediate.int_outlook__stays"
ENTRIES = "marts.fct_stage_entries"
EPOCH = "date '1970-01-01'"

# What is no feature: keys, and which day it is.
FLAGS = ("is_as_of", "is_week_end", "is_month_end", "is_forecast_day")
KEYS = ("deal_id", "observed_on", *FLAGS)
CATEGORIES = ("pipeline_id", "stage_id", "source_id", "deal_type", "meeting_state", "stage_kind")
# Columns of several tables, whose codes mean the same in all of them.
_SHARED = ("deal_id", "pipeline_id", "stage_id")


@dataclass(frozen=True)
class Outcomes:
    """How deals had ended by a day, by the code of the deal; NaN where it was open."""

    is_won: np.ndarray
    closed_on: np.ndarray


@dataclass
class History:
    """Observations, closings and visits; days are whole numbers since 1970-01-01.

    `observations`: one row per open deal and day, with its features, in the order of days and
    deals. `closings`: one row per stay in a won or lost stage: `deal_id`, `pipeline_id`, `is_won`,
    `closed_on`, `reopened_on` (a great number where it still is); a deal is in one of them at most
    at a time. `visits`: `deal_id`, `pipeline_id`, `stage_id`, `entered_on`, a stage of a deal once.

    Columns of text are categorical with sorted categories, the same in all three.
    """

    observations: pd.DataFrame
    closings: pd.DataFrame
    visits: pd.DataFrame
    as_of: int

    def __post_init__(self) -> None:
        """Make text categorical where it is not."""
        for name in _SHARED:
            holders = [
                it for it in ("observations", "closings", "visits") if name in getattr(self, it)
            ]
            typed = _categorical(name, [getattr(self, holder) for holder in holders])
            for holder, frame in zip(holders, typed, strict=True):
                setattr(self, holder, frame)
        for name in set(CATEGORIES).difference(_SHARED).intersection(self.observations):
            self.observations = _categorical(name, [self.observations])[0]
        self.observations = self.observations.reset_index(drop=True)

    @cached_property
    def numbers(self) -> list[str]:
        """Names of the features that are numbers."""
        return [name for name in self.observations.columns if name not in (*KEYS, *CATEGORIES)]

    @cached_property
    def days(self) -> np.ndarray:
        """The day of each observation."""
        return np.asarray(self.observations.observed_on)

    @cached_property
    def deals(self) -> np.ndarray:
        """The code of each observation's deal."""
        return codes(self.observations.deal_id)

    @cached_property
    def places(self) -> np.ndarray:
        """A number for each observation's pipeline and stage."""
        return places(self.observations)

    @cached_property
    def visited(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Deals, places and days of the visits."""
        return codes(self.visits.deal_id), places(self.visits), self.visits.entered_on.to_numpy()

    @cached_property
    def week_ends(self) -> np.ndarray:
        """Positions of the observations at week ends."""
        return np.flatnonzero(self.observations.is_week_end.to_numpy(dtype=bool))

    def week_ends_before(self, day: int) -> np.ndarray:
        """Positions of the observations at week ends before a day."""
        return np.asarray(self.week_ends[: np.searchsorted(self.days[self.week_ends], day)])

    def closed_at(self, day: int) -> pd.DataFrame:
        """The closings that were so at the end of a day."""
        return self.closings[(self.closings.closed_on <= day) & (self.closings.reopened_on > day)]

    def outcomes(self, day: int) -> Outcomes:
        """How deals had ended by the end of a day."""
        known = self.closed_at(day)
        deals, count = codes(known.deal_id), len(self.closings.deal_id.cat.categories)
        is_won, closed_on = np.full(count, np.nan), np.full(count, np.nan)
        is_won[deals], closed_on[deals] = known.is_won.to_numpy(dtype=float), known.closed_on
        return Outcomes(is_won, closed_on)

    def month_ends(self) -> list[int]:
        """The month ends among the days of observation, but for the as-of date."""
        return self._days_before_today("is_month_end")

    def forecast_days(self) -> list[int]:
        """The days on which a forecast is made, the as-of date apart."""
        return self._days_before_today("is_forecast_day")

    def _days_before_today(self, flag: str) -> list[int]:
        found = np.unique(self.days[self.observations[flag].to_numpy(dtype=bool)])
        return [int(day) for day in found if day < self.as_of]

    def at(self, day: int) -> pd.DataFrame:
        """The observations of a day, by deal."""
        return self.observations.iloc[self._span(day)].reset_index(drop=True)

    def _span(self, day: int) -> slice:
        start, end = np.searchsorted(self.days, [day, day + 1])
        return slice(int(start), int(end))

    def hashes_at(self, day: int) -> np.ndarray:
        """Hashes of the observations of a day with their features."""
        return self.hashes[self._span(day)]

    @cached_property
    def hashes(self) -> np.ndarray:
        """A hash of each observation: deal, day and features."""
        return _hashes(self.observations, list(self.observations.columns.difference(FLAGS)))

    def known_at(self, day: int) -> int:
        """A number that changes with what rates are counted of at a day.

        Where deals stood at week ends, which stages they had passed, and how they ended.
        """
        return sum(
            int(sums[np.searchsorted(days, day, side="right")]) for days, sums in self._known
        )

    @cached_property
    def _known(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Sorted days, and sums of the hashes of what is known before each and after the last."""
        seen = self.observations.iloc[self.week_ends]
        reopened = self.closings.assign(what="reopened")
        parts = [
            (seen, "observed_on", ["deal_id", "observed_on", "pipeline_id", "stage_id"]),
            (self.closings, "closed_on", ["deal_id", "pipeline_id", "is_won", "closed_on"]),
            (reopened, "reopened_on", ["deal_id", "reopened_on", "what"]),
            (self.visits, "entered_on", ["deal_id", "pipeline_id", "stage_id", "entered_on"]),
        ]
        found = []
        for frame, day, columns in parts:
            order = np.argsort(frame[day].to_numpy(), kind="stable")
            sums = np.cumsum(_hashes(frame, columns)[order], dtype=np.uint64)
            found.append((frame[day].to_numpy()[order], np.insert(sums, 0, np.uint64(0))))
        return found


def codes(column: pd.Series) -> np.ndarray:
    """The codes of a categorical column."""
    return np.asarray(column.cat.codes)


def places(frame: pd.DataFrame) -> np.ndarray:
    """A number for each row's pipeline and stage; the same in all frames of a history."""
    stages = len(frame.stage_id.cat.categories)
    return np.asarray(codes(frame.pipeline_id).astype(np.int64) * stages + codes(frame.stage_id))


def number_of_places(frame: pd.DataFrame) -> int:
    """How many places there can be."""
    return len(frame.pipeline_id.cat.categories) * len(frame.stage_id.cat.categories)


def _hashes(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    return np.asarray(pd.util.hash_pandas_object(frame[sorted(columns)], index=False), np.uint64)


def _categorical(name: str, frames: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The frames with that column categorical, of the same sorted categories."""
    first = frames[0][name].dtype
    if isinstance(first, pd.CategoricalDtype) and all(it[name].dtype == first for it in frames):
        return list(frames)
    values = np.unique(np.concatenate([it[name].to_numpy(dtype=object) for it in frames]))
    dtype = pd.CategoricalDtype(values)
    return [it.assign(**{name: it[name].astype(object).astype(dtype)}) for it in frames]


def read_history(connection: duckdb.DuckDBPyConnection, build: str, marts: str) -> History:
    """Read the private build's, whose files are attached under the names `build` and `marts`."""
    features, stays, entries = f"{build}.{FEATURES}", f"{build}.{STAYS}", f"{marts}.{ENTRIES}"
    described = connection.execute(f"describe {features}").fetchall()
    texts = ("deal_id", *CATEGORIES)
    categories = {
        name: _number_values(
            connection, name, (features, stays, entries) if name in _SHARED else (features,)
        )
        for name in texts
    }
    selected = ", ".join(
        _code_of(name)
        if name in texts
        else f"({name} - {EPOCH})::integer as {name}"
        if kind == "DATE"
        else f"{name}::double as {name}"
        if kind in ("BIGINT", "INTEGER", "HUGEINT")
        else name
        for name, kind, *_ in described
    )
    shared = ", ".join(map(_code_of, _SHARED))
    observations = connection.execute(
        f"select {selected} from {features} {_joined(texts)} order by observed_on, deal_id"
    ).df()
    closings = connection.execute(
        f"select {_code_of('deal_id')}, {_code_of('pipeline_id')}, stage_kind = 'won' as is_won, "
        f"(from_on - {EPOCH})::integer as closed_on, "
        f"coalesce((until_on - {EPOCH})::integer, 999999999) as reopened_on "
        f"from {stays} {_joined(('deal_id', 'pipeline_id'))} "
        "where stage_kind in ('won', 'lost') order by deal_id, entry_no"
    ).df()
    visits = connection.execute(
        # Whoever passed a stage within a day was in it, too.
        f"select {shared}, min(entered_on - {EPOCH})::integer as entered_on "
        f"from (select deal_id, pipeline_id, stage_id, stage_kind, from_on as entered_on "
        f"from {stays} union all "
        f"select deal_id, pipeline_id, stage_id, stage_kind, entered_on from {entries}) as visits "
        f"{_joined(_SHARED)} where stage_kind not in ('won', 'lost') group by all order by all"
    ).df()
    found = connection.execute(
        f"select (as_of_date - {EPOCH})::integer from {build}.intermediate.int_refresh__as_of"
    ).fetchone()
    assert found is not None
    return History(
        _decoded(observations, categories),
        _decoded(closings, categories),
        _decoded(visits, categories),
        int(found[0]),
    )


def _number_values(
    connection: duckdb.DuckDBPyConnection, name: str, tables: Sequence[str]
) -> list[str]:
    """Number the values of a text column in their order, NULL as empty; a temporary table of it.

    Numbers are read and compared many times faster than texts.
    """
    values = " union all ".join(f"select coalesce({name}::varchar, '') from {it}" for it in tables)
    connection.execute(
        f"create or replace temp table values_of_{name} as "
        f"select it as value, (row_number() over (order by it) - 1)::integer as code "
        f"from (select distinct it from ({values}) as found(it))"
    )
    found = connection.execute(f"select value from values_of_{name} order by code").fetchall()
    return [value for (value,) in found]


def _code_of(name: str) -> str:
    return f"values_of_{name}.code as {name}"


def _joined(names: Sequence[str]) -> str:
    return " ".join(
        f"left join values_of_{name} on coalesce({name}::varchar, '') = values_of_{name}.value"
        for name in names
    )


def _decoded(frame: pd.DataFrame, categories: Mapping[str, list[str]]) -> pd.DataFrame:
    found = {
        name: pd.Categorical.from_codes(frame[name], categories=pd.Index(values, dtype=object))
        for name, values in categories.items()
        if name in frame
    }
    return frame.assign(**found)
