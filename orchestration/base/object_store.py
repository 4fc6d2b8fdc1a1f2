"""Raw zones in object stores, and DuckDB's extensions as Python packages bring them."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from orchestration.base.errors import WrongUse
from orchestration.base.sql import literal

OBJECT_STORES = ("s3://", "gs://", "gcs://", "r2://", "https://", "http://")


def object_store_extension(raw_dir: str) -> Path | None:
    """DuckDB's httpfs as its package brought it, for a zone that needs it; nothing is downloaded.

    Raises WrongUse where it is needed and not there.
    """
    if not raw_dir.startswith(OBJECT_STORES):
        return None
    extension = find_extension("httpfs")
    if extension is None:
        raise WrongUse(
            "The raw zone is in an object store, and DuckDB's httpfs extension is not installed.",
            "Install it into the environment: uv pip install duckdb-extension-httpfs==1.5.5",
        )
    return extension


def load_object_store(connection: duckdb.DuckDBPyConnection, raw_dir: str) -> None:
    """Let a session read the zone where it is in an object store."""
    extension = object_store_extension(raw_dir)
    if extension is not None:
        connection.execute(f"load {literal(str(extension))}")


def find_extension(name: str) -> Path | None:
    """The file of a DuckDB extension that a Python package brought, or None."""
    for directory in sys.path:
        for package in Path(directory).glob("duckdb_extension*"):
            for found in sorted(package.rglob(f"{name}.duckdb_extension")):
                return found
    return None
