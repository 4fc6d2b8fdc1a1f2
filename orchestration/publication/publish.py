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

import duckdb

from orchestration.base.cache import CacheEntry, build_fingerprint, file_states, fingerprint_of
from orchestration.base.errors import ChecksFailed, PublicationFailed, first_line
from orchestration.base.files import forbid_writing, remove_drafts, sync
from orchestration.base.outside import FactOnCluster
from orchestration.base.record import STEPS, Record
from orchestration.base.settings import Settings
from orchestration.base.sql import literal
from orchestration.models.dbt import PublishedModel
from orchestration.models.handover import handed_over
from orchestration.publication.database import Edition, write_database
from orchestration.publication.guard import refuse_shrinking
from orchestration.publication.names import LATEST_LINK, PARQUET_LINK
from orchestration.publication.parquet import write_parquet

PARQUET_SCHEMA = "marts"
REQUIRED_STEPS = STEPS[:-1]

_DRAFT = ".tmp"


@dataclass(frozen=True)
class Publication:
    """What was published; `rows` by full table name.

    `outside` are facts that lie on a cluster: the file has views of them, and no Parquet copy.
    """

    publication_id: str
    file: Path
    as_of_date: date | None
    rows: dict[str, int]
    outside: tuple[FactOnCluster, ...] = ()
    is_unchanged: bool = False


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
        [(it.full_name, it.location) for it in handed_over(settings) if it.stays],
        *(record.raw_dir, record.is_demo, record.drift, _content_id(settings, version)),
        sorted(map(str, record.checks)),
    )
    cached = cache.get(source, _published_files(settings))
    if cached is not None:
        as_of = date.fromisoformat(cached["as_of_date"]) if cached["as_of_date"] else None
        file = settings.published_file
        outside = tuple(FactOnCluster(**fact) for fact in cached["outside"])
        return Publication(cached["publication_id"], file, as_of, cached["rows"], outside, True)
    # `--full` clears the cache, and writes all.
    previous = _parquet_folder(settings) if settings.publication_cache.is_file() else None
    cache.clear()
    done = publish(settings, models, record, version, previous)
    content = {
        "publication_id": done.publication_id,
        "as_of_date": done.as_of_date and done.as_of_date.isoformat(),
        "rows": done.rows,
        "outside": [asdict(fact) for fact in done.outside],
    }
    cache.put(source, _published_files(settings), content)
    return done


def _tables_fingerprint(settings: Settings, models: Sequence[PublishedModel]) -> str:
    """Fingerprint of all published tables: their rows and descriptions."""
    return fingerprint_of(build_fingerprint(settings), [asdict(model) for model in models])


def _published_files(settings: Settings) -> list[Path]:
    links = (settings.published_dir / name for name in (PARQUET_LINK, LATEST_LINK))
    return [settings.published_file, *(link.resolve() for link in links)]


def _parquet_folder(settings: Settings) -> Path:
    return (settings.published_dir / PARQUET_LINK).resolve()


def publish(
    settings: Settings,
    models: Sequence[PublishedModel],
    record: Record,
    version: str,
    previous: Path | None = None,
) -> Publication:
    """Replace the published set with the build's.

    `previous` is the folder of Parquet files from which unchanged months are taken over.
    Raises ChecksFailed if a blocking check failed or a step is missing, PublicationFailed if the
    set cannot be written. In both cases the present set stays and nothing is left behind.
    """
    _refuse_unchecked(record)
    directory = settings.published_dir
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{_content_id(settings, version)}"
    final = directory / f"parquet-{name}"
    file = directory / f"{settings.published_file.name}.{os.getpid()}{_DRAFT}"
    folder = directory / f"parquet-{os.getpid()}{_DRAFT}"
    is_replaced = False
    try:
        directory.mkdir(parents=True, exist_ok=True)
        remove_drafts(directory)
        contents = write_database(file, settings, models, record, Edition(name, version, now))
        refuse_shrinking(settings.published_file, models, contents.rows, record)
        marts = [model for model in models if model.schema == PARQUET_SCHEMA]
        with duckdb.connect(str(file), read_only=True, config=settings.session()) as connection:
            connection.execute("set TimeZone = 'UTC'")
            outside = {fact.table: fact.location for fact in contents.outside}
            write_parquet(connection, folder, marts, name, previous, settings.threads, outside)
        forbid_writing(file)
        sync(file)
        os.rename(folder, final)
        link = directory / PARQUET_LINK
        link_draft = _link_draft(link, final.name)
        # Another name of the link: it follows each switch by itself.
        os.replace(_link_draft(directory / LATEST_LINK, PARQUET_LINK), directory / LATEST_LINK)
        # Nothing but two renames stands between the old set and the new one.
        os.replace(file, settings.published_file)
        is_replaced = True
        os.replace(link_draft, link)
        sync(directory)
    except (duckdb.Error, OSError) as error:
        _remove_unnamed(directory, final)
        raise _failure(error, directory, is_replaced) from error
    finally:
        # What has got its place is no draft any more.
        for path in (file, Path(f"{file}.wal")):
            path.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        _remove_old_folders(directory)
    return Publication(
        name,
        settings.published_file,
        contents.as_of_date,
        dict(contents.rows),
        tuple(contents.outside),
    )


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
