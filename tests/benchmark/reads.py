"""How long the dashboard's questions take, for one reader and for sixteen at once.

Readers are processes, each with a read-only connection that stays open, as in a BI tool, and is
reopened when another file takes the place of the published one. They take whole answers, as rows
of Python's objects, or in columns (Arrow) where the case says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmark import readers
from tests.benchmark.readers import Latency, by_question, percentiles

_FACT = re.compile(r"\bmarts\.fct_")


@dataclass(frozen=True)
class Case(readers.Case):
    """Readers who open the file for each question, or take answers in columns."""

    reopens: bool = False
    takes_columns: bool = False


CASES = (
    Case("1 reader", 1, 0.0),
    Case("1 reader, takes columns", 1, 0.0, takes_columns=True),
    Case("1 reader, opens the file for each question", 1, 0.0, reopens=True),
    Case("16 readers, a question a second each", 16, 1.0),
    Case("16 readers without a pause", 16, 0.0),
)


def measure(file: Path, queries: dict[str, str], case: Case, seconds: float) -> list[Latency]:
    """Ask the questions in turn for so long; the seconds of every answer."""
    return readers.measure(partial(_Reader, file, case), queries, case, seconds)


class _Reader:
    """A connection that follows the file."""

    def __init__(self, file: Path, case: Case) -> None:
        self._file = file
        self._case = case
        self._seen: tuple[int, int] | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None

    def ask(self, sql: str) -> None:
        """Answer one question with all its rows."""
        state = os.stat(self._file)
        seen = (state.st_ino, state.st_mtime_ns)
        if self._connection is None or self._case.reopens or seen != self._seen:
            if self._connection is not None:
                with suppress(duckdb.Error):
                    self._connection.close()
            self._connection = duckdb.connect(str(self._file), read_only=True)
            self._connection.execute("set enable_progress_bar = false")
            self._seen = seen
        answer = self._connection.execute(sql)
        if self._case.takes_columns:
            answer.to_arrow_table()
        else:
            answer.fetchall()


def summary(latencies: Sequence[Latency], queries: dict[str, str]) -> dict[str, Any]:
    """Milliseconds: of questions to marts, of those to facts, and of each question."""
    facts = {name for name, sql in queries.items() if _FACT.search(sql)}
    return {
        "questions": len(latencies),
        "marts": percentiles([seconds for name, seconds in latencies if name not in facts]),
        "facts": percentiles([seconds for name, seconds in latencies if name in facts]),
        "queries": by_question(latencies, list(queries)),
    }
