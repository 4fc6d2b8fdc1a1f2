"""What a connection remembers, and where: dlt's state, and a copy that is read without dlt.

dlt moves the state together with the rows of a load package. Importing it takes longer than a load
with nothing new, which changes the state alone: so there is a file of ours, and it is there only
while no package is under way. Where it is missing, dlt's state holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.base.files import read_json, sync, write_bytes


class SettledState:
    """The file of a connection in its directory."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "state.json"

    def read(self) -> dict[str, Any] | None:
        """The state; None where dlt has to be asked."""
        found = read_json(self._file).get("state")
        return dict(found) if isinstance(found, dict) else None

    def write(self, state: Mapping[str, Any]) -> None:
        """Say that this is the state, and that every package is loaded."""
        text = json.dumps({"state": state}, ensure_ascii=False, indent=1)
        write_bytes(self._file, text.encode(), is_durable=True)

    def remove(self) -> None:
        """Say that a package is under way."""
        if self._file.exists():
            self._file.unlink()
            sync(self._file.parent)


def stored_prefix(directory: Path, connection: str) -> str | None:
    """The prefix of the rows that are there; None where nothing was loaded yet.

    dlt keeps the state of a pipeline in one JSON file, by source.
    """
    state = SettledState(directory).read()
    if state is None:
        of_dlt = read_json(directory / "dlt" / connection / "state.json")
        state = of_dlt.get("sources", {}).get(connection, {})
    found = state.get("prefix")
    return None if found is None else str(found)
