import os
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestration.base.errors import ContractBroken, WrongUse
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import files_read, register
from orchestration.raw_zone.zone import RawZone
from tests.conftest import query, write_file
from tests.things import CONTRACT, THINGS, things


def registered(raw_dir: Path) -> tuple[RawZone, Path]:
    found = scan(raw_dir, CONTRACT)
    file = raw_dir.parent / "build" / "raw_zone.duckdb"
    register(found, file)
    return found, file


def column(raw_dir: Path, name: str) -> tuple[str, list[object]]:
    """Type and values of a column of the view, in order of the files' names."""
    _, file = registered(raw_dir)
    ((kind,),) = query(
        file, f"select column_type from (describe crm.things) where column_name = '{name}'"
    )
    rows = query(file, f'select "{name}" from crm.things order by _file, thing_id')
    return kind, [value for (value,) in rows]


NATIVE = [
    ("name", pa.array(["a"]), "VARCHAR", "a"),
    ("name", pa.array(["a"], pa.large_string()), "VARCHAR", "a"),
    ("name", pa.array(["17.0"]), "VARCHAR", "17.0"),
    ("name", pa.array(["a"]).dictionary_encode(), "VARCHAR", "a"),
    ("name", pa.array([b"a"]), "VARCHAR", "a"),
    ("amount", pa.array([Decimal("1.50")], pa.decimal128(10, 2)), "DECIMAL(10,2)", Decimal("1.5")),
    ("amount", pa.array([7], pa.int32()), "INTEGER", 7),
    ("rate", pa.array([Decimal("0.5")], pa.decimal128(18, 8)), "DECIMAL(18,8)", Decimal("0.5")),
    ("position", pa.array([7], pa.int8()), "TINYINT", 7),
    ("position", pa.array([7], pa.uint32()), "UINTEGER", 7),
    ("happened_at", pa.array([datetime(2026, 1, 2)], pa.timestamp("ms")), "TIMESTAMP",
     datetime(2026, 1, 2)),
    ("day", pa.array([date(2026, 1, 2)]), "DATE", date(2026, 1, 2)),
    ("is_open", pa.array([True]), "BOOLEAN", True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "kind", "value"), NATIVE)
def test_a_type_of_the_contract_stays(tmp_path, name, values, kind, value):
    things(tmp_path / "raw", **{name: values})
    assert column(tmp_path / "raw", name) == (kind, [value])


THROUGH_TEXT = [
    ("name", pa.array([17]), "17"),
    ("name", pa.array([17.0]), "17"),
    ("name", pa.array([17.5]), "17.5"),
    ("name", pa.array([17.0], pa.float32()), "17"),
    ("name", pa.array([23_851_234_567_890_124.0]), "23851234567890124"),
    ("name", pa.array([-0.0]), "0"),
    ("name", pa.array([Decimal(17)], pa.decimal128(38, 10)), "17"),
    ("name", pa.array([Decimal("17.50")], pa.decimal128(38, 2)), "17.50"),
    ("name", pa.array([Decimal(0)], pa.decimal128(1, 1)), "0"),
    ("amount", pa.array([Decimal("-0.00500")], pa.decimal128(5, 5)), "-0.00500"),
    ("name", pa.array([float("nan")]), None),
    ("name", pa.array([True]), "true"),
    ("name", pa.array(["Ель".encode()]), "Ель"),
    ("name", pa.array(["Ель".encode("cp1251")]), "\\xC5\\xEB\\xFC"),
    ("amount", pa.array([1.5]), "1.5"),
    ("amount", pa.array([float("nan")], pa.float32()), None),
    ("amount", pa.array([float("inf")]), "inf"),
    ("amount", pa.array([0.1], pa.float32()), "0.10000000149011612"),
    ("amount", pa.array([Decimal("1.23456")], pa.decimal128(10, 5)), "1.23456"),
    ("amount", pa.array([1], pa.uint64()), "1"),
    ("position", pa.array([5.0]), "5"),
    ("position", pa.array([1e16]), "10000000000000000"),
    ("position", pa.array([5.5]), "5.5"),
    ("position", pa.array(["5"]), "5"),
    ("happened_at", pa.array([date(2026, 1, 2)]), "2026-01-02"),
    ("happened_at", pa.array([1_767_312_000_000_000_001], pa.timestamp("ns")),
     "2026-01-02 00:00:00.000000001"),
    ("day", pa.array([datetime(2026, 1, 2, tzinfo=UTC)], pa.timestamp("us", "UTC")),
     "2026-01-02 00:00:00+00"),
    ("day", pa.array([time(1, 2)]), "01:02:00"),
    ("is_open", pa.array([1]), "1"),
    ("name", pa.array([23851234567890124.0]), "23851234567890124"),
    ("name", pa.array([-0.0]), "0"),
    ("name", pa.array([1e23]), "99999999999999991611392"),
    ("name", pa.array([float("inf")]), "inf"),
    ("name", pa.array([Decimal("17")], pa.decimal128(38, 10)), "17"),
    ("name", pa.array([Decimal("17.5")], pa.decimal128(38, 10)), "17.5000000000"),
    ("is_open", pa.array([1.0]), "1.0"),
    ("is_open", pa.array([Decimal(1)], pa.decimal128(38, 10)), "1.0000000000"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "text"), THROUGH_TEXT)
