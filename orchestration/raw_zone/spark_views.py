"""Views over a raw zone's files for Apache Spark, which reads them itself.

They have the columns, types and texts of DuckDB's views (views.py), in schemas with a prefix. Files
of one shape are read through a table that names the folder and the columns' types, so that nothing
is inferred, and a condition that names the files: Spark opens no others.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from orchestration.base.errors import Problem
from orchestration.base.object_store import load_object_store
from orchestration.base.sql import Scalar, literal
from orchestration.raw_zone.contract import Table
from orchestration.raw_zone.listing import escape_glob
from orchestration.raw_zone.spark_text import native, text, type_in_file, type_in_view
from orchestration.raw_zone.views import (
    FILE_COLUMN,
    NEW,
    NO_TYPE,
    ReadFiles,
    new_files,
    view_types,
)
from orchestration.raw_zone.zone import RawFile, RawTable, RawZone
from orchestration.spark.connection import Spark
from orchestration.spark.tables import identifier
from orchestration.spark.tables import text as string

# Schemas of ours after the prefix: the parts of the views, and the zone's lists.
PARTS = "raw_files"
LISTS = "zone"

# Bytes of a view, and of the files that a part of one names: Derby's metastore takes 32,700.
_GREATEST_VIEW = 30_000
_GREATEST_LIST = 20_000
_TABLE, _VIEW = "_files", "_part"
_ROWS_A_STATEMENT = 5_000
_FOOTERS = 500
# What Spark comes with. `s3://` is Hadoop's name of a client that is gone.
_SCHEMES = {"s3://": "s3a://", "r2://": "s3a://", "gcs://": "gs://"}
_READ_CODECS = frozenset({"UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4", "LZ4_RAW"})
_LISTS = {
    "tables": "table_name string, files bigint, rows bigint, is_present boolean",
    "files": "table_name string, file string, rows bigint, bytes bigint, stamp string, "
    "is_new boolean",
    "schema_drift": "table_name string, file string, column_name string, data_type string",
    "origin": "raw_dir string",
}


@dataclass(frozen=True)
class Part:
    """Some files of one shape in one folder: a table that reads the folder, a query of them.

    `relation` is the table's whole name, `columns` are its own with their types in Spark, `path`
    is what a row's file is called in the zone.
    """

    files: Sequence[RawFile]
    table: str
    relation: str
    create: str
    columns: Mapping[str, str]
    path: str
    selected: Sequence[str]

    @property
    def select(self) -> str:
        """The files' rows as the view gives them."""
        columns = ", ".join([*self.selected, f"{self.path} as {FILE_COLUMN}"])
        return f"select {columns}\n{self.rows_of(self.files)}"

    def rows_of(self, files: Iterable[RawFile]) -> str:
        """The `from` and `where` of some of its files; Spark opens no others."""
        paths = ", ".join(string(file.path) for file in files)
        return f"from {self.relation}\nwhere {self.path} in ({paths})"


def register_on_spark(
    zone: RawZone, spark: Spark, prefix: str = "voronka_", read: ReadFiles | None = None
) -> int:
    """Write views over the zone's files into a Spark's catalogue; returns how many files are new.

    `<prefix><source>` has a view of each table over all files, `<prefix><source>_new` over those
    that are not `read`, `<prefix>zone` the tables `tables`, `files`, `schema_drift` and `origin`.
    Views of the same files are left as they are. Raises ContractBroken if the zone is broken, or
    has files that Spark would not read as DuckDB does.
    """
    new = {table.contract.full_name: new_files(table, read or {}) for table in zone.tables}
    all_new = {file for files in new.values() for file in files}
    judged_for_spark(zone, all_new).raise_problems()
    schemas = [PARTS, LISTS]
    for source in sorted({table.contract.source for table in zone.tables}):
        schemas += [source, source + NEW]
    for schema in schemas:
        spark.run(f"create schema if not exists {identifier(prefix + schema)}")
    parts_schema = identifier(prefix + PARTS)
    found = {str(row[1]) for row in spark.rows(f"show tables in {parts_schema}")}
    wanted: set[str] = set()
    for table in zone.tables:
        contract = table.contract
        types = view_types(table)
        for ending, files in (("", table.files), (NEW, new[contract.full_name])):
            statements, query = _view(zone.raw_dir, table, types, files, parts_schema)
            for name, statement in statements.items():
                if name not in found | wanted:
                    spark.run(statement)
                wanted.add(name)
            name = f"{identifier(prefix + contract.source + ending)}.{identifier(contract.name)}"
            spark.run(f"create or replace view {name} as {query}")
    for name in sorted(found - wanted):
        kind = "table" if name.endswith(_TABLE) else "view"
        spark.run(f"drop {kind} if exists {parts_schema}.{identifier(name)}")
    _write_lists(zone, spark, prefix, all_new)
    return len(all_new)


