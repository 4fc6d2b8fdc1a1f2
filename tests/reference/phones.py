"""Phone identity: E.164 as the contract defines it, default region RU."""

from __future__ import annotations

import re

_MARKER = re.compile(r"доб|ext|x|,|;|#")
_DIGIT = re.compile(r"[0-9]")


def phone_identity(text: str | None) -> str | None:
    """The identity of a phone as typed by people; None if it is none."""
    if text is None:
        return None
    text = _without_extension(text.lower())
    digits = "".join(_DIGIT.findall(text))
    if not digits:
        return None
    has_plus = "+" in text[: _DIGIT.search(text).start()]  # type: ignore[union-attr]  # a digit was found before
    identity = _identity(digits, has_plus)
    return identity if 7 <= len(identity.lstrip("+")) <= 15 else None


def _without_extension(text: str) -> str:
    """Cut at the first marker that has a digit anywhere before it, not only right before it."""
    first = _DIGIT.search(text)
    if not first:
        return text
    marker = _MARKER.search(text, first.end())
    return text[: marker.start()] if marker else text


def _identity(digits: str, has_plus: bool) -> str:
    if has_plus:
        return "+" + digits
    if digits.startswith("810"):
        return "+" + digits[3:]
    if digits.startswith("00"):
        return "+" + digits[2:]
    if len(digits) == 11 and digits[0] == "8":
        return "+7" + digits[1:]
    if len(digits) == 10 and digits[0] in "9843":
        return "+7" + digits
    return "+" + digits if 11 <= len(digits) <= 15 else digits
