"""Facts about a deal, whatever CRM they come from, and what follows from them (1.5 to 1.10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from orchestration.base.errors import WrongUse
from orchestration.connectors.connector import Row
from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.loading import text_of
from orchestration.connectors.report import Report

Kind = TypeVar("Kind", str, int)

_YES = frozenset({"true", "1", "да", "yes", "y", "t", "on"})


@dataclass(frozen=True)
class Stage:
    """A stage as the CRM lists it; ids without prefix. `kind` is the contract's.

    `own_id` is what the CRM calls it, where `stage_id` is made of more.
    """

    stage_id: str
    pipeline_id: str
    pipeline: str
    name: str
    position: int
    kind: str
    own_id: str = ""


class Stages:
    """The account's stages, and those that the keys of the connection name."""

    def __init__(self, connection: CrmConnection, stages: Iterable[Stage]) -> None:
        self.all = list(stages)
        self.by_id = {stage.stage_id: stage for stage in self.all}
        self._connection = connection
        resolve = self._resolve
        self.presale = resolve("presale_stages")
        self.target = resolve("target_stages")
        self.non_target = resolve("non_target_stages")
        self.taken = resolve("taken_stages")
        self.won = resolve("won_stages")
        self.lost = resolve("lost_stages")
        self.meeting_set = resolve("meeting_set_stages")
        self.meeting_confirmed = resolve("meeting_confirmed_stages")
        self.meeting_held = resolve("meeting_held_stages")

    def kind(self, stage_id: str) -> str:
        """`open`, `presale`, `won` or `lost`; an unknown stage is open."""
        if stage_id in self.won:
            return "won"
        if stage_id in self.lost:
            return "lost"
        stage = self.by_id.get(stage_id)
        own = stage.kind if stage else "open"
        return "presale" if own == "open" and stage_id in self.presale else own

    def _resolve(self, key: str) -> frozenset[str]:
        found: set[str] = set()
        for name in getattr(self._connection, key):
            found.add(self._one(key, name))
        return frozenset(found)

    def _one(self, key: str, name: str) -> str:
        if name in self.by_id:
            return name
        same = [
            stage.stage_id
            for stage in self.all
            if folded(f"{stage.pipeline} / {stage.name}") == folded(name)
            or folded(stage.name) == folded(name)
            or stage.own_id == name
        ]
        if len(same) == 1:
            return same[0]
        there = [f"{stage.stage_id}: {stage.pipeline} / {stage.name}" for stage in self.all]
        raise WrongUse(
            f"{self._connection.name}: {key}: {len(same) or 'no'} stages are named {name}.",
            "Write the stage's id, or Pipeline / Stage as it is called there.",
            there,
        )


@dataclass(frozen=True)
class CustomField:
    """A custom field of the account. `options` are its values by option id."""

    field_id: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)


def resolve_field(
    connection: CrmConnection, key: str, fields: Sequence[CustomField]
) -> CustomField | None:
    """The custom field that a key names by id or exact name; None where the key is not set.

    Raises WrongUse where none or several fit, naming the key and the candidates.
    """
    name = getattr(connection, key)
    if name is None:
        return None
    found = [it for it in fields if it.field_id == name] or [it for it in fields if it.name == name]
    if len(found) == 1:
        return found[0]
    raise WrongUse(
        f"{connection.name}: {key}: {len(found) or 'no'} custom fields are named {name}.",
        "Write the field's id, or its name as it is written there.",
        [f"{it.field_id}: {it.name}" for it in (found or fields)],
    )


class FieldValue(NamedTuple):
    """One value of a custom field: its text, and its option where it is a list."""

    text: str
    option: str = ""

    def is_one_of(self, values: Iterable[str]) -> bool:
        """By value without case, or by option id."""
        return any(folded(self.text) == folded(it) or (self.option == it != "") for it in values)


class Move(NamedTuple):
    """A deal entered a stage. `by` is the manager's id, None where nobody is named."""

    at: datetime
    stage_id: str
    by: str | None = None


@dataclass(frozen=True)
class FieldChange:
    """A custom field got these values."""

    at: datetime
    values: Sequence[FieldValue]


