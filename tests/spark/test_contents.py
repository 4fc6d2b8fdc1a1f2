"""A cluster that reads the large tables finds the same broken files as this machine."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.base.settings import Settings
from orchestration.raw_zone.contents import judged_by_contents
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.spark_contents import to_look_at
from orchestration.raw_zone.zone import RawZone
from orchestration.spark.connection import Spark, SparkRefused
from tests.spark.conftest import OnSpark
from tests.things import CONTRACT, bad_text, things

LEAST = -(2**63)


def problems(zone: RawZone, settings: Settings) -> list[str]:
    return sorted(str(it) for it in judged_by_contents(zone, zone.files, settings).problems)


def damaged(path: Path, column: int) -> None:
    """Overwrite where a column's pages begin."""
    place = pq.read_metadata(path).row_group(0).column(column).data_page_offset
    content = bytearray(path.read_bytes())
    content[place : place + 16] = b"\xff" * 16
    path.write_bytes(content)


def hostile_zone(raw: Path) -> RawZone:
    """Files of every fault that only the rows show, between good ones."""
    moments = pa.array([10**15, 0, None], pa.timestamp("us", "UTC"))
    numbers = pa.array([row * 2_654_435_761 % 2**40 / 7 for row in range(20_000)])
    things(raw, "good", name=["a", "\u0451\U0001f600", None], happened_at=moments)
    things(raw, "good numbers", name=numbers, amount=numbers)
    things(raw, "good bytes", name=pa.array([b"\xd0\xff", None]))
    things(raw, "good, but for a column of nobody", unknown=bad_text(b"\xff"))
    for number, name in enumerate(["a+b 100%", "\u00fcn\u0457", "day=1/x", "br[0]{a,b}"]):
        damaged(things(raw, f"damaged {name}", name=numbers, amount=numbers), number % 3)
    things(raw, "text", name=bad_text(b"ok", "\u0410\u043d\u043d\u0430".encode("cp1251")))
    things(raw, "ms", happened_at=pa.array([0, LEAST], pa.timestamp("ms")))
    things(raw, "us", happened_at=pa.array([0, LEAST + 1, LEAST], pa.timestamp("us")))
    things(raw, "zoned", happened_at=pa.array([None, LEAST + 2, 0], pa.timestamp("us", "UTC")))
    things(raw, "nanos", name=pa.array([LEAST, 0], pa.timestamp("ns")))
    great = pa.array(["A" * 1_000_000])
    great = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), great)
    things(raw, "great", name=great)
    things(raw, "infinite", happened_at=pa.array([LEAST + 1], pa.timestamp("us", "UTC")))
    return scan(raw, CONTRACT)


def test_every_fault_of_the_rows_is_found_by_the_cluster_too(
    tmp_path: Path, spark: Spark, spark_settings: Settings
) -> None:
    finds_what_this_machine_finds(
        hostile_zone(tmp_path / "raw zone"),
        spark_settings.model_copy(update={"local_facts_rows": 0}),
    )


@pytest.mark.nightly
def test_the_cluster_finds_every_fault_over_thrift(tmp_path: Path, thrift: OnSpark) -> None:
    finds_what_this_machine_finds(hostile_zone(tmp_path / "raw"), thrift(local_facts_rows=0))


@pytest.mark.nightly
def test_the_cluster_finds_every_fault_by_spark_connect(tmp_path: Path, connect: OnSpark) -> None:
    finds_what_this_machine_finds(hostile_zone(tmp_path / "raw"), connect(local_facts_rows=0))


def finds_what_this_machine_finds(zone: RawZone, settings: Settings) -> None:
    """The same problems in the same words, and no good file is read here but the infinite one."""
    expected = problems(zone, Settings())
    assert len(expected) == 10
    assert problems(zone, settings) == expected
    looked_at = {file.path for file in to_look_at(zone, zone.files, settings)}
    assert not [path for path in looked_at if path.startswith("crm/things/good")]
    assert len(looked_at) == len(expected) + len(["infinite"])


def test_small_tables_are_read_by_this_machine_alone(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    things(raw, "text", name=bad_text(b"ok", b"\xff"))
    zone = scan(raw, CONTRACT)
    # Nothing answers there, and nothing is asked.
    settings = Settings(engine="spark", spark="thrift://127.0.0.1:1", local_facts_rows=2)
    assert problems(zone, settings) == problems(zone, Settings()) != []


def test_what_spark_alone_does_not_read_is_refused_in_its_words(
    tmp_path: Path, spark: Spark, spark_settings: Settings
) -> None:
    raw = tmp_path / "raw"
    path = things(raw, "changed", name=["a", "b"])
    table = pq.read_table(path)
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"\x01\0\0\0b", b"\x01\0\0\0c", 1))
    zone = scan(raw, CONTRACT)
    assert problems(zone, Settings()) == []
    there = spark_settings.model_copy(update={"local_facts_rows": 0})
    assert problems(zone, there) == []
    # As a careful cluster has it.
    checksums = "`parquet.page.verify-checksum.enabled`"
    spark.run(f"set {checksums}=true")
    try:
        (found,) = problems(zone, there)
    finally:
        spark.run(f"reset {checksums}")
    assert found.startswith("crm.things: crm/things/changed.parquet: cannot be read by Spark: ")


def test_a_statement_that_fails_for_another_reason_names_no_file(
    tmp_path: Path, spark: Spark, spark_settings: Settings
) -> None:
    things(tmp_path / "raw", "a", name=["a"])
    zone = scan(tmp_path / "raw", CONTRACT)
    settings = spark_settings.model_copy(update={"local_facts_rows": 0, "spark_prefix": "no`such"})
    with pytest.raises(SparkRefused):
        to_look_at(zone, zone.files, settings)
