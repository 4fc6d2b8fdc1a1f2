"""What a refresh refuses before it builds: an empty zone over a good set, a disk too small."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.base.errors import RefreshRefused
from orchestration.base.record import EMPTY, Record
from orchestration.base.settings import Settings
from orchestration.base.text import counted
from orchestration.raw_zone.zone import RawFile, RawZone

# Measured: a build and what it publishes take 9 to 14 times the raw files, 21 times in a small one.
_BUILD_A_BYTE = 14
_SMALLEST_BUILD = 30_000_000
_SHOWN = 3


def refuse_emptiness(zone: RawZone, settings: Settings, record: Record) -> None:
    """Raise RefreshRefused where a zone without a row would replace a set that has rows.

    Also where nothing is published, but files lie in the zone that are no Parquet: they were meant
    to be read. `--allow-empty` lets both pass.
    """
    if zone.rows or EMPTY in record.accepted:
        return
    rows = _published_rows(settings.published_file)
    foreign = zone.foreign_files
    if not rows and not foreign:
        return
    message = f"The raw zone {zone.raw_dir} has no row"
    if foreign:
        more = f" and {len(foreign) - _SHOWN:,} more" if len(foreign) > _SHOWN else ""
        names = ", ".join(foreign[:_SHOWN]) + more
        message += f"; it holds {counted(len(foreign), 'file')} of other kinds: {names}"
    if rows:
        message += f". What is published has {rows:,} raw rows and stays"
    raise RefreshRefused(
        f"{message}.",
        "Write Parquet files to <source>/<table>/ (README.md, Bring your own data), or say "
        "--allow-empty to publish empty marts.",
    )


def refuse_full_disk(new: Sequence[RawFile], settings: Settings) -> None:
    """Raise RefreshRefused where the disk cannot hold what the refresh is about to write."""
    place = settings.data
    while not place.exists():
        place = place.parent
    free, needed = shutil.disk_usage(place).free, needed_bytes(new, settings)
    if free < needed:
        raise RefreshRefused(
            f"The disk of {settings.data} has {free / 1e6:,.0f} MB left, and this refresh needs "
            f"about {needed / 1e6:,.0f} MB.",
            "Free space there, or set VORONKA_DATA_DIR to a larger disk; then refresh again.",
        )


def needed_bytes(new: Sequence[RawFile], settings: Settings) -> int:
    """About what a refresh writes before it removes anything: new rows, and a set to publish."""
    if not new:
        return 0
    fresh = sum(file.bytes for file in new) * _BUILD_A_BYTE
    published = settings.published_file.stat().st_size if settings.published_file.is_file() else 0
    return max(fresh, _SMALLEST_BUILD) + published


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
