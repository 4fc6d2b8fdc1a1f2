"""How long the dashboard's questions take, for one reader and for sixteen at once.

Readers are processes, each with a read-only connection that stays open, as in a BI tool, and is
reopened when another file takes the place of the published one. They take whole answers, as rows
of Python's objects, or in columns (Arrow) where the case says so.
"""

from __future__ import annotations

import math
import multiprocessing
import multiprocessing.synchronize
import os
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

import duckdb

Latency = tuple[str, float]
_FACT = re.compile(r"\bmarts\.fct_")


@dataclass(frozen=True)
class Case:
    """So many readers, each waiting `pause` seconds between two questions."""

    name: str
    readers: int
    pause: float
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
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(case.readers + 1)
    answers: Any = context.Queue()
    processes = [
        context.Process(
            target=_read, args=(file, queries, case, number, seconds, ready, answers), daemon=True
        )
        for number in range(case.readers)
    ]
    for process in processes:
        process.start()
    found: list[Latency] = []
    try:
        ready.wait(timeout=120)
        for _ in processes:
            found += answers.get(timeout=seconds + 120)
        for process in processes:
            process.join(timeout=30)
    except (Empty, threading.BrokenBarrierError) as error:
        raise RuntimeError(f"a reader of {file.name} did not answer") from error
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
    return found


def _read(
    file: Path,
    queries: dict[str, str],
    case: Case,
    number: int,
    seconds: float,
    ready: multiprocessing.synchronize.Barrier,
    answers: Any,
) -> None:
    """One reader. It begins with a question of its own, so that sixteen do not ask in step."""
    names = list(queries)
    found: list[Latency] = []
    reader = _Reader(file, case)
    for name in names:  # a dashboard that has been looked at before
        reader.ask(queries[name])
    ready.wait(timeout=120)
    begun = time.perf_counter()
    time.sleep(case.pause * number / case.readers)
    turn = number
    while time.perf_counter() - begun < seconds:
        name = names[turn % len(names)]
        turn += 1
        start = time.perf_counter()
        reader.ask(queries[name])
        found.append((name, time.perf_counter() - start))
        time.sleep(case.pause)
    answers.put(found)


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
    by_query = {
        name: percentiles([seconds for asked, seconds in latencies if asked == name])
        for name in queries
    }
    return {
        "questions": len(latencies),
        "marts": percentiles([seconds for name, seconds in latencies if name not in facts]),
        "facts": percentiles([seconds for name, seconds in latencies if name in facts]),
        "queries": by_query,
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The 50th and 95th percentile in milliseconds, by nearest rank; empty of nothing."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {
        f"p{percent}": 1000 * ordered[math.ceil(percent / 100 * len(ordered)) - 1]
        for percent in (50, 95)
    }
