"""The raw zone: which files are there, whether they keep the contract, and views over them.

`scan` only reads footers, `register` only writes one small DuckDB file of views. The views give
every contract column under its own name: in its Parquet type where all files agree on a type
that the contract knows, else as text, so that staging casts one or the other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import duckdb

from orchestration.base.errors import ContractBroken, Problem, WrongUse, first_line
from orchestration.base.object_store import OBJECT_STORES, load_object_store
from orchestration.base.sql import insert, literal, quote
from orchestration.raw_zone.contract import Column, Contract, Table

FILE_COLUMN = "_file"
ReadFiles = Mapping[str, AbstractSet[tuple[str, int, int, str]]]

# Views over the files that the build has not read; what it has read it keeps in its own tables.
_NEW = "_new"
_FILES_OF = "files_of__"
_BATCH = 500
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT"})
_INTEGERS |= frozenset({"UTINYINT", "USMALLINT", "UINTEGER"})
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_NATIVE = {
    "text": frozenset({"VARCHAR"}),
    "timestamp": frozenset({"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}),
    "date": frozenset({"DATE"}),
    "integer": _INTEGERS,
    "decimal": _INTEGERS,
    "boolean": frozenset({"BOOLEAN"}),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
# What Parquet writers leave behind for a column without a single value.
_NO_TYPE = '"NULL"'
_NESTED = "NESTED"


@dataclass(frozen=True)
class RawFile:
    """A Parquet file: its path relative to the raw directory, rows, bytes and top-level columns.

    `columns` are (name, DuckDB type) in file order; `shape` is the whole schema, nested parts
    included: files of one shape can be read together. `stamp` tells a file that was written
    anew under its old name, which no exporter should do; empty in an object store.
    """

    path: str
    rows: int
    bytes: int
    columns: tuple[tuple[str, str], ...]
    shape: tuple[tuple[str, str], ...]
    stamp: str = ""

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
    """Something that the contract does not know: a column, a file or a folder. Never fatal."""

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

    def raise_problems(self) -> None:
        """Raise ContractBroken if anything stops a refresh."""
        if self.problems:
            raise ContractBroken(self.problems)


def scan(raw_dir: Path | str, contract: Contract) -> RawZone:
    """List a raw zone's files and judge their schemas against the contract.

    Reads footers only. Problems are collected in the result, not raised; WrongUse is raised
    where there is no zone to read at all.
    """
    root = str(raw_dir).rstrip("/") or "/"
    with duckdb.connect() as connection:
        if root.startswith(OBJECT_STORES):
            load_object_store(connection, root)
            listing = _list_object_store(connection, root, contract)
        else:
            root = os.path.abspath(root)
            listing = _list_directory(root, contract)
        problems = list(listing.problems)
        files = _read_footers(connection, root, listing.files, problems)
    tables, drift = [], list(listing.drift)
    for table in contract.tables.values():
        found = tuple(
            files[path] for path in listing.files.get(table.full_name, []) if path in files
        )
        tables.append(RawTable(table, found))
        problems += _missing_columns(table, found)
        drift += _extra_columns(table, found)
    return RawZone(root, tuple(tables), tuple(drift), tuple(problems))


def listed_files(raw_dir: str, contract: Contract) -> list[tuple[str, int, int]]:
    """The data files of a zone in a directory: path, bytes and time of writing in nanoseconds.

    Nothing is opened. What goes while they are listed is left out. Raises WrongUse where there is
    no zone.
    """
    found = []
    for paths in _list_directory(raw_dir, contract).files.values():
        for path in paths:
            with suppress(FileNotFoundError):
                state = os.stat(os.path.join(raw_dir, path))
                found.append((path, state.st_size, state.st_mtime_ns))
    return sorted(found)


def files_read(build_file: Path) -> ReadFiles:
    """The files that the private build was made from, by table; none where there is no build."""
    found: dict[str, set[tuple[str, int, int, str]]] = {}
    if not build_file.exists():
        return found
    try:
        with duckdb.connect(str(build_file), read_only=True) as connection:
            tables = connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'state' "
                f"and starts_with(table_name, {literal(_FILES_OF)})"
            ).fetchall()
            for (table,) in tables:
                rows = connection.execute(f"from state.{quote(table)}").fetchall()
                found[table.removeprefix(_FILES_OF)] = set(rows)
    except duckdb.Error:
        # A build that cannot be read is made anew.
        return {}
    return found


def register(zone: RawZone, path: Path, read: ReadFiles | None = None) -> int:
    """Write the DuckDB file of views over the zone's files, replacing an older one at once.

    Returns how many files are new.

    The file has two schemas for each source with a view for each table, one over all files and
    `<source>_new` over those that are not `read`, and a schema `zone` with the tables `tables`,
    `files` and `schema_drift`. Raises ContractBroken if the zone is broken.
    """
    zone.raise_problems()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(draft)) as connection:
            load_object_store(connection, zone.raw_dir)
            for source in sorted({table.contract.source for table in zone.tables}):
                connection.execute(f"create schema {quote(source)}")
                connection.execute(f"create schema {quote(source + _NEW)}")
            new = {table.contract.full_name: _new_files(table, read or {}) for table in zone.tables}
            for table in zone.tables:
                connection.execute(view_sql(zone, table))
                connection.execute(view_sql(zone, table, new[table.contract.full_name]))
            new_files = {file for files in new.values() for file in files}
            _write_lists(connection, zone, new_files)
            connection.execute("checkpoint")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return len(new_files)


def view_sql(zone: RawZone, table: RawTable, new: Sequence[RawFile] | None = None) -> str:
    """The `create view` statement of one raw table, or of its `new` files alone.

    Both have the same columns of the same types, those of all files.
    """
    schema = table.contract.source + ("" if new is None else _NEW)
    name = f"{quote(schema)}.{quote(table.contract.name)}"
    with_rows = [file for file in table.files if file.rows]
    types = {column.name: _view_type(column, with_rows) for column in table.contract.columns}
    shapes: dict[tuple[tuple[str, str], ...], list[RawFile]] = {}
    for file in with_rows if new is None else new:
        if file.rows:
            shapes.setdefault(file.shape, []).append(file)
    selects = [_select(zone.raw_dir, table.contract, types, files) for files in shapes.values()]
    if not selects:
        columns = [f"null::{types[it.name]} as {quote(it.name)}" for it in table.contract.columns]
        columns.append(f"null::varchar as {FILE_COLUMN}")
        selects = [f"select {', '.join(columns)} where false"]
    return f"create view {name} as\n" + "\nunion all\n".join(selects)


@dataclass
class _Listing:
    files: dict[str, list[str]] = field(default_factory=dict)
    drift: list[Drift] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _list_directory(root: str, contract: Contract) -> _Listing:
    if not os.path.isdir(root):
        raise WrongUse(
            f"There is no raw zone at {root}.",
            "Set VORONKA_RAW_DIR or --raw-dir to a directory with <source>/<table>/*.parquet.",
        )
    listing = _Listing()
    for source in _folders(root):
        if source not in contract.sources:
            listing.drift.append(Drift(source, None, None, None))
            continue
        for name in _folders(os.path.join(root, source)):
            table = f"{source}.{name}"
            if table not in contract.tables:
                listing.drift.append(Drift(table, None, None, None))
                continue
            for entry in _entries(os.path.join(root, source, name)):
                _sort_in(listing, table, f"{source}/{name}/{entry.name}", entry.is_dir())
    return listing


def _sort_in(listing: _Listing, table: str, path: str, is_dir: bool) -> None:
    """A data file, or something that no exporter was asked to write."""
    file_name = PurePosixPath(path).name
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="backslashreplace").decode()
        listing.problems.append(Problem(table, shown, "", "the file's name is not UTF-8"))
        return
    if "\\" in file_name and file_name.endswith(".parquet"):
        # DuckDB takes it for an escape or a separator.
        listing.problems.append(Problem(table, path, "", "the file's name has a backslash"))
        return
    if is_dir or file_name.startswith(".") or not file_name.endswith(".parquet"):
        listing.drift.append(Drift(table, path, None, None))
    else:
        listing.files.setdefault(table, []).append(path)


def _list_object_store(
    connection: duckdb.DuckDBPyConnection, root: str, contract: Contract
) -> _Listing:
    listing = _Listing()
    pattern = literal(f"{escape_glob(root)}/*/*/*.parquet")
    try:
        found = connection.execute(f"select file from glob({pattern}) order by file").fetchall()
    except duckdb.Error as error:
        raise WrongUse(
            f"The object store does not answer for {root}: {error}",
            "Check the address and the credentials that DuckDB's httpfs reads.",
        ) from error
    for (file,) in found:
        path = file[len(root) + 1 :]
        source, name, _ = path.split("/")
        if f"{source}.{name}" in contract.tables:
            _sort_in(listing, f"{source}.{name}", path, is_dir=False)
        else:
            listing.drift.append(Drift(f"{source}.{name}", path, None, None))
    return listing


def _folders(path: str) -> list[str]:
    return [
        entry.name
        for entry in _entries(path)
        if entry.is_dir() and not entry.name.startswith((".", "_"))
    ]


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise WrongUse(
            f"{path} cannot be read: {error.strerror}.",
            "Give the user who runs the refresh the right to read the raw zone.",
        ) from error


def _read_footers(
    connection: duckdb.DuckDBPyConnection,
    root: str,
    listed: dict[str, list[str]],
    problems: list[Problem],
) -> dict[str, RawFile]:
    """Schemas and row counts of all files, by path; unreadable ones become problems."""
    table_of = {path: table for table, paths in listed.items() for path in paths}
    files: dict[str, RawFile] = {}
    for batch in _batches(sorted(table_of)):
        pending = [batch]
        while pending:
            paths = pending.pop()
            try:
                files.update(_footers(connection, root, paths))
            except (duckdb.Error, OSError) as error:
                if len(paths) > 1:
                    middle = len(paths) // 2
                    pending += [paths[middle:], paths[:middle]]
                    continue
                path = paths[0]
                problems.append(Problem(table_of[path], path, "", _unreadable(error)))
    return files


def _footers(
    connection: duckdb.DuckDBPyConnection, root: str, paths: Sequence[str]
) -> dict[str, RawFile]:
    patterns = ", ".join(literal(f"{escape_glob(root)}/{escape_glob(path)}") for path in paths)
    counts = connection.execute(
        f"select file_name, num_rows, file_size_bytes from parquet_file_metadata([{patterns}])"
    ).fetchall()
    nodes = connection.execute(
        "select file_name, name, duckdb_type, coalesce(num_children, 0) "
        f"from parquet_schema([{patterns}])"
    ).fetchall()
    schemas: dict[str, list[tuple[str, str | None, int]]] = {}
    for file_name, name, data_type, children in nodes:
        schemas.setdefault(file_name, []).append((name, data_type, children))
    found = {}
    for file_name, rows, size in counts:
        path = file_name[len(root) + 1 :]
        schema = schemas[file_name]
        shape = tuple((name, data_type or _NESTED) for name, data_type, _ in schema[1:])
        stamp = "" if root.startswith(OBJECT_STORES) else str(os.stat(file_name).st_mtime_ns)
        found[path] = RawFile(path, rows, size, tuple(_top_level(schema)), shape, stamp)
    return found


def _top_level(schema: Sequence[tuple[str, str | None, int]]) -> Iterator[tuple[str, str]]:
    """Columns of a schema that is listed depth first, its root first."""
    nested = 0
    for name, data_type, children in schema[1:]:
        if nested:
            nested += children - 1
            continue
        nested = children
        yield name, _NESTED if children else str(data_type)


def _unreadable(error: Exception) -> str:
    text = first_line(error)
    text = re.sub(r"^[A-Za-z ]+Error: ", "", text)
    if "magic bytes" in text or "too small" in text:
        return "not a whole Parquet file; its end is missing, as after a copy that was cut short"
    return f"cannot be read: {text}"


def _missing_columns(table: Table, files: Iterable[RawFile]) -> list[Problem]:
    return [
        Problem(table.full_name, file.path, column, "missing")
        for file in files
        for column in table.required_columns
        if file.position(column) is None
    ]


def _extra_columns(table: Table, files: Iterable[RawFile]) -> list[Drift]:
    drift = []
    for file in files:
        known = {file.position(column.name) for column in table.columns}
        drift += [
            Drift(table.full_name, file.path, name, data_type)
            for position, (name, data_type) in enumerate(file.columns)
            if position not in known
        ]
    return drift


def _view_type(column: Column, files: Sequence[RawFile]) -> str:
    """The column's type in the view: the one native type of all files, else VARCHAR."""
    found = set()
    for file in files:
        position = file.position(column.name)
        if position is not None and file.columns[position][1] != _NO_TYPE:
            found.add(_read_type(file.columns[position][1]))
    if len(found) == 1:
        (data_type,) = found
        if _is_native(column, data_type):
            return data_type
    return "VARCHAR"


