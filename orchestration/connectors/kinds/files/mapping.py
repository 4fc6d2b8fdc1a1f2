"""Rows of the contract from the cells of a file, by a mapping (11.2). Reads no file."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from orchestration.connectors.connector import Row
from orchestration.connectors.kinds.files import values
from orchestration.connectors.kinds.files.keys import Column, Lookup
from orchestration.connectors.kinds.files.keys import Mapping as FileMapping
from orchestration.connectors.kinds.files.reading import Line, Sheet, Unreadable
from orchestration.connectors.kinds.files.values import fold

_FIND_WITHIN = 30
Cells = dict[str, Any]
Names = Callable[[Lookup], Mapping[str, str]]


@dataclass
class Table:
    """A sheet with its headers; `rows` are cells by header, with their line."""

    headers: list[str]
    rows: list[tuple[int, Cells]]
    skipped: int = 0


@dataclass
class Result:
    """What a file became; `counts` are repairs and values that did not convert, by name."""

    rows: dict[str, list[Row]]
    used: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    odd: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0
    # The cells of each row of the mapping's own table.
    cells: list[Cells] = field(default_factory=list)


def table_of(sheet: Sheet, mapping: FileMapping) -> Table:
    """The rows under the header. Raises Unreadable where there is no such header."""
    header, read = mapping.read.header, mapping.read
    lines = _filled(sheet) if header.merge == "fill" else [list(it.cells) for it in sheet.lines]
    if header.find:
        place = _found(sheet.lines, header.find)
        places = [place]
    else:
        places = [number - 1 for number in header.rows or [1]]
    if not sheet.lines or max(places) >= len(sheet.lines):
        raise Unreadable(f"it has no row {max(places) + 1} for the headers")
    last = sheet.lines[max(places)]
    if sheet.width and len(last.cells) != sheet.width:
        raise Unreadable(
            f"line {last.number}: the headers have {len(last.cells)} fields, and the rows "
            f"{sheet.width}"
        )
    width = max(len(it) for it in lines)
    names = []
    for column in range(width):
        parts: list[str] = []
        for place in places:
            cells = lines[place]
            text = values.cell_text(cells[column]) if column < len(cells) else None
            if text and (not parts or parts[-1] != text):
                parts.append(" ".join(text.split()))
        names.append(header.join.join(parts))
    headers = _numbered(names)
    rows = [
        (sheet.lines[place].number, list(sheet.lines[place].cells))
        for place in range(max(places) + 1, len(sheet.lines))
    ]
    below = _fill_down(rows, headers, read.fill_down)
    skip = {**read.skip_rows_where, **mapping.skip_rows_where}
    stop = {**read.stop_row_where, **mapping.stop_row_where}
    found = Table([it for it in headers if it], [])
    for number, cells in below:
        row = {name: cell for name, cell in zip(headers, cells, strict=False) if name}
        if all(values.cell_text(it) is None for it in row.values()):
            found.skipped += 1
        elif _fits(row, stop):
            break
        elif _fits(row, skip):
            found.skipped += 1
        else:
            found.rows.append((number, row))
    return found


def _filled(sheet: Sheet) -> list[list[Any]]:
    lines = [list(it.cells) for it in sheet.lines]
    for top, left, bottom, right in sheet.merged:
        if bottom >= len(lines) or left >= len(lines[top]):
            continue
        for line in range(top, bottom + 1):
            for column in range(left, min(right + 1, len(lines[line]))):
                lines[line][column] = lines[top][left]
    return lines


def _found(lines: Sequence[Line], wanted: Sequence[str]) -> int:
    texts = {fold(it) for it in wanted}
    for place, line in enumerate(lines[:_FIND_WITHIN]):
        there = {fold(values.cell_text(it) or "") for it in line.cells}
        if texts <= there:
            return place
    raise Unreadable(f"no row of the first {_FIND_WITHIN} has {', '.join(wanted)}")


def _numbered(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[fold(name)] += 1
        count = seen[fold(name)]
        found.append(name if not name or count == 1 else f"{name}#{count}")
    return found


def _fill_down(
    rows: Sequence[tuple[int, list[Any]]], headers: Sequence[str], wanted: Sequence[str]
) -> Iterator[tuple[int, list[Any]]]:
    places = [place for place, it in enumerate(headers) if fold(it) in {fold(x) for x in wanted}]
    last: dict[int, Any] = {}
    for number, cells in rows:
        is_empty = all(values.cell_text(it) is None for it in cells)
        for place in places:
            if place < len(cells) and values.cell_text(cells[place]) is None and not is_empty:
                cells[place] = last.get(place)
            elif place < len(cells):
                last[place] = cells[place]
        yield number, cells


def _fits(row: Cells, conditions: Mapping[str, str]) -> bool:
    for header, pattern in conditions.items():
        name = match([header], list(row))
        text = values.cell_text(row.get(name)) if name else None
        if text is not None and re.search(pattern, text):
            return True
    return False


def match(candidates: Sequence[str], headers: Sequence[str]) -> str | None:
    """The first candidate's header; `*` stands for anything."""
    for candidate in candidates:
        pattern = fold(candidate)
        for header in headers:
            if fold(header) == pattern or ("*" in pattern and fnmatch.fnmatch(
                fold(header), pattern.replace("[", "[[]"))):  # fmt: skip
                return header
    return None


