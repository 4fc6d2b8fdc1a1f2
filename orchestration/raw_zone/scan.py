"""A raw zone held against the contract, from names and footers alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestration.base.object_store import OBJECT_STORES, load_object_store
from orchestration.base.settings import MAX_FILE_ROWS
from orchestration.raw_zone.contract import Contract, Table
from orchestration.raw_zone.footers import problems_of_footers, read_footers
from orchestration.raw_zone.listing import list_directory, list_object_store
from orchestration.raw_zone.zone import Drift, RawFile, RawTable, RawZone

# Loaders mark their own columns; they are no news.
_LOADERS_COLUMNS = "_dlt_"


def scan(raw_dir: Path | str, contract: Contract, max_rows: int = MAX_FILE_ROWS) -> RawZone:
    """List a raw zone's files and judge their footers against the contract.

    Problems are collected in the result, not raised; WrongUse is raised where there is no zone to
    read at all. `max_rows` is the setting `max_file_rows`.
    """
    root = str(raw_dir).rstrip("/") or "/"
    with duckdb.connect() as connection:
        if root.startswith(OBJECT_STORES):
            load_object_store(connection, root)
            listing = list_object_store(connection, root, contract)
        else:
            root = os.path.abspath(root)
            listing = list_directory(root, contract)
        files, unreadable = read_footers(connection, root, listing.files)
    problems = [*listing.problems, *unreadable]
    tables, drift = [], list(listing.drift)
    for table in contract.tables.values():
        found = tuple(
            files[path] for path in listing.files.get(table.full_name, []) if path in files
        )
        tables.append(RawTable(table, found))
        problems += problems_of_footers(table, found, max_rows)
        drift += _extra_columns(table, found)
    return RawZone(root, tuple(tables), tuple(drift), tuple(problems))


def _extra_columns(table: Table, files: Iterable[RawFile]) -> list[Drift]:
    drift = []
    for file in files:
        known = {file.position(column.name) for column in table.columns}
        drift += [
            Drift(table.full_name, file.path, name, data_type)
            for position, (name, data_type) in enumerate(file.columns)
            if position not in known and not name.lower().startswith(_LOADERS_COLUMNS)
        ]
    return drift
