"""Call detail records as legs of conversations (connectors_calls_ads_files.md 3.4)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache

from orchestration.connectors.connector import Row
from orchestration.connectors.kinds.asterisk.keys import AsteriskConnection
from orchestration.connectors.telephony import local_instant, plus

TRUNK, EXTENSION, LOCAL, NONE = "trunk", "extension", "local", "none"
# What the rules look at. A record without a sequence is known by all that it holds.
COLUMNS = frozenset({
    "calldate", "start", "answer", "end", "duration", "billsec", "src", "dst", "did",
    "outbound_cnum", "channel", "dstchannel", "lastapp", "disposition", "uniqueid", "linkedid",
    "recordingfile", "sequence",
})  # fmt: skip
# The same channels a day later are other ones.
_SAME_CHANNEL = timedelta(hours=24)
_EXTERNAL_DIGITS = 7
_FOLLOW_ME = re.compile(r"^(FMPR-|FMGL-|RG-\d+-)")
_UNANSWERED = {
    "NO ANSWER": "no_answer", "BUSY": "busy", "FAILED": "failed", "CONGESTION": "failed",
}  # fmt: skip


@dataclass(slots=True)
class Record:
    """One record as it was read: values by lower-case column name, and all as they stood.

    `start` is the local time at which it began, as written.
    """

    values: Mapping[str, str]
    raw: Sequence[str]
    start: str = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.get("start") or self.get("calldate")

    def get(self, name: str) -> str:
        """A column's text; empty where there is none."""
        return self.values.get(name) or ""

    @property
    def order(self) -> tuple[str, int]:
        """Place among the records of a conversation."""
        sequence = self.get("sequence")
        return self.start, int(sequence) if sequence.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Peer:
    """What a channel's name says: who it is and of which kind."""

    name: str
    kind: str
    technology: str = ""


