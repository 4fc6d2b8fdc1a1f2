"""What only the rows of new files can tell before they are loaded: texts that do not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from orchestration.base.errors import Problem, first_line
from orchestration.base.object_store import OBJECT_STORES, load_object_store
from orchestration.base.sql import literal
from orchestration.raw_zone.contract import Table
from orchestration.raw_zone.footers import incredible_bytes
from orchestration.raw_zone.listing import escape_glob
from orchestration.raw_zone.zone import RawFile, RawTable, RawZone

_BATCH = 200


def problems_of_contents(
    zone: RawZone, new: Sequence[RawFile], max_rows: int | None, memory: str
) -> list[Problem]:
    """Files among `new` whose texts are not UTF-8, or unpack to more than is believed.

    One scan of the contract's text columns. `memory` limits the session.
    """
    wanted = set(new)
    problems: list[Problem] = []
    with duckdb.connect(config={"memory_limit": memory}) as connection:
        load_object_store(connection, zone.raw_dir)
        for table in zone.tables:
            files = [file for file in table.files if file in wanted and file.rows]
            for start in range(0, len(files), _BATCH):
                problems += _judge(connection, zone, table, files[start : start + _BATCH], max_rows)
    return problems


def _judge(
    connection: duckdb.DuckDBPyConnection,
    zone: RawZone,
    table: RawTable,
    files: Sequence[RawFile],
    max_rows: int | None,
) -> Iterator[Problem]:
    pending = list(_by_shape(files))
    while pending:
        batch = pending.pop(0)
        try:
            sizes = _text_bytes(connection, zone.raw_dir, table.contract, batch)
        except duckdb.Error as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                pending = [batch[:middle], batch[middle:], *pending]
                continue
            yield _unreadable(zone, table.contract, batch[0], error)
            continue
        for file in batch:
            reason = incredible_bytes(file, sizes.get(file.path, 0), max_rows)
            if reason:
                yield Problem(table.contract.full_name, file.path, "", reason)


def _by_shape(files: Sequence[RawFile]) -> Iterator[list[RawFile]]:
    groups: dict[object, list[RawFile]] = {}
    for file in files:
        groups.setdefault(file.shape, []).append(file)
    yield from groups.values()


def _text_bytes(
    connection: duckdb.DuckDBPyConnection, raw_dir: str, table: Table, files: Sequence[RawFile]
) -> dict[str, int]:
    """Bytes of text by path; raises duckdb.Error where a text does not read."""
    positions = _text_columns(table, files[0])
    if not positions:
        return {}
    names = ", ".join([*(f"c{number}" for number in range(len(files[0].columns))), "f"])
    size = " + ".join(f"coalesce(sum(strlen(c{position})), 0)" for position in positions)
    paths = ", ".join(literal(f"{escape_glob(raw_dir)}/{escape_glob(it.path)}") for it in files)
    rows = connection.execute(
        f"select f, {size} from read_parquet([{paths}], filename = 'voronka raw file', "
        f"hive_partitioning = false, union_by_name = false) as raw_file({names}) group by f"
    ).fetchall()
    return {file[len(raw_dir) + 1 :]: int(size) for file, size in rows}


def _text_columns(table: Table, file: RawFile) -> list[int]:
    positions = (file.position(column.name) for column in table.columns)
    return [it for it in positions if it is not None and file.columns[it][1] == "VARCHAR"]


def _unreadable(zone: RawZone, table: Table, file: RawFile, error: duckdb.Error) -> Problem:
    if "string encoding" not in str(error) or zone.raw_dir.startswith(OBJECT_STORES):
        return Problem(table.full_name, file.path, "", f"cannot be read: {first_line(error)}")
    column, row = _first_bad_text(Path(zone.raw_dir) / file.path, table, file)
    return Problem(
        table.full_name,
        file.path,
        column,
        f"is not UTF-8 in row {row:,}: export it again as UTF-8",
    )


def _first_bad_text(path: Path, table: Table, file: RawFile) -> tuple[str, int]:
    """The column and the row, from 1, of the first text that is not UTF-8."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    positions = _text_columns(table, file)
    names = [file.columns[position][0] for position in positions]
    row = 0
    for batch in pq.ParquetFile(path).iter_batches(columns=names):
        bad = []
        for name in names:
            values = batch.column(name)
            if pa.types.is_dictionary(values.type):
                values = values.dictionary_decode()
            texts = values.view(pa.large_binary() if "large" in str(values.type) else pa.binary())
            for number, value in enumerate(texts.to_pylist()):
                if value is not None and not _reads(value):
                    bad.append((number, name))
                    break
        if bad:
            number, name = min(bad)
            return name, row + number + 1
        row += batch.num_rows
    return names[0], 0


def _reads(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
