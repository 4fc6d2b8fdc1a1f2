"""For people who query the cluster: views of what was checked and published.

dbt builds in schemas that nobody reads. Of a refresh that went well, the tables whose rows changed
are copied into a schema of their own (`voronka_run_…`), and the views `marts.x`, `metrics.x`,
`quality.x` and `quarantine.x` are replaced one by one, each at once. A table that did not change
has no copy: its view names the one of an earlier run. Whoever reads a table of the run before
still has it after the next.

A copy that was killed is no run: it is dropped by the next refresh. Views that were not replaced
before a kill are replaced by the next one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orchestration.base.errors import PublicationFailed, TargetFailed, VoronkaError, first_line
from orchestration.base.record import Failure, Record, TargetOutcome
from orchestration.base.settings import SPARK, Settings
from orchestration.base.sql import attach, quote
from orchestration.models.dbt import PublishedModel
from orchestration.models.handover import HandedOver, handed_over, point_to, read_handed_over
from orchestration.spark.bringing import VERSION, SparkSchema
from orchestration.spark.connection import Spark, connected
from orchestration.spark.tables import (
    describe,
    identifier,
    properties_of,
    table_name,
    text,
)

CLUSTER = "cluster"
KEPT_RUNS = 2
_TABLE = "voronka.table"
# The last table that a run gets.
_COMPLETE = "complete"
# What Hive's metastore takes as a column's comment.
_LONGEST_COMMENT = 255


@dataclass(frozen=True)
class Shown:
    """A view for people, as the cluster has it: the table that it names, and its version."""

    schema: str
    table: str
    version: str


@dataclass(frozen=True)
class ClusterRun:
    """What a run has for people: by full name, the table and version that its view will name.

    `copied` are the full names of the tables that this run copied, `shown` is what views named
    before.
    """

    schema: str
    tables: Mapping[str, Shown]
    copied: tuple[str, ...]
    shown: Mapping[str, Shown]


def copy_run(
    settings: Settings, models: Sequence[PublishedModel], spark: Spark, record: Record
) -> ClusterRun:
    """Copy what changed since it was last shown into a schema of this refresh.

    Called when all checks are green, before the local publication: facts that stay on the cluster
    are read from these copies, also by the published file. Nobody sees them there before
    `show_run`. Raises TargetFailed.
    """
    schema = f"{settings.spark_prefix}run_{_name(record)}"
    try:
        built = {it.full_name: it for it in handed_over(settings)}
        shown = _shown(spark, models)
        # Of a step that was killed; half a table may lie there.
        spark.run(f"drop schema if exists {identifier(schema)} cascade")
        tables, copied = dict[str, Shown](), list[str]()
        for model in models:
            if model.full_name in built:
                version = built[model.full_name].version
                if _holds(shown, model, version):
                    tables[model.full_name] = shown[model.full_name]
                    continue
                if not copied:
                    spark.run(f"create schema {identifier(schema)}")
                tables[model.full_name] = _copy(settings, spark, schema, model, version)
                copied.append(model.full_name)
        for model, target in _scorecards(settings, models, spark, schema, shown):
            tables[model.full_name] = target
            if target.schema == schema:
                copied.append(model.full_name)
        if copied:
            spark.run(f"create table {table_name(schema, _COMPLETE)} (nothing int) using parquet")
        _point_facts(settings, spark, tables)
    except (VoronkaError, duckdb.Error, OSError) as error:
        raise _failed(error) from error
    return ClusterRun(schema, tables, tuple(copied), shown)


def show_run(
    settings: Settings, models: Sequence[PublishedModel], spark: Spark, done: ClusterRun
) -> None:
    """Let the views name this run's tables, and drop the runs that nobody needs.

    Called after the local publication. Raises TargetFailed.
    """
    try:
        shown = dict(done.shown)
        for schema in sorted({model.schema for model in models if model.full_name in done.tables}):
            spark.run(f"create schema if not exists {identifier(schema)}")
        for model in models:
            target = done.tables.get(model.full_name)
            if target is not None and shown.get(model.full_name) != target:
                _show(spark, model, target)
                shown[model.full_name] = target
        known = {model.full_name for model in models}
        for name in sorted(shown.keys() - known):
            # Its model is gone.
            spark.run(f"drop view if exists {table_name(*name.split('.', 1))}")
            del shown[name]
        _drop_runs(settings, spark, {it.schema for it in shown.values()})
    except (VoronkaError, duckdb.Error, OSError) as error:
        raise _failed(error) from error


@contextlib.contextmanager
def shown_on_cluster(
    settings: Settings, models: Sequence[PublishedModel], record: Record
) -> Iterator[None]:
    """Show on the cluster what is published meanwhile on this machine; nothing without a cluster.

    Where the cluster fails, the record says so as of any other target. Raises PublicationFailed
    where facts stay on the cluster and it does not copy them: the published file would read what
    the next build overwrites.
    """
    if settings.engine != SPARK:
        yield
        return
    outcome = TargetOutcome(CLUSTER, f"{settings.spark} (marts, metrics, quality, quarantine)")
    with connected(settings) as spark:
        done = None
        try:
            done = copy_run(settings, models, spark, record)
        except TargetFailed as error:
            if any(it.stays for it in handed_over(settings)):
                raise PublicationFailed(error.message, error.remedy) from error
            outcome.failure = Failure.of(error)
        yield
        if done is not None:
            try:
                show_run(settings, models, spark, done)
                outcome.publication_id, outcome.tables = record.publication_id, len(done.tables)
            except TargetFailed as error:
                outcome.failure = Failure.of(error)
    record.targets = [*(it for it in record.targets if it.name != CLUSTER), outcome]


def _failed(error: Exception) -> TargetFailed:
    message = error.message if isinstance(error, VoronkaError) else first_line(error)
    return TargetFailed(
        f"People on the cluster see the version before: {message}",
        "Look at the cluster's log and at our rights there; then refresh again.",
    )


def _name(record: Record) -> str:
    """A name of a refresh: names of later ones come after it."""
    begun = re.sub(r"\D", "", record.started_at)[:14]
    return f"{begun}_{re.sub('[^0-9a-z]', '', record.run_id.lower())[:8]}"


def _holds(shown: Mapping[str, Shown], model: PublishedModel, version: str) -> bool:
    found = shown.get(model.full_name)
    return found is not None and found.version == version


def _shown(spark: Spark, models: Sequence[PublishedModel]) -> dict[str, Shown]:
    """What our views name, by full name; views of others are none of ours."""
    present = {str(row[0]) for row in spark.rows("show schemas")}
    found: dict[str, Shown] = {}
    for schema in sorted({model.schema for model in models} & present):
        for row in spark.rows(f"show views in {identifier(schema)}"):
            name = str(row[1])
            properties = properties_of(spark, table_name(schema, name))
            if _TABLE in properties:
                place, _, table = properties[_TABLE].partition(".")
                found[f"{schema}.{name}"] = Shown(place, table, properties.get(VERSION, ""))
    return found


def _copy(
    settings: Settings, spark: Spark, schema: str, model: PublishedModel, version: str
) -> Shown:
    """Copy a model's table as Parquet, in the same partitions."""
    source = describe(spark, f"{settings.spark_prefix}{model.schema}", model.name)
    partitions = ", ".join(map(identifier, source.partitions))
    name = _table_of(model)
    spark.run(
        f"create table {table_name(schema, name)} using parquet "
        + (f"partitioned by ({partitions}) " if partitions else "")
        + f"as select * from {source.name}",
    )
    return Shown(schema, name, version)


