"""What BI reads, as an asset: it follows all published models and their blocking checks."""

import importlib.metadata

import dagster as dg

from orchestration.base import progress
from orchestration.base.record import step
from orchestration.base.settings import Settings
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.models.dbt import PublishedModel
from orchestration.publication.publish import Draft, are_tables_published, publish_news
from orchestration.warm import WarmTools

STEP = "publication"
KEY = dg.AssetKey(["published", "voronka"])


def build_publication(
    settings: Settings, models: list[PublishedModel], tools: WarmTools
) -> dg.AssetsDefinition:
    """The step that replaces the published set, drafted while the last checks ran."""
    drafts: list[Draft] = []

    def write_draft() -> Draft | None:
        if are_tables_published(settings, models):
            return None
        drafts[:] = [Draft(settings, models)]
        return drafts[0].write()

    def give_up() -> None:
        for draft in drafts:
            draft.give_up()

    tools.offer(STEP, write_draft, give_up=give_up)

    @dg.asset(
        key=KEY,
        deps=[dg.AssetKey([model.schema, model.name]) for model in models],
        group_name="published",
        kinds={"duckdb", "parquet"},
        required_resource_keys={REFRESH_LOCK},
        description="The file that BI opens, and Parquet copies of the marts beside it.",
    )
    def voronka() -> dg.MaterializeResult[None]:
        progress.tell(STEP, total=1)
        with step(settings.record_file, STEP) as record:
            version = importlib.metadata.version("voronka")
            done = publish_news(settings, models, record, version, lambda: tools.result(STEP))
            record.publication_id = done.publication_id
            record.is_publication_kept = done.is_kept
            record.as_of_date = done.as_of_date.isoformat() if done.as_of_date else None
        progress.tell(STEP, done.publication_id, "ok")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(done.rows.values()),
                "publication_id": done.publication_id,
                "file": dg.MetadataValue.path(str(done.file)),
                "as_of_date": str(done.as_of_date),
                "rows": dg.MetadataValue.json(done.rows),
                "seconds": record.phases[STEP],
            }
        )

    return voronka
