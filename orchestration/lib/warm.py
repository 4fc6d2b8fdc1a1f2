"""Slow starts, begun before they are needed: dbt's process and Great Expectations' import."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from orchestration.lib.dbt import DbtProcess
from orchestration.lib.expectations import ExpectationResult, Suite, run_suites
from orchestration.lib.raw_zone import object_store_extension
from orchestration.lib.settings import Settings


class WarmTools:
    """The tools of one refresh. Each is started when asked for, if it was not started before."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dbt: DbtProcess | None = None
        self._lock = threading.Lock()
        self._raw_results: Future[list[ExpectationResult]] | None = None

    def start_dbt(self) -> DbtProcess:
        """Dbt's process, started at the first call."""
        with self._lock:
            if self._dbt is None:
                self._dbt = DbtProcess(self._settings)
            return self._dbt

    def start_raw_suites(self, suites: list[Suite]) -> None:
        """Run the suites of the raw zone in the background, Great Expectations' import included."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="expectations")
        self._raw_results = pool.submit(self._run_raw_suites, suites)
        pool.shutdown(wait=False)

    def raw_results(self, suites: list[Suite]) -> list[ExpectationResult]:
        """Results of the raw suites, from the background if they were started there."""
        if self._raw_results is None:
            return self._run_raw_suites(suites)
        return self._raw_results.result()

    def _run_raw_suites(self, suites: list[Suite]) -> list[ExpectationResult]:
        extension = object_store_extension(self._settings.raw_zone)
        return run_suites(self._settings.raw_zone_file, suites, extension)

    def close(self) -> None:
        """End dbt's process; a new one is started if it is asked for again."""
        with self._lock:
            if self._dbt is not None:
                self._dbt.close()
                self._dbt = None
            self._raw_results = None
