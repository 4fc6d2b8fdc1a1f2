"""What was found in a raw zone: tables, files, and what the contract does not know."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestration.base.errors import ContractBroken, Problem
from orchestration.raw_zone.contract import Table

# The type of a structure, a list or a map, whatever it holds.
NESTED = "NESTED"


@dataclass(frozen=True)
class RawFile:
    """A Parquet file: its path relative to the raw directory, rows, bytes and top-level columns.

    `columns` are (name, DuckDB type) in file order; `shape` is the whole schema, depth first, with
    the number of parts of each nested column: files of one shape can be read together.
    `stored` has the physical type of each column, for engines that DuckDB's types do not tell
    enough. `unpacked_bytes` is what the footer declares. `stamp` tells a file that was rewritten
    under its old name, which no exporter should do; empty in an object store.
    """

    path: str
    rows: int
    bytes: int
    columns: tuple[tuple[str, str], ...]
    shape: tuple[tuple[str, str, int], ...]
    stamp: str = ""
    unpacked_bytes: int = 0
    stored: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, int, int, str]:
        """What tells one version of a file from another."""
        return self.path, self.rows, self.bytes, self.stamp

    def position(self, name: str) -> int | None:
        """Where the column stands, matched without case; the exact spelling wins."""
        names = [column for column, _ in self.columns]
        if name in names:
            return names.index(name)
        lowered = [column.lower() for column in names]
        return lowered.index(name.lower()) if name.lower() in lowered else None


@dataclass(frozen=True)
class Drift:
    """Something that the contract does not know: a column, a file or a folder. Never fatal.

    `table` is `crm.deals`; of a folder that is no table, its path with dots; empty for a file
    beside the sources.
    """

    table: str
    file: str | None
    column: str | None
    data_type: str | None


@dataclass(frozen=True)
class RawTable:
    """A contract table and its files, sorted by path."""

    contract: Table
    files: tuple[RawFile, ...]

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True)
class RawZone:
    """What a scan found. `raw_dir` has no trailing slash."""

    raw_dir: str
    tables: tuple[RawTable, ...]
    drift: tuple[Drift, ...] = ()
    problems: tuple[Problem, ...] = field(default=())

    @property
    def files(self) -> list[RawFile]:
        """All files of all tables."""
        return [file for table in self.tables for file in table.files]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def missing_tables(self) -> list[str]:
        """Contract tables without a file: they are empty, which is allowed."""
        return [table.contract.full_name for table in self.tables if not table.files]

    @property
    def strangers(self) -> list[Drift]:
        """Files and folders that are not read."""
        return [item for item in self.drift if item.column is None]

    def raise_problems(self) -> None:
        """Raise ContractBroken if anything stops a refresh."""
        if self.problems:
            raise ContractBroken(self.problems)
