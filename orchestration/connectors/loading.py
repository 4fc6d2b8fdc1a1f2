"""Windows become files of the raw zone, and the state moves with them: dlt carries it out.

A load package holds one or more finished windows and the state that is true once they are in the
zone. dlt writes the package to disk, brings its files to the zone one by one and only then forgets
it; a process that is killed on the way leaves a package that the next run loads first. The zone's
writer is a destination of ours, because dlt's own filesystem destination copies a file under its
final name: a refresh could read half of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.base.errors import VoronkaError, first_line
from orchestration.connectors.clock import TICK, Clock
from orchestration.connectors.connector import LOADED_AT, Connector, Row, Window
from orchestration.connectors.errors import TryLater
from orchestration.connectors.own_rows import OwnRows
from orchestration.connectors.report import Report
from orchestration.connectors.state import SettledState
from orchestration.connectors.zone_files import file_name, put_file

if TYPE_CHECKING:
    import pyarrow as pa

# Windows share a package until it holds so many rows or so many seconds of work: a package costs a
# third of a second and a file for each table, and a kill repeats no more than this.
ROWS_IN_PACKAGE = 100_000
SECONDS_IN_PACKAGE = 120.0
DELETED = "is_deleted"
UPDATED_AT = "updated_at"


class Loader:
    """Writes the windows of one run of a connection. `state` is what is true with all of them."""

    def __init__(
        self,
        kind: type[Connector[Any]],
        connection: str,
        directory: Path,
        raw_zone: str,
        own: OwnRows,
        report: Report,
        clock: Clock,
        source: str = "",
    ) -> None:
        self._kind = kind
        self._connection = connection
        self._directory = directory
        self._raw_zone = raw_zone
        self._own = own
        self._report = report
        self._clock = clock
        self._source = source or kind.source
        self._settled = SettledState(directory)
        self._tombstones: dict[str, dict[tuple[str, ...], datetime | None]] = {}
        settled = self._settled.read()
        if settled is None:
            self._load_pending()
            settled = dict(self._stored_state())
        self.state: dict[str, Any] = settled
        self._since = clock.monotonic()

    def add(self, window: Window) -> None:
        """Take a finished window. Its rows can be read back at once, and are written together.

        They are in the zone when `commit` returns, or before.
        """
        for table, rows in window.rows.items():
            try:
                self._take(table, rows, window.known_since)
            except UnicodeEncodeError:
                # JSON can say half a character, where a system has cut a text; no file can hold it.
                self._report.counted[f"{table}: halves of characters, replaced"] += 1
                whole = [{name: _whole(it) for name, it in row.items()} for row in rows]
                self._take(table, whole, window.known_since)
        self.state.update(window.state)
        is_long = self._clock.monotonic() - self._since >= SECONDS_IN_PACKAGE
        if is_long or self._own.pending_rows >= ROWS_IN_PACKAGE:
            self.commit()

    def commit(self, **state: Any) -> None:
        """Write what is waiting, and the state with it."""
        self.state.update(state)
        if self._own.pending:
            self._settled.remove()
            self._load(self._own.pending)
            self._own.pending.clear()
        self._settled.write(self.state)
        self._since = self._clock.monotonic()

    def close(self) -> None:
        """Remove the folders of packages that are loaded; dlt leaves them for people to look at."""
        shutil.rmtree(self._directory / "dlt" / self._connection / "load" / "loaded", True)

    @cached_property
    def _pipeline(self) -> Any:
        args = (self._connection, self._directory, self._raw_zone, self._source, self._report)
        return _pipeline(*args)

    def _stored_state(self) -> Mapping[str, Any]:
        state: dict[str, Any] = self._pipeline.state.get("sources", {}).get(self._connection, {})
        return state

    def _load_pending(self) -> None:
        """What an earlier run was killed over: it comes before anything new is read."""
        with _explained(self._connection):
            prepared = self._pipeline.list_normalized_load_packages()
            if prepared:
                self._pipeline.load()
                self.close()
            self._remove_torn_packages(prepared)
            if self._pipeline.list_extracted_load_packages():
                self._pipeline.normalize()
                self._pipeline.load()

    def _remove_torn_packages(self, loaded: Sequence[str]) -> None:
        """Remove packages that a kill left between two places: dlt cannot read or resume them.

        One that was being prepared lies in both, and its copy is loaded; one without a schema was
        not yet complete, and the state does not know of its rows.
        """
        extracted = self._directory / "dlt" / self._connection / "normalize" / "extracted"
        for package in sorted(extracted.iterdir()) if extracted.is_dir() else ():
            if package.name in loaded or not (package / "schema.json").is_file():
                shutil.rmtree(package)

    def _load(self, tables: Mapping[str, list[pa.Table]]) -> None:
        import pyarrow as pa

        dlt = import_dlt()
        state, name = dict(self.state), self._connection

        def rows(table: str, parts: list[pa.Table], is_first: bool) -> Iterator[pa.Table]:
            if is_first:
                dlt.current.source_state().update(state)
            # In one piece: dlt looks at the schema of each.
            yield pa.concat_tables(parts)

        def windows() -> Any:
            for number, (table, parts) in enumerate(tables.items()):
                yield dlt.resource(
                    rows(table, parts, number == 0),
                    name=table.partition(".")[2],
                    write_disposition="append",
                )

        with _explained(self._connection):
            self._pipeline.run(dlt.source(windows, name=name)())
        for table, parts in tables.items():
            count = sum(part.num_rows for part in parts)
            self._report.written[table] += count

    def _take(self, table: str, rows: Sequence[Row], known_since: datetime | None) -> None:
        """Rows to be written, those that are there already left out."""
        rows = self._revived(table, rows)
        known = set() if known_since is None else self._own.unchanged(table, rows, known_since)
        if known:
            rows = [row for number, row in enumerate(rows) if number not in known]
        if rows:
            self._own.pending.setdefault(table, []).append(self._arrow(table, rows))
        self._report.unchanged[table] += len(known)
        if DELETED in self._own.columns(table):
            self._report.deleted[table] += sum(row.get(DELETED) == "true" for row in rows)

    def _arrow(self, table: str, rows: Sequence[Row]) -> pa.Table:
        """The rows as the contract's columns."""
        import pyarrow as pa

        columns = self._own.columns(table)
        arrays = [
            pa.array([row.get(name) for row in rows], pa.string())
            for name in columns
            if name != LOADED_AT
        ]
        stamps = pa.array([row[LOADED_AT] for row in rows], pa.timestamp("us", "UTC"))
        return pa.Table.from_arrays([*arrays, stamps], names=columns)

    def _revived(self, table: str, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows that came back after a deletion become newer than it, whatever the system says.

        The deletion has the greater time of change otherwise, and would hide them for ever.
        """
        columns = self._own.columns(table)
        if UPDATED_AT not in columns or DELETED not in columns:
            return rows
        if table not in self._tombstones:
            self._tombstones[table] = self._own.tombstones(table)
        graves = self._tombstones[table]
        if not graves and not any(row.get(DELETED) == "true" for row in rows):
            return rows
        keys = self._own.keys(table)
        found = []
        for row in rows:
            key = tuple(str(row.get(name)) for name in keys)
            if row.get(DELETED) == "true":
                graves[key] = _instant(row.get(UPDATED_AT))
            elif graves.get(key) is not None and row.get(UPDATED_AT):
                grave, own = graves[key], _instant(row[UPDATED_AT])
                if grave is not None and own is not None and own <= grave:
                    row = {**row, UPDATED_AT: text_of(grave + TICK)}
            found.append(row)
        return found


@lru_cache(maxsize=1_000)
def text_of(instant: datetime) -> str:
    """An instant as the connectors write it: ISO 8601, UTC, without empty parts of a second."""
    return instant.astimezone(UTC).isoformat()[: -len("+00:00")] + "Z"


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _whole(value: Any) -> Any:
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def import_dlt() -> Any:
    """The library, which reports to nobody and logs to nobody: what its errors say is ours to say.

    It reads these settings once, when it is imported.
    """
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
    os.environ.setdefault("LOAD__WORKERS", "2")
    os.environ.setdefault("LOAD__RAISE_ON_MAX_RETRIES", "2")
    os.environ.setdefault("LOAD__DELETE_COMPLETED_JOBS", "true")
    import dlt

    return dlt


def _pipeline(connection: str, directory: Path, raw_zone: str, source: str, report: Report) -> Any:
    import pyarrow.parquet as pq

    dlt = import_dlt()

    def raw(path: Any, table: Any) -> None:
        metadata = pq.read_metadata(path)
        if not metadata.num_rows:
            return
        column = metadata.schema.names.index(LOADED_AT)
        groups = range(metadata.num_row_groups)
        latest = max(metadata.row_group(it).column(column).statistics.max for it in groups)
        part = Path(path).name.split(".")[1]
        put_file(path, raw_zone, f"{source}/{table['name']}", file_name(connection, latest, part))
        report.files += 1

    sink: Any = dlt.destination(
        raw,
        batch_size=0,
        loader_file_format="parquet",
        name="raw_zone",
        naming_convention="direct",
        skip_dlt_columns_and_tables=True,
    )
    return dlt.pipeline(
        pipeline_name=connection,
        destination=sink,
        dataset_name=source,
        pipelines_dir=str(directory / "dlt"),
    )


@contextmanager
def _explained(connection: str) -> Iterator[None]:
    """What dlt says when the zone cannot be written, in one line."""
    try:
        yield
    except VoronkaError:
        raise
    except Exception as error:
        raise TryLater(
            f"{connection}: the raw zone could not be written: {first_line(_cause(error))}",
            "Free the disk or correct VORONKA_RAW_DIR. What was read waits in the data directory: "
            "`voronka connect run` writes it first.",
        ) from error


def _cause(error: BaseException) -> BaseException:
    """The system's own error below dlt's; the innermost where there is none."""
    found = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) and cause not in found:
        found.append(cause)
    return next((it for it in found if isinstance(it, OSError)), found[-1])
