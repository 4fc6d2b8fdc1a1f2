"""Write, audit, publish: the last step of a refresh.

The published set is one DuckDB file and a folder of Parquet files. Both are written beside the
present ones and take their place by a rename, so that readers see the old set or the new one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.cache import CacheEntry, build_fingerprint, file_states, fingerprint_of
from orchestration.base.errors import ChecksFailed, PublicationFailed, first_line
from orchestration.base.files import forbid_writing, remove_drafts, sync
from orchestration.base.record import ERROR, FAIL, PASS, STEPS, WARN, Record
from orchestration.base.settings import Settings
from orchestration.base.sql import insert, literal, quote
from orchestration.models.dbt import PublishedModel
from orchestration.publication.guard import refuse_shrinking
from orchestration.publication.names import LATEST_LINK, PARQUET_LINK
from orchestration.publication.parquet_manifest import described_files, write_manifest

PARQUET_SCHEMA = "marts"
RUSSIAN_SCHEMA = "marts_ru"
REQUIRED_STEPS = STEPS[:-1]

_DRAFT = ".tmp"
# Tables that no model makes.
_OWN_TABLES = (
    PublishedModel(
        "quality",
        "publication",
        (),
        "One row: what this file is, when it was made, from what and how it was found.",
        {
            "publication_id": "When the set was published and what it was made from.",
            "project_version": "Version of Voronka.",
            "as_of_date": "The warehouse's today: the local day of the latest event.",
            "published_at": "When the file was written.",
            "raw_dir": "The raw zone.",
            "is_demo": "Whether that is the demo company.",
            "raw_files": "Files in the raw zone.",
            "raw_rows": "Rows in them, all versions and deletions included.",
            "rows_quarantined": "Rows that broke the contract; they are in `quarantine`.",
            "checks_passed": "Checks that found nothing.",
            "checks_warned": "Checks that found what does not stop a publication.",
            "checks_failed": "Checks that failed without stopping the publication.",
        },
    ),
    PublishedModel(
        "quality",
        "raw_files",
        (),
        "The raw files that this publication was made from.",
        {
            "table_name": "Raw table, as `crm.deals`.",
            "file": "Path of the file in the raw zone.",
            "rows": "Rows by the file's footer.",
            "bytes": "Size of the file.",
        },
    ),
    PublishedModel(
        "quality",
        "checks",
        (),
        "Every check of the refresh that made this file.",
        {
            "check_name": "What is checked.",
            "kind": "Who checks: `dbt`, `metricflow`, `gx` (Great Expectations) or `voronka`.",
            "asset": "The table that is checked.",
            "severity": "`error`: a failure stops the publication; `warn`: it does not.",
            "status": "`pass`, `warn`, `fail`, or `error`: the check itself broke.",
            "failing_rows": "Rows that it found; NULL where it does not count rows.",
            "message": "What it found, in words.",
        },
    ),
    PublishedModel(
        "quality",
        "schema_drift",
        (),
        "Columns, files and folders of the raw zone that the contract does not know.",
        {
            "table_name": "Raw table, as `crm.deals`, or the folder that is none.",
            "file": "Path of the file in the raw zone; NULL for such a folder.",
            "column_name": "The unknown column; NULL for a file or a folder.",
            "data_type": "The column's type.",
        },
    ),
)


@dataclass(frozen=True)
class Publication:
    """What was published; `rows` by full table name."""

    publication_id: str
    file: Path
    as_of_date: date | None
    rows: dict[str, int]
    is_unchanged: bool = False


class Draft:
    """A new set on its way, beside the present one.

    `write` does all that the dbt models decide; what the checks and the metrics layer decide is
    added by `publish`, which alone gives the set its place.
    """

    def __init__(self, settings: Settings, models: Sequence[PublishedModel]) -> None:
        directory = settings.published_dir
        self.settings = settings
        self.models = models
        self.built = [model for model in models if not model.is_scorecard]
        self.scorecards = [model for model in models if model.is_scorecard]
        self.file = directory / f"{settings.published_file.name}.{os.getpid()}{_DRAFT}"
        self.parquet = directory / f"parquet-{os.getpid()}{_DRAFT}"
        self.rows: dict[str, int] = {}
        self.files: list[dict[str, Any]] = []
        # Open until the set is complete: one checkpoint writes all of it.
        self.connection: duckdb.DuckDBPyConnection | None = None

    def write(self) -> Draft:
        """Copy the models' tables, with their descriptions, and the marts as Parquet.

        Raises duckdb.Error and OSError where they cannot be written.
        """
        self.settings.published_dir.mkdir(parents=True, exist_ok=True)
        remove_drafts(self.settings.published_dir)
        try:
            self.connection = duckdb.connect(str(self.file), config=self.settings.session())
            self._write_tables(self.connection)
            self._write_parquet(self.connection)
        except BaseException:
            self.remove()
            raise
        return self

    def remove(self) -> None:
        """Leave nothing behind; what has got its place is no draft any more."""
        self.close()
        self.file.unlink(missing_ok=True)
        Path(f"{self.file}.wal").unlink(missing_ok=True)
        shutil.rmtree(self.parquet, ignore_errors=True)

    def close(self) -> None:
        """Let the file go, which others can then read."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _write_tables(self, connection: duckdb.DuckDBPyConnection) -> None:
        build = self.settings.build_file
        connection.execute("set TimeZone = 'UTC'")
        # Views of the build name their catalogue, so all files keep their own names.
        for file in (build, self.settings.raw_zone_file):
            connection.execute(f"attach {literal(str(file))} as {quote(file.stem)} (read_only)")
        for schema in sorted({model.schema for model in self.models} | {"quality"}):
            connection.execute(f"create schema {quote(schema)}")
        connection.execute("begin")
        for model in self.built:
            self.rows[model.full_name] = _copy_table(connection, build.stem, model)
        _create_russian_views(connection, self.built)
        connection.execute("commit")
        _describe_all(connection, self.built)

    def _write_parquet(self, connection: duckdb.DuckDBPyConnection) -> None:
        """A file for each mart. Rows keep their order, so the same rows give the same bytes."""
        self.parquet.mkdir()
        marts = [model for model in self.built if model.schema == PARQUET_SCHEMA]
        for model in marts:
            target = self.parquet / f"{model.name}.parquet"
            connection.execute(
                f"copy (select * from {quote(model.schema)}.{quote(model.name)}) "
                f"to {literal(str(target))} (format parquet, compression zstd)"
            )
            forbid_writing(target)
            sync(target)
        self.files = described_files(connection, self.parquet, marts)


