"""Asterisk's CSV files of call records: Master.csv, and what it was rotated to (3.2, 3.3)."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from orchestration.base.durations import DAY
from orchestration.base.errors import first_line
from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Window
from orchestration.connectors.errors import Refused, TryLater
from orchestration.connectors.kinds.asterisk.keys import AsteriskCsvConnection
from orchestration.connectors.kinds.asterisk.mapping import Record, Sessions
from orchestration.connectors.kinds.asterisk.shared import CALLS, Asterisk

_CDR_CSV = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp",
    "lastdata", "start", "answer", "end", "duration", "billsec", "disposition", "amaflags",
)  # fmt: skip
_CDR_CUSTOM = (
    "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start",
    "answer", "end", "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid",
    "userfield", "sequence",
)  # fmt: skip
_NEWER = ("peeraccount", "linkedid", "sequence")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
_UNIQUE = re.compile(r"(.*-)?\d{9,}\.\d+")
_HEAD = 1_024
_LINES = 50_000
_LONG_LINE = 900
_FILES = "files"


@dataclass(frozen=True)
class Seen:
    """How far a file was read. It is known by the hash of its first `head` bytes, not its name.

    `tail` is where the records of its last day begin: a conversation may go on after them.
    """

    head: int
    digest: str
    read: int
    tail: int
    last: str


@dataclass(frozen=True)
class Line:
    """A whole line of a file: where it begins and ends, in bytes, and its text."""

    begin: int
    end: int
    text: str


class AsteriskCsv(Asterisk[AsteriskCsvConnection]):
    """Master.csv and its rotated files."""

    kind: ClassVar[str] = "asterisk_csv"
    title: ClassVar[str] = "Asterisk, CSV files"
    config: ClassVar[type[Connection]] = AsteriskCsvConnection

    def read(self) -> Iterator[Window]:
        """New whole lines of all files, older files first."""
        yield self.directory()
        known = [Seen(**it) for it in self.work.state.get(_FILES) or []]
        self._is_first = not known
        if self.work.slice.is_named:
            known = []
        files = [(path, self._seen(path, known)) for path in self._paths()]
        fresh = {path: self._size(path) - (seen.read if seen else 0) for path, seen in files}
        if not any(size > 0 for size in fresh.values()):
            return
        sessions, is_checked = Sessions(self.mapper), False
        for path, seen in files:
            if seen is not None and seen.tail < seen.read:
                old = list(self._lines(path, seen.tail, seen.read))
                sessions.remember(self._records(path, old, counts=False))
        total = max(1, sum(fresh.values()))
        done = 0
        for path, seen in files:
            for lines in _batches(self._lines(path, seen.read if seen else 0)):
                records = self._records(path, lines)
                if records and not is_checked:
                    self.check_zone(records)
                    is_checked = True
                rows = self.finish(self._asked(sessions.take(records)))
                before, seen = seen, self._advance(path, seen, lines, records)
                known = [*(it for it in known if it != before), seen]
                done += lines[-1].end - lines[0].begin
                state = {} if self.work.slice.is_named else {_FILES: [asdict(it) for it in known]}
                yield Window(
                    path.rpartition("/")[2],
                    {CALLS: rows},
                    state,
                    min(1.0, done / total),
                    self._known_since(records),
                )

    def check(self) -> Iterator[Finding]:
        """The files, their order of columns, the zone, and what some of their records become."""
        paths = self._paths()
        yield Finding(
            "good", f"{len(paths)} files: {', '.join(it.rpartition('/')[2] for it in paths)}"
        )
        lines = next(_batches(self._lines(paths[-1], 0)), [])
        yield from self.findings(self._records(paths[-1], lines, counts=False))
        long = sum(len(line.text) > _LONG_LINE for line in lines)
        if long > len(lines) * 0.01:
            yield Finding(
                "note",
                f"{long} lines have more than {_LONG_LINE} bytes",
                "cdr_csv drops records beyond 1,024 bytes without a word: use cdr_custom or SQL.",
            )

    def _asked(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of the range that somebody asked for, and not before start_date."""
        asked, first = self.work.slice, self.connection.start_date
        found = []
        for row in rows:
            try:
                moment = datetime.fromisoformat(str(row["started_at"]))
            except ValueError:
                found.append(row)
                continue
            is_before = (asked.start and moment < asked.start) or (first and moment.date() < first)
            if not is_before and not (asked.end and moment >= asked.end):
                found.append(row)
        return found

    def _known_since(self, records: Sequence[Record]) -> datetime | None:
        """Records of the last day before the first new one may come again."""
        if self.work.slice.is_named:
            return datetime(1970, 1, 2, tzinfo=UTC)
        moments = [it for record in records if (it := self.mapper.moment(record.start))]
        if not moments or self._is_first:
            return None
        return min(moments) - timedelta(seconds=self.connection.reread + DAY)

    def _paths(self) -> list[str]:
        """The files, oldest first. Raises Refused where there is none."""
        import fsspec

        try:
            store, pattern = fsspec.core.url_to_fs(self.connection.path)
            found = [str(it) for it in store.glob(pattern) if store.isfile(it)]
            self._store = store
            # A file that was rotated earlier has the older last line.
            found.sort(key=lambda path: (str(store.info(path).get("mtime") or ""), path))
        except (OSError, ImportError, ValueError) as error:
            raise TryLater(
                f"{self.connection.name}: Asterisk, path {self.connection.path}: "
                f"{first_line(error)}",
                "Mount the folder, correct path, or install what fsspec names.",
            ) from None
        if not found:
            raise Refused(
                f"{self.connection.name}: Asterisk, path {self.connection.path}: no file is there.",
                "Correct path; the usual place is /var/log/asterisk/cdr-csv/Master.csv*.",
            )
        return found

    def _open(self, path: str) -> Any:
        return self._store.open(path, "rb", compression="gzip" if path.endswith(".gz") else None)

    def _size(self, path: str) -> int:
        if not path.endswith(".gz"):
            return int(self._store.info(path)["size"])
        with self._open(path) as file:
            return sum(len(part) for part in iter(lambda: file.read(1 << 20), b""))

    def _seen(self, path: str, known: Sequence[Seen]) -> Seen | None:
        """How far this file was read, under whatever name."""
        with self._open(path) as file:
            head = file.read(_HEAD)
        same = [
            it for it in known if it.head <= len(head) and _digest(head[: it.head]) == it.digest
        ]
        return max(same, key=lambda it: it.read, default=None)

    def _lines(self, path: str, begin: int, end: int | None = None) -> Iterator[Line]:
        """Whole lines from a place on; a line that is being written waits for the next run."""
        with self._open(path) as file:
            if begin:
                file.seek(begin)
            place = begin
            while end is None or place < end:
                line = file.readline()
                if not line.endswith(b"\n"):
                    return
                text = line.rstrip(b"\r\n").decode("utf-8", errors="backslashreplace")
                yield Line(place, place + len(line), text)
                place += len(line)

    def _records(self, path: str, lines: Sequence[Line], counts: bool = True) -> list[Record]:
        """The lines as records; what cannot be split into the file's fields is counted."""
        split = [(line, _split(line.text, self.connection.delimiter)) for line in lines]
        filled = [(line, fields) for line, fields in split if fields]
        if not filled:
            return []
        names = self._names(path, filled[0][1])
        records, rejected = [], 0
        for line, fields in filled:
            if len(fields) != len(names):
                rejected += 1
                self.work.report.warn(
                    f"{path.rpartition('/')[2]}: the line at byte {line.begin} has {len(fields)} "
                    f"fields, not {len(names)}, and is left out."
                )
                continue
            values = dict(zip(names, fields, strict=True))
            records.append(Record(values, fields))
        if counts:
            self.work.report.account(
                path.rpartition("/")[2], len(filled), len(records), rejected=rejected
            )
        return records

    def _names(self, path: str, fields: Sequence[str]) -> list[str]:
        """The columns of a file, told by where its first time stands."""
        own = self.connection.columns
        if own:
            return [name.lower() for name in own]
        names: list[str] = []
        if len(fields) > 8 and _TIME.fullmatch(fields[8]):
            names = list(_CDR_CUSTOM[: len(fields)])
        elif len(fields) > 9 and _TIME.fullmatch(fields[9]):
            rest = list(fields[len(_CDR_CSV) :])
            names = list(_CDR_CSV)
            if rest and _UNIQUE.fullmatch(rest[0]):
                names.append("uniqueid")
            if len(fields) - len(names) in (1, 4):
                names.append("userfield")
            if len(fields) - len(names) == len(_NEWER):
                names += _NEWER
        shown = self.connection.delimiter.join(fields)[:300]
        if len(names) != len(fields):
            raise Refused(
                f"{self.connection.name}: Asterisk, {path}: its order of columns is not known. "
                f"The first line: {shown}",
                "Name the columns in their order: columns: [clid, src, dst, …].",
            )
        if "uniqueid" not in names:
            raise Refused(
                f"{self.connection.name}: Asterisk, {path}: it has no uniqueid, so conversations "
                "and the zone cannot be known.",
                "Set loguniqueid=yes and newcdrcolumns=yes in cdr.conf.",
            )
        return names

    def _advance(
        self, path: str, seen: Seen | None, lines: Sequence[Line], records: Sequence[Record]
    ) -> Seen:
        read = lines[-1].end
        head = seen.head if seen and seen.head == _HEAD else min(_HEAD, read)
        with self._open(path) as file:
            digest = _digest(file.read(head))
        last = max([it.start for it in records] + ([seen.last] if seen else [""]))
        limit = _day_before(last)
        tail = seen.tail if seen else lines[0].begin
        # The last line before which all is older than a day.
        starts = iter(records)
        for line in lines:
            record = next(starts, None)
            if record is None or record.start >= limit:
                break
            tail = line.end
        return Seen(head, digest, read, tail, last)


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    for line in lines:
        batch.append(line)
        if len(batch) >= _LINES:
            yield batch
            batch = []
    if batch:
        yield batch


def _split(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return [text]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _day_before(written: str) -> str:
    try:
        return str(datetime.fromisoformat(written) - timedelta(days=1))
    except ValueError:
        return ""
