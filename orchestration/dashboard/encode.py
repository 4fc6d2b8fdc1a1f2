"""Columns of figures as short JSON. The page's js/10-data.js reads them back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = list[Any] | dict[str, Any]

# Beyond hundredths of a kopeck a figure is the machine's, not the mart's.
DECIMALS = 4


def encode(values: Sequence[Any]) -> Column:
    """Values of any kind: a plain list or, where shorter, `{"r": [value, count, …]}`, its runs.

    Texts that repeat are named once: `{"w": texts, "i": their places, encoded}`.
    """
    texts = {value: None for value in values if isinstance(value, str)}
    if 0 < len(texts) * 2 < len(values):
        places = {text: place for place, text in enumerate(sorted(texts))}
        return {"w": sorted(texts), "i": encode([places.get(value) for value in values])}
    plain = [value if type(value) is int else _plain(value) for value in values]
    runs: list[Any] = []
    for value in plain:
        if runs and runs[-2] == value:
            runs[-1] += 1
        else:
            runs += [value, 1]
    return plain if len(plain) <= len(runs) else {"r": runs}


def encode_days(values: Sequence[int]) -> Column:
    """Whole numbers that mostly go up by the same: as `encode` or, shorter, `{"d": steps}`.

    The steps are encoded as such columns are; the first one leads from 0.
    """
    steps = [value - before for before, value in zip([0, *values], values, strict=False)]
    by_steps, plain = encode(steps), encode(values)
    return {"d": by_steps} if _length(by_steps) < _length(plain) else plain


def _length(column: Column) -> int:
    return len(column if isinstance(column, list) else column["r"])


def encode_figures(values: NDArray[Any]) -> Column:
    """Numbers without gaps: as `encode` does or, where mostly 0, the others alone.

    These are `{"s": [zeros before it, value, …], "n": length}`.
    """
    rounded = np.round(values, DECIMALS)
    whole = rounded.astype(np.int64)
    exact: NDArray[Any] = whole if bool((whole == rounded).all()) else rounded
    filled = np.flatnonzero(exact)
    if len(filled) * 2 >= len(exact):
        return encode(exact.tolist())
    gaps = np.diff(filled, prepend=-1) - 1
    pairs = [0] * (2 * len(filled))
    pairs[::2] = gaps.tolist()
    pairs[1::2] = [_plain(value) for value in exact[filled].tolist()]
    return {"s": pairs, "n": len(exact)}


def dumps(value: Any) -> str:
    """JSON without blanks, safe inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _plain(value: Any) -> Any:
    """A value as JSON has it; whole numbers lose their point."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(f"{value:.10g}")
    return value
