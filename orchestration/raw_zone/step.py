"""The refresh's first step: the raw zone is listed, held against the contract and registered."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orchestration.base import progress
from orchestration.base.cache import is_built_by_these_tools, remove_build
from orchestration.base.lock import current_run
from orchestration.base.record import Record, step
from orchestration.base.settings import DUCKDB, SPARK, Settings
from orchestration.raw_zone.contents import judged_by_contents
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.drift import drift_lines
from orchestration.raw_zone.guard import refuse_emptiness, refuse_full_disk
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import ReadFiles, files_read, new_files, register
from orchestration.raw_zone.zone import RawFile, RawZone
from orchestration.spark import build as spark_build
from orchestration.spark.connection import connected

STEP = "raw zone"


def take_in(
    settings: Settings, contract: Contract, full: bool = False, accept: Collection[str] = ()
) -> RawZone:
    """Begin a refresh's record, and show dbt the raw files that the zone has now.

    `full` removes the private build; `accept` has words of `record.ACCEPTABLE`. Raises
    VoronkaError where the zone stops the refresh; the build is then as it was.
    """
    progress.tell(STEP)
    Record.begin(settings.record_file, current_run(settings))
    with step(settings.record_file, STEP) as record:
        record.accepted = sorted(accept)
        zone = scan(settings.raw_zone, contract, settings.max_file_rows)
        note(record, zone, contract, settings)
        is_rebuild = full or not is_built_by_these_tools(settings)
        read = {} if is_rebuild else files_of_build(settings)
        new = [file for table in zone.tables for file in new_files(table, read)]
        zone = judged(zone, new, settings)
        zone.raise_problems()
        refuse_emptiness(zone, contract, settings, record)
        refuse_full_disk(new, settings, is_rebuild)
        if is_rebuild:
            _remove_build(settings)
        record.new_files = register(zone, settings.raw_zone_file, read)
        if settings.engine == SPARK:
            from orchestration.raw_zone.spark_views import register_on_spark

            with connected(settings) as spark:
                register_on_spark(zone, spark, settings.spark_prefix, read)
        for table in zone.tables:
            progress.tell(STEP, table.contract.full_name, "ok", len(zone.tables))
    return zone


def files_of_build(settings: Settings) -> ReadFiles:
    """The raw files that the build was made from, by table."""
    if settings.engine == DUCKDB:
        return files_read(settings.build_file)
    with connected(settings) as spark:
        return spark_build.files_read(spark, settings.spark_prefix)


def judged(zone: RawZone, new: Sequence[RawFile], settings: Settings) -> RawZone:
    """The zone with what the engine would stumble over in the `new` files."""
    if settings.engine == SPARK:
        from orchestration.raw_zone.spark_views import judged_for_spark

        zone = judged_for_spark(zone, new)
    return judged_by_contents(zone, new, settings)


def _remove_build(settings: Settings) -> None:
    if settings.engine == SPARK:
        with connected(settings) as spark:
            spark_build.drop_build(spark, settings.spark_prefix)
    remove_build(settings)


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
