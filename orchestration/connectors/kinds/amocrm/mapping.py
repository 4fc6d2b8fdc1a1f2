"""amoCRM's answers as facts and rows of the contract (connectors_crm.md 3.3); no requests here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import orjson

from orchestration.connectors.connector import Row
from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.crm.rules import (
    CustomField,
    Deal,
    FieldChange,
    FieldValue,
    Move,
    Stage,
    currency,
    folded,
    reference,
    text,
    unix,
    unix_text,
)
from orchestration.connectors.kinds.amocrm.api import Json
from orchestration.connectors.loading import text_of

WON, LOST = 142, 143
UNSORTED_TYPE = 1
STATUS_CHANGED = "lead_status_changed"
# What the manual promises of each.
LEAD_FIELDS = frozenset({
    "price", "responsible_user_id", "status_id", "pipeline_id", "created_at", "updated_at",
    "closed_at",
})  # fmt: skip
PARTY_FIELDS = frozenset({"name", "created_at", "updated_at", "custom_fields_values"})


@dataclass(frozen=True)
class Account:
    """What the account says of itself."""

    currency: str
    zone: ZoneInfo
    groups: Mapping[str, str]
    task_types: Mapping[str, str]
    user: str | None

    @classmethod
    def of(cls, body: Json) -> Account:
        """From GET /account."""
        embedded = body.get("_embedded") or {}
        settings = embedded.get("datetime_settings") or {}
        return cls(
            currency=currency(body.get("currency")) or "RUB",
            zone=ZoneInfo(str(settings.get("timezone") or "Europe/Moscow")),
            groups=_names(embedded.get("users_groups")),
            task_types=_names(embedded.get("task_types")),
            user=reference(body.get("current_user_id")),
        )


def _names(rows: Sequence[Json] | None) -> dict[str, str]:
    return {str(row.get("id")): str(row.get("name")) for row in rows or []}


@dataclass(frozen=True)
class Pipelines:
    """The account's pipelines. `waiting` are stages in which nobody has taken a lead yet."""

    rows: Sequence[Json]
    stages: Sequence[Stage]
    waiting: frozenset[str]

    @classmethod
    def of(cls, rows: Sequence[Json]) -> Pipelines:
        """From GET /leads/pipelines."""
        stages, waiting = [], set()
        for pipeline in rows:
            statuses = (pipeline.get("_embedded") or {}).get("statuses") or []
            for status in statuses:
                kind = {WON: "won", LOST: "lost"}.get(status.get("id"), "open")
                stages.append(
                    Stage(
                        stage_id=f"{pipeline['id']}:{status['id']}",
                        pipeline_id=str(pipeline["id"]),
                        pipeline=str(pipeline.get("name")),
                        name=str(status.get("name")),
                        position=int(status.get("sort") or 0),
                        kind=kind,
                    )
                )
            own = sorted(
                (it for it in statuses if it.get("id") not in (WON, LOST)),
                key=lambda it: it.get("sort") or 0,
            )
            first = [it for it in own if it.get("type") == UNSORTED_TYPE] or own[:1]
            waiting |= {f"{pipeline['id']}:{status['id']}" for status in first}
        return cls(rows, stages, frozenset(waiting))

    def named(self, names: Sequence[str]) -> frozenset[str]:
        """Ids of the pipelines with these ids or names."""
        wanted = {folded(name) for name in names}
        return frozenset(
            str(row["id"])
            for row in self.rows
            if {folded(str(row["id"])), folded(str(row.get("name")))} & wanted
        )

    def name(self, pipeline_id: str) -> str:
        """A pipeline's name; empty where it is not listed."""
        return next((str(it.get("name")) for it in self.rows if str(it["id"]) == pipeline_id), "")


def managers(rows: Sequence[Json], account: Account, keys: CrmConnection) -> list[Row]:
    """Rows of crm.managers."""
    found = []
    for user in rows:
        rights = user.get("rights") or {}
        own = keys.managers.get(str(user.get("id"))) or keys.managers.get(str(user.get("email")))
        group = account.groups.get(str(rights.get("group_id")))
        found.append(
            {
                "manager_id": keys.prefixed(text(user.get("id"))),
                "full_name": text(user.get("name")),
                "email": text(user.get("email")),
                "team": (own and own.team) or group,
                "role": own and own.role,
                "hired_on": text(own and own.hired_on),
                "dismissed_on": text(own and own.dismissed_on),
                "is_deleted": "true" if rights.get("is_active") is False else None,
            }
        )
    return found


def custom_fields(rows: Sequence[Json]) -> list[CustomField]:
    """From GET /leads/custom_fields."""
    return [
        CustomField(
            str(row.get("id")),
            str(row.get("name")),
            {str(it.get("id")): str(it.get("value")) for it in row.get("enums") or []},
        )
        for row in rows
    ]


def field_values(row: Json, zone: ZoneInfo) -> dict[str, list[FieldValue]]:
    """The custom fields of a row that have values, by field id, and by `code:<field_code>`."""
    found: dict[str, list[FieldValue]] = {}
    for custom in row.get("custom_fields_values") or []:
        values = [
            FieldValue(_field_text(it.get("value"), custom, zone), str(it.get("enum_id") or ""))
            for it in custom.get("values") or []
            if it.get("value") not in (None, "")
        ]
        if values:
            found[str(custom.get("field_id"))] = values
            if custom.get("field_code"):
                found[f"code:{custom['field_code']}"] = values
    return found


