"""Evaluations of calls, whoever made them: their leg, their score, their flags (10).

A connector makes `Evaluation`s and gives them to `Placer.place`; `Placer.retry` comes first in
every run. Its kind is one that `JudgesCalls`.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestration.base.findings import Finding
from orchestration.base.sql import literal
from orchestration.connectors.connector import LOADED_AT, Row, Window, Work
from orchestration.connectors.own_rows import OwnRows
from orchestration.connectors.report import Report

TABLE = "telephony.call_evaluations"
SEEN = "telephony._evaluations_seen"
# `about` is how the evaluation names its call, NULL once its leg was found; `content` the row.
PRIVATE_TABLES: Mapping[str, Sequence[str]] = {
    SEEN: ("evaluation_id", "call_id", "evaluated_at", "content", "about")
}
FLAGS = ("needs_found", "presentation_made", "objections_handled", "next_step_agreed")
Way = Literal["call_id", "linked_id", "recording", "phone_time"]
# So long a call may come after its evaluation.
TRIED_FOR = timedelta(days=30)
TOLERANCE = 180

_YES = frozenset({"да", "yes", "true", "истина", "+", "y"})
_NO = frozenset({"нет", "no", "false", "ложь", "-", "n"})
_NONE = frozenset({"", "н/п", "n/a", "-/-", "—"})
_CENT = Decimal("0.01")
_SPACES = re.compile(r"\s+")


class JudgesCalls:
    """What kinds that read evaluations have in common; before `Connector` among their bases."""

    page: ClassVar[str] = "call_evaluations.md"
    source: ClassVar[str] = "telephony"
    tables: ClassVar[Sequence[str]] = (TABLE,)
    private_tables: ClassVar[Mapping[str, Sequence[str]]] = PRIVATE_TABLES

    @classmethod
    def key_spaces(cls, connection: Any) -> Iterator[tuple[str, str, str]]:
        """None: the key is the call's, and of several evaluations of a call the latest counts."""
        return iter(())


@dataclass(frozen=True)
class About:
    """How an evaluation names its call: by ids of the telephony, or by a phone and a time."""

    call_id: str | None = None
    linked_id: str | None = None
    recording: str | None = None
    phone: str | None = None
    started_at: datetime | None = None


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: `source` is the row as it came, `values` the contract's columns.

    Without `evaluated_at` in `values` the instant counts at which we first saw it.
    """

    source: str
    about: About
    values: Row
    form: str | None = None

    @cached_property
    def ident(self) -> str:
        """16 hexadecimal digits of the row as it came."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Criterion:
    """One point of a checklist, as the product writes it."""

    name: str
    score: str | None
    maximum: str | None = None
    ident: str | None = None