def _read_type(data_type: str) -> str:
    """What the view gives for a column of this type: bytes are read as text."""
    return "VARCHAR" if data_type == "BLOB" else data_type


def _is_native(column: Column, data_type: str) -> bool:
    """Whether staging can take the type as it is: a cast to the contract's type is exact."""
    if column.data_type == "decimal" and (found := _DECIMAL.fullmatch(data_type)):
        return int(found[1]) <= column.precision and int(found[2]) <= column.scale
    return data_type in _NATIVE[column.data_type]


def _select(raw_dir: str, table: Table, types: dict[str, str], files: Sequence[RawFile]) -> str:
    """One branch of a view: the files of one shape, their columns named by position."""
    example = files[0]
    columns = []
    for column in table.columns:
        position = example.position(column.name)
        if position is None or example.columns[position][1] == _NO_TYPE:
            value = f"null::{types[column.name]}"
        elif types[column.name] != "VARCHAR":
            value = f"c{position}"
        else:
            value = _as_text(f"c{position}", column, example.columns[position][1])
        columns.append(f"    {value} as {quote(column.name)}")
    columns.append(f"    substr(f, {len(raw_dir.rstrip('/')) + 2}) as {FILE_COLUMN}")
    paths = ", ".join(
        literal(f"{escape_glob(raw_dir.rstrip('/'))}/{escape_glob(file.path)}") for file in files
    )
    names = ", ".join([*(f"c{position}" for position in range(len(example.columns))), "f"])
    return (
        "select\n" + ",\n".join(columns) + f"\nfrom read_parquet([{paths}], filename = "
        "'voronka raw file', hive_partitioning = false, "
        f"union_by_name = false) as raw_file({names})"
    )


