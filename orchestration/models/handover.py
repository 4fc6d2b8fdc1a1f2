"""What Spark built, brought into the private build as dbt-duckdb would have left it.

Everything behind the models reads the build: expectations, metrics, publication, Postgres, the
page. Tables that they read become tables of it; the rest become views of the warehouse's Parquet,
so that nothing as large as the calls passes through this machine for nobody.

Each relation is replaced in a transaction of its own, together with a version of the files that it
was made from. A hand-over that dies leaves some relations of the new build and some of the old, as
a build by DuckDB does that dies; the next one replaces those whose version is another.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import duckdb
import jinja2
import yaml

from orchestration.base.cache import HANDED_OVER, fingerprint_of, is_of_spark
from orchestration.base.errors import BuildFailed, first_line
from orchestration.base.object_store import load_object_store
from orchestration.base.settings import Settings
from orchestration.base.sql import Scalar, attach, literal, quote, sql_value
from orchestration.models.dbt import PUBLISHED_SCHEMAS, Manifest
from orchestration.models.run import OUTLOOK, NodeResult
from orchestration.spark.bringing import WRITTEN_HERE, SparkSchema
from orchestration.spark.connection import Spark
from orchestration.spark.tables import (
    PARQUET,
    DataFile,
    SparkTable,
    data_files,
    describe,
    duckdb_type,
    location_of_schema,
    place_of,
    text,
)

# Private tables that later steps read more than once; seeds are so, too.
READ_AGAIN = frozenset(
    {
        "int_refresh__as_of",
        "int_outlook__features",
        "int_outlook__stays",
        "int_outlook__payment_lags",
    }
)
_FACT = "fct_"
_GREEN = frozenset({"success"})
_MACRO = "macro.voronka.outlook_tables"


@dataclass(frozen=True)
class HandedOver:
    """A relation of the private build that came from the cluster.

    `version` is of the files that it was made from, `rows` by their footers, `location` where they
    lie. `stays` says that it is a fact of more rows than come to this machine: the build has a view
    of it.
    """

    schema: str
    name: str
    version: str
    is_table: bool
    rows: int
    location: str
    is_unchanged: bool = False

    @property
    def full_name(self) -> str:
        """`marts.fct_calls`."""
        return f"{self.schema}.{self.name}"

    @property
    def stays(self) -> bool:
        """Whether it is published, but not copied to this machine."""
        return not self.is_table and self.schema in PUBLISHED_SCHEMAS


def hand_over(
    settings: Settings, manifest: Manifest, spark: Spark, results: Sequence[NodeResult]
) -> list[HandedOver]:
    """Bring what dbt built in this run into the private build; what each relation came to.

    `manifest` is that of the target `duckdb`: it says which relation is which, and of what types.
    Raises BuildFailed where a table cannot be read here.
    """
    nodes = [
        manifest["nodes"][result.unique_id]
        for result in results
        if result.status in _GREEN and _is_relation(manifest["nodes"].get(result.unique_id, {}))
    ]
    with _written_build(settings) as connection:
        _create_outlook(connection, settings, manifest)
        return [_hand_over(connection, settings, spark, node) for node in nodes]


def handed_over(settings: Settings) -> list[HandedOver]:
    """What the private build has from the cluster; nothing where DuckDB built it."""
    found: list[HandedOver] = []
    for file in settings.build_files:
        if file.is_file():
            with duckdb.connect(str(file), read_only=True) as connection:
                found += read_handed_over(connection)
    return found


def read_handed_over(connection: duckdb.DuckDBPyConnection) -> list[HandedOver]:
    """What the session's database has from the cluster; nothing where DuckDB built it."""
    if not is_of_spark(connection):
        return []
    rows = connection.execute(
        "select schema_name, table_name, version, is_table, rows, location "
        f"from {HANDED_OVER} order by all"
    ).fetchall()
    return [HandedOver(*row) for row in rows]