class FlagRule(BaseModel):
    """Which criteria a flag is made of, by name (with `*`) or number; one of them, or all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    criteria: list[str | int] = Field(min_length=1)
    rule: Literal["any", "all"] = "any"

    def of(self, criteria: Iterable[Criterion]) -> str | None:
        """`true` or `false`; None where no criterion says anything."""
        marks = [mark for it in criteria if self._names(it) and (mark := is_met(it)) is not None]
        if not marks:
            return None
        return text_of(any(marks) if self.rule == "any" else all(marks))

    def _names(self, criterion: Criterion) -> bool:
        name = folded(criterion.name)
        return any(
            str(it) == criterion.ident
            if isinstance(it, int)
            else fnmatch.fnmatchcase(name, folded(it))
            for it in self.criteria
        )


def is_met(criterion: Criterion) -> bool | None:
    """Whether a criterion is met: yes, or more than half of its points. None: it does not say."""
    written = folded(criterion.score or "")
    if written in _NONE:
        return None
    if written in _YES or written in _NO:
        return written in _YES
    points = number_of(written.removesuffix("%"))
    if points is None:
        return None
    most = Decimal(100) if written.endswith("%") else number_of(criterion.maximum) or Decimal(1)
    return points > most / 2


def flag_of(written: str | None) -> str | None:
    """`true`, `false` or None of yes and no in a cell; what is neither stays as typed."""
    text = folded(written or "")
    if text in _NONE:
        return None
    if text in _YES or text == "1":
        return "true"
    return "false" if text in _NO or text == "0" else written


def score_of(written: str | None, maximum: str | None = None) -> str | None:
    """A score of 0 to 100 with two places: a percentage, or points of a maximum.

    What is no number, or lies above 100 where no maximum is known, stays as typed.
    """
    if written is None or not written.strip():
        return None
    is_percent = written.strip().endswith("%")
    points = number_of(written.strip().removesuffix("%"))
    if points is None:
        return written
    most = None if is_percent else number_of(maximum)
    if most is None or most <= 0:
        return written if points > 100 else str(_rounded(points))
    return str(_rounded(points * 100 / most))


def number_of(written: str | None) -> Decimal | None:
    """A number with a point or a comma; None where it is none."""
    text = _SPACES.sub("", written or "").replace(",", ".")
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def text_of(flag: bool) -> str:
    """A boolean as the raw zone has it."""
    return "true" if flag else "false"


def folded(text: str) -> str:
    """For comparing: one blank for several, small letters, е for ё."""
    return _SPACES.sub(" ", text).strip().lower().replace("ё", "е")


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_CENT, rounding=ROUND_HALF_UP)


def flags_of(rules: Mapping[str, FlagRule], criteria: Sequence[Criterion]) -> Row:
    """The flags that rules make of one checklist; those that nothing is said of left out."""
    found = {name: rule.of(criteria) for name, rule in rules.items()}
    return {name: flag for name, flag in found.items() if flag is not None}


def of_forms(
    evaluations: Sequence[Evaluation], forms: Sequence[str], report: Report
) -> list[Evaluation]:
    """Those of the named checklists (`*` stands for anything); the others are counted."""
    if not forms:
        return list(evaluations)
    wanted = [folded(it) for it in forms]
    found = []
    for it in evaluations:
        form = folded(it.form or "")
        if any(fnmatch.fnmatchcase(form, pattern) for pattern in wanted):
            found.append(it)
        else:
            report.counted[f"evaluations by another checklist: {it.form or 'without a name'}"] += 1
    return found


@dataclass
class Legs:
    """Finds legs among the calls of one telephony in the raw zone. `by` are the ways, in order."""

    own: OwnRows
    telephony: str
    by: Sequence[Way]
    tolerance: int = TOLERANCE
    _is_there: bool = field(default=False, init=False)

    def find(self, wanted: Sequence[About]) -> list[str | None]:
        """The leg of each, None where there is none.

        A conversation is its answered leg with the longest talk.
        """
        found: list[str | None] = [None] * len(wanted)
        if not wanted or not self._open():
            return found
        for way in self.by:
            open_ones = [number for number, leg in enumerate(found) if leg is None]
            legs = self._by(way, [wanted[number] for number in open_ones])
            for number, leg in zip(open_ones, legs, strict=True):
                found[number] = leg
        return found

    def fallback(self, about: About) -> str | None:
        """The key of an evaluation whose call is not there, where it names an id."""
        ids = {"call_id": about.call_id, "linked_id": about.linked_id}
        given = next((ids[way] for way in self.by if ids.get(way)), None)
        return f"{self.telephony}:{given}" if given else None

    def _by(self, way: Way, wanted: Sequence[About]) -> list[str | None]:
        if way == "call_id":
            known = self._known("select call_id, call_id from evaluated_legs")
            return [known.get(f"{self.telephony}:{it.call_id}") for it in wanted]
        if way == "linked_id":
            known = self._known("select session, call_id from evaluated_sessions")
            return [known.get(f"{self.telephony}:{it.linked_id}") for it in wanted]
        if way == "recording":
            return [self._recorded(it.recording) if it.recording else None for it in wanted]
        return [self._nearest(it) for it in wanted]

    def _open(self) -> bool:
        """Make the tables of legs and of conversations, once. False: there are no calls."""
        if self._is_there:
            return True
        calls = self.own.everyone("telephony.calls")
        if calls is None:
            return False
        session = self.own.session
        session.execute(
            "create or replace temp table evaluated_legs as select call_id, "
            "coalesce(linked_id, call_id) as session, recording_url, "
            "case direction when 'in' then from_number when 'out' then to_number end as customer, "
            "epoch(try_cast(started_at as timestamptz)) as started, "
            "disposition = 'answered' as is_answered, try_cast(talk_seconds as bigint) as talk "
            f"from {calls} where starts_with(call_id, {literal(self.telephony + ':')})"
        )
        session.execute(
            "create or replace temp table evaluated_sessions as select session, call_id "
            "from evaluated_legs where is_answered qualify row_number() over "
            "(partition by session order by talk desc nulls last, started, call_id) = 1"
        )
        self._is_there = True
        return True

    def _known(self, sql: str) -> dict[str, str]:
        return {str(key): str(leg) for key, leg in self.own.session.execute(sql).fetchall()}

    def _recorded(self, recording: str) -> str | None:
        row = self.own.session.execute(
            "select call_id from evaluated_legs "
            f"where contains(recording_url, {literal(recording)}) "
            "order by is_answered desc, talk desc nulls last, started, call_id limit 1"
        ).fetchone()
        return str(row[0]) if row else None

    def _nearest(self, about: About) -> str | None:
        """The answered conversation of a customer, one leg of which began about then."""
        phone = identity_of(about.phone)
        if phone is None or about.started_at is None:
            return None
        moment = about.started_at.timestamp()
        rows = self.own.session.execute(
            "select l.customer, s.call_id from evaluated_legs as l "
            "join evaluated_sessions as s using (session) "
            f"where abs(l.started - {moment!r}) <= {int(self.tolerance)} "
            f"order by abs(l.started - {moment!r}), l.started, s.call_id"
        ).fetchall()
        return next((str(leg) for number, leg in rows if identity_of(number) == phone), None)


def identity_of(phone: str | None) -> str | None:
    """The contract's identity of a phone as people type it; None where it is none."""
    text = (phone or "").lower()
    first = re.search(r"\d", text)
    if first is None:
        return None
    marker = re.search(r"доб|ext|x|,|;|#", text[first.end() :])
    if marker:
        text = text[: first.end() + marker.start()]
    digits = re.sub(r"[^0-9]", "", text)
    if "+" in text[: first.start()]:
        found = f"+{digits}"
    elif digits.startswith("810"):
        found = f"+{digits[3:]}"
    elif digits.startswith("00"):
        found = f"+{digits[2:]}"
    elif len(digits) == 11 and digits[0] == "8":
        found = f"+7{digits[1:]}"
    elif len(digits) == 10 and digits[0] in "9843":
        found = f"+7{digits}"
    else:
        found = f"+{digits}" if 11 <= len(digits) <= 15 else digits
    return found if 7 <= len(found.lstrip("+")) <= 15 else None


