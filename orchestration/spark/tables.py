"""Tables of a Spark as others see them: their columns, their files, and texts in Spark's SQL."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.base.errors import BuildFailed, first_line
from orchestration.base.sql import literal
from orchestration.spark.connection import Spark, SparkRefused

PARQUET = "parquet"
# Where a large table is divided on the cluster alone; no column of its model.
MONTH = "partition_month"
_PARTITIONS = "# Partition Information"
_DETAILS = "# Detailed Table Information"
_PLAIN_TYPES = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
    # DuckDB's type of a column that is never anything but NULL.
    "void": "INTEGER",
}
_SPARK_TYPES = {duck: spark for spark, duck in _PLAIN_TYPES.items() if spark != "void"}
# Hadoop's names of S3; DuckDB has one.
_S3 = frozenset({"s3", "s3a", "s3n"})
_READABLE = frozenset({"gs", "gcs", "r2", "http", "https"})


@dataclass(frozen=True)
class SparkTable:
    """A table as the cluster's catalogue describes it; `columns` are types in Spark's words.

    `is_export` says that it is a copy as Parquet of what is kept otherwise.
    """

    name: str
    columns: Mapping[str, str]
    partitions: tuple[str, ...]
    provider: str
    location: str
    is_export: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns of its model."""
        return tuple(name for name in self.columns if name != MONTH)


@dataclass(frozen=True)
class DataFile:
    """A file of a table: where DuckDB reads it, and its size in bytes (0: not known)."""

    path: str
    bytes: int


def identifier(name: str) -> str:
    """An identifier in Spark's SQL."""
    return "`" + name.replace("`", "``") + "`"


def table_name(schema: str, name: str) -> str:
    """A table's full name in Spark's SQL."""
    return f"{identifier(schema)}.{identifier(name)}"


def text(value: str) -> str:
    r"""A text literal in Spark's SQL, where `\` escapes and `${…}` is replaced before parsing."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\u0024")
    return f"'{escaped}'"


def describe(spark: Spark, schema: str, name: str) -> SparkTable:
    """A table's columns and place. Raises BuildFailed where the cluster does not know it."""
    full_name = table_name(schema, name)
    try:
        rows = spark.rows(f"describe table extended {full_name}")
    except SparkRefused as error:
        raise BuildFailed(
            f"Spark cannot describe {schema}.{name}: {error.reason}",
            "Look at the cluster's log; then refresh again.",
        ) from error
    return described(full_name, [(str(row[0] or ""), str(row[1] or "")) for row in rows])


def described(name: str, rows: Sequence[tuple[str, str]]) -> SparkTable:
    """A table from the names and values that `describe table extended` lists."""
    columns: dict[str, str] = {}
    partitions: list[str] = []
    details: dict[str, str] = {}
    part = ""
    for key, value in rows:
        if key.startswith("# "):
            part = part if key == "# col_name" else key
        elif not key:
            continue
        elif not part:
            columns[key] = value
        elif part == _PARTITIONS:
            partitions.append(key)
        elif part == _DETAILS:
            details.setdefault(key, value)
    provider, location = details.get("Provider", ""), details.get("Location", "")
    return SparkTable(name, columns, tuple(partitions), provider.lower(), location)


def location_of_schema(spark: Spark, schema: str) -> str:
    """Where the cluster puts the files of a schema's tables; empty where it does not say."""
    rows = spark.rows(f"describe schema extended {identifier(schema)}")
    return {str(row[0]).lower(): str(row[1]) for row in rows}.get("location", "").rstrip("/")


def properties_of(spark: Spark, relation: str) -> dict[str, str]:
    """The properties of a table or view that is there."""
    rows = spark.rows(f"show tblproperties {relation}")
    return {str(row[0]): str(row[1]) for row in rows}


