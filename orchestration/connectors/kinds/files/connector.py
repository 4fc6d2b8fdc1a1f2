"""Reads people's files, each once, into the table that their mapping names (11)."""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from orchestration.base.findings import Finding
from orchestration.base.object_store import load_object_store
from orchestration.base.sql import literal, quote
from orchestration.connectors.connections import Connection, read_connections
from orchestration.connectors.connector import ALWAYS, Connector, Row, Window
from orchestration.connectors.errors import Refused
from orchestration.connectors.kinds.files import reading
from orchestration.connectors.kinds.files.keys import Column, FilesConnection, Lookup, at_root
from orchestration.connectors.kinds.files.keys import Mapping as FileMapping
from orchestration.connectors.kinds.files.mapping import Mapper, Result, table_of
from orchestration.connectors.kinds.files.reading import Reject, Unreadable
from orchestration.connectors.kinds.files.values import fold
from orchestration.connectors.loading import text_of

_GROWING = 60
_SHOWN = 10
_FILES = "files"
_CALLS = "telephony.calls"
# The column that holds a row's own id, or its owner's; what begins it keeps systems apart.
_OWN_IDS = {
    "crm.managers": "manager_id", "crm.sources": "source_id", "crm.contacts": "contact_id",
    "crm.contact_phones": "contact_id", "crm.pipelines": "pipeline_id", "crm.stages": "stage_id",
    "crm.leads": "lead_id", "crm.deals": "deal_id", "crm.deal_stage_history": "event_id",
    "crm.meetings": "meeting_id", "crm.activities": "activity_id", "crm.payments": "payment_id",
    "crm.surveys": "survey_id", _CALLS: "call_id",
}  # fmt: skip
# Their keys are calls, which come from elsewhere.
_OF_CALLS = ("telephony.call_evaluations", "telephony.call_transcripts")


@dataclass(frozen=True)
class Read:
    """What one file gave."""

    result: Result
    rejects: Sequence[Reject]
    sheets: Sequence[reading.Sheet]
    skipped: int