class Mapper:
    """Records of one connection as rows of telephony.calls. `strangers` are unnamed peers seen."""

    def __init__(self, keys: AsteriskConnection) -> None:
        self._keys = keys
        self._extension = re.compile(keys.extension_pattern)
        self._zone = keys.zone
        self.strangers: set[str] = set()
        # Where channel events are read: true seconds of talk of a conversation's records.
        self.talk_of: Callable[[str, Sequence[Record]], Mapping[int, str]] | None = None
        # A channel's name is its own, and asked for some times in a row; a peer's comes again.
        self.peer = lru_cache(maxsize=1_000)(self._peer)
        self._kind = lru_cache(maxsize=10_000)(self._kind_of)

    def rows(
        self, records: Sequence[Record], fresh: Collection[int] | None = None
    ) -> list[tuple[Record, Row]]:
        """Rows of all records, or of the conversations that have one of the `fresh` (by id())."""
        found = []
        for linked_id, group in self.groups(records).items():
            if fresh is None or any(id(it) in fresh for it in group):
                found += list(zip(group, self._group(linked_id, group), strict=True))
        return found

    def groups(self, records: Sequence[Record]) -> dict[str, list[Record]]:
        """Records by conversation, each in order; without linkedid, those that share a channel."""
        found: dict[str, list[Record]] = {}
        loose: list[Record] = []
        for record in records:
            linked = record.get("linkedid")
            if linked:
                found.setdefault(linked, []).append(record)
            else:
                loose.append(record)
        for group in _by_channel(sorted(loose, key=lambda it: it.order)):
            found.setdefault(group[0].get("uniqueid"), []).extend(group)
        for group in found.values():
            if len(group) > 1:
                group.sort(key=lambda it: it.order)
        return found

    def moment(self, written: str) -> datetime | None:
        """A time as an instant, local where it names no offset; None where it reads as none."""
        try:
            found = datetime.fromisoformat(written)
        except ValueError:
            return None
        return local_instant(found, self._zone) if found.tzinfo is None else found

    def clock_pairs(self, records: Iterable[Record]) -> list[tuple[datetime, float]]:
        """Local beginning and true Unix second of the channels that began a conversation."""
        found = []
        for record in records:
            unique = record.get("uniqueid")
            seconds = unique.rpartition("-")[2].partition(".")[0]
            is_first = record.get("linkedid") in ("", unique)
            moment = self.moment(record.start)
            if is_first and seconds.isdigit() and moment is not None:
                found.append((moment, float(seconds)))
        return found

    def _peer(self, channel: str) -> Peer:
        if not channel:
            return Peer("", NONE)
        technology, _, rest = channel.partition("/")
        if technology == "Local":
            return Peer(rest.partition("@")[0], LOCAL, technology)
        name = rest.rpartition("-")[0] or rest
        return Peer(name, self._kind(technology, name), technology)

    def _kind_of(self, technology: str, name: str) -> str:
        address = f"{technology}/{name}"
        if any(fnmatchcase(address, pattern) for pattern in self._keys.trunks):
            return TRUNK
        if self._extension.search(name):
            return EXTENSION
        self.strangers.add(address)
        return TRUNK

    def _group(self, linked_id: str, group: Sequence[Record]) -> list[Row]:
        way = self._way(group)
        queue = next((it.get("dst") for it in group if it.get("lastapp") == "Queue"), "") or None
        outside = None
        if way == "out":
            outside = next(
                (number for it in group if self._direction(it, way) == "out"
                 and (number := self._external(it.get("dst")))),
                None,
            )  # fmt: skip
        talk = self.talk_of(linked_id, group) if self.talk_of else {}
        conversation = Conversation(linked_id, way, group[0], queue, outside, talk)
        return [self._row(record, conversation) for record in group]

    def _row(self, record: Record, of: Conversation) -> Row:
        direction = self._direction(record, of.way)
        disposition = self._disposition(record, direction)
        started = self.moment(record.start)
        ended = self._end(record, started)
        answered = self._answered(record, disposition, ended)
        billed = record.get("billsec").partition(".")[0]
        talk = of.talk.get(id(record), billed or "0")
        key = self._key(record)
        return {
            "call_id": f"{self._keys.prefix}:{key}",
            "linked_id": f"{self._keys.prefix}:{of.linked_id}",
            "direction": direction,
            "from_number": self._from(record, direction, of) or None,
            "to_number": self._to(record, direction, of) or None,
            "extension": self._employee(record, direction, of.way),
            "started_at": started.isoformat() if started else record.start or None,
            "answered_at": answered.isoformat() if answered else None,
            "ended_at": ended.isoformat() if ended else None,
            "disposition": disposition,
            "talk_seconds": talk if disposition == "answered" else "0",
            "line": self._line(record, direction, of) or None,
            "recording_url": self._recording(record, started),
            "queue": of.queue,
        }

    def _way(self, group: Sequence[Record]) -> str:
        """The conversation's direction, seen from the company."""
        if self.peer(group[0].get("channel")).kind == TRUNK:
            return "in"
        for record in group:
            there = self.peer(record.get("dstchannel"))
            if there.kind == TRUNK and not self._forward(record.get("dst")):
                return "out"
            if there.kind == NONE and self._external(record.get("dst")):
                return "out"
        return "internal"

    def _direction(self, record: Record, way: str) -> str:
        here, there = self.peer(record.get("channel")), self.peer(record.get("dstchannel"))
        if here.kind == TRUNK:
            return "out" if way == "out" else "in"
        if here.kind == LOCAL:
            return way
        if there.kind == TRUNK and not self._forward(record.get("dst")):
            return "out"
        if there.kind == NONE and self._external(record.get("dst")):
            return "out"
        return "internal"

    def _employee(self, record: Record, direction: str, way: str) -> str | None:
        here, there = self.peer(record.get("channel")), self.peer(record.get("dstchannel"))
        found: str | None = None
        if direction == "in" or here.kind == TRUNK:
            if there.kind == EXTENSION:
                found = there.name
            elif here.kind == LOCAL:
                found = self._local(here)
            else:
                found = self._forward(record.get("dst"))
        elif here.kind == EXTENSION:
            found = here.name
        elif here.kind == LOCAL:
            is_callback = there.kind == EXTENSION and way == "out"
            found = None if is_callback else self._local(here)
        return f"{self._keys.extension_prefix}{found}" if found else None

    def _local(self, peer: Peer) -> str | None:
        name = _FOLLOW_ME.sub("", peer.name).removesuffix("#")
        return name if self._extension.search(name) else self._keys.forwards.get(name)

    def _forward(self, number: str) -> str | None:
        """The extension of an employee's mobile, dialled with or without a prefix."""
        forwards = self._keys.forwards
        if not forwards:
            return None
        return next((forwards[it] for it in self._cut(number) if it in forwards), None)

    def _cut(self, number: str) -> list[str]:
        cut = [
            number.removeprefix(prefix)
            for prefix in self._keys.outbound_prefixes
            if number.startswith(prefix)
        ]
        return [number, *cut]

    def _external(self, number: str) -> str | None:
        """An outside number without the digits dialled before it; None where it is none."""
        cut = self._cut(number)[-1]
        digits = cut.removeprefix("+")
        return cut if digits.isdigit() and len(digits) >= _EXTERNAL_DIGITS else None

    def _from(self, record: Record, direction: str, of: Conversation) -> str:
        if direction == "in":
            return of.first.get("src")
        if direction == "out":
            return record.get("outbound_cnum") or record.get("src")
        return record.get("src")

    def _to(self, record: Record, direction: str, of: Conversation) -> str:
        if direction == "in":
            return of.first.get("did") or of.first.get("dst")
        if direction == "out":
            return self._external(record.get("dst")) or of.outside or record.get("dst")
        return record.get("dst")

    def _line(self, record: Record, direction: str, of: Conversation) -> str:
        if direction == "in":
            return record.get("did") or of.first.get("did")
        there = self.peer(record.get("dstchannel"))
        return there.name if direction == "out" and there.kind == TRUNK else ""

    def _disposition(self, record: Record, direction: str) -> str | None:
        written = record.get("disposition")
        if written != "ANSWERED":
            return _UNANSWERED.get(written, written or None)
        if record.get("lastapp") == "VoiceMail":
            return "voicemail"
        if direction in ("in", "out") and not record.get("dstchannel"):
            # A menu, a queue that was left, an announcement: no person answered.
            return "answered" if self._keys.ivr_answers else "no_answer"
        return "answered"

    def _end(self, record: Record, started: datetime | None) -> datetime | None:
        if record.get("end"):
            return self.moment(record.get("end"))
        duration = record.get("duration").partition(".")[0]
        return plus(started, int(duration)) if started and duration.isdigit() else None

    def _answered(
        self, record: Record, disposition: str | None, ended: datetime | None
    ) -> datetime | None:
        if disposition not in ("answered", "voicemail"):
            return None
        if record.get("answer"):
            return self.moment(record.get("answer"))
        billed = record.get("billsec").partition(".")[0]
        return plus(ended, -int(billed)) if ended and billed.isdigit() else None

    def _recording(self, record: Record, started: datetime | None) -> str | None:
        file, template = record.get("recordingfile"), self._keys.recording_url_template
        if not file or not template or started is None:
            return None
        parts = {"yyyy": f"{started:%Y}", "mm": f"{started:%m}", "dd": f"{started:%d}"}
        for name, value in {**parts, "recordingfile": file}.items():
            template = template.replace(f"{{{name}}}", value)
        return template

    @staticmethod
    def _key(record: Record) -> str:
        """One dial attempt: the uniqueid alone repeats."""
        if record.get("sequence"):
            return f"{record.get('uniqueid')}-{record.get('sequence')}"
        digest = hashlib.sha256("\x1f".join(record.raw).encode()).hexdigest()[:12]
        return f"{record.get('uniqueid')}-{digest}"