def _field_text(value: object, custom: Json, zone: ZoneInfo) -> str:
    """Dates are the Unix time of midnight in the account's zone."""
    moment = unix(value)
    if moment is not None and custom.get("field_type") in ("date", "birthday"):
        return moment.astimezone(zone).date().isoformat()
    if moment is not None and custom.get("field_type") == "date_time":
        return text_of(moment)
    return text(value) or ""


def moment_of(written: str, zone: ZoneInfo) -> datetime | None:
    """A date or time of a custom field as an instant; a date is its midnight in the account."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    if len(written) == len("2026-01-01"):
        return datetime.combine(found.date(), time(), zone)
    return found if found.tzinfo else found.replace(tzinfo=zone)


class Event(NamedTuple):
    """An event as it was written into the connection's private table."""

    event_id: str
    type: str
    entity_id: str
    created_at: datetime
    created_by: str | None
    # The new values of a custom field.
    after: Sequence[Json]
    # The stages that an event of status names.
    left: str | None = None
    entered: str | None = None


EVENT_COLUMNS = ("event_id", "type", "entity_id", "created_at", "created_by", "before", "after")


def event_row(event: Json) -> Row:
    """A row of the private table of events."""
    return {
        "event_id": text(event.get("id")),
        "type": text(event.get("type")),
        "entity_id": text(event.get("entity_id")),
        "created_at": text(event.get("created_at")),
        "created_by": reference(event.get("created_by")),
        "before": _json(event.get("value_before")),
        "after": _json(event.get("value_after")),
    }


def _json(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


def event_of(row: Sequence[str]) -> Event:
    """An event from the private table, its columns in their order."""
    event_id, kind, entity_id, created_at, created_by, before, after = row
    moment = unix(created_at)
    assert moment is not None
    if kind != STATUS_CHANGED:
        changed = orjson.loads(after) or []
        return Event(event_id, kind, entity_id, moment, created_by, changed)
    left, entered = written_status(before), written_status(after)
    return Event(event_id, kind, entity_id, moment, created_by, (), left, entered)


@lru_cache(maxsize=10_000)
def written_status(side: str) -> str | None:
    """The stage that one side of a status event names, as it was written; an account has few."""
    for value in orjson.loads(side) or []:
        status = value.get("lead_status")
        if status:
            return f"{status.get('pipeline_id')}:{status.get('id')}"
    return None


def history_row(event: Row, keys: CrmConnection) -> Row:
    """A row of crm.deal_stage_history for a status event of the private table."""
    return {
        "event_id": keys.prefixed(event["event_id"]),
        "deal_id": keys.prefixed(event["entity_id"]),
        "stage_id": keys.prefixed(written_status(event["after"])),
        "entered_at": unix_text(event["created_at"]),
        "manager_id": keys.prefixed(event["created_by"]),
    }


def deal_facts(
    lead: Json,
    events: Sequence[Event],
    account: Account,
    horizon: datetime | None,
    companies_as_contacts: bool,
) -> Deal:
    """The facts of one сделка. Its first stage is known only if it began after the horizon."""
    embedded = lead.get("_embedded") or {}
    created = unix(lead.get("created_at"))
    moves = [
        Move(event.created_at, event.entered, event.created_by) for event in events if event.entered
    ]
    stage_now = f"{lead.get('pipeline_id')}:{lead.get('status_id')}"
    if created and horizon and created > horizon:
        before = [it.left for it in events if it.type == STATUS_CHANGED]
        first = (before[0] if before else None) or stage_now
        moves.insert(0, Move(created, first, reference(lead.get("created_by"))))
    amount = lead.get("price_with_minor_units")
    reason = embedded.get("loss_reason") or []
    return Deal(
        deal_id=str(lead["id"]),
        stage_id=stage_now,
        pipeline_id=str(lead.get("pipeline_id")),
        owner=reference(lead.get("responsible_user_id")),
        contact_id=contact_of(embedded, companies_as_contacts),
        amount=text(lead.get("price") if amount is None else amount),
        currency=account.currency,
        created_at=created,
        updated_at=unix(lead.get("updated_at")),
        closed_at=unix(lead.get("closed_at")),
        reason=text(reason[0].get("name")) if reason else None,
        tags=[str(it.get("name")) for it in embedded.get("tags") or []],
        fields=field_values(lead, account.zone),
        moves=moves,
        changes=_changes(events, account.zone),
    )


def contact_of(embedded: Json, companies_as_contacts: bool) -> str | None:
    """The main contact, else the first, else the first company as one."""
    contacts = embedded.get("contacts") or []
    main = [it for it in contacts if it.get("is_main")] or contacts
    if main:
        return reference(main[0].get("id"))
    companies = embedded.get("companies") or []
    if companies and companies_as_contacts and reference(companies[0].get("id")):
        return f"co{companies[0]['id']}"
    return None


def _changes(events: Sequence[Event], zone: ZoneInfo) -> dict[str, list[FieldChange]]:
    found: dict[str, list[FieldChange]] = {}
    for event in events:
        if not event.type.startswith("custom_field_"):
            continue
        field_id = event.type.split("_")[2]
        values = [
            FieldValue(
                _field_text(it.get("text"), it, zone) or str(it.get("enum_id") or ""),
                str(it.get("enum_id") or ""),
            )
            for value in event.after
            if (it := value.get("custom_field_value"))
        ]
        found.setdefault(field_id, []).append(FieldChange(event.created_at, values))
    return found
