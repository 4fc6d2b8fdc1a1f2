"""Writes batches as Parquet: one department, or thousands that are made from it.

A further department has its own people, contacts, telephones, keys and amounts, and its moments
are shifted by seconds. Rows are produced in slices of bounded size, so memory does not grow with
scale. The same batches give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seeds.demo import company, names
from seeds.demo.batch import Batch
from seeds.demo.calls import EXTENSION_BASE, LINE_BASE
from seeds.demo.clock import MOSCOW_OFFSET_SECONDS

SLICE_ROWS = 400_000
FILE_ROWS = 4_000_000
NULL = -(1 << 62)
SHIFT_STEP_SECONDS = 37
SHIFT_LIMIT_SECONDS = 600
EXTENSIONS_PER_DEPARTMENT = 200

# First number and text around the number of each key; without text it is an integer.
KEYS: dict[str, tuple[int, str | None, int]] = {
    "manager": (0, "m-", 2),
    "contact": (10_000, None, 0),
    "contact_float": (10_000, None, 0),
    "lead": (20_000, None, 0),
    "deal": (5_000, None, 0),
    "activity": (1, None, 0),
    "survey": (700, None, 0),
    "meeting": (0, "mt-", 6),
    "payment": (0, "PAY-", 6),
    "event": (0, "ev-", 7),
    "call": (0, "call-", 8),
    "recording": (0, "https://pbx.example/rec/", 8),
}
# Mobile codes that no Russian operator has: nobody's telephone rings.
MOBILE_CODES = np.array([943, 944, 945, 946, 972, 973, 974, 975, 976])
NUMBERS_PER_CODE = 10_000_000
NUMBER_STEP = 3_141_593
NAME_VARIANTS = 2_000
# Text columns whose values hardly repeat.
KEY_COLUMNS = {"call_id", "linked_id", "event_id", "meeting_id", "payment_id", "recording_url"}
Values = np.ndarray


@dataclass
class Column:
    """A column of a batch: whole numbers, or positions in `words` for text."""

    kind: str
    values: Values
    words: list[str]


@dataclass(frozen=True)
class Scale:
    """Departments to write, and keys per department of each kind."""

    departments: int
    strides: dict[str, int]


def column(kind: str, cells: list[object]) -> Column:
    """Code a column of Python values; None becomes NULL."""
    if kind in {"text", "team"}:
        words = sorted({str(cell) for cell in cells if cell is not None})
        place: dict[object, int] = {word: number for number, word in enumerate(words)}
        cells = [None if cell is None else place[cell] for cell in cells]
    else:
        words = []
    if kind == "float":
        return Column(kind, np.array([np.nan if c is None else c for c in cells], float), words)
    coded = [NULL if cell is None else cell for cell in cells]
    return Column(kind, np.array(coded, np.int64), words)


# Encoders --------------------------------------------------------------------------------


def encode(column: Column, departments: np.ndarray, scale: Scale) -> pa.Array:
    """Give the column for the given departments, one after another."""
    values = np.tile(column.values, len(departments))
    owners = np.repeat(departments, len(column.values))
    missing = np.isnan(values) if column.kind == "float" else values == NULL
    if column.kind in KEYS:
        return _keys(column.kind, values, owners, missing, scale)
    if column.kind in {"text", "team"}:
        return _words(column, values, owners, missing)
    if column.kind.startswith("time"):
        return _moments(column.kind, values, owners, missing)
    if column.kind.startswith("number") or column.kind in {"typed_phone", "extension"}:
        return _numbers(column.kind, values, owners, missing, scale)
    if column.kind in {"staff", "staff_email", "person", "company", "email"}:
        return _identities(column.kind, values, owners, missing, scale)
    return _plain(column.kind, values, owners, missing, scale)


def _keys(kind: str, values: Values, owners: Values, missing: Values, scale: Scale) -> pa.Array:
    first, prefix, width = KEYS[kind]
    entity = {"contact_float": "contact", "recording": "call"}.get(kind, kind)
    numbers = values + owners * scale.strides.get(entity, 0) + first
    if kind == "contact_float":
        return pa.array(np.where(missing, np.nan, numbers), pa.float64())
    array = pa.array(numbers, pa.int64(), mask=missing)
    if prefix is None:
        return array
    text = pc.utf8_lpad(array.cast(pa.string()), width, "0")
    suffix = ".mp3" if kind == "recording" else ""
    return pc.binary_join_element_wise(prefix, text, suffix, "")


def _words(column: Column, values: Values, owners: Values, missing: Values) -> pa.Array:
    words = column.words
    if column.kind == "team" and len(owners) and owners[-1]:
        top = int(owners.max()) + 1
        values = values + owners * len(words)
        words = [w if d == 0 else f"{w} {d + 1}" for d in range(top) for w in words]
    indices = pa.array(np.where(missing, 0, values).astype(np.int32), mask=missing)
    return pa.array(words or [""], pa.string()).take(indices)


def _moments(kind: str, values: Values, owners: Values, missing: Values) -> pa.Array:
    shift = owners * SHIFT_STEP_SECONDS % SHIFT_LIMIT_SECONDS
    seconds = np.where(missing, 0, values + shift)
    if kind in {"time", "time_naive"}:
        zone = "UTC" if kind == "time" else None
        return pa.array(seconds * 1_000_000, pa.int64(), mask=missing).cast(
            pa.timestamp("us", zone)
        )
    offset = MOSCOW_OFFSET_SECONDS if kind == "time_offset" else 0
    stamps = pa.array(seconds + offset, pa.int64(), mask=missing).cast(pa.timestamp("s"))
    if kind == "time_offset":
        return pc.strftime(stamps, format="%Y-%m-%dT%H:%M:%S+03:00")
    return pc.strftime(stamps, format="%Y-%m-%d %H:%M:%SZ")


def _numbers(kind: str, values: Values, owners: Values, missing: Values, scale: Scale) -> pa.Array:
    if kind == "extension":
        return pa.array(values + owners * EXTENSIONS_PER_DEPARTMENT, mask=missing).cast(pa.string())
    is_phone = ~missing & (values > 0)
    digits = _mobile(np.where(is_phone, values + owners * scale.strides["phone"], 0))
    if kind == "typed_phone":
        return _typed(digits)
    prefix = "+7" if kind == "number_in" else "8"
    phones = pc.binary_join_element_wise(prefix, digits, "")
    return pc.if_else(pa.array(is_phone), phones, _own_numbers(values, owners, missing))


def _mobile(numbers: Values) -> pa.Array:
    """Ten digits of a telephone: each number its own, in no visible order."""
    local = numbers * NUMBER_STEP % NUMBERS_PER_CODE
    codes = MOBILE_CODES[(numbers + numbers // NUMBERS_PER_CODE) % len(MOBILE_CODES)]
    return pa.array(codes * NUMBERS_PER_CODE + local, pa.int64()).cast(pa.string())


def _typed(digits: pa.Array) -> pa.Array:
    """Write telephones as people type them: the last digits choose the manner."""
    code, first, second, third = (
        pc.utf8_slice_codeunits(digits, a, b) for a, b in ((0, 3), (3, 6), (6, 8), (8, 10))
    )
    manners = [
        pc.binary_join_element_wise("+7", digits, ""),
        pc.binary_join_element_wise("8 (", code, ") ", first, "-", second, "-", third, ""),
        pc.binary_join_element_wise("8", digits, ""),
        pc.binary_join_element_wise("+7 ", code, " ", first, " ", second, " ", third, ""),
        pc.binary_join_element_wise(digits, ""),
        pc.binary_join_element_wise("7", digits, " доб. 12", ""),
    ]
    last = pc.utf8_slice_codeunits(digits, 6, 10).cast(pa.int64()).to_numpy()
    choice = np.array([0, 0, 0, 1, 1, 2, 2, 3, 4, 5])[last // 7 % 10]
    return pc.choose(pa.array(choice), *manners)


def _own_numbers(values: Values, owners: Values, missing: Values) -> pa.Array:
    """Write the company's lines and extensions."""
    internal = values <= EXTENSION_BASE
    own = np.where(internal, EXTENSION_BASE - values + owners * EXTENSIONS_PER_DEPARTMENT, 0)
    is_line = ~internal & ~missing & (values < 0)
    lines = pa.array(company.LINES).take(pa.array(np.where(is_line, LINE_BASE - values, 0)))
    text = pc.if_else(pa.array(internal), pa.array(own, pa.int64()).cast(pa.string()), lines)
    return pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text)


