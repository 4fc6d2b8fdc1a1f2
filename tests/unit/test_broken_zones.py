"""What in a raw zone stops a refresh, and what is only told: by name, before anything is read."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.base.errors import RefreshRefused, WrongUse
from orchestration.base.record import EMPTY, SHRINK, Record
from orchestration.base.settings import MAX_FILE_ROWS, Settings
from orchestration.models.dbt import PublishedModel
from orchestration.publication.guard import refuse_shrinking
from orchestration.raw_zone.contents import judged_by_contents
from orchestration.raw_zone.drift import drift_lines
from orchestration.raw_zone.footers import read_footers
from orchestration.raw_zone.guard import needed_bytes, refuse_emptiness, refuse_full_disk
from orchestration.raw_zone.listing import listed_files
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.zone import RawFile, RawZone
from tests.conftest import ROOT, query, write_file
from tests.things import CONTRACT, bad_text, things
from tests.unit.test_raw_zone import registered


def problems(raw: Path, max_rows: int = MAX_FILE_ROWS) -> list[str]:
    """All that stops a refresh, contents included."""
    settings = Settings(max_file_rows=max_rows)
    zone = scan(raw, CONTRACT, max_rows)
    return [str(it) for it in judged_by_contents(zone, zone.files, settings).problems]


def lines(zone: RawZone) -> list[str]:
    return drift_lines(zone.drift, CONTRACT)


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
    for folder in ("crm/thing", "CRM", "others", "erp/things"):
        write_file(raw / folder / "a.parquet", [{"thing_id": "1"}])
    (raw / "crn").mkdir()
    for name in ("things.csv", "crm/things/b.csv", "crm/things/c.xlsx", "crm/notes.txt"):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text("x")
    write_file(raw / "crm/Things.parquet", [{"thing_id": "1"}])
    for number in range(5):
        (raw / f"crm/others/{number}.json").parent.mkdir(exist_ok=True)
        (raw / f"crm/others/{number}.json").write_text("{}")
    assert lines(scan(raw, CONTRACT)) == [
        "things.csv is no Parquet file: ignored",
        "CRM is no table of the contract: ignored (did you mean crm?)",
        "crm/notes.txt is no Parquet file: ignored",
        "crm/Things.parquet lies in no table's folder: ignored (did you mean crm/things?)",
        "crm/others/0.json, crm/others/1.json, crm/others/2.json and 2 more are no Parquet files: "
        "ignored",
        "crm/thing is no table of the contract: ignored (did you mean crm/things?)",
        "crm/things/b.csv, crm/things/c.xlsx are no Parquet files: ignored",
        "crn is no table of the contract: ignored (did you mean crm?)",
        "erp is no table of the contract: ignored",
        "others is no table of the contract: ignored (did you mean crm/others?)",
    ]


def test_what_is_called_parquet_and_is_no_file_stops_a_refresh_by_name(tmp_path):
    folder = things(tmp_path / "raw", name=["a"]).parent
    os.mkfifo(folder / "pipe.parquet")
    (folder / "loop.parquet").symlink_to("loop.parquet")
    (folder / "gone.parquet").symlink_to("nowhere")
    (folder / "again.parquet").symlink_to(folder)
    (folder / "null.parquet").symlink_to("/dev/null")
    place = os.getcwd()
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.parquet")
        os.chdir(place)
        found = problems(tmp_path / "raw")
    assert found == [
        "crm.things: crm/things/again.parquet: is a link to a folder that it lies in",
        "crm.things: crm/things/gone.parquet: is a link to nothing",
        "crm.things: crm/things/loop.parquet: is a link to itself",
        "crm.things: crm/things/null.parquet: is a device, not a file",
        "crm.things: crm/things/pipe.parquet: is a named pipe, not a file",
        "crm.things: crm/things/s.parquet: is a socket, not a file",
    ]


def test_a_table_or_a_source_that_is_a_broken_link_is_not_an_empty_one(tmp_path):
    raw = tmp_path / "raw"
    things(raw, name=["a"])
    (raw / "crm/others").symlink_to(tmp_path / "not mounted")
    assert problems(raw) == ["crm.others: crm/others: is a link to nothing"]
    raw = tmp_path / "raw2"
    raw.mkdir()
    (raw / "crm").symlink_to("crm")
    assert problems(raw) == ["crm: crm: is a link to itself"]


def test_links_elsewhere_are_drift_and_links_to_files_and_folders_are_read(tmp_path):
    raw = tmp_path / "raw"
    path = things(raw, name=["a"])
    (raw / "crm/things/b.parquet").symlink_to(path)
    moved = things(tmp_path / "elsewhere", name=["b"]).parent
    (raw / "crm/things/moved").symlink_to(moved)
    (raw / "loop").symlink_to("loop")
    (raw / "crm/loop").symlink_to("loop")
    (raw / "crm/things/up").symlink_to("..")
    zone = scan(raw, CONTRACT)
    assert zone.problems == ()
    assert [file.path for file in zone.files] == [
        "crm/things/1.parquet",
        "crm/things/b.parquet",
        "crm/things/moved/1.parquet",
    ]
    assert lines(zone) == [
        "loop is no Parquet file: ignored",
        "crm/loop is no Parquet file: ignored",
        "crm/things/up is no Parquet file: ignored",
    ]


def test_names_that_are_not_utf8_are_shown_with_escapes(tmp_path):
    raw = tmp_path / "raw"
    folder = things(raw, name=["a"]).parent
    name = "Папка".encode("cp1251")
    escaped = r"\xcf\xe0\xef\xea\xe0"
    for place in (raw, raw / "crm", folder):
        os.mkdir(os.path.join(os.fsencode(place), name))
    inner = os.path.join(os.fsencode(folder), name)
    Path(os.fsdecode(inner + b"/notes.txt")).write_text("x")
    zone = scan(raw, CONTRACT)
    assert zone.problems == ()
    assert lines(zone) == [
        rf"{escaped} is no table of the contract: ignored",
        rf"crm/{escaped} is no table of the contract: ignored",
        rf"crm/things/{escaped}/notes.txt is no Parquet file: ignored",
    ]
    Path(os.fsdecode(inner + b"/a.parquet")).write_bytes(b"x")
    assert problems(raw) == [
        rf"crm.things: crm/things/{escaped}/a.parquet: has a path that is not UTF-8: rename"
    ]
    with pytest.raises(WrongUse, match=r"is not UTF-8: .*\\xcf"):
        scan(os.fsdecode(os.path.join(os.fsencode(raw), name)), CONTRACT)


def test_folders_deeper_than_the_system_can_name_are_named(tmp_path):
    raw = tmp_path / "raw"
    top = things(raw, name=["a"]).parent
    name = "d" * 200
    place = os.open(top, os.O_RDONLY)
    for _ in range(25):
        os.mkdir(name, dir_fd=place)
        inner = os.open(name, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    (found,) = problems(raw)
    assert found.startswith(f"crm.things: crm/things/{name}/{name}/")
    assert found.endswith(f"/{name}: cannot be read: File name too long")


def as_nobody(raw: Path, work: str) -> str:
    """What a user without rights prints; the tests may run as root, who has them all."""
    drop = "import os; os.geteuid() or os.setuid(65534)\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{IMPORTS}{drop}raw = {str(raw)!r}\n{work}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout


IMPORTS = "from tests.unit.test_broken_zones import *\n"


def test_what_may_not_be_read_is_named(tmp_path):
    raw = tmp_path / "raw"
    closed = things(raw, name=["a"])
    things(raw, "inner/2", name=["a"])
    (raw / "crm/others").mkdir()
    for path in (closed, raw / "crm/things/inner", raw / "crm/others"):
        path.chmod(0)
    # pytest's own folders are closed to others; their number depends on how it runs.
    for path in (tmp_path, *(it for it in tmp_path.parents if "pytest-" in str(it))):
        path.chmod(0o755)
    try:
        found = as_nobody(raw, "print(*problems(Path(raw)), sep='\\n')").splitlines()
    finally:
        for path in (raw / "crm/things/inner", raw / "crm/others"):
            path.chmod(0o755)
    right = "may not be read: give the user who runs the refresh the right to read it"
    assert found == [
        f"crm.others: crm/others: {right}",
        f"crm.things: crm/things/inner: {right}",
        f"crm.things: crm/things/1.parquet: {right}",
    ]


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


def test_a_list_as_old_writers_have_it_is_refused(tmp_path):
    path = things(tmp_path / "raw", name=pa.array(["a"]))
    content = bytearray(path.read_bytes())
    # The column's repetition in the footer: from optional (1) to repeated (2), zigzag.
    place = content.rindex(b"\x25\x02\x18\x04name")
    content[place + 1] = 4
    path.write_bytes(content)
    assert problems(tmp_path / "raw") == [
        "crm.things: crm/things/1.parquet: column name is a structure or a list, where text is "
        "expected"
    ]


def test_text_that_is_no_utf8_is_named_with_column_and_row(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "good", name=["a", "b"])
    things(raw, "bad", name=bad_text(b"ok", b"fine", "Анна".encode("cp1251")))
    things(raw, "ignored", unknown=bad_text(b"\xff"))
    assert problems(raw) == [
        "crm.things: crm/things/bad.parquet: column name is not UTF-8 in row 3: export it again "
        "as UTF-8"
    ]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view()])
def test_bad_text_is_found_in_every_kind_of_text_column(tmp_path, kind):
    things(tmp_path / "raw", name=bad_text(b"ok", b"\xff").cast(pa.binary()).cast(kind, safe=False))
    assert "column name is not UTF-8 in row 2" in problems(tmp_path / "raw")[0]


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


def test_values_that_the_engine_cannot_convert_are_named_with_their_column(tmp_path):
    raw, least = tmp_path / "raw", -(2**63)
    things(raw, "ms", happened_at=pa.array([0, least], pa.timestamp("ms")))
    things(raw, "us", happened_at=pa.array([0, least + 1, least], pa.timestamp("us")))
    things(raw, "zoned", happened_at=pa.array([None, least + 2, least], pa.timestamp("us", "UTC")))
    things(raw, "null", happened_at=pa.array([None], pa.timestamp("ns")))
    found = [line.partition(" cannot be read: ")[0] for line in problems(raw)]
    assert found == [
        f"crm.things: crm/things/{name}.parquet: column happened_at"
        for name in ("ms", "us", "zoned")
    ]


def test_declared_rows_are_held_against_the_files_size(tmp_path):
    path = things(tmp_path / "raw", name=["a"])
    count = 3_000_000
    same = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x"]))
    table = pa.table({"thing_id": same, "_loaded_at": same})
    pq.write_table(table, path, compression="zstd", row_group_size=count)
    size = path.stat().st_size
    assert size < 20_000
    refusal = (
        f"crm.things: crm/things/1.parquet: declares 3,000,000 rows in {size:,} bytes; if that is "
        "right, set VORONKA_MAX_FILE_ROWS=3000000"
    )
    assert problems(tmp_path / "raw") == [refusal]
    assert problems(tmp_path / "raw", max_rows=3_000_000) == []
    assert problems(tmp_path / "raw", max_rows=2_999_999) == [refusal]


def test_rows_that_only_the_groups_declare_count(tmp_path):
    path = things(tmp_path / "raw", name=["a"])
    count = 3_000_000
    same = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x"]))
    pq.write_table(pa.table({"thing_id": same, "_loaded_at": same}), path, row_group_size=count)
    content = path.read_bytes()
    declared = b"\x16\x80\x9b\xee\x02"  # 3,000,000 as Thrift's compact protocol has it
    assert content.count(declared) >= 3
    # The file's own number of rows comes first in the footer.
    begin = content.index(declared, content.index(b"\x18\x06schema"))
    path.write_bytes(content[:begin] + b"\x16\x82\x80\x80\x00" + content[begin + 5 :])
    assert pq.read_metadata(path).num_rows == 1
    assert "declares 3,000,000 rows" in problems(tmp_path / "raw")[0]


@pytest.mark.parametrize("kind", [pa.string(), pa.binary()], ids=["text", "bytes"])
def test_one_great_text_in_many_rows_is_refused_before_it_is_written_out(tmp_path, kind):
    count = 2_000
    great = pa.array(["A" * 1_000_000]).cast(kind)
    great = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), great)
    path = things(tmp_path / "raw", name=great)
    (found,) = problems(tmp_path / "raw")
    assert re.fullmatch(
        r"crm\.things: crm/things/1\.parquet: unpacks to 2,000,0\d\d,\d{3} bytes from "
        rf"{path.stat().st_size:,}; if that is right, set VORONKA_MAX_FILE_ROWS=\d+",
        found,
    )
    needed = int(found.rpartition("=")[2])
    assert problems(tmp_path / "raw", max_rows=needed) == []
    assert problems(tmp_path / "raw", max_rows=needed - 1) == [found]


def test_a_file_whose_footer_declares_too_much_is_not_unpacked(tmp_path):
    path = things(tmp_path / "raw", name=["A" * 100_000_000])
    pq.write_table(pq.read_table(path), path, compression="zstd", use_dictionary=False)
    (found,) = problems(tmp_path / "raw")
    assert "unpacks to 100,0" in found
    path.unlink()
    ordinary = things(tmp_path / "raw", "2", name=["A" * 20_000_000])
    assert problems(tmp_path / "raw") == [] and ordinary.stat().st_size > 0


@pytest.mark.parametrize("encoding", ["dictionary", "plain"])
def test_honest_files_that_compress_well_are_believed(tmp_path, encoding):
    """Equal texts of two hundred letters in a million rows, and keys that count up."""
    count = 1_000_000
    same = pa.DictionaryArray.from_arrays(
        pa.array([0] * count, pa.int32()), pa.array(["always the same " * 13])
    )
    path = things(tmp_path / "raw", name=["a"])
    table = pa.table({"thing_id": pa.array(range(count)), "_loaded_at": same, "name": same})
    if encoding == "plain":
        table = table.cast(
            pa.schema([("thing_id", pa.int64()), ("_loaded_at", "string"), ("name", "string")])
        )
    pq.write_table(
        table,
        path,
        compression="zstd",
        use_dictionary=["_loaded_at", "name"] if encoding == "dictionary" else False,
        column_encoding={"thing_id": "DELTA_BINARY_PACKED"},
    )
    assert path.stat().st_size < 300_000
    assert problems(tmp_path / "raw") == []


def whole(tmp_path: Path, **options: object) -> Path:
    """A file with a hundred thousand rows of numbers that do not compress."""
    path = things(tmp_path / "raw", name=["a"])
    count = 100_000
    content = {
        "thing_id": pa.array(range(count)),
        "_loaded_at": ["2026-03-01"] * count,
        "position": pa.array(hash(("a number", row)) % 2**40 for row in range(count)),
    }
    pq.write_table(pa.table(content), path, **options)
    return path


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty: it has 0 bytes"),
        (b"PAR1", "is not a whole Parquet file; its end is missing"),
        (b"thing_id;name\n1;not Parquet at all\n", "is not a Parquet file, whatever its name says"),
        (b"PARE" + b"x" * 100 + b"\x40\0\0\0PARE", "is encrypted: export it without"),
        (b"PAR1" + b"\xff" * 100 + b"\x40\0\0\0PAR1", "cannot be read: "),
        (b"PAR1" + b"x" * 100 + b"\xff\xff\xff\x7fPAR1", "cannot be read: "),
    ],
    ids=["empty", "begun", "csv", "encrypted", "rubbish", "long footer"],
)
def test_a_file_that_is_no_parquet_is_named(tmp_path, content, reason):
    path = things(tmp_path / "raw", name=["a"])
    path.with_name("2.parquet").write_bytes(content)
    (found,) = problems(tmp_path / "raw")
    assert found.startswith(f"crm.things: crm/things/2.parquet: {reason}")
    assert "\n" not in found


def test_a_damaged_page_is_named_with_its_column(tmp_path):
    path = whole(tmp_path, compression="snappy", use_dictionary=False)
    column = pq.read_metadata(path).row_group(0).column(2)
    content = bytearray(path.read_bytes())
    middle = column.data_page_offset + column.total_compressed_size // 2
    content[middle : middle + 5_000] = b"\xff" * 5_000
    path.write_bytes(content)
    things(tmp_path / "raw", "2", name=["good"])
    (found,) = problems(tmp_path / "raw")
    assert found.startswith(
        "crm.things: crm/things/1.parquet: column position cannot be read: Snappy"
    )


def test_a_compression_that_the_engine_does_not_know_is_named(tmp_path):
    path = things(tmp_path / "raw", name=["a"])
    pq.write_table(pq.read_table(path), path, compression="lz4")
    content = path.read_bytes()
    # From LZ4_RAW (7) to LZO (3), in the description of each column.
    changed = re.sub(rb"(name|thing_id|_loaded_at)\x15\x0e", b"\\1\x15\x06", content)
    assert changed != content
    path.write_bytes(changed)
    (found,) = problems(tmp_path / "raw")
    assert 'cannot be read: Unsupported compression codec "LZO"' in found


def test_names_of_columns_that_are_not_utf8_are_refused(tmp_path):
    path = things(tmp_path / "raw", name=["a"])
    pq.write_table(pq.read_table(path), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"\x18\x04name", b"\x18\x04n\xcfme"))
    (found,) = problems(tmp_path / "raw")
    assert found.startswith("crm.things: crm/things/1.parquet: has names of columns that are not")


def test_a_file_that_goes_while_the_zone_is_read_is_named(tmp_path):
    raw = tmp_path / "raw"
    things(raw, "1", name=["a"])
    path = things(raw, "2", name=["a"])
    zone = scan(raw, CONTRACT)
    path.unlink()
    gone = "crm.things: crm/things/2.parquet: went away while the zone was read: refresh again"
    assert [str(it) for it in judged_by_contents(zone, zone.files, Settings()).problems] == [gone]
    with duckdb.connect() as connection:
        _, found = read_footers(
            connection, str(raw), {"crm.things": [file.path for file in zone.files]}
        )
    assert [str(problem) for problem in found] == [gone]


def published(settings: Settings, rows: int) -> None:
    """A published file that says how many raw rows it was made from."""
    settings.published_dir.mkdir(parents=True)
    with duckdb.connect(str(settings.published_file)) as connection:
        connection.execute("create schema quality")
        connection.execute(f"create table quality.publication as select {rows} as raw_rows")


def test_an_empty_zone_replaces_nothing(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    (tmp_path / "raw").mkdir()
    empty = RawZone(str(tmp_path / "raw"), ())
    refuse_emptiness(empty, CONTRACT, settings, Record())
    published(settings, 7)
    with pytest.raises(RefreshRefused) as caught:
        refuse_emptiness(empty, CONTRACT, settings, Record())
    assert caught.value.message == (
        f"The raw zone {tmp_path}/raw has no row. What is published was made from 7 raw rows and "
        "stays."
    )
    assert caught.value.exit_code == 1
    assert "connect" not in caught.value.remedy
    with pytest.raises(RefreshRefused):
        refuse_emptiness(empty, CONTRACT, settings, Record(accepted=[SHRINK]))
    refuse_emptiness(empty, CONTRACT, settings, Record(accepted=[EMPTY]))


def test_a_zone_of_what_is_not_read_is_refused_from_the_first_refresh_on(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    raw = tmp_path / "raw"
    for name in ("deals.csv", "crm/things/a.xlsx", "crm/things/b.xlsx", "crm/things/README"):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text("x")
    write_file(raw / "crm/thing/a.parquet", [{"thing_id": "1"}])
    zone = scan(raw, CONTRACT)
    with pytest.raises(RefreshRefused) as caught:
        refuse_emptiness(zone, CONTRACT, settings, Record())
    assert caught.value.message == (
        f"The raw zone {raw} has no row; what lies there is not read: 1 file, 1 CSV file, "
        "2 XLSX files, 1 folder."
    )
    assert "--allow-empty" in caught.value.remedy
    assert "`voronka connect add files`" in caught.value.remedy
    assert caught.value.details == [
        "deals.csv is no Parquet file: ignored",
        "crm/thing is no table of the contract: ignored (did you mean crm/things?)",
        "crm/things/README, crm/things/a.xlsx, crm/things/b.xlsx are no Parquet files: ignored",
    ]
    refuse_emptiness(zone, CONTRACT, settings, Record(accepted=[EMPTY]))
    things(raw, name=["a"])
    refuse_emptiness(scan(raw, CONTRACT), CONTRACT, settings, Record())


def raw_file(size: int, rows: int = 1) -> RawFile:
    return RawFile("crm/things/1.parquet", rows, size, (), ())


def test_a_disk_too_small_is_told_before_anything_is_built(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    refuse_full_disk([raw_file(1_000)], settings, is_rebuild=False)
    with pytest.raises(RefreshRefused) as caught:
        refuse_full_disk([raw_file(10**15)], settings, is_rebuild=False)
    assert re.fullmatch(
        rf"The disk of {tmp_path}/data has [\d,]+ MB for this refresh, which needs about "
        r"13,000,000,040 MB\.",
        caught.value.message,
    )
    assert caught.value.exit_code == 1
    refuse_full_disk([], settings, is_rebuild=False)


def test_the_space_that_is_needed_follows_the_new_files_and_the_present_build(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    new = [raw_file(1_000_000), raw_file(2_000_000)]
    assert needed_bytes([], settings, is_rebuild=False) == 0
    assert needed_bytes(new, settings, is_rebuild=False) == 79_000_000
    assert needed_bytes([raw_file(1_000, 10**9)], settings, is_rebuild=False) == 100_040_000_000
    for file, size in ((settings.marts_file, 8_000_000), (settings.published_file, 5_000_000)):
        file.parent.mkdir(parents=True)
        file.write_bytes(bytes(size))
    assert needed_bytes(new, settings, is_rebuild=False) == 39_000_000 + 4_000_000 + 5_000_000
    assert needed_bytes(new, settings, is_rebuild=True) == 79_000_000


FACTS = [
    PublishedModel("marts", "fct_leads", (), "", {}, counts_events=True),
    PublishedModel("marts", "fct_payments", (), "", {}, counts_events=True),
    PublishedModel("marts", "fct_deal_stages", (), "", {}),
]


def present(path: Path, leads: int, payments: int, is_demo: bool = False) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create schema quality; create schema marts; "
            f"create table quality.publication as select {is_demo} as is_demo; "
            f"create table marts.fct_leads as from range({leads}); "
            f"create table marts.fct_payments as from range({payments})"
        )
    return path


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ((40, 100), (20, 50), None),
        ((40, 100), (19, 100), ["marts.fct_leads: 19 rows, 40 before"]),
        ((40, 10), (40, 0), ["marts.fct_payments: 0 rows, 10 before"]),
        ((40, 9), (40, 1), None),
        ((5, 4), (4, 0), ["All facts: 4 rows, 9 before"]),
        ((3, 0), (0, 0), ["All facts: 0 rows, 3 before"]),
        ((0, 0), (0, 0), None),
    ],
)
def test_facts_that_lost_more_than_half_of_their_rows_replace_nothing(tmp_path, old, new, lost):
    file = present(tmp_path / "voronka.duckdb", *old)
    rows = {"marts.fct_leads": new[0], "marts.fct_payments": new[1], "marts.fct_deal_stages": 0}
    if lost is None:
        refuse_shrinking(file, FACTS, rows, Record())
        return
    with pytest.raises(RefreshRefused) as caught:
        refuse_shrinking(file, FACTS, rows, Record())
    assert caught.value.details == lost
    assert caught.value.exit_code == 1
    refuse_shrinking(file, FACTS, rows, Record(accepted=[SHRINK]))
    if any(new):
        with pytest.raises(RefreshRefused):
            refuse_shrinking(file, FACTS, rows, Record(accepted=[EMPTY]))
    else:
        refuse_shrinking(file, FACTS, rows, Record(accepted=[EMPTY]))


def test_what_is_not_there_the_demo_and_what_cannot_be_read_may_be_replaced(tmp_path):
    rows = {"marts.fct_leads": 1}
    refuse_shrinking(tmp_path / "nothing", FACTS, rows, Record())
    demo = present(tmp_path / "demo.duckdb", 50, 50, is_demo=True)
    refuse_shrinking(demo, FACTS, rows, Record())
    (tmp_path / "rubbish").write_text("no database")
    refuse_shrinking(tmp_path / "rubbish", FACTS, rows, Record())