@dataclass(frozen=True)
class Conversation:
    """What the records of one conversation have in common."""

    linked_id: str
    way: str
    first: Record
    queue: str | None
    outside: str | None
    # Seconds of talk by record (id()), where channel events tell them.
    talk: Mapping[int, str]


def _by_channel(records: Sequence[Record]) -> list[list[Record]]:
    """Records that share a channel within a day; both ends of a Local channel count as one."""
    groups: list[list[Record]] = []
    of_channel: dict[str, tuple[int, str]] = {}
    moved: dict[int, int] = {}

    def root(number: int) -> int:
        while number in moved:
            number = moved[number]
        return number

    for record in records:
        names = [re.sub(r";[12]$", "", it) for it in
                 (record.get("channel"), record.get("dstchannel")) if it]  # fmt: skip
        joined = sorted({
            root(of_channel[name][0])
            for name in names
            if name in of_channel and _is_near(of_channel[name][1], record.start)
        })  # fmt: skip
        if not joined:
            groups.append([])
            joined = [len(groups) - 1]
        target = joined[0]
        for other in joined[1:]:
            groups[target] += groups[other]
            groups[other] = []
            moved[other] = target
        groups[target].append(record)
        for name in names:
            of_channel[name] = (target, record.start)
    for group in groups:
        group.sort(key=lambda it: it.order)
    return [group for group in groups if group]


def _is_near(one: str, other: str) -> bool:
    try:
        gap = datetime.fromisoformat(other) - datetime.fromisoformat(one)
    except (ValueError, TypeError):
        return False
    return abs(gap) <= _SAME_CHANNEL


class Sessions:
    """Records that come piece by piece; a conversation may begin in one piece and end in another.

    Records of the last day are remembered: when a conversation gets a new one, all of it is mapped
    again, and rows that have changed by it come again.
    """

    def __init__(self, mapper: Mapper) -> None:
        self._mapper = mapper
        self._old: list[Record] = []
        self._given: dict[int, Row] = {}

    def remember(self, records: Iterable[Record]) -> None:
        """Records that an earlier run has mapped."""
        self._old += records

    def take(self, fresh: Sequence[Record]) -> list[Row]:
        """Rows of these records, and of earlier ones that they change."""
        together = [*self._old, *fresh]
        rows = []
        for record, row in self._mapper.rows(together, {id(it) for it in fresh}):
            if self._given.get(id(record)) != row:
                self._given[id(record)] = row
                rows.append(row)
        self._forget(together)
        return rows

    def _forget(self, records: Sequence[Record]) -> None:
        latest = max((it.start for it in records), default="")
        try:
            limit = str(datetime.fromisoformat(latest) - _SAME_CHANNEL)
        except ValueError:
            limit = ""
        self._old = [it for it in records if it.start >= limit]
        living = {id(it) for it in self._old}
        self._given = {key: row for key, row in self._given.items() if key in living}
