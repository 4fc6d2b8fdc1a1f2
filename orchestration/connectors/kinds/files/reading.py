"""A file as a table of cells: its encoding, delimiter and sheets (11.3). Nothing is repaired."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DELIMITERS = (";", ",", "\t", "|")
WORKBOOKS = (".xlsx", ".xls", ".xlsb", ".xlsm", ".ods")
_LINES = 200
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CYRILLIC = ("cp1251", "cp866", "koi8-r")
# The commonest pairs of letters of Russian text.
_PAIRS = ("ст", "но", "то", "на", "ен", "ов", "ни", "ра", "во", "ко", "ро", "пр", "ер", "ан", "ал")
_DOUBLED = re.compile(r"[РС][°-ÿЂ-џ№]{1}(?:[РС].){2}")


class Unreadable(ValueError):
    """The file is no table that can be read; the message says where and what to do."""


@dataclass(frozen=True)
class Line:
    """A row of cells and the line or row of the file where it begins, from 1."""

    number: int
    cells: Sequence[Any]


@dataclass(frozen=True)
class Reject:
    """A line that is no row of the table."""

    line: int
    reason: str
    text: str


@dataclass
class Sheet:
    """The rows of a file or of one sheet; `merged` are (top, left, bottom, right), from 0."""

    name: str
    lines: list[Line]
    rejects: list[Reject] = field(default_factory=list)
    merged: Sequence[tuple[int, int, int, int]] = ()
    encoding: str = ""
    why: str = ""
    delimiter: str = ""
    # Fields of a row, where lines have to have the same number.
    width: int = 0


def decode(content: bytes, wanted: str = "auto") -> tuple[str, str, str]:
    """The text, its encoding and why that one. Raises Unreadable with line and byte."""
    if wanted != "auto":
        return _strict(content, wanted), wanted, "the mapping says so"
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _strict(content, encoding), encoding, "by its first bytes"
    # Cyrillic in UTF-16 is good UTF-8 too; but no text in UTF-8 has zeros.
    zeros = [content[place::2].count(0) for place in (0, 1)]
    if zeros[0] != zeros[1]:
        encoding = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
        return _strict(content, encoding), encoding, "every other byte is zero"
    try:
        return content.decode("utf-8"), "utf-8", "all of it is UTF-8"
    except UnicodeDecodeError:
        pass
    scores = {}
    for encoding in _CYRILLIC:
        try:
            scores[encoding] = _score(content.decode(encoding))
        except UnicodeDecodeError:
            continue
    if not scores:
        raise Unreadable("its bytes are no text in any known encoding; name it: encoding: …")
    best = max(scores, key=lambda it: scores[it])
    return content.decode(best), best, "its letters make Russian words so"


def _strict(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except LookupError:
        raise Unreadable(f"the encoding {encoding} is not known") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Unreadable(
            f"line {line}: byte {error.start} is no {encoding}; save it as UTF-8"
        ) from None


def _score(text: str) -> float:
    letters = [it for it in text if not it.isascii()]
    if not letters:
        return 0.0
    small = sum("а" <= it <= "я" or it == "ё" for it in letters)
    lower = text.lower()
    return (small + sum(lower.count(pair) for pair in _PAIRS)) / len(letters)


def is_doubled(text: str) -> bool:
    """Whether the text was encoded twice: `Р°Р±` for `аб`."""
    return bool(_DOUBLED.search(text))


def read_csv(
    content: bytes, encoding: str = "auto", delimiter: str = "auto", has_title: bool = False
) -> Sheet:
    """A text file. Lines with another number of fields than most have are rejected.

    `has_title`: lines above the headers, which the mapping looks for further down, are none.
    """
    text, found, why = decode(content, encoding)
    text = text.removeprefix("\ufeff")
    shift = 0
    first = text.split("\n", 1)[0].strip()
    if re.fullmatch(r"sep=.", first):
        delimiter, text, shift = first[-1], text.partition("\n")[2], 1
    if delimiter in ("auto", ""):
        delimiter = _delimiter(text)
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    sheet = Sheet("", [], encoding=found, why=why, delimiter=delimiter)
    if is_doubled(text):
        sheet.why += "; the text looks encoded twice: export it again"
    # As the csv module counts them: other characters that end a line stand in cells.
    lines = io.StringIO(text, newline="").readlines()
    rows = list(_rows(lines, delimiter, shift, sheet.rejects))
    width = Counter(len(it.cells) for it in rows[:_LINES] if it.cells).most_common(1)
    wanted = width[0][0] if width else 0
    sheet.width, is_above = wanted, has_title
    for row in rows:
        is_above &= len(row.cells) != wanted
        if len(row.cells) in (0, wanted) or is_above:
            sheet.lines.append(row)
        else:
            shown = lines[row.number - 1 - shift].rstrip("\r\n")
            sheet.rejects.append(
                Reject(row.number, f"fields: {len(row.cells)} instead of {wanted}", shown)
            )
    sheet.rejects.sort(key=lambda it: it.line)
    return sheet


def _rows(
    lines: Sequence[str], delimiter: str, shift: int, rejects: list[Reject]
) -> Iterator[Line]:
    """Rows; all lines of a row whose quotes are broken are rejected, and those after it read."""
    begin = 0
    while begin < len(lines):
        reader = csv.reader(lines[begin:], delimiter=delimiter, strict=True)
        done = begin
        try:
            for cells in reader:
                yield Line(done + 1 + shift, cells)
                done = begin + reader.line_num
            return
        except csv.Error as error:
            begin += reader.line_num
            rejects += [
                Reject(number + 1 + shift, f"quotes: {error}", lines[number].rstrip("\r\n"))
                for number in range(done, begin)
            ]


def _delimiter(text: str) -> str:
    counts: dict[str, int] = {}
    for delimiter in DELIMITERS:
        sizes: Counter[int] = Counter()
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            for number, row in enumerate(reader):
                if number >= _LINES:
                    break
                sizes[len(row)] += len(row) > 1
        except csv.Error:
            continue
        counts[delimiter] = max(sizes.values(), default=0)
    if not text.strip():
        raise Unreadable("it is empty")
    best = max(counts.values(), default=0)
    found = [it for it, count in counts.items() if count == best]
    if not best or len(found) > 1:
        raise Unreadable('its delimiter cannot be told; write delimiter: ";" under read')
    return found[0]


def read_workbook(path: Path, sheets: Sequence[str] = ()) -> list[Sheet]:
    """The sheets of a workbook whose names fit one of the patterns; all where there are none."""
    import fnmatch

    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        names = [
            name
            for name in book.sheet_names
            if not sheets or any(fnmatch.fnmatch(name, pattern) for pattern in sheets)
        ]
        if not names:
            raise Unreadable(f"no sheet is called {', '.join(sheets)}; it has "
                             f"{', '.join(book.sheet_names)}")  # fmt: skip
        found = []
        for name in names:
            sheet = book.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False)
            merged = [
                (top, left, bottom, right)
                for (top, left), (bottom, right) in sheet.merged_cell_ranges or []
            ]
            lines = [Line(number, row) for number, row in enumerate(rows, 1)]
            found.append(Sheet(name, lines, merged=merged))
    except CalamineError as error:
        raise Unreadable(f"it is no workbook that can be read: {error}") from None
    return found
