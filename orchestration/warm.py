"""Slow starts and later steps' work, begun before they are needed.

dbt's process starts with the job and, where the raw zone has news, Great Expectations' import. Once
the models are built, the steps that follow only read the build file: they work side by side, and
each collects its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from orchestration.base.cache import Memory, zone_version
from orchestration.base.object_store import object_store_extension
from orchestration.base.settings import Settings
from orchestration.expectations.suites import ExpectationResult, Suite, kept_results, run_suites
from orchestration.models.dbt import DbtProcess

EXPECTATIONS = "expectations"


@dataclass(frozen=True)
class Offer:
    """A later step's work: what does it, in whose thread, and how it is given up."""

    work: Callable[[], Any]
    thread: str
    give_up: Callable[[], None] | None = None


class WarmTools:
    """The tools of one refresh. Each is started when asked for, if it was not started before."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dbt: DbtProcess | None = None
        self._lock = threading.Lock()
        self._offers: dict[str, Offer] = {}
        self._begun: dict[str, Future[Any]] = {}
        self._threads: dict[str, ThreadPoolExecutor] = {}

    def start_dbt(self) -> DbtProcess:
        """Dbt's process, started at the first call."""
        with self._lock:
            if self._dbt is None:
                self._dbt = DbtProcess(self._settings)
            return self._dbt

    def start_raw_suites(self, suites: list[Suite]) -> None:
        """Run the suites of the raw zone in the background, unless their findings are kept."""
        self._begin("raw suites", Offer(lambda: self._run_raw_suites(suites), EXPECTATIONS))

    def raw_results(self, suites: list[Suite]) -> list[ExpectationResult]:
        """Results of the raw suites, from the background if they were started there."""
        begun = self._begun.pop("raw suites", None)
        results: list[ExpectationResult] = begun.result() if begun else self._run_raw_suites(suites)
        return results

    def offer(
        self,
        name: str,
        work: Callable[[], Any],
        thread: str = "",
        give_up: Callable[[], None] | None = None,
    ) -> None:
        """Offer work that may be done once the models are built; works of a thread take turns."""
        self._offers[name] = Offer(work, thread or name, give_up)

    def begin_offers(self) -> None:
        """The models are built: do what was offered, side by side if the build is small."""
        if self._settings.has_small_build:
            for name, offer in self._offers.items():
                self._begin(name, offer)

    def result(self, name: str) -> Any:
        """What offered work came to, done now if it was not begun. Raises what it raised."""
        begun = self._begun.pop(name, None)
        return begun.result() if begun else self._offers[name].work()

    def _begin(self, name: str, offer: Offer) -> None:
        if offer.thread not in self._threads:
            self._threads[offer.thread] = ThreadPoolExecutor(1, thread_name_prefix=offer.thread)
        self._begun[name] = self._threads[offer.thread].submit(offer.work)

    def _run_raw_suites(self, suites: list[Suite]) -> list[ExpectationResult]:
        settings = self._settings
        extension = object_store_extension(settings.raw_zone)
        return kept_results(
            Memory(settings.raw_expectations_memory),
            zone_version(settings),
            suites,
            lambda: run_suites(settings.raw_zone_file, suites, extension, settings.session()),
        )

    def close(self) -> None:
        """End dbt's process and give up what nobody collected; a new process starts if asked."""
        with self._lock:
            if self._dbt is not None:
                self._dbt.close()
                self._dbt = None
        for name, begun in self._begun.items():
            offer = self._offers.get(name)
            if offer is not None and offer.give_up is not None and not begun.cancel():
                offer.give_up()
                wait([begun])
                # What it did before it could be told.
                offer.give_up()
        self._begun.clear()
        for pool in self._threads.values():
            pool.shutdown(wait=False, cancel_futures=True)
        self._threads.clear()
