"""HubSpot's answers as facts and rows of the contract (connectors_crm.md 5.3); no requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestration.connectors.connector import Row
from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.crm.rules import (
    CustomField,
    FieldChange,
    FieldValue,
    Move,
    Stage,
    folded,
    reference,
    text,
)
from orchestration.connectors.kinds.hubspot.api import Json, Link
from orchestration.connectors.loading import text_of

# Leads' stages are no rows of crm.stages, and their pipelines may have ids that deals' have too.
LEADS = "lead:"
DEAL_TYPES = {"newbusiness": "new", "existingbusiness": "repeat"}
ENTERED = "hs_v2_date_entered_"
_YES = "true"
# A deal that changes its pipeline gets its stage in the same moment, or so little before.
_TOGETHER = timedelta(seconds=5)


@dataclass(frozen=True)
class Kind:
    """A kind of object: what it is called in paths, its property of change, and what is read.

    `history` are properties that are read with their versions, `links` are kinds that it may point
    at. `is_needed`: without the right to read it, nothing is read at all. `promised` are those that
    every portal has: an answer without them is counted.
    """

    name: str
    properties: Sequence[str]
    history: Sequence[str] = ()
    links: Sequence[str] = ()
    cursor: str = "hs_lastmodifieddate"
    is_needed: bool = False
    promised: frozenset[str] = frozenset()


DEALS = Kind(
    "deals",
    (
        "amount", "closed_lost_reason", "closedate", "createdate", "deal_currency_code",
        "dealstage", "dealtype", "hs_lastmodifieddate", "hs_merged_object_ids",
        "hubspot_owner_id", "pipeline",
    ),
    ("dealstage", "pipeline", "hubspot_owner_id"),
    ("contacts", "companies"),
    is_needed=True,
    promised=frozenset({
        "amount", "closedate", "createdate", "dealstage", "hs_lastmodifieddate",
        "hubspot_owner_id", "pipeline",
    }),
)  # fmt: skip
CONTACTS = Kind(
    "contacts",
    (
        "firstname", "lastname", "email", "company", "associatedcompanyid", "phone", "mobilephone",
        "hs_whatsapp_phone_number", "createdate", "lastmodifieddate", "hs_merged_object_ids",
        "hs_calculated_merged_vids",
    ),
    cursor="lastmodifieddate",
    is_needed=True,
    promised=frozenset({"firstname", "lastname", "email", "createdate", "lastmodifieddate"}),
)  # fmt: skip
# What a contact has to say where it is also a lead.
CONTACT_LEAD = (
    "hubspot_owner_id", "hubspot_owner_assigneddate", "lifecyclestage", "hs_lead_status",
    "hs_lifecyclestage_salesqualifiedlead_date",
)  # fmt: skip
COMPANIES = Kind(
    "companies",
    ("name", "phone", "createdate", "hs_lastmodifieddate", "hs_merged_object_ids"),
    is_needed=True,
    promised=frozenset({"name", "createdate", "hs_lastmodifieddate"}),
)
LEAD_OBJECTS = Kind(
    "leads",
    (
        "hs_createdate", "hs_lastmodifieddate", "hubspot_owner_id", "hs_pipeline",
        "hs_pipeline_stage", "hs_lead_disqualification_reason", "hs_merged_object_ids",
    ),
    ("hs_pipeline_stage", "hs_pipeline"),
    ("contacts", "companies"),
    promised=frozenset({"hs_lastmodifieddate", "hs_pipeline", "hs_pipeline_stage"}),
)  # fmt: skip
MEETINGS = Kind(
    "meetings",
    (
        "hs_activity_type", "hs_createdate", "hs_created_by_user_id", "hs_lastmodifieddate",
        "hs_meeting_outcome", "hs_meeting_start_time", "hs_meeting_title", "hs_timestamp",
        "hubspot_owner_id",
    ),
    ("hs_meeting_outcome",),
    ("contacts", "deals"),
    promised=frozenset({"hs_lastmodifieddate", "hs_meeting_outcome", "hs_meeting_start_time"}),
)  # fmt: skip
_TOUCH = ("hs_createdate", "hs_lastmodifieddate", "hs_timestamp", "hubspot_owner_id")
EMAILS = Kind("emails", (*_TOUCH, "hs_email_direction"), links=("contacts", "deals"))
COMMUNICATIONS = Kind(
    "communications", (*_TOUCH, "hs_communication_channel_type"), links=("contacts", "deals")
)
TASKS = Kind(
    "tasks", (*_TOUCH, "hs_task_status", "hs_task_completion_date"), links=("contacts", "deals")
)
QUOTES = Kind("quotes", (*_TOUCH, "hs_status"), ("hs_status",), ("contacts", "deals"))
FEEDBACK = Kind(
    "feedback_submissions",
    ("hs_survey_type", "hs_value", "hs_submission_timestamp", "hs_lastmodifieddate"),
    links=("contacts",),
)
TOUCHES = {"emails": "email", "communications": "message", "tasks": "task", "quotes": "quote"}


@dataclass(frozen=True)
class Version:
    """A value that a property got; `user` is the number of who set it, where somebody did."""

    at: datetime
    value: str
    user: str | None


def properties(item: Json) -> Json:
    """An object's properties; an empty text is none."""
    found = item.get("properties") or {}
    return {name: None if value == "" else value for name, value in found.items()}


