"""Bitrix24's answers as facts and rows of the contract (connectors_crm.md 4.3); no requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Any

from orchestration.connectors.connector import Row
from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.crm.rules import (
    CustomField,
    Deal,
    FieldValue,
    Move,
    Stage,
    currency,
    folded,
    reference,
    text,
)
from orchestration.connectors.kinds.bitrix24.api import Json
from orchestration.connectors.loading import text_of

LEAD, DEAL, CONTACT, COMPANY, QUOTE, INVOICE = 1, 2, 3, 4, 7, 31
# Leads' statuses have ids that deals' stages have too.
LEADS = "lead"
LEADS_NAME = "Лиды"
CREATED, PIPELINE_CHANGED = "1", "5"
# What the manual promises of each.
LEAD_FIELDS = frozenset({"stageId", "assignedById", "createdTime", "updatedTime"})
DEAL_FIELDS = LEAD_FIELDS | {"categoryId", "opportunity", "currencyId", "movedTime", "closedate"}
_KINDS = {"S": "won", "F": "lost"}
_YES = ("Y", "1", "true", "True")
_MOVED_WITHIN = timedelta(seconds=2)


def moment(value: Any) -> datetime | None:
    """A time with its offset; None where it is empty or reads as none."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def time_text(value: Any) -> str | None:
    """A time as the contract's text; what reads as none stays, to be judged there."""
    found = moment(value)
    return text_of(found) if found else text(value)


def day(value: Any) -> str | None:
    """The date part as written: dates come as midnight, or 02:00 or 03:00, with an offset."""
    found = text(value)
    return found[:10] if found else None


def yes(value: Any) -> bool:
    """A flag, in any of the forms it comes in."""
    return str(value) in _YES


def deal_stage(category: Any, status: Any) -> str:
    """A stage's id, with the prefix of its pipeline also where the answer lacks it."""
    found, number = str(status), str(category or 0)
    return found if number == "0" or ":" in found else f"C{number}:{found}"


def deal_stages(categories: Sequence[Json], statuses: Mapping[str, Sequence[Json]]) -> list[Stage]:
    """Stages of all pipelines; `statuses` are by category."""
    return [
        Stage(
            stage_id=deal_stage(category["id"], status["STATUS_ID"]),
            pipeline_id=str(category["id"]),
            pipeline=str(category.get("name")),
            name=str(status.get("NAME")),
            position=int(status.get("SORT") or 0),
            kind=_KINDS.get(semantics(status), "open"),
        )
        for category in categories
        for status in statuses[str(category["id"])]
    ]


def lead_stages(statuses: Sequence[Json]) -> list[Stage]:
    """Leads' statuses as stages, for the keys that name them; they are no rows of crm.stages."""
    return [
        Stage(
            stage_id=f"{LEADS}:{status['STATUS_ID']}",
            pipeline_id=LEADS,
            pipeline=LEADS_NAME,
            name=str(status.get("NAME")),
            position=int(status.get("SORT") or 0),
            kind=_KINDS.get(semantics(status), "open"),
        )
        for status in statuses
    ]


def semantics(status: Json) -> str:
    """S won, F lost, else P."""
    own = str(status.get("SEMANTICS") or "")
    extra = status.get("EXTRA")
    named = extra.get("SEMANTICS") if isinstance(extra, dict) else None
    return own or {"success": "S", "failure": "F", "apology": "F"}.get(str(named), "P")


def first_stages(stages: Sequence[Stage]) -> frozenset[str]:
    """The stage in which each pipeline begins."""
    found: dict[str, Stage] = {}
    for stage in sorted(stages, key=lambda it: (it.position, it.stage_id)):
        found.setdefault(stage.pipeline_id, stage)
    return frozenset(stage.stage_id for stage in found.values())


