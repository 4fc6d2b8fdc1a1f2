"""What BI reads, as an asset: it follows all published models and their blocking checks."""

import dagster as dg

from orchestration.base.settings import Settings
from orchestration.defs.failures import plain_failures
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.models.dbt import PublishedModel
from orchestration.publication.step import publish_build

KEY = dg.AssetKey(["published", "voronka"])


def build_publication(settings: Settings, models: list[PublishedModel]) -> dg.AssetsDefinition:
    """The step that replaces the published set."""

    @dg.asset(
        key=KEY,
        deps=[dg.AssetKey([model.schema, model.name]) for model in models],
        group_name="published",
        kinds={"duckdb", "parquet"},
        required_resource_keys={REFRESH_LOCK},
        description="The file that BI opens, and Parquet copies of the marts beside it.",
    )
    def voronka() -> dg.MaterializeResult[None]:
        with plain_failures():
            done = publish_build(settings, models)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(done.rows.values()),
                "publication_id": done.publication_id,
                "file": dg.MetadataValue.path(str(done.file)),
                "as_of_date": str(done.as_of_date),
                "rows": dg.MetadataValue.json(done.rows),
            }
        )

    return voronka
