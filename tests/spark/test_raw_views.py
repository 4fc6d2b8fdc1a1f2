"""Spark's views over a raw zone give what DuckDB's do: rows, types and files."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.base.sql import quote
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.spark_views import (
    PARTS,
    address,
    problems_on_spark,
    register_on_spark,
)
from orchestration.raw_zone.views import ReadFiles, register
from orchestration.raw_zone.zone import RawZone
from orchestration.spark.connection import Spark
from tests.conftest import LOADED_AT, ROOT
from tests.reference.zones import generate
from tests.things import CONTRACT, things

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
        # Where nothing was read, what is new is the same query.
        endings = [""] if read is None else ["", "_new"]
        for table in zone.tables:
            for ending in endings:
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


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["filthy", "hostile"])
def test_a_hostile_zone_is_read_as_by_duckdb(tmp_path: Path, spark: Spark, kind: str) -> None:
    raw_dir = generate(tmp_path / "raw", 7, kind)
    zone = scan(raw_dir, load_contract(ROOT))
    assert zone.rows > 500
    assert differences(zone, spark, tmp_path / "raw_zone.duckdb") == []


@pytest.mark.nightly
def test_the_demo_is_read_as_by_duckdb(tmp_path: Path, spark: Spark) -> None:
    zone = scan(ROOT / "seeds/demo/raw", load_contract(ROOT))
    read = {
        table.contract.full_name.replace(".", "_"): {it.identity for it in table.files[:-1]}
        for table in zone.tables
    }
    assert differences(zone, spark, tmp_path / "raw_zone.duckdb", read) == []


FLOATS = [
    *(0.0, -0.0, 1.0, -1.5, 17.0, 0.1, 0.001, 0.0001, 0.00012, 1e-5, 1.5e-7, 123456.789, 9999999.0),
    *(1e7, 12345678.9, 1e15, 123456789012345.6, 1e16, 1.5e16, 2.3851234567890124e16, 1e22, 1e23),
    *(2e23, 9007199254740993.0, 9223372036854775807.0, -9.3e18, 1.7e19, 123456789e20, 8e37),
    *(5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 2**-44, 4.35, 0.3, 1 / 3, 2 / 3),
    # Java's last digit of these is not the nearest, or one too many.
    *(8086150877470526464.0, -625258101248584448.0, 2274737153165973248.0, 813556802604120448.0),
    *(float("nan"), float("inf"), float("-inf"), None),
]


def test_types_of_all_kinds_are_read_as_by_duckdb(tmp_path: Path, spark: Spark) -> None:
    raw = tmp_path / "raw"
    times = [datetime(2026, 1, 2, 3, 4, 5, 678900), datetime(1969, 12, 31, 23, 59, 59), None]
    days = [date(2026, 1, 2), date(1, 1, 1), date(9999, 12, 31), None]
    numbers = [1767323045678912345, -1, -1_000_000_001, 0, 500_000_000, 10**9, None]
    floats = [it for it in FLOATS if it is None or not math.isfinite(it) or abs(it) < 8.5e37]
    floats += [value * 0.9 for value in floats if value is not None]
    doubles, narrow = pa.array(FLOATS, pa.float64()), pa.array(floats, pa.float32())
    things(raw, "doubles", amount=doubles, is_open=doubles, happened_at=doubles, day=doubles)
    things(raw, "doubles 2", name=pa.array(floats), position=pa.array(floats), thing_id=narrow)
    things(raw, "floats", name=narrow, amount=narrow, position=narrow, is_open=narrow)
    for unit in ("s", "ms", "us"):
        zone_of = "UTC" if unit == "ms" else "Asia/Tokyo"
        whole = [it and it.replace(microsecond=0) for it in times]
        naive = pa.array(whole if unit == "s" else times, pa.timestamp("us")).cast(
            pa.timestamp(unit), safe=False
        )
        zoned = naive.cast(pa.timestamp(unit, zone_of))
        things(raw, f"t{unit}", happened_at=naive, day=naive, name=naive, _loaded_at=zoned)
        things(raw, f"z{unit}", happened_at=zoned, day=zoned, name=zoned, amount=naive)
    nanos = pa.array(numbers, pa.int64())
    naive, zoned = nanos.cast(pa.timestamp("ns")), nanos.cast(pa.timestamp("ns", "UTC"))
    things(raw, "nanos", happened_at=zoned, name=naive, day=zoned, _loaded_at=zoned)
    things(raw, "nanos 2", happened_at=naive, name=zoned, amount=naive)
    things(raw, "dates", happened_at=pa.array(days), day=pa.array(days), name=pa.array(days))
    old = things(raw, "int96", happened_at=["x"])
    table = pa.table(
        {
            "thing_id": ["a", "b", "c"],
            "happened_at": pa.array(times, pa.timestamp("us")),
            "name": pa.array(times, pa.timestamp("us")),
            "_loaded_at": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )
    pq.write_table(table, old, use_deprecated_int96_timestamps=True)
    for kind in (pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32()):
        least, most = (0, 2**kind.bit_width - 1)
        if pa.types.is_signed_integer(kind):
            least, most = -(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1
        values = pa.array([least, most, 1, None], kind)
        things(raw, str(kind), name=values, position=values, amount=values, is_open=values)
    big = pa.array([0, 2**64 - 1, None], pa.uint64())
    things(raw, "uint64", name=big, position=big, amount=big, is_open=big, thing_id=big)
    decimals = [Decimal(it) for it in ("0", "-0.5", "17", "1234567.89", "-0.0000000001")]
    for kind in (pa.decimal128(18, 4), pa.decimal128(38, 10), pa.decimal128(12, 12)):
        values = pa.array(
            [
                it.quantize(Decimal(1).scaleb(-kind.scale)) % 1
                if kind.scale == 12
                else it.quantize(Decimal(1).scaleb(-kind.scale))
                for it in decimals
            ],
            kind,
        )
        things(
            raw, f"decimal {kind.scale}", name=values, amount=values, rate=values, is_open=values
        )
    blobs = [
        b"",
        b"abc",
        "\u0451\U0001f600".encode(),
        b"\xd0\xff'\"\\ x\x00\n",
        b"\xed\xa0\x80",
        None,
    ]
    fixed = pa.array([b"abcd", b"\xff\x00'\\", b"a\xd0\x91b", None], pa.binary(4))
    things(raw, "blobs", name=pa.array(blobs), amount=pa.array(blobs), thing_id=pa.array(blobs))
    things(raw, "fixed", name=fixed, happened_at=fixed)
    flags = pa.array([True, False, None])
    things(raw, "flags", is_open=flags, name=flags, position=flags, amount=flags)
    things(raw, "nothing", name=pa.nulls(2), is_open=pa.nulls(2), day=pa.nulls(2))
    texts = ["", " a\u2028b\x00\n", "\U0001f600", None]
    things(raw, "texts", name=texts, is_open=texts, rate=texts, position=texts)
    things(raw, "coded", name=pa.array(texts).dictionary_encode())
    things(raw, "empty", name=pa.array([], pa.string()))
    zone = scan(raw, CONTRACT)
    assert not zone.problems
    assert differences(zone, spark, tmp_path / "raw_zone.duckdb") == []


def test_columns_of_one_type_keep_it(tmp_path: Path, spark: Spark) -> None:
    raw = tmp_path / "raw"
    nanos = pa.array([1767323045678912345, -1, None], pa.int64())
    old = pa.array([datetime(2026, 1, 2, 3, 4, 5, 6), datetime(1969, 12, 31, 23, 59, 59, 999999)])
    columns: dict[str, object] = {
        "happened_at": nanos.cast(pa.timestamp("ns", "UTC")),
        "amount": pa.array([Decimal("-1.5"), Decimal(0), None], pa.decimal128(6, 2)),
        "rate": pa.array([1, 255, None], pa.uint8()),
        "position": pa.array([0, 2**32 - 1, None], pa.uint32()),
        "day": pa.array([date(2026, 1, 2), date(1969, 12, 31), None]),
        "is_open": pa.array([True, False, None]),
    }
    things(raw, "1", **columns)
    things(raw, "2", **{**columns, "happened_at": pa.array([LOADED_AT] * 3)})
    # Micro- and nanoseconds, and an older kind of timestamp, which has no zone.
    path = raw / "crm" / "others" / "1.parquet"
    path.parent.mkdir()
    table = pa.table({"thing_id": ["a", "b"], "happened_at": old, "_loaded_at": old})
    pq.write_table(table, path)
    pq.write_table(table, path.with_name("2.parquet"), use_deprecated_int96_timestamps=True)
    zone = scan(raw, CONTRACT)
    assert differences(zone, spark, tmp_path / "raw_zone.duckdb") == []
    types = dict(row[:2] for row in spark.rows(f"describe {PREFIX}crm.things"))
    assert types["happened_at"] == "timestamp"
    assert types["amount"] == "decimal(6,2)"
    assert types["position"] == "bigint"
    rows = spark.rows(
        f"select happened_at from {PREFIX}crm.others where happened_at < '1970-01-01'"
    )
    assert rows == [(datetime(1969, 12, 31, 23, 59, 59, 999999),)] * 2


NAMES = [
    *("a b", "a+b", "a%20b", "x{y,z}", "c,d", "st*r", "q?", "br[0]", "quo'te\""),
    *(
        "\u00fcn\u0457",
        "h#sh",
        "semi;a&=",
        "tick`",
        "${dollar}",
        "tab\tx",
        "new\nline",
        "\U0001f600",
    ),
    *("day=2026-01-01/f", "day=2026-01-02/f", "day=2026-01-02/hour=3/f", "deep/er/f"),
]


def test_files_and_columns_of_any_name_are_read(tmp_path: Path, spark: Spark) -> None:
    raw = tmp_path / "raw {zone}, 100% +[1]"
    for number, name in enumerate(NAMES):
        spelled = ("name", "Name", "NAME")[number % 3]
        things(raw, name, **{spelled: [name], "day": [None], "extra": [None]})
    # Names that differ in case alone: the exact one counts, else the first.
    things(raw, "case", NAME=["no"], name=["yes"], Day=["1"], DAY=["2"], THING_ID=["3"])
    # A column that is nowhere in the contract may be of any kind, and there twice.
    table = pa.table(
        [pa.array(["x"]), pa.array([LOADED_AT]), *[pa.array([time(1)])] * 2],
        names=["thing_id", "_loaded_at", "at", "at"],
    )
    pq.write_table(table, raw / "crm/things/drift.parquet")
    (raw / "crm/things/10:00.txt").write_text("no colon troubles who does not read it")
    (raw / "crm/things/_hidden").mkdir()
    zone = scan(raw, CONTRACT)
    assert differences(zone, spark, tmp_path / "raw_zone.duckdb") == []
    assert spark.rows(f"select count(distinct _file) from {PREFIX}crm.things") == [
        (len(NAMES) + 2,)
    ]
    # What came later is not read, even if it is no Parquet file.
    things(raw, "later", name=["later"])
    (raw / "crm/things/rubbish.parquet").write_bytes(b"rubbish")
    assert spark.rows(f"select count(*) from {PREFIX}crm.things where name = 'later'") == [(0,)]


def test_many_files_of_one_shape_are_parts_of_a_view(tmp_path: Path, spark: Spark) -> None:
    raw = tmp_path / "raw"
    first = things(raw, "day=2026-01-01/part-00000-c000", name=["0"], amount=pa.array([0]))
    for number in range(1, 900):
        day = first.parent.with_name(f"day=2026-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}")
        day.mkdir(exist_ok=True)
        shutil.copy(first, day / f"part-{number:05}-c000.parquet")
    zone = scan(raw, CONTRACT)
    read = {"crm_things": {file.identity for file in zone.files[:-1]}}
    statements = Statements(spark)
    assert register_on_spark(zone, statements, PREFIX, read) == 1
    assert max(len(it.encode()) for it in statements.run_so_far if " view " in it) < 32_700
    view = f"{PREFIX}crm.things"
    assert spark.rows(f"select count(distinct _file) from {view}") == [(900,)]
    assert spark.rows(f"select _file from {PREFIX}crm_new.things") == [(zone.files[-1].path,)]
    # The same files again: only views that are there are replaced. Then all but one are gone.
    again = Statements(spark)
    register_on_spark(zone, again, PREFIX, read)
    assert not [it for it in again.run_so_far if f"{PREFIX}{PARTS}" in it and "create t" in it]
    shutil.rmtree(raw)
    things(raw, "only", name=["1"])
    register_on_spark(scan(raw, CONTRACT), spark, PREFIX)
    assert len(spark.rows(f"show tables in {PREFIX}{PARTS}")) == 1
    assert spark.rows(f"select name, _file from {view}") == [("1", "crm/things/only.parquet")]


class Statements:
    """A Spark that remembers what was run on it."""

    def __init__(self, spark: Spark) -> None:
        self.spark = spark
        self.run_so_far: list[str] = []

    def run(self, sql: str) -> None:
        self.run_so_far.append(sql)
        self.spark.run(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.spark.rows(sql)

    def named_rows(self, sql: str) -> list[dict[str, str | None]]:
        return self.spark.named_rows(sql)


def test_files_that_spark_would_not_read_are_refused_by_name(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    noon = pa.array([time(12)])
    things(raw, "time", happened_at=noon, extra=noon)
    things(raw, "half", amount=pa.array([1.5], pa.float32()).cast(pa.float16()))
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select 'a' as thing_id, now() as _loaded_at, interval 1 day as name) to "
            f"'{raw}/crm/things/interval.parquet' (format parquet)"
        )
    things(raw, "10:00", name=["a"])
    table = pa.table({"thing_id": ["a"], "name": ["b"], "_loaded_at": [LOADED_AT]})
    codecs = {"thing_id": "snappy", "name": "brotli", "_loaded_at": "zstd"}
    pq.write_table(table, raw / "crm/things/brotli.parquet", compression=codecs)
    twice = table.append_column("name", table["name"])
    pq.write_table(twice, raw / "crm/things/twice.parquet")
    things(raw, "good", name=["a"])
    zone = scan(raw, CONTRACT)
    assert not zone.problems
    found = {it.file[11:-8]: (it.column, it.reason) for it in problems_on_spark(zone, zone.files)}
    assert found == {
        "10:00": ("", "has a colon in its name, which Hadoop does not read: rename it"),
        "half": ("amount", "is a FLOAT, which Spark does not read here: export it as text"),
        "interval": ("name", "is a INTERVAL, which Spark does not read here: export it as text"),
        "time": ("happened_at", "is a TIME, which Spark does not read here: export it as text"),
        "twice": ("name", "is there twice, and Spark reads columns by name: export it once"),
        "brotli": (
            "name",
            "is compressed with BROTLI, which Spark does not read here: "
            "export it with Snappy or Zstandard",
        ),
    }
    read = [file for file in zone.files if not file.path.endswith("good.parquet")]
    assert problems_on_spark(zone, set(zone.files) - set(read)) == []


@pytest.mark.parametrize(
    ("raw_dir", "expected"),
    [
        ("/data/raw", "file:/data/raw/crm/leads"),
        ("s3://bucket/raw", "s3a://bucket/raw/crm/leads"),
        ("gs://bucket", "gs://bucket/crm/leads"),
    ],
)
def test_a_zone_has_the_address_that_hadoop_knows(raw_dir: str, expected: str) -> None:
    assert address(raw_dir, "crm/leads") == expected
