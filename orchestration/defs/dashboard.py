"""The dashboard as an asset: a page of what was just published."""

import importlib.metadata
import time
from typing import Any

import dagster as dg

from orchestration.defs.publication import KEY as PUBLICATION
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.lib.kept import Memory, code_version, version_of
from orchestration.lib.record import Record
from orchestration.lib.settings import Settings

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
            _write_news(settings, record)
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
            record.dashboard, record.dashboard_failure = "", str(error).splitlines()[0]
            metadata = {"failure": dg.MetadataValue.text(record.dashboard_failure)}
        record.phases[PHASE] = round(time.monotonic() - start, 2)
        record.save(settings.record_file)
        metadata["seconds"] = dg.MetadataValue.float(record.phases[PHASE])
        return dg.MaterializeResult(metadata=metadata)

    return dashboard


def _write_news(settings: Settings, record: Record) -> None:
    """Write the page, unless the one that is there is of this publication."""
    files = [settings.dashboard_file, settings.published_file]
    echarts = importlib.metadata.version("uiwiz")
    version = version_of(record.publication_id, echarts, code_version())
    memory = Memory(settings.dashboard_memory)
    if memory.recall(version, files) is None:
        # Here, because it imports NumPy, which nothing needs before the first step.
        from orchestration.lib.dashboard.page import write_dashboard

        write_dashboard(settings)
        memory.note(version, files, {})
