"""The report of a run: what was asked, what came, what was written, and what to know about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.base.errors import VoronkaError
from orchestration.base.files import read_json, write_json

COMMAND, DAGSTER = "voronka connect run", "Dagster"


@dataclass
class Report:
    """Counts of one run; written as one JSON file, and shown by the command."""

    connection: str
    kind: str
    started_at: datetime
    # What ran it, for who looks at its history.
    by: str = COMMAND
    ended_at: datetime | None = None
    # By what was read (an endpoint, a file, a table): rows that came, and what became of them.
    fetched: Counter[str] = field(default_factory=Counter)
    mapped: Counter[str] = field(default_factory=Counter)
    pending: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    # Seconds of all waits, those for the system's pace included.
    waited: float = 0.0
    # By the contract's table.
    written: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    # Repairs, missing fields, unknown values, by name.
    counted: Counter[str] = field(default_factory=Counter)
    # By the contract's table: our own sum, and what the system states.
    totals: dict[str, dict[str, str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    window: str = ""
    reached: dict[str, str] = field(default_factory=dict)
    files: int = 0
    failure: dict[str, Any] | None = None

    def warn(self, text: str) -> None:
        """Something to know; once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def lacking(self, what: str, row: Mapping[str, Any], documented: AbstractSet[str]) -> None:
        """Count the fields that the system's manual promises and this row does not have."""
        for name in documented - row.keys():
            self.counted[f"{what}: rows without {name}"] += 1

    def account(
        self, what: str, fetched: int, mapped: int, pending: int = 0, rejected: int = 0
    ) -> None:
        """Say what became of the rows that came. Raises where one is not accounted for."""
        self.fetched[what] += fetched
        self.mapped[what] += mapped
        self.pending[what] += pending
        self.rejected[what] += rejected
        if fetched != mapped + pending + rejected:
            raise VoronkaError(
                f"{self.connection}: of {fetched} rows of {what} {mapped} were mapped, {pending} "
                f"are pending and {rejected} rejected.",
                "This is a fault of the program; nothing of this window was written.",
            )

    def as_json(self) -> dict[str, Any]:
        """The report as a mapping of plain values, empty counts left out."""
        found: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Counter):
                value = {key: count for key, count in sorted(value.items()) if count}
            elif isinstance(value, datetime):
                value = value.isoformat()
            found[name] = value
        return found


def save_report(report: Report, directory: Path) -> Path:
    """Write the report beside those of earlier runs; the latest is also `last.json`."""
    name = f"{report.started_at:%Y%m%dT%H%M%S.%fZ}.json"
    file = directory / "runs" / name
    write_json(file, report.as_json())
    write_json(directory / "last.json", report.as_json())
    return file


def last_report(directory: Path) -> dict[str, Any]:
    """The report of the latest run; empty where there was none."""
    return read_json(directory / "last.json")