def versions(item: Json, name: str) -> list[Version]:
    """The versions of a property, oldest first; those without a value or a time left out."""
    found = []
    for it in (item.get("propertiesWithHistory") or {}).get(name) or []:
        at, value = moment(it.get("timestamp")), text(it.get("value"))
        if at is not None and value is not None:
            found.append(Version(at, value, _user(it)))
    return sorted(found, key=lambda it: it.at)


def _user(version: Json) -> str | None:
    number = reference(version.get("updatedByUserId"))
    source = str(version.get("sourceId") or "")
    if number is None and source.startswith("userId:"):
        number = reference(source.removeprefix("userId:"))
    return number


def since(history: Sequence[Version], value: str | None) -> datetime | None:
    """Since when a property says what it says; None where no version tells it."""
    found = None
    for it in history:
        if it.value != value:
            found = None
        elif found is None:
            found = it.at
    return found


def moment(value: Any) -> datetime | None:
    """A time with its offset, in ISO 8601 or epoch milliseconds; None where it reads as none."""
    written = str(value or "")
    try:
        if written.isdigit():
            return datetime.fromtimestamp(int(written) / 1000, UTC)
        found = datetime.fromisoformat(written)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def time_text(value: Any) -> str | None:
    """A time as the contract's text; what reads as none stays, to be judged there."""
    found = moment(value)
    return text_of(found) if found else text(value)


def day(value: Any, zone: tzinfo) -> str | None:
    """The day of a time as people see it in the portal; midnight in UTC is how a date is written.

    West of Greenwich that midnight would be the day before.
    """
    found = moment(value)
    if found is None:
        return text(value)
    is_date = found.astimezone(UTC).time() == time()
    return found.astimezone(UTC if is_date else zone).date().isoformat()


def updated(item: Json, kind: Kind) -> str | None:
    """An object's own time of change."""
    return time_text(properties(item).get(kind.cursor) or item.get("updatedAt"))


def created(item: Json) -> str | None:
    """When an object was created: what its property says, which an import may have set."""
    own = properties(item)
    return time_text(own.get("createdate") or own.get("hs_createdate") or item.get("createdAt"))


def merged(item: Json) -> list[str]:
    """The objects that became this one."""
    own = properties(item)
    found = str(own.get("hs_merged_object_ids") or "").split(";")
    found += [
        it.partition(":")[0] for it in str(own.get("hs_calculated_merged_vids") or "").split(";")
    ]
    return [it for it in dict.fromkeys(it.strip() for it in found) if it and it != str(item["id"])]


def chosen(links: Sequence[Link]) -> str | None:
    """The one that is labelled primary, else the smallest id."""
    if not links:
        return None
    return min(links, key=lambda it: (not it.is_primary, len(it.to_id), it.to_id)).to_id


def deal_stages(pipelines: Sequence[Json]) -> tuple[list[Stage], list[str]]:
    """Stages of all pipelines, and those that are closed without saying whether won or lost.

    The probability decides, because closed stages of both kinds carry the same flag; a missing
    probability is not zero.
    """
    found, unclear = [], []
    for pipeline in pipelines:
        for stage in pipeline.get("stages") or []:
            metadata = stage.get("metadata") or {}
            kind: str | None = "open"
            if str(metadata.get("isClosed")).lower() == _YES:
                kind = _closed_kind(metadata)
            stage_id = f"{pipeline['id']}:{stage['id']}"
            if kind is None and not stage.get("archived"):
                unclear.append(stage_id)
            found.append(
                Stage(
                    stage_id=stage_id,
                    pipeline_id=str(pipeline["id"]),
                    pipeline=str(pipeline.get("label")),
                    name=str(stage.get("label")),
                    position=int(stage.get("displayOrder") or 0),
                    kind=kind or "open",
                    own_id=str(stage["id"]),
                )
            )
    return found, unclear