@cache
def _variants(kind: str) -> pa.Array:
    maker = names.person if kind == "person" else names.company
    return pa.array([maker(number) for number in range(NAME_VARIANTS)])


def _identities(
    kind: str, values: Values, owners: Values, missing: Values, scale: Scale
) -> pa.Array:
    if kind == "staff":
        people = {person.key: person for person in company.PEOPLE}
        pairs = zip(owners.tolist(), values.tolist(), strict=True)
        return pa.array([company.staff_name(owner, people[key]) for owner, key in pairs])
    if kind == "staff_email":
        keys = _keys("manager", values, owners, missing, scale)
        return pc.binary_join_element_wise(keys, "@voronka.example", "")
    if kind == "email":
        # Twice the contact, and one more for the address it changed to.
        numbers = np.where(missing, 0, values // 2 + owners * scale.strides["contact"])
        at = np.where(values % 2 == 1, "@new.example", "@mail.example")
        text = pa.array(numbers, pa.int64(), mask=missing).cast(pa.string())
        return pc.binary_join_element_wise("k", text, pa.array(at), "")
    numbers = (values + owners * scale.strides["contact"]) % NAME_VARIANTS
    indices = pa.array((numbers * (7 if kind == "person" else 1) % NAME_VARIANTS).astype(np.int32))
    return _variants(kind).take(indices)


def _plain(kind: str, values: Values, owners: Values, missing: Values, scale: Scale) -> pa.Array:
    if kind == "float":
        return pa.array(values, pa.float64(), mask=missing)
    if kind == "bool":
        return pa.array(values == 1, mask=missing)
    if kind == "int":
        return pa.array(values, pa.int64(), mask=missing)
    if kind == "int_text":
        return pa.array(values, pa.int64(), mask=missing).cast(pa.string())
    if kind in {"date", "date_text"}:
        dates = pa.array(np.where(missing, 0, values).astype(np.int32), mask=missing).cast(
            pa.date32()
        )
        return dates.cast(pa.string()) if kind == "date_text" else dates
    if kind == "cents_by_departments":
        return _money(values * scale.departments, missing)
    amounts = values + np.where(missing, 0, values // 100 * (owners % 21) // 100 * 100)
    if kind == "cents_float":
        return pa.array(np.where(missing, np.nan, amounts / 100), pa.float64())
    return _money(amounts, missing)


def _money(hundredths: Values, missing: Values) -> pa.Array:
    whole = pa.array(hundredths, pa.int64(), mask=missing).cast(pa.decimal128(19, 0))
    return pc.multiply(whole, pa.scalar(Decimal("0.01"))).cast(pa.decimal128(18, 2))


# Files -----------------------------------------------------------------------------------


def write_batch(batch: Batch, folder: Path, scale: Scale) -> int:
    """Write one table of one export below a folder; returns the number of rows."""
    if not batch.rows:
        return 0
    cells = list(zip(*batch.rows, strict=True))
    columns = {
        name: column(kind, list(values))
        for (name, kind), values in zip(batch.kinds.items(), cells, strict=True)
    }
    departments = 1 if batch.shared else scale.departments
    tables = (
        _slice(batch, columns, chunk, scale) for chunk in _chunks(departments, len(batch.rows))
    )
    source, table = batch.table.split(".")
    target = folder / source / table
    return write_files(tables, target, batch.export.stem, small=departments == 1)


def _chunks(departments: int, rows: int) -> Iterator[np.ndarray]:
    """Departments in slices of bounded size."""
    step = max(1, SLICE_ROWS // rows)
    for first in range(0, departments, step):
        yield np.arange(first, min(first + step, departments))


def _slice(
    batch: Batch, columns: dict[str, Column], departments: np.ndarray, scale: Scale
) -> pa.Table:
    arrays = {name: encode(column, departments, scale) for name, column in columns.items()}
    rows = len(batch.rows) * len(departments)
    loaded = np.full(rows, batch.export.at * 1_000_000)
    arrays["_loaded_at"] = pa.array(loaded).cast(pa.timestamp("us", "UTC"))
    return pa.table(arrays)


def write_files(tables: Iterable[pa.Table], target: Path, stem: str, small: bool) -> int:
    """Write tables of one schema as row groups of one file or, when many, of several."""
    target.mkdir(parents=True, exist_ok=True)
    writer: pq.ParquetWriter | None = None
    total = in_file = parts = 0
    try:
        for table in tables:
            if writer is None:
                suffix = f"-{parts:03d}" if parts else ""
                path = target / f"{stem}{suffix}.parquet"
                writer = _writer(path, table.schema, small)
            writer.write_table(table, row_group_size=SLICE_ROWS)
            total += table.num_rows
            in_file += table.num_rows
            if in_file >= FILE_ROWS:
                writer.close()
                writer, in_file, parts = None, 0, parts + 1
    finally:
        if writer is not None:
            writer.close()
    return total


def _writer(path: Path, schema: pa.Schema, small: bool) -> pq.ParquetWriter:
    """Open a file: dictionaries for repeated text, differences for keys and moments."""
    encodings: dict[str, str] = {}
    for field in schema:
        if pa.types.is_timestamp(field.type) or pa.types.is_int64(field.type):
            encodings[field.name] = "DELTA_BINARY_PACKED"
        elif field.name in KEY_COLUMNS and pa.types.is_string(field.type):
            encodings[field.name] = "DELTA_BYTE_ARRAY"
    dictionaries = [
        field.name
        for field in schema
        if field.name not in encodings and not pa.types.is_boolean(field.type)
    ]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=15 if small else 3,
        use_dictionary=dictionaries,
        column_encoding=encodings,
        write_statistics=not small,
        store_schema=False,
    )
