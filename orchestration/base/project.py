"""Which project a build is of: dbt's files, the variables and dbt itself, as one version."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_PARTS = ("dbt_project", "seeds/reference", "dbt_project.yml", "profiles.yml")
_TOOLS = ("dbt-core", "dbt-duckdb", "duckdb")


def project_version(root: Path, variables: Mapping[str, Any]) -> str:
    """The same for the same files, wherever they lie and whenever they were written."""
    state = hashlib.sha256(json.dumps(variables, sort_keys=True).encode())
    for package in _TOOLS:
        state.update(importlib.metadata.version(package).encode())
    for file in sorted(_files(root)):
        content = file.read_bytes()
        state.update(f"{file.relative_to(root)}|{len(content)}|".encode())
        state.update(content)
    return state.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for part in _PARTS:
        path = root / part
        if path.is_file():
            yield path
            continue
        for directory, _, names in os.walk(path):
            yield from (Path(directory) / name for name in names)