def _closed_kind(metadata: Json) -> str | None:
    try:
        probability = Decimal(str(metadata["probability"]))
    except (KeyError, InvalidOperation):
        return None
    return {Decimal(1): "won", Decimal(0): "lost"}.get(probability)


def lead_stages(pipelines: Sequence[Json]) -> list[Stage]:
    """Leads' stages, for the keys that name them."""
    return [
        Stage(
            stage_id=f"{LEADS}{pipeline['id']}:{stage['id']}",
            pipeline_id=f"{LEADS}{pipeline['id']}",
            pipeline=str(pipeline.get("label")),
            name=str(stage.get("label")),
            position=int(stage.get("displayOrder") or 0),
            kind="open",
            own_id=str(stage["id"]),
        )
        for pipeline in pipelines
        for stage in pipeline.get("stages") or []
    ]


def first_stages(stages: Sequence[Stage]) -> frozenset[str]:
    """The stage in which each pipeline begins."""
    found: dict[str, Stage] = {}
    for stage in sorted(stages, key=lambda it: (it.position, it.stage_id)):
        found.setdefault(stage.pipeline_id, stage)
    return frozenset(stage.stage_id for stage in found.values())


def dictionary_rows(
    pipelines: Sequence[Json], kinds: Mapping[str, str], prefix: str
) -> dict[str, list[Row]]:
    """Rows of crm.pipelines and crm.stages. `kinds` are by stage; archived ones are flagged."""
    rows: dict[str, list[Row]] = {"crm.pipelines": [], "crm.stages": []}
    for pipeline in pipelines:
        is_gone = bool(pipeline.get("archived"))
        rows["crm.pipelines"].append(
            {
                "pipeline_id": f"{prefix}{pipeline['id']}",
                "name": text(pipeline.get("label")),
                "is_deleted": "true" if is_gone else None,
                "updated_at": time_text(pipeline.get("updatedAt")),
            }
        )
        for stage in pipeline.get("stages") or []:
            stage_id = f"{pipeline['id']}:{stage['id']}"
            rows["crm.stages"].append(
                {
                    "stage_id": prefix + stage_id,
                    "pipeline_id": f"{prefix}{pipeline['id']}",
                    "name": text(stage.get("label")),
                    "position": text(stage.get("displayOrder")),
                    "kind": kinds[stage_id],
                    "is_deleted": "true" if is_gone or stage.get("archived") else None,
                    "updated_at": time_text(stage.get("updatedAt")),
                }
            )
    return rows


def managers(owners: Sequence[Json], keys: CrmConnection) -> list[Row]:
    """Rows of crm.managers."""
    found = []
    for owner in owners:
        own = keys.managers.get(str(owner.get("id"))) or keys.managers.get(str(owner.get("email")))
        teams = owner.get("teams") or []
        primary = next((text(it.get("name")) for it in teams if it.get("primary")), None)
        is_queue = str(owner.get("type")) == "QUEUE"
        name = joined(owner.get("firstName"), owner.get("lastName"))
        found.append(
            {
                "manager_id": f"{keys.prefix}{owner['id']}",
                "full_name": name or text(owner.get("email")),
                "email": text(owner.get("email")),
                "team": (own and own.team) or primary,
                "role": (own and own.role) or ("other" if is_queue else None),
                "hired_on": text(own and own.hired_on),
                "dismissed_on": text(own and own.dismissed_on),
                "is_deleted": "true" if owner.get("archived") else None,
                "updated_at": time_text(owner.get("updatedAt")),
            }
        )
    return found


def users(owners: Sequence[Json]) -> dict[str, str]:
    """Owners by the number of their user; one who is active comes before one who is not."""
    found: dict[str, str] = {}
    for name in ("userId", "userIdIncludingInactive"):
        for owner in owners:
            number = reference(owner.get(name))
            if number is not None:
                found.setdefault(number, str(owner["id"]))
    return found


def joined(*parts: Any) -> str | None:
    """A name of its parts."""
    return " ".join(str(it).strip() for it in parts if it) or None