class Files(Connector[FilesConnection]):
    """CSV, TSV and workbooks through a mapping."""

    kind: ClassVar[str] = "files"
    title: ClassVar[str] = "Files people export (CSV, TSV, XLSX, XLS, ODS)"
    page: ClassVar[str] = "files.md"
    source: ClassVar[str] = "files"
    tables: ClassVar[Sequence[str]] = (
        "crm.managers", "crm.sources", "crm.contacts", "crm.contact_phones", "crm.pipelines",
        "crm.stages", "crm.leads", "crm.deals", "crm.deal_stage_history", "crm.meetings",
        "crm.activities", "crm.payments", "crm.surveys", "crm.quotas", "telephony.calls",
        "telephony.extensions", "telephony.call_evaluations", "telephony.call_transcripts",
        "marketing.ad_spend", "finance.sales_costs", "finance.exchange_rates",
    )  # fmt: skip
    config: ClassVar[type[Connection]] = FilesConnection

    @classmethod
    def folder_of(cls, connection: FilesConnection) -> str:
        """The folder of the mapping's table."""
        try:
            return connection.columns.table.partition(".")[0]
        except ValueError as error:
            raise Refused(
                f"{connection.name}: {error}",
                f"Correct it; `voronka connect check {connection.name} FILE --draft` writes one.",
            ) from None

    @classmethod
    def key_spaces(cls, connection: FilesConnection) -> Iterator[tuple[str, str, str]]:
        """What the ids of each table begin with; tables whose keys are no ids are looked at later.

        A mapping that cannot be read has none: checks and runs say what is wrong with it.
        """
        try:
            mapping = connection.columns
        except ValueError:
            return
        for table, columns in tables_of(mapping):
            own = _OWN_IDS.get(table)
            if own is not None:
                column = columns[own]
                start = column.prefix or (column.template or "").partition("{")[0]
                space = connection.prefix + start
                # Calls of a telephony begin with its prefix and a colon.
                yield table, space.removesuffix(":") if table == _CALLS else space, "prefix"

    @classmethod
    def same_system_hint(cls, other: str) -> str:
        """Exports of a system that another connection reads are meant to meet it."""
        return (
            f"; if both read the same system, so that equal ids are one row, write same_ids_as: "
            f"{other}."
        )

    @cached_property
    def mapping(self) -> FileMapping:
        """The connection's mapping."""
        self.folder_of(self.connection)
        return self.connection.columns

    def read(self) -> Iterator[Window]:
        """Each file whose content was never loaded, older ones first."""
        known = dict(self.work.state.get(_FILES) or {})
        files = self._files()
        for number, file in enumerate(files, 1):
            content = self._content(file)
            digest = hashlib.sha256(content).hexdigest()
            if digest in known and not self.work.slice.is_named:
                continue
            found = self._read_file(file)
            self._rejected(file, digest, found)
            rows = {
                table: [self._prefixed(table, it) for it in listed]
                for table, listed in found.result.rows.items()
            }
            self._account(file, found)
            self._refuse_rows_of_others(file, rows)
            if self.mapping.mode == "snapshot" and not found.rejects:
                rows[self.mapping.table] += self._vanished(file, rows[self.mapping.table])
            stamp = self.work.stamps.next()
            for listed in rows.values():
                for row in listed:
                    row["_loaded_at"] = stamp
            known[digest] = file.name
            yield Window(
                file.name, rows, {_FILES: dict(known)}, number / len(files), known_since=ALWAYS
            )

    def check(self) -> Iterator[Finding]:
        """The preview of the newest file."""
        files = self._files()
        yield Finding("good" if files else "note", f"{len(files)} files in {self._folder}")
        if files:
            yield from self.preview(files[-1])

    def preview(self, file: Path) -> Iterator[Finding]:
        """How a file would be read, and what would come of it; nothing is written.

        `voronka connect check NAME FILE` prints it.
        """
        try:
            found = self._read_file(file)
        except Refused as error:
            yield Finding("bad", error.message, error.remedy)
            return
        sheet, result = found.sheets[0], found.result
        how = f"{sheet.encoding}, {sheet.why}; fields between {sheet.delimiter!r}"
        sheets = ", ".join(it.name for it in found.sheets)
        yield Finding("good", f"{file.name}: {how if sheet.encoding else f'sheets {sheets}'}")
        yield Finding(
            "good",
            f"{result.count} rows; {found.skipped} empty or left out",
            details=[f"{header} → {column}" for header, column in result.used.items()],
        )
        if result.unused:
            yield Finding("note", f"Not mapped: {', '.join(result.unused)}")
        if found.rejects:
            lines = [f"line {it.line}: {it.reason}: {it.text[:80]}" for it in found.rejects]
            yield Finding("bad", f"{len(lines)} lines cannot be read", "Correct them in the file.",
                          lines[:_SHOWN])  # fmt: skip
        for name, count in sorted(result.counts.items()):
            yield Finding(
                "note", f"{name}: {count}", details=result.odd.get(name.split(":")[0], [])
            )
        keys = self.work.own.keys(self.mapping.table)
        listed = result.rows[self.mapping.table]
        double = len(listed) - len({tuple(it.get(key) for key in keys) for it in listed})
        if double:
            yield Finding("note", f"{double} rows have a key that stands before")
        yield Finding(
            "good",
            f"The first of {len(listed)} rows of {self.mapping.table}",
            details=[str({k: v for k, v in it.items() if v is not None}) for it in listed[:_SHOWN]],
        )

    @staticmethod
    def draft(file: Path) -> str:
        """A mapping to begin with, in YAML, made from the headers of a file.

        `voronka connect check NAME FILE --draft` prints it. Raises Refused for what is no table.
        """
        from orchestration.connectors.kinds.files.drafts import draft

        return draft(file)

    @property
    def _folder(self) -> Path:
        return at_root(self.connection.folder)

    def _files(self) -> list[Path]:
        try:
            there = [it for it in self._folder.iterdir() if it.is_file()]
        except OSError as error:
            raise Refused(
                f"{self.connection.name}: the folder {self._folder} cannot be read: "
                f"{error.strerror}.",
                "Correct folder, or make it and put the exports there.",
            ) from None
        now = self.work.clock.now().timestamp()
        found = []
        for file in there:
            is_ours = any(fnmatch.fnmatch(file.name, it) for it in self.mapping.files)
            if not is_ours or file.name.startswith(("~$", ".")):
                continue
            if 0 <= now - file.stat().st_mtime < _GROWING:
                self.work.report.warn(f"{file.name} was changed a moment ago: left for later.")
                continue
            found.append(file)
        return sorted(found, key=lambda it: (it.stat().st_mtime, it.name))

    def _content(self, file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise Refused(
                f"{self.connection.name}: {file} cannot be read: {error.strerror}.",
                "Check its rights.",
            ) from None

    def _read_file(self, file: Path) -> Read:
        mapper = Mapper(self.mapping, self._names, self._required)
        try:
            sheets = sheets_of(file, self.mapping)
            tables = [table_of(it, self.mapping) for it in sheets]
            results = [mapper.rows(it) for it in tables]
        except (Unreadable, OSError) as error:
            raise Refused(
                f"{self.connection.name}: {file.name}: {error}.",
                "Correct the mapping or the file; nothing of the file was written.",
            ) from None
        whole = results[0]
        for more in results[1:]:
            for table, rows in more.rows.items():
                whole.rows.setdefault(table, []).extend(rows)
            whole.cells += more.cells
            whole.counts += more.counts
            whole.count += more.count
        rejects = [reject for sheet in sheets for reject in sheet.rejects]
        return Read(whole, rejects, sheets, sum(it.skipped for it in tables))

    def _rejected(self, file: Path, digest: str, found: Read) -> None:
        """Keep the lines that are no rows; stop where they are too many."""
        if not found.rejects:
            return
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["file", "line", "reason", "text"])
        for it in found.rejects:
            writer.writerow([file.name, it.line, it.reason, it.text])
        folder = self.work.settings.connections_dir / self.connection.name / "rejects"
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{digest}.csv"
        place.write_text(out.getvalue(), encoding="utf-8")
        share = len(found.rejects) / (len(found.rejects) + found.result.count)
        if share > self.mapping.max_reject_share:
            error = Refused(
                f"{self.connection.name}: {file.name}: {len(found.rejects)} lines cannot be read, "
                f"more than max_reject_share allows; nothing of the file was written.",
                f"Correct the lines (all are in {place}), or raise max_reject_share.",
            )
            error.details = [
                f"line {it.line}: {it.reason}: {it.text[:80]}" for it in found.rejects[:_SHOWN]
            ]
            raise error
        self.work.report.warn(f"{file.name}: {len(found.rejects)} lines rejected, see {place}.")

    def _account(self, file: Path, found: Read) -> None:
        report = self.work.report
        count, rejected = found.result.count, len(found.rejects)
        report.account(file.name, count + rejected, count, rejected=rejected)
        report.counted[f"{file.name}: rows left out"] += found.skipped
        for name, number in found.result.counts.items():
            report.counted[f"{file.name}: {name}"] += number

    def _refuse_rows_of_others(self, file: Path, rows: Mapping[str, Sequence[Row]]) -> None:
        """Stop where a row's key is no id, and another connection's files have it already.

        A month's costs that stand in two places would be those of the later file alone.
        """
        for table, listed in rows.items():
            if table in _OWN_IDS or table in _OF_CALLS:
                continue
            keys = self.work.own.keys(table)
            there = {tuple(row.get(key) for key in keys) for row in listed}
            for other in self._others(table):
                known = self.work.own.of(other).select(
                    table, keys, "is_deleted is distinct from 'true'"
                )
                both = sorted(there & set(known), key=str)
                if both:
                    raise Refused(
                        f"{self.connection.name}: {file.name}: {len(both)} rows of {table} have "
                        f"keys that {other} has written; nothing of the file was written.",
                        f"Take them out of one of the files, or write same_ids_as: {other} if the "
                        "file that is read later shall count.",
                        [", ".join(f"{name} {it}" for name, it in zip(keys, key, strict=True))
                         for key in both[:_SHOWN]],
                    )  # fmt: skip

    def _others(self, table: str) -> Iterator[str]:
        """Other connections of files that fill a table, and not on purpose the same rows."""
        from orchestration.connectors.registry import all_kinds

        own = self.connection
        for other in read_connections(self.work.settings, all_kinds()).values():
            if other.name == own.name or not isinstance(other, FilesConnection):
                continue
            if other.name in own.partners or own.name in other.partners:
                continue
            with suppress(ValueError):
                if table in dict(tables_of(other.columns)):
                    yield other.name

    def _vanished(self, file: Path, rows: Sequence[Row]) -> list[Row]:
        """Tombstones of keys that an earlier file had and this whole export lacks."""
        table = self.mapping.table
        keys = self.work.own.keys(table)
        there = {tuple(row.get(key) for key in keys) for row in rows}
        before = self.work.own.select(table, keys, "is_deleted is distinct from 'true'")
        gone = [key for key in before if key not in there]
        if len(gone) > self.mapping.max_deleted_share * len(before):
            raise Refused(
                f"{self.connection.name}: {file.name} lacks {len(gone)} of {len(before)} rows "
                "that were there: it does not look like a whole export. Nothing was written.",
                "Export everything, or raise max_deleted_share for one run.",
            )
        # Rows that have a time of change hide a deletion that has none.
        has_time = "updated_at" in self.mapping.columns
        at = text_of(self.work.stamps.next()) if has_time else None
        return [
            {**dict(zip(keys, key, strict=True)), "is_deleted": "true", "updated_at": at}
            for key in gone
        ]

    def _prefixed(self, table: str, row: Row) -> Row:
        prefix, prefixed = self.connection.prefix, self._with_prefix[table]
        if not prefix:
            return row
        return {
            name: prefix + it if it is not None and name in prefixed else it
            for name, it in row.items()
        }

    @cached_property
    def _with_prefix(self) -> Mapping[str, frozenset[str]]:
        """By table the columns that hold this system's ids. Those of a lookup are the zone's."""
        lookups = self.mapping.lookups
        return {
            table: frozenset(
                name
                for name, column in columns.items()
                if name.endswith("_id")
                and not (column.lookup and lookups[column.lookup].source is not None)
            )
            for table, columns in tables_of(self.mapping)
        }

    @cached_property
    def _required(self) -> dict[str, set[str]]:
        return {
            name: {it.name for it in table.columns if it.is_key or it.is_required}
            for name, table in self.work.contract.tables.items()
        }

    def _names(self, lookup: Lookup) -> Mapping[str, str]:
        if lookup.map is not None:
            return {fold(str(key)): str(value) for key, value in lookup.map.items()}
        key = (lookup.source, lookup.key, lookup.value)
        if key not in self._looked:
            self._looked[key] = self._from_zone(lookup)
        return self._looked[key]

    @cached_property
    def _looked(self) -> dict[tuple[str | None, ...], Mapping[str, str]]:
        return {}

    def _from_zone(self, lookup: Lookup) -> Mapping[str, str]:
        """Ids by folded name from a table of the raw zone, whoever wrote it."""
        import duckdb

        folder = f"{self.work.settings.raw_zone}/{str(lookup.source).replace('.', '/')}"
        name, value = quote(str(lookup.key)), quote(str(lookup.value))
        with duckdb.connect() as session:
            load_object_store(session, folder)
            files = literal(f"{folder}/**/*.parquet")
            if not session.execute(f"select count(*) from glob({files})").fetchall()[0][0]:
                return {}
            rows = session.execute(
                f"select distinct {name}::varchar, {value}::varchar from "
                f"(select *, row_number() over (partition by {value} "
                f"order by _loaded_at desc) as n from read_parquet({files}, union_by_name = true)) "
                "where n = 1"
            ).fetchall()
        found: dict[str, str] = {}
        for text, row_id in rows:
            if text is None:
                continue
            if found.setdefault(fold(text), row_id) != row_id:
                raise Unreadable(
                    f"two rows of {lookup.source} are called {text}; write a map for the lookup"
                )
        return found


def tables_of(mapping: FileMapping) -> list[tuple[str, Mapping[str, Column]]]:
    """The tables that a mapping fills, with their columns."""
    return [
        (mapping.table, mapping.columns),
        *((it.table, it.columns) for it in mapping.extra_tables),
    ]


def sheets_of(file: Path, mapping: FileMapping | None) -> list[reading.Sheet]:
    """The sheets of a file, a text file being one. Raises Unreadable."""
    read = mapping.read if mapping else None
    if file.suffix.lower() in reading.WORKBOOKS:
        return reading.read_workbook(file, read.sheets if read else ())
    return [
        reading.read_csv(
            file.read_bytes(),
            read.encoding if read else "auto",
            read.delimiter if read else "auto",
            # A draft looks for the headers itself.
            read is None or bool(read.header.find) or min(read.header.rows or [1]) > 1,
        )
    ]
