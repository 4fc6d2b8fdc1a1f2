"""Readers side by side: processes that ask a dashboard's questions over and over, as people do."""

from __future__ import annotations

import math
import multiprocessing
import multiprocessing.synchronize
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty
from typing import Any, Protocol

# The name of a question, and the seconds of its answer.
Latency = tuple[str, float]
# What the slowest reader may need before all begin, and for its last answer.
_SECONDS_TO_BEGIN = 300
_SECONDS_TO_END = 120


class Reader(Protocol):
    """Whoever asks."""

    def ask(self, question: str) -> None:
        """Take one whole answer."""


@dataclass(frozen=True)
class Case:
    """So many readers, each waiting `pause` seconds between two questions."""

    name: str
    readers: int
    pause: float


def measure(
    opened: Callable[[], Reader], questions: Mapping[str, str], case: Case, seconds: float
) -> list[Latency]:
    """Ask the questions in turn for so long; the seconds of every answer.

    `opened` makes a reader, in its own process. Raises RuntimeError where one did not answer.
    """
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(case.readers + 1)
    answers: Any = context.Queue()
    processes = [
        context.Process(
            target=_read,
            args=(opened, dict(questions), case, number, seconds, ready, answers),
            daemon=True,
        )
        for number in range(case.readers)
    ]
    for process in processes:
        process.start()
    found: list[Latency] = []
    try:
        ready.wait(timeout=_SECONDS_TO_BEGIN)
        for _ in processes:
            found += answers.get(timeout=seconds + _SECONDS_TO_END)
        for process in processes:
            process.join(timeout=30)
    except (Empty, threading.BrokenBarrierError) as error:
        raise RuntimeError(f"a reader did not answer: {case.name}") from error
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
    return found


def _read(
    opened: Callable[[], Reader],
    questions: dict[str, str],
    case: Case,
    number: int,
    seconds: float,
    ready: multiprocessing.synchronize.Barrier,
    answers: Any,
) -> None:
    """One reader. It begins with a question of its own, so that sixteen do not ask in step."""
    names = list(questions)
    found: list[Latency] = []
    reader = opened()
    for name in names:  # a dashboard that has been looked at before
        reader.ask(questions[name])
    ready.wait(timeout=_SECONDS_TO_BEGIN)
    begun = time.perf_counter()
    time.sleep(case.pause * number / case.readers)
    turn = number
    while time.perf_counter() - begun < seconds:
        name = names[turn % len(names)]
        turn += 1
        found.append((name, seconds_of(reader, questions[name])))
        time.sleep(case.pause)
    answers.put(found)


def seconds_of(reader: Reader, question: str) -> float:
    """How long one whole answer takes."""
    start = time.perf_counter()
    reader.ask(question)
    return time.perf_counter() - start


def by_question(latencies: Sequence[Latency], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Percentiles of each question's answers."""
    return {
        name: percentiles([seconds for asked, seconds in latencies if asked == name])
        for name in names
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
