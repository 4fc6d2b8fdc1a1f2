"""What in a raw zone stops a refresh, and what is only told: by name, before anything is read."""

from __future__ import annotations

import os
import socket
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.base.errors import RefreshRefused
from orchestration.base.record import EMPTY, Record
from orchestration.base.settings import Settings
from orchestration.raw_zone.contents import problems_of_contents
from orchestration.raw_zone.contract import Contract
from orchestration.raw_zone.drift import drift_lines
from orchestration.raw_zone.guard import needed_bytes, refuse_emptiness, refuse_full_disk
from orchestration.raw_zone.listing import listed_files
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.zone import RawZone
from tests.conftest import query, write_file
from tests.unit.test_raw_zone import CONTRACT, registered, things


def problems(raw: Path, contract: Contract = CONTRACT, max_rows: int | None = None) -> list[str]:
    """All that stops a refresh, contents included."""
    zone = scan(raw, contract, max_rows)
    found = [*zone.problems, *problems_of_contents(zone, zone.files, max_rows, "1GB")]
    return [str(problem) for problem in found]


def lines(zone: RawZone) -> list[str]:
    return drift_lines(zone.drift, CONTRACT)


def bad_text(*values: bytes) -> pa.Array:
    """A column of texts whose bytes nobody has checked."""
    raw = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(values), raw.buffers())


def test_files_lie_at_any_depth_and_folders_names_are_only_names(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "day=2026-11-20/hour=3/a", name=["deep"])
    things(raw, "2026-11-20.parquet/part-0", name=["spark"])
    (raw / "crm/things/2026-11-20.parquet/_SUCCESS").touch()
    zone, file = registered(raw)
    assert zone.problems == () and zone.drift == ()
    assert query(file, "select _file, name from crm.things order by all") == [
        ("crm/things/2026-11-20.parquet/part-0.parquet", "spark"),
        ("crm/things/day=2026-11-20/hour=3/a.parquet", "deep"),
    ]
    assert [path for path, *_ in listed_files(str(raw), CONTRACT)] == [it.path for it in zone.files]


def test_what_loaders_keep_is_no_part_of_the_zone(tmp_path):
    raw = tmp_path / "raw"
    things(raw, name=["a"], _dlt_id=["x"], _dlt_load_id=["y"])
    for path in ("_state/s", "crm/_dlt_loads/a.parquet", "crm/things/.tmp/a.parquet", "crm/init"):
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        (raw / path).write_text("x")
    zone = scan(raw, CONTRACT)
    assert len(zone.files) == 1
    assert zone.drift == () and zone.problems == ()


def test_everything_else_is_named_with_the_nearest_table(tmp_path):
    raw = tmp_path / "raw"
    write_file(raw / "crm/thing/a.parquet", [{"thing_id": "1"}])
    (raw / "crn").mkdir()
    for name in ("things.csv", "crm/things/b.csv", "crm/things/c.xlsx", "crm/notes.txt"):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text("x")
    for number in range(5):
        (raw / f"crm/others/{number}.json").parent.mkdir(exist_ok=True)
        (raw / f"crm/others/{number}.json").write_text("{}")
    assert lines(scan(raw, CONTRACT)) == [
        "things.csv is no Parquet of a table: ignored",
        "crm/notes.txt is no Parquet of a table: ignored",
        "crm/others/0.json, crm/others/1.json, crm/others/2.json and 2 more are no Parquet of a "
        "table: ignored",
        "crm/thing is no table of the contract: ignored (did you mean crm/things?)",
        "crm/things/b.csv, crm/things/c.xlsx are no Parquet of a table: ignored",
        "crn is no table of the contract: ignored (did you mean crm?)",
    ]


def test_what_is_called_parquet_and_is_no_file_stops_a_refresh_by_name(tmp_path):
    folder = things(tmp_path / "raw", name=["a"]).parent
    os.mkfifo(folder / "pipe.parquet")
    (folder / "loop.parquet").symlink_to("loop.parquet")
    (folder / "gone.parquet").symlink_to("nowhere")
    (folder / "again.parquet").symlink_to(folder)
    place = os.getcwd()
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.parquet")
        os.chdir(place)
        found = problems(tmp_path / "raw")
    assert found == [
        "crm.things: crm/things/again.parquet: is a link to a folder that it lies in, not a file",
        "crm.things: crm/things/gone.parquet: is a link to nothing, not a file",
        "crm.things: crm/things/loop.parquet: is a link to itself, not a file",
        "crm.things: crm/things/pipe.parquet: is a named pipe, not a file",
        "crm.things: crm/things/s.parquet: is a socket, not a file",
    ]


