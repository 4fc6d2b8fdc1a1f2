"""All rows that follow from customers, their orders and their stage entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from orchestration.base.errors import WrongUse
from orchestration.connectors.connector import Row
from orchestration.connectors.crm.rules import (
    CustomField,
    Deal,
    Fields,
    Move,
    Rules,
    Stage,
    Stages,
    text,
)
from orchestration.connectors.crm.vanished import bare
from orchestration.connectors.kinds.bluesales import mapping
from orchestration.connectors.kinds.bluesales.api import Json
from orchestration.connectors.kinds.bluesales.history import (
    Entry,
    dated,
    first_entry,
    next_entry,
)
from orchestration.connectors.kinds.bluesales.mapping import CRM, ORDERS
from orchestration.connectors.kinds.bluesales.memory import (
    CUSTOMERS,
    ENTRIES,
    Load,
    Memory,
    Seen,
    entry_row,
)
from orchestration.connectors.kinds.bluesales.memory import ORDERS as ORDER_ROWS
from orchestration.connectors.loading import text_of

if TYPE_CHECKING:
    from orchestration.connectors.kinds.bluesales.connector import Bluesales

STAGE_KEYS = (
    "presale_stages", "target_stages", "non_target_stages", "taken_stages", "won_stages",
    "lost_stages", "meeting_set_stages", "meeting_confirmed_stages", "meeting_held_stages",
)  # fmt: skip
_UNLISTED = 1_000
_IDS = frozenset(
    {
        "contact_id", "lead_id", "deal_id", "manager_id", "source_id", "pipeline_id", "stage_id",
        "event_id", "meeting_id", "payment_id", "set_by", "held_by",
    }
)  # fmt: skip
Rows = dict[str, list[Row]]
Answers = Mapping[str, tuple[Json, datetime]]


class Sales:
    """One run's mapping. `is_everything`: rows of unchanged customers are written as well."""

    def __init__(self, blue: Bluesales, memory: Memory, is_everything: bool) -> None:
        self._blue = blue
        self._keys = blue.connection
        self._zone = blue.connection.zone
        self._own = blue.work.own
        self._report = blue.work.report
        self._memory = memory
        self._is_everything = is_everything
        self.statuses = memory.statuses()
        self.fields_seen: dict[str, set[str]] = {}
        self._written_statuses: dict[str, str] = {}
        self._rules: Rules | None = None

    def customers(self, answers: Answers) -> Rows:
        """Rows of customers that were read; those that say what they said before give none."""
        for row, _ in answers.values():
            self._report.lacking("customers.get", row, mapping.CUSTOMER_FIELDS)
        seen = [mapping.customer(row, stamp, self._zone) for row, stamp in answers.values()]
        self._report.account("customers.get", len(answers), len(seen))
        return self._changed("customers", CUSTOMERS, "c", seen, {})

    def orders(self, answers: Answers) -> Rows:
        """The same of orders."""
        for row, _ in answers.values():
            self._report.lacking("orders.get", row, mapping.ORDER_FIELDS)
        seen = [mapping.order(row, stamp, self._zone) for row, stamp in answers.values()]
        self._report.account("orders.get", len(answers), len(seen))
        return self._changed("orders", ORDER_ROWS, "o", seen, {})

    def of_customers(self, ids: Iterable[str]) -> Rows:
        """Rows of these customers again, from what is remembered."""
        stamp = self._blue.work.stamps.next()
        return self._derived(dict.fromkeys(ids, stamp))

    def stage_rows(self) -> list[Row]:
        """Every status that was ever seen; ids without prefix."""
        stages, rules = self.stages.all, self.stages
        return [
            {
                "stage_id": it.stage_id,
                "pipeline_id": it.pipeline_id,
                "name": it.name or it.stage_id,
                "position": str(it.position),
                "kind": rules.kind(it.stage_id),
            }
            for it in stages
        ]

    @property
    def final_orders(self) -> set[str]:
        """Ids of statuses in which an order stays."""
        keys, stages = self._keys, self.stages
        ends = self._named(keys.refund_order_statuses) | self._named(keys.cancelled_order_statuses)
        closed = {it.stage_id for it in stages.all if stages.kind(it.stage_id) in ("won", "lost")}
        return {it.removeprefix("order:") for it in ends | closed if it.startswith("order:")}

    @property
    def stages(self) -> Stages:
        """The statuses that are known by now, and what the keys say of them."""
        if self._rules is None:
            self._made()
        return self._stages

    @property
    def rules(self) -> Rules:
        """What follows from the facts."""
        if self._rules is None:
            self._made()
        assert self._rules is not None
        return self._rules

    def _made(self) -> None:
        keys = self._keys
        resolved = {
            key: [
                it
                for fits in mapping.statuses_named(self.statuses, getattr(keys, key)).values()
                for it in fits
            ]
            for key in STAGE_KEYS
        }
        stages = [self._stage(it, name) for it, name in self.statuses.items()]
        self._stages = Stages(keys.model_copy(update=resolved), stages)
        self._rules = Rules(
            keys, self._stages, self.fields, self._report, self._moment, keys.meetings_from or []
        )

    @property
    def fields(self) -> Fields:
        """BlueSales lists no fields: a key's field is whatever a row has under that id or name."""
        names = {getattr(self._keys, f"{it}_field") for it in Fields.names()} - {None}
        return Fields.of(self._keys, [CustomField(it, it) for it in sorted(names)])

    def _stage(self, stage_id: str, name: str) -> Stage:
        kind, _, status_id = stage_id.partition(":")
        pipeline = CRM if kind == "crm" else ORDERS
        listed = self._keys.crm_statuses if kind == "crm" else self._keys.order_statuses
        places = [
            number
            for number, wanted in enumerate(listed, 1)
            if mapping.status_matches(stage_id, name, wanted)
        ]
        last = _UNLISTED + (int(status_id) if status_id.isdigit() else 0)
        position = places[0] if places else last
        return Stage(stage_id, pipeline, mapping.PIPELINES[pipeline], name, position, "open")

    def _is_first(self, stage_id: str, name: str) -> bool:
        listed = (
            self._keys.crm_statuses if stage_id.startswith("crm:") else self._keys.order_statuses
        )
        return bool(listed) and mapping.status_matches(stage_id, name, listed[0])

    def _named(self, names: Sequence[str]) -> set[str]:
        """Stage ids of statuses of orders."""
        fits = mapping.statuses_named(self.statuses, names, "order")
        return {it for listed in fits.values() for it in listed}

    def _changed(
        self, name: str, table: str, mark: str, seen: Sequence[Seen], extra: Mapping[str, str]
    ) -> Rows:
        """What is new in these rows, and all that follows from it."""
        before = self._memory.seen(name, "id", [it.id for it in seen])
        entries = self._memory.entries([mark + it.id for it in seen])
        fresh: list[Seen] = []
        moved: list[Row] = []
        customers: dict[str, datetime] = {}
        kind = "crm" if mark == "c" else "order"
        for it in seen:
            was = before.get(it.id)
            it = replace(it, first_at=was.first_at) if was else it
            self._look_at(it)
            stage_id = f"{kind}:{it.status_id}"
            if it.status_id and self.statuses.get(stage_id) != it.status_name:
                self.statuses[stage_id] = it.status_name
                self._rules = None
            known = entries.get(mark + it.id, [])
            entry = self._entry(it, was, known, kind) if it.status_id else None
            if entry:
                moved.append(entry_row(mark + it.id, entry, it.seen_at))
            if entry or was is None or was.is_gone or not _is_same(it, was):
                fresh.append(it)
            elif not self._is_everything:
                continue
            customers[it.customer_id] = it.seen_at
            if was and was.customer_id != it.customer_id:
                customers[was.customer_id] = it.seen_at
        self._memory.put(name, fresh)
        self._memory.put_entries(moved)
        rows = self._derived(customers)
        rows[table] = [it.row() for it in fresh]
        rows[ENTRIES] = moved
        if self.statuses != self._written_statuses:
            self._written_statuses = dict(self.statuses)
            rows["crm.stages"] = [self.prefixed(it) for it in self.stage_rows()]
        return rows

    def _entry(self, it: Seen, was: Seen | None, known: Sequence[Entry], kind: str) -> Entry | None:
        is_first = self._is_first(f"{kind}:{it.status_id}", it.status_name)
        began = dated(it.said["first" if kind == "crm" else "date"], self._zone)
        changed = dated(it.said.get("changed"), self._zone)
        last = known[-1].status_id if known else None
        # A row that had no status has one now: since it was seen last, not since it began.
        if was is None or (last is None and was.status_id == it.status_id):
            start = began.start if began else None
            return first_entry(it.status_id, changed, start, is_first, it.seen_at)
        if last == it.status_id:
            return None
        return next_entry(it.status_id, changed, self._unchanged_until(was, kind), it.seen_at)

    def _unchanged_until(self, was: Seen, kind: str) -> datetime:
        """Until when it surely was as it was last written: a later full load saw no change."""
        if was.is_gone:
            return was.seen_at
        starts = [it.started_at for it in self._memory.loads if self._covers(it, was, kind)]
        return max([was.seen_at, *starts])

    def _covers(self, load: Load, was: Seen, kind: str) -> bool:
        if not load.is_complete:
            return False
        if kind == "crm":
            # Who came before `start_date` is in no window of a full load.
            start = self._keys.start_date
            return start is None or was.dated_on is None or was.dated_on >= start.isoformat()
        if load.orders_from is None:
            return True
        is_recent = was.dated_on is not None and was.dated_on >= load.orders_from
        return is_recent or was.status_id not in self.final_orders

    def _look_at(self, it: Seen) -> None:
        for name in ("first", "changed", "date"):
            written = it.said.get(name)
            if written and dated(written, self._zone) is None:
                self._report.counted[f"unreadable dates: {name}"] += 1
        for field_id, name, _ in it.said["fields"]:
            self.fields_seen.setdefault(name, set()).add(field_id)
        for key in Fields.names():
            wanted = getattr(self._keys, f"{key}_field")
            ids = self.fields_seen.get(wanted, ()) if wanted else ()
            if len(ids) > 1:
                raise WrongUse(
                    f"{self._keys.name}: {key}_field: {len(ids)} custom fields are named {wanted}.",
                    "Write the field's id.",
                    [f"{it}: {wanted}" for it in sorted(ids)],
                )

    def _derived(self, stamps: Mapping[str, datetime]) -> Rows:
        """All rows of these customers; what they had before and have no more is tombstoned."""
        ids = [it for it in stamps if it]
        customers = self._memory.seen("customers", "id", ids)
        orders: dict[str, list[Seen]] = {}
        for it in self._memory.seen("orders", "customer_id", ids).values():
            if not it.is_gone:
                orders.setdefault(it.customer_id, []).append(it)
        objects = [f"c{it}" for it in ids]
        objects += [f"o{it.id}" for listed in orders.values() for it in listed]
        entries = self._memory.entries(objects)
        found: Rows = {}
        for customer_id in ids:
            one = _One(self, customer_id, customers.get(customer_id),
                       orders.get(customer_id, []), entries)  # fmt: skip
            for table, rows in one.rows().items():
                for row in rows:
                    row["_loaded_at"] = stamps[customer_id]
                    found.setdefault(table, []).append(self.prefixed(row))
        found["crm.sources"] = list(
            {row["source_id"]: row for row in found.get("crm.sources", [])}.values()
        )
        self._bury(found, {self._blue.id(it): stamps[it] for it in ids})
        return found

    def _bury(self, found: Rows, stamps: Mapping[str | None, datetime]) -> None:
        owners = {"contact_id": [it for it in stamps if it]}
        living = "is_deleted is distinct from 'true'"
        for table, key in (
            ("crm.deals", "deal_id"),
            ("crm.payments", "payment_id"),
            ("crm.meetings", "meeting_id"),
            ("crm.contact_phones", "phone"),
        ):
            there = {(row["contact_id"], row[key]) for row in found.get(table, [])}
            for owner, row_id in self._own.select(table, ["contact_id", key], living, owners):
                if (owner, row_id) not in there:
                    grave = bare(key, row_id, None)
                    if key == "phone":
                        grave["contact_id"] = owner
                    found.setdefault(table, []).append({**grave, "_loaded_at": stamps[owner]})

    def prefixed(self, row: Row) -> Row:
        """The row with the connection's prefix before every id."""
        return {key: self._blue.id(it) if key in _IDS else it for key, it in row.items()}

    def _moment(self, written: str) -> datetime | None:
        found = dated(written, self._zone)
        return found.start if found else None

    def order_statuses(self, key: str) -> set[str]:
        """Ids of the statuses of orders that a key names."""
        return {it.removeprefix("order:") for it in self._named(getattr(self._keys, key))}