def test_another_type_is_read_through_its_text(tmp_path, name, values, text):
    things(tmp_path / "raw", **{name: values})
    assert column(tmp_path / "raw", name) == ("VARCHAR", [text])


def test_the_text_of_an_instant_does_not_depend_on_the_session(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "1", happened_at=pa.array([datetime(2026, 1, 2)], pa.timestamp("us", "UTC")))
    things(raw, "2", happened_at=["2026-01-02"])
    _, file = registered(raw)
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'Asia/Tokyo'")
        found = connection.execute("select happened_at from crm.things order by _file").fetchall()
    assert found == [("2026-01-02 00:00:00+00",), ("2026-01-02",)]


def test_files_of_different_types_do_not_change_each_others_values(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "1", name=pa.array([7]))
    things(raw, "2", name=pa.array([7.25]))
    things(raw, "3", name=["007"])
    assert column(raw, "name") == ("VARCHAR", ["7", "7.25", "007"])


def test_columns_are_matched_without_case_and_in_any_order(tmp_path):
    raw = tmp_path / "raw"
    write_file(raw / "crm/things/1.parquet", [{"NAME": "a", "Thing_ID": "1"}])
    write_file(raw / "crm/things/2.parquet", [{"thing_id": "2", "name": "b"}])
    assert column(raw, "thing_id") == ("VARCHAR", ["1", "2"])
    assert column(raw, "name") == ("VARCHAR", ["a", "b"])


def test_of_two_columns_that_differ_in_case_the_exact_one_counts(tmp_path):
    raw = tmp_path / "raw"
    things(raw, NAME=["upper"], name=["exact"])
    assert column(raw, "name") == ("VARCHAR", ["exact"])
    assert [item.column for item in scan(raw, CONTRACT).drift] == ["NAME"]


def test_a_missing_optional_column_is_null_and_keeps_the_others_type(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "1", position=pa.array([7]))
    things(raw, "2", name=["a"])
    assert column(raw, "position") == ("BIGINT", [7, None])
    assert column(raw, "day") == ("VARCHAR", [None, None])


def test_a_column_without_a_single_value_does_not_change_the_type(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "1", position=pa.array([7]))
    things(raw, "2", position=pa.array([None], pa.null()))
    assert column(raw, "position") == ("BIGINT", [7, None])


def test_the_columns_of_the_contract_come_in_its_order_with_the_file(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "2026-01-01 it's [1] *?é", name=["a"])
    _, file = registered(raw)
    with duckdb.connect(str(file), read_only=True) as connection:
        found = connection.execute("select * from crm.things")
        names = [item[0] for item in found.description]
        row = found.fetchone()
    assert names == [item.name for item in THINGS.columns] + ["_file"]
    assert row[-1] == "crm/things/2026-01-01 it's [1] *?é.parquet"


def test_wildcards_in_names_are_taken_literally(tmp_path):
    raw = tmp_path / "r[a]w"
    for name in ("a", "b", "[ab]", "?", "*"):
        things(raw, name, name=[name])
    things(tmp_path / "raw", "a", name=["another zone"])
    assert sorted(column(raw, "name")[1]) == ["*", "?", "[ab]", "a", "b"]


def test_a_column_of_the_files_called_filename_is_only_drift(tmp_path):
    raw = tmp_path / "raw"
    things(raw, filename=["mine"], _file=["mine too"])
    zone, file = registered(raw)
    assert {item.column for item in zone.drift} == {"filename", "_file"}
    assert query(file, "select _file from crm.things") == [("crm/things/1.parquet",)]


def test_a_table_without_files_is_empty(tmp_path):
    raw = tmp_path / "raw"
    things(raw, name=["a"])
    zone, file = registered(raw)
    assert zone.missing_tables == ["crm.others"]
    assert query(file, "select count(*) from crm.others") == [(0,)]
    assert query(file, "select * from zone.tables order by table_name") == [
        ("crm.others", 0, 0, False),
        ("crm.things", 1, 1, True),
    ]


def test_an_empty_zone_has_all_tables(tmp_path):
    (tmp_path / "raw").mkdir()
    zone, file = registered(tmp_path / "raw")
    assert (zone.rows, zone.files) == (0, [])
    assert query(file, "select count(*), any_value(thing_id) from crm.things") == [(0, None)]


def test_every_missing_required_column_is_named_even_in_files_without_rows(tmp_path):
    raw = tmp_path / "raw"
    write_file(raw / "crm/things/1.parquet", [], pa.schema([("name", pa.string())]))
    write_file(
        raw / "crm/things/2.parquet", [{"thing_id": "1"}], pa.schema([("thing_id", pa.string())])
    )
    with pytest.raises(ContractBroken) as caught:
        registered(raw)
    assert caught.value.details == [
        "crm.things: column thing_id is missing in crm/things/1.parquet",
        "crm.things: column _loaded_at is missing in crm/things/1.parquet",
        "crm.things: column _loaded_at is missing in crm/things/2.parquet",
    ]
    assert caught.value.exit_code == 2
    assert not (tmp_path / "build").exists()