def judged_for_spark(zone: RawZone, new: Collection[RawFile]) -> RawZone:
    """The zone with the problems that Spark would have with the `new` files."""
    return replace(zone, problems=(*zone.problems, *problems_on_spark(zone, new)))


def problems_on_spark(zone: RawZone, new: Collection[RawFile]) -> list[Problem]:
    """What of the `new` files Spark does not read, or not as DuckDB does."""
    problems: list[Problem] = []
    wanted = set(new)
    if zone.raw_dir.startswith(("http://", "https://")):
        reason = "lies on a web server, which Spark does not read: use a directory or s3://"
        return [Problem("raw zone", zone.raw_dir, "", reason)]
    for table in zone.tables:
        files = [file for file in table.files if file.rows and file in wanted]
        for file in files:
            problems += _problems_of(table.contract, file)
        problems += _unread_codecs(zone.raw_dir, table.contract, files)
    return problems


def address(raw_dir: str, path: str = "") -> str:
    """Where Spark finds a folder or file of the zone."""
    root = raw_dir.rstrip("/")
    for scheme, other in _SCHEMES.items():
        if root.startswith(scheme):
            root = other + root.removeprefix(scheme)
    if root.startswith("/"):
        root = f"file:{root}"
    return f"{root}/{path}"


def _problems_of(table: Table, file: RawFile) -> Iterator[Problem]:
    if ":" in file.path:
        reason = "has a colon in its name, which Hadoop does not read: rename it"
        yield Problem(table.full_name, file.path, "", reason)
    names = [name for name, _ in file.columns]
    for column in table.columns:
        position = file.position(column.name)
        if position is None:
            continue
        name, data_type = file.columns[position]
        if names.count(name) > 1:
            reason = "is there twice, and Spark reads columns by name: export it once"
            yield Problem(table.full_name, file.path, column.name, reason)
        elif data_type != NO_TYPE and type_in_file(data_type, file.stored[position]) is None:
            reason = f"is a {data_type}, which Spark does not read here: export it as text"
            yield Problem(table.full_name, file.path, column.name, reason)


def _unread_codecs(raw_dir: str, table: Table, files: Sequence[RawFile]) -> Iterator[Problem]:
    """Columns of the contract in a compression that Spark has not, from the footers."""
    root = raw_dir.rstrip("/")
    pending = [files[start : start + _FOOTERS] for start in range(0, len(files), _FOOTERS)]
    with duckdb.connect() as connection:
        load_object_store(connection, raw_dir)
        while pending:
            batch = pending.pop(0)
            paths = ", ".join(
                literal(f"{escape_glob(root)}/{escape_glob(file.path)}") for file in batch
            )
            try:
                rows = connection.execute(
                    "select distinct file_name, path_in_schema, compression "
                    f"from parquet_metadata([{paths}]) order by all"
                ).fetchall()
            except duckdb.ConversionException:
                # Statistics without a text. Of a single file, Spark says what it does not read.
                if len(batch) > 1:
                    middle = len(batch) // 2
                    pending = [batch[:middle], batch[middle:], *pending]
                continue
            by_path = {file.path: file for file in batch}
            for file_name, column, codec in rows:
                if codec in _READ_CODECS:
                    continue
                file = by_path[file_name[len(root) + 1 :]]
                for spec in table.columns:
                    position = file.position(spec.name)
                    if position is not None and file.columns[position][0] == column:
                        reason = f"is compressed with {codec}, which Spark does not read here: "
                        reason += "export it with Snappy or Zstandard"
                        yield Problem(table.full_name, file.path, spec.name, reason)


def _view(
    raw_dir: str, table: RawTable, types: dict[str, str], files: Sequence[RawFile], schema: str
) -> tuple[dict[str, str], str]:
    """The query of a view, and what it reads: statements by the names of what they create."""
    parts = list(parts_of(raw_dir, table, types, files, schema))
    statements = {part.table: part.create for part in parts}
    if not parts:
        columns = [f"cast(null as {type_in_view(types[it])}) as {identifier(it)}" for it in types]
        columns.append(f"cast(null as string) as {FILE_COLUMN}")
        return {}, f"select {', '.join(columns)} where false"
    query = "\nunion all\n".join(part.select for part in parts)
    if len(query.encode()) <= _GREATEST_VIEW:
        return statements, query
    selects = []
    for part in parts:
        name = _named(table.contract, part.select, _VIEW)
        statements[name] = f"create or replace view {schema}.{identifier(name)} as {part.select}"
        selects.append(f"select * from {schema}.{identifier(name)}")
    return statements, "\nunion all\n".join(selects)


def _named(table: Table, content: str, ending: str) -> str:
    """A name that belongs to a content: whoever holds an older one in a cache is not misled."""
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    return f"{table.source}__{table.name}_{digest}{ending}"


