"""The refresh's second step: dbt builds and tests every model in the private file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from orchestration.base import progress
from orchestration.base.errors import BuildFailed, ChecksFailed
from orchestration.base.record import (
    ERROR,
    FAIL,
    PASS,
    WARN,
    CheckOutcome,
    ModelOutcome,
    Record,
    step,
)
from orchestration.base.settings import SPARK, Settings
from orchestration.base.sql import attach, literal, quote
from orchestration.base.text import counted
from orchestration.models.dbt import Manifest, read_manifest
from orchestration.models.findings import explained
from orchestration.models.handover import hand_over, handed_over
from orchestration.models.run import (
    BEFORE_OUTLOOK,
    BUILD,
    OUTLOOK,
    DbtRun,
    NodeResult,
    run_dbt,
)
from orchestration.spark.connection import connected

STEP = "models"
# What our materializations answer where a node did not have to be built.
UNCHANGED = "UNCHANGED"
_SHOWN_FAILURES = 20


def build(
    settings: Settings, manifest: Manifest, selection: Sequence[str] = BEFORE_OUTLOOK
) -> Sequence[NodeResult]:
    """Run dbt on all nodes that wait for no outlook, or on a `selection` (arguments of dbt).

    Returns how each ended. Raises BuildFailed where a model could not be built, ChecksFailed where
    a blocking test failed.
    """
    progress.tell(STEP, total=len(built_nodes(manifest) - after_outlook(manifest)))
    with step(settings.record_file, STEP) as record:
        record.as_of_date, record.dbt_warnings = None, []
        return build_nodes(settings, manifest, record, STEP, selection)


def build_nodes(
    settings: Settings, manifest: Manifest, record: Record, name: str, selection: Sequence[str]
) -> Sequence[NodeResult]:
    """Run dbt on a selection as a part of the step `name`, into its record; raises like `build`."""
    run = run_dbt(
        settings, [*BUILD, *selection], lambda node, status: progress.tell(name, node, status)
    )
    record.dbt_warnings = sorted({*record.dbt_warnings, *run.warnings})
    is_own = settings.dbt is None or settings.engine == SPARK
    # The executable's nodes are those of its own manifest: it may name tests otherwise.
    known = manifest if is_own else read_manifest(run.target)
    results = [it for it in run.results if _is_built(known["nodes"].get(it.unique_id, {}))]
    if settings.engine == SPARK and run.is_success:
        with connected(settings) as spark:
            hand_over(settings, manifest, spark, results)
    built, found = outcomes(known, results, _measured(settings, record))
    checks = explained(found, known, settings, run.target)
    record.merge_models(built)
    record.merge_checks(checks)
    _judge(run, built, checks)
    return results


def built_nodes(manifest: Manifest) -> set[str]:
    """Ids of the models, seeds and tests."""
    return {name for name, node in manifest["nodes"].items() if _is_built(node)}


def after_outlook(manifest: Manifest) -> set[str]:
    """Ids of the nodes that read what the step `outlook` writes, themselves or through others."""
    found = {
        name for name, source in manifest["sources"].items() if source["source_name"] == OUTLOOK
    }
    size = 0
    while len(found) != size:
        size = len(found)
        found |= {
            name
            for name, node in manifest["nodes"].items()
            if found.intersection(node["depends_on"].get("nodes", ()))
        }
    return found & built_nodes(manifest)


def outcomes(
    manifest: Manifest, results: Sequence[NodeResult], rows: Mapping[tuple[str, str], int]
) -> tuple[list[ModelOutcome], list[CheckOutcome]]:
    """What dbt answered as models and checks of the record; `rows` by schema and name."""
    models, checks = [], []
    for result in results:
        node = manifest["nodes"][result.unique_id]
        message = " ".join(result.message.split())
        if node["resource_type"] == "test":
            attached = manifest["nodes"].get(node.get("attached_node") or "")
            status = {"pass": PASS, "warn": WARN, "fail": FAIL, "skipped": "skipped"}
            outcome = CheckOutcome(
                name=node["name"],
                kind="dbt",
                asset=f"{attached['schema']}.{attached['alias']}" if attached else "",
                severity=str(node["config"].get("severity", "error")).lower(),
                status=status.get(result.status, ERROR),
                failing_rows=result.failures,
                message="" if result.status == "pass" else message,
            )
            checks.append(outcome)
            continue
        status_of_model = "unchanged" if message == UNCHANGED else "ok"
        if result.status == "skipped":
            status_of_model = "skipped"
        elif result.status in ("error", "fail", "runtime error"):
            status_of_model = ERROR
        models.append(
            ModelOutcome(
                schema=node["schema"],
                name=node["alias"],
                status=status_of_model,
                rows=rows.get((node["schema"], node["alias"])),
                seconds=round(result.seconds, 3),
                message=message if status_of_model == ERROR else "",
            )
        )
    return models, checks


def _is_built(node: Mapping[str, str]) -> bool:
    """Not so of hooks, and of saved queries, which dbt leaves to its platform."""
    return node.get("resource_type") in ("model", "seed", "test")


def _measured(settings: Settings, record: Record) -> dict[tuple[str, str], int]:
    """Rows of the build's tables; and the day that it takes for today, into the record."""
    if not all(file.is_file() for file in settings.build_files):
        return {}
    outside = {(it.schema, it.name): it.rows for it in handed_over(settings) if not it.is_table}
    with duckdb.connect() as connection:
        attach(connection, *settings.build_files)
        tables = connection.execute(
            "select database_name, schema_name, table_name from duckdb_tables() "
            "where schema_name != 'state'"
        ).fetchall()
        counts = [
            f"select {literal(schema)}, {literal(name)}, count(*) "
            f"from {quote(database)}.{quote(schema)}.{quote(name)}"
            for database, schema, name in tables
        ]
        build = settings.build_file.stem
        if (build, "intermediate", "int_refresh__as_of") in tables:
            (as_of,) = connection.execute(
                f"select max(as_of_date) from {quote(build)}.intermediate.int_refresh__as_of"
            ).fetchone() or (None,)
            record.as_of_date = as_of.isoformat() if as_of else None
        found = connection.execute(" union all ".join(counts)).fetchall() if counts else []
    return outside | {(schema, name): rows for schema, name, rows in found}


def _judge(run: DbtRun, built: Sequence[ModelOutcome], checks: Sequence[CheckOutcome]) -> None:
    """Raise what does not allow to go on."""
    broken = [model for model in built if model.status == ERROR]
    if broken:
        raise BuildFailed(
            f"dbt could not build {broken[0].schema}.{broken[0].name}"
            + (f" and {len(broken) - 1} more" if len(broken) > 1 else "")
            + ". Nothing was published.",
            f"The compiled SQL is in {run.target / 'run'}; correct the model or the data.",
            [f"{m.schema}.{m.name}: {m.message}" for m in broken[:_SHOWN_FAILURES]],
        )
    stopping = [check for check in checks if check.stops_publication]
    if stopping:
        raise ChecksFailed(
            f"{counted(len(stopping), 'blocking check')} failed. Nothing was published.",
            "`voronka status` lists them; correct the data or the models, then refresh again.",
            [f"{c.name}: {c.message}" for c in stopping[:_SHOWN_FAILURES]],
        )
    if not run.is_success:
        raise BuildFailed(
            "dbt could not build the models. Nothing was published.",
            f"See {run.target / 'dbt.log'}; then refresh again.",
            [line.strip() for line in run.error.splitlines() if line.strip()][:_SHOWN_FAILURES],
        )