def _scorecards(
    settings: Settings,
    models: Sequence[PublishedModel],
    spark: Spark,
    schema: str,
    shown: Mapping[str, Shown],
) -> list[tuple[PublishedModel, Shown]]:
    """Bring the metrics layer's tables, which this machine makes, to this run."""
    made = [model for model in models if model.is_scorecard]
    if not made or not settings.scorecards_file.is_file():
        return []
    found = []
    target = None
    with duckdb.connect(config=settings.session()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        attach(connection, settings.scorecards_file)
        for model in made:
            source = f"{quote(settings.scorecards_file.stem)}.{_quoted(model)}"
            version = SparkSchema.version(connection, source)
            if _holds(shown, model, version):
                found.append((model, shown[model.full_name]))
                continue
            target = target or SparkSchema(spark, schema)
            target.bring(connection, source, _table_of(model))
            found.append((model, Shown(schema, _table_of(model), version)))
    return found


def _point_facts(settings: Settings, spark: Spark, tables: Mapping[str, Shown]) -> None:
    """Let the build read facts that stay from copies, which the next build does not overwrite."""
    with duckdb.connect(str(settings.marts_file), config=settings.session()) as connection:
        for fact in _staying(connection):
            copy = tables.get(fact.full_name)
            if copy is not None:
                point_to(connection, fact, describe(spark, copy.schema, copy.table))


def _staying(connection: duckdb.DuckDBPyConnection) -> list[HandedOver]:
    return [found for found in read_handed_over(connection) if found.stays]


def _table_of(model: PublishedModel) -> str:
    """A run has one schema for the tables of all public ones."""
    return f"{model.schema}__{model.name}"


def _quoted(model: PublishedModel) -> str:
    return f"{quote(model.schema)}.{quote(model.name)}"


def _show(spark: Spark, model: PublishedModel, target: Shown) -> None:
    """Replace one view, with what the model says about itself."""
    table = describe(spark, target.schema, target.table)
    columns = ", ".join(
        identifier(name) + (f" comment {text(_short(about))}" if about else "")
        for name, about in ((name, model.columns.get(name, "")) for name in table.shown)
    )
    listed = ", ".join(map(identifier, table.shown))
    spark.run(
        f"create or replace view {table_name(model.schema, model.name)} ({columns}) "
        f"comment {text(model.description)} tblproperties "
        f"({text(_TABLE)} = {text(f'{target.schema}.{target.table}')}, "
        f"{text(VERSION)} = {text(target.version)}) "
        f"as select {listed} from {table.name}",
    )


def _short(about: str) -> str:
    """A comment that the metastore takes."""
    return about if len(about) <= _LONGEST_COMMENT else f"{about[: _LONGEST_COMMENT - 1]}…"


def _drop_runs(settings: Settings, spark: Spark, named: set[str]) -> None:
    """Drop runs that no view names and that are not of the last ones, and copies that are none."""
    prefix = f"{settings.spark_prefix}run_"
    runs = sorted(
        str(row[0]) for row in spark.rows("show schemas") if str(row[0]).startswith(prefix)
    )
    complete = [it for it in runs if _is_complete(spark, it)]
    for schema in set(runs) - named - set(complete[-KEPT_RUNS:]):
        spark.run(f"drop schema if exists {identifier(schema)} cascade")


def _is_complete(spark: Spark, schema: str) -> bool:
    return bool(spark.rows(f"show tables in {identifier(schema)} like {text(_COMPLETE)}"))
