"""The raw zone as assets: one for each table of the contract."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from orchestration.base import progress
from orchestration.base.cache import forget_build, is_made_by_these_tools
from orchestration.base.lock import current_run
from orchestration.base.record import Record, step
from orchestration.base.settings import Settings
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.expectations.suites import RAW, Suite
from orchestration.raw_zone.contents import problems_of_contents
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.drift import drift_lines
from orchestration.raw_zone.guard import refuse_emptiness, refuse_full_disk
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import files_read, new_files, register
from orchestration.raw_zone.zone import RawTable, RawZone
from orchestration.warm import WarmTools

STEP = "raw zone"


class RefreshConfig(dg.Config):
    """How a refresh is run: `full` builds from scratch, `accept` lets pass what else stops it.

    `accept` has words of `orchestration.base.record.ACCEPTABLE`.
    """

    full: bool = False
    accept: list[str] = Field(default_factory=list)


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
        Record.begin(settings.record_file, current_run(settings))
        with step(settings.record_file, STEP) as record:
            tools.start_dbt()
            record.accepted = sorted(config.accept)
            zone = scan(settings.raw_zone, contract, settings.max_file_rows)
            note(record, zone, contract, settings)
            # A zone that breaks the contract leaves the build as it is.
            zone.raise_problems()
            refuse_emptiness(zone, settings, record)
            is_anew = config.full or not is_made_by_these_tools(settings)
            read = {} if is_anew else files_read(settings.build_file)
            new = [file for table in zone.tables for file in new_files(table, read)]
            zone.with_problems(
                problems_of_contents(zone, new, settings.max_file_rows, settings.memory)
            ).raise_problems()
            refuse_full_disk(new, settings)
            if is_anew:
                forget_build(settings)
            record.new_files = register(zone, settings.raw_zone_file, read)
            tools.start_raw_suites([suite for suite in suites if suite.layer == RAW])
            for table in zone.tables:
                progress.tell(STEP, table.contract.full_name, "ok", len(zone.tables))
                yield dg.MaterializeResult(
                    asset_key=dg.AssetKey([table.contract.source, table.contract.name]),
                    metadata=_metadata(zone, table, contract),
                )

    return raw_zone


def note(record: Record, zone: RawZone, contract: Contract, settings: Settings) -> None:
    """Write into the record what the zone holds."""
    record.raw_dir = zone.raw_dir
    record.raw_origin = settings.raw_origin
    record.is_demo = settings.is_demo
    record.raw_tables = len(zone.tables) - len(zone.missing_tables)
    record.raw_files = len(zone.files)
    record.raw_rows = zone.rows
    record.missing_tables = zone.missing_tables
    record.drift = drift_lines(zone.drift, contract)


def _metadata(zone: RawZone, table: RawTable, contract: Contract) -> dict[str, dg.MetadataValue]:
    drift = drift_lines(
        (item for item in zone.drift if item.table == table.contract.full_name), contract
    )
    return {
        "dagster/row_count": dg.MetadataValue.int(table.rows),
        "files": dg.MetadataValue.int(len(table.files)),
        "bytes": dg.MetadataValue.int(sum(file.bytes for file in table.files)),
        "raw_dir": dg.MetadataValue.text(zone.raw_dir),
        "schema_drift": dg.MetadataValue.json(drift),
    }
