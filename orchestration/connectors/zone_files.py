"""Files of one connection in the raw zone: their names, how they come there, which there are.

A name is `<connection>-<load instant>-<part>.parquet`: a connection finds its own rows by it, and
those of a time without opening a file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.base.files import sync
from orchestration.base.object_store import OBJECT_STORES, load_object_store
from orchestration.base.sql import literal

_STAMP = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class ZoneFile:
    """A Parquet file of a connection; `loaded_at` is the greatest load instant in it."""

    path: str
    loaded_at: datetime


def file_name(connection: str, loaded_at: datetime, part: str) -> str:
    """The name of a file; the same for the same content, so that a repeated load replaces it."""
    return f"{connection}-{loaded_at.astimezone(UTC):{_STAMP}}-{part}.parquet"


def loaded_at(name: str, connection: str) -> datetime | None:
    """The load instant in a file's name; None where the file is of another connection."""
    owner, _, rest = name.partition("-")
    stamp, _, part = rest.partition("-")
    if owner != connection or not part.endswith(".parquet"):
        return None
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def put_file(source: str, raw_zone: str, folder: str, name: str) -> None:
    """Bring a finished file into the zone under its name, at once: whole or not at all."""
    if raw_zone.startswith(OBJECT_STORES):
        _put_object(source, f"{raw_zone}/{folder}/{name}")
        return
    directory = Path(raw_zone) / folder
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / f".{name}.tmp"
    try:
        shutil.copyfile(source, draft)
        sync(draft)
        os.replace(draft, directory / name)
        sync(directory)
    finally:
        draft.unlink(missing_ok=True)


def _put_object(source: str, address: str) -> None:
    from pyarrow.fs import FileSystem

    store, path = FileSystem.from_uri(address)
    with open(source, "rb") as content, store.open_output_stream(path) as out:
        shutil.copyfileobj(content, out, 1 << 20)


def zone_files(raw_zone: str, folder: str, connection: str) -> list[ZoneFile]:
    """The files of a connection in a table's folder, oldest first."""
    found = [
        ZoneFile(path, stamp)
        for path in _names(raw_zone, folder, connection)
        if (stamp := loaded_at(path.rpartition("/")[2], connection)) is not None
    ]
    return sorted(found, key=lambda file: (file.loaded_at, file.path))


def all_files(raw_zone: str, folder: str) -> list[str]:
    """Every Parquet file of a table's folder, whoever wrote it; what the zone ignores left out."""
    root = f"{raw_zone}/{folder}"
    if raw_zone.startswith(OBJECT_STORES):
        with duckdb.connect() as session:
            load_object_store(session, raw_zone)
            pattern = literal(f"{root}/**/*.parquet")
            found = [
                path for (path,) in session.execute(f"select file from glob({pattern})").fetchall()
            ]
    else:
        found = [str(path) for path in Path(root).rglob("*.parquet")]
    return sorted(
        path for path in found if not any(it[:1] in "._" for it in path[len(root) + 1 :].split("/"))
    )


def _names(raw_zone: str, folder: str, connection: str) -> Iterator[str]:
    if raw_zone.startswith(OBJECT_STORES):
        with duckdb.connect() as session:
            load_object_store(session, raw_zone)
            pattern = literal(f"{raw_zone}/{folder}/{connection}-*.parquet")
            for (path,) in session.execute(f"select file from glob({pattern})").fetchall():
                yield path
        return
    directory = os.path.join(raw_zone, folder)
    if os.path.isdir(directory):
        with os.scandir(directory) as entries:
            for entry in entries:
                yield f"{directory}/{entry.name}"