def place_of(location: str) -> str:
    """Where DuckDB reads what Spark writes to a location.

    Raises BuildFailed for a file system that DuckDB does not read.
    """
    scheme, colon, rest = location.partition(":")
    if not colon or location.startswith("/"):
        return location
    if scheme == "file":
        return "/" + rest.lstrip("/")
    if scheme in _S3:
        return f"s3:{rest}".rstrip("/")
    if scheme in _READABLE:
        return location.rstrip("/")
    raise BuildFailed(
        f"Spark's warehouse is in {location}, which DuckDB cannot read.",
        "Let the cluster write to a directory that this machine has, too, or to an object store "
        "with S3's interface (docs/spark.md).",
    )


def is_local(place: str) -> bool:
    """Whether a place is a directory, not an object store's prefix."""
    return "://" not in place


def data_files(connection: duckdb.DuckDBPyConnection, place: str) -> list[DataFile]:
    """The files of a table in a place, by path; none of those that a writer has not finished.

    Raises BuildFailed where the directory is not there: then it is another machine's.
    """
    if is_local(place):
        if not os.path.isdir(place):
            raise BuildFailed(
                f"Spark has written to {place}, which is not there on this machine.",
                "Let the cluster write to a directory that this machine has, too, or to an object "
                "store (docs/spark.md).",
            )
        return sorted(_local_files(place), key=lambda file: file.path)
    try:
        found = connection.execute(f"select file from glob({literal(place + '/**')})").fetchall()
    except duckdb.Error as error:
        raise BuildFailed(
            f"{place} cannot be listed: {first_line(error)}",
            "Give this machine the right to read the cluster's warehouse (docs/spark.md).",
        ) from error
    paths = sorted(path for (path,) in found)
    return [DataFile(path, 0) for path in paths if _is_data(path.removeprefix(place))]


def _local_files(place: str) -> Iterator[DataFile]:
    for directory, folders, names in os.walk(place):
        folders[:] = [name for name in folders if _is_data(name)]
        for name in names:
            if _is_data(name):
                path = Path(directory, name)
                yield DataFile(str(path), path.stat().st_size)


def _is_data(path: str) -> bool:
    """Whether Spark would read a file of this path: not what begins with a point or a line."""
    parts = [part for part in path.split("/") if part]
    return bool(parts) and not any(
        part.startswith(".") or (part.startswith("_") and "=" not in part) for part in parts
    )


def duckdb_type(spark_type: str) -> str:
    """DuckDB's type of the values of one of Spark's. Raises BuildFailed where there is none."""
    kind = spark_type.strip().lower()
    if kind in _PLAIN_TYPES:
        return _PLAIN_TYPES[kind]
    if kind.startswith(("varchar(", "char(", "string ")):
        return "VARCHAR"
    if kind.startswith("decimal("):
        return kind.upper()
    inside = spark_type.strip().partition("<")[2].removesuffix(">")
    if kind.startswith("array<"):
        return f"{duckdb_type(inside)}[]"
    if kind.startswith("map<"):
        key, value = _split(inside)
        return f"MAP({duckdb_type(key)}, {duckdb_type(value)})"
    if kind.startswith("struct<"):
        fields = (field.partition(":") for field in _split(inside))
        return f"STRUCT({', '.join(f'{_quoted(n)} {duckdb_type(it)}' for n, _, it in fields)})"
    raise BuildFailed(
        f"DuckDB has no type for Spark's {spark_type}.", "Cast the column in its model."
    )


def spark_type(duckdb_type: str) -> str:
    """Spark's type of a plain DuckDB type."""
    if duckdb_type.startswith("DECIMAL("):
        return duckdb_type.lower()
    if duckdb_type == "HUGEINT":
        return "decimal(38,0)"
    return _SPARK_TYPES[duckdb_type]


def _quoted(name: str) -> str:
    return '"' + name.strip("` ").replace('"', '""') + '"'


def _split(listed: str) -> list[str]:
    """The parts between commas that are in no brackets."""
    parts, depth = [""], 0
    for character in listed:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