class Mapper:
    """Rows from one file. `names` gives a lookup's ids by folded name."""

    def __init__(
        self, mapping: FileMapping, names: Names, required: Mapping[str, set[str]]
    ) -> None:
        self._mapping = mapping
        self._names = names
        self._required = required

    def rows(self, table: Table) -> Result:
        """All rows of all tables. Raises Unreadable where a header or a decision is missing."""
        mapping = self._mapping
        result = Result({mapping.table: []}, count=len(table.rows))
        lines, headers = table.rows, table.headers
        if mapping.unpivot:
            lines, headers = self._unpivoted(table)
        targets = [(mapping.table, mapping.columns)]
        targets += [(it.table, it.columns) for it in mapping.extra_tables]
        seen: set[str] = set()
        for name, columns in targets:
            made = [self._column(name, it, column, headers, [row for _, row in lines], result)
                    for it, column in columns.items()]  # fmt: skip
            seen |= {header for column in made for header in column.headers}
            rows = result.rows.setdefault(name, [])
            for number, cells in lines:
                found = list(self._made(made, number, cells, result))
                rows.extend(found)
                if columns is mapping.columns:
                    result.cells += [cells] * len(found)
        result.unused = [it for it in headers if it not in seen]
        return result

    def _unpivoted(self, table: Table) -> tuple[list[tuple[int, Cells]], list[str]]:
        unpivot = self._mapping.unpivot
        assert unpivot is not None
        pattern = re.compile(re.escape(fold(unpivot.columns)).replace(r"\*", "(.*)"))
        wide = {it: found for it in table.headers if (found := pattern.fullmatch(fold(it)))}
        if not wide:
            raise Unreadable(
                f"no header fits {unpivot.columns}; there are {_listed(table.headers)}"
            )
        name, value = unpivot.into["name"], unpivot.into["value"]
        kept = [it for it in table.headers if it not in wide]
        rows = [
            (number, {**{it: row.get(it) for it in kept}, name: found[1], value: row.get(header)})
            for number, row in table.rows
            for header, found in wide.items()
        ]
        return rows, [*kept, name, value]

    def _column(
        self, table: str, name: str, column: Column, headers: Sequence[str],
        rows: Sequence[Cells], result: Result,
    ) -> _Made:  # fmt: skip
        header = match(column.headers, headers)
        if column.headers and header is None:
            is_needed = name in self._required[table]
            if is_needed:
                near = difflib.get_close_matches(column.headers[0], headers, n=3, cutoff=0.4)
                hint = f"; the nearest are {', '.join(near)}" if near else ""
                raise Unreadable(
                    f"{name}: no header {' or '.join(column.headers)}{hint}; there are "
                    f"{_listed(headers)}"
                )
            result.counts[f"no header for {name}"] += 1
        if header:
            result.used[header] = f"{table}.{name}" if table != self._mapping.table else name
        cells = [self._cell(row.get(header)) for row in rows] if header else []
        made = _Made(self, name, column, header, [it for it in [header] if it])
        for other in (column.time_of, column.max):
            found = match([other], headers) if other else None
            if other and found is None:
                raise Unreadable(f"{name}: no header {other}; there are {_listed(headers)}")
            made.headers += [found] if found else []
        if column.key:
            made.headers += self._key_headers(name, column.key, headers)
        try:
            if column.kind in ("decimal", "money", "integer", "percent", "score"):
                made.sign = values.decimal_sign(cells, self._mapping.values.decimal.replace(
                    "auto", ""))  # fmt: skip
            if column.kind in ("timestamp", "date") and not self._mapping.values.date_formats:
                made.order = values.date_order(cells, self._mapping.values.date_order)
        except values.Undecided as error:
            raise Unreadable(f"{name}: {error}") from None
        return made

    @staticmethod
    def _key_headers(name: str, key: str, headers: Sequence[str]) -> list[str]:
        found = re.fullmatch(r"hash of \[(.+)\]", key.strip())
        if not found:
            raise Unreadable(f"{name}: key: write  key: 'hash of [header, header]'")
        wanted = [it.strip() for it in found[1].split(",")]
        hits = [match([it], headers) for it in wanted]
        if None in hits:
            raise Unreadable(f"{name}: key: no header {wanted[hits.index(None)]}")
        return [it for it in hits if it]

    def _cell(self, cell: Any) -> Any:
        text = values.cell_text(cell)
        nulls = {fold(it) for it in self._mapping.values.nulls}
        return None if text is None or fold(text) in nulls else cell

    def _made(
        self, columns: Sequence[_Made], number: int, cells: Cells, result: Result
    ) -> Iterator[Row]:
        row: Row = {}
        parts: tuple[str, list[str]] | None = None
        for column in columns:
            found = column.value(cells, number, result, row)
            if found is None and column.column.required:
                return
            if found is not None and column.column.split:
                listed = [it.strip() for it in re.split(column.column.split, found)]
                parts = (column.name, [column.trimmed(it) for it in listed if it])
            row[column.name] = found
        if any(row.get(name) is None for name in self._mapping.skip_empty if name in row):
            result.counts["rows without " + ", ".join(self._mapping.skip_empty)] += 1
            return
        if parts is None:
            yield row
            return
        for part in parts[1]:
            yield {**row, parts[0]: part}


