"""The refresh's third step: what will close is learned from the past and judged by it."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import duckdb

from orchestration.base import progress
from orchestration.base.cache import code_fingerprint, fingerprint_of
from orchestration.base.record import step
from orchestration.base.settings import SPARK, Settings
from orchestration.base.sql import attach, quote
from orchestration.models.dbt import Manifest
from orchestration.models.handover import bring_outlook
from orchestration.models.run import AFTER_OUTLOOK, OUTLOOK, NodeResult
from orchestration.models.step import after_outlook, build_nodes
from orchestration.spark.connection import connected

STEP = "outlook"
PHRASES = "seeds/reference/outlook_features.csv"


def foresee(settings: Settings, manifest: Manifest) -> Sequence[NodeResult]:
    """Learn what is new, then let dbt build what reads it; how each of its nodes ended.

    What was known on a day does not change with the days after it: what was said then is read
    again, not learned again. Raises what `orchestration.models.step.build` does.
    """
    progress.tell(STEP, total=len(after_outlook(manifest)))
    with step(settings.record_file, STEP) as record:
        learn(settings)
        if settings.engine == SPARK:
            with connected(settings) as spark:
                bring_outlook(settings, manifest, spark)
        return build_nodes(settings, manifest, record, STEP, AFTER_OUTLOOK)


def learn(settings: Settings) -> int:
    """Train, score and back-test what is new, into the private build; how many were trained."""
    with duckdb.connect(str(settings.build_file), config=settings.session()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        attach(connection, settings.marts_file)
        return _learn(settings, connection)


def _learn(settings: Settings, connection: duckdb.DuckDBPyConnection) -> int:
    build = quote(settings.build_file.stem)
    counted = connection.execute(
        f"select count(*) from {build}.intermediate.int_outlook__features"
    ).fetchone()
    if not counted or not counted[0]:
        forget(connection)
        return 0
    from orchestration.outlook.history import read_history
    from orchestration.outlook.said import Said

    marts = quote(settings.marts_file.stem)
    history = read_history(connection, build, marts)
    said = Said(connection, build, history, _terms(settings))
    if said.is_current:
        return 0
    # scikit-learn takes a second to import: only where there is something to learn.
    from orchestration.outlook.rounds import Rounds

    return Rounds(said, read_phrases(settings)).run()


def read_phrases(settings: Settings) -> dict[str, dict[str, str]]:
    """How each feature is told, by its name."""
    with (settings.root / PHRASES).open(encoding="utf-8", newline="") as file:
        return {row["feature"]: row for row in csv.DictReader(file)}


def _terms(settings: Settings) -> str:
    """What the results depend on beside the history."""
    from importlib.metadata import version

    tools = [version(name) for name in ("scikit-learn", "scipy", "numpy", "pandas")]
    return fingerprint_of(tools, code_fingerprint(), settings.project_version)


def forget(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty all tables: there is nothing to learn from."""
    tables = connection.execute(
        f"select table_name from duckdb_tables() where schema_name = '{OUTLOOK}' "
        "and database_name = current_database()"
    ).fetchall()
    for (table,) in tables:
        connection.execute(f"delete from {OUTLOOK}.{table}")