def managers(users: Sequence[Json], departments: Sequence[Json], keys: CrmConnection) -> list[Row]:
    """Rows of crm.managers."""
    names = {str(it.get("ID")): text(it.get("NAME")) for it in departments}
    found = []
    for user in users:
        own = keys.managers.get(str(user.get("ID"))) or keys.managers.get(str(user.get("EMAIL")))
        listed = user.get("UF_DEPARTMENT") or []
        team = names.get(str(listed[0])) if isinstance(listed, list) and listed else None
        found.append(
            {
                "manager_id": keys.prefixed(reference(user.get("ID"))),
                "full_name": joined(user.get("NAME"), user.get("LAST_NAME")),
                "email": text(user.get("EMAIL")),
                "team": (own and own.team) or team,
                "role": own and own.role,
                "hired_on": text(own and own.hired_on) or day(user.get("UF_EMPLOYMENT_DATE")),
                "dismissed_on": text(own and own.dismissed_on),
                "is_deleted": None if yes(user.get("ACTIVE")) else "true",
            }
        )
    return found


def joined(*parts: Any) -> str | None:
    """A name of its parts."""
    return " ".join(str(it).strip() for it in parts if it) or None


def party(item: Json, entity: int) -> Row:
    """A contact, a company or a lead without contact, as a row of the private table."""
    many = item.get("fm") or []
    values = [it for it in many if isinstance(it, dict) and text(it.get("value"))]
    emails = [str(it["value"]) for it in values if it.get("typeId") == "EMAIL"]
    companies = [item.get("companyId"), *(item.get("companyIds") or [])]
    is_contact = entity == CONTACT
    name = joined(item.get("name"), item.get("secondName"), item.get("lastName"))
    return {
        "party_id": {CONTACT: "", COMPANY: "co", LEAD: "ld"}[entity] + str(item["id"]),
        "name": name if is_contact else (name or text(item.get("title"))),
        "email": emails[0] if emails else None,
        "phones": [str(it["value"]) for it in values if it.get("typeId") == "PHONE"],
        "company_ids": list(dict.fromkeys(f"co{it}" for it in companies if reference(it)))
        if is_contact
        else [],
        "source_id": text(item.get("sourceId")) if entity != COMPANY else None,
        "created_at": time_text(item.get("createdTime")),
        "updated_at": time_text(item.get("updatedTime")),
    }


def custom_fields(fields: Mapping[str, Json]) -> tuple[list[CustomField], dict[str, str]]:
    """From crm.item.fields: those that an account has made, and their types by id."""
    found, types = [], {}
    for field_id, field in fields.items():
        if not field_id.startswith("uf"):
            continue
        options = {str(it.get("ID")): str(it.get("VALUE")) for it in field.get("items") or []}
        found.append(CustomField(field_id, str(field.get("title")), options))
        types[field_id] = str(field.get("type"))
    return found, types


def field_values(
    item: Json, fields: Sequence[CustomField], types: Mapping[str, str]
) -> dict[str, list[FieldValue]]:
    """The custom fields of an item that have values."""
    found: dict[str, list[FieldValue]] = {}
    for custom in fields:
        value = item.get(custom.field_id)
        listed = value if isinstance(value, list) else [value]
        values = [_value(it, custom, types[custom.field_id]) for it in listed if text(it)]
        if values:
            found[custom.field_id] = values
    return found


def _value(value: Any, custom: CustomField, kind: str) -> FieldValue:
    written = text(value) or ""
    if custom.options:
        return FieldValue(custom.options.get(written, written), written)
    if kind == "boolean":
        return FieldValue("да" if yes(value) else "нет", "1" if yes(value) else "0")
    if kind == "date":
        return FieldValue(written[:10])
    if kind == "money":
        return FieldValue(written.partition("|")[0])
    return FieldValue(written)


def field_moment(written: str, zone: tzinfo) -> datetime | None:
    """A date or time of a custom field as an instant; a date is its midnight in the portal."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    if len(written) == len("2026-01-01"):
        return datetime.combine(found.date(), time(), zone)
    return found if found.tzinfo else found.replace(tzinfo=zone)


HISTORY_COLUMNS = ("entry_id", "entity", "owner_id", "type_id", "stage_id", "entered_at")


@dataclass(frozen=True)
class Entry:
    """An entry into a stage, as it was written into the connection's private table."""

    entry_id: int
    owner_id: str
    type_id: str
    stage_id: str | None
    at: datetime | None
    written: str | None


