"""The dashboard as an asset: a page of what was just published."""

import time
from typing import Any

import dagster as dg

from orchestration.base.errors import first_line
from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.dashboard.keep import write_unless_kept
from orchestration.defs.publication import KEY as PUBLICATION
from orchestration.defs.resources import REFRESH_LOCK

PHASE = "dashboard"


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
    def dashboard(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        start = time.monotonic()
        # Not a step of the record: those decide whether something is published.
        record = Record.load(settings.record_file)
        try:
            write_unless_kept(settings, record.publication_id)
            file = settings.dashboard_file
            record.dashboard, record.dashboard_failure = str(file), ""
            metadata: dict[str, dg.MetadataValue[Any]] = {
                "file": dg.MetadataValue.path(str(file)),
                "bytes": dg.MetadataValue.int(file.stat().st_size),
                "publication_id": dg.MetadataValue.text(record.publication_id or ""),
            }
        # Whatever it is, the marts are published.
        except Exception as error:
            context.log.exception("the dashboard was not written")
            record.dashboard, record.dashboard_failure = "", first_line(error)
            metadata = {"failure": dg.MetadataValue.text(record.dashboard_failure)}
        record.phases[PHASE] = round(time.monotonic() - start, 2)
        record.save(settings.record_file)
        metadata["seconds"] = dg.MetadataValue.float(record.phases[PHASE])
        return dg.MaterializeResult(metadata=metadata)

    return dashboard
