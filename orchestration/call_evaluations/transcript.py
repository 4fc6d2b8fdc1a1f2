"""A transcript as the raw zone has it, and the part of it that leaves the machine."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestration.call_evaluations.masking import Turn, masked

_MANAGER = frozenset(
    {"manager", "agent", "operator", "seller", "sales", "employee"}
    | {"менеджер", "оператор", "агент", "сотрудник", "продавец"}
)
_CUSTOMER = frozenset(
    ("customer", "client", "buyer", "клиент", "покупатель", "абонент", "заказчик")
)
_SPACES = re.compile(r"\s+")
_QUOTATION = " \t\n«»\"“”„‟'‘’`….,"


@dataclass(frozen=True)
class Transcript:
    """What was said, as it leaves the machine: speakers by their role or number, text masked."""

    turns: tuple[Turn, ...]

    @classmethod
    def of(cls, segments: str) -> Transcript:
        """Read the contract's `segments`: a JSON list of speaker and text, or plain text."""
        return cls(tuple(masked(_joined(_without_names(_turns(segments))))))

    @property
    def is_empty(self) -> bool:
        """Whether nobody said anything."""
        return not self.turns

    @cached_property
    def as_json(self) -> str:
        """The whole message about the call. What was said cannot end the string it stands in."""
        turns = [
            {"speaker": turn.speaker, "text": turn.text} if turn.speaker else {"text": turn.text}
            for turn in self.turns
        ]
        return json.dumps({"turns": turns}, ensure_ascii=False)

    def has(self, quote: str) -> bool:
        """Whether this was said, apart from white space, case and marks of quotation."""
        wanted = _folded(quote)
        return bool(wanted) and wanted in self._said

    @cached_property
    def _said(self) -> str:
        return _folded(" ".join(turn.text for turn in self.turns))


def _turns(segments: str) -> Iterator[Turn]:
    try:
        read = json.loads(segments)
    except (ValueError, RecursionError):
        read = None
    if isinstance(read, dict):
        read = read.get("segments")
    if not isinstance(read, list):
        yield from (Turn("", line) for line in segments.splitlines())
        return
    for item in read:
        if isinstance(item, dict):
            yield Turn(_text(item.get("speaker")), _text(item.get("text")))
        else:
            yield Turn("", _text(item))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _without_names(turns: Iterator[Turn]) -> Iterator[Turn]:
    """Speakers by role; others by number, as they may be names or phones."""
    numbers: dict[str, str] = {}
    for turn in turns:
        name = turn.speaker.strip().casefold()
        if name in _MANAGER:
            shown = "manager"
        elif name in _CUSTOMER:
            shown = "customer"
        else:
            shown = numbers.setdefault(name, f"speaker {len(numbers) + 1}") if name else ""
        yield Turn(shown, turn.text)


def _joined(turns: Iterator[Turn]) -> Sequence[Turn]:
    """What one speaker says in several segments is one turn."""
    found: list[Turn] = []
    for turn in turns:
        if found and turn.speaker and found[-1].speaker == turn.speaker:
            found[-1] = Turn(turn.speaker, f"{found[-1].text} {turn.text}")
        else:
            found.append(turn)
    return found


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    return _SPACES.sub(" ", plain).strip(_QUOTATION)
