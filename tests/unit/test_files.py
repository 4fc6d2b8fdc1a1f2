"""Files that are replaced as a whole or overwritten in place, and drafts that writers left."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestration.base.files import (
    overwrite,
    read_json,
    read_overwritten,
    remove_drafts,
    reserve,
    write_bytes,
    write_json,
)
from tests.conftest import ROOT

WRITER = """
import sys
from pathlib import Path
from orchestration.base.files import write_bytes
while True:
    write_bytes(Path(sys.argv[1]), bytes(20_000_000), is_durable=True)
"""


@pytest.fixture
def stopped_writer(tmp_path) -> Iterator[tuple[subprocess.Popen, Path]]:
    """A process that was stopped while it replaced a file, and its draft."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "page.html")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    draft = tmp_path / f"page.html.{process.pid}.tmp"
    while True:
        process.send_signal(signal.SIGSTOP)
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.001)
        if draft.exists() and draft.stat().st_size:
            break
        process.send_signal(signal.SIGCONT)
        time.sleep(0.001)
    yield process, draft
    process.kill()
    process.wait()


def test_a_draft_stays_while_its_writer_lives_and_goes_with_it(tmp_path, stopped_writer):
    process, draft = stopped_writer
    assert remove_drafts(tmp_path) == []
    assert draft.exists()
    process.kill()
    process.wait()
    assert remove_drafts(tmp_path) == [draft]
    assert not draft.exists()


def test_a_number_that_a_living_process_has_by_now_misleads_nobody(tmp_path):
    mine = tmp_path / f"page.html.{os.getpid()}.tmp"
    mine.write_bytes(b"of a process that had this number before")
    assert remove_drafts(tmp_path) == [mine]


def test_only_drafts_are_removed(tmp_path):
    left = ["raw_zone.duckdb.12.tmp", "raw_zone.duckdb.12.tmp.wal", "voronka.duckdb.7.tmp"]
    others = ["voronka.duckdb", "notes.tmp", "12.tmp", "a.12.tmp.csv", "refresh.lock"]
    for name in left + others:
        (tmp_path / name).touch()
    (tmp_path / "parquet-7.tmp").mkdir()
    (tmp_path / "parquet-7.tmp/a.parquet").touch()
    (tmp_path / "latest.7.tmp").symlink_to("parquet")
    (tmp_path / "voronka.duckdb.7.tmp").chmod(0o444)
    remove_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    assert remove_drafts(tmp_path / "missing") == []


def test_threads_that_write_one_file_do_not_mix(tmp_path):
    file = tmp_path / "a.json"
    writes = [
        threading.Thread(target=write_json, args=(file, {"text": letter * 100_000}))
        for letter in "abcdefgh" * 5
    ]
    for write in writes:
        write.start()
    for write in writes:
        write.join()
    assert len(set(read_json(file)["text"])) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_an_overwritten_file_keeps_its_place_and_size(tmp_path):
    file = tmp_path / "state/holder.json"
    reserve(file, 200)
    inode = file.stat().st_ino
    assert read_overwritten(file) == {}
    for value in ({"who": "Ёж", "n": 1}, {"who": "a"}, {}):
        overwrite(file, value)
        assert read_overwritten(file) == value
        assert json.loads(file.read_text()).items() >= value.items()
    assert (file.stat().st_ino, file.stat().st_size) == (inode, 200)
    with pytest.raises(ValueError, match="do not fit into the 200"):
        overwrite(file, {"who": "a" * 200})
    assert read_overwritten(file) == {}


def test_a_half_written_file_is_not_read(tmp_path):
    file = tmp_path / "holder.json"
    reserve(file, 100)
    overwrite(file, {"pid": 12})
    file.write_text(file.read_text().replace("12", "13"))
    assert read_overwritten(file) == {}
    file.write_text('{"pid": 12')
    assert read_overwritten(file) == {}
    assert read_overwritten(tmp_path / "missing") == {}


def test_a_readers_file_is_whole_while_it_is_overwritten(tmp_path):
    file = tmp_path / "holder.json"
    reserve(file, 4000)
    overwrite(file, {"text": "a"})
    found = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            text = read_overwritten(file).get("text")
            if text is not None:
                found.add((text[0], len(text)))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(300):
        overwrite(file, {"text": "ab"[number % 2] * (1 + number % 2 * 3000)})
    done.set()
    reader.join()
    assert found <= {("a", 1), ("b", 3001)}


def test_replacing_leaves_nothing_where_it_fails(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_bytes(tmp_path / "folder", b"a file cannot take a folder's place")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