class Placer:
    """Gives evaluations the key of their leg, and tries those again that have none yet."""

    def __init__(self, work: Work, legs: Legs) -> None:
        self._work = work
        self._legs = legs
        self._taken: set[tuple[str, str]] = set()

    def retry(self) -> Window:
        """Evaluations whose call has come since: the right key, and the other one deleted."""
        rows = self._work.own.select(SEEN, list(PRIVATE_TABLES[SEEN]), "about is not null")
        limit = self._work.started_at - TRIED_FOR
        waiting = [row for row in rows if _instant(row[2], limit) >= limit]
        found = self._legs.find([_about(row[4]) for row in waiting])
        placed: list[Row] = []
        seen: list[Row] = []
        gone: dict[str, str] = {}
        for (ident, before, at, content, _), leg in zip(waiting, found, strict=True):
            if leg is None:
                continue
            placed.append(self._row(leg, at, json.loads(content)))
            seen.append(_seen(ident, leg, at, content, None))
            # Of several evaluations under one key the latest has to be outdone.
            gone[before] = max(gone.get(before, at), at, key=lambda it: _instant(it, limit))
        buried = [
            {"call_id": key, "is_deleted": "true", "updated_at": at} for key, at in gone.items()
        ]
        self._work.report.counted["evaluations whose call has come"] += len(placed)
        return Window("evaluations without a call", {TABLE: [*placed, *buried], SEEN: seen})

    def place(self, evaluations: Sequence[Evaluation]) -> dict[str, list[Row]]:
        """Rows by table; what was read before and has not changed gives none."""
        known = self._known(evaluations)
        fresh = [
            it for it in {one.ident: one for one in evaluations}.values()
            if known.get(it.ident, (None, None))[1] != _content(it)
        ]  # fmt: skip
        self._work.report.unchanged[TABLE] += len(evaluations) - len(fresh)
        rows: dict[str, list[Row]] = {TABLE: [], SEEN: []}
        found = self._legs.find([it.about for it in fresh])
        for it, leg in zip(fresh, found, strict=True):
            at = it.values.get("evaluated_at") or known.get(it.ident, (None, None))[0]
            # In whole seconds: a load that was killed and repeated says the same.
            at = at or self._work.started_at.astimezone(UTC).replace(microsecond=0).isoformat()
            key = leg or self._legs.fallback(it.about) or f"unmatched:{it.ident}"
            if leg is None:
                self._work.report.counted["evaluations without a call"] += 1
            rows[TABLE].append(self._row(key, at, it.values))
            about = None if leg else it.about
            rows[SEEN].append(_seen(it.ident, key, at, _content(it), about))
        return rows

    def _known(self, evaluations: Sequence[Evaluation]) -> dict[str, tuple[str, str]]:
        """When these were made and what they became, of those that were read before."""
        ids = {"evaluation_id": [it.ident for it in evaluations]}
        rows = self._work.own.select(
            SEEN, ["evaluation_id", "evaluated_at", "content"], ids=ids
        )  # fmt: skip
        return {ident: (at, content) for ident, at, content in rows}

    def _row(self, key: str, at: str, values: Row) -> Row:
        row = {**values, "call_id": key, "evaluated_at": at, "updated_at": at}
        # Of two evaluations of one moment the later read is the current one.
        if (key, at) in self._taken:
            row[LOADED_AT] = self._work.stamps.next()
        self._taken.add((key, at))
        return row


