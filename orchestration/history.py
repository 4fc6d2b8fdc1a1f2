"""What refreshes and connections of the command did, in Dagster's history.

Dagster has the events of the runs that it hosts. Those of `voronka refresh` are brought to it from
the record of the last one: at once where DAGSTER_HOME is set, else when `make dev` opens the page.
Those of `voronka connect run` are brought in the same way, from the report of each connection.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from orchestration.base.errors import VoronkaError, first_line
from orchestration.base.files import write_bytes
from orchestration.base.lock import ending, running_refresh
from orchestration.base.record import ERROR, PASS, STEPS, CheckOutcome, Failure, Record
from orchestration.base.settings import Settings, load_settings
from orchestration.connectors.assets import asset_key, metadata_of
from orchestration.connectors.registry import all_kinds
from orchestration.connectors.report import DAGSTER, last_report
from orchestration.connectors.run import connections
from orchestration.raw_zone.contract import load_contract

# The asset whose observations say which refreshes are told already.
PUBLISHED = dg.AssetKey(["published", "voronka"])
_PAGE = dg.AssetKey(["published", "dashboard"])
_OURS = Path(__file__).with_name("dagster.yaml")
_RUN = "refresh"
_BEGAN = "began"

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def prepare_home(home: Path) -> None:
    """Give Dagster's home the project's settings of an instance, unless it has some."""
    file = home / _OURS.name
    if not file.exists():
        write_bytes(file, _OURS.read_bytes())


def report_refresh(settings: Settings, instance: dg.DagsterInstance) -> int:
    """Bring the last refresh to an instance that does not know it yet; how many events that took.

    A refresh that runs is not told of: it is not known how it ends.
    """
    if running_refresh(settings) is not None:
        return 0
    record, failure = ending(settings)
    if not record.run_id or _is_known(instance, record.run_id):
        return 0
    events = list(_events(settings, record))
    for event in events:
        instance.report_runless_asset_event(event)
    # Last of all: it says that all before it is there.
    instance.report_runless_asset_event(_observation(record, failure))
    return len(events) + 1


def report_at_once(settings: Settings, say: Callable[[str], None]) -> None:
    """Bring the refresh that has just ended to DAGSTER_HOME; `say` hears where that failed.

    What was refreshed stands, whatever becomes of the history.
    """
    try:
        with dg.DagsterInstance.get() as instance:
            report_refresh(settings, instance)
    except Exception as error:  # noqa: BLE001 - whatever is wrong there, the work is done
        say(f"Dagster's history does not have this refresh: {first_line(error)}")


def report_connections(settings: Settings, instance: dg.DagsterInstance) -> int:
    """Bring the last run of each connection that Dagster does not know; how many events that took.

    A run that failed is an observation of each of its assets: it has made none of them.
    """
    count = 0
    for name, connection in connections(settings).items():
        report = last_report(settings.connections_dir / name)
        tables = all_kinds()[connection.kind].tables
        if not report or report.get("by") == DAGSTER:
            continue
        if _is_told(instance, asset_key(name, tables[0]), report["started_at"]):
            continue
        for table in tables:
            instance.report_runless_asset_event(_connections_event(name, table, report))
            count += 1
    return count


def report_connections_at_once(settings: Settings, say: Callable[[str], None]) -> None:
    """Bring what has just been read to DAGSTER_HOME; `say` hears where that failed."""
    try:
        with dg.DagsterInstance.get() as instance:
            report_connections(settings, instance)
    except Exception as error:  # noqa: BLE001 - whatever is wrong there, the work is done
        say(f"Dagster's history does not have what was read: {first_line(error)}")


def _is_told(instance: dg.DagsterInstance, key: dg.AssetKey, started_at: str) -> bool:
    """Whether the latest event of an asset is of the run that began then."""
    made = instance.fetch_materializations(key, limit=1).records
    seen = instance.fetch_observations(key, limit=1).records
    events = [
        *(it.asset_materialization for it in made), *(it.asset_observation for it in seen)
    ]  # fmt: skip
    said = [it.metadata.get(_BEGAN) for it in events if it is not None]
    return any(it is not None and it.value == started_at for it in said)


def _connections_event(
    name: str, table: str, report: Mapping[str, Any]
) -> dg.AssetMaterialization | dg.AssetObservation:
    key, failure = asset_key(name, table), report.get("failure")
    metadata = {
        **metadata_of(report, table), _BEGAN: report["started_at"], "by": report.get("by", "")
    }  # fmt: skip
    if failure is None:
        return dg.AssetMaterialization(asset_key=key, metadata=metadata)
    metadata |= {"result": failure["message"], "what to do": failure["remedy"]}
    return dg.AssetObservation(asset_key=key, description=failure["message"], metadata=metadata)


def _is_known(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether Dagster hosted the run, or was told of it."""
    if instance.get_run_by_id(run_id) is not None:
        return True
    told = instance.fetch_observations(PUBLISHED, limit=1).records
    observation = told[0].asset_observation if told else None
    said = observation.metadata.get(_RUN) if observation else None
    return said is not None and said.value == run_id


