"""What only the rows of new files can tell before they are loaded: values that do not read."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.errors import Problem
from orchestration.base.object_store import OBJECT_STORES, load_object_store
from orchestration.base.settings import SPARK, Settings
from orchestration.base.sql import literal
from orchestration.raw_zone.contract import Table
from orchestration.raw_zone.footers import incredible_bytes, unreadable
from orchestration.raw_zone.listing import UNREADABLE, escape_glob
from orchestration.raw_zone.zone import RawFile, RawTable, RawZone

_BATCH = 200
_TEXTS = frozenset({"VARCHAR", "BLOB", "JSON"})
_INSTANT = "TIMESTAMP WITH TIME ZONE"
_TIMES = frozenset({"TIMESTAMP", "TIMESTAMP_NS", _INSTANT})


def judged_by_contents(zone: RawZone, new: Sequence[RawFile], settings: Settings) -> RawZone:
    """The zone with the problems of those `new` files that have none yet."""
    bad = {problem.file for problem in zone.problems}
    sound = [file for file in new if file.path not in bad]
    if settings.engine == SPARK:
        return replace(
            zone, problems=(*zone.problems, *_problems_with_spark(zone, sound, settings))
        )
    found = problems_of_contents(zone, sound, settings.max_file_rows, settings.memory)
    return replace(zone, problems=(*zone.problems, *found))


def _problems_with_spark(
    zone: RawZone, new: Sequence[RawFile], settings: Settings
) -> Iterator[Problem]:
    """The same, where the cluster reads large tables, and what the cluster alone cannot read."""
    from orchestration.raw_zone.spark_contents import to_look_at

    reasons = to_look_at(zone, new, settings)
    found = problems_of_contents(zone, list(reasons), settings.max_file_rows, settings.memory)
    yield from found
    named = {problem.file for problem in found}
    for table in zone.tables:
        for file in table.files:
            if reasons.get(file) and file.path not in named:
                reason = f"cannot be read by Spark: {reasons[file]}"
                yield Problem(table.contract.full_name, file.path, "", reason)


def problems_of_contents(
    zone: RawZone, new: Sequence[RawFile], max_rows: int, memory: str
) -> list[Problem]:
    """Files among `new` with values that the engine cannot read, or more text than is believed.

    One scan of the contract's columns. `max_rows` is the setting `max_file_rows`; `memory` limits
    the session.
    """
    wanted = set(new)
    problems: list[Problem] = []
    with duckdb.connect(config={"memory_limit": memory, "temp_directory": ""}) as connection:
        load_object_store(connection, zone.raw_dir)
        for table in zone.tables:
            files = [file for file in table.files if file in wanted and file.rows]
            for batch in _batches(files):
                problems += _judge(connection, zone, table, batch, max_rows)
    return problems


def _judge(
    connection: duckdb.DuckDBPyConnection,
    zone: RawZone,
    table: RawTable,
    files: Sequence[RawFile],
    max_rows: int,
) -> Iterator[Problem]:
    columns = _columns(table.contract, files[0])
    pending = [files]
    while pending:
        batch = pending.pop(0)
        try:
            sizes = _text_bytes(connection, zone.raw_dir, columns, batch)
        except duckdb.Error as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                pending = [batch[:middle], batch[middle:], *pending]
                continue
            yield _unreadable(connection, zone.raw_dir, table.contract, batch[0], error)
            continue
        for file in batch:
            reason = incredible_bytes(file, sizes.get(file.path, 0), max_rows)
            if reason:
                yield Problem(table.contract.full_name, file.path, "", reason)


def _batches(files: Sequence[RawFile]) -> Iterator[list[RawFile]]:
    """Files of one shape, some at a time."""
    shapes: dict[object, list[RawFile]] = {}
    for file in files:
        shapes.setdefault(file.shape, []).append(file)
    for same in shapes.values():
        for start in range(0, len(same), _BATCH):
            yield same[start : start + _BATCH]


def _columns(table: Table, file: RawFile) -> dict[str, int]:
    """The contract's columns that the file has, with their positions."""
    positions = {column.name: file.position(column.name) for column in table.columns}
    return {name: position for name, position in positions.items() if position is not None}


