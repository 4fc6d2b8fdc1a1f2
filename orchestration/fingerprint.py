"""Whether anything is new since the last good refresh, asked before any heavy import.

One fingerprint stands for all that a refresh depends on: raw files, code, variables, settings and
tools. Size and time of the files that the refresh wrote are saved beside it; where both are
unchanged, there is nothing to do.
"""

from __future__ import annotations

import importlib.metadata
from contextlib import suppress
from pathlib import Path

from orchestration.base.cache import CacheEntry, code_fingerprint, file_states, fingerprint_of
from orchestration.base.errors import VoronkaError
from orchestration.base.lock import running_refresh
from orchestration.base.object_store import OBJECT_STORES
from orchestration.base.record import ERROR, Record
from orchestration.base.settings import Settings
from orchestration.models.dbt import project_fingerprint
from orchestration.publication.names import LATEST_LINK, PARQUET_LINK
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.listing import list_directory, listed_files

_TOOLS = ("dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "metricflow", "voronka")


def unchanged(settings: Settings) -> Record | None:
    """The record of the last refresh where this one would change nothing; else None.

    An object store is not asked: its listing takes a session, and has no times.
    """
    if settings.raw_zone.startswith(OBJECT_STORES) or not settings.refresh_cache.is_file():
        return None
    if running_refresh(settings) is not None:
        return None
    with suppress(OSError, VoronkaError):
        cache = CacheEntry(settings.refresh_cache)
        if cache.get(_fingerprint(settings), _outputs(settings)) is not None:
            return Record.load(settings.record_file)
    return None


def save_fingerprint(settings: Settings, record: Record) -> None:
    """Save the fingerprint of a refresh that succeeded in everything."""
    is_good = (
        record.is_published
        and record.failure is None
        and not record.failed_targets
        and not record.dashboard_failure
        and not record.count(ERROR)
    )
    if is_good and not settings.raw_zone.startswith(OBJECT_STORES):
        with suppress(OSError):
            cache = CacheEntry(settings.refresh_cache)
            cache.put(_fingerprint(settings), _outputs(settings), {})


def _fingerprint(settings: Settings) -> str:
    versions = {}
    for name in _TOOLS:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    contract = load_contract(settings.root)
    listing = list_directory(settings.raw_zone, contract)
    postgres = settings.postgres_url.get_secret_value() if settings.postgres_url else ""
    return fingerprint_of(
        settings.raw_zone,
        listed_files(settings.raw_zone, contract),
        # What lies beside the files is named by a refresh, and may stop it.
        [repr(item) for item in (*listing.drift, *listing.problems)],
        project_fingerprint(settings),
        code_fingerprint(),
        file_states([settings.root / "expectations/raw", settings.root / "expectations/marts"]),
        versions,
        # The file lies in the data directory, where the password may not stand.
        fingerprint_of(postgres, settings.postgres_prefix, settings.postgres_reader),
        [settings.postgres_access, settings.postgres_personal, settings.max_file_rows],
        [settings.engine, settings.spark, settings.spark_prefix, settings.local_facts_rows],
    )


def _outputs(settings: Settings) -> list[Path]:
    links = (settings.published_dir / name for name in (PARQUET_LINK, LATEST_LINK))
    return [
        settings.published_file,
        *(link.resolve() for link in links),
        settings.dashboard_file,
        *settings.build_files,
        settings.scorecards_file,
        settings.raw_zone_file,
        settings.postgres_file,
    ]
