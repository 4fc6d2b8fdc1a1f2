"""A small raw table for tests of what files may hold, and a writer of its files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.raw_zone.contract import Column, Contract, Table
from tests.conftest import LOADED_AT

THINGS = Table(
    "crm",
    "things",
    (
        Column("thing_id", "text", is_key=True),
        Column("name", "text"),
        Column("amount", "decimal"),
        Column("rate", "decimal", precision=18, scale=8),
        Column("position", "integer"),
        Column("happened_at", "timestamp"),
        Column("day", "date"),
        Column("is_open", "boolean"),
        Column("_loaded_at", "timestamp", is_required=True),
    ),
)
CONTRACT = Contract({"crm.things": THINGS, "crm.others": Table("crm", "others", THINGS.columns)})


def things(raw_dir: Path, name: str = "1", /, **columns: object) -> Path:
    """One file of the table; each column is a pyarrow array or a list of texts."""
    arrays = {
        column: values if isinstance(values, pa.Array) else pa.array(values, pa.string())
        for column, values in columns.items()
    }
    length = len(next(iter(arrays.values())))
    # Columns may differ in case alone; then the file names its key itself.
    if not any(column.lower() == "thing_id" for column in arrays):
        arrays["thing_id"] = pa.array([str(row) for row in range(length)])
    arrays.setdefault("_loaded_at", pa.array([LOADED_AT] * length, pa.timestamp("us", "UTC")))
    path = raw_dir / "crm" / "things" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays), path)
    return path


def bad_text(*values: bytes) -> pa.Array:
    """A column of texts whose bytes nobody has checked."""
    raw = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(values), raw.buffers())