def _events(settings: Settings, record: Record) -> Iterator[Event]:
    if STEPS[0] in record.finished_steps:
        yield from _raw_tables(settings, record)
    for model in record.models:
        if model.status in ("ok", "unchanged"):
            key = dg.AssetKey([model.schema, model.name])
            yield _materialization(key, record, model.rows, status=model.status)
    for check in record.checks:
        if check.asset and check.status != "skipped":
            yield _evaluation(check, record)
    if record.is_published:
        yield _materialization(
            PUBLISHED,
            record,
            publication_id=record.publication_id or "",
            is_unchanged=record.is_publication_unchanged,
            file=dg.MetadataValue.path(str(settings.published_file)),
        )
    if record.dashboard:
        yield _materialization(_PAGE, record, file=dg.MetadataValue.path(record.dashboard))
    for target in record.targets:
        if target.failure is None:
            key = dg.AssetKey(["published", target.name])
            yield _materialization(key, record, address=target.address)


def _raw_tables(settings: Settings, record: Record) -> Iterator[dg.AssetMaterialization]:
    with duckdb.connect(str(settings.raw_zone_file), read_only=True) as connection:
        found = connection.execute(
            "select table_name, sum(rows)::bigint, count(*) from zone.files group by all"
        ).fetchall()
    counts = {name: (rows, files) for name, rows, files in found}
    for name, table in load_contract(settings.root).tables.items():
        rows, files = counts.get(name, (0, 0))
        yield _materialization(
            dg.AssetKey([table.source, table.name]),
            record,
            rows,
            files=files,
            raw_dir=record.raw_dir,
        )


def _materialization(
    key: dg.AssetKey,
    record: Record,
    rows: int | None = None,
    **metadata: Any,
) -> dg.AssetMaterialization:
    found: dict[str, Any] = {**_origin(record), **metadata}
    if rows is not None:
        found["dagster/row_count"] = rows
    return dg.AssetMaterialization(asset_key=key, metadata=found)


def _evaluation(check: CheckOutcome, record: Record) -> dg.AssetCheckEvaluation:
    is_severe = check.severity == "error" or check.status == ERROR
    metadata: dict[str, Any] = {**_origin(record), "status": check.status}
    if check.message:
        metadata["message"] = check.message
    if check.failing_rows is not None:
        metadata["failing_rows"] = check.failing_rows
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(check.asset.split(".")),
        check_name=check.name,
        passed=check.status == PASS,
        severity=dg.AssetCheckSeverity.ERROR if is_severe else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _observation(record: Record, failure: Failure | None) -> dg.AssetObservation:
    """How the refresh ended: a failed one has no other trace on the page."""
    result = "unchanged" if record.is_publication_unchanged else "published"
    metadata = {**_origin(record), "result": result}
    if failure is not None:
        metadata["result"] = failure.message
        metadata["remedy"] = failure.remedy
        metadata["details"] = "\n".join(failure.details)
    return dg.AssetObservation(
        asset_key=PUBLISHED,
        description=failure.message if failure else f"voronka refresh: {result}",
        metadata=metadata,
    )


def _origin(record: Record) -> dict[str, Any]:
    return {
        _RUN: record.run_id,
        "refreshed_at": record.saved_at,
        "by": "voronka refresh",
    }


def main() -> int:
    """Before the page opens: Dagster's home as the project wants it, with the last refresh."""
    try:
        settings = load_settings()
        home = settings.dagster_home
        if home is None:
            print("DAGSTER_HOME is not set.", file=sys.stderr)
            return 2
        prepare_home(home)
        with dg.DagsterInstance.get() as instance:
            print("Bringing Dagster's history up to the last refresh …", flush=True)
            report_refresh(settings, instance)
            report_connections(settings, instance)
    except VoronkaError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