@dataclass
class Deal:
    """What is known of one deal or lead; ids without prefix. `moves` are in order of time.

    `moves` begins with the first stage where it is known. `fields` and `changes` are by field id.
    """

    deal_id: str
    stage_id: str
    pipeline_id: str
    owner: str | None
    contact_id: str | None
    amount: str | None
    currency: str | None
    created_at: datetime | None
    updated_at: datetime | None
    closed_at: datetime | None
    reason: str | None = None
    tags: Sequence[str] = ()
    fields: Mapping[str, Sequence[FieldValue]] = field(default_factory=dict)
    moves: Sequence[Move] = ()
    changes: Mapping[str, Sequence[FieldChange]] = field(default_factory=dict)

    def values(self, custom: CustomField | None) -> Sequence[FieldValue]:
        """The values of a custom field; none where it is empty or not configured."""
        return self.fields.get(custom.field_id, ()) if custom else ()

    def value(self, custom: CustomField | None) -> str | None:
        """The first value's text."""
        values = self.values(custom)
        return values[0].text if values else None


@dataclass(frozen=True)
class Fields:
    """The custom fields that the connection names, resolved."""

    target: CustomField | None = None
    lost_reason: CustomField | None = None
    source: CustomField | None = None
    deal_type: CustomField | None = None
    expected_close: CustomField | None = None
    utm_source: CustomField | None = None
    utm_medium: CustomField | None = None
    utm_campaign: CustomField | None = None
    paid_at: CustomField | None = None
    paid_amount: CustomField | None = None
    meeting_set: CustomField | None = None
    meeting_scheduled: CustomField | None = None
    meeting_confirmed: CustomField | None = None
    meeting_held: CustomField | None = None
    meeting_cancelled: CustomField | None = None

    @classmethod
    def of(cls, connection: CrmConnection, fields: Sequence[CustomField]) -> Fields:
        """Those of a connection. Raises WrongUse where a name fits none or several."""
        return cls(
            **{name: resolve_field(connection, f"{name}_field", fields) for name in cls.names()}
        )

    @classmethod
    def by_kind(
        cls, keys: CrmConnection, fields: Mapping[Kind, Sequence[CustomField]]
    ) -> dict[Kind, Fields]:
        """Those of each kind of object, where deals and leads have fields of their own.

        Raises WrongUse where a name fits none of them, or several of one.
        """
        return {
            kind: cls._of_one(
                keys, mine, [it for other in fields if other != kind for it in fields[other]]
            )
            for kind, mine in fields.items()
        }

    @classmethod
    def _of_one(
        cls, keys: CrmConnection, mine: Sequence[CustomField], others: Sequence[CustomField]
    ) -> Fields:
        """Those of one kind of object; fields of the other kind are left to it."""
        found: dict[str, CustomField | None] = {}
        for name in cls.names():
            written = getattr(keys, f"{name}_field")
            is_mine, is_others = (
                any(written in (it.field_id, it.name) for it in fields) for fields in (mine, others)
            )
            wanted = mine if is_mine else [*mine, *others]
            is_foreign = is_others and not is_mine
            found[name] = None if is_foreign else resolve_field(keys, f"{name}_field", wanted)
        return cls(**found)

    @classmethod
    def names(cls) -> list[str]:
        """The keys without `_field`."""
        return list(cls.__dataclass_fields__)

    @classmethod
    def are_named(cls, connection: CrmConnection) -> bool:
        """Whether the connection names any field."""
        return any(getattr(connection, f"{name}_field") for name in cls.names())

    @property
    def watched(self) -> list[CustomField]:
        """Fields whose changes say when something happened."""
        found = (self.target, self.meeting_scheduled, self.meeting_confirmed)
        return [it for it in found if it is not None]


