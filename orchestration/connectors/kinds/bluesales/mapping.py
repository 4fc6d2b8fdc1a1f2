"""BlueSales' answers as facts (connectors_crm.md 2.3); no requests here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.connectors.connector import Row
from orchestration.connectors.crm.rules import FieldValue, folded, reference, text
from orchestration.connectors.kinds.bluesales.api import Json
from orchestration.connectors.kinds.bluesales.history import dated
from orchestration.connectors.kinds.bluesales.keys import BluesalesConnection
from orchestration.connectors.kinds.bluesales.memory import Seen

CRM, ORDERS = "crm", "orders"
PIPELINES = {CRM: "CRM-статусы", ORDERS: "Заказы"}
# What client code shows of each.
CUSTOMER_FIELDS = frozenset({
    "fullName", "phone", "crmStatus", "crmStatusChangedDate", "firstContactDate", "source",
    "manager",
})  # fmt: skip
ORDER_FIELDS = frozenset({"date", "orderStatus", "totalSumMinusDiscount", "customer"})
_SEPARATORS = re.compile(r"[,;\r\n]+")


def customer(row: Json, stamp: datetime, zone: ZoneInfo) -> Seen:
    """A customer as seen now; only what counts is remembered of it."""
    status = row.get("crmStatus") or {}
    said = {
        "name": text(row.get("fullName")),
        "email": text(row.get("email")),
        "phones": _phones(row),
        "changed": text(row.get("crmStatusChangedDate")),
        "first": text(row.get("firstContactDate")),
        "source": _named(row.get("source")),
        "channel": _named(row.get("salesChannel")),
        "manager": reference((row.get("manager") or {}).get("id")),
        "tags": [str(it.get("name")) for it in row.get("tags") or []],
        "fields": _fields(row),
    }
    customer_id = str(row["id"])
    return Seen(
        customer_id,
        customer_id,
        reference(status.get("id")) or "",
        str(status.get("name") or ""),
        _day(said["first"], zone),
        said,
        stamp,
        stamp,
    )


def order(row: Json, stamp: datetime, zone: ZoneInfo) -> Seen:
    """An order as seen now."""
    status = row.get("orderStatus") or {}
    said = {
        "date": text(row.get("date")),
        "goods": text(row.get("totalSumMinusDiscount")),
        "with_delivery": text(row.get("totalSumWithDelivery")),
        "prepay": text(row.get("prepay")),
        "manager": reference((row.get("manager") or {}).get("id")),
        "fields": _fields(row),
    }
    return Seen(
        str(row["id"]),
        reference((row.get("customer") or {}).get("id")) or "",
        reference(status.get("id")) or "",
        str(status.get("name") or ""),
        _day(said["date"], zone),
        said,
        stamp,
        stamp,
    )


def managers(users: Sequence[Json], keys: BluesalesConnection) -> list[Row]:
    """Rows of crm.managers, ids without prefix."""
    found = []
    for user in users:
        email = text(user.get("email")) or text(user.get("login"))
        own = keys.managers.get(str(user.get("id"))) or keys.managers.get(str(email))
        found.append(
            {
                "manager_id": text(user.get("id")),
                "full_name": text(user.get("fullName")),
                "email": email,
                "team": own and own.team,
                "role": own and own.role,
                "hired_on": text(own and own.hired_on),
                "dismissed_on": text(own and own.dismissed_on),
                "is_deleted": "true" if user.get("isActive") is False else None,
            }
        )
    return found


def field_values(said: Mapping[str, Any], zone: ZoneInfo) -> dict[str, list[FieldValue]]:
    """Custom fields that have values, by id and by name; dates as ISO."""
    found: dict[str, list[FieldValue]] = {}
    for field_id, name, value in said["fields"]:
        values = [FieldValue(_iso(value, zone))]
        found[field_id] = found[name] = values
    return found


def status_matches(stage_id: str, name: str, wanted: str) -> bool:
    """Whether a key means this status: by id, by `crm:<id>`, by name or by Pipeline / name."""
    kind, _, status_id = stage_id.partition(":")
    pipeline = PIPELINES[CRM if kind == "crm" else ORDERS]
    return folded(wanted) in {
        status_id, stage_id, folded(name), folded(f"{pipeline} / {name}"),
    }  # fmt: skip


def statuses_named(
    statuses: Mapping[str, str], wanted: Sequence[str], kind: str | None = None
) -> dict[str, list[str]]:
    """Stage ids that each name means; a bare name that both kinds have means a CRM status."""
    found = {}
    for name in wanted:
        fits = [it for it, called in statuses.items() if status_matches(it, called, name)]
        fits = [it for it in fits if kind is None or it.startswith(f"{kind}:")]
        if {it.partition(":")[0] for it in fits} == {"crm", "order"}:
            fits = [it for it in fits if it.startswith("crm:")]
        found[name] = fits
    return found


def _phones(row: Json) -> list[str]:
    typed = _SEPARATORS.split(str(row.get("phone") or ""))
    found = [it.strip() for it in typed]
    whats_app = text((row.get("whatsApp") or {}).get("id"))
    if whats_app and re.fullmatch(r"\+?\d{7,15}", whats_app):
        found.append(whats_app)
    return list(dict.fromkeys(it for it in found if it))


def _named(value: Any) -> list[str | None] | None:
    """The id and the name of something that has both."""
    value = value or {}
    found = reference(value.get("id"))
    return [found, text(value.get("name")) or found] if found else None


def _fields(row: Json) -> list[list[str]]:
    found = []
    for it in row.get("customFields") or []:
        value = text(it.get("valueAsText")) or text(it.get("value"))
        if value is not None:
            found.append([str(it.get("fieldId")), str(it.get("fieldName")), value])
    return found


def _day(written: Any, zone: ZoneInfo) -> str | None:
    found = dated(written, zone)
    return found.start.astimezone(zone).date().isoformat() if found else None


def _iso(written: str, zone: ZoneInfo) -> str:
    """A date as ISO; anything else as it stands."""
    found = dated(written, zone)
    if found is None:
        return written
    local = found.start.astimezone(zone)
    return local.isoformat() if found.has_time else local.date().isoformat()
