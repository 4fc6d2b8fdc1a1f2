"""Reads one BlueSales account (connectors_crm.md 2): everything once a day, what is new between."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import ALWAYS, Row, Window
from orchestration.connectors.crm import CRM_TABLES
from orchestration.connectors.crm.connector import CrmConnector
from orchestration.connectors.crm.rules import Fields
from orchestration.connectors.crm.sweep import is_too_much, sweep
from orchestration.connectors.crm.vanished import dropped
from orchestration.connectors.kinds.bluesales import mapping
from orchestration.connectors.kinds.bluesales.api import Api, Selection
from orchestration.connectors.kinds.bluesales.keys import BluesalesConnection
from orchestration.connectors.kinds.bluesales.mapping import statuses_named
from orchestration.connectors.kinds.bluesales.memory import (
    CUSTOMERS,
    LOADS,
    ORDERS,
    PRIVATE,
    Memory,
)
from orchestration.connectors.kinds.bluesales.sales import STAGE_KEYS, Sales

_LIGHT_DAYS = 2
_ORDER_DAYS = 31
_IDS_AT_ONCE = 200
# No BlueSales account is older.
_BEGIN = date(2010, 1, 1)
_ORDER_KEYS = (
    "order_statuses", "paid_order_statuses", "refund_order_statuses", "cancelled_order_statuses",
)  # fmt: skip


class Bluesales(CrmConnector[BluesalesConnection]):
    """BlueSales."""

    kind: ClassVar[str] = "bluesales"
    title: ClassVar[str] = "BlueSales"
    page: ClassVar[str] = "bluesales.md"
    source: ClassVar[str] = "crm"
    tables: ClassVar[Sequence[str]] = tuple(
        table for table in CRM_TABLES if table != "crm.activities"
    )
    private_tables: ClassVar[Mapping[str, Sequence[str]]] = PRIVATE
    config: ClassVar[type[Connection]] = BluesalesConnection

    @cached_property
    def api(self) -> Api:
        """The account's API."""
        return Api(self.connection, self.work)

    @cached_property
    def memory(self) -> Memory:
        """What earlier loads saw."""
        return Memory(self.work.own)

    @cached_property
    def sales(self) -> Sales:
        """The mapping of this run."""
        last = self.memory.loads[-1].keys if self.memory.loads else ""
        return Sales(self, self.memory, is_everything=last != self._fingerprint)

    @cached_property
    def today(self) -> date:
        """The account's day at the beginning of this run."""
        return self.work.clock.now().astimezone(self.connection.zone).date()

    def read(self) -> Iterator[Window]:
        """A full load where one is due, else a light one; or a range of days that was asked for."""
        self._warn_of_unset()
        started_at = self.work.stamps.next()
        users = self.api.users()
        self.work.report.account("users.get", len(users), len(users))
        asked = self.work.slice
        if asked.is_named:
            days = [it and it.astimezone(self.connection.zone).date() for it in
                    (asked.start, asked.end)]  # fmt: skip
            first = days[0] or self._first_day()
            for name, size in (("customers", self.connection.window_days), ("orders", _ORDER_DAYS)):
                yield from self._windows(name, first, days[1], size, (0.1, 0.9))
            yield self._dictionaries(users, [])
        elif self._is_full_due(started_at):
            yield from _Full(self, started_at).read()
            yield self._dictionaries(users, self._load_row)
        else:
            since = self.today - timedelta(days=_LIGHT_DAYS)
            found = self.api.select(
                "customers",
                lastContactDateFrom=since.isoformat(),
                lastContactDateTill=self._tomorrow.isoformat(),
            )
            yield self._window("customers", found, f"customers in touch since {since}", 0.4)
            yield from self.orders(self._orders_from, (0.4, 0.9))
            yield self._dictionaries(users, [])

    def orders(self, first: date | None, part: tuple[float, float]) -> Iterator[Window]:
        """Orders from a day on, and older ones that can still change; None: all there are."""
        middle = part[1] - (part[1] - part[0]) / 4
        if first is None:
            oldest = self._first_day()
            found = self.api.select("orders", dateTill=oldest.isoformat())
            self.seen("orders", found)
            yield self._window("orders", found, f"orders before {oldest}", part[0])
            yield from self._windows("orders", oldest, None, _ORDER_DAYS, part)
            return
        yield from self._windows("orders", first, None, _ORDER_DAYS, (part[0], middle))
        ids = self.memory.older_orders(first.isoformat(), self.sales.final_orders)
        for found in self.by_ids("orders", ids):
            yield self._window("orders", found, "older orders", middle)

    def by_ids(self, name: str, ids: Sequence[str]) -> Iterator[Selection]:
        """Customers or orders with these ids, as many as there still are."""
        for number in range(0, len(ids), _IDS_AT_ONCE):
            some = [int(it) if it.isdigit() else it for it in ids[number : number + _IDS_AT_ONCE]]
            yield self.api.select(name, ids=some)

    def _windows(
        self, name: str, first: date, last: date | None, size: int, part: tuple[float, float]
    ) -> Iterator[Window]:
        """Windows of days; the last one is open where no end is asked for: dates can be ahead."""
        key = "firstContactDate" if name == "customers" else "date"
        end = last + timedelta(days=1) if last else self._tomorrow
        day, length = first, max(1, (end - first).days)
        while day < end or day == first:
            until = min(day + timedelta(days=size), end)
            is_open = last is None and until >= end
            till = None if is_open else until.isoformat()
            found = self.api.select(name, **{f"{key}From": day.isoformat(), f"{key}Till": till})
            self.seen(name, found)
            share = min(1.0, (until - first).days / length)
            done = part[0] + (part[1] - part[0]) * share
            yield self._window(name, found, f"{name} to {until}", done)
            if until <= day:
                break
            day = until

    def _window(self, name: str, found: Selection, what: str, done: float) -> Window:
        mapped = self.sales.customers if name == "customers" else self.sales.orders
        return Window(what, mapped(found.rows), done=done, known_since=ALWAYS)

    def seen(self, name: str, found: Selection) -> None:
        """Note which rows a list has."""
        # Not `|=`: with the keys of a dict that makes another set.
        self.listed[name].update(found.rows)
        self.is_whole &= found.is_whole

    @cached_property
    def listed(self) -> dict[str, set[str]]:
        """Ids of customers and orders that this run's lists have."""
        self.is_whole = True
        return {"customers": set(), "orders": set()}

    def _dictionaries(self, users: Sequence[Any], loads: Sequence[Row]) -> Window:
        """Last: with them a full load is known to be complete."""
        sales = self.sales
        managers = [sales.prefixed(it) for it in mapping.managers(users, self.connection)]
        names = [mapping.ORDERS] if self.connection.deals_from == "orders" else [mapping.CRM]
        if any(it.startswith("order:") for it in sales.statuses):
            names = [*dict.fromkeys([*names, mapping.ORDERS])]
        rows = {
            "crm.managers": [*managers, *dropped(self.work.own, "crm.managers", managers)],
            "crm.pipelines": [
                sales.prefixed({"pipeline_id": it, "name": mapping.PIPELINES[it]}) for it in names
            ],
            "crm.stages": [
                sales.prefixed(it) for it in sales.stage_rows() if it["pipeline_id"] in names
            ],
            LOADS: list(loads),
        }
        stamp = self.work.stamps.next()
        for listed in rows.values():
            for row in listed:
                row["_loaded_at"] = stamp
        state = {"full": None, "user": self.connection.login} if loads else {}
        return Window("dictionaries", rows, state, done=1.0, known_since=ALWAYS)

    def _is_full_due(self, now: datetime) -> bool:
        if not self.memory.loads or self.sales._is_everything or self.work.state.get("full"):
            return True
        last = self.memory.loads[-1].started_at
        return now - last >= timedelta(hours=self.connection.full_every_hours)

    @property
    def _orders_from(self) -> date:
        return self.today - timedelta(days=self.connection.order_lookback_days)

    @property
    def _tomorrow(self) -> date:
        return self.today + timedelta(days=1)

    def _first_day(self) -> date:
        """Where windows begin: start_date, else the earliest first contact that is known."""
        if self.connection.start_date:
            return self.connection.start_date
        known = self.memory.oldest()
        return min(date.fromisoformat(known), self.today) if known else self._searched

    @cached_property
    def _searched(self) -> date:
        """The day of the earliest first contact, found by halves."""
        low, high = _BEGIN, self._tomorrow
        while (high - low).days > self.connection.window_days:
            middle = low + (high - low) / 2
            if self.api.total("customers", firstContactDateTill=middle.isoformat()):
                high = middle
            else:
                low = middle
        return low

    @cached_property
    def _fingerprint(self) -> str:
        """Of the keys by which rows are mapped: when one changes, all rows are mapped again."""
        apart = {"base_url", "enabled", "login", "password", "password_md5", "start_date",
                 "window_days", "full_every_hours", "sweep_every_days", "max_vanished_share",
                 "order_lookback_days"}  # fmt: skip
        text = self.connection.model_dump_json(exclude=apart)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def load_row(self, started_at: datetime, orders_from: date | None, is_complete: bool) -> None:
        """Remember the full load that is about to end."""
        self._load_row = [
            {
                "load_id": started_at.isoformat(),
                "started_at": started_at.isoformat(),
                "orders_from": orders_from.isoformat() if orders_from else None,
                "is_complete": "true" if is_complete else None,
                "keys": self._fingerprint,
            }
        ]

    def _warn_of_unset(self) -> None:
        keys, report = self.connection, self.work.report
        self.warn_of_payments()
        if not keys.crm_statuses:
            report.warn(
                "crm_statuses is not set: stages are in order of their ids, and no lead is taken "
                "into work unless taken_stages names a status."
            )
        if not keys.won_stages and not keys.lost_stages:
            report.warn(
                "won_stages and lost_stages are not set: no deal is ever closed. BlueSales does "
                "not say which statuses end a sale."
            )

    def unmatched(self) -> dict[str, list[str]]:
        """Names in keys that mean no status or custom field which was seen so far, by key."""
        sales, keys = self.sales, self.connection
        found: dict[str, list[str]] = {}
        for key in (*STAGE_KEYS, "crm_statuses", *_ORDER_KEYS):
            kind = {"crm_statuses": "crm"}.get(key) or ("order" if key in _ORDER_KEYS else None)
            fits = statuses_named(sales.statuses, getattr(keys, key), kind)
            missing = [name for name, listed in fits.items() if not listed]
            if missing:
                found[key] = missing
        ids = {it for listed in sales.fields_seen.values() for it in listed}
        for key in Fields.names():
            wanted = getattr(keys, f"{key}_field")
            if wanted and wanted not in sales.fields_seen and wanted not in ids:
                found[f"{key}_field"] = [wanted]
        return found

    def check(self) -> Iterator[Finding]:
        """Whether the login works, what it may read, and what the keys leave open."""
        from orchestration.connectors.kinds.bluesales.checks import findings

        yield from findings(self)


