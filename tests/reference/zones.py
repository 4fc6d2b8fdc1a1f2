"""Writes small random raw zones, seeded: mild ones rich in facts, hostile ones full of dirt.

Extreme ones have values at the ends of what is valid, filthy ones hardly a row without a fault,
sparse ones hardly a row of anything.

    python -m tests.reference.zones OUT --seed N --kind mild|hostile|extreme|filthy|sparse

What the contract leaves open is never written: two versions of a key with the same updated_at and
_loaded_at have the same values. Naive Parquet timestamps are in `source_timezone`.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .company import Company, Row
from .contract import MEMBER_TABLES, TABLES, Column, Table


@dataclass(frozen=True)
class Dirt:
    """Probabilities: of a cell (`bad`, `odd_text`), a row, a file or a table."""

    mess: float  # odd choices of the company itself: broken references, orders the wrong way round
    bad: float  # a cell that does not read, is out of range or unknown to its enumeration
    absent: float  # a cell is NULL
    odd_text: float  # whitespace and spellings that must be read
    versions: float  # a row has more versions
    deleted: float  # the row is deleted in one of its versions
    no_column: float  # a file lacks an optional column
    no_table: float
    odd_types: float  # a column of a file is not of the contract's type
    extremes: float = 0.0  # valid values at the ends of the range: years of daily rows
    is_sparse: bool = False  # most rows of the company are not exported


KINDS = {
    "mild": Dirt(0.08, 0.003, 0.003, 0.1, 0.15, 0.04, 0.005, 0.0, 0.3),
    "hostile": Dirt(0.4, 0.012, 0.008, 0.3, 0.4, 0.15, 0.02, 0.02, 0.5),
}
KINDS["extreme"] = replace(KINDS["hostile"], extremes=0.01)
KINDS["filthy"] = replace(KINDS["hostile"], bad=0.1, absent=0.08, deleted=0.3, extremes=0.01)
KINDS["sparse"] = replace(KINDS["hostile"], no_table=0.2, is_sparse=True)

_BAD_TEXTS = {
    "timestamp": (
        "n/a",
        "2026-02-30",
        "2026-13-01 10:00",
        "31.12.2025",
        "12:00",
        "2026-01-01T25:00",
        "2026-01-01T10",
        "2026-01-01t10:00",
        "2026-01-01 10:00 +03:00",
        "2026-01-01 10:00:00.",
        "2026-01-01 10:00z",
        "2026-1-1",
        "20260101",
        "1767225600",
        "2026-01-01 10:00 UTC",
        "2026-01-01 10:61",
        "NaN",
    ),
    "integer": ("five", "5.5", "1_000", "9223372036854775808", "1e2", "0x10", "5.", "--5", "NaN"),
    "decimal": ("1,000", "inf", "-Infinity", ".5", "5.", "1_000", "0x10", "1e30", "12 000", "nan"),
    "boolean": ("maybe", "2", "on", "off", "1.5", "да", "-1", "truee", "1.", "0.01", "inf", "1_0"),
}
_BAD_TEXTS["date"] = (*_BAD_TEXTS["timestamp"],)
_OUT_OF_RANGE = (
    datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, 23, 59, 59, 999_999, UTC),
    datetime(2100, 1, 1, tzinfo=UTC),
    datetime(1900, 1, 1, 12, tzinfo=UTC),
    datetime(2999, 1, 1, tzinfo=UTC),
)
_EXTREMES = (
    datetime(1970, 1, 2, tzinfo=UTC),
    datetime(2099, 12, 31, 23, 59, 59, 999_999, UTC),
)
_UNBOUNDED = ("talk_seconds", "impressions", "clicks", "position")
_GREATEST = 2**63 - 1
_GREATEST_DECIMALS = {4: Decimal("99999999999999.9999"), 8: Decimal("9999999999.99999999")}
# Texts that stay as they are, although they look like the text of a number of another type.
_BAD_KEYS = ("", "  \t", "NaN", "\n", "17.0", "2.3851234567890124e+16")
_DEFAULT_NUMBERS = {"integer": (-1, 0, 6), "decimal": (Decimal(-1), Decimal(0), Decimal(101))}
_EVALUATORS = ("human", "Human", "model-1", "model-2", None)
_BLANKS = (" ", "  ", "\t", "\n", " \r\n", "\t ")


_WORDS = {
    "direction": {"in": ("Inbound", "INCOMING"), "out": ("outgoing", "OutBound")},
    "disposition": {
        "answered": ("COMPLETED", "completed"),
        "no_answer": ("NoAnswer", "CANCEL", "canceled", "Cancelled", "NO ANSWER"),
        "failed": ("CONGESTION", "chanunavail"),
    },
}


class Text(str):
    """A text that only a text column can hold."""


def generate(
    out: Path, seed: int, kind: str = "hostile", source_timezone: str = "UTC", size: int = 1
) -> Path:
    """Writes one raw zone into `out` and returns it; the same arguments write the same rows."""
    rng = random.Random(f"{kind} {seed}")
    dirt = KINDS[kind]
    company = Company(rng, dirt.mess, size)
    rows = _thinned(rng, company.make()) if dirt.is_sparse else company.make()
    since = datetime.combine(company.start, time(), UTC)
    last_load = since + timedelta(days=rng.randrange(60, 200) + 300 * (size > 1), hours=3)
    for name, table in TABLES.items():
        if rng.random() < dirt.no_table:
            if rng.random() < 0.5:
                (out / name.replace(".", "/")).mkdir(parents=True)
            continue
        versions = Dirtier(rng, dirt, table, since, last_load).versions(rows[name])
        TableWriter(rng, dirt, table, ZoneInfo(source_timezone)).write(out, versions)
    return out


def _thinned(rng: random.Random, rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Some tables without a row, few rows of the others; members mostly stay."""
    emptied, kept = rng.choice((0.3, 0.6, 0.8)), rng.choice((0.02, 0.1, 0.3))
    found = {}
    for name, all_rows in rows.items():
        is_member = name in MEMBER_TABLES
        is_empty = rng.random() < (emptied / 4 if is_member else emptied)
        some = [row for row in all_rows if is_member or rng.random() < kept] or all_rows[:1]
        found[name] = [] if is_empty else some
    return found


