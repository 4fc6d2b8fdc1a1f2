"""What earlier loads saw, from the connection's private tables, in one session's tables.

They are read once in a run and follow what it reads: the raw zone has a file for every load that
found something, and a window of a week would otherwise open them all.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestration.connectors.connector import Row
from orchestration.connectors.kinds.bluesales.history import Entry
from orchestration.connectors.loading import text_of
from orchestration.connectors.own_rows import OwnRows

CUSTOMERS, ORDERS = "crm._bluesales_customers", "crm._bluesales_orders"
ENTRIES, LOADS = "crm._bluesales_entries", "crm._bluesales_loads"
_SEEN = ("id", "customer_id", "status_id", "status_name", "dated_on", "said", "is_deleted")
PRIVATE: Mapping[str, Sequence[str]] = {
    CUSTOMERS: _SEEN,
    ORDERS: _SEEN,
    ENTRIES: ("entry_id", "object_id", "status_id", "entered_at", "entered_after", "quality"),
    LOADS: ("load_id", "started_at", "orders_from", "is_complete", "keys"),
}


@dataclass
class Seen:
    """A customer or an order as it was last seen; `said` is what counts of it.

    `dated_on` is the day of first contact, or the order's, as an ISO date. `seen_at` and
    `first_at` are instants of loads; `is_gone` after a sweep.
    """

    id: str
    customer_id: str
    status_id: str
    status_name: str
    dated_on: str | None
    said: Mapping[str, Any]
    seen_at: datetime
    first_at: datetime
    is_gone: bool = False

    def row(self) -> Row:
        """The row of the private table."""
        return {
            "id": self.id,
            "customer_id": self.customer_id,
            "status_id": self.status_id,
            "status_name": self.status_name,
            "dated_on": self.dated_on,
            "said": json.dumps(self.said, ensure_ascii=False, sort_keys=True),
            "_loaded_at": self.seen_at,
        }


@dataclass(frozen=True)
class Load:
    """A full load that ended. `orders_from`: the first day of its orders, None for all."""

    started_at: datetime
    orders_from: str | None
    is_complete: bool
    keys: str


class Memory:
    """Customers, orders, entries and full loads of a connection."""

    def __init__(self, own: OwnRows) -> None:
        self._session = own.session.cursor()
        self._session.execute("set TimeZone = 'UTC'")
        self._session.execute("create or replace temp table statuses (stage_id text, name text)")
        for table, name, kind in ((CUSTOMERS, "customers", "crm"), (ORDERS, "orders", "order")):
            versions = own.all_versions(table) or _nothing(_SEEN)
            # Of all versions: keys name statuses that customers pass through and leave.
            self._session.execute(
                f"insert into statuses select '{kind}:' || status_id, "
                f"arg_max(status_name, _loaded_at) from {versions} "
                "where status_id <> '' group by 1"
            )
            lived = "filter (is_deleted is distinct from 'true')"
            latest = ", ".join(f"arg_max({it}, _loaded_at) {lived} as {it}" for it in _SEEN[1:6])
            self._session.execute(
                f"create or replace temp table {name} as select id, {latest}, "
                f"epoch_us(max(_loaded_at) {lived}) as seen_at, "
                f"epoch_us(min(_loaded_at) {lived}) as first_at, "
                "coalesce(arg_max(coalesce(is_deleted, ''), _loaded_at) = 'true', false) as gone "
                f"from {versions} group by id"
            )
        entries = own.all_versions(ENTRIES) or _nothing(PRIVATE[ENTRIES])
        self._session.execute(
            "create or replace temp table entries as select distinct on (entry_id) object_id, "
            "status_id, entered_at, entered_after, quality, epoch_us(_loaded_at) as loaded_at "
            f"from {entries}"
        )
        loads = own.all_versions(LOADS) or _nothing(PRIVATE[LOADS])
        self.loads = [
            Load(datetime.fromisoformat(start), orders_from, is_complete == "true", keys)
            for start, orders_from, is_complete, keys in self._session.execute(
                f"select distinct started_at, orders_from, is_complete, keys from {loads} "
                "order by started_at"
            ).fetchall()
        ]

    def seen(self, name: str, column: str, values: Collection[str]) -> dict[str, Seen]:
        """Customers or orders by id, `column` being one of these values."""
        if not values:
            return {}
        rows = self._session.execute(
            f"select * from {name} where {column} in (select unnest(?))", [sorted(set(values))]
        ).fetchall()
        return {row[0]: _seen(row) for row in rows}

    def entries(self, objects: Collection[str]) -> dict[str, list[Entry]]:
        """Entries by object, `c<customer>` or `o<order>`, in order of time."""
        found: dict[str, list[Entry]] = {}
        rows = self._session.execute(
            "select object_id, status_id, entered_at, entered_after, quality from entries "
            "where object_id in (select unnest(?)) order by object_id, loaded_at, entered_at",
            [sorted(set(objects))],
        ).fetchall()
        for object_id, status_id, at, after, quality in rows:
            entry = Entry(
                status_id,
                datetime.fromisoformat(at),
                datetime.fromisoformat(after) if after else None,
                quality,
            )
            found.setdefault(object_id, []).append(entry)
        return found

    def living(self, name: str) -> set[str]:
        """Ids of customers or orders that are not gone."""
        rows = self._session.execute(f"select id from {name} where not gone").fetchall()
        return {row[0] for row in rows}

    def statuses(self) -> dict[str, str]:
        """Every status that anything was ever seen in: `crm:<id>` or `order:<id>`, its name."""
        return dict(self._session.execute("from statuses order by 1").fetchall())

    def oldest(self) -> str | None:
        """The earliest day of first contact that is known."""
        rows = self._session.execute("select min(dated_on) from customers").fetchall()
        found: str | None = rows[0][0]
        return found

    def older_orders(self, before: str, final: Collection[str]) -> list[str]:
        """Orders dated before a day (or without one) that are not in one of these statuses."""
        rows = self._session.execute(
            "select id from orders where not gone and coalesce(dated_on, '') < ? "
            "and not list_contains(?::varchar[], status_id) order by id",
            [before, sorted(final)],
        ).fetchall()
        return [row[0] for row in rows]

    def put(self, name: str, seen: Iterable[Seen]) -> None:
        """These were seen now."""
        rows = [
            (
                it.id, it.customer_id, it.status_id, it.status_name, it.dated_on,
                it.row()["said"], _micros(it.seen_at), _micros(it.first_at), it.is_gone,
            )
            for it in seen
        ]  # fmt: skip
        if rows:
            ids = [row[0] for row in rows]
            self._session.execute(f"delete from {name} where id in (select unnest(?))", [ids])
            self._insert(name, rows)

    def put_entries(self, rows: Sequence[Row]) -> None:
        """These entries were made now."""
        self._insert(
            "entries",
            [
                (it["object_id"], it["status_id"], it["entered_at"], it["entered_after"],
                 it["quality"], _micros(it["_loaded_at"]))
                for it in rows
            ],
        )  # fmt: skip

    def _insert(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        import pyarrow as pa

        columns = [pa.array(list(column)) for column in zip(*rows, strict=True)]
        names = [f"c{number}" for number in range(len(columns))]
        self._session.register("fresh_rows", pa.Table.from_arrays(columns, names=names))
        self._session.execute(f"insert into {name} select * from fresh_rows")
        self._session.unregister("fresh_rows")

    def bury(self, name: str, ids: Collection[str]) -> None:
        """These are gone."""
        self._session.execute(
            f"update {name} set gone = true where id in (select unnest(?))", [sorted(ids)]
        )


def entry_row(object_id: str, entry: Entry, loaded_at: datetime) -> Row:
    """The row of the private table."""
    return {
        "entry_id": f"{object_id}:{entry.status_id}:{int(entry.at.timestamp())}",
        "object_id": object_id,
        "status_id": entry.status_id,
        "entered_at": text_of(entry.at),
        "entered_after": text_of(entry.after) if entry.after else None,
        "quality": entry.quality,
        "_loaded_at": loaded_at,
    }


def _seen(row: Sequence[Any]) -> Seen:
    row_id, customer_id, status_id, name, dated_on, said, seen_at, first_at, is_gone = row
    said, seen_at, first_at = json.loads(said), _instant(seen_at), _instant(first_at)
    return Seen(row_id, customer_id, status_id, name, dated_on, said, seen_at, first_at, is_gone)


def _micros(moment: datetime) -> int:
    whole = moment.astimezone(UTC)
    return int(whole.replace(microsecond=0).timestamp()) * 1_000_000 + whole.microsecond


def _instant(micros: int) -> datetime:
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def _nothing(columns: Sequence[str]) -> str:
    listed = ", ".join(f"null::varchar as {it}" for it in columns)
    return f"(select {listed}, null::timestamptz as _loaded_at limit 0)"
