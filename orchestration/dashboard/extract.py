"""The data of the page that is one file, read from one published file, as much as fits.

Tables that a filter cuts are cubes: key columns, as positions in the lists of managers, sources
and so on, and additive columns. Figures that do not add up come as rows of the mart that has them.
A large company's page has less: the part that weighs most gives up detail first, step by step,
until the whole fits. What was left out is in `about.left_out`, and the page says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from orchestration.base.sql import quote
from orchestration.base.variables import Variables
from orchestration.dashboard.cubes import DAY, Cube, encoded, summed
from orchestration.dashboard.encode import dumps
from orchestration.dashboard.sections import Sections
from orchestration.metrics.catalogue import Catalogue

# Days of which the page has the pipeline day by day; before them it has ends of weeks and months.
PIPELINE_DAYS = 62


@dataclass(frozen=True)
class Detail:
    """How much of a part the page has: its last `months` (all), without some keys.

    `daily`: of how many last months it has days, before them whole months.
    """

    months: int | None = None
    without: tuple[str, ...] = ()
    daily: int | None = None


_WHOLE = Detail()
_LATEST = (_WHOLE, Detail(25), Detail(13), Detail(7), Detail(4), Detail(2), Detail(1))
_BY_SOURCE = (
    *(_WHOLE, Detail(25), Detail(25, ("source",)), Detail(13, ("source",))),
    *(Detail(7, ("source",)), Detail(13, ("source", "manager")), Detail(2, ("source", "manager"))),
)
_BY_MANAGER = (
    *(_WHOLE, Detail(25), Detail(13), Detail(7), Detail(13, ("manager",)), Detail(2, ("manager",))),
)
# What each part gives up, in turn.
STEPS: dict[str, tuple[Detail, ...]] = {
    "daily": (
        *(_WHOLE, Detail(daily=13), Detail(daily=7), Detail(daily=4), Detail(daily=3)),
        *(Detail(25, daily=3), Detail(25, ("source",), 4), Detail(25, ("source",), 3)),
        *(Detail(13, ("source",), 3), Detail(13, ("source",), 2), Detail(7, ("source",), 2)),
        *(Detail(7, ("source",), 1), Detail(4, ("source",), 1)),
        *(Detail(13, ("source", "manager")), Detail(2, ("source", "manager"))),
    ),
    "hours": _BY_MANAGER,
    "lost": _BY_MANAGER,
    "funnel": _BY_SOURCE,
    "response": _BY_SOURCE,
    "gaps": _BY_SOURCE,
    "pipeline": (
        *(_WHOLE, Detail(daily=2), Detail(13, daily=2), Detail(13, ("source",), 2)),
        *(Detail(4, ("source",), 2), Detail(13, ("source", "manager"), 2)),
        Detail(2, ("source", "manager"), 1),
    ),
    **dict.fromkeys(("ads", "missed", "waits", "company_days"), _LATEST),
    **dict.fromkeys(("company", "stated", "plans", "diagnosis", "profiles", "loads"), _LATEST),
}
# The part whose history decides what periods the page offers; it is worth more room than others.
_MAIN = "daily"
_WORTH = 4
# No row of a cube weighs less: what cannot fit is not even read.
_LEAST_BYTES = {_MAIN: 36, "hours": 8, "pipeline": 5}
# A cube and a table have the same name.
_CUBE_OF = {"company_days": "company"}
_UNDATED = ("ageing", "outlook", "customers")


class Extract:
    """Gives the page's data; `max_bytes` is what it may weigh as JSON."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, max_bytes: int) -> None:
        self._connection = connection
        self._sections = Sections(connection)
        self._max_bytes = max_bytes
        self._at = dict.fromkeys(STEPS, 0)
        self._made: dict[str, dict[str, Any]] = {}

    def data(self, catalogue: Catalogue, variables: Variables) -> dict[str, Any]:
        """Everything that the page needs, ready for JSON; `variables` are dbt's."""
        sections = self._sections
        needs = sections.needs(catalogue)
        fixed = {
            "about": sections.about(variables, needs),
            "metrics": sections.metrics(catalogue, needs),
            **sections.lists(),
            "cohorts": sections.cohorts(),
            "presale": sections.presale(),
            "outlook": sections.outlook(),
            "quality": sections.quality(),
            "undated": {
                name: self._encoded(sections.cubes[name], sections.cubes[name].source)
                for name in _UNDATED
            },
        }
        self._fit(self._max_bytes - len(dumps(fixed).encode()))
        return {
            **{name: value for name, value in fixed.items() if name != "undated"},
            "about": {**fixed["about"], **self._window()},
            "cubes": {
                **{_CUBE_OF.get(name, name): self._made[name] for name in STEPS if _is_cube(name)},
                **fixed["undated"],
            },
            **{name: self._made[name] for name in STEPS if not _is_cube(name)},
        }

    # How much fits

    def _fit(self, room: int) -> None:
        """Make all parts; one after the other gives up a step, until all fit."""
        for name, least in _LEAST_BYTES.items():
            while self._has_more(name) and least * self._rows(name) > room:
                self._at[name] += 1
        self._made = {name: self._part(name) for name in STEPS}
        bytes_ = {name: len(dumps(part)) for name, part in self._made.items()}

        def weight(name: str) -> float:
            return bytes_[name] / (_WORTH if name == _MAIN else 1)

        while sum(bytes_.values()) > room:
            left = [name for name in STEPS if self._has_more(name)]
            if not left:
                return
            heaviest = max(left, key=weight)
            start, kept = self.start, self._kept(heaviest)
            while self._has_more(heaviest) and self._kept(heaviest) == kept:
                self._at[heaviest] += 1
            # Days are counted from the first one.
            for name in STEPS if self.start != start else (heaviest,):
                self._made[name] = self._part(name)
                bytes_[name] = len(dumps(self._made[name]))

    def _has_more(self, name: str) -> bool:
        return self._at[name] + 1 < len(STEPS[name])

    def _kept(self, name: str) -> tuple[Any, ...]:
        """What a step comes to in this history: of a year, 25 months are the whole."""
        detail = self._detail(name)
        return self._since(name, detail.months), self._days_since(name), detail.without

    def _rows(self, name: str) -> int:
        cube, source, where = self._read(name)
        keys = ", ".join(quote(column) for column in cube.keys.values())
        (found,) = self._sections.one(
            f"select count(*) from (select 1 from {source} where {where} group by {keys})"
        )
        return int(found)

    def _detail(self, name: str) -> Detail:
        return STEPS[name][self._at[name]]

    @property
    def start(self) -> date:
        """The first day of the page."""
        return self._since(_MAIN, self._detail(_MAIN).months)

    def _since(self, name: str, months: int | None) -> date:
        sections = self._sections
        start = sections.first if months is None else _months_before(sections.end, months)
        return max(start, sections.first if name == _MAIN else self.start)

    def _days_since(self, name: str) -> date | None:
        """From which day on a part has days; None: everywhere."""
        daily = self._detail(name).daily
        start = None if daily is None else _months_before(self._sections.end, daily)
        return start if start and start > self.start else None

    def _window(self) -> dict[str, Any]:
        """What of the history the page has."""
        left_out: dict[str, Any] = {}
        for name in STEPS:
            detail = self._detail(name)
            since, days = self._since(name, detail.months), self._days_since(name)
            found = {
                "since": since.isoformat() if since > self.start else None,
                "days_since": days.isoformat() if days else None,
                "without": list(detail.without),
            }
            if any(found.values()):
                left_out[name] = {key: value for key, value in found.items() if value}
        return {
            "start": self.start.isoformat(),
            "is_whole": self.start <= self._sections.first,
            "has_sources": "source" not in self._detail(_MAIN).without,
            "has_managers": "manager" not in self._detail(_MAIN).without,
            "left_out": left_out,
        }

    # Parts

    def _part(self, name: str) -> dict[str, Any]:
        if _is_cube(name):
            return self._encoded(*self._read(name))
        since = self._since(name, self._detail(name).months)
        # The week, quarter or year that holds the first day begins before it.
        first = since.replace(month=1, day=1) - timedelta(days=7)
        if name in ("plans", "profiles", "loads") or since > self.start:
            first = since.replace(day=1)
        return self._sections.dated(
            name, f"period_start >= date '{first}' and period_start <= date '{self._last(name)}'"
        )

    def _last(self, name: str) -> date:
        # Plans are made for what has not come yet.
        return date(9999, 1, 1) if name == "plans" else self._sections.end

    def _read(self, name: str) -> tuple[Cube, str, str]:
        """A cube with the keys that it has, what it is read from, and which rows of that."""
        detail = self._detail(name)
        whole = self._sections.cubes[_CUBE_OF.get(name, name)]
        cube = whole.cut([key for key in whole.keys if key not in detail.without], whole.columns)
        since, days, source = self._since(name, detail.months), self._days_since(name), cube.source
        if name == "pipeline":
            source = self._pipeline(source)
        elif days:
            month = f"case when date_day < '{days}' then date_trunc('month', date_day)::date"
            source = f"(select * replace ({month} else date_day end as date_day) from {source})"
        # A month that the window cuts is left in where its first day is.
        where = (
            f"date_day >= date '{since.replace(day=1)}' and date_day <= date '{self._sections.end}'"
        )
        return cube, source, where

    def _encoded(self, cube: Cube, source: str, where: str = "true") -> dict[str, Any]:
        """A table by keys, summed; keys as positions, days counted from the page's first."""
        day = f"(date_day - date '{self.start}')::int as date_day"
        keys = [day if column == DAY else quote(column) for column in cube.keys.values()]
        # The dates in the text: binding a value makes duckdb import pandas, half a second.
        found = self._connection.execute(
            f"select {', '.join([*keys, summed(cube.columns)])} from {source} "
            f"where {where} group by all order by all"
        ).fetchnumpy()
        return encoded(cube, found, self._sections.positions)

    def _pipeline(self, source: str) -> str:
        daily = self._detail("pipeline").daily
        last = self._sections.end - timedelta(days=PIPELINE_DAYS if daily is None else 31 * daily)
        weeks = "or isodow(date_day) = 7" if daily is None else ""
        return (
            f"(from {source} where date_day > date '{last}' {weeks} "
            "or date_day = last_day(date_day))"
        )


def left_out(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a page's data lack of the history, by part; empty where all fits."""
    found: dict[str, Any] = data["about"]["left_out"]
    return found


def _is_cube(name: str) -> bool:
    return name not in ("company", "stated", "plans", "diagnosis", "profiles", "loads")


def _months_before(day: date, months: int) -> date:
    """The first day of the month so many months before a day's, that month counted."""
    index = day.year * 12 + day.month - months
    return date(index // 12, index % 12 + 1, 1)
