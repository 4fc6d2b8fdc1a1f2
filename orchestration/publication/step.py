"""The refresh's fifth step: the published set is replaced, if there is news."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from orchestration.base import progress
from orchestration.base.record import step
from orchestration.base.settings import Settings
from orchestration.models.dbt import PublishedModel
from orchestration.publication.cluster import shown_on_cluster
from orchestration.publication.publish import Publication, publish_news

STEP = "publication"


def publish_build(settings: Settings, models: Sequence[PublishedModel]) -> Publication:
    """Publish what was built and checked. Raises VoronkaError where the present set stays."""
    progress.tell(STEP, total=1)
    with (
        step(settings.record_file, STEP) as record,
        shown_on_cluster(settings, models, record),
    ):
        version = importlib.metadata.version("voronka")
        done = publish_news(settings, models, record, version)
        record.publication_id = done.publication_id
        record.is_publication_unchanged = done.is_unchanged
        record.facts_on_cluster = [str(fact) for fact in done.outside]
        record.as_of_date = done.as_of_date.isoformat() if done.as_of_date else None
    progress.tell(STEP, done.publication_id, "ok")
    return done
