"""On what it was measured; nothing that names the machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any


def describe() -> dict[str, Any]:
    """Cores, memory and the versions that matter."""
    return {
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "system": platform.system(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        **{
            name: version(name)
            for name in ("duckdb", "dbt-core", "dbt-duckdb", "dagster", "great-expectations")
        },
    }


def describe_spark() -> dict[str, str]:
    """The versions that matter where Spark builds."""
    return {name: version(name) for name in ("pyspark", "dbt-spark")}


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
