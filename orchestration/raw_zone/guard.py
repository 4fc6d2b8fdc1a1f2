"""What a refresh refuses before it builds: an empty zone over a good set, a disk too small."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import duckdb

from orchestration.base.errors import RefreshRefused
from orchestration.base.record import EMPTY, Record
from orchestration.base.settings import Settings
from orchestration.base.text import counted
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.drift import drift_lines
from orchestration.raw_zone.zone import RawFile, RawZone

# What a build and its publication take for each byte and at least for each row of the raw files,
# and whatever the zone: measured low, since a refusal is worse than a disk that is full in the end
# (docs/decisions/0001).
_NEEDED_A_BYTE = 13
_NEEDED_A_ROW = 100
_NEEDED_AT_LEAST = 40_000_000
_TABLES_OF_PEOPLE = frozenset({".csv", ".tsv", ".xlsx", ".xls", ".ods"})


def refuse_emptiness(zone: RawZone, contract: Contract, settings: Settings, record: Record) -> None:
    """Raise RefreshRefused where a zone without a row would replace a set that has rows.

    Also where nothing is published, but something lies in the zone that is not read: it was meant
    to be. `--allow-empty` lets both pass.
    """
    if zone.rows or EMPTY in record.accepted:
        return
    rows = _published_rows(settings.published_file)
    if not rows and not zone.strangers:
        return
    message = f"The raw zone {zone.raw_dir} has no row"
    if zone.strangers:
        message += f"; what lies there is not read: {_in_kinds(zone)}"
    if rows:
        message += f". What is published was made from {counted(rows, 'raw row')} and stays"
    raise RefreshRefused(
        f"{message}.",
        "Put Parquet files into <source>/<table>/ (README.md, Bring your own data)"
        f"{_for_people(zone)}, or say --allow-empty to publish empty marts.",
        drift_lines(zone.strangers, contract),
    )


def refuse_full_disk(new: Sequence[RawFile], settings: Settings, is_rebuild: bool) -> None:
    """Raise RefreshRefused where the disk cannot hold what the refresh is about to write.

    `is_rebuild` says that the present build is removed first.
    """
    place = settings.data
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if is_rebuild:
        free += _bytes_of(*settings.build_files)
    needed = needed_bytes(new, settings, is_rebuild)
    if free < needed:
        raise RefreshRefused(
            f"The disk of {settings.data} has {free / 1e6:,.0f} MB for this refresh, which needs "
            f"about {needed / 1e6:,.0f} MB.",
            "Free space there, or set VORONKA_DATA_DIR to a larger disk; then refresh again.",
        )


def needed_bytes(new: Sequence[RawFile], settings: Settings, is_rebuild: bool) -> int:
    """About what a refresh writes before it removes anything.

    What the new files become; and, where there is a build that it goes on with, the tables of it
    that are rewritten and a copy of what is published.
    """
    if not new:
        return 0
    size, rows = sum(file.bytes for file in new), sum(file.rows for file in new)
    fresh = max(size * _NEEDED_A_BYTE, rows * _NEEDED_A_ROW)
    build = 0 if is_rebuild else _bytes_of(*settings.build_files)
    if not build:
        return fresh + _NEEDED_AT_LEAST
    return fresh + build // 2 + _bytes_of(settings.published_file)


def _for_people(zone: RawZone) -> str:
    """What reads the tables that people export; empty where there are none."""
    if not any(
        PurePosixPath(it.file or "").suffix.lower() in _TABLES_OF_PEOPLE for it in zone.strangers
    ):
        return ""
    return ", let a connection read these (`voronka connect add files`, docs/connectors/files.md)"


def _in_kinds(zone: RawZone) -> str:
    """`2 CSV files, 1 folder`."""
    kinds = Counter(
        PurePosixPath(item.file).suffix[1:].upper() if item.file else None
        for item in zone.strangers
    )
    folders = kinds.pop(None, 0)
    parts = [
        counted(count, f"{kind} file" if kind else "file")
        for kind, count in sorted(kinds.items(), key=lambda it: str(it[0]))
    ]
    return ", ".join(parts + ([counted(folders, "folder")] if folders else []))


def _published_rows(file: Path) -> int:
    """Raw rows behind what is published; 0 where nothing is, or it cannot be read."""
    if not file.is_file():
        return 0
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            found = connection.execute("select raw_rows from quality.publication").fetchone()
    except duckdb.Error:
        return 0
    return int(found[0]) if found else 0


def _bytes_of(*files: Path) -> int:
    return sum(file.stat().st_size for file in files if file.is_file())