def publish_news(
    settings: Settings,
    models: Sequence[PublishedModel],
    record: Record,
    version: str,
) -> Publication:
    """`publish`, unless it would change nothing: `is_unchanged` then says so."""
    _refuse_unchecked(record)
    cache = CacheEntry(settings.publication_cache)
    tables = _tables_fingerprint(settings, models)
    source = fingerprint_of(
        tables,
        file_states([settings.scorecards_file]),
        *(record.raw_dir, record.is_demo, record.drift, _content_id(settings, version)),
        sorted(map(str, record.checks)),
    )
    cached = cache.get(source, _published_files(settings))
    if cached is not None:
        as_of = date.fromisoformat(cached["as_of_date"]) if cached["as_of_date"] else None
        file = settings.published_file
        return Publication(cached["publication_id"], file, as_of, cached["rows"], is_unchanged=True)
    cache.clear()
    done = publish(settings, models, record, version)
    content = {
        "publication_id": done.publication_id,
        "as_of_date": done.as_of_date and done.as_of_date.isoformat(),
        "rows": done.rows,
    }
    cache.put(source, _published_files(settings), content)
    return done


def _tables_fingerprint(settings: Settings, models: Sequence[PublishedModel]) -> str:
    """Fingerprint of all published tables: their rows and descriptions."""
    return fingerprint_of(build_fingerprint(settings), [asdict(model) for model in models])


def _published_files(settings: Settings) -> list[Path]:
    links = (settings.published_dir / name for name in (PARQUET_LINK, LATEST_LINK))
    return [settings.published_file, *(link.resolve() for link in links)]


