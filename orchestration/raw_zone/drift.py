"""What lies in a raw zone and the contract does not know, in words."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import groupby

from orchestration.base.text import counted
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.listing import SUFFIX
from orchestration.raw_zone.zone import Drift

_NAMED = 3
_COLUMN, _NO_PARQUET, _NO_TABLE, _FOLDER = range(4)


def drift_lines(drift: Iterable[Drift], contract: Contract) -> list[str]:
    """A line for each column or folder, and for all files of a folder; in order of tables."""

    def key(item: Drift) -> tuple[str, int, str, str]:
        return item.table, _kind(item), item.column or "", item.data_type or ""

    lines = []
    for (table, kind, column, data_type), group in groupby(sorted(drift, key=key), key):
        items = list(group)
        paths = sorted(str(item.file) for item in items)
        if kind == _COLUMN:
            files = counted(len(items), "file")
            lines.append(f"{table}: column {column} ({data_type}) in {files} is ignored")
        elif kind == _NO_PARQUET:
            what = "is no Parquet file" if len(paths) == 1 else "are no Parquet files"
            lines.append(f"{_named(paths)} {what}: ignored")
        elif kind == _NO_TABLE:
            verb = "lies" if len(paths) == 1 else "lie"
            hint = _hint(paths[0].removesuffix(SUFFIX), contract)
            lines.append(f"{_named(paths)} {verb} in no table's folder: ignored{hint}")
        else:
            folder = table.replace(".", "/", 1)
            lines.append(f"{folder} is no table of the contract: ignored{_hint(folder, contract)}")
    return lines


def _kind(item: Drift) -> int:
    if item.column is not None:
        return _COLUMN
    if item.file is None:
        return _FOLDER
    return _NO_TABLE if item.file.endswith(SUFFIX) else _NO_PARQUET


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more


def _hint(path: str, contract: Contract) -> str:
    """The folder that was meant: the table of this name in any source, else the nearest path."""
    name = path.rpartition("/")[2].lower()
    tables = {table.name: full_name for full_name, table in contract.tables.items()}
    folders = {known.replace(".", "/"): known for known in (*contract.tables, *contract.sources)}
    by_path = get_close_matches(path.lower(), folders, n=1, cutoff=0.8)
    by_name = get_close_matches(name, tables, n=1, cutoff=0.8)
    near = by_path or [tables[match] for match in by_name]
    near = near or get_close_matches(path.lower(), folders, n=1, cutoff=0.6)
    return f" (did you mean {near[0].replace('.', '/')}?)" if near else ""
