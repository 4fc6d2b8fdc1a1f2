"""Postgres as an asset: it follows the published file, and its failure leaves that as it is."""

import dagster as dg

from orchestration.base.settings import Settings
from orchestration.defs.failures import plain_failures
from orchestration.defs.publication import KEY as PUBLISHED_KEY
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.models.dbt import PublishedModel
from orchestration.postgres.step import bring_to_postgres

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
        with plain_failures():
            done = bring_to_postgres(settings, models)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": done.rows,
                "publication_id": done.publication_id,
                "address": done.address,
                "notes": "\n".join(done.notes),
            }
        )

    return postgres
