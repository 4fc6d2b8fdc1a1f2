"""The page on the server: the same screens as the file, fed by small questions.

A question names parts, and the days that it wants them of. The page asks for the columns, keys and
periods that its screen shows, keeps what it has, and never asks for the same twice. Each answer
says of which publication it is.

    ?ask=base                                   what the page needs at all
    ?ask=part:outlook                           a part without a history
    ?ask=cube:daily:manager:calls.revenue       sums by keys, for each of the ranges
    ?ask=rows:company:month                     rows of a mart that are in the ranges
    ?ranges=2026-08-01/2026-09-01/2026-10-01    two ranges; those apart have a comma between
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from orchestration.base.errors import WrongUse, shortened
from orchestration.base.sql import quote
from orchestration.base.variables import Variables
from orchestration.dashboard.cubes import DAY, encoded, summed
from orchestration.dashboard.encode import dumps, encode
from orchestration.dashboard.page import render
from orchestration.dashboard.sections import DATED, Sections, parts_of
from orchestration.metrics.catalogue import GRAINS
from orchestration.metrics.choices import Language
from orchestration.serving.session import Session

# More than the page ever asks for at once; what a range may cover is a century.
MAX_ASKS = 40
MAX_RANGES = 800
MAX_DAYS = 40_000
# Answers of so many publications and viewers that are not formed again.
_MOST_KNOWN = 64
_SLOT = "slot"
_PLANS = "plans"
_REMEDY = "Reload the page: it may be older than the server."

Range = tuple[date, date]


@dataclass(frozen=True)
class _Known:
    """What does not change while a viewer looks at a publication."""

    sections: Sections
    base: dict[str, Any]


class PageData:
    """Answers what the page asks; `variables` are dbt's. May be called from several threads."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables
        self._known: dict[tuple[object, ...], _Known] = {}
        self._lock = threading.Lock()

    def answer(self, session: Session, query: Sequence[tuple[str, str]]) -> bytes:
        """The JSON of `{publication_id, answers}`, one for each `ask` of a query string.

        Raises WrongUse where the question is none.
        """
        asks = [value for name, value in query if name == "ask"]
        if not 0 < len(asks) <= MAX_ASKS:
            raise WrongUse(f"A question has 1 to {MAX_ASKS} `ask`.", _REMEDY)
        ranges = _ranges(",".join(value for name, value in query if name == "ranges"))
        known = self._of(session)
        sections = known.sections.on(session.connection)
        answers = [_answer(sections, known.base, ask.split(":"), ranges) for ask in asks]
        return dumps({"publication_id": session.publication_id, "answers": answers}).encode()

    def _of(self, session: Session) -> _Known:
        viewer = session.viewer
        key = (session.publication_id, viewer.managers, viewer.is_personal)
        with self._lock:
            if key in self._known:
                return self._known[key]
        known = _known(session, self._variables)
        with self._lock:
            self._known[key] = known
            while len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]
        return known


def page(language: Language) -> str:
    """The page without data."""
    return render(None, language.value)


def _known(session: Session, variables: Variables) -> _Known:
    sections = Sections(session.connection)
    catalogue, viewer = session.metrics.catalogue, session.viewer
    needs = sections.needs(catalogue)
    lists = sections.lists()
    if viewer.managers is not None:
        for manager in lists["managers"]:
            manager["unseen"] = manager["id"] not in viewer.managers
    base = {
        "about": {
            **sections.about(variables, needs),
            "is_limited": viewer.managers is not None,
            "left_out": {},
            "has_managers": True,
        },
        "metrics": sections.metrics(catalogue, needs),
        "parts": parts_of(catalogue),
        "cubes": {
            name: {"keys": list(cube.keys), "columns": list(cube.columns)}
            for name, cube in sections.cubes.items()
        },
        **lists,
    }
    return _Known(sections, base)


def _answer(
    sections: Sections, base: dict[str, Any], ask: Sequence[str], ranges: Sequence[Range]
) -> dict[str, Any]:
    kind, *words = ask
    if kind == "base" and not words:
        return base
    if kind == "part" and len(words) == 1:
        return _part(sections, words[0])
    if kind == "cube" and len(words) == 3:
        return _cube(sections, words[0], _names(words[1]), _names(words[2]), ranges)
    if kind == "rows" and len(words) == 2:
        return _rows(sections, words[0], words[1], ranges)
    raise _unknown(":".join(ask))


def _part(sections: Sections, name: str) -> dict[str, Any]:
    parts: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        "cohorts": ("customer_cohorts", sections.cohorts),
        "presale": ("open_deals", sections.presale),
        "outlook": ("deal_outlook", sections.outlook),
        "quality": ("dim_manager", sections.quality),
        "columns": ("dim_manager", sections.column_names),
    }
    if name not in parts:
        raise _unknown(name)
    mart, read = parts[name]
    return read() if sections.sees(f"marts.{mart}") else {"hidden": True}


