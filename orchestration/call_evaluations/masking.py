"""Phone numbers and e-mail addresses, taken out of what leaves the machine.

Whatever the notation: with spaces, dashes and brackets, digit by digit, in words, or spread over
several turns. A number of seven digits or more is taken for a phone's, so that long sums and full
dates go, too: what is hidden too much costs little, what is not hidden cannot be called back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

NUMBER, ADDRESS = "[number]", "[e-mail]"
LEAST_DIGITS = 7
# Stands between turns while they are looked at as one text; no turn has it.
_TURN = "\x1e"

_UNITS = (
    "ноль нуль один одна раз два две три четыре пять шесть семь восемь девять "
    "zero oh one two three four five six seven eight nine double"
)
_TEENS = (
    "десять одиннадцать двенадцать тринадцать четырнадцать пятнадцать шестнадцать семнадцать "
    "восемнадцать девятнадцать ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen triple"
)
_TENS = (
    "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто "
    "twenty thirty forty fifty sixty seventy eighty ninety"
)
_HUNDREDS = "сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот"
# What people say between the groups of a number.
_FILLERS = "плюс тире дефис дробь скобка скобки пробел и потом дальше затем plus dash and then"


def _any(words: str) -> str:
    return rf"(?:{'|'.join(words.split())})(?!\w)"


_WORD_NUMBERS = re.compile(
    rf"(?<!\w)(?:"
    rf"(?P<three>{_any(_HUNDREDS)}(?:\s+(?:{_any(_TEENS)}|{_any(_TENS)}(?:\s+{_any(_UNITS)})?"
    rf"|{_any(_UNITS)}))?)"
    rf"|(?P<two>{_any(_TEENS)}|{_any(_TENS)}(?:[\s-]+{_any(_UNITS)})?)"
    rf"|(?P<one>{_any(_UNITS)}))"
    rf"|(?P<digit>\d)",
    re.IGNORECASE,
)
# Without a colon: 10:00 is a time.
_GAP = re.compile(rf"(?:[^\w:]|_|(?<!\w){_any(_FILLERS)})*", re.IGNORECASE)
_PLUS = re.compile(r"(?<!\w)(?:плюс|plus)\s+$", re.IGNORECASE)
_PLUS_LENGTH = 10

# A name begins where nothing of a name stands before: a long word is looked at once.
_NAME, _HOST = r"(?<![\w.+%'-])[\w.+%'-]+", r"[\w-]+"
_AT = r"(?:\s*[@＠﹫]\s*|\s+(?:собака|собачка)\s+)"
_DOT = r"(?:\.|\s\.\s|\s*точка\s+|\s+dot\s+)"
_BETWEEN = r"(?:точка|тире|дефис|подч[её]ркивание|dot|dash|underscore)"
_ADDRESS = re.compile(
    rf"{_NAME}(?:\s+{_BETWEEN}\s+{_NAME}){{0,5}}(?:{_AT}{_HOST}(?:{_DOT}{_HOST}){{1,5}}"
    rf"|\s+at\s+{_HOST}(?:\s+dot\s+{_HOST}){{1,5}})",
    re.IGNORECASE,
)
_DIGITS_OF = {"three": 3, "two": 2, "one": 1, "digit": 1}


@dataclass(frozen=True)
class Turn:
    """What one speaker said without a break; `speaker` is empty where nobody is named."""

    speaker: str
    text: str


def masked(turns: Sequence[Turn]) -> list[Turn]:
    """The turns without phone numbers and e-mail addresses; those that are empty then left out.

    A number may go on in the same speaker's next turn, or in the next one of all.
    """
    if not turns:
        return []
    texts = [mask(cleaned(turn.text)) for turn in turns]
    streams = [
        [number for number, turn in enumerate(turns) if turn.speaker == speaker]
        for speaker in dict.fromkeys(turn.speaker for turn in turns)
    ]
    for places in (*streams, range(len(turns))):
        together = mask(_TURN.join(texts[place] for place in places))
        for place, text in zip(places, together.split(_TURN), strict=True):
            texts[place] = text
    return [
        Turn(turn.speaker, text.strip())
        for turn, text in zip(turns, texts, strict=True)
        if text.strip()
    ]


def mask(text: str) -> str:
    """The text with a word in the place of each number and address. Breaks of turns stay."""
    return _without_numbers(_ADDRESS.sub(lambda it: ADDRESS + _breaks(it[0]), text))


def cleaned(text: str) -> str:
    """The text without characters that nobody sees, in which a number could hide."""
    return "".join(
        " " if unicodedata.category(it) in ("Cc", "Zs", "Zl", "Zp") else it
        for it in text
        if unicodedata.category(it) not in ("Cf", "Cs", "Mn")
        or unicodedata.normalize("NFC", "и" + it) == "й"
    )


def _without_numbers(text: str) -> str:
    parts: list[str] = []
    done = 0
    for start, end in _long_numbers(text):
        first = start
        while first > done and (text[first - 1] in "+(" or text[first - 1].isspace()):
            first -= 1
        # The blanks belong to the word, where it is one.
        plus = _PLUS.search(text, max(done, start - _PLUS_LENGTH), start)
        first = min(first, plus.start()) if plus else first
        kept_blank = " " if text[first:start].startswith(" ") else ""
        parts += [text[done:first], kept_blank, NUMBER, _breaks(text[first:end])]
        done = end
    return "".join([*parts, text[done:]])


def _long_numbers(text: str) -> list[tuple[int, int]]:
    """Where numbers of enough digits begin and end."""
    found: list[tuple[int, int]] = []
    start = end = digits = 0
    for it in _WORD_NUMBERS.finditer(text):
        is_next = digits and _GAP.fullmatch(text, end, it.start())
        if not is_next:
            if digits >= LEAST_DIGITS:
                found.append((start, end))
            start, digits = it.start(), 0
        digits += _DIGITS_OF[it.lastgroup or "digit"]
        end = it.end()
    if digits >= LEAST_DIGITS:
        found.append((start, end))
    return found


def _breaks(text: str) -> str:
    return _TURN * text.count(_TURN)
