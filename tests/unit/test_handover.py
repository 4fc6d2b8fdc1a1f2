"""What a hand-over from Spark needs to know without a Spark: types, places, files, names."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from orchestration.base.errors import BuildFailed
from orchestration.models.handover import READ_AGAIN, outlook_tables
from orchestration.spark.tables import (
    data_files,
    described,
    duckdb_type,
    place_of,
    spark_type,
    text,
)
from tests.spark.handed import manifest_of

ORCHESTRATION = Path(__file__).resolve().parents[2] / "orchestration"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("string", "VARCHAR"),
        ("varchar(20)", "VARCHAR"),
        ("int", "INTEGER"),
        ("bigint", "BIGINT"),
        ("double", "DOUBLE"),
        ("decimal(38,2)", "DECIMAL(38,2)"),
        ("timestamp", "TIMESTAMP WITH TIME ZONE"),
        ("timestamp_ntz", "TIMESTAMP"),
        ("array<string>", "VARCHAR[]"),
        ("array<array<decimal(18,4)>>", "DECIMAL(18,4)[][]"),
        ("map<string,array<int>>", "MAP(VARCHAR, INTEGER[])"),
        ("struct<a:int,`b c`:decimal(9,2)>", 'STRUCT("a" INTEGER, "b c" DECIMAL(9,2))'),
    ],
)
def test_types_of_spark_are_types_of_duckdb(theirs: str, ours: str) -> None:
    assert duckdb_type(theirs) == ours
    with duckdb.connect() as connection:
        found = connection.execute(f"describe select cast(null as {ours}) as it").fetchall()
    assert found[0][1].replace('"', "") == ours.replace('"', "")


def test_a_type_that_duckdb_has_not_is_told() -> None:
    with pytest.raises(BuildFailed, match="interval day to second"):
        duckdb_type("interval day to second")


@pytest.mark.parametrize("kind", ["VARCHAR", "DATE", "DOUBLE", "INTEGER", "DECIMAL(38,2)"])
def test_types_of_the_outlook_come_back(kind: str) -> None:
    assert duckdb_type(spark_type(kind)) == kind


def test_types_of_all_tables_of_the_outlook_have_their_like() -> None:
    for columns in outlook_tables(manifest_of()).values():
        with duckdb.connect() as connection:
            connection.execute(f"create table it ({columns})")
            for _, kind, *_ in connection.execute("describe it").fetchall():
                assert duckdb_type(spark_type(kind)) == kind


def test_the_outlooks_tables_are_those_of_the_macro() -> None:
    tables = outlook_tables(manifest_of())
    assert tables["fingerprints"] == "said varchar, observed_on date, fingerprint varchar"
    assert list(tables) == [
        *("fingerprints", "curves", "predictions", "judged", "scores", "reasons", "backtest"),
    ]


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("file:/data/my warehouse/a=b", "/data/my warehouse/a=b"),
        ("file:///data/x", "/data/x"),
        ("/data/x", "/data/x"),
        ("s3a://bucket/x/", "s3://bucket/x"),
        ("s3n://bucket/x", "s3://bucket/x"),
        ("gs://bucket/x", "gs://bucket/x"),
    ],
)
def test_places_are_named_as_duckdb_reads_them(location: str, place: str) -> None:
    assert place_of(location) == place


def test_a_place_that_duckdb_cannot_read_is_told() -> None:
    with pytest.raises(BuildFailed, match="hdfs://name/x, which DuckDB cannot read") as caught:
        place_of("hdfs://name/x")
    assert "object store" in caught.value.remedy


def test_files_that_no_writer_has_finished_are_not_read(tmp_path: Path) -> None:
    files = [
        "part-1.snappy.parquet",
        "partition_month=2026-01-01/part-2.parquet",
        "m=x%2Fy/part-3.parquet",
    ]
    hidden = [
        *("_SUCCESS", ".part-1.crc", "_temporary/0/part-4.parquet"),
        *(
            ".spark-staging-1/partition_month=2026-01-01/part-5.parquet",
            "m=1/_temporary/part-6.parquet",
        ),
    ]
    for name in (*files, *hidden):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    with duckdb.connect() as connection:
        found = data_files(connection, str(tmp_path))
    assert [it.path for it in found] == sorted(str(tmp_path / name) for name in files)
    assert {it.bytes for it in found} == {5}


def test_a_directory_of_another_machine_is_told(tmp_path: Path) -> None:
    with duckdb.connect() as connection, pytest.raises(BuildFailed, match="is not there on this"):
        data_files(connection, str(tmp_path / "warehouse"))


def test_a_description_is_read_with_partitions_and_details() -> None:
    table = described(
        "`p`.`t`",
        [
            *(("id", "bigint"), ("Location", "string"), ("partition_month", "date")),
            *(
                ("# Partition Information", ""),
                ("# col_name", "data_type"),
                ("partition_month", "date"),
            ),
            *(("", ""), ("# Detailed Table Information", ""), ("Name", "spark_catalog.p.t")),
            *(("Provider", "PARQUET"), ("Location", "file:/w/p.db/t")),
        ],
    )
    assert table.columns == {"id": "bigint", "Location": "string", "partition_month": "date"}
    assert table.shown == ("id", "Location")
    assert (table.partitions, table.provider, table.location) == (
        *(("partition_month",), "parquet", "file:/w/p.db/t"),
    )


def test_texts_are_literals_of_spark_whatever_they_hold() -> None:
    assert text(r"it's ${x} \n") == r"'it\'s \u0024{x} \\n'"


def test_what_the_steps_read_of_the_private_part_comes_as_tables() -> None:
    rooms = ("outlook", "publication", "metrics", "expectations", "postgres", "models")
    named = {
        name
        for room in rooms
        for file in (ORCHESTRATION / room).glob("*.py")
        for name in re.findall(r"intermediate\.(int_\w+)", file.read_text(encoding="utf-8"))
    }
    assert named == READ_AGAIN