class _Full:
    """A full load: all customers by first contact, and orders; goes on after a kill."""

    def __init__(self, blue: Bluesales, started_at: datetime) -> None:
        self._blue = blue
        self._api = blue.api
        self._report = blue.work.report
        known = blue.work.state.get("full") or {}
        began = datetime.fromisoformat(known["started_at"]) if known else None
        fresh = timedelta(hours=blue.connection.full_every_hours)
        # A full load that was killed goes on with its next window, unless that was long ago.
        self._is_resumed = began is not None and timedelta(0) <= started_at - began < fresh
        self._started_at = began if began and self._is_resumed else started_at
        self._next = date.fromisoformat(known["next"]) if self._is_resumed else None
        self._count = int(known["count"]) if self._is_resumed else 0
        self._of_today = 0

    def read(self) -> Iterator[Window]:
        """Customers, orders, the proof that they are all, deletions."""
        blue = self._blue
        is_sweep = self._is_sweep_due() and not self._is_resumed
        first = blue._first_day()
        if self._next is None:
            yield from self._older(first)
        yield from self._customers(self._next or first)
        yield from self._proof(first)
        orders_from = None if is_sweep or not blue.memory.loads else blue._orders_from
        yield from blue.orders(orders_from, (0.6, 0.9))
        is_complete = blue.is_whole and self._is_complete
        blue.load_row(self._started_at, orders_from, is_complete)
        for key, names in blue.unmatched().items():
            self._report.warn(f"{key}: BlueSales has shown no {', '.join(names)} so far.")
        yield from self._swept(is_sweep and is_complete)

    def _older(self, first: date) -> Iterator[Window]:
        """Customers before the first window: counted where start_date leaves them out."""
        till = first.isoformat()
        self._left_out = 0
        if self._blue.connection.start_date:
            self._left_out = self._api.total("customers", firstContactDateTill=till)
            self._report.counted["customers before start_date"] += self._left_out
            self._count += self._left_out
            return
        found = self._api.select("customers", firstContactDateTill=till)
        self._blue.seen("customers", found)
        self._count += len(found.rows)
        yield self._blue._window("customers", found, f"customers before {first}", 0.05)

    def _customers(self, first: date) -> Iterator[Window]:
        blue = self._blue
        listed = blue.listed["customers"]
        day = first
        before = len(listed)
        for window in blue._windows(
            "customers", first, None, blue.connection.window_days, (0.05, 0.55)
        ):
            self._count += len(listed) - before
            before = len(listed)
            day = min(day + timedelta(days=blue.connection.window_days), blue.today)
            state = {
                "full": {
                    "started_at": self._started_at.isoformat(),
                    # The last window is open: it is read again.
                    "next": day.isoformat(),
                    "count": self._count if day < blue.today else 0,
                }
            }
            yield Window(window.what, window.rows, state if day < blue.today else {},
                         window.done, window.known_since)  # fmt: skip

    def _proof(self, first: date) -> Iterator[Window]:
        """The system's own total has to be what was read, but for those who came meanwhile."""
        blue, report = self._blue, self._report
        today = {"firstContactDateFrom": blue.today.isoformat()}
        fresh = self._api.total("customers", **today)
        total = self._api.total("customers")
        self._is_complete = abs(total - self._count) <= fresh
        if self._is_complete:
            return
        if total > self._count:
            # Those without a day of first contact are in no window.
            found = self._api.select("customers")
            if blue.connection.start_date:
                found = Selection(
                    {
                        key: (row, stamp)
                        for key, (row, stamp) in found.rows.items()
                        if (mapping.customer(row, stamp, blue.connection.zone).dated_on or "9999")
                        >= first.isoformat()
                    },
                    found.is_whole,
                )
            blue.seen("customers", found)
            more = len(blue.listed["customers"]) + getattr(self, "_left_out", 0)
            self._is_complete = not self._is_resumed and abs(total - more) <= fresh
            yield blue._window("customers", found, "customers without a day", 0.58)
            self._count = more
        if not self._is_complete:
            report.warn(
                f"BlueSales counts {total} customers, and {self._count} were read: they were "
                "edited meanwhile, or some are invisible. Nothing is taken for deleted until a "
                "full load agrees."
            )

    def _is_sweep_due(self) -> bool:
        blue = self._blue
        last = blue.work.state.get("swept_at")
        days = timedelta(days=blue.connection.sweep_every_days)
        return last is None or self._started_at - datetime.fromisoformat(last) >= days

    def _asked_again(self, name: str, known: set[str]) -> Iterator[Window]:
        """Ask for what the lists lack by its id: rows move up between pages while others go.

        So many that the sweep will bury none are not asked for.
        """
        blue = self._blue
        living = blue.memory.living(name)
        missing = sorted(living - blue.listed[name] - known)
        if is_too_much(len(missing), len(living), blue.connection.max_vanished_share):
            return
        for found in blue.by_ids(name, missing):
            blue.seen(name, found)
            if found.rows:
                yield blue._window(name, found, f"{name} that a list skipped", 0.92)

    def _swept(self, is_due: bool) -> Iterator[Window]:
        """Bury what the lists of this load do not have; guarded."""
        blue = self._blue
        if not is_due:
            return
        if not blue.memory.loads:
            # The first load has just listed everything.
            state = {"swept_at": self._started_at.isoformat()}
            yield Window("sweep", state=state)
            return
        customers, orders = blue.listed["customers"], blue.listed["orders"]
        start = blue.connection.start_date
        keep = set()
        if start:
            # What start_date leaves out was not listed, and may still be there.
            keep = {
                it.id
                for it in blue.memory.seen(
                    "customers", "id", blue.memory.living("customers")
                ).values()
                if it.dated_on and it.dated_on < start.isoformat()
            }
        yield from self._asked_again("customers", keep)
        yield from self._asked_again("orders", set())
        ids = {str(blue.id(it)) for it in customers | keep}
        gone = blue.memory.living("orders") - orders
        owners = blue.memory.seen("orders", "id", gone)
        deals = {str(blue.id(f"c{it}")) for it in customers | keep}
        deals |= {str(blue.id(f"o{it}")) for it in orders}
        for window in sweep(
            blue.work,
            self._started_at,
            blue.connection.max_vanished_share,
            is_same_user=blue.work.state.get("user") in (None, blue.connection.login),
            tables={
                CUSTOMERS: lambda: customers | keep,
                ORDERS: lambda: orders,
                "crm.leads": lambda: ids,
                "crm.contacts": lambda: ids,
                "crm.deals": lambda: deals,
            },
            has_time=False,
        ):
            yield window
            if not window.rows:
                continue
            dead = [row["id"] for row in window.rows[CUSTOMERS]]
            blue.memory.bury("customers", dead)
            blue.memory.bury("orders", gone)
            touched = sorted({it.customer_id for it in owners.values()} | set(dead))
            rows = blue.sales.of_customers(touched)
            yield Window("after the sweep", rows, known_since=ALWAYS)
