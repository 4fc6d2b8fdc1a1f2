"""Spark's views over a raw zone give what DuckDB's do: rows, types and files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.base.sql import quote
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.spark_views import register_on_spark
from orchestration.raw_zone.views import ReadFiles, register
from orchestration.raw_zone.zone import RawZone
from orchestration.spark.connection import Spark
from tests.conftest import ROOT
from tests.reference.zones import generate

PREFIX = "voronka_"
# DuckDB's types in Spark; unsigned integers have none of their own.
TYPES = {
    "VARCHAR": "string",
    "TIMESTAMP": "timestamp_ntz",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "INTEGER": "int",
    "UTINYINT": "smallint",
    "USMALLINT": "int",
    "UINTEGER": "bigint",
}
# Values that Python cannot hold, as numbers.
NUMBERS = {
    "TIMESTAMP": ("epoch_us({})", "unix_micros(cast({} as timestamp))"),
    "TIMESTAMP WITH TIME ZONE": ("epoch_us({})", "unix_micros({})"),
    "DATE": ("date_diff('day', date '1970-01-01', {})", "unix_date({})"),
}


def differences(
    zone: RawZone, spark: Spark, file: Path, read: ReadFiles | None = None
) -> list[str]:
    """Views whose rows or types are not equal, with some of what is only in one."""
    register(zone, file, read)
    register_on_spark(zone, spark, PREFIX, read)
    found = []
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in zone.tables:
            for ending in ("", "_new"):
                source, name = table.contract.source + ending, table.contract.name
                place = f"{quote(source)}.{quote(name)}"
                found += _differences_of(connection, spark, place, f"{PREFIX}{source}.{name}")
        for name, columns in {
            "files": "table_name, file, rows, bytes, stamp, is_new",
            "tables": "table_name, files, rows, is_present",
            "schema_drift": "table_name, file, column_name, data_type",
            "origin": "raw_dir",
        }.items():
            left = connection.execute(f"select {columns} from zone.{name}").fetchall()
            right = spark.rows(f"select {columns} from {PREFIX}zone.{name}")
            found += _uncommon(f"zone.{name}", left, right)
    return found


def _differences_of(
    connection: duckdb.DuckDBPyConnection, spark: Spark, duckdb_name: str, spark_name: str
) -> list[str]:
    described = connection.execute(f"describe {duckdb_name}").fetchall()
    types = {row[0]: row[1] for row in described}
    expected = {name: TYPES.get(data_type, data_type.lower()) for name, data_type in types.items()}
    given = {row[0]: row[1] for row in spark.rows(f"describe {spark_name}")}
    if given != expected or list(given) != list(expected):
        return [f"{spark_name}: types {given} are not {expected}"]
    left, right = [], []
    for name, data_type in types.items():
        of_duckdb, of_spark = NUMBERS.get(data_type, ("{}", "{}"))
        left.append(of_duckdb.format(quote(name)))
        right.append(of_spark.format(f"`{name}`"))
    return _uncommon(
        spark_name,
        connection.execute(f"select {', '.join(left)} from {duckdb_name}").fetchall(),
        spark.rows(f"select {', '.join(right)} from {spark_name}"),
    )


def _uncommon(name: str, left: list[tuple[Any, ...]], right: list[tuple[Any, ...]]) -> list[str]:
    expected, given = Counter(map(repr, left)), Counter(map(repr, right))
    if expected == given:
        return []
    missing, extra = expected - given, given - expected
    return [f"{name}: only in DuckDB {list(missing)[:2]}, only in Spark {list(extra)[:2]}"]


@pytest.mark.parametrize("kind", ["hostile", "filthy"])
def test_a_hostile_zone_is_read_as_by_duckdb(tmp_path: Path, spark: Spark, kind: str) -> None:
    raw_dir = generate(tmp_path / "raw", 7, kind)
    zone = scan(raw_dir, load_contract(ROOT))
    assert zone.rows > 500
    assert differences(zone, spark, tmp_path / "raw_zone.duckdb") == []


def test_the_demo_is_read_as_by_duckdb(tmp_path: Path, spark: Spark) -> None:
    zone = scan(ROOT / "seeds/demo/raw", load_contract(ROOT))
    read = {
        table.contract.full_name.replace(".", "_"): {it.identity for it in table.files[:-1]}
        for table in zone.tables
    }
    assert differences(zone, spark, tmp_path / "raw_zone.duckdb", read) == []
