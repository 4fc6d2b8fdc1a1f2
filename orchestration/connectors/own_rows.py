"""What a connection has written so far, read back from the raw zone.

State that can be had from the rows themselves is not kept beside them: it cannot be lost, and
cannot disagree.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestration.base.object_store import load_object_store
from orchestration.base.sql import literal, quote
from orchestration.connectors.connector import ALWAYS, LOADED_AT, Row
from orchestration.connectors.zone_files import ZoneFile, all_files, zone_files

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from orchestration.raw_zone.contract import Contract

# So many rows are given to DuckDB in the question itself: for an Arrow table, as for a parameter,
# it imports pandas, which takes longer than a load with nothing new.
_IN_QUESTION = 5_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The current version of a row, as the contract chooses it.
_ORDER = f"try_cast(updated_at as timestamptz) desc nulls last, {LOADED_AT} desc"


class OwnRows:
    """Rows of one connection, by table: those of the contract and the kind's private ones."""

    def __init__(
        self,
        raw_zone: str,
        connection: str,
        contract: Contract,
        private: Mapping[str, Sequence[str]],
    ) -> None:
        self._raw_zone = raw_zone
        self._connection = connection
        self._contract = contract
        self._private = private
        # Rows that are going to be written, by table; they count as written.
        self.pending: dict[str, list[pa.Table]] = {}
        # The columns of each file that was read.
        self._names: dict[str, frozenset[str]] = {}

    def of(self, connection: str) -> OwnRows:
        """The same of another connection."""
        return OwnRows(self._raw_zone, connection, self._contract, self._private)

    @cached_property
    def session(self) -> duckdb.DuckDBPyConnection:
        """A session over the zone; its times are UTC."""
        import duckdb

        session = duckdb.connect()
        session.execute("set TimeZone = 'UTC'")
        load_object_store(session, self._raw_zone)
        return session

    def columns(self, table: str) -> list[str]:
        """The columns of a table, `_loaded_at` last."""
        if table in self._private:
            return [*self._private[table], LOADED_AT]
        names = [column.name for column in self._contract.tables[table].columns]
        return [*(name for name in names if name != LOADED_AT), LOADED_AT]

    def keys(self, table: str) -> list[str]:
        """The key's columns; of a private table its first column."""
        if table in self._private:
            return [self._private[table][0]]
        return [column.name for column in self._contract.tables[table].columns if column.is_key]

    def files(self, table: str, since: datetime = ALWAYS) -> list[ZoneFile]:
        """The files of a table that were loaded at this instant or later."""
        found = zone_files(self._raw_zone, table.replace(".", "/"), self._connection)
        if since == ALWAYS:
            return found
        return [file for file in found if file.loaded_at >= since.astimezone(UTC)]

    @property
    def pending_rows(self) -> int:
        """How many rows are going to be written."""
        return sum(part.num_rows for parts in self.pending.values() for part in parts)

    def newest(self, tables: Iterable[str]) -> datetime | None:
        """The latest load instant in these tables."""
        found = [files[-1].loaded_at for table in tables if (files := self.files(table))]
        return max(found, default=None)

    def latest(self, table: str, since: datetime) -> datetime | None:
        """The latest load instant of a table after another; None where nothing came since."""
        versions = self.all_versions(table, since)
        if versions is None:
            return None
        (found,) = self.session.execute(
            f"select max(epoch_us({LOADED_AT})) from {versions}"
        ).fetchall()[0]
        latest = _instant(found)
        return latest if latest and latest > since else None

    def all_versions(self, table: str, since: datetime = ALWAYS) -> str | None:
        """A relation in SQL of all rows of a table, every contract column as text; None: no file.

        Columns that a file does not have are NULL, as in the contract.
        """
        parts = [it for it in (self._filed(table, since), self._pending(table)) if it]
        return f"({' union all '.join(parts)})" if parts else None

    def _pending(self, table: str) -> str | None:
        if not self.pending.get(table):
            return None
        import pyarrow as pa

        name = f"pending_{table.replace('.', '_')}"
        self.session.register(name, pa.concat_tables(self.pending[table]))
        return f"select {', '.join(quote(it) for it in self.columns(table))} from {name}"

    def _filed(self, table: str, since: datetime) -> str | None:
        return self._read(table, [file.path for file in self.files(table, since)])

    def _read(self, table: str, paths: Sequence[str]) -> str | None:
        if not paths:
            return None
        listed = ", ".join(literal(path) for path in paths)
        known = self._columns_of(paths)
        selected = ", ".join(
            quote(name) if name in known else f"null::varchar as {quote(name)}"
            for name in self.columns(table)
        )
        return f"select {selected} from read_parquet([{listed}], union_by_name = true)"

    def _columns_of(self, paths: Sequence[str]) -> frozenset[str]:
        """The columns that any of these files has; a file is asked once."""
        fresh = [path for path in paths if path not in self._names]
        if fresh:
            found: dict[str, set[str]] = {path: set() for path in fresh}
            listed = ", ".join(literal(path) for path in fresh)
            for path, name in self.session.execute(
                f"select file_name, name from parquet_schema([{listed}]) where num_children is null"
            ).fetchall():
                found.setdefault(path, set()).add(name)
            self._names |= {path: frozenset(names) for path, names in found.items()}
        return frozenset().union(*(self._names[path] for path in paths))

    def current(self, table: str, since: datetime = ALWAYS) -> str | None:
        """A relation of the current version of each row, deleted ones included; None: no file."""
        versions = self.all_versions(table, since)
        return None if versions is None else self._current(table, versions)

    def everyone(self, table: str) -> str | None:
        """A relation of the rows of a table that exist in the whole zone, whoever wrote them.

        None: there is no file.
        """
        versions = self._read(table, all_files(self._raw_zone, table.replace(".", "/")))
        if versions is None:
            return None
        current = self._current(table, f"({versions})")
        return f"(select * from {current} where is_deleted::varchar is distinct from 'true')"

    def _current(self, table: str, versions: str) -> str:
        has_time = "updated_at" in self.columns(table)
        order = _ORDER if has_time else f"{LOADED_AT} desc"
        keys = ", ".join(quote(key) for key in self.keys(table))
        return (
            f"(select * from {versions} qualify row_number() over "
            f"(partition by {keys} order by {order}) = 1)"
        )

    def select(
        self,
        table: str,
        columns: Sequence[str],
        where: str = "true",
        ids: Mapping[str, Collection[str]] | None = None,
    ) -> list[tuple[Any, ...]]:
        """Current rows; `ids` limits columns to values, however many."""
        versions = self.all_versions(table)
        if versions is None or (ids is not None and not all(ids.values())):
            return []
        limits = []
        for number, (column, values) in enumerate((ids or {}).items()):
            given = self._given(f"ids_{number}", ["id"], [[it] for it in sorted(set(values))])
            limits.append(f"{quote(column)} in (select id from {given})")
        if limits:
            # The current version is only looked for among rows that ever had these values.
            keys = ", ".join(quote(key) for key in self.keys(table))
            ever = f"select {keys} from {versions} where {' and '.join(limits)}"
            versions = f"(select * from {versions} semi join ({ever}) using ({keys}))"
        listed = ", ".join(quote(column) for column in columns)
        limits.append(f"({where})")
        sql = (
            f"select {listed} from {self._current(table, versions)} "
            f"where {' and '.join(limits)} order by all"
        )
        return self.session.execute(sql).fetchall()

    def of_all(self, table: str, columns: Sequence[str]) -> list[tuple[str | None, ...]]:
        """Current rows of a table, whoever wrote them, deleted ones too; values as text."""
        folder = f"{self._raw_zone}/{table.replace('.', '/')}"
        found = self.session.execute(f"select file from glob({literal(folder + '/**')})").fetchall()
        inner = [(path, str(path)[len(folder) :].split("/")) for (path,) in found]
        files = [
            str(path)
            for path, parts in inner
            if str(path).endswith(".parquet")
            and not any(part.startswith(("_", ".")) for part in parts)
        ]
        if not files:
            return []
        source = f"read_parquet([{', '.join(map(literal, files))}], union_by_name = true)"
        known = {row[0] for row in self.session.execute(f"describe from {source}").fetchall()}
        texts = ", ".join(
            f"{quote(it) if it in known else 'null'}::varchar as {quote(it)}"
            for it in self.columns(table)
        )
        order = ", ".join(
            f"try_cast({it} as timestamptz) desc nulls last" for it in ("updated_at", LOADED_AT)
        )
        keys = ", ".join(quote(key) for key in self.keys(table))
        return self.session.execute(
            f"select {', '.join(map(quote, columns))} from (select {texts} from {source}) "
            f"qualify row_number() over (partition by {keys} order by {order}) = 1 "
            "order by all"
        ).fetchall()

    def tombstones(self, table: str) -> dict[tuple[str, ...], datetime | None]:
        """When rows were last deleted, by key; None where the deletion has no time."""
        versions = self.all_versions(table)
        if versions is None:
            return {}
        keys = self.keys(table)
        listed = ", ".join(quote(key) for key in keys)
        rows = self.session.execute(
            f"select {listed}, max(epoch_us(try_cast(updated_at as timestamptz))) "
            f"from {versions} where is_deleted = 'true' group by {listed}"
        ).fetchall()
        return {tuple(row[:-1]): _instant(row[-1]) for row in rows}

    def unchanged(self, table: str, rows: Sequence[Row], since: datetime) -> set[int]:
        """Numbers of the rows that are equal to the current version, load times apart."""
        versions = self.all_versions(table, since)
        if versions is None or not rows:
            return set()
        names = [name for name in self.columns(table) if name != LOADED_AT]
        texts = [[str(number), *map(row.get, names)] for number, row in enumerate(rows)]
        fresh = self._given("fresh", ["_row", *names], texts)
        # The current version is only looked for of the rows that came.
        is_key = " and ".join(
            f"v.{quote(key)} is not distinct from k.{quote(key)}" for key in self.keys(table)
        )
        relation = self._current(
            table, f"(select v.* from {versions} as v semi join fresh as k on {is_key})"
        )
        same = " and ".join(f"f.{quote(it)} is not distinct from c.{quote(it)}" for it in names)
        found = self.session.execute(
            f"with fresh as materialized (from {fresh}) "
            f"select f._row from fresh as f join {relation} as c on {same}"
        ).fetchall()
        return {int(number) for (number,) in found}

    def _given(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
    ) -> str:
        """A relation of rows of ours, all columns as text; `name` is its name where it has one."""
        if len(rows) <= _IN_QUESTION:
            listed = [dict(zip(columns, row, strict=True)) for row in rows]
            text = json.dumps(listed, ensure_ascii=False)
            # Raises, as the table below does, where it holds half a character.
            text.encode()
            shape = json.dumps([dict.fromkeys(columns, "VARCHAR")])
            inner = f"unnest(from_json({literal(text)}, {literal(shape)}), recursive := true)"
            return f"(select {inner})"
        import pyarrow as pa

        arrays = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
        self.session.register(f"given_{name}", pa.Table.from_arrays(arrays, names=list(columns)))
        return f"given_{name}"


def _instant(microseconds: int | None) -> datetime | None:
    """DuckDB gives instants through pytz, which nothing else here needs."""
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)