class _Made:
    """One column of the contract, with what its values in this file decide."""

    def __init__(
        self, mapper: Mapper, name: str, column: Column, header: str | None, headers: list[str]
    ) -> None:
        self.name = name
        self.column = column
        self.headers = headers
        self.sign = ""
        self.order = "dmy"
        self._mapper = mapper
        self._header = header

    def trimmed(self, text: str) -> str:
        """A phone without the apostrophe that makes it text in a spreadsheet."""
        return text.removeprefix("'") if "phone" in (self.column.kind, self.name) else text

    def value(self, cells: Cells, number: int, result: Result, row: Row) -> str | None:
        """The value of one row."""
        column = self.column
        if column.const is not None:
            return values.plain(column.const)
        if column.template is not None:
            texts = {fold(it): values.cell_text(cell) or "" for it, cell in cells.items()}
            return re.sub(r"\{([^}]+)\}", lambda it: texts.get(fold(it[1]), ""), column.template)
        if column.key:
            whole = "\x1f".join(values.cell_text(cells.get(it)) or "" for it in self.headers)
            return column.prefix + hashlib.sha256(whole.encode()).hexdigest()[:16]
        if self._header is None:
            return None
        if column.currency and column.kind == "money":
            sign = values.currency_of(cells.get(self._header))
            row.setdefault("currency", sign or column.currency)
        cell = self._mapper._cell(cells.get(self._header))
        text = values.cell_text(cell)
        if text is not None and column.regex:
            hit = re.search(column.regex, text)
            cell = text = (hit[1] if hit.groups() else hit[0]) if hit else None
        if text is None:
            return None
        if column.map is not None:
            return values.mapped(text, column.map)[1]
        if column.lookup:
            return self._looked_up(text, number, result)
        found = self._converted(cell, cells)
        if found is None and column.kind != "flag" and column.kind != "boolean":
            self._odd(text, number, result)
            found = text
        if values.is_spoilt(text) and "phone" in (column.kind, self.name):
            result.counts[f"{self.name}: numbers spoilt by Excel; format the column as text"] += 1
        return column.prefix + found if found is not None else None

    def _looked_up(self, text: str | None, number: int, result: Result) -> str | None:
        if text is None:
            return None
        lookup = self._mapper._mapping.lookups[str(self.column.lookup)]
        found = self._mapper._names(lookup).get(fold(text))
        if found is not None:
            return found
        result.counts[f"{self.column.lookup}: unknown {text}"] += 1
        if lookup.unknown == "error":
            raise Unreadable(
                f"line {number}: {self.name}: {text} is in no place of the lookup "
                f"{self.column.lookup}; add it there"
            )
        return text if lookup.unknown == "text" else None

    def _odd(self, text: str | None, number: int, result: Result) -> None:
        result.counts[f"{self.name}: not as {self.column.kind}, left as typed"] += 1
        listed = result.odd.setdefault(self.name, [])
        if len(listed) < 3:
            listed.append(f"line {number}: {text}")

    def _converted(self, cell: Any, cells: Cells) -> str | None:
        column, settings = self.column, self._mapper._mapping.values
        kind = column.kind
        if kind in ("text", "phone"):
            return self.trimmed(values.cell_text(cell) or "")
        if kind in ("boolean", "flag"):
            return values.boolean(cell)
        if kind == "month_ru":
            month = values.month_number(str(cell))
            return f"{column.year}-{month:02}-01" if month and column.year else None
        if kind in ("timestamp", "date"):
            return self._moment(cell, cells)
        if kind == "unix":
            return values.unix(cell)
        percent = isinstance(cell, str) and cell.strip().endswith("%")
        number = values.number(
            cell.strip().removesuffix("%") if percent else cell, self.sign, settings.strip_units
        )
        if number is None:
            return None
        number = abs(number) if column.abs else number
        if kind == "score":
            most = values.number(cells.get(self.headers[-1]), "") if column.max else None
            has_maximum = most is not None and most > 0 and not percent
            if has_maximum and most is not None:
                number = number * 100 / most
            elif not percent and number > 100:
                # Points of an unknown maximum are no percentage; the contract judges them.
                return None
            number = number.quantize(Decimal("0.01"), ROUND_HALF_UP)
        return format(number, "f")

    def _moment(self, cell: Any, cells: Cells) -> str | None:
        settings = self._mapper._mapping.values
        found = values.moment(cell, self.order, settings.date_formats, settings.excel_serial_dates)
        if found is None:
            return None
        if self.column.time_of:
            time = values.cell_text(cells.get(self.headers[-1])) or "00:00"
            later = values.moment(f"2000-01-01 {time}", "dmy")
            if later is None:
                return None
            found = found.replace(hour=later.hour, minute=later.minute, second=later.second)
        if self.column.kind == "date":
            return found.date().isoformat()
        return values.zoned(found, self._mapper._mapping.zone)


def _listed(headers: Sequence[str]) -> str:
    return ", ".join(it for it in headers if it)
