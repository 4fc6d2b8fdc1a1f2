"""Small files that are replaced as a whole."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

_DIGEST_SIZE = hashlib.sha256().digest_size


def write_json(path: Path, value: Any) -> None:
    """Replace the file at once: a reader sees the old text or the new one."""
    write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1).encode())


def write_bytes(path: Path, content: bytes, is_durable: bool = False) -> None:
    """Replace the file at once: a reader sees the old content or the new one.

    `is_durable` brings it to the disk first, for what has to outlive a machine that stops.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        if is_durable:
            sync(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


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
