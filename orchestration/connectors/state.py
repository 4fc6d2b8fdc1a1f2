"""What a connection remembers, read without the library that wrote it."""

from __future__ import annotations

from pathlib import Path

from orchestration.base.files import read_json


def stored_prefix(directory: Path, connection: str) -> str | None:
    """The prefix of the rows that are there; None where nothing was loaded yet.

    dlt keeps the state of a pipeline in one JSON file, by source.
    """
    state = read_json(directory / "dlt" / connection / "state.json")
    found = state.get("sources", {}).get(connection, {}).get("prefix")
    return None if found is None else str(found)