def _as_text(value: str, column: Column, data_type: str) -> str:
    """The value's text, the same in every session."""
    if data_type == "VARCHAR":
        return value
    if data_type == "BLOB":
        # What is not UTF-8 is bad, and for people to see: its bytes as \xD0.
        return f"coalesce(try(decode({value})), {value}::varchar)"
    if data_type == "TIMESTAMP WITH TIME ZONE":
        return f"(({value} at time zone 'UTC')::varchar || '+00')"
    if data_type in _FLOATS:
        number = f"{value}::double"
        text = f"(case when not isnan({number}) then {number} end)::varchar"
        if column.data_type not in ("text", "integer"):
            return text
        # An integral number is its digits, without .0 and without an exponent, as a key or a
        # count; 0.0 is added for minus zero.
        return (
            f"case when isfinite({number}) and {number} = trunc({number}) "
            f"then format('{{:.0f}}', {number} + 0.0) else {text} end"
        )
    if column.data_type == "text" and _DECIMAL.fullmatch(data_type):
        return rf"regexp_replace({value}::varchar, '\.0+$', '')"
    return f"{value}::varchar"


def _new_files(table: RawTable, read: ReadFiles) -> list[RawFile]:
    known = read.get(table.contract.full_name.replace(".", "_"), set())
    return [file for file in table.files if file.identity not in known]