class Dirtier:
    """Turns the clean rows of a table into all the versions that were ever exported."""

    def __init__(
        self, rng: random.Random, dirt: Dirt, table: Table, since: datetime, last_load: datetime
    ) -> None:
        """Chooses how versions of this table tie."""
        self.rng, self.dirt, self.table, self.since = rng, dirt, table, since
        # Either loads are equal and updated_at is always there and good, or loads are all distinct.
        self.equal_loads = rng.random() < 0.5
        earlier = [last_load - timedelta(days=rng.randrange(60)) for _ in range(4)]
        self.loads = [*earlier, last_load]
        self.count = 0

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return self.rng.random() < probability

    def versions(self, rows: list[Row]) -> list[Row]:
        """All versions of all rows, in any order."""
        found = [version for row in rows for version in self._versions_of(row)]
        self.rng.shuffle(found)
        return found

    def _versions_of(self, row: Row) -> list[Row]:
        versions = [dict(row)]
        several = 0.7 if "evaluator" in row else self.dirt.versions
        while self.chance(several) and len(versions) < 4:
            versions.insert(self.rng.randint(0, 1), self._changed(row))
        deleted = self.dirt.deleted * (2 if self.table.name in MEMBER_TABLES else 1)
        if self.chance(deleted):
            place = self.rng.choice((0, len(versions), len(versions), len(versions)))
            versions.insert(place, self._deletion(row))
            if self.chance(0.15):  # only the deletion was ever exported
                versions = [versions[place]]
        self._stamp(versions)
        return [self._dirty(version) for version in versions]

    def _other_opinion(self, row: Row) -> Row:
        """What another evaluator says of the same call."""
        flags = [column.name for column in self.table.columns if column.type == "boolean"]
        said = {name: self.rng.choice((True, False, None)) for name in flags if name in row}
        score = Decimal(self.rng.randrange(0, 10_001)) / 100
        return {**row, **said, "evaluator": self.rng.choice(_EVALUATORS), "score": score}

    def _changed(self, row: Row) -> Row:
        """Another version: some values shuffled within the row's own, or gone."""
        if "evaluator" in row and self.chance(0.7):
            return self._other_opinion(row)
        changed = dict(row)
        for column in self.table.columns:
            if column.name in row and not column.is_key and self.chance(0.25):
                if column.enum:
                    changed[column.name] = self.rng.choice(column.enum)
                elif not column.is_required and self.chance(0.3):
                    changed[column.name] = None
                elif column.type == "decimal" and row[column.name] is not None:
                    changed[column.name] = row[column.name] + 1
        if self.chance(0.2):
            changed[self.rng.choice(self.table.columns).name] = Text("garbage")
            for column in self.table.key:
                changed[column.name] = row[column.name]
        return changed

    def _deletion(self, row: Row) -> Row:
        bare = {column.name: row[column.name] for column in self.table.key}
        return (bare if self.chance(0.6) else dict(row)) | {"is_deleted": True}

    def _stamp(self, versions: list[Row]) -> None:
        """Load and update times, mostly growing; no two versions share both."""
        used: set[Any] = set()
        for number, version in enumerate(versions):
            while True:
                stamp = self._pair(number)
                if stamp not in used:
                    break
            used.add(stamp)
            version["_loaded_at"], version["updated_at"] = stamp
            if "is_deleted" not in version:
                version["is_deleted"] = self.rng.choice((False, False, None))

    def _pair(self, number: int) -> tuple[datetime, datetime | None]:
        rng = self.rng
        day = self.since + timedelta(days=30 + rng.randrange(4) + 9 * number)
        updated_at = rng.choice((None, day, day, day + timedelta(microseconds=rng.randrange(3))))
        if self.equal_loads:
            return rng.choice(self.loads), updated_at
        self.count += 1
        return rng.choice(self.loads) + timedelta(seconds=self.count), updated_at

    def _dirty(self, row: Row) -> Row:
        dirty = {}
        for column in self.table.columns:
            value = row.get(column.name)
            stamped = column.name in ("_loaded_at", "updated_at")
            if stamped and self.equal_loads:
                pass
            elif self.chance(self.dirt.absent) and column.name != "_loaded_at":
                value = None
            elif value is not None and self.chance(self.dirt.bad):
                value = self._bad(column)
            elif value is not None and self.chance(self.dirt.extremes) and not stamped:
                value = self._extreme(column, value)
            dirty[column.name] = value
        return dirty

    def _bad(self, column: Column) -> Any:
        if column.type in _BAD_TEXTS and self.chance(0.6):
            return Text(self.rng.choice(_BAD_TEXTS[column.type]))
        if column.type in ("timestamp", "date"):
            moment = self.rng.choice(_OUT_OF_RANGE)
            return moment if column.type == "timestamp" else moment.date()
        if column.type in _DEFAULT_NUMBERS:
            return self.rng.choice(_DEFAULT_NUMBERS[column.type])
        if column.enum:
            return Text(self.rng.choice(("mystery", "in ternal", "other!", "НОВЫЙ")))
        return Text(self.rng.choice(_BAD_KEYS)) if column.type == "text" else None

    def _extreme(self, column: Column, value: Any) -> Any:
        if column.name in _UNBOUNDED:
            return self.rng.choice((_GREATEST, 10**16))
        if column.type == "decimal":
            return _GREATEST_DECIMALS[column.scale]
        if column.type not in ("timestamp", "date"):
            return value
        moment = self.rng.choice(_EXTREMES)
        return moment if column.type == "timestamp" else moment.date()


