"""Small tables that this machine made, brought to a cluster.

As Parquet in the schema's own place where this machine writes there, else by statements, which
any Spark takes: a thrift or Connect server may share no disk with this machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import duckdb

from orchestration.base.cache import fingerprint_of
from orchestration.base.errors import BuildFailed
from orchestration.base.object_store import load_object_store
from orchestration.base.sql import literal, quote
from orchestration.spark.connection import Spark
from orchestration.spark.tables import (
    identifier,
    is_local,
    location_of_schema,
    place_of,
    properties_of,
    spark_type,
    table_name,
    text,
)

VERSION = "voronka.version"
# A folder among those of a schema's tables.
WRITTEN_HERE = "handover"
_INSERTED_ROWS = 500


class SparkSchema:
    """A schema of a cluster that takes tables of a session of DuckDB; created where it is not."""

    def __init__(self, spark: Spark, name: str) -> None:
        """Raises BuildFailed where the schema cannot be created."""
        spark.run(f"create schema if not exists {identifier(name)}")
        self._spark, self._name = spark, name
        self._place = _shared_place(spark, name)

    def bring(self, connection: duckdb.DuckDBPyConnection, source: str, name: str) -> None:
        """Bring the rows of a relation of the session, unless they are there.

        Raises BuildFailed where the cluster does not take them.
        """
        columns = {row[0]: row[1] for row in connection.execute(f"describe {source}").fetchall()}
        count, version = _content(connection, source, columns)
        table = table_name(self._name, name)
        stated = ", ".join(f"{identifier(it)} {spark_type(kind)}" for it, kind in columns.items())
        self._spark.run(f"create table if not exists {table} ({stated})")
        if properties_of(self._spark, table).get(VERSION) == version:
            return
        # What is begun is of no version until it is whole.
        self._spark.run(f"alter table {table} set tblproperties ({text(VERSION)} = '')")
        if not self._brought_as_parquet(connection, source, columns, name, count):
            self._insert(connection, source, columns, table)
        found = self._spark.rows(f"select count(*) from {table}")[0][0]
        if int(found) != count:
            raise BuildFailed(
                f"{self._name}.{name} has {found} rows on Spark, and {count} here.",
                "Refresh again; if it stays so, see who else writes there.",
            )
        self._spark.run(
            f"alter table {table} set tblproperties ({text(VERSION)} = {text(version)})",
        )

    @staticmethod
    def version(connection: duckdb.DuckDBPyConnection, source: str) -> str:
        """The version under which the rows of a relation are brought."""
        columns = {row[0]: row[1] for row in connection.execute(f"describe {source}").fetchall()}
        return _content(connection, source, columns)[1]

    def _brought_as_parquet(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: str,
        columns: Mapping[str, str],
        name: str,
        count: int,
    ) -> bool:
        """Whether the cluster read what was written for it; its disk may be another."""
        if self._place is None:
            return False
        folder = f"{self._place}/{WRITTEN_HERE}/{name}"
        file = f"{folder}/{fingerprint_of(source)[:16]}.parquet"
        cast = ", ".join(
            f"cast({identifier(it)} as {spark_type(kind)}) as {identifier(it)}"
            for it, kind in columns.items()
        )
        address = f"file:{file}" if is_local(file) else file.replace("s3://", "s3a://", 1)
        table = table_name(self._name, name)
        try:
            if is_local(file):
                Path(folder).mkdir(parents=True, exist_ok=True)
            load_object_store(connection, file)
            connection.execute(
                f"copy (select {_plain(columns)} from {source}) to {literal(file)} (format parquet)"
            )
            self._spark.run(
                f"insert overwrite table {table} select {cast} from parquet.{identifier(address)}"
            )
            return int(self._spark.rows(f"select count(*) from {table}")[0][0]) == count
        except (OSError, duckdb.Error, BuildFailed):
            # The place is not one for both, or not ours to write: statements bring it then.
            return False
        finally:
            if is_local(file):
                # What stays is replaced by the next one; the cluster has read it or has not.
                with contextlib.suppress(OSError):
                    Path(file).unlink(missing_ok=True)

    def _insert(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: str,
        columns: Mapping[str, str],
        table: str,
    ) -> None:
        """Replace the table's rows by statements."""
        kinds = [spark_type(kind) for kind in columns.values()]
        nothing = ", ".join(f"cast(null as {kind})" for kind in kinds)
        self._spark.run(f"insert overwrite table {table} select {nothing} where false")
        texts = ", ".join(f"{quote(name)}::varchar" for name in columns)
        rows = connection.execute(f"select {texts} from {source}")
        while batch := rows.fetchmany(_INSERTED_ROWS):
            values = ", ".join(
                f"({', '.join(_value(*pair) for pair in zip(row, kinds, strict=True))})"
                for row in batch
            )
            self._spark.run(f"insert into {table} values {values}")


def _content(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Mapping[str, str]
) -> tuple[int, str]:
    """How many rows a relation has, and a version of them."""
    row = connection.execute(
        f"select count(*), coalesce(sum(hash(_row)), 0) from {source} as _row"
    ).fetchone()
    assert row is not None
    return int(row[0]), fingerprint_of(*map(str, row), dict(columns), duckdb.__version__)


def _plain(columns: Mapping[str, str]) -> str:
    """The columns in types that Parquet has."""
    return ", ".join(
        f"cast({quote(name)} as decimal(38, 0)) as {quote(name)}"
        if kind == "HUGEINT"
        else quote(name)
        for name, kind in columns.items()
    )


def _value(value: str | None, kind: str) -> str:
    if value is None:
        return f"cast(null as {kind})"
    return text(value) if kind == "string" else f"cast({text(value)} as {kind})"


def _shared_place(spark: Spark, schema: str) -> str | None:
    """Where the schema's files lie, if that may be reached from this machine, too."""
    # A file system that DuckDB does not know is none that both write.
    with contextlib.suppress(BuildFailed):
        place = place_of(location_of_schema(spark, schema))
        if place and (not is_local(place) or Path(place).parent.is_dir()):
            return place
    return None