def history_row(row: Json, entity: int) -> Row:
    """A row of the private table of history; numbers come as text from older portals."""
    status = text(row.get("STAGE_ID")) or text(row.get("STATUS_ID"))
    stage = f"{LEADS}:{status}" if entity == LEAD else deal_stage(row.get("CATEGORY_ID"), status)
    return {
        "entry_id": f"{entity}:{row['ID']}",
        "entity": str(entity),
        "owner_id": text(row.get("OWNER_ID")),
        "type_id": text(row.get("TYPE_ID")),
        "stage_id": stage if status else None,
        "entered_at": time_text(row.get("CREATED_TIME")),
    }


def entry_of(values: Sequence[Any]) -> Entry:
    """An entry from the private table, its columns in their order."""
    row = dict(zip(HISTORY_COLUMNS, values, strict=True))
    number = int(str(row["entry_id"]).partition(":")[2])
    return Entry(
        number, row["owner_id"], row["type_id"], row["stage_id"],
        moment(row["entered_at"]), row["entered_at"],
    )  # fmt: skip


def mover(item: Json, entries: Sequence[Entry], stage_now: str) -> tuple[Entry, str] | None:
    """The last entry and who moved it there: the system names only the last mover of an item."""
    if not entries or entries[-1].stage_id != stage_now:
        return None
    last, moved, by = entries[-1], moment(item.get("movedTime")), reference(item.get("movedBy"))
    if by is None or moved is None or last.at is None or abs(moved - last.at) > _MOVED_WITHIN:
        return None
    return last, by


def facts(
    item: Json,
    entries: Sequence[Entry],
    stage_now: str,
    contact_id: str | None,
    reason: str | None,
    fields: Mapping[str, Sequence[FieldValue]],
    base_currency: str | None,
) -> Deal:
    """The facts of one deal or lead. `closed_at` is when it entered its present stage."""
    moved = mover(item, entries, stage_now)
    moves = [
        Move(it.at, it.stage_id, moved[1] if moved and moved[0] is it else None)
        for it in entries
        if it.at and it.stage_id
    ]
    entered = [it.at for it in moves if it.stage_id == stage_now]
    return Deal(
        deal_id=str(item["id"]),
        stage_id=stage_now,
        pipeline_id=str(item.get("categoryId") or 0),
        owner=reference(item.get("assignedById")),
        contact_id=contact_id,
        amount=text(item.get("opportunity")),
        currency=currency(item.get("currencyId")) or base_currency,
        created_at=moment(item.get("createdTime")),
        updated_at=moment(item.get("updatedTime")),
        closed_at=entered[-1] if entered else moment(item.get("movedTime")),
        reason=reason,
        fields=fields,
        moves=moves,
    )


def contact_of(item: Json, companies_as_contacts: bool) -> str | None:
    """The contact, else the first of several, else the company as one."""
    listed = item.get("contactIds") or []
    for contact in (item.get("contactId"), *(listed if isinstance(listed, list) else [])):
        if reference(contact):
            return reference(contact)
    company = reference(item.get("companyId"))
    return f"co{company}" if company and companies_as_contacts else None


def deal_type(item: Json, by_keys: str, keys: CrmConnection, types: Mapping[str, str]) -> str:
    """By the type that the keys name, else by what else they say, else by the repeat flags."""
    named = {folded(key): kind for key, kind in keys.deal_types.items()}
    type_id = str(item.get("typeId") or "")
    for name in (type_id, types.get(type_id, "")):
        if name and folded(name) in named:
            return named[folded(name)]
    if by_keys != "new":
        return by_keys
    is_repeat = yes(item.get("isReturnCustomer")) or yes(item.get("isRepeatedApproach"))
    return "repeat" if is_repeat else "new"


def shifted(item: Json, minutes: int) -> Json:
    """An item whose times of creation and change are put right by so many minutes."""
    if not minutes:
        return item
    found = dict(item)
    for name in ("createdTime", "updatedTime"):
        at = moment(item.get(name))
        if at is not None:
            found[name] = (at - timedelta(minutes=minutes)).isoformat()
    return found


def common_shift(pairs: Sequence[tuple[datetime, datetime]]) -> int:
    """Minutes by which all first times are ahead of the second ones.

    0 where it is not one whole number of quarter hours, or where too few deals say so.
    """
    if len(pairs) < 3:
        return 0
    minutes = {round((first - second).total_seconds() / 60) for first, second in pairs}
    only = minutes.pop()
    return only if not minutes and only % 15 == 0 else 0