def test_links_elsewhere_are_drift_and_a_link_to_a_file_is_read(tmp_path):
    raw = tmp_path / "raw"
    path = things(raw, name=["a"])
    (raw / "crm/things/b.parquet").symlink_to(path)
    (raw / "loop").symlink_to("loop")
    (raw / "crm/loop").symlink_to("loop")
    zone = scan(raw, CONTRACT)
    assert zone.problems == () and len(zone.files) == 2
    assert lines(zone) == [
        "loop is no Parquet of a table: ignored",
        "crm/loop is no Parquet of a table: ignored",
    ]


def test_names_that_are_no_utf8_are_shown_with_escapes(tmp_path):
    raw = tmp_path / "raw"
    folder = things(raw, name=["a"]).parent
    name = "Папка".encode("cp1251")
    os.mkdir(os.path.join(os.fsencode(raw), name))
    os.mkdir(os.path.join(os.fsencode(raw / "crm"), name))
    zone = scan(raw, CONTRACT)
    assert zone.problems == ()
    escaped = r"\udccf\udce0\udcef\udcea\udce0"
    assert lines(zone) == [
        rf"{escaped} is no table of the contract: ignored",
        rf"crm/{escaped} is no table of the contract: ignored",
    ] or all("ignored" in line and "\\x" in line for line in lines(zone))
    Path(os.fsdecode(os.path.join(os.fsencode(folder), name + b".parquet"))).write_bytes(b"x")
    assert "the path is not UTF-8" in problems(raw)[0]


def test_a_decimal_of_more_than_38_digits_is_refused_by_name(tmp_path):
    raw = tmp_path / "raw"
    wide = pa.array([Decimal("1234.56")], pa.decimal256(65, 30))
    things(raw, amount=wide, unknown=wide)
    assert problems(raw) == [
        "crm.things: crm/things/1.parquet: column amount is a decimal of 65 digits: the engine "
        "misreads more than 38; export it as DECIMAL(38, …) or text"
    ]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([{"a": 1}]),
        pa.array([["a"]]),
        pa.array([[("k", "v")]], pa.map_("string", "string")),
    ],
    ids=["struct", "list", "map"],
)
def test_a_structure_where_a_value_is_expected_is_refused(tmp_path, values):
    things(tmp_path / "raw", name=values)
    assert problems(tmp_path / "raw") == [
        "crm.things: crm/things/1.parquet: column name is a structure or a list, where text is "
        "expected"
    ]


@pytest.mark.parametrize("first", ["1", "3"])
def test_a_column_that_moved_out_of_a_structure_is_read(tmp_path, first):
    raw = tmp_path / "raw"
    inside = pa.array([{"k": 1, "name": "inner"}])
    things(raw, first, extra=inside)
    things(raw, "2", extra=pa.array([{"k": 1}]), name=["outer"])
    _, file = registered(raw)
    rows = dict(query(file, "select _file[12:12], name from crm.things"))
    assert rows == {first: None, "2": "outer"}


def test_text_that_is_no_utf8_is_named_with_column_and_row(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "good", name=["a", "b"])
    things(raw, "bad", name=bad_text(b"ok", b"fine", "Анна".encode("cp1251")))
    things(raw, "ignored", unknown=bad_text(b"\xff"))
    assert problems(raw) == [
        "crm.things: crm/things/bad.parquet: column name is not UTF-8 in row 3: export it again "
        "as UTF-8"
    ]


def test_bad_text_is_found_in_dictionaries_and_later_groups_of_rows(tmp_path):
    path = things(tmp_path / "raw", name=["a"])
    count = 3_000
    names = bad_text(*[b"good"] * (count - 1), b"\xcf\xe0")
    content = {
        "thing_id": [str(row) for row in range(count)],
        "_loaded_at": ["2026-03-01"] * count,
        "name": names,
    }
    pq.write_table(pa.table(content), path, row_group_size=1_000)
    assert "column name is not UTF-8 in row 3,000" in problems(tmp_path / "raw")[0]