def calls_found(legs: Legs, evaluations: Sequence[Evaluation]) -> Iterator[Finding]:
    """How many evaluations have their call in the raw zone, and whether they can be compared."""
    found = legs.find([it.about for it in evaluations])
    count = sum(it is not None for it in found)
    yield Finding(
        "good" if count == len(found) else "note",
        f"{count} of {len(found)} evaluations have their call in the raw zone",
        "" if count == len(found) else "They are tried again for 30 days.",
    )
    several = mixed(evaluations)
    if several:
        yield several


def mixed(evaluations: Iterable[Evaluation]) -> Finding | None:
    """A note where there are several checklists, or people and machines: the latest one counts."""
    found = list(evaluations)
    forms = sorted({it.form for it in found if it.form})
    judges = {it.values.get("evaluator") == "human" for it in found if it.values.get("evaluator")}
    if len(forms) < 2 and len(judges) < 2:
        return None
    many = [f"checklists: {', '.join(forms)}"] if len(forms) > 1 else []
    many += ["evaluators: people and machines"] if len(judges) > 1 else []
    return Finding(
        "note",
        "Calls may have several evaluations, of which the latest counts",
        "Name the one that counts: forms: [name of the checklist].",
        many,
    )


def _content(evaluation: Evaluation) -> str:
    values = {name: it for name, it in evaluation.values.items() if it is not None}
    return json.dumps(values, ensure_ascii=False, sort_keys=True)


def _seen(ident: str, key: str, at: str, content: str, about: About | None) -> Row:
    written = json.dumps(asdict(about), ensure_ascii=False, default=str) if about else None
    return {
        "evaluation_id": ident, "call_id": key, "evaluated_at": at, "content": content,
        "about": written,
    }  # fmt: skip


def _about(written: str) -> About:
    values: dict[str, Any] = json.loads(written)
    began = values.pop("started_at")
    return About(**values, started_at=datetime.fromisoformat(began) if began else None)


def _instant(written: str | None, otherwise: datetime) -> datetime:
    """An instant for comparing; what does not read is as old as can still be tried."""
    try:
        found = datetime.fromisoformat(written or "")
    except ValueError:
        return otherwise
    return found if found.tzinfo else found.replace(tzinfo=UTC)