class _One:
    """One customer with its orders. `customer` is None where only orders of it were seen."""

    def __init__(
        self,
        sales: Sales,
        customer_id: str,
        customer: Seen | None,
        orders: Sequence[Seen],
        entries: Mapping[str, Sequence[Entry]],
    ) -> None:
        self._sales = sales
        self._keys = sales._keys
        self._zone = sales._keys.zone
        self._id = customer_id
        self._customer = customer if customer and not customer.is_gone else None
        self._orders = sorted(orders, key=lambda it: (it.dated_on or "9999", _number(it.id), it.id))
        self._entries = entries
        cancelled = sales.order_statuses("cancelled_order_statuses")
        self._first = next((it for it in self._orders if it.status_id not in cancelled), None)

    def rows(self) -> Rows:
        """Rows without prefix."""
        found: Rows = {}
        if self._customer:
            found |= self._people(self._customer)
            self._customer_deal(self._customer, found)
        for order in self._orders:
            deal_id = self._deal_of(order)
            if deal_id == f"o{order.id}":
                self._order_deal(order, found)
            if self._keys.payments_from == "native":
                found.setdefault("crm.payments", []).extend(self._paid(order, deal_id))
        return found

    def _people(self, it: Seen) -> Rows:
        source = self._source(it)
        rows: Rows = {
            "crm.contacts": [
                {
                    "contact_id": it.id,
                    "name": it.said["name"],
                    "email": it.said["email"],
                    "created_at": text_of(self._created(it)),
                    "source_id": source["source_id"] if source else None,
                }
            ],
            "crm.contact_phones": [
                {"contact_id": it.id, "phone": phone} for phone in it.said["phones"]
            ],
        }
        if source:
            rows["crm.sources"] = [source]
        return rows

    def _customer_deal(self, it: Seen, found: Rows) -> None:
        sales, rules, stages = self._sales, self._sales.rules, self._sales.stages
        stage_id = f"crm:{it.status_id}" if it.status_id else None
        entries = self._entries.get(f"c{it.id}", ())
        deal = self._facts(it, f"c{it.id}", "crm", entries)
        deal.created_at = self._created(it)
        deal.amount = self._amount(self._first)
        deal.tags = it.said["tags"]
        deal.owner = it.said["manager"]
        is_target, qualified_at = rules.target(deal)
        reason = deal.value(sales.fields.lost_reason) or deal.reason
        source = self._source(it)
        source_id = source["source_id"] if source else None
        lead = {
            "lead_id": it.id,
            "contact_id": it.id,
            "manager_id": deal.owner,
            "source_id": source_id,
            "created_at": text_of(deal.created_at),
            "taken_at": _text(self._taken_at(entries)),
            "is_target": text(is_target),
            "qualified_at": _text(qualified_at),
            "rejection_reason": reason if is_target is False else None,
            "utm_source": deal.value(sales.fields.utm_source),
            "utm_medium": deal.value(sales.fields.utm_medium),
            "utm_campaign": deal.value(sales.fields.utm_campaign),
        }
        found["crm.leads"] = [rules.repair_lead(lead)]
        if self._keys.deals_from == "orders":
            return
        row = {
            "deal_id": deal.deal_id,
            "lead_id": it.id,
            "contact_id": it.id,
            "manager_id": deal.owner,
            "pipeline_id": CRM,
            "stage_id": stage_id,
            "source_id": source_id,
            "amount": deal.amount,
            "currency": self._keys.currency,
            "deal_type": rules.deal_type(deal, mapping.PIPELINES[CRM]),
            "created_at": text_of(deal.created_at),
            "expected_close_on": deal.value(sales.fields.expected_close),
            "closed_at": _text(deal.closed_at),
            "lost_reason": reason if stages.kind(deal.stage_id) == "lost" else None,
        }
        found["crm.deals"] = [rules.repair_deal(row, entries[0].at if entries else None)]
        found["crm.deal_stage_history"] = self._history(deal.deal_id, "crm", entries)
        meetings = rules.meetings(deal, it.id, is_deal=True)
        found["crm.meetings"] = [rules.repair_meeting(meeting) for meeting in meetings]
        found["crm.payments"] = self._deal_payments(deal, entries)

    def _order_deal(self, order: Seen, found: Rows) -> None:
        sales, rules, stages = self._sales, self._sales.rules, self._sales.stages
        entries = self._entries.get(f"o{order.id}", ())
        deal = self._facts(order, f"o{order.id}", "order", entries)
        began = dated(order.said["date"], self._zone)
        deal.created_at = began.start if began else order.first_at.replace(microsecond=0)
        deal.amount = self._amount(order)
        own = self._customer.said["manager"] if self._customer else None
        deal.owner = order.said["manager"] or own
        is_first = self._first is not None and order.id == self._first.id
        is_configured = bool(self._keys.deal_types)
        deal_type = rules.deal_type(deal, mapping.PIPELINES[ORDERS]) if is_configured else "new"
        reason = deal.value(sales.fields.lost_reason) or deal.reason
        row = {
            "deal_id": deal.deal_id,
            "lead_id": self._id,
            "contact_id": self._id,
            "manager_id": deal.owner,
            "pipeline_id": ORDERS,
            "stage_id": deal.stage_id if order.status_id else None,
            "amount": deal.amount,
            "currency": self._keys.currency,
            "deal_type": "repeat" if deal_type == "new" and not is_first else deal_type,
            "created_at": text_of(deal.created_at),
            "closed_at": _text(deal.closed_at),
            "lost_reason": reason if stages.kind(deal.stage_id) == "lost" else None,
        }
        row = rules.repair_deal(row, entries[0].at if entries else None)
        found.setdefault("crm.deals", []).append(row)
        history = self._history(deal.deal_id, "order", entries)
        found.setdefault("crm.deal_stage_history", []).extend(history)
        found.setdefault("crm.payments", []).extend(self._deal_payments(deal, entries))

    def _facts(self, it: Seen, deal_id: str, kind: str, entries: Sequence[Entry]) -> Deal:
        stage_id = f"{kind}:{it.status_id}"
        stage_kind = self._sales.stages.kind(stage_id)
        is_closed = stage_kind in ("won", "lost") and entries
        return Deal(
            deal_id=deal_id,
            stage_id=stage_id,
            pipeline_id=CRM if kind == "crm" else ORDERS,
            owner=None,
            contact_id=self._id,
            amount=None,
            currency=self._keys.currency,
            created_at=None,
            updated_at=None,
            closed_at=entries[-1].at if is_closed else None,
            reason=it.status_name if stage_kind == "lost" else None,
            fields=mapping.field_values(it.said, self._zone),
            moves=[Move(entry.at, f"{kind}:{entry.status_id}") for entry in entries],
        )

    def _history(self, deal_id: str, kind: str, entries: Sequence[Entry]) -> list[Row]:
        return [
            {
                "event_id": f"{deal_id}:{it.status_id}:{int(it.at.timestamp())}",
                "deal_id": deal_id,
                "stage_id": f"{kind}:{it.status_id}",
                "entered_at": text_of(it.at),
                "entered_after": _text(it.after),
                "entered_at_quality": it.quality,
            }
            for it in entries
        ]

    def _deal_of(self, order: Seen) -> str | None:
        """The deal that an order belongs to: its own, or the customer's.

        An order that was cancelled before the customer's first one is no deal.
        """
        if self._keys.deals_from == "orders":
            return f"o{order.id}"
        is_later = self._first is not None and self._orders.index(order) > self._orders.index(
            self._first
        )
        if is_later and self._keys.repeat_orders_as_deals:
            return f"o{order.id}"
        return f"c{self._id}"

    def _paid(self, order: Seen, deal_id: str | None) -> list[Row]:
        """Payments that an order tells of: its prepayment, the rest, what went back."""
        sales = self._sales
        paid = sales.order_statuses("paid_order_statuses")
        refund = sales.order_statuses("refund_order_statuses")
        entries = self._entries.get(f"o{order.id}", ())
        total, prepay = _decimal(order.said["goods"]), _decimal(order.said["prepay"])
        rows: list[tuple[str, str, Decimal, Entry]] = []
        if prepay > 0:
            began = dated(order.said["date"], self._zone)
            at = began.start if began else order.first_at.replace(microsecond=0)
            rows.append(("pre", "payment", prepay, Entry("", at, None, "day")))
        payment = _last_run(entries, paid, paid | refund)
        is_paid = order.status_id in paid
        is_back = order.status_id in refund
        if (is_paid or is_back) and payment is not None and total - prepay > 0:
            rows.append(("", "payment", total - prepay, payment))
        received = sum((amount for _, _, amount, _ in rows), Decimal(0))
        if is_back and received > 0:
            back = _last_run(entries, refund, refund)
            if back is not None:
                rows.append(("ref", "refund", received, back))
        return [
            {
                "payment_id": f"{order.id}:{mark}" if mark else order.id,
                "deal_id": deal_id,
                "contact_id": self._id,
                "paid_at": text_of(entry.at),
                "amount": format(amount, "f"),
                "currency": self._keys.currency,
                "kind": kind,
                "paid_after": _text(entry.after),
                "paid_at_quality": entry.quality,
            }
            for mark, kind, amount, entry in rows
        ]

    def _deal_payments(self, deal: Deal, entries: Sequence[Entry]) -> list[Row]:
        rows = self._sales.rules.payments(deal)
        if self._keys.payments_from == "won_deals" and entries:
            last = entries[-1]
            more = {"paid_after": _text(last.after), "paid_at_quality": last.quality}
            rows = [{**row, **more} for row in rows]
        return rows

    def _created(self, it: Seen) -> datetime:
        """First contact, else the first order's day, else when it was first seen."""
        found = dated(it.said["first"], self._zone)
        if found is None:
            days = [dated(order.said["date"], self._zone) for order in self._orders]
            found = min((day for day in days if day), key=lambda day: day.start, default=None)
        return found.start if found else it.first_at.replace(microsecond=0)

    def _taken_at(self, entries: Sequence[Entry]) -> datetime | None:
        sales = self._sales
        taken = sales.stages.taken
        for entry in entries:
            stage_id = f"crm:{entry.status_id}"
            if taken:
                if stage_id in taken:
                    return entry.at
            elif self._keys.crm_statuses and not sales._is_first(
                stage_id, sales.statuses.get(stage_id, "")
            ):
                return entry.at
        return None

    def _source(self, it: Seen) -> Row | None:
        fields, values = self._sales.fields, mapping.field_values(it.said, self._zone)
        for origin in self._keys.source_from:
            found: Sequence[str | None] | None = None
            if origin in ("system", "channel"):
                found = it.said["source" if origin == "system" else "channel"]
            elif origin == "field" and fields.source and values.get(fields.source.field_id):
                written = values[fields.source.field_id][0].text
                found = (written, written)
            elif origin == "utm" and fields.utm_source and values.get(fields.utm_source.field_id):
                written = values[fields.utm_source.field_id][0].text
                found = (f"utm:{written}", written)
            if found:
                channel = self._sales._blue.channel(*found)
                return {"source_id": found[0], "name": found[1], "channel": channel}
        return None

    def _amount(self, order: Seen | None) -> str | None:
        if order is None:
            return None
        found: str | None = order.said[self._keys.order_amount]
        return found


def _last_run(entries: Sequence[Entry], wanted: set[str], among: set[str]) -> Entry | None:
    """The first wanted entry after the last one that is of other statuses."""
    found: Entry | None = None
    for entry in entries:
        if entry.status_id not in among:
            found = None
        elif entry.status_id in wanted and found is None:
            found = entry
    return found


def _is_same(it: Seen, was: Seen) -> bool:
    return (it.customer_id, it.status_id, it.status_name, it.dated_on, it.said) == (
        was.customer_id, was.status_id, was.status_name, was.dated_on, was.said,
    )  # fmt: skip


def _decimal(written: str | None) -> Decimal:
    try:
        return Decimal(written or "0")
    except InvalidOperation:
        return Decimal(0)


def _number(written: str) -> int:
    return int(written) if written.isdigit() else 0


def _text(moment: datetime | None) -> str | None:
    return text_of(moment) if moment else None
