"""Whether the page that is there is the one of a publication; asked before NumPy is imported."""

from __future__ import annotations

import importlib.metadata

from orchestration.base.cache import Memory, code_version, version_of
from orchestration.base.settings import Settings

# The package that carries Apache ECharts: see pyproject.toml.
CARRIER = "uiwiz"


def write_unless_kept(settings: Settings, publication_id: str | None) -> None:
    """Write the page of what is published, if the present one is of something else.

    Raises WrongUse where it cannot be written.
    """
    files = [settings.dashboard_file, settings.published_file]
    version = version_of(publication_id, _echarts_version(), code_version())
    memory = Memory(settings.dashboard_memory)
    if memory.recall(version, files) is None:
        from orchestration.dashboard.page import write_dashboard

        write_dashboard(settings)
        memory.note(version, files, {})


def _echarts_version() -> str:
    try:
        return importlib.metadata.version(CARRIER)
    except importlib.metadata.PackageNotFoundError:
        # Who writes the page says what to do.
        return ""