class Rules:
    """What follows from the facts, for one connection.

    `moment` reads a custom field's value as an instant, as the system writes it.
    """

    def __init__(
        self,
        connection: CrmConnection,
        stages: Stages,
        fields: Fields,
        report: Report,
        moment: Callable[[str], datetime | None],
        meetings_from: Sequence[str],
    ) -> None:
        self._connection = connection
        self._stages = stages
        self._fields = fields
        self._report = report
        self._moment = moment
        self._meetings_from = meetings_from
        self._target_tags = {folded(it) for it in connection.target_tags}
        self._non_target_tags = {folded(it) for it in connection.non_target_tags}
        self._non_target_reasons = {folded(it) for it in connection.non_target_reasons}
        self._deal_types = {folded(key): it for key, it in connection.deal_types.items()}

    def target(self, deal: Deal, system: bool | None = None) -> tuple[bool | None, datetime | None]:
        """Whether it is a target lead, and since when that is known; `system` is its own rule."""
        custom = self._fields.target
        if custom and deal.values(custom):
            found = self._by_field(deal.values(custom))
            if found is None:
                self._report.counted["leads.is_target: value in neither list"] += 1
            return found, None if found is None else self._since(deal, custom, found)
        tags = {folded(it) for it in deal.tags}
        if tags & self._target_tags:
            return True, None
        if tags & self._non_target_tags:
            return False, None
        reached = [move.at for move in deal.moves if move.stage_id in self._stages.target]
        if reached or deal.stage_id in self._stages.target:
            return True, min(reached, default=None)
        if deal.stage_id in self._stages.non_target:
            return False, self.entered(deal)
        if system is not None:
            return system, None
        reasons = {folded(it) for it in (deal.reason, deal.value(self._fields.lost_reason)) if it}
        if self._stages.kind(deal.stage_id) == "lost" and reasons & self._non_target_reasons:
            return False, None
        return None, None

    def entered(self, deal: Deal) -> datetime | None:
        """When the deal entered the stage where it is; None where nothing says it."""
        if not deal.moves or deal.moves[-1].stage_id != deal.stage_id:
            return None
        return deal.moves[-1].at

    def meetings(self, deal: Deal, lead_id: str | None, is_deal: bool) -> list[Row]:
        """Meetings that stages and fields tell of; ids without prefix."""
        common: Row = {
            "lead_id": lead_id,
            "deal_id": deal.deal_id if is_deal else None,
            "contact_id": deal.contact_id,
            "kind": "meeting",
            "updated_at": _text(deal.updated_at),
        }
        rows = []
        if "stages" in self._meetings_from:
            rows += [{**common, **row} for row in self._stage_meetings(deal)]
        if "fields" in self._meetings_from:
            rows += [{**common, **row} for row in self._field_meeting(deal)]
        return rows

    def payments(self, deal: Deal) -> list[Row]:
        """Payments that the deal itself tells of; ids without prefix."""
        keys, row = self._connection, None
        if keys.payments_from == "won_deals" and self._stages.kind(deal.stage_id) == "won":
            row = ("won", _text(deal.closed_at), deal.amount)
        if keys.payments_from == "fields":
            paid_at = deal.value(self._fields.paid_at)
            if paid_at is not None:
                moment = self._moment(paid_at)
                amount = deal.value(self._fields.paid_amount) or deal.amount
                row = ("paid", _text(moment) if moment else paid_at, amount)
        if row is None:
            return []
        origin, paid_at, amount = row
        return [
            {
                "payment_id": f"{origin}:{deal.deal_id}",
                "deal_id": deal.deal_id,
                "contact_id": deal.contact_id,
                "paid_at": paid_at,
                "amount": amount,
                "currency": deal.currency,
                "kind": "payment",
                "updated_at": _text(deal.updated_at),
            }
        ]

    def deal_type(self, deal: Deal, pipeline: str) -> str:
        """By the configured field, else by the pipeline, else a new one."""
        types = self._deal_types
        for value in deal.values(self._fields.deal_type):
            for key in (value.text, value.option):
                if folded(key) in types:
                    return types[folded(key)]
        for key in (deal.pipeline_id, pipeline):
            if folded(key) in types:
                return types[folded(key)]
        return "new"

    def meeting_kind(self, *texts: str | None) -> str:
        """By words in its type or title."""
        whole = folded(" ".join(text for text in texts if text))
        for words, kind in self._connection.meeting_kinds.items():
            if folded(words) in whole:
                return kind
        return "meeting"

    def repair_meeting(self, row: Row) -> Row:
        """A meeting that was logged afterwards was set when it was held at the latest."""
        times = [row.get("set_at"), row.get("confirmed_at"), row.get("held_at")]
        least = min((it for it in times if it), key=_instant, default=None)
        if least is not None and row.get("set_at") and _instant(least) < _instant(row["set_at"]):
            self._report.counted["repaired meetings.set_at"] += 1
            return {**row, "set_at": least}
        return row

    def repair_lead(self, row: Row) -> Row:
        """Nothing happens to a lead before it is created."""
        created = row.get("created_at")
        found = dict(row)
        for name in ("taken_at", "qualified_at"):
            if created and row.get(name) and _instant(row[name]) < _instant(created):
                self._report.counted[f"repaired leads.{name}"] += 1
                found[name] = created
        return found

    def repair_deal(self, row: Row, first_entry: datetime | None) -> Row:
        """Imported deals carry the day of the import; they began with their first trace."""
        if not row.get("created_at"):
            return row
        traces = [row["created_at"], row.get("closed_at"), _text(first_entry)]
        least = min((it for it in traces if it), key=_instant)
        if _instant(least) < _instant(row["created_at"]):
            self._report.counted["repaired deals.created_at"] += 1
            return {**row, "created_at": least}
        return row

    def _by_field(self, values: Sequence[FieldValue]) -> bool | None:
        if any(value.is_one_of(self._connection.target_values) for value in values):
            return True
        if any(value.is_one_of(self._connection.non_target_values) for value in values):
            return False
        return None

    def _since(self, deal: Deal, custom: CustomField, found: bool) -> datetime | None:
        """When the field last came to say what it says."""
        since = None
        for change in deal.changes.get(custom.field_id, ()):
            says = self._by_field(change.values)
            if says is not found:
                since = None
            elif since is None:
                since = change.at
        return since

    def _stage_meetings(self, deal: Deal) -> list[Row]:
        stages = self._stages
        rows: list[Row] = []
        opened: Row | None = None
        for move in deal.moves:
            by = move.by or deal.owner
            is_set = move.stage_id in stages.meeting_set
            is_confirmed = move.stage_id in stages.meeting_confirmed
            is_held = move.stage_id in stages.meeting_held
            if opened is None and (is_set or is_confirmed or is_held):
                opened = {
                    "meeting_id": f"st:{deal.deal_id}:{len(rows) + 1}",
                    "set_at": _text(move.at),
                    "set_by": by,
                    "held_by": deal.owner,
                }
                rows.append(opened)
            if opened is None:
                continue
            if is_confirmed:
                opened["confirmed_at"] = _text(move.at)
            if is_held:
                opened |= {"held_at": _text(move.at), "held_by": by}
                opened = None
            elif stages.kind(move.stage_id) == "lost":
                opened["cancelled_at"] = _text(move.at)
                opened = None
        return rows

    def _field_meeting(self, deal: Deal) -> list[Row]:
        fields = self._fields
        times = {
            name: self._time(deal, custom)
            for name, custom in (
                ("set_at", fields.meeting_set),
                ("scheduled_for", fields.meeting_scheduled),
                ("confirmed_at", fields.meeting_confirmed),
                ("held_at", fields.meeting_held),
                ("cancelled_at", fields.meeting_cancelled),
            )
        }
        if not any(deal.values(custom) for custom in self._meeting_fields()):
            return []
        if times["set_at"] is None:
            filled = self._changes(deal, fields.meeting_scheduled)
            first = next((change.at for change in filled if change.values), None)
            times["set_at"] = _text(first or deal.created_at)
        row: Row = {"meeting_id": f"fd:{deal.deal_id}", **times}
        return [{**row, "set_by": deal.owner, "held_by": deal.owner}]

    def _meeting_fields(self) -> list[CustomField | None]:
        fields = self._fields
        return [fields.meeting_set, fields.meeting_scheduled, fields.meeting_held]

    def _changes(self, deal: Deal, custom: CustomField | None) -> Sequence[FieldChange]:
        return deal.changes.get(custom.field_id, ()) if custom else ()

    def _time(self, deal: Deal, custom: CustomField | None) -> str | None:
        """A date field's time; of a check box, when it was last ticked, if that is recorded."""
        value = deal.value(custom)
        if value is None:
            return None
        moment = self._moment(value)
        if moment is not None and value.lower() not in _YES:
            return _text(moment)
        if value.lower() not in _YES:
            return value
        changes = self._changes(deal, custom)
        ticked = [it.at for it in changes if any(v.text.lower() in _YES for v in it.values)]
        return _text(max(ticked, default=None))


