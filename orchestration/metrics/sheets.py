"""Tables as CSV and XLSX, row by row: numbers as numbers, and no text that a spreadsheet would run.

Rows are taken one at a time, so a table of any length is written with the memory of one row.
What comes from a CRM is text: control characters are shown by visible signs, in CSV the beginning
of a formula is marked by `'` (as OWASP advises), and in XLSX a text is stored as a string, which
is never computed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import IO, TYPE_CHECKING, TextIO
from urllib.parse import quote as percent_encoded

from orchestration.base.terminal import visible
from orchestration.metrics.catalogue import ENGLISH, Catalogue, Metric

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# Excel computes with so many digits; what has more is a text, or its end would turn to zeros.
DIGITS = 15
_LARGEST = 999_999_999_999_999
# Rows of a sheet, the heading among them; characters of a cell, in the units of UTF-16.
SHEET_ROWS = 1_048_576
_CELL_UNITS = 32_767
# Excel takes 1900 for a leap year; from here on all programs agree which day a number is.
_FIRST_DAY = date(1900, 3, 1)
# What begins a formula, at the start of a cell or after what a spreadsheet may cut cells at.
_FORMULA = re.compile(r"(^|[;\t\n])(?=\s*[=+\-@＝＋－＠\t])")
# In a file with semicolons a spreadsheet of English settings cuts at commas.
_FORMULA_OF_EXCEL = re.compile(r"(^|[;,\t\n])(?=\s*[=+\-@＝＋－＠\t])")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
# Characters that no XML document holds, beside those that `visible` shows.
_NO_XML = re.compile("[\ufffe\uffff]")
_NAMES_OF_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_NAME_BYTES = 120
# So many rows are made into one piece of text.
_PIECE = 500


def write_csv(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    file: TextIO,
    *,
    for_excel: bool = False,
) -> None:
    """Write a table as CSV. The file is open with `newline=""`, and its encoding is the caller's.

    Decimals have all their digits. `for_excel` is what Excel opens where decimals have a comma:
    cells end in `;`, lines in CR LF; it knows UTF-8 by its mark, so take `utf-8-sig`.
    """
    cell = _cell_of_excel if for_excel else _cell
    writer = csv.writer(
        file,
        delimiter=";" if for_excel else ",",
        lineterminator="\r\n" if for_excel else "\n",
    )
    writer.writerow(map(cell, columns))
    writer.writerows(map(cell, row) for row in rows)


def csv_pieces(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, for_excel: bool = False
) -> Iterator[bytes]:
    """The same table in pieces of UTF-8, for an answer that is sent while it is read."""
    pieces = _Pieces()
    if for_excel:
        yield "\ufeff".encode()
    cell: Callable[[object], object] = _cell_of_excel if for_excel else _cell
    writer = csv.writer(
        pieces,
        delimiter=";" if for_excel else ",",
        lineterminator="\r\n" if for_excel else "\n",
    )
    writer.writerow(map(cell, columns))
    for number, row in enumerate(rows, 1):
        writer.writerow(map(cell, row))
        if number % _PIECE == 0:
            yield pieces.taken()
    yield pieces.taken()


def write_xlsx(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    file: IO[bytes],
    *,
    sheet: str = "Voronka",
) -> None:
    """Write a table as a workbook; the sheet goes on in another where it is full.

    A number with more than 15 digits is a text, and so is a day before March 1900. A time with a
    zone is written in UTC, to the millisecond. A text is cut at 32,767 characters, as cells are.
    """
    from xlsxwriter import Workbook

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    with Workbook(file, options) as workbook:
        writer = _SheetWriter(workbook, columns, _sheet_name(sheet))
        for row in rows:
            writer.add(row)


def headings(
    columns: Sequence[str],
    language: str,
    catalogue: Catalogue,
    names: Mapping[str, str],
    figures: Mapping[str, Metric] | None = None,
) -> list[str]:
    """Headings of a table in a language, each once; English ones are the columns' own names.

    `names` are the Russian names of columns (`russian.read_names`), `figures` says of which metric
    a column is where its name is another, as `value` of a drill-down.
    """
    from orchestration.metrics.russian import russian_names

    if language == ENGLISH:
        return list(columns)
    labels = {column: metric.labels[language] for column, metric in (figures or {}).items()}
    return list(russian_names(columns, catalogue, {**names, **labels}).values())


def file_name(*parts: str, suffix: str) -> str:
    """A name of a file that every system takes, from parts that may hold anything.

    >>> file_name("revenue", "2026-08/../x", suffix=".csv")
    'revenue_2026-08-x.csv'
    """
    cleaned = (re.sub(r"[^\w-]+", "-", part).strip("-_") for part in parts)
    stem = "_".join(part for part in cleaned if part) or "table"
    while len(stem.encode()) > _NAME_BYTES:
        stem = stem[:-1]
    if _NAMES_OF_DEVICES.match(stem):
        stem = f"_{stem}"
    return stem + suffix


def attachment(name: str) -> str:
    """The header Content-Disposition of a file to be saved (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{percent_encoded(name, safe='')}"


class _Pieces:
    """A file that csv writes to, emptied between pieces."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def write(self, text: str) -> None:
        self._lines.append(text)

    def taken(self) -> bytes:
        text = "".join(self._lines)
        self._lines.clear()
        return text.encode()


class _SheetWriter:
    """Writes cells by their types, with one format for each kind of number."""

    def __init__(self, workbook: Workbook, columns: Sequence[str], name: str) -> None:
        self._workbook, self._columns, self._name = workbook, columns, name
        self._bold = workbook.add_format({"bold": True})
        self._formats: dict[str, Format] = {}
        self._sheets = 0
        self._next_sheet()

    def add(self, row: Sequence[object]) -> None:
        if self._row == SHEET_ROWS:
            self._next_sheet()
        for column, value in enumerate(row):
            self._write(column, value)
        self._row += 1

    def _next_sheet(self) -> None:
        self._sheets += 1
        name = self._name if self._sheets == 1 else f"{self._name[:25]} {self._sheets}"
        self._sheet = self._workbook.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        for column, heading in enumerate(self._columns):
            self._sheet.set_column(column, column, min(max(len(heading) + 2, 11), 40))
            self._sheet.write_string(0, column, _text_of_xlsx(heading), self._bold)
        self._row = 1

    def _write(self, column: int, value: object) -> None:
        if value is None or value == "":
            return
        sheet, row = self._sheet, self._row
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value)
        elif isinstance(value, (int, float, Decimal)) and _is_number_of_excel(value):
            sheet.write_number(row, column, value, self._format(_number_format(value)))
        elif isinstance(value, datetime) and value.date() >= _FIRST_DAY:
            utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            sheet.write_datetime(row, column, utc, self._format("yyyy-mm-dd hh:mm:ss"))
        elif isinstance(value, date) and not isinstance(value, datetime) and value >= _FIRST_DAY:
            sheet.write_datetime(row, column, value, self._format("yyyy-mm-dd"))
        else:
            sheet.write_string(row, column, _text_of_xlsx(str(value)))

    def _format(self, form: str) -> Format:
        if form not in self._formats:
            self._formats[form] = self._workbook.add_format({"num_format": form})
        return self._formats[form]


def _is_number_of_excel(value: float | Decimal) -> bool:
    """Whether Excel holds a number without a loss."""
    if isinstance(value, int):
        return abs(value) <= _LARGEST
    if isinstance(value, Decimal):
        digits = "".join(map(str, value.as_tuple().digits))
        return value.is_finite() and len(digits.strip("0")) <= DIGITS
    return isfinite(value)


def _number_format(value: float | Decimal) -> str:
    """Decimals show the places that they have."""
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"#,##0.{'0' * min(places, DIGITS)}" if places else "General"


def _text_of_xlsx(text: str) -> str:
    cleaned = _NO_XML.sub("\ufffd", visible(text, keep="\n\t"))
    if len(cleaned) * 2 > _CELL_UNITS:
        cleaned = cleaned.encode("utf-16-le")[: _CELL_UNITS * 2].decode("utf-16-le", "ignore")
    return cleaned


def _sheet_name(name: str) -> str:
    """A name that Excel takes: 31 characters, without its signs of places."""
    return re.sub(r"[\[\]:*?/\\']", " ", visible(name)).strip()[:31] or "Voronka"


def _cell(value: object, formula: re.Pattern[str] = _FORMULA) -> object:
    """A value of CSV; a text that a spreadsheet would run is marked as a text by `'`."""
    if isinstance(value, (bool, int, date, type(None))):
        return value
    if isinstance(value, (float, Decimal)) and isfinite(value):
        return format(value, "f") if isinstance(value, Decimal) else value
    text = str(value)
    return text if _NUMBER.fullmatch(text) else formula.sub(r"\1'", visible(text, keep="\n\t"))


def _cell_of_excel(value: object) -> object:
    if isinstance(value, (float, Decimal)) and isfinite(value):
        return str(_cell(value)).replace(".", ",")
    return _cell(value, _FORMULA_OF_EXCEL)