def test_declared_rows_are_held_against_the_files_size(tmp_path):
    path = things(tmp_path / "raw", name=["a"])
    count = 3_000_000
    same = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x"]))
    table = pa.table({"thing_id": same, "_loaded_at": same})
    pq.write_table(table, path, compression="zstd", row_group_size=count)
    size = path.stat().st_size
    assert size < 20_000
    assert problems(tmp_path / "raw") == [
        f"crm.things: crm/things/1.parquet: declares 3,000,000 rows in {size:,} bytes; if that is "
        "right, set VORONKA_MAX_FILE_ROWS higher"
    ]
    assert problems(tmp_path / "raw", max_rows=4_000_000) == []
    assert "declares 3,000,000 rows" in problems(tmp_path / "raw", max_rows=2_999_999)[0]


def test_one_great_text_in_many_rows_is_refused_before_it_is_written_out(tmp_path):
    count = 2_000
    great = pa.DictionaryArray.from_arrays(
        pa.array([0] * count, pa.int32()), pa.array(["A" * 1_000_000])
    )
    things(tmp_path / "raw", name=great)
    (found,) = problems(tmp_path / "raw")
    assert "unpacks to 2,000," in found and "VORONKA_MAX_FILE_ROWS" in found
    assert problems(tmp_path / "raw", max_rows=1_000_000_000) == []


def test_honest_files_that_compress_well_are_believed(tmp_path):
    count = 1_000_000
    same = pa.DictionaryArray.from_arrays(
        pa.array([0] * count, pa.int32()),
        pa.array(["a text of forty letters, always the same"]),
    )
    path = things(tmp_path / "raw", name=["a"])
    keys = pa.array(range(count))
    table = pa.table({"thing_id": keys, "_loaded_at": same, "name": same})
    pq.write_table(
        table,
        path,
        compression="zstd",
        use_dictionary=["_loaded_at", "name"],
        column_encoding={"thing_id": "DELTA_BINARY_PACKED"},
    )
    assert path.stat().st_size < 100_000
    assert problems(tmp_path / "raw") == []


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all, but long enough"])
def test_a_file_that_is_no_parquet_is_named(tmp_path, content):
    path = things(tmp_path / "raw", name=["a"])
    path.with_name("2.parquet").write_bytes(content)
    (found,) = problems(tmp_path / "raw")
    assert found.startswith("crm.things: crm/things/2.parquet: ")


def published(settings: Settings, rows: int) -> None:
    """A published file that says how many raw rows it was made from."""
    import duckdb

    settings.published_dir.mkdir(parents=True)
    with duckdb.connect(str(settings.published_file)) as connection:
        connection.execute("create schema quality")
        connection.execute(f"create table quality.publication as select {rows} as raw_rows")


def test_an_empty_zone_replaces_nothing(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    (tmp_path / "raw").mkdir()
    empty = RawZone(str(tmp_path / "raw"), ())
    refuse_emptiness(empty, settings, Record())
    published(settings, 7)
    with pytest.raises(RefreshRefused) as caught:
        refuse_emptiness(empty, settings, Record())
    assert caught.value.message.endswith("has no row. What is published has 7 raw rows and stays.")
    refuse_emptiness(empty, settings, Record(accepted=[EMPTY]))


def test_a_zone_of_csv_files_is_refused_from_the_first_refresh_on(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    for name in ("deals.csv", "crm/things/things.xlsx"):
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_text("x")
    with pytest.raises(RefreshRefused) as caught:
        refuse_emptiness(scan(tmp_path / "raw", CONTRACT), settings, Record())
    assert "it holds 2 files of other kinds: crm/things/things.xlsx, deals.csv." in str(
        caught.value
    )
    assert "--allow-empty" in caught.value.remedy


def test_a_disk_too_small_is_told_before_anything_is_built(tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    things(raw, name=["a"])
    files = scan(raw, CONTRACT).files
    settings = Settings(data_dir=tmp_path / "data")
    assert needed_bytes([], settings) == 0
    assert needed_bytes(files, settings) == 30_000_000
    usage = os.statvfs(tmp_path)
    assert usage.f_bavail * usage.f_frsize > 30_000_000
    refuse_full_disk(files, settings)
    monkeypatch.setattr(
        "orchestration.raw_zone.guard.shutil.disk_usage",
        lambda path: type("Usage", (), {"free": 29_000_000}),
    )
    with pytest.raises(RefreshRefused, match="has 29 MB left, and this refresh needs about 30 MB"):
        refuse_full_disk(files, settings)
    refuse_full_disk([], settings)
