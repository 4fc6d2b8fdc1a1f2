"""A refresh: a list of steps in one order, which the command and Dagster both host."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property

from orchestration.base.interrupt import is_asked_to_stop, stop_if_asked
from orchestration.base.lock import only_refresh
from orchestration.base.record import Failure, Record
from orchestration.base.settings import Settings
from orchestration.expectations.suites import Suite, load_suites
from orchestration.fingerprint import save_fingerprint, unchanged
from orchestration.metrics.layer import MetricsLayer
from orchestration.models.dbt import Manifest, PublishedModel, load_manifest, published_models
from orchestration.raw_zone.contract import Contract, load_contract

_NICENESS = 10


class Project:
    """What the steps of a refresh read of the project, each at its first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def contract(self) -> Contract:
        """The raw contract."""
        return load_contract(self.settings.root)

    @cached_property
    def manifest(self) -> Manifest:
        """Dbt's manifest. Raises BuildFailed where the project is not valid."""
        return load_manifest(self.settings)

    @cached_property
    def suites(self) -> list[Suite]:
        """Great Expectations' suites."""
        return load_suites(self.settings.root / "expectations")

    @cached_property
    def layer(self) -> MetricsLayer:
        """The metrics layer over the private build."""
        return MetricsLayer(self.settings, self.manifest)

    @cached_property
    def published(self) -> list[PublishedModel]:
        """The tables that are published, described in both languages."""
        return self.layer.published(published_models(self.manifest))


def refresh(settings: Settings, full: bool = False, accept: Collection[str] = ()) -> Record:
    """Run every step here and return what they found.

    `accept` has words of `orchestration.base.record.ACCEPTABLE`: what else would stop it.
    The record's `failure` says why nothing was published, or that somebody stopped it; it is None
    after a publication, also where one of `targets` failed. Raises VoronkaError where the refresh
    could not begin.
    """
    seen = None if full or accept else unchanged(settings)
    if seen is not None:
        return _nothing_new(settings, seen)
    with only_refresh(settings) as run_id:
        start = time.monotonic()
        Record.begin(settings.record_file, run_id)
        try:
            with _logged(settings):
                _run_logged(settings, full, accept)
            record = Record.load(settings.record_file)
        except BaseException as error:  # noqa: BLE001 - the record says it
            record = Record.load(settings.record_file)
            record.failure = Failure.of(KeyboardInterrupt() if is_asked_to_stop() else error)
        record.phases["total"] = round(time.monotonic() - start, 1)
        with contextlib.suppress(OSError):
            record.save(settings.record_file)
        save_fingerprint(settings, record)
        return record


def _nothing_new(settings: Settings, record: Record) -> Record:
    """The last refresh's record as that of one which found nothing to do."""
    record.new_files, record.is_publication_unchanged = 0, True
    record.models = [replace(model, status="unchanged") for model in record.models]
    record.phases = {"total": 0.0}
    record.save(settings.record_file)
    return record


def _run_logged(settings: Settings, full: bool, accept: Collection[str]) -> None:
    """The steps; where they end early, the trace goes to the log and not to the person."""
    try:
        _run_steps(settings, full, accept)
    except BaseException:
        logging.getLogger(__name__).exception("the refresh ended early")
        raise


def _run_steps(settings: Settings, full: bool, accept: Collection[str]) -> None:
    """The steps in their order. Each needs what the ones before it left; heavy imports wait."""
    from orchestration.raw_zone.step import take_in

    project = Project(settings)
    take_in(settings, project.contract, full, accept)

    from orchestration.models.step import build

    build(settings, project.manifest)

    from orchestration.outlook.step import foresee

    foresee(settings, project.manifest)

    from orchestration.metrics.step import measure

    measure(settings, project.layer)

    from orchestration.expectations.step import check

    check(settings, project.contract, project.suites)
    # Great Expectations takes an interrupted query for an expectation that broke.
    stop_if_asked()

    from orchestration.publication.step import publish_build

    publish_build(settings, project.published)
    if settings.postgres_url is not None:
        from orchestration.postgres.step import bring_to_postgres

        # What went wrong there stands in the record; the page is of the file.
        with contextlib.suppress(Exception):
            bring_to_postgres(settings, project.published)

    from orchestration.dashboard.step import write_page

    write_page(settings)


@contextlib.contextmanager
def _logged(settings: Settings) -> Iterator[None]:
    """What the tools print goes to the refresh's log, not to the person."""
    settings.build_dir.mkdir(parents=True, exist_ok=True)
    with (
        settings.log_file.open("w", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        handler = logging.StreamHandler(log)
        root = logging.getLogger()
        before = list(root.handlers)
        root.handlers = [handler]
        logging.captureWarnings(True)
        try:
            yield
        finally:
            root.handlers = before
            logging.captureWarnings(False)


def yield_to_readers() -> None:
    """Let dashboards on this machine have the cores first: who looks at a chart waits badly."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
