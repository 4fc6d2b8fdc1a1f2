"""The step beside the publication: Postgres is brought to the version of the published file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from orchestration.base.files import write_json
from orchestration.base.record import Failure, Record, TargetOutcome, utc_now
from orchestration.base.settings import Settings
from orchestration.models.dbt import PublishedModel
from orchestration.postgres.publish import STEP, Loaded, publish_to_postgres


def bring_to_postgres(settings: Settings, models: Sequence[PublishedModel]) -> Loaded:
    """Load what is published. What it raises stands in the record, too; the file stays."""
    start = time.monotonic()
    try:
        done = publish_to_postgres(settings, list(models))
    except Exception as error:
        _remember(settings, TargetOutcome(STEP, failure=Failure.of(error)), start)
        raise
    outcome = TargetOutcome(STEP, done.address, done.publication_id, done.tables, done.notes)
    _remember(settings, outcome, start)
    return done


def _remember(settings: Settings, outcome: TargetOutcome, start: float) -> None:
    """In the refresh's record, and for `voronka status` beyond the next refresh."""
    record = Record.load(settings.record_file)
    record.targets = [*(t for t in record.targets if t.name != outcome.name), outcome]
    record.phases[STEP] = round(time.monotonic() - start, 2)
    record.save(settings.record_file)
    write_json(settings.postgres_file, {"at": utc_now(), **asdict(outcome)})
