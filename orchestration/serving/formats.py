"""Answers as JSON, Arrow, CSV and XLSX."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from orchestration.metrics.sheets import (
    CSV_TYPE,
    XLSX_TYPE,
    attachment,
    csv_pieces,
    file_name,
    write_xlsx,
)
from orchestration.serving.endpoints import Reply
from orchestration.serving.limits import TooMuch

if TYPE_CHECKING:
    import pyarrow

JSON, ARROW, CSV, XLSX = "json", "arrow", "csv", "xlsx"
MEDIA_TYPES = {
    JSON: "application/json",
    ARROW: "application/vnd.apache.arrow.stream",
    CSV: CSV_TYPE,
    XLSX: XLSX_TYPE,
}
# A workbook is made by Python, some seconds for so many rows, and no clock can stop it.
WORKBOOK_ROWS = 20_000
# JSON's numbers are exact as text; programs of 64 bits read whole numbers up to here.
_LARGEST = 2**63 - 1


def json_bytes(value: object) -> bytes:
    """Any value as JSON: decimals are numbers with all their digits, times ISO 8601."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def table_reply(
    format_: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    name: Sequence[str],
    headings: Sequence[str],
    about: Mapping[str, object],
    arrow: pyarrow.Table | None = None,
) -> Reply:
    """A table in one of the formats; `about` stands beside the rows in JSON.

    `headings` are the columns' names for people, `name` the parts of the file's name.
    """
    if format_ == ARROW:
        return Reply(_arrow_bytes(arrow, columns, rows), MEDIA_TYPES[ARROW])
    if format_ == CSV:
        body = b"".join(csv_pieces(headings, rows, for_excel=False))
        saved = attachment(file_name(*name, suffix=".csv"))
        return Reply(body, CSV_TYPE, {"Content-Disposition": saved})
    if format_ == XLSX:
        if len(rows) > WORKBOOK_ROWS:
            raise TooMuch(
                f"A workbook has {WORKBOOK_ROWS:,} rows at most here.",
                "Take CSV, add a condition, or write all of it with `voronka explain --xlsx`.",
            )
        file = io.BytesIO()
        write_xlsx(headings, rows, file)
        saved = attachment(file_name(*name, suffix=".xlsx"))
        return Reply(file.getvalue(), XLSX_TYPE, {"Content-Disposition": saved})
    body = json_bytes({**about, "rows": [_row(row) for row in rows]})
    return Reply(body, MEDIA_TYPES[JSON])


def refuse_long(rows: int, most: int) -> None:
    """Raise TooMuch where an answer has more rows than it may."""
    if rows > most:
        raise TooMuch(
            f"The answer has more than {most:,} rows.",
            "Add limit, a condition, or fewer dimensions.",
        )


def _row(row: Sequence[object]) -> list[object]:
    return [_number(value) if isinstance(value, (int, Decimal)) else value for value in row]


def _number(value: int | Decimal) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f")) if value.is_finite() else None
    return value if -_LARGEST <= value <= _LARGEST else orjson.Fragment(str(value))


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def _arrow_bytes(
    table: pyarrow.Table | None, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> bytes:
    import pyarrow

    if table is None:
        values: Iterator[tuple[object, ...]] = zip(*rows, strict=True)
        arrays = [pyarrow.array(each) for each in values] or [pyarrow.array([])] * len(columns)
        table = pyarrow.Table.from_arrays(arrays, names=list(columns))
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
