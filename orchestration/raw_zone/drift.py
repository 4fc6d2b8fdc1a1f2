"""Schema drift in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from orchestration.raw_zone.zone import Drift


def drift_lines(drift: Iterable[Drift]) -> list[str]:
    """What the contract does not know, one line for each column or folder however many files."""
    counts = Counter((item.table, item.column or "", item.data_type or "") for item in drift)
    lines = []
    for (table, column, data_type), files in sorted(counts.items()):
        if column:
            noun = "file" if files == 1 else "files"
            lines.append(f"{table}: column {column} ({data_type}) in {files} {noun} is ignored")
        else:
            lines.append(f"{table}: something that is no table or file of the contract is ignored")
    return lines