@lru_cache(maxsize=10_000)
def folded(text: str) -> str:
    """For comparison: without case, outer and repeated blanks."""
    return " ".join(text.split()).casefold()


def text(value: Any) -> str | None:
    """A value as the contract reads it; an empty text is none. Booleans are true and false."""
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def reference(value: Any) -> str | None:
    """An id that another row has; zero and an empty text mean none."""
    found = text(value)
    return None if found in (None, "0", "") else found


def currency(value: Any) -> str | None:
    """A currency's code; the rouble had another one until 1998, and some systems kept it."""
    found = text(value)
    return "RUB" if found in ("RUR", "rur") else found


def unix(value: Any) -> datetime | None:
    """Unix seconds as an instant; none where it is zero, empty or no number."""
    if type(value) is not int and (
        isinstance(value, bool) or not isinstance(value, (int, str, Decimal))
    ):
        return None
    try:
        seconds = int(value)
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None


def unix_text(value: Any) -> str | None:
    """Unix seconds as the contract's text; what is no number stays as it is, to be judged there."""
    found = unix(value)
    if found is not None:
        return text_of(found)
    return None if value in (0, "0", None) else text(value)


def _text(moment: datetime | None) -> str | None:
    return text_of(moment) if moment else None


def _instant(written: str) -> datetime:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