def _write_lists(
    connection: duckdb.DuckDBPyConnection, zone: RawZone, new: Collection[RawFile]
) -> None:
    connection.execute("create schema zone")
    connection.execute(
        "create table zone.tables (table_name varchar, files bigint, rows bigint, "
        "is_present boolean)"
    )
    connection.execute(
        "create table zone.files (table_name varchar, file varchar, rows bigint, bytes bigint, "
        "stamp varchar, is_new boolean)"
    )
    connection.execute(
        "create table zone.schema_drift (table_name varchar, file varchar, column_name varchar, "
        "data_type varchar)"
    )
    connection.execute(f"create table zone.origin as select {literal(zone.raw_dir)} as raw_dir")
    insert(
        connection,
        "zone.tables",
        [(t.contract.full_name, len(t.files), t.rows, bool(t.files)) for t in zone.tables],
    )
    insert(
        connection,
        "zone.files",
        [(t.contract.full_name, *f.identity, f in new) for t in zone.tables for f in t.files],
    )
    insert(
        connection,
        "zone.schema_drift",
        [(d.table, d.file, d.column, d.data_type) for d in zone.drift],
    )


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _BATCH):
        yield paths[start : start + _BATCH]


def escape_glob(path: str) -> str:
    """The path with DuckDB's wildcards taken literally."""
    return re.sub(r"([*?\[])", r"[\1]", path)