def parts_of(
    raw_dir: str,
    table: RawTable,
    types: dict[str, str],
    files: Sequence[RawFile],
    schema: str,
) -> Iterator[Part]:
    """Parts of a view over files, the same ones for the same files; `schema` is theirs, quoted."""
    shapes: dict[object, list[RawFile]] = {}
    for file in files:
        if file.rows:
            shapes.setdefault(_shape(table.contract, file), []).append(file)
    for same in shapes.values():
        for some in _chunks(same):
            yield _part(raw_dir, table.contract, types, some, schema)


def _shape(table: Table, file: RawFile) -> tuple[tuple[str, str, str] | None, ...]:
    """All that Spark's view depends on: the contract's columns as they lie in the file."""
    return tuple(_place(file, column.name) for column in table.columns)


def _place(file: RawFile, name: str) -> tuple[str, str, str] | None:
    """A column's name in the file, its DuckDB type and how it is stored; None: it has no value."""
    position = file.position(name)
    if position is None or file.columns[position][1] == NO_TYPE:
        return None
    return (*file.columns[position], file.stored[position])


def _chunks(files: Sequence[RawFile]) -> Iterator[list[RawFile]]:
    """Files in order, as many at a time as a view can name."""
    chunk: list[RawFile] = []
    size = 0
    for file in files:
        size += len(string(file.path).encode()) + 2
        if chunk and size > _GREATEST_LIST:
            yield chunk
            chunk, size = [], len(string(file.path).encode()) + 2
        chunk.append(file)
    if chunk:
        yield chunk


def _part(
    raw_dir: str, table: Table, types: dict[str, str], files: Sequence[RawFile], schema: str
) -> Part:
    example = files[0]
    in_file: dict[str, str] = {}
    selected = []
    for column in table.columns:
        place = _place(example, column.name)
        view_type = types[column.name]
        if place is None:
            value = f"cast(null as {type_in_view(view_type)})"
        else:
            name, data_type, stored = place
            value = identifier(name)
            in_file[value] = f"{type_in_file(data_type, stored)}"
            if view_type == "VARCHAR":
                value = text(value, column, data_type, stored)
            else:
                value = native(value, data_type, stored)
        selected.append(f"{value} as {identifier(column.name)}")
    # Without a column that has values, there are rows all the same.
    declared = ", ".join(f"{name} {type_}" for name, type_ in in_file.items())
    declared = declared or "`no column` string"
    folder = os.path.commonpath([os.path.dirname(file.path) for file in files])
    # The path as Spark gives it is encoded as a URI, where a plus stands for itself; how many
    # slashes follow its scheme depends on the store.
    whole = "url_decode(replace(_metadata.file_path, '+', '%2B'))"
    root = raw_dir.rstrip("/").partition("://")[2] or raw_dir.rstrip("/")
    path = f"substring({whole}, instr({whole}, {string(root + '/')}) + {len(root) + 1})"
    identities = [file.identity for file in files]
    name = _named(table, repr((raw_dir, folder, declared, identities)), _TABLE)
    relation = f"{schema}.{identifier(name)}"
    return Part(
        files=files,
        table=name,
        relation=relation,
        # Hive would make a folder of the path, did it know of it.
        create=f"create table {relation} ({declared}) using parquet options ("
        f"path {string(address(raw_dir, folder))}, `__globPaths__` 'false', "
        "recursiveFileLookup 'true', mergeSchema 'false', skipHiveMetadata 'true')",
        columns=in_file,
        path=path,
        selected=selected,
    )


def _write_lists(zone: RawZone, spark: Spark, prefix: str, new: Collection[RawFile]) -> None:
    rows: dict[str, list[Sequence[Scalar]]] = {
        "tables": [
            (t.contract.full_name, len(t.files), t.rows, bool(t.files)) for t in zone.tables
        ],
        "files": [
            (t.contract.full_name, *f.identity, f in new) for t in zone.tables for f in t.files
        ],
        "schema_drift": [(d.table, d.file, d.column, d.data_type) for d in zone.drift],
        "origin": [(zone.raw_dir,)],
    }
    for name, columns in _LISTS.items():
        table = f"{identifier(prefix + LISTS)}.{identifier(name)}"
        spark.run(f"drop table if exists {table}")
        spark.run(f"create table {table} ({columns}) using parquet")
        for start in range(0, len(rows[name]), _ROWS_A_STATEMENT):
            values = ", ".join(_row(row) for row in rows[name][start : start + _ROWS_A_STATEMENT])
            spark.run(f"insert into {table} values {values}")


def _row(row: Iterable[Scalar]) -> str:
    return f"({', '.join(string(it) if isinstance(it, str) else _plain(it) for it in row)})"


def _plain(value: Scalar) -> str:
    return "null" if value is None else str(value).lower()