def test_a_file_cut_in_half_is_named_and_the_whole_ones_are_read(tmp_path):
    raw = tmp_path / "raw"
    for name in "12345":
        things(raw, name, name=["a"] * 100)
    cut = raw / "crm/things/3.parquet"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (raw / "crm/things/4.parquet").write_bytes(b"")
    zone = scan(raw, CONTRACT)
    assert [(problem.file, problem.column) for problem in zone.problems] == [
        ("crm/things/3.parquet", ""),
        ("crm/things/4.parquet", ""),
    ]
    assert "not a whole Parquet file" in str(zone.problems[0])
    assert zone.rows == 300


def test_unknown_columns_files_and_folders_are_drift(tmp_path):
    raw = tmp_path / "raw"
    things(raw, name=["a"], colour=pa.array([1]))
    (raw / "crm/things/readme.txt").write_text("x")
    (raw / "crm/things/.half.parquet").write_text("x")
    (raw / "crm/ghosts").mkdir()
    (raw / "erp").mkdir()
    zone, file = registered(raw)
    assert zone.problems == ()
    assert query(file, "select * from zone.schema_drift order by all") == [
        ("crm.ghosts", None, None, None),
        ("crm.things", "crm/things/1.parquet", "colour", "BIGINT"),
        ("crm.things", "crm/things/readme.txt", None, None),
        ("erp", None, None, None),
    ]


def test_files_are_listed_with_rows_and_bytes(tmp_path):
    raw = tmp_path / "raw"
    path = things(raw, name=["a", "b"])
    _, file = registered(raw)
    size, stamp = path.stat().st_size, str(path.stat().st_mtime_ns)
    assert query(file, "select * from zone.files") == [
        ("crm.things", "crm/things/1.parquet", 2, size, stamp, True)
    ]


def test_files_that_the_build_has_read_are_apart_from_new_ones(tmp_path):
    raw, build = tmp_path / "raw", tmp_path / "build.duckdb"
    old = things(raw, "1", thing_id=["old"], number=pa.array([1]))
    things(raw, "2", thing_id=["new"], number=pa.array([2]))
    stamp = str(old.stat().st_mtime_ns)
    with duckdb.connect(str(build)) as connection:
        connection.execute(
            "create schema state; create table state.files_of__crm_things as select "
            f"'crm/things/1.parquet' as file, 1::bigint as rows, {old.stat().st_size}::bigint "
            f"as bytes, '{stamp}' as stamp"
        )
    file = tmp_path / "raw_zone.duckdb"
    register(scan(raw, CONTRACT), file, files_read(build))
    assert query(file, "select thing_id from crm.things order by all") == [("new",), ("old",)]
    assert query(file, "select thing_id from crm_new.things") == [("new",)]
    assert query(file, "select file from zone.files where is_new") == [("crm/things/2.parquet",)]

    old.unlink()
    rewritten = things(raw, "1", thing_id=["changed"], number=pa.array([1]))
    os.utime(rewritten, ns=(0, 0))
    register(scan(raw, CONTRACT), file, files_read(build))
    assert query(file, "select thing_id from crm_new.things order by all") == [
        ("changed",),
        ("new",),
    ]


def test_a_build_that_cannot_be_read_has_read_nothing(tmp_path):
    build = tmp_path / "build.duckdb"
    assert files_read(build) == {}
    build.write_text("no database")
    assert files_read(build) == {}


def test_many_files_are_read_in_batches(tmp_path):
    raw = tmp_path / "raw"
    for number in range(1_100):
        things(raw, f"{number:04}", thing_id=[str(number)])
    zone, file = registered(raw)
    assert (len(zone.files), zone.rows) == (1_100, 1_100)
    assert query(
        file, "select count(distinct thing_id), count(distinct _file) from crm.things"
    ) == [(1_100, 1_100)]


def test_a_directory_that_is_not_there_is_wrong_use(tmp_path):
    with pytest.raises(WrongUse, match="There is no raw zone at"):
        scan(tmp_path / "nowhere", CONTRACT)


def test_registering_again_replaces_the_views_and_leaves_nothing_behind(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "1", name=["a"])
    registered(raw)
    things(raw, "2", name=["b"])
    _, file = registered(raw)
    assert query(file, "select count(*) from crm.things") == [(2,)]
    assert [path.name for path in file.parent.iterdir()] == ["raw_zone.duckdb"]


def test_an_object_store_needs_its_extension(monkeypatch):
    monkeypatch.setattr("orchestration.base.object_store.find_extension", lambda name: None)
    with pytest.raises(WrongUse, match="httpfs"):
        scan("s3://bucket/raw", CONTRACT)
