"""Schema drift in words."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import groupby

from orchestration.base.text import counted
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.zone import Drift

_NAMED = 3


def drift_lines(drift: Iterable[Drift], contract: Contract) -> list[str]:
    """What the contract does not know: a line a column or folder, files together by table."""

    def key(item: Drift) -> tuple[str, bool, str, str]:
        is_file = item.column is None and item.file is not None
        return item.table, is_file, item.column or "", item.data_type or ""

    lines = []
    for (table, is_file, column, data_type), group in groupby(sorted(drift, key=key), key):
        items = list(group)
        if column:
            files = counted(len(items), "file")
            lines.append(f"{table}: column {column} ({data_type}) in {files} is ignored")
        elif is_file:
            names = sorted(str(item.file) for item in items)
            more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            verb = "is" if len(names) == 1 else "are"
            lines.append(f"{', '.join(names[:_NAMED])}{more} {verb} no Parquet of a table: ignored")
        else:
            lines.append(
                f"{table.replace('.', '/')} is no table of the contract: ignored"
                + _hint(table, contract)
            )
    return lines


def _hint(folder: str, contract: Contract) -> str:
    known = [*contract.tables, *contract.sources]
    near = get_close_matches(folder, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0].replace('.', '/')}?)" if near else ""