def publish(
    settings: Settings,
    models: Sequence[PublishedModel],
    record: Record,
    version: str,
) -> Publication:
    """Replace the published set with the build's.

    Raises ChecksFailed if a blocking check failed or a step is missing, PublicationFailed if the
    set cannot be written. In both cases the present set stays and nothing is left behind.
    """
    _refuse_unchecked(record)
    directory = settings.published_dir
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{_content_id(settings, version)}"
    final = directory / f"parquet-{name}"
    draft: Draft | None = None
    is_replaced = False
    try:
        draft = Draft(settings, models).write()
        publication = _complete(draft, record, version, name, now)
        refuse_shrinking(settings.published_file, models, draft.rows, record)
        write_manifest(draft.parquet, name, draft.files)
        sync(draft.parquet)
        forbid_writing(draft.file)
        sync(draft.file)
        os.rename(draft.parquet, final)
        link = directory / PARQUET_LINK
        link_draft = _link_draft(link, final.name)
        # Another name of the link: it follows each switch by itself.
        os.replace(_link_draft(directory / LATEST_LINK, PARQUET_LINK), directory / LATEST_LINK)
        # Nothing but two renames stands between the old set and the new one.
        os.replace(draft.file, settings.published_file)
        is_replaced = True
        os.replace(link_draft, link)
        sync(directory)
    except (duckdb.Error, OSError) as error:
        _remove_unnamed(directory, final)
        raise _failure(error, directory, is_replaced) from error
    finally:
        if draft is not None:
            draft.remove()
        _remove_old_folders(directory)
    return publication


def _refuse_unchecked(record: Record) -> None:
    missing = [name for name in REQUIRED_STEPS if name not in record.finished_steps]
    if missing:
        raise ChecksFailed(
            f"The build was not checked: {', '.join(missing)} did not finish.",
            "Run the whole job: `voronka refresh`.",
        )
    if record.blocking:
        raise ChecksFailed(
            f"{len(record.blocking)} blocking checks failed.",
            "Correct the data or the models, then refresh again.",
            [f"{check.name}: {check.message}" for check in record.blocking],
        )


def _content_id(settings: Settings, version: str) -> str:
    """Eight digits that depend on the raw files, the variables and the version alone."""
    state = hashlib.sha256(f"{version}|{sorted(settings.variables.as_json().items())}".encode())
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(str(settings.raw_zone_file))} as raw_zone (read_only)")
        for row in connection.execute(
            "select table_name, file, rows, bytes from raw_zone.zone.files order by all"
        ).fetchall():
            state.update(repr(row).encode())
    return state.hexdigest()[:8]


def _complete(draft: Draft, record: Record, version: str, name: str, now: datetime) -> Publication:
    """Add to a draft what the metrics layer made and what the checks found, and write it out."""
    settings, connection = draft.settings, draft.connection
    assert connection is not None
    attached = [settings.build_file, settings.raw_zone_file]
    if draft.scorecards:
        file = settings.scorecards_file
        connection.execute(f"attach {literal(str(file))} as {quote(file.stem)} (read_only)")
        attached.append(file)
    connection.execute("begin")
    for model in draft.scorecards:
        rows = _copy_table(connection, settings.scorecards_file.stem, model)
        draft.rows[model.full_name] = rows
    as_of = _as_of(connection, settings.build_file.stem)
    _write_quality(connection, settings, record, version, name, now, as_of, draft.rows)
    connection.execute("commit")
    _describe_all(connection, [*_OWN_TABLES, *draft.scorecards])
    for file in attached:
        connection.execute(f"detach {quote(file.stem)}")
    connection.execute("checkpoint")
    draft.close()
    return Publication(name, settings.published_file, as_of, draft.rows)


def _copy_table(
    connection: duckdb.DuckDBPyConnection, catalogue: str, model: PublishedModel
) -> int:
    table = f"{quote(model.schema)}.{quote(model.name)}"
    order = ", ".join(f"{quote(column)} nulls first" for column in model.grain) or "all"
    found = connection.execute(
        f"create table {table} as select * from {quote(catalogue)}.{table} order by {order}"
    ).fetchone()
    return int(found[0]) if found else 0


def _create_russian_views(
    connection: duckdb.DuckDBPyConnection, models: Sequence[PublishedModel]
) -> None:
    """The marts under Russian column names; no view names its catalogue, so any may attach it."""
    connection.execute(f"create schema {quote(RUSSIAN_SCHEMA)}")
    for model in models:
        if model.russian_names:
            listed = ", ".join(
                f"{quote(column)} as {quote(name)}" for column, name in model.russian_names.items()
            )
            connection.execute(
                f"create view {quote(RUSSIAN_SCHEMA)}.{quote(model.name)} as "
                f"select {listed} from {quote(model.schema)}.{quote(model.name)}"
            )