def party(item: Json, kind: Kind, source: str | None) -> Row:
    """A contact or a company as a row of the private table."""
    own = properties(item)
    is_contact = kind is CONTACTS
    company = reference(own.get("associatedcompanyid")) if is_contact else None
    names = ("phone", "mobilephone", "hs_whatsapp_phone_number")
    name = joined(own.get("firstname"), own.get("lastname")) or text(own.get("email"))
    return {
        "party_id": ("" if is_contact else "co") + str(item["id"]),
        "name": name if is_contact else text(own.get("name")),
        "email": text(own.get("email")) if is_contact else None,
        "phones": [str(own[it]) for it in names if own.get(it)],
        "company_ids": [f"co{company}"] if company else [],
        "source_id": source if is_contact else None,
        "created_at": created(item),
        "updated_at": updated(item, kind),
        "company": text(own.get("company")) if is_contact else None,
    }


def entries(item: Json, stages: Mapping[str, Stage], leads: bool = False) -> list[Version]:
    """When a deal or lead entered which stage, oldest first; the value is the stage's whole id."""
    names = ("hs_pipeline_stage", "hs_pipeline") if leads else ("dealstage", "pipeline")
    begin = LEADS if leads else ""
    pipelines = versions(item, names[1])
    now = text(properties(item).get(names[1]))
    return [
        Version(it.at, stage_at(it, pipelines, now, stages, begin), it.user)
        for it in versions(item, names[0])
    ]


def stage_at(
    entry: Version,
    pipelines: Sequence[Version],
    pipeline_now: str | None,
    stages: Mapping[str, Stage],
    begin: str = "",
) -> str:
    """The whole id of a stage that was entered: the pipeline is the one of that time."""
    before = [it.value for it in pipelines if it.at <= entry.at]
    soon = [it.value for it in pipelines if entry.at < it.at <= entry.at + _TOGETHER]
    first = [it.value for it in pipelines[:1]]
    candidates = [*before[-1:], *soon, *([] if before else first), *([pipeline_now or ""])]
    for pipeline in candidates:
        found = f"{begin}{pipeline}:{entry.value}"
        if found in stages:
            return found
    return f"{begin}{candidates[0]}:{entry.value}"


def moves(found: Sequence[Version], owners: Mapping[str, str]) -> list[Move]:
    """The same as moves, by the managers who made them."""
    return [Move(it.at, it.value, owners.get(it.user or "")) for it in found]


def custom_fields(rows: Sequence[Json]) -> tuple[list[CustomField], dict[str, str]]:
    """From the list of properties: all of them, and their types by name."""
    found, types = [], {}
    for row in rows:
        options = {str(it.get("value")): str(it.get("label")) for it in row.get("options") or []}
        is_flag = str(row.get("type")) == "bool"
        found.append(
            CustomField(str(row["name"]), str(row.get("label")), {} if is_flag else options)
        )
        types[str(row["name"])] = str(row.get("type"))
    return found, types


def field_values(written: Any, custom: CustomField, kind: str) -> list[FieldValue]:
    """The values of a property; of a list with several, each."""
    value = text(written)
    if value is None:
        return []
    if custom.options:
        parts = [it for it in value.split(";") if it]
        return [FieldValue(custom.options.get(it, it), it) for it in parts]
    if kind == "bool":
        return [FieldValue("да" if value == _YES else "нет", value)]
    return [FieldValue(day(value, UTC) or value if kind == "date" else value)]


def field_changes(item: Json, custom: CustomField, kind: str) -> list[FieldChange]:
    """The versions of a property as changes of a field."""
    return [
        FieldChange(it.at, field_values(it.value, custom, kind))
        for it in versions(item, custom.field_id)
    ]


def field_moment(written: str, zone: tzinfo) -> datetime | None:
    """A date or time of a property as an instant; a date is its midnight in the portal."""
    if len(written) == len("2026-01-01") and not written.isdigit():
        try:
            return datetime.combine(datetime.fromisoformat(written).date(), time(), zone)
        except ValueError:
            return None
    return moment(written)


def deal_type(own: Json, by_keys: str, keys: CrmConnection) -> str:
    """By the type as the keys name it, else by what else they say, else by the two usual types."""
    named = {folded(key): kind for key, kind in keys.deal_types.items()}
    written = folded(str(own.get("dealtype") or ""))
    if written and written in named:
        return named[written]
    return by_keys if by_keys != "new" else DEAL_TYPES.get(written, "new")


def score(own: Json) -> str | None:
    """The score of a survey of satisfaction; None of another survey, or where it is none of 1-5."""
    value = text(own.get("hs_value")) or ""
    number = value.removesuffix(".0")
    is_one = own.get("hs_survey_type") == "CSAT" and number in ("1", "2", "3", "4", "5")
    return number if is_one else None
