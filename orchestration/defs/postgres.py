"""Postgres as an asset: it follows the published file, and its failure leaves that as it is."""

import time
from dataclasses import asdict

import dagster as dg

from orchestration.base.errors import VoronkaError
from orchestration.base.files import write_json
from orchestration.base.record import Failure, Record, TargetOutcome, utc_now
from orchestration.base.settings import Settings
from orchestration.defs.publication import KEY as PUBLISHED_KEY
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.models.dbt import PublishedModel
from orchestration.postgres.publish import STEP, Loaded, publish_to_postgres

KEY = dg.AssetKey(["published", "postgres"])


def build_postgres(settings: Settings, models: list[PublishedModel]) -> dg.AssetsDefinition:
    """The step that brings Postgres to the version of the published file."""

    @dg.asset(
        key=KEY,
        deps=[PUBLISHED_KEY],
        group_name="published",
        kinds={"postgres"},
        required_resource_keys={REFRESH_LOCK},
        description="The schemas of the published file in Postgres, swapped in one transaction.",
    )
    def postgres() -> dg.MaterializeResult[None]:
        start = time.monotonic()
        try:
            done = publish_to_postgres(settings, models)
        except VoronkaError as error:
            _remember(settings, TargetOutcome(STEP, failure=Failure.of(error)), start)
            raise dg.Failure(str(error)) from None
        except Exception as error:
            _remember(settings, TargetOutcome(STEP, failure=Failure.of(error)), start)
            raise
        _remember(settings, _outcome(done), start)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": done.rows,
                "publication_id": done.publication_id,
                "address": done.address,
                "notes": "\n".join(done.notes),
            }
        )

    return postgres


def _outcome(done: Loaded) -> TargetOutcome:
    return TargetOutcome(STEP, done.address, done.publication_id, done.tables, done.notes)


def _remember(settings: Settings, outcome: TargetOutcome, start: float) -> None:
    """In the refresh's record, and for `voronka status` beyond the next refresh."""
    record = Record.load(settings.record_file)
    record.targets = [*(t for t in record.targets if t.name != outcome.name), outcome]
    record.phases[STEP] = round(time.monotonic() - start, 2)
    record.save(settings.record_file)
    write_json(settings.postgres_file, {"at": utc_now(), **asdict(outcome)})