def _describe_all(connection: duckdb.DuckDBPyConnection, models: Sequence[PublishedModel]) -> None:
    """Give tables and columns the descriptions of the models as comments.

    Apart from the tables: one transaction for both takes a second and a half longer.
    """
    present = set(
        connection.execute(
            "select schema_name, table_name, lower(column_name) from duckdb_columns() "
            "where database_name = current_database()"
        ).fetchall()
    )
    connection.execute("begin")
    for model in models:
        described = [("table", model.schema, model.columns)]
        if model.russian_names:
            texts = {
                name: model.columns[column]
                for column, name in model.russian_names.items()
                if column in model.columns
            }
            described.append(("view", RUSSIAN_SCHEMA, texts))
        for kind, schema, columns in described:
            relation = f"{quote(schema)}.{quote(model.name)}"
            comments = [
                f"comment on column {relation}.{quote(column)} is {literal(text)}"
                for column, text in columns.items()
                if (schema, model.name, column.lower()) in present
            ]
            if model.description:
                comments.append(f"comment on {kind} {relation} is {literal(model.description)}")
            if comments:
                connection.execute("; ".join(comments))
    connection.execute("commit")


def _as_of(connection: duckdb.DuckDBPyConnection, catalogue: str) -> date | None:
    found = connection.execute(
        f"select max(as_of_date) from {quote(catalogue)}.intermediate.int_refresh__as_of"
    ).fetchone()
    return found[0] if found else None


def _write_quality(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    record: Record,
    version: str,
    name: str,
    now: datetime,
    as_of: date | None,
    rows: dict[str, int],
) -> None:
    quarantined = sum(count for table, count in rows.items() if table.startswith("quarantine."))
    connection.execute(
        "create table quality.publication (publication_id varchar, project_version varchar, "
        "as_of_date date, published_at timestamptz, raw_dir varchar, is_demo boolean, "
        "raw_files bigint, raw_rows bigint, rows_quarantined bigint, checks_passed bigint, "
        "checks_warned bigint, checks_failed bigint)"
    )
    insert(
        connection,
        "quality.publication",
        [
            (
                *(name, version, as_of.isoformat() if as_of else None, now.isoformat()),
                *(record.raw_dir, record.is_demo, record.raw_files, record.raw_rows, quarantined),
                *(record.count(PASS), record.count(WARN), record.count(FAIL, ERROR)),
            )
        ],
    )
    raw_zone = quote(settings.raw_zone_file.stem)
    for table, columns in (
        ("raw_files", "table_name, file, rows, bytes from {}.zone.files"),
        ("schema_drift", "* from {}.zone.schema_drift"),
    ):
        connection.execute(
            f"create table quality.{table} as select {columns.format(raw_zone)} order by all"
        )
    connection.execute(
        "create table quality.checks (check_name varchar, kind varchar, asset varchar, "
        "severity varchar, status varchar, failing_rows bigint, message varchar)"
    )
    insert(
        connection,
        "quality.checks",
        [
            (c.name, c.kind, c.asset, c.severity, c.status, c.failing_rows, c.message)
            for c in sorted(record.checks, key=lambda check: (check.kind, check.asset, check.name))
        ],
    )


def _link_draft(link: Path, target: str) -> Path:
    """A link to the target, ready to take the place of `link`."""
    if link.is_dir() and not link.is_symlink():
        # Somebody copied the folder instead of the link; what is in it is ours and old.
        shutil.rmtree(link)
    draft = link.with_name(f"{link.name}.{os.getpid()}{_DRAFT}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    return draft


def _remove_unnamed(directory: Path, folder: Path) -> None:
    """Remove a new folder that the link does not name: nobody reads it."""
    link = directory / PARQUET_LINK
    if not link.is_symlink() or os.readlink(link) != folder.name:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_old_folders(directory: Path) -> None:
    """Keep the folder that the link names and the one before it: somebody may be reading."""
    link = directory / PARQUET_LINK
    current = os.readlink(link) if link.is_symlink() else ""
    folders = sorted(path for path in directory.glob("parquet-*") if path.is_dir())
    others = [path for path in folders if path.name != current]
    for path in others[:-1] if current else others:
        shutil.rmtree(path, ignore_errors=True)


def _failure(error: Exception, directory: Path, is_replaced: bool) -> PublicationFailed:
    text = first_line(error)
    state = "The published file is the old one."
    if is_replaced:
        state = "The published file is the new one, the Parquet files beside it may be the old."
    is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if is_full or "No space left" in text or "File too large" in text or "Could not write" in text:
        return PublicationFailed(
            f"The disk is full: {directory} could not be written. {state}",
            "Free space there, or set VORONKA_DATA_DIR to a larger disk; then refresh again.",
        )
    return PublicationFailed(
        f"The publication could not be written: {text} {state}",
        f"Look at {directory} and its rights, then refresh again.",
    )
