"""Which files lie in a raw zone. Names only: nothing is opened."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import duckdb

from orchestration.base.errors import Problem, WrongUse
from orchestration.base.sql import literal
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.zone import Drift

SUFFIX = ".parquet"
# dlt's mark of a folder that it has prepared.
_LOADERS_MARK = "init"
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass
class Listing:
    """Parquet files by table, sorted; what else lies there; what stops a refresh."""

    files: dict[str, list[str]] = field(default_factory=dict)
    drift: list[Drift] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def list_directory(root: str, contract: Contract) -> Listing:
    """The files of a zone in a directory, paths relative to it.

    Raises WrongUse where there is no such directory or it cannot be read.
    """
    if not os.path.isdir(root):
        raise WrongUse(
            f"There is no raw zone at {root}.",
            "Set VORONKA_RAW_DIR or --raw-dir to a directory with <source>/<table>/*.parquet.",
        )
    listing = Listing()
    for source in _entries(root):
        if not _is_folder(source):
            listing.drift.append(Drift("", shown(source.name), None, None))
        elif source.name not in contract.sources:
            listing.drift.append(Drift(shown(source.name), None, None, None))
        else:
            _list_source(root, source.name, contract, listing)
    return listing


def list_object_store(
    connection: duckdb.DuckDBPyConnection, root: str, contract: Contract
) -> Listing:
    """The files of a zone in an object store, through a session that can read it.

    Raises WrongUse where the store does not answer.
    """
    pattern = escape_glob(root) + "/**"
    try:
        found = connection.execute(
            f"select file from glob({literal(pattern)}) order by file"
        ).fetchall()
    except duckdb.Error as error:
        raise WrongUse(
            f"The object store does not answer for {root}: {error}",
            "Check the address and the credentials that DuckDB's httpfs reads.",
        ) from error
    listing = Listing()
    folders: set[str] = set()
    for (file,) in found:
        path = file[len(root) + 1 :]
        parts = path.split("/")
        table = ".".join(parts[:2])
        if any(_is_hidden(part) for part in parts) or parts[1:] == [_LOADERS_MARK]:
            continue
        if len(parts) < 3 or table not in contract.tables:
            folder = "" if len(parts) == 1 else parts[0]
            if len(parts) > 2:
                folder = table if parts[0] in contract.sources else parts[0]
                if folder not in folders:
                    listing.drift.append(Drift(folder, None, None, None))
                folders.add(folder)
            else:
                listing.drift.append(Drift(folder, path, None, None))
        else:
            _sort_in(listing, table, path)
    return listing


def listed_files(raw_dir: str, contract: Contract) -> list[tuple[str, int, int]]:
    """The data files of a zone in a directory: path, bytes and time of writing in nanoseconds.

    What goes while they are listed is left out. Raises WrongUse where there is no zone.
    """
    found = []
    for paths in list_directory(raw_dir, contract).files.values():
        for path in paths:
            with suppress(FileNotFoundError):
                state = os.stat(os.path.join(raw_dir, path))
                found.append((path, state.st_size, state.st_mtime_ns))
    return sorted(found)


def escape_glob(path: str) -> str:
    """The path with DuckDB's wildcards taken literally."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def shown(name: str) -> str:
    """A name of the file system that any terminal can show: bytes that are no UTF-8 escaped."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _list_source(root: str, source: str, contract: Contract, listing: Listing) -> None:
    for entry in _entries(os.path.join(root, source)):
        table = f"{source}.{shown(entry.name)}"
        if not _is_folder(entry):
            if entry.name != _LOADERS_MARK:
                path = f"{source}/{shown(entry.name)}"
                listing.drift.append(Drift(source, path, None, None))
        elif table not in contract.tables:
            listing.drift.append(Drift(table, None, None, None))
        else:
            for path, kind in _walk(root, f"{source}/{entry.name}", ()):
                _sort_in(listing, table, path, kind)


def _walk(root: str, folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, str]]:
    """Files at any depth below a folder, each with what is wrong with it (empty: nothing)."""
    try:
        state = os.stat(os.path.join(root, folder))
    except FileNotFoundError:
        return
    place = (state.st_dev, state.st_ino)
    if place in above:
        yield folder, "a link to a folder that it lies in"
        return
    for entry in _entries(os.path.join(root, folder)):
        path = f"{folder}/{entry.name}"
        try:
            mode = entry.stat().st_mode
        except FileNotFoundError:
            # A link to nothing stays, a file that went does not.
            if entry.is_symlink():
                yield path, "a link to nothing"
            continue
        except OSError:
            yield path, "a link to itself"
            continue
        if stat.S_ISDIR(mode):
            yield from _walk(root, path, (*above, place))
        else:
            yield path, _KINDS.get(stat.S_IFMT(mode), "")


def _sort_in(listing: Listing, table: str, path: str, trouble: str = "") -> None:
    """A data file, one that would be and cannot be read, or something else."""
    name = shown(path)
    if not path.endswith(SUFFIX):
        listing.drift.append(Drift(table, name, None, None))
    elif trouble:
        listing.problems.append(Problem(table, name, "", f"is {trouble}, not a file"))
    elif name != path:
        listing.problems.append(Problem(table, name, "", "the path is not UTF-8"))
    elif "\\" in path:
        # DuckDB takes it for an escape or a separator.
        listing.problems.append(Problem(table, path, "", "the path has a backslash"))
    else:
        listing.files.setdefault(table, []).append(path)


def _is_hidden(name: str) -> bool:
    """Loaders keep their state under such names."""
    return name.startswith((".", "_"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            found = [entry for entry in entries if not _is_hidden(entry.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise WrongUse(
            f"{shown(path)} cannot be read: {error.strerror}.",
            "Give the user who runs the refresh the right to read the raw zone.",
        ) from error
    return sorted(found, key=lambda entry: entry.name)
