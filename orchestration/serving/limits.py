"""Questions within their limits: so many at once, so long each, so many rows."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import duckdb

from orchestration.base.errors import VoronkaError
from orchestration.serving.session import Session, Warehouse
from orchestration.serving.viewer import Viewer

T = TypeVar("T")

# How often a question that is over its time is told to end: it may be between two statements.
_TICK = 0.05


@dataclass(frozen=True)
class Limits:
    """What one question may cost, and how many are asked at once.

    `waiting` questions beyond those at work wait for their turn; one more is sent away.
    """

    seconds: float = 2.0
    rows: int = 100_000
    answer_bytes: int = 64_000_000
    at_once: int = 4
    waiting: int = 60


class TooLong(VoronkaError):
    """A question took longer than it may."""


class TooMuch(VoronkaError):
    """An answer is larger than it may be, or needs more memory than there is."""


class TooBusy(VoronkaError):
    """More questions are asked than can wait."""


class Runner:
    """Asks questions in a few threads, so that whoever serves them never waits for one."""

    def __init__(self, warehouse: Warehouse, limits: Limits) -> None:
        self.warehouse = warehouse
        self.limits = limits
        self._pool = ThreadPoolExecutor(limits.at_once, "question")
        self._clock = _Clock()
        self._lock = threading.Lock()
        self._asked = 0

    async def ask(self, viewer: Viewer, work: Callable[[Session], T]) -> T:
        """What `work` makes of a session, from a thread. Raises as `run` does, and TooBusy."""
        return await self.aside(lambda: self.run(viewer, work))

    async def aside(self, work: Callable[[], T]) -> T:
        """The result of something that takes time, from one of the threads. Raises TooBusy."""
        with self._lock:
            if self._asked >= self.limits.at_once + self.limits.waiting:
                raise TooBusy("Too many questions are asked at once.", "Ask again in a second.")
            self._asked += 1
        try:
            future = self._pool.submit(work)
        except RuntimeError as error:
            self._done(None)
            raise TooBusy("The server is stopping.", "Ask again in a minute.") from error
        # It counts until it has ended, even if nobody waits for it any more.
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def run(self, viewer: Viewer, work: Callable[[Session], T]) -> T:
        """What `work` makes of a session, in this thread.

        Raises TooLong and TooMuch where a limit is met, and what `Warehouse.session` raises.
        """
        with self.warehouse.session(viewer) as session, self._within_limits(session):
            return work(session)

    def close(self) -> None:
        """Take no more questions; those that are asked end by their limit."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._clock.close()

    def _done(self, _: object) -> None:
        with self._lock:
            self._asked -= 1

    @contextmanager
    def _within_limits(self, session: Session) -> Iterator[None]:
        limit = self.limits.seconds
        thread, planned = threading.get_ident(), session.metrics.compiler.planned
        start = time.monotonic() - planned.get(thread, 0.0)

        def is_over() -> bool:
            spent: float = time.monotonic() - start - planned.get(thread, 0.0)
            return spent >= limit

        with self._clock.watch(session.connection, is_over):
            try:
                yield
            except Exception as error:
                if is_over():
                    raise TooLong(
                        f"The question takes longer than {limit:g} s.",
                        "Ask for less at once: a shorter period, fewer metrics or dimensions.",
                    ) from error
                if "Out of Memory Error" in str(error):
                    raise TooMuch(
                        "The question needs more memory than there is for it.",
                        "Ask for less at once: a shorter period, fewer metrics or dimensions.",
                    ) from error
                raise


class _Clock:
    """Interrupts statements that run longer than they may; one thread for all of them."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[Callable[[], bool], duckdb.DuckDBPyConnection]] = {}
        self._changed = threading.Condition()
        self._number = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._watch, name="clock", daemon=True)
        self._thread.start()

    @contextmanager
    def watch(
        self, connection: duckdb.DuckDBPyConnection, is_over: Callable[[], bool]
    ) -> Iterator[None]:
        """Interrupt what the connection does as soon as its time is over."""
        with self._changed:
            self._number += 1
            number = self._number
            self._running[number] = (is_over, connection)
            if len(self._running) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            # Under the lock: nobody is interrupted after this.
            with self._changed:
                del self._running[number]

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        with self._changed:
            while not self._is_closed:
                for is_over, connection in self._running.values():
                    if is_over():
                        connection.interrupt()
                self._changed.wait(_TICK if self._running else None)
