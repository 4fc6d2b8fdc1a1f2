"""Which files lie in a raw zone. Names only: nothing is opened."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field

import duckdb

from orchestration.base.errors import Problem, WrongUse, first_line
from orchestration.base.sql import literal
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.zone import Drift

SUFFIX = ".parquet"
# dlt's mark of a folder that it has prepared.
_LOADERS_MARK = "init"
_KINDS = {
    stat.S_IFIFO: "is a named pipe, not a file",
    stat.S_IFSOCK: "is a socket, not a file",
    stat.S_IFCHR: "is a device, not a file",
    stat.S_IFBLK: "is a device, not a file",
}
UNREADABLE = "cannot be read"
NO_ACCESS = "may not be read: give the user who runs the refresh the right to read it"
_TROUBLES = {
    errno.ENOENT: "is a link to nothing",
    errno.ELOOP: "is a link to itself",
    errno.EACCES: NO_ACCESS,
    errno.EPERM: NO_ACCESS,
}


@dataclass
class Listing:
    """Parquet files by table, sorted; what else lies there; what stops a refresh.

    Paths are relative to the zone's root. Those of drift and problems are shown with escapes for
    bytes that are not UTF-8.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    drift: list[Drift] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, table: str, path: str, trouble: str = "") -> None:
        """Add what lies in a table's folder; `trouble` says why it is no file to read."""
        name = shown(path)
        if trouble == NO_ACCESS or trouble.startswith(UNREADABLE):
            # Whatever it is, it may be data.
            self.problems.append(Problem(table, name, "", trouble))
        elif not path.endswith(SUFFIX):
            self.drift.append(Drift(table, name, None, None))
        elif trouble:
            self.problems.append(Problem(table, name, "", trouble))
        elif name != path:
            self.problems.append(Problem(table, name, "", "has a path that is not UTF-8: rename"))
        elif "\\" in path:
            # DuckDB takes it for an escape where another character of the path is a wildcard.
            self.problems.append(Problem(table, path, "", "has a backslash in its path: rename"))
        else:
            self.files.setdefault(table, []).append(path)


def list_directory(root: str, contract: Contract) -> Listing:
    """The files of a zone in a directory.

    Raises WrongUse where there is no such directory or it cannot be read.
    """
    if shown(root) != root:
        raise WrongUse(
            f"The path of the raw zone is not UTF-8: {shown(root)}", "Rename the folder."
        )
    if not os.path.isdir(root):
        raise WrongUse(
            f"There is no raw zone at {root}.",
            "Set VORONKA_RAW_DIR or --raw-dir to a directory with <source>/<table>/*.parquet.",
        )
    try:
        sources = _entries(root)
    except OSError as error:
        raise WrongUse(
            f"{root} cannot be read: {error.strerror}.",
            "Give the user who runs the refresh the right to read the raw zone.",
        ) from error
    listing = Listing()
    for entry in sources:
        trouble = _trouble(entry)
        if entry.name in contract.sources and trouble:
            listing.problems.append(Problem(entry.name, entry.name, "", trouble))
        elif trouble or not entry.is_dir():
            listing.drift.append(Drift("", shown(entry.name), None, None))
        elif entry.name not in contract.sources:
            listing.drift.append(Drift(shown(entry.name), None, None, None))
        else:
            _list_source(root, entry.name, contract, listing)
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
            f"The object store does not answer for {root}: {first_line(error)}",
            "Check the address and the credentials that DuckDB's httpfs reads.",
        ) from error
    listing = Listing()
    folders: set[str] = set()
    for (file,) in found:
        path = file[len(root) + 1 :]
        parts = path.split("/")
        # Some tools write an empty object in place of a folder.
        is_folder = path.endswith("/") or not path
        if is_folder or any(map(_is_hidden, parts)) or parts[1:] == [_LOADERS_MARK]:
            continue
        source, table = parts[0], ".".join(parts[:2])
        if len(parts) > 2 and table in contract.tables:
            listing.add(table, path)
        elif len(parts) > 1 and source not in contract.sources:
            folders.add(source)
        elif len(parts) > 2:
            folders.add(table)
        else:
            listing.drift.append(Drift("" if len(parts) == 1 else source, path, None, None))
    listing.drift += [Drift(folder, None, None, None) for folder in sorted(folders)]
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
    r"""A name of the file system as text: its bytes that are not UTF-8 as `\xcf`."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _list_source(root: str, source: str, contract: Contract, listing: Listing) -> None:
    try:
        entries = _entries(os.path.join(root, source))
    except OSError as error:
        listing.problems.append(Problem(source, source, "", _reason(error)))
        return
    for entry in entries:
        path = f"{source}/{entry.name}"
        table = f"{source}.{shown(entry.name)}"
        trouble = _trouble(entry)
        if table in contract.tables and trouble:
            listing.problems.append(Problem(table, path, "", trouble))
        elif trouble or not entry.is_dir():
            if entry.name != _LOADERS_MARK:
                listing.drift.append(Drift(source, shown(path), None, None))
        elif table not in contract.tables:
            listing.drift.append(Drift(table, None, None, None))
        else:
            _list_table(root, table, path, listing)


def _list_table(root: str, table: str, folder: str, listing: Listing) -> None:
    """Add what lies at any depth below a table's folder, in order of paths."""
    # Folders to look into, each with those that it lies in: a link may lead back up.
    parents = (root, os.path.join(root, os.path.dirname(folder)))
    pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [(folder, tuple(map(_place, parents)))]
    found: list[tuple[str, str]] = []
    while pending:
        path, above = pending.pop()
        try:
            place = _place(os.path.join(root, path))
            if place in above:
                found.append((path, "is a link to a folder that it lies in"))
                continue
            entries = _entries(os.path.join(root, path))
        except FileNotFoundError:
            # It went while the zone was listed.
            continue
        except OSError as error:
            found.append((path, _reason(error)))
            continue
        for entry in entries:
            trouble = _trouble(entry)
            if not trouble and entry.is_dir():
                pending.append((f"{path}/{entry.name}", (*above, place)))
            else:
                found.append((f"{path}/{entry.name}", trouble))
    for path, trouble in sorted(found):
        listing.add(table, path, trouble)


def _place(path: str) -> tuple[int, int]:
    """What tells a folder from others, whichever links lead to it."""
    state = os.stat(path)
    return state.st_dev, state.st_ino


def _trouble(entry: os.DirEntry[str]) -> str:
    """Why an entry is neither a file nor a folder that could be read; empty where it is one."""
    try:
        return _KINDS.get(stat.S_IFMT(entry.stat().st_mode), "")
    except FileNotFoundError:
        # A link to nothing stays; a file that went while the zone was listed is no trouble here.
        return _TROUBLES[errno.ENOENT] if entry.is_symlink() else ""
    except OSError as error:
        return _reason(error)


def _reason(error: OSError) -> str:
    return _TROUBLES.get(error.errno or 0, f"{UNREADABLE}: {error.strerror}")


def _is_hidden(name: str) -> bool:
    """Loaders keep their state under such names."""
    return name.startswith((".", "_"))


def _entries(path: str) -> list[os.DirEntry[str]]:
    """What lies in a folder and may be part of the zone, by name."""
    with os.scandir(path) as entries:
        found = [entry for entry in entries if not _is_hidden(entry.name)]
    return sorted(found, key=lambda entry: entry.name)
