"""The raw zone as assets: one for each table of the contract."""

from collections.abc import Iterator

import dagster as dg

from orchestration.base import progress
from orchestration.base.cache import forget_build, is_made_by_these_tools
from orchestration.base.record import Record, step, utc_now
from orchestration.base.settings import Settings
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.expectations.suites import RAW, Suite
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.drift import drift_lines
from orchestration.raw_zone.zone import RawTable, RawZone, files_read, register, scan
from orchestration.warm import WarmTools

STEP = "raw zone"


class RefreshConfig(dg.Config):
    """How a refresh is run: `full` builds from scratch."""

    full: bool = False


def build_raw_zone(
    settings: Settings, contract: Contract, tools: WarmTools, suites: list[Suite]
) -> dg.AssetsDefinition:
    """The step that lists the raw files, holds them against the contract and registers them."""
    specs = [
        dg.AssetSpec(
            dg.AssetKey([table.source, table.name]),
            group_name="raw",
            kinds={"parquet"},
            description=table.description,
        )
        for table in contract.tables.values()
    ]

    @dg.multi_asset(specs=specs, name="raw_zone", required_resource_keys={REFRESH_LOCK})
    def raw_zone(config: RefreshConfig) -> Iterator[dg.MaterializeResult[None]]:
        progress.tell(STEP)
        Record(started_at=utc_now()).save(settings.record_file)
        with step(settings.record_file, STEP) as record:
            tools.start_dbt()
            zone = scan(settings.raw_zone, contract)
            note(record, zone, settings)
            # A zone that breaks the contract leaves the build as it is.
            zone.raise_problems()
            if config.full or not is_made_by_these_tools(settings):
                forget_build(settings)
            read = files_read(settings.build_file)
            record.new_files = register(zone, settings.raw_zone_file, read)
            tools.start_raw_suites([suite for suite in suites if suite.layer == RAW])
            for table in zone.tables:
                progress.tell(STEP, table.contract.full_name, "ok", len(zone.tables))
                yield dg.MaterializeResult(
                    asset_key=dg.AssetKey([table.contract.source, table.contract.name]),
                    metadata=_metadata(zone, table),
                )

    return raw_zone


def note(record: Record, zone: RawZone, settings: Settings) -> None:
    """Write into the record what the zone holds."""
    record.raw_dir = zone.raw_dir
    record.raw_origin = settings.raw_origin
    record.is_demo = settings.is_demo
    record.raw_tables = len(zone.tables) - len(zone.missing_tables)
    record.raw_files = len(zone.files)
    record.raw_rows = zone.rows
    record.missing_tables = zone.missing_tables
    record.drift = drift_lines(zone.drift)


def _metadata(zone: RawZone, table: RawTable) -> dict[str, dg.MetadataValue]:
    drift = drift_lines(
        tuple(item for item in zone.drift if item.table == table.contract.full_name)
    )
    return {
        "dagster/row_count": dg.MetadataValue.int(table.rows),
        "files": dg.MetadataValue.int(len(table.files)),
        "bytes": dg.MetadataValue.int(sum(file.bytes for file in table.files)),
        "raw_dir": dg.MetadataValue.text(zone.raw_dir),
        "schema_drift": dg.MetadataValue.json(drift),
    }