def _cube(
    sections: Sections,
    name: str,
    keys: Sequence[str],
    columns: Sequence[str],
    ranges: Sequence[Range],
) -> dict[str, Any]:
    """Sums for each range; `slot` says of which one a row is."""
    cube = sections.all_cubes.get(name)
    if cube is None or not {*keys} <= {*cube.keys} or not {*columns} <= {*cube.columns}:
        raise _unknown(name)
    if name not in sections.cubes:
        return {"hidden": True}
    cut = cube.cut(keys, columns)
    day = f"(date_day - date '{sections.first}')::int as date_day"
    selected = [day if column == DAY else quote(column) for column in cut.keys.values()]
    sums = [summed(cut.columns)] if cut.columns else []
    source, slots = cube.source, ""
    if cube.is_dated:
        _some(ranges)
        slots = f"join {_days(ranges)} using (date_day)"
        selected = [_SLOT, *selected]
    where = f"where date_day <= date '{sections.end}'" if cube.is_dated else ""
    found = sections.numpy(
        f"select {', '.join([*selected, *sums])} from {source} {slots} {where} "
        "group by all order by all"
    )
    answer = encoded(cut, found, sections.positions)
    if cube.is_dated:
        answer["slots"] = encode(found[_SLOT].tolist())
    return answer


def _rows(sections: Sections, name: str, grain: str, ranges: Sequence[Range]) -> dict[str, Any]:
    if name not in DATED or grain not in (*GRAINS, "manager", ""):
        raise _unknown(name)
    if not sections.sees(f"marts.{DATED[name].mart}"):
        return {"hidden": True}
    _some(ranges)
    if name == _PLANS:
        return _plans(sections, grain == "manager", ranges)
    days = " or ".join(
        f"(period_start >= date '{start}' and period_start < date '{end}')"
        for start, end in _merged(ranges)
    )
    lengths = f"period_grain = '{grain}'" if grain in GRAINS else "true"
    return sections.dated(name, f"{lengths} and ({days})")


def _plans(sections: Sections, is_by_manager: bool, ranges: Sequence[Range]) -> dict[str, Any]:
    """Plans that begin in a range, added up: of everybody, or of each manager.

    Days that have not come yet have a plan and no fact.
    """
    came = f"filter (where period_start <= date '{sections.end}')"
    return sections.table(
        f"select {_SLOT}, metric, period as period_grain, "
        "case when count(distinct manager_id) = 1 then min(manager_id) end as manager_id, "
        "count(distinct manager_id) as people, sum(target)::double as target, "
        f"coalesce(sum(actual_to_date) {came}, 0)::double as actual, "
        f"coalesce(sum(target_to_date) {came}, 0)::double as due, "
        f"coalesce(bool_or(actual_to_date is null) {came}, false) as is_unknown "
        f"from marts.quota_attainment join {_days(ranges)} on date_day = period_start "
        f"group by {_SLOT}, metric, period"
        f"{', quota_attainment.manager_id' if is_by_manager else ''} order by all"
    )


# Words of a question


def _names(text: str) -> list[str]:
    return text.split(".") if text else []


def _ranges(text: str) -> list[Range]:
    """Ranges from `first/next/…,first/next`; a range ends where the next one begins."""
    found: list[Range] = []
    for chain in filter(None, text.split(",")):
        try:
            days = [date.fromisoformat(day) for day in chain.split("/")]
        except ValueError:
            raise _unknown(chain) from None
        found += pairwise(days)
    covered = sum((end - start).days for start, end in found)
    if len(found) > MAX_RANGES or covered > MAX_DAYS or any(a >= b for a, b in found):
        raise WrongUse(
            f"A question has up to {MAX_RANGES} ranges of together {MAX_DAYS} days, each from "
            "its first day to the one after its last.",
            "Ask for less at once.",
        )
    return found


def _some(ranges: Sequence[Range]) -> None:
    if not ranges:
        raise WrongUse("What has a history is asked for with `ranges`.", _REMEDY)


def _merged(ranges: Sequence[Range]) -> list[Range]:
    """The same days in as few ranges as will do."""
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _days(ranges: Sequence[Range]) -> str:
    """A table of days, each with the range that it is in: joined by equality, that is fast."""
    values = ", ".join(
        f"({at}, date '{start}', date '{end - timedelta(days=1)}')"
        for at, (start, end) in enumerate(ranges)
    )
    return (
        f"(select {_SLOT}, unnest(range(first, last + 1, interval 1 day))::date as date_day "
        f"from (values {values}) as given ({_SLOT}, first, last)) as asked"
    )


def _unknown(text: str) -> WrongUse:
    return WrongUse(f"The page has no {shortened(text)}.", _REMEDY)
