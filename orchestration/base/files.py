"""Small files that are replaced as a whole, or overwritten in place, and what writers leave."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_DIGEST_SIZE = hashlib.sha256().digest_size
_DIGEST = "digest"
# `<name>.<process>.tmp`, and what a database writes beside it.
_DRAFT = re.compile(r".+[.-]\d+\.tmp(\.wal|\.tmp)?")


def write_json(path: Path, value: Any) -> None:
    """Replace the file at once: a reader sees the old text or the new one."""
    write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1).encode())


def write_bytes(path: Path, content: bytes, is_durable: bool = False) -> None:
    """Replace the file at once: a reader sees the old content or the new one.

    `is_durable` brings it to the disk first, for what has to outlive a machine that stops.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with _locked_draft(draft) as descriptor:
        _write_all(descriptor, content)
        if is_durable:
            os.fsync(descriptor)
        os.replace(draft, path)


def remove_drafts(directory: Path) -> list[Path]:
    """Remove the drafts in a directory whose writer is gone; what was removed.

    A writer holds a lock on its draft for as long as it lives, so that a number that another
    process has by now misleads nobody. Drafts without a lock belong to the refresh: call this
    while no other one can run.
    """
    drafts = [path for path in _listed(directory) if _DRAFT.fullmatch(path.name)]
    return [path for path in drafts if _remove_unlocked(path)]


def empty(directory: Path) -> None:
    """Remove what lies in a directory, as far as it can be removed."""
    for path in _listed(directory):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def reserve(path: Path, size: int) -> None:
    """Bring a file to its size on the disk, so that `overwrite` needs no space later.

    Raises OSError where there is none; the file is then shorter.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.stat().st_size < size:
        with path.open("ab") as file:
            file.write(b" " * (size - file.tell()))
            file.flush()
            os.fsync(file.fileno())


def overwrite(path: Path, value: Mapping[str, Any]) -> None:
    """Write a mapping over a reserved file, in place. Raises ValueError where it is too long.

    It has a digest of itself: who reads while it is written, or after a machine stopped meanwhile,
    sees that it is not whole.
    """
    text = _plain(value)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    content = json.dumps({**value, _DIGEST: digest}, ensure_ascii=False).encode()
    size = path.stat().st_size
    if len(content) > size:
        raise ValueError(f"{len(content)} bytes do not fit into the {size} of {path}")
    with path.open("r+b") as file:
        file.write(content.ljust(size))
        file.flush()
        os.fsync(file.fileno())


def read_overwritten(path: Path) -> dict[str, Any]:
    """What `overwrite` wrote last; empty where that is nothing, or is not whole."""
    for _ in range(5):
        found = read_json(path)
        digest = found.pop(_DIGEST, None)
        if digest == hashlib.sha256(_plain(found).encode()).hexdigest()[:16]:
            return found
        if not path.exists() or not path.read_bytes().strip():
            return {}
        time.sleep(0.01)
    return {}


def read_json(path: Path) -> dict[str, Any]:
    """The file's mapping; empty where there is no file or it is damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_marked(path: Path, mark: str, content: bytes) -> None:
    """Replace a file that `read_marked` gives back to who knows the mark."""
    write_bytes(path, hashlib.sha256(mark.encode() + content).digest() + content)


def read_marked(path: Path, mark: str) -> bytes | None:
    """The content; None where there is none, it is damaged or was written with another mark."""
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    content = whole[_DIGEST_SIZE:]
    is_ours = whole[:_DIGEST_SIZE] == hashlib.sha256(mark.encode() + content).digest()
    return content if is_ours else None


def forbid_writing(path: Path) -> None:
    """Let nobody write the file; who may read it stays as it is."""
    path.chmod(path.stat().st_mode & ~0o222)


def sync(path: Path) -> None:
    """Bring a file, or a directory's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked_draft(draft: Path) -> Iterator[int]:
    """A new file that its writer holds locked; removed where it was not given its name."""
    while True:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT, 0o666)
        # On a file system without locks drafts are written all the same.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_file(draft, descriptor):
            break
        # Somebody took it for a dead process's before it was locked.
        os.close(descriptor)
    try:
        os.ftruncate(descriptor, 0)
        yield descriptor
    finally:
        if _is_file(draft, descriptor):
            draft.unlink(missing_ok=True)
        os.close(descriptor)


def _remove_unlocked(path: Path) -> bool:
    if path.is_symlink() or path.is_dir():
        if path.is_symlink():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)
        return True
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared is enough to see a writer's, and needs no right to write on any file system.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_file(path: Path, descriptor: int) -> bool:
    """Whether the name still stands for the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _listed(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _plain(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
