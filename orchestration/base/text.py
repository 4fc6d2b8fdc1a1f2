"""Words for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

_LONGEST_VALUE = 100


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 file`, `2 files`, `1,000 files`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def shortened(text: str, longest: int = _LONGEST_VALUE) -> str:
    """The text, or its beginning and `…`."""
    return f"{text[:longest]}…" if len(text) > longest else text


def named_values(row: Mapping[str, Any]) -> str:
    """A row in words: `manager_id m1, calls 5`."""
    return ", ".join(
        f"{name} {'NULL' if value is None else shortened(str(value))}"
        for name, value in row.items()
    )


def age(passed: timedelta) -> str:
    """How long ago something was: in minutes, hours or days."""
    minutes = max(0, int(passed.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min old"
    return f"{minutes // 60} h old" if minutes < 72 * 60 else f"{minutes // 1440} days old"