def _text_bytes(
    connection: duckdb.DuckDBPyConnection,
    raw_dir: str,
    columns: dict[str, int],
    files: Sequence[RawFile],
) -> dict[str, int]:
    """Bytes of text by path. Raises duckdb.Error where a value of these columns does not read."""
    types = [data_type for _, data_type in files[0].columns]
    sizes, others, times = ["0"], ["0"], ["0"]
    for position in columns.values():
        if types[position] in _TEXTS:
            function = "octet_length" if types[position] == "BLOB" else "strlen"
            sizes.append(f"coalesce(sum({function}(c{position})), 0)")
        else:
            # Statistics answer for less than a hash, and nothing would be read.
            others.append(f"c{position}")
        if types[position] in _TIMES:
            # The least one that there is has no text, and no wall clock shows it.
            zone = " at time zone 'UTC'" if types[position] == _INSTANT else ""
            times.append(f"(min(c{position}){zone})::varchar")
    names = ", ".join([*(f"c{number}" for number in range(len(types))), "f"])
    paths = ", ".join(literal(f"{escape_glob(raw_dir)}/{escape_glob(it.path)}") for it in files)
    rows = connection.execute(
        f"select f, {' + '.join(sizes)}, bit_xor(hash({', '.join(others)})), {', '.join(times)} "
        f"from read_parquet([{paths}], filename = 'voronka raw file', hive_partitioning = false, "
        f"union_by_name = false) as raw_file({names}) group by f"
    ).fetchall()
    return {file[len(raw_dir) + 1 :]: int(size) for file, size, *_ in rows}


def _unreadable(
    connection: duckdb.DuckDBPyConnection,
    raw_dir: str,
    table: Table,
    file: RawFile,
    error: duckdb.Error,
) -> Problem:
    """The problem of one file, with its column, and with the row where a text is not UTF-8."""
    whole = unreadable(error, raw_dir, file.path)
    if not whole.startswith(UNREADABLE):
        # It is gone, or may not be read.
        return Problem(table.full_name, file.path, "", whole)
    for column, position in _columns(table, file).items():
        try:
            _text_bytes(connection, raw_dir, {column: position}, [file])
        except duckdb.Error as own:
            row = None
            if "string encoding" in str(own):
                row = _first_bad_text(_opened(connection, raw_dir, file), file, position)
            reason = unreadable(own, raw_dir, file.path)
            if row is not None:
                reason = f"is not UTF-8 in row {row:,}: export it again as UTF-8"
            return Problem(table.full_name, file.path, column, reason)
    return Problem(table.full_name, file.path, "", whole)


def _opened(connection: duckdb.DuckDBPyConnection, raw_dir: str, file: RawFile) -> Any:
    """What pyarrow reads the file from."""
    if not raw_dir.startswith(OBJECT_STORES):
        return Path(raw_dir) / file.path
    address = literal(f"{escape_glob(raw_dir)}/{escape_glob(file.path)}")
    found = connection.execute(f"select content from read_blob({address})").fetchone()
    return io.BytesIO(found[0] if found else b"")


def _first_bad_text(source: Any, file: RawFile, position: int) -> int | None:
    """The row, from 1, of the first text in the column that is not UTF-8; None: there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 0
    name = file.columns[position][0]
    # Of columns with one name, the first is read.
    for batch in pq.ParquetFile(source).iter_batches(columns=[name]):
        texts = batch.column(0)
        if pa.types.is_dictionary(texts.type):
            texts = texts.dictionary_decode()
        for number, value in enumerate(texts.cast(pa.large_binary()).to_pylist(), start=1):
            if value is not None and not _is_utf8(value):
                return row + number
        row += batch.num_rows
    return None


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
