"""Whether the present page is that of a publication; asked before NumPy is imported."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from orchestration.base.cache import CacheEntry, code_fingerprint, fingerprint_of
from orchestration.base.settings import Settings

# The package that carries Apache ECharts: see pyproject.toml.
CARRIER = "uiwiz"
_HEAD_BYTES = 4096
_PUBLICATION = re.compile(rb'<meta name="publication" content="([^"]*)">')


def write_if_changed(settings: Settings, publication_id: str | None) -> None:
    """Write the page of what is published, if the present one is of something else.

    Raises WrongUse where it cannot be written.
    """
    files = [settings.dashboard_file, settings.published_file]
    fingerprint = fingerprint_of(publication_id, _echarts_version(), code_fingerprint())
    cache = CacheEntry(settings.dashboard_cache)
    if cache.get(fingerprint, files) is None:
        from orchestration.dashboard.page import write_dashboard

        write_dashboard(settings)
        cache.put(fingerprint, files, {})


def shown_publication(file: Path) -> str | None:
    """The id of the publication that a page shows; None where there is no such page."""
    try:
        with file.open("rb") as page:
            head = page.read(_HEAD_BYTES)
    except OSError:
        return None
    found = _PUBLICATION.search(head)
    return found[1].decode() if found else None


def _echarts_version() -> str:
    try:
        return importlib.metadata.version(CARRIER)
    except importlib.metadata.PackageNotFoundError:
        # Who writes the page says what to do.
        return ""
