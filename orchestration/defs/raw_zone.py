"""The raw zone as assets: one for each table of the contract."""

from collections.abc import Iterator, Mapping

import dagster as dg
from pydantic import Field

from orchestration.base.settings import Settings
from orchestration.defs.failures import plain_failures
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.drift import drift_lines
from orchestration.raw_zone.step import take_in
from orchestration.raw_zone.zone import RawTable, RawZone


class RefreshConfig(dg.Config):
    """How a refresh is run: `full` builds from scratch, `accept` lets pass what else stops it.

    `accept` has words of `orchestration.base.record.ACCEPTABLE`.
    """

    full: bool = False
    accept: list[str] = Field(default_factory=list)


def build_raw_zone(
    settings: Settings,
    contract: Contract,
    above: Mapping[str, list[dg.AssetKey]] | None = None,
) -> dg.AssetsDefinition:
    """The step that lists the raw files, holds them against the contract and registers them.

    `above` has the assets that fill a table, by its name.
    """
    specs = [
        dg.AssetSpec(
            dg.AssetKey([table.source, table.name]),
            deps=(above or {}).get(table.full_name, []),
            group_name="raw",
            kinds={"parquet"},
            description=table.description,
        )
        for table in contract.tables.values()
    ]

    @dg.multi_asset(specs=specs, name="raw_zone", required_resource_keys={REFRESH_LOCK})
    def raw_zone(config: RefreshConfig) -> Iterator[dg.MaterializeResult[None]]:
        with plain_failures():
            zone = take_in(settings, contract, config.full, config.accept)
        for table in zone.tables:
            yield dg.MaterializeResult(
                asset_key=dg.AssetKey([table.contract.source, table.contract.name]),
                metadata=_metadata(zone, table, contract),
            )

    return raw_zone


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
