"""What all tests of connectors share: a data directory, a raw zone and connections of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.base.settings import Settings
from orchestration.connectors.connector import Slice
from orchestration.connectors.run import Outcome, run
from tests.standins.clock import TestClock


@dataclass
class Place:
    """A directory with connections.yml, data and a raw zone; what a person would have."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: TestClock | None = None

    @property
    def raw(self) -> Path:
        return self.root / "raw"

    @property
    def data(self) -> Path:
        return self.root / "data"

    def connect(self, name: str, keys: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Put a connection into connections.yml, and its secrets into the environment."""
        self.connections[name] = dict(keys)
        self.root.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.connections, ensure_ascii=False)
        (self.root / "connections.yml").write_text(text, encoding="utf-8")
        for variable, secret in secrets.items():
            self.monkeypatch.setenv(variable, secret)

    def settings(self, now: datetime) -> Settings:
        return Settings(
            raw_dir=str(self.raw),
            data_dir=self.data,
            connections=self.root / "connections.yml",
            now=now,
        )

    def run(
        self, *names: str, now: datetime, asked: Slice | None = None, tick: float = 0.0
    ) -> Outcome:
        """Run connections here; the last one's outcome."""
        self.clock = TestClock(now, tick)
        return run(self.settings(now), names, asked, clock=self.clock)[-1]

    def good(
        self, *names: str, now: datetime, asked: Slice | None = None, tick: float = 0.0
    ) -> Outcome:
        """The same, and it has to go well."""
        outcome = self.run(*names, now=now, asked=asked, tick=tick)
        assert outcome.failure is None, outcome.failure
        return outcome


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path / "place", monkeypatch)


def processes() -> list[bytes]:
    """The command lines of all processes."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(entry.read_bytes())
    return found