def reach_cluster(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a session of a file of the build read its views, where they are of an object store."""
    for found in read_handed_over(connection):
        if not found.is_table:
            load_object_store(connection, found.location)


def bring_outlook(settings: Settings, manifest: Manifest, spark: Spark) -> None:
    """Bring to the cluster what the step `outlook` wrote for dbt's models, if it is new there.

    Raises BuildFailed where the cluster does not take it.
    """
    names = sorted(
        source["name"]
        for source in manifest["sources"].values()
        if source["source_name"] == OUTLOOK
    )
    build = quote(settings.build_file.stem)
    with duckdb.connect(config=settings.session()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        attach(connection, settings.build_file)
        target = SparkSchema(spark, f"{settings.spark_prefix}{OUTLOOK}")
        for name in names:
            target.bring(connection, f"{build}.{OUTLOOK}.{quote(name)}", name)


@contextlib.contextmanager
def _written_build(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session that writes both files of the build, made as dbt's profile has them."""
    profile = yaml.safe_load((settings.root / "profiles.yml").read_text(encoding="utf-8"))
    target = profile["voronka"]["outputs"]["duckdb"]
    (marts_version,) = (
        database["options"]["storage_version"]
        for database in target["attach"]
        if database["alias"] == settings.marts_file.stem
    )
    versions = (target["config_options"]["storage_compatibility_version"], marts_version)
    settings.build_dir.mkdir(parents=True, exist_ok=True)
    try:
        with duckdb.connect(config=settings.session(threads=settings.threads)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set preserve_insertion_order = false")
            for file, version in zip(settings.build_files, versions, strict=True):
                catalogue = quote(file.stem)
                connection.execute(
                    f"attach {literal(str(file))} as {catalogue} "
                    f"(storage_version {literal(version)})"
                )
                connection.execute(f"create schema if not exists {catalogue}.state")
                connection.execute(
                    f"create table if not exists {catalogue}.{HANDED_OVER} (schema_name varchar, "
                    "table_name varchar, version varchar, is_table boolean, rows bigint, "
                    "location varchar, described varchar, files varchar)"
                )
            yield connection
            for file in settings.build_files:
                connection.execute(f"checkpoint {quote(file.stem)}")
    except duckdb.Error as error:
        raise BuildFailed(
            f"What Spark built could not be brought into {settings.build_dir}: {first_line(error)}",
            "See that the disk has space and that nobody has its files open; then refresh again.",
        ) from error


def _create_outlook(
    connection: duckdb.DuckDBPyConnection, settings: Settings, manifest: Manifest
) -> None:
    """The tables that dbt's hook creates on DuckDB, where the step `outlook` writes."""
    schema = f"{quote(settings.build_file.stem)}.{OUTLOOK}"
    connection.execute(f"create schema if not exists {schema}")
    for table, columns in outlook_tables(manifest).items():
        connection.execute(f"create table if not exists {schema}.{table} ({columns})")


def outlook_tables(manifest: Manifest) -> Mapping[str, str]:
    """The columns of each table of the schema `outlook`, as the macro of that name states them."""
    returned: list[Mapping[str, str]] = []
    environment = jinja2.Environment(autoescape=False, extensions=["jinja2.ext.do"])
    environment.globals["return"] = returned.append
    macro = manifest["macros"][_MACRO]["macro_sql"]
    environment.from_string(f"{macro}{{% do outlook_tables() %}}").render()
    return returned[0]


def _is_relation(node: Mapping[str, Any]) -> bool:
    return (
        node.get("resource_type") in ("model", "seed")
        and node["config"]["materialized"] != "ephemeral"
    )


def _hand_over(
    connection: duckdb.DuckDBPyConnection, settings: Settings, spark: Spark, node: Mapping[str, Any]
) -> HandedOver:
    """Bring one relation, unless the build has it of the same files."""
    schema, name, catalogue = node["schema"], node["alias"], quote(node["database"])
    source = _source(connection, settings, spark, node)
    is_table = _comes_here(settings, node, source.rows)
    select = selected(node, source.table, source.files, is_ordered=is_table)
    version = fingerprint_of(select, source.fingerprint, is_table)
    place = place_of(source.table.location)
    found = HandedOver(schema, name, version, is_table, source.rows, place)
    if _has(connection, node, version, is_table):
        return replace(found, is_unchanged=True)
    relation = f"{catalogue}.{quote(schema)}.{quote(name)}"
    connection.execute("begin")
    try:
        connection.execute(f"create schema if not exists {catalogue}.{quote(schema)}")
        _drop(connection, node, relation)
        kind = "table" if is_table else "view"
        connection.execute(f"create {kind} {relation} as {select}")
        _record(connection, f"{catalogue}.{HANDED_OVER}", found, source)
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
    return found


@dataclass(frozen=True)
class _Source:
    """A table of the cluster as Parquet: how it is described, its files and their rows."""

    table: SparkTable
    files: Sequence[DataFile]
    rows: int

    @property
    def fingerprint(self) -> str:
        """The same where the files are; no writer of Spark names a file twice."""
        return fingerprint_of([[file.path, file.bytes] for file in self.files])


def _source(
    connection: duckdb.DuckDBPyConnection, settings: Settings, spark: Spark, node: Mapping[str, Any]
) -> _Source:
    """A node's table on the cluster, which is not asked where its files are those of last time."""
    known = _source_before(connection, node)
    if known is not None:
        return known
    schema, name = f"{settings.spark_prefix}{node['schema']}", node["alias"]
    table = describe(spark, schema, name)
    if table.provider != PARQUET:
        table = _exported(spark, table, schema, name)
    place = place_of(table.location)
    load_object_store(connection, place)
    files = data_files(connection, place)
    return _Source(table, files, _rows_of(connection, files))


def _source_before(
    connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any]
) -> _Source | None:
    """What the last hand-over found, if the same files lie there; None where nobody knows.

    Nobody does of a table without a file, which may lie elsewhere by now, and of one that has to
    be exported.
    """
    found = connection.execute(
        f"select described, files, rows from {quote(node['database'])}.{HANDED_OVER} "
        f"where schema_name = {literal(node['schema'])} and table_name = {literal(node['alias'])}"
    ).fetchone()
    if found is None:
        return None
    state = json.loads(found[0])
    table = SparkTable(**{**state, "partitions": tuple(state["partitions"])})
    if table.is_export:
        return None
    place = place_of(table.location)
    load_object_store(connection, place)
    # Files that are not there are another table's than was noted: the cluster is asked.
    with contextlib.suppress(BuildFailed):
        source = _Source(table, data_files(connection, place), found[2])
        if source.files and source.fingerprint == found[1]:
            return source
    return None


def _record(
    connection: duckdb.DuckDBPyConnection, table: str, found: HandedOver, source: _Source
) -> None:
    """Note in a database's own table what a relation was made from."""
    key = f"schema_name = {literal(found.schema)} and table_name = {literal(found.name)}"
    values: tuple[Scalar, ...] = (found.schema, found.name, found.version, found.is_table)
    values += (found.rows, found.location)
    values += (json.dumps(asdict(source.table)), source.fingerprint)
    connection.execute(f"delete from {table} where {key}")
    connection.execute(f"insert into {table} values ({', '.join(map(sql_value, values))})")


def _comes_here(settings: Settings, node: Mapping[str, Any], rows: int) -> bool:
    """Whether a relation becomes a table of the build."""
    if node["schema"] in PUBLISHED_SCHEMAS:
        return not node["alias"].startswith(_FACT) or rows <= settings.local_facts_rows
    return node["resource_type"] == "seed" or node["alias"] in READ_AGAIN


def selected(
    node: Mapping[str, Any], table: SparkTable, files: Sequence[DataFile], is_ordered: bool = True
) -> str:
    """The select that gives a model's rows from its files, in types and order as on DuckDB."""
    types = {name: duckdb_type(kind) for name, kind in table.columns.items()}
    is_contracted = (node["config"].get("contract") or {}).get("enforced")
    if is_contracted:
        stated = {column["name"]: column["data_type"] for column in node["columns"].values()}
        missing = [name for name in stated if name not in types]
        if missing:
            raise BuildFailed(
                f"{table.name} on Spark has no column {missing[0]}.",
                "Its contract states it: build it with `voronka refresh --full`.",
            )
    else:
        stated = {name: types[name] for name in table.shown}
    select = _read(stated, types, table.partitions, files)
    grain = ((node["config"].get("meta") or {}).get("grain") or []) if is_contracted else []
    order = ", ".join(f"{quote(column)} nulls first" for column in grain)
    return f"{select} order by {order}" if order and files and is_ordered else select


def point_to(
    connection: duckdb.DuckDBPyConnection, found: HandedOver, table: SparkTable
) -> HandedOver:
    """Let the view of a fact that stays read another table of the same rows.

    The session writes the published part of the build. Gives the view as it is then.
    """
    relation = f"{quote(found.schema)}.{quote(found.name)}"
    place = place_of(table.location)
    if place == found.location:
        return found
    stated = {row[0]: row[1] for row in connection.execute(f"describe {relation}").fetchall()}
    types = {name: duckdb_type(kind) for name, kind in table.columns.items()}
    load_object_store(connection, place)
    select = _read(stated, types, table.partitions, data_files(connection, place))
    connection.execute("begin")
    connection.execute(f"create or replace view {relation} as {select}")
    connection.execute(
        f"update {HANDED_OVER} set location = {literal(place)} where schema_name = "
        f"{literal(found.schema)} and table_name = {literal(found.name)}"
    )
    connection.execute("commit")
    return replace(found, location=place)


def _read(
    stated: Mapping[str, str],
    types: Mapping[str, str],
    partitions: Collection[str],
    files: Sequence[DataFile],
) -> str:
    """A select of columns, each in its stated type; `types` are those in the files."""
    if not files:
        columns = ", ".join(f"cast(null as {it}) as {quote(name)}" for name, it in stated.items())
        return f"select {columns} where false"
    columns = ", ".join(
        f"cast({quote(name)} as {it}) as {quote(name)}" for name, it in stated.items()
    )
    return f"select {columns} from {_parquet(files, types, partitions)}"


def _parquet(
    files: Sequence[DataFile], types: Mapping[str, str], partitions: Collection[str]
) -> str:
    """DuckDB's reading of a table's files. Columns of directories have the table's types."""
    paths = ", ".join(literal(file.path) for file in files)
    if not partitions:
        return f"read_parquet([{paths}], hive_partitioning = false)"
    typed = ", ".join(f"{literal(name)}: {literal(types[name])}" for name in partitions)
    return f"read_parquet([{paths}], hive_partitioning = true, hive_types = {{{typed}}})"


def _rows_of(connection: duckdb.DuckDBPyConnection, files: Sequence[DataFile]) -> int:
    if not files:
        return 0
    paths = ", ".join(literal(file.path) for file in files)
    found = connection.execute(
        f"select sum(num_rows)::bigint from parquet_file_metadata([{paths}])"
    ).fetchone()
    return int(found[0]) if found else 0


def _kind(connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any]) -> str:
    """`table`, `view` or nothing: what lies under a node's name."""
    for kind in ("table", "view"):
        found = connection.execute(
            f"select count(*) from duckdb_{kind}s() where database_name = "
            f"{literal(node['database'])} and schema_name = {literal(node['schema'])} "
            f"and {kind}_name = {literal(node['alias'])}"
        ).fetchone()
        if found and found[0]:
            return kind
    return ""


def _has(
    connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any], version: str, is_table: bool
) -> bool:
    found = connection.execute(
        f"select version from {quote(node['database'])}.{HANDED_OVER} where schema_name = "
        f"{literal(node['schema'])} and table_name = {literal(node['alias'])}"
    ).fetchone()
    is_same = found is not None and found[0] == version
    return is_same and _kind(connection, node) == ("table" if is_table else "view")


def _drop(connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any], relation: str) -> None:
    kind = _kind(connection, node)
    if kind:
        connection.execute(f"drop {kind} {relation}")


def _exported(spark: Spark, table: SparkTable, schema: str, name: str) -> SparkTable:
    """A copy as Parquet of a table that is kept otherwise, beside its schema's tables."""
    location = f"{location_of_schema(spark, schema).rstrip('/')}/{WRITTEN_HERE}/{name}"
    spark.run(
        f"insert overwrite directory {text(location)} using parquet select * from {table.name}",
    )
    return replace(table, partitions=(), provider=PARQUET, location=location, is_export=True)