class TableWriter:
    """Writes the rows of a table as several files of different physical types."""

    def __init__(self, rng: random.Random, dirt: Dirt, table: Table, zone: ZoneInfo) -> None:
        """Remembers where naive times are."""
        self.rng, self.dirt, self.table, self.zone = rng, dirt, table, zone

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return self.rng.random() < probability

    def write(self, out: Path, rows: list[Row]) -> None:
        """One folder with one to four files, and now and then a file that repeats rows."""
        source, name = self.table.name.split(".")
        folder = out / source / name
        folder.mkdir(parents=True, exist_ok=True)
        if self.chance(0.1):
            (folder / "_SUCCESS").write_text("not a table")
        count = self.rng.randint(1, 4)
        for number in range(count):
            part = rows[number::count]
            if part or self.chance(0.3):
                data = self._arrow(part)
                self._write_file(folder, data)
                if part and self.chance(0.4):  # the same rows again
                    self._write_file(folder, data.take([self.rng.randrange(len(part))] * 2))

    def _write_file(self, folder: Path, data: pa.Table) -> None:
        """At any depth; now and then a loader left the same rows where nothing is read."""
        name = f"{self.rng.randrange(10**9):09}.parquet"
        below = self.rng.choice((".", ".", ".", "2026/11", "day=2026-11-20", f"{name}/part=0"))
        (folder / below).mkdir(parents=True, exist_ok=True)
        pq.write_table(data, folder / below / name)
        if self.chance(0.1):
            unread = folder / self.rng.choice((f"_temporary/0/{name}", f".{name}", f"x/_{name}"))
            unread.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(data, unread)

    def _arrow(self, rows: list[Row]) -> pa.Table:
        columns: dict[str, pa.Array] = {}
        for column in self.table.columns:
            if not self._is_left_out(column):
                name = self.rng.choice((column.name, column.name, column.name.upper()))
                columns[name] = self._array(column, [row[column.name] for row in rows])
        if self.chance(0.2):
            columns["Zz_Extra"] = pa.array(["?"] * len(rows))
        names = list(columns)
        self.rng.shuffle(names)
        return pa.table({name: columns[name] for name in names})

    def _is_left_out(self, column: Column) -> bool:
        """Only optional columns; never updated_at, by which versions are told apart."""
        fixed = column.is_required or column.is_key or column.name == "updated_at"
        return not fixed and self.chance(self.dirt.no_column)

    def _array(self, column: Column, values: list[Any]) -> pa.Array:
        if any(isinstance(value, Text) for value in values) or self.chance(0.25):
            return self._as_text(column, values)
        array = self._odd_array(column, values) if self.chance(self.dirt.odd_types) else None
        return array if array is not None else self._native(column, values)

    def _native(self, column: Column, values: list[Any]) -> pa.Array:
        if column.type == "timestamp":
            return self._timestamps(values, "UTC")
        if column.type == "decimal":
            return pa.array(values, self.rng.choice((pa.decimal128(24, 8), pa.decimal128(38, 10))))
        if column.type == "text":
            return self._as_text(column, values)
        types = {"integer": pa.int64(), "boolean": pa.bool_(), "date": pa.date32()}
        return pa.array(values, types[column.type])

    def _odd_array(self, column: Column, values: list[Any]) -> pa.Array | None:
        odd: dict[str, Callable[[list[Any]], pa.Array | None]] = {
            "timestamp": self._odd_timestamps,
            "date": self._odd_dates,
            "integer": self._odd_integers,
            "decimal": self._odd_decimals,
            "boolean": self._odd_booleans,
            "text": self._odd_texts,
        }
        return odd[column.type](values)

    def _odd_timestamps(self, values: list[Any]) -> pa.Array:
        if self.chance(0.3):
            return pa.array(values, pa.timestamp("us", "Asia/Tokyo"))
        naive = [value and value.astimezone(self.zone).replace(tzinfo=None) for value in values]
        return self._timestamps(naive, None)

    def _timestamps(self, values: list[Any], zone: str | None) -> pa.Array:
        """Of micro- or nanoseconds, which end in 2262."""
        is_late = any(value is not None and value.year > 2261 for value in values)
        unit = "us" if is_late else self.rng.choice(("us", "ns"))
        array = pa.array(values, pa.timestamp(unit, zone))
        if unit == "ns" and self.chance(0.5):  # nanoseconds that are cut
            numbers = array.cast(pa.int64())
            # Of an instant before 1970 the engine cuts them towards it, which takes it into range.
            more = pc.if_else(pc.greater_equal(numbers, 0), 999, 0)
            array = pc.add(numbers, more).cast(array.type)
        return array

    def _odd_dates(self, values: list[Any]) -> pa.Array:
        at = time(self.rng.choice((0, 23)), 30)
        moments = [value and datetime.combine(value, at) for value in values]
        return pa.array(moments, pa.timestamp("us", self.rng.choice((None, "UTC"))))

    def _odd_decimals(self, values: list[Any]) -> pa.Array:
        kind = self.rng.choice((pa.float64(), pa.float64(), pa.float32()))
        return pa.array([_floating(value) for value in values], kind)

    def _odd_integers(self, values: list[Any]) -> pa.Array:
        greatest = max((abs(value) for value in values if value is not None), default=0)
        kinds = [pa.float64(), pa.float64(), pa.decimal128(38, 10)]
        if greatest < 2**15:
            kinds += [pa.int16(), pa.int32(), pa.float32()]
        if all(value is None or value >= 0 for value in values):
            kinds.append(pa.uint64())
        return self._numbers(values, kinds)

    def _odd_booleans(self, values: list[Any]) -> pa.Array:
        """Numbers that equal 1 and 0, as exporters without booleans write them."""
        numbers = [None if value is None else int(value) for value in values]
        wide, flag = pa.decimal128(38, 10), pa.decimal128(1, 0)
        kinds = [pa.int8(), pa.uint8(), pa.int64(), wide, flag, pa.float64(), pa.float32()]
        return self._numbers(numbers, kinds)

    def _odd_texts(self, values: list[Any]) -> pa.Array | None:
        """Keys that are numbers as numbers."""
        if not all(value is None or str(int_or_zero(value)) == value for value in values):
            return None
        numbers = [None if value is None else int(value) for value in values]
        kinds = [pa.int64(), pa.int64(), pa.uint64(), pa.decimal128(38, 10), pa.decimal128(20, 0)]
        kinds += [pa.float64(), pa.float64()]
        if all(number is None or number < 2**24 for number in numbers):
            kinds.append(pa.float32())
        return self._numbers(numbers, kinds)

    def _numbers(self, values: list[int | None], kinds: list[pa.DataType]) -> pa.Array:
        """Whole numbers as one of several types; a missing floating one is often NaN."""
        kind = self.rng.choice(kinds)
        if not pa.types.is_floating(kind):
            return pa.array(values, kind)
        missing = (None, float("nan"))
        filled = [self.rng.choice(missing) if it is None else float(it) for it in values]
        return pa.array(filled, kind, from_pandas=False)

    def _as_text(self, column: Column, values: list[Any]) -> pa.Array:
        texts = [None if value is None else self._text(column, value) for value in values]
        array = pa.array(texts, self.rng.choice((pa.string(), pa.string(), pa.large_string())))
        return array.dictionary_encode() if self.chance(0.1) else array

    def _text(self, column: Column, value: Any) -> str:
        text = str(value) if isinstance(value, Text) else self._spelled(column, value)
        if self.chance(self.dirt.odd_text / 3):
            text = self.rng.choice(_BLANKS) + text + self.rng.choice(_BLANKS)
        return text

    def _spelled(self, column: Column, value: Any) -> str:
        odd = self.chance(self.dirt.odd_text)
        if isinstance(value, datetime):
            return self._spelled_time(value)
        if isinstance(value, date):
            return self._spelled_date(value) if odd else value.isoformat()
        if isinstance(value, bool):
            true = ("true", "T", "Yes", "y", "1", "TRUE", "1.0", "+1", "1.0000000000", "1E0", "01")
            false = (
                "false",
                "F",
                "No",
                "n",
                "0",
                "FALSE",
                "0.0",
                "-0",
                "0.0000000000",
                "0e5",
                "00",
            )
            return self.rng.choice(true if value else false)
        if isinstance(value, int):
            return self.rng.choice((f"{value}", f"{value}.0", f"{value:+}", f"{value}.00"))
        if isinstance(value, Decimal):
            plain = f"{value:f}"
            return self.rng.choice((plain, plain, f"+{plain}", f"{plain}e0", f"{value:E}"))
        return self._spelled_code(column, value) if odd else str(value)

    def _spelled_code(self, column: Column, value: str) -> str:
        if value in _WORDS.get(column.fold, {}) and self.chance(0.5):
            return self.rng.choice(_WORDS[column.fold][value])
        if column.fold in ("code", *_WORDS):
            spaced, dashed = value.replace("_", " "), value.replace("_", "-")
            return self.rng.choice((value.upper(), spaced.title(), dashed, spaced))
        return value.lower() if column.fold == "currency" else value

    def _spelled_time(self, value: datetime) -> str:
        rng = self.rng
        hours = rng.choice((0, 3, -5, 9))
        zone = timezone(timedelta(hours=hours, minutes=30 if hours == 9 else 0))
        offset = rng.choice(("colon", "plain", "short", "Z", "naive"))
        local = value.astimezone({"Z": UTC, "naive": self.zone}.get(offset, zone))
        text = local.strftime(f"%Y-%m-%d{rng.choice('T ')}%H:%M:%S")
        if offset == "naive" and local.time() == time() and self.chance(0.5):
            return text[:10]
        if local.microsecond or self.chance(0.2):
            text += f".{local.microsecond:06}" + rng.choice(("", "9", "123"))
        elif not local.second and self.chance(0.5):
            text = text[:-3]
        if offset in ("Z", "naive"):
            return text + ("Z" if offset == "Z" else "")
        plain = local.strftime("%z")
        if offset == "colon":
            return f"{text}{plain[:3]}:{plain[3:]}"
        return text + (plain[:3] if offset == "short" and plain.endswith("00") else plain)

    def _spelled_date(self, value: date) -> str:
        tail = self.rng.choice((" 00:00:00", "T23:59:59.9+03:00", " 01:30Z", "T00:00"))
        return value.isoformat() + tail


def split(source: Path, target: Path, batch: int, batches: int, seed: int) -> None:
    """Write the rows of one batch: each row of each file falls into a random one."""
    for file in sorted(source.rglob("*.parquet")):
        if file.is_dir() or file.name.startswith(("_", ".")):
            continue
        name = file.relative_to(source)
        rows = pq.ParquetFile(file).read()
        choice = random.Random(f"{seed} {name}")
        chosen = [row for row in range(rows.num_rows) if choice.randrange(batches) == batch]
        part = target / name.with_name(f"{choice.randrange(10**6)}-{batch}.parquet")
        if chosen or (not rows.num_rows and not batch):
            part.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows.take(pa.array(chosen, pa.int64())), part)


def int_or_zero(text: str) -> int:
    """The number a text is, else 0."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def _floating(value: Any) -> float | None:
    return None if value is None else float(value)


def main() -> None:
    """Writes one zone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--kind", choices=sorted(KINDS), default="hostile")
    parser.add_argument("--source-timezone", default="UTC")
    parser.add_argument("--size", type=int, default=1)
    arguments = parser.parse_args()
    print(generate(**vars(arguments)))


if __name__ == "__main__":
    main()
