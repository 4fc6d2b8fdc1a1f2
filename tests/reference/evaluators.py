"""How far evaluators agree with people about the calls that both judged."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from .identity import World
from .reading import Row, Values

Mart = list[dict[str, Any]]
FLAGS = ("needs_found", "presentation_made", "objections_handled", "next_step_agreed")
_PERSON = "human"


def build_evaluator_agreement(world: World) -> Mart:
    """A row for each evaluator that is no person and each criterion."""
    latest = [
        _latest(rows) for rows in world.zone["telephony.call_evaluations"].versions().values()
    ]
    names = sorted({name for by_name in latest for name in by_name} - {_PERSON})
    return [
        row
        for name in names
        for row in (_score(name, latest), *(_flag(name, flag, latest) for flag in FLAGS))
    ]


def _latest(newest_first: list[Row]) -> dict[str, Values]:
    """What each evaluator said of a call last, after the last deletion."""
    found: dict[str, Values] = {}
    for row in newest_first:
        if row.is_deleted:
            break
        name = row.values["evaluator"]
        if name is not None:
            found.setdefault(_PERSON if name.lower() == _PERSON else name, row.values)
    return found


def _pairs(
    name: str, column: str, latest: list[dict[str, Values]]
) -> tuple[int, list[tuple[Any, Any]]]:
    """How many calls an evaluator judged, and both judgements where a person did, too."""
    judged = [it for it in latest if name in it and it[name][column] is not None]
    both = [(it[name][column], it[_PERSON][column]) for it in judged if _PERSON in it]
    return len(judged), [pair for pair in both if pair[1] is not None]


def _score(name: str, latest: list[dict[str, Values]]) -> dict[str, Any]:
    judged, pairs = _pairs(name, "score", latest)
    differences = [ours - theirs for ours, theirs in pairs]
    count = len(pairs)
    total = sum(differences, Decimal(0)) if pairs else None
    distance = sum(map(abs, differences), Decimal(0)) if pairs else None
    return _row(
        name,
        "score",
        judged,
        count,
        score_difference=total,
        mean_score_difference=float(total) / count if total is not None else None,
        score_distance=distance,
        mean_score_distance=float(distance) / count if distance is not None else None,
        score_correlation=_correlation(pairs),
    )


def _correlation(pairs: list[tuple[Decimal, Decimal]]) -> float | None:
    """Pearson's, by the deviations from both means."""
    if not pairs:
        return None
    count = len(pairs)
    means = [sum(side) / count for side in zip(*pairs, strict=True)]
    if any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return None
    away = [(float(one - means[0]), float(other - means[1])) for one, other in pairs]
    both = math.fsum(one * other for one, other in away)
    alone = [math.sqrt(math.fsum(pair[side] ** 2 for pair in away)) for side in (0, 1)]
    return both / (alone[0] * alone[1])


def _flag(name: str, flag: str, latest: list[dict[str, Values]]) -> dict[str, Any]:
    judged, pairs = _pairs(name, flag, latest)
    count = len(pairs)
    agreed = sum(ours is theirs for ours, theirs in pairs)
    return _row(
        name,
        flag,
        judged,
        count,
        agreed_calls=agreed,
        met_by_both=pairs.count((True, True)),
        met_by_evaluator_only=pairs.count((True, False)),
        met_by_person_only=pairs.count((False, True)),
        met_by_neither=pairs.count((False, False)),
        agreement=agreed / count if count else None,
        kappa=_kappa(pairs),
    )


def _kappa(pairs: list[tuple[bool, bool]]) -> float | None:
    """Cohen's: how much of the way from chance to certainty the two agree."""
    if not pairs:
        return None
    count = len(pairs)
    ours = sum(one for one, _ in pairs) / count
    theirs = sum(other for _, other in pairs) / count
    if ours == theirs and ours in (0, 1):
        return None
    chance = ours * theirs + (1 - ours) * (1 - theirs)
    return (sum(one is other for one, other in pairs) / count - chance) / (1 - chance)


def _row(name: str, criterion: str, judged: int, compared: int, **known: Any) -> dict[str, Any]:
    columns = (
        "score_difference",
        "mean_score_difference",
        "score_distance",
        "mean_score_distance",
        "score_correlation",
        "agreed_calls",
        "met_by_both",
        "met_by_evaluator_only",
        "met_by_person_only",
        "met_by_neither",
        "agreement",
        "kappa",
    )
    counts = {"judged_calls": judged, "compared_calls": compared}
    unknown: dict[str, Any] = dict.fromkeys(columns)
    return {"evaluator": name, "criterion": criterion, **counts, **unknown, **known}
