"""Evaluations of calls from files that people export, or from a REST API by configuration (10).

Rows are read by a mapping as those of every other file; its block `call` says how a row names its
call, which is mapped beside the evaluation, as a row of `telephony.calls` that is never written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row, Window
from orchestration.connectors.errors import Refused
from orchestration.connectors.evaluations import (
    TABLE,
    About,
    Criterion,
    Evaluation,
    JudgesCalls,
    Legs,
    Placer,
    calls_found,
    flags_of,
    of_forms,
)
from orchestration.connectors.http import Http, Pace
from orchestration.connectors.kinds.call_evaluations.keys import (
    CALLS,
    CallEvaluationsConnection,
    Criteria,
)
from orchestration.connectors.kinds.files import values
from orchestration.connectors.kinds.files.connector import Files, Read
from orchestration.connectors.kinds.files.mapping import Cells, Mapper, Result, Table, match
from orchestration.connectors.kinds.files.reading import Unreadable

if TYPE_CHECKING:
    from orchestration.connectors.rest import RestPages
    from orchestration.connectors.rest_keys import Rest

_FILES = "files"
CURSOR = "cursor:evaluations"
_SHOWN = 10


@dataclass
class _Entry:
    """One evaluation as it came: its values, its call, its cells, its criteria."""

    values: Row
    call: Row
    cells: Cells
    source: str = ""
    criteria: list[Criterion] = field(default_factory=list)


class CallEvaluations(JudgesCalls, Files):
    """Files of call evaluations, or a list of them in a product's API."""

    kind: ClassVar[str] = "call_evaluations"
    title: ClassVar[str] = "Call evaluations (files, or any REST API)"
    config: ClassVar[type[Connection]] = CallEvaluationsConnection

    @property
    def keys(self) -> CallEvaluationsConnection:
        """The connection, by its own type."""
        assert isinstance(self.connection, CallEvaluationsConnection)
        return self.connection

    @classmethod
    def folder_of(cls, connection: Any) -> str:
        """The folder of the mapping's table. Raises Refused where the mapping does not fit."""
        try:
            # Both say what is wrong before anything is read.
            table, _ = connection.columns.table, connection.blocks
        except ValueError as error:
            raise Refused(
                f"{connection.name}: {error}", "Correct it; docs/connectors/call_evaluations.md."
            ) from None
        if table != TABLE:
            raise Refused(
                f"{connection.name}: {connection.mapping} fills {table}.",
                f"Write table: {TABLE}, or kind: files.",
            )
        return cls.source

    def read(self) -> Iterator[Window]:
        """Evaluations whose call has come since, then what is new."""
        self.folder_of(self.connection)
        placer = Placer(self.work, self._legs())
        yield placer.retry()
        yield from self._read_rest(self.keys.rest, placer) if self.keys.rest else self._read_files(
            placer
        )  # fmt: skip

    def _read_files(self, placer: Placer) -> Iterator[Window]:
        """Each file that was never loaded."""
        known = dict(self.work.state.get(_FILES) or {})
        files = self._files()
        for number, file in enumerate(files, 1):
            digest = hashlib.sha256(self._content(file)).hexdigest()
            if digest in known and not self.work.slice.is_named:
                continue
            found = self._read_file(file)
            self._rejected(file, digest, found)
            self._account(file, found)
            known[digest] = file.name
            rows = placer.place(self._of_file(found))
            yield Window(file.name, rows, {_FILES: dict(known)}, number / len(files))

    def _read_rest(self, rest: Rest, placer: Placer) -> Iterator[Window]:
        """The list page by page; slice by slice where it is asked for by a range of time."""
        if not rest.has_range:
            for number, rows in enumerate(self._pages.read({}), 1):
                yield Window(f"{rest.path}, page {number}", placer.place(self._of_page(rows)))
            return
        begin, end = self._range()
        start = begin
        while start < end:
            until = min(start + timedelta(seconds=self.keys.slice), end)
            for rows in self._pages.read(self._marks(start, until)):
                yield Window(
                    f"{rest.path} from {start:%Y-%m-%d}",
                    placer.place(self._of_page(rows)),
                    done=(start - begin) / (end - begin),
                )
            reached = max(str(self.work.state.get(CURSOR) or ""), until.isoformat())
            moved = {} if self.work.slice.is_named else {CURSOR: reached}
            yield Window(
                f"{rest.path} to {until:%Y-%m-%d}", {}, moved, (until - begin) / (end - begin)
            )
            start = until

    def check(self) -> Iterator[Finding]:
        """The preview of the newest file or the first page, and how many of its calls are there."""
        self.folder_of(self.connection)
        if self.keys.rest is None:
            yield from super().check()
            files = self._files()
            if not files:
                return
            evaluations = self._of_file(self._read_file(files[-1]))
        else:
            rows = self._first_page(self.keys.rest)
            yield Finding("good" if rows else "note", f"{len(rows)} rows on the first page")
            if not rows:
                return
            yield from self._preview_of(rows)
            evaluations = self._of_page(rows)
        yield from calls_found(self._legs(), evaluations)

    def preview(self, file: Path) -> Iterator[Finding]:
        """How a file would be read; of a REST API there is none."""
        if self.keys.rest is not None:
            yield Finding("bad", f"{self.keys.name} reads a REST API, and no file", "Name no file.")
            return
        yield from super().preview(file)

    def _preview_of(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
        result = self._mapped([flat(it) for it in rows])
        yield Finding(
            "good", "What becomes of it",
            details=[f"{path} → {column}" for path, column in result.used.items()],
        )  # fmt: skip
        if result.unused:
            yield Finding("note", f"Not mapped: {', '.join(result.unused)}")
        for name, count in sorted(result.counts.items()):
            yield Finding(
                "note", f"{name}: {count}", details=result.odd.get(name.split(":")[0]) or []
            )
        evaluations = self._of_page(rows)
        yield Finding(
            "good", f"The first of {len(evaluations)} evaluations",
            details=[str(it.values) for it in evaluations[:_SHOWN]],
        )  # fmt: skip

    def _first_page(self, rest: Rest) -> list[dict[str, Any]]:
        end = self.work.clock.now().astimezone(UTC)
        marks = self._marks(end - timedelta(seconds=self.keys.slice), end) if rest.has_range else {}
        pages = self._pages.read(marks)
        return next(pages, [])

    def _range(self) -> tuple[datetime, datetime]:
        asked, keys = self.work.slice, self.keys
        end = self.work.clock.now().astimezone(UTC)
        assert keys.start_date is not None
        first = datetime.combine(keys.start_date, datetime.min.time(), self.mapping.zone)
        if asked.is_named:
            start = asked.start or first
            return start.astimezone(UTC), min(end, asked.end.astimezone(UTC)) if asked.end else end
        cursor = self.work.state.get(CURSOR)
        if cursor:
            first = max(first, datetime.fromisoformat(cursor) - timedelta(seconds=keys.reread))
        return first.astimezone(UTC), end

    def _marks(self, start: datetime, end: datetime) -> Mapping[str, str]:
        """The ends of a range in the system's own words and zone."""
        assert self.keys.rest is not None
        zone, written = self.mapping.zone, self.keys.rest.time_format
        return {
            "from": start.astimezone(zone).strftime(written),
            "to": end.astimezone(zone).strftime(written),
        }

    @cached_property
    def _pages(self) -> RestPages:
        from orchestration.connectors.rest import RestPages

        keys, rest = self.keys, self.keys.rest
        assert rest is not None
        secret = self.secret("secret") if keys.secret else None
        token_url = rest.auth.access_token_url
        tokens = self._http("/".join(token_url.split("/")[:3]) or keys.base_url)
        return RestPages(self._http(keys.base_url), tokens, rest, secret, keys.secret)

    def _http(self, address: str) -> Http:
        work, rest = self.work, self.keys.rest
        assert rest is not None
        return Http(
            self.keys.name, "REST", address, work.clock, work.mask, work.report,
            Pace(rest.requests_per_second, work.clock), lambda answer: None,
        )  # fmt: skip

    def _legs(self) -> Legs:
        call = self.keys.blocks.call
        return Legs(self.work.own, call.telephony, call.by, call.tolerance_seconds)

    def _mapped(self, rows: Sequence[Cells]) -> Result:
        """Rows of the API through the mapping, as rows of a file."""
        headers = list(dict.fromkeys(name for row in rows for name in row))
        mapper = Mapper(self.mapping, self._names, self._required)
        try:
            return mapper.rows(Table(headers, list(enumerate(rows, 1))))
        except Unreadable as error:
            raise Refused(
                f"{self.keys.name}: REST, {self.keys.rest and self.keys.rest.path}: {error}.",
                f"Correct {self.keys.mapping}; nothing of the page was written.",
            ) from None

    def _of_page(self, rows: Sequence[Mapping[str, Any]]) -> list[Evaluation]:
        """Evaluations of a page; its rows are counted."""
        if not rows:
            return []
        result = self._mapped([flat(it) for it in rows])
        entries = self._entries(result)
        sources = [json.dumps(it, ensure_ascii=False, sort_keys=True, default=str) for it in rows]
        for entry, source in zip(entries, sources, strict=True):
            entry.source = source
        assert self.keys.rest is not None
        self.work.report.account(self.keys.rest.path, len(rows), len(entries))
        return self._evaluations(entries)

    def _of_file(self, found: Read) -> list[Evaluation]:
        """Evaluations of a file, each with the call beside it."""
        return self._evaluations(self._entries(found.result))

    def _entries(self, result: Result) -> list[_Entry]:
        own, calls = result.rows[TABLE], result.rows[CALLS]
        return [
            _Entry(
                {name: it for name, it in values.items() if name != "call_id" and it}, call, cells
            )
            for values, call, cells in zip(own, calls, result.cells, strict=True)
        ]

    def _evaluations(self, entries: Sequence[_Entry]) -> list[Evaluation]:
        blocks = self.keys.blocks
        if blocks.flags:
            entries = self._with_criteria(entries, blocks.criteria)
        found = []
        for it in entries:
            values = {**it.values, **flags_of(blocks.flags, it.criteria)}
            source = it.source or json.dumps([values, it.call], ensure_ascii=False, sort_keys=True)
            found.append(Evaluation(source, _about(it.call), values, self._form(it.cells)))
        return of_forms(found, blocks.forms, self.work.report)

    def _form(self, cells: Cells) -> str | None:
        header = self.keys.blocks.form
        name = match([header], list(cells)) if header else None
        if header and name is None:
            raise Refused(
                f"{self.keys.name}: {self.keys.mapping}: form: there is no {header}.",
                f"It is one of: {', '.join(cells)}.",
            )
        return values.cell_text(cells.get(name)) if name else None

    def _with_criteria(
        self, entries: Sequence[_Entry], criteria: Criteria | None
    ) -> Sequence[_Entry]:
        if criteria is None:
            # Each column is a criterion; its number is that of the column.
            for it in entries:
                it.criteria = [
                    Criterion(name, values.cell_text(cell), ident=str(number))
                    for number, (name, cell) in enumerate(it.cells.items(), 1)
                ]
            return entries
        if criteria.within is not None:
            for it in entries:
                name = match([criteria.within], list(it.cells))
                listed = it.cells.get(name) if name else None
                parts = listed if isinstance(listed, list) else []
                it.criteria = [_criterion(flat(part), criteria) for part in parts]
            return entries
        # Rows of one evaluation stand together: they have all else in common.
        found = []
        for _, group in groupby(entries, lambda it: (it.call, it.values)):
            rows = list(group)
            rows[0].criteria = [_criterion(it.cells, criteria) for it in rows]
            rows[0].source = "\x1f".join(it.source for it in rows).strip("\x1f")
            found.append(rows[0])
        return found


def flat(row: Mapping[str, Any], above: str = "") -> Cells:
    """A JSON object as cells: an inner value's header is its path (`result.percent`)."""
    found: Cells = {}
    for name, value in row.items():
        path = f"{above}{name}"
        if isinstance(value, dict):
            found |= flat(value, f"{path}.")
        else:
            found[path] = value
    return found


def _criterion(cells: Cells, names: Criteria) -> Criterion:
    def text(header: str | None) -> str | None:
        name = match([header], list(cells)) if header else None
        return values.cell_text(cells.get(name)) if name else None

    return Criterion(
        text(names.name) or "", text(names.score), text(names.maximum), text(names.ident)
    )


def _about(call: Row) -> About:
    return About(
        call.get("call_id") or None,
        call.get("linked_id") or None,
        call.get("recording_url") or None,
        call.get("from_number") or None,
        _moment(call.get("started_at")),
    )


def _moment(written: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return found if found.tzinfo else None
