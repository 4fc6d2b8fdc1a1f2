"""The dashboard as an asset: a page of what was just published."""

from typing import Any

import dagster as dg

from orchestration.base.settings import Settings
from orchestration.dashboard.step import STEP, write_page
from orchestration.defs.publication import KEY as PUBLICATION
from orchestration.defs.resources import REFRESH_LOCK


def build_dashboard(settings: Settings) -> dg.AssetsDefinition:
    """The last step. Where it fails the publication stands, and the record says so."""

    @dg.asset(
        key=dg.AssetKey(["published", "dashboard"]),
        deps=[PUBLICATION],
        group_name="published",
        kinds={"html"},
        required_resource_keys={REFRESH_LOCK},
        description="One HTML file with the publication's figures, for people without a BI tool.",
    )
    def dashboard() -> dg.MaterializeResult[None]:
        record = write_page(settings)
        metadata: dict[str, dg.MetadataValue[Any]] = {
            "seconds": dg.MetadataValue.float(record.phases[STEP]),
            "publication_id": dg.MetadataValue.text(record.publication_id or ""),
        }
        if record.dashboard:
            metadata["file"] = dg.MetadataValue.path(record.dashboard)
            metadata["bytes"] = dg.MetadataValue.int(settings.dashboard_file.stat().st_size)
        else:
            metadata["failure"] = dg.MetadataValue.text(record.dashboard_failure)
        return dg.MaterializeResult(metadata=metadata)

    return dashboard
