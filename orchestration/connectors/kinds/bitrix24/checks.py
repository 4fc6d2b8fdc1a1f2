"""What `voronka connect check` asks a Bitrix24 portal; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestration.base.errors import VoronkaError
from orchestration.base.findings import Finding
from orchestration.connectors.kinds.bitrix24 import mapping
from orchestration.connectors.kinds.bitrix24.mapping import COMPANY, CONTACT, DEAL, LEAD, QUOTE
from orchestration.connectors.kinds.bitrix24.touches import ACTIVITIES

if TYPE_CHECKING:
    from orchestration.connectors.kinds.bitrix24.connector import Bitrix24

_HISTORY = "crm.stagehistory.list"


def findings(bitrix: Bitrix24) -> Iterator[Finding]:
    """Who the webhook acts as, the portal, each method, its clock, and keys that are not set."""
    mode = "classic: leads and deals" if bitrix.is_classic else "simple: every deal is also a lead"
    yield Finding("good", f"The portal is in its mode {mode}")
    yield from _owner(bitrix)
    yield from _scopes(bitrix)
    yield Finding("good", f"Times in {bitrix.zone}, amounts in {bitrix.base_currency}")
    yield Finding(
        "good",
        f"{len(bitrix.users)} employees, {len(bitrix.categories)} pipelines, "
        f"{len(bitrix.deal_stages)} stages, {len(bitrix.source_names)} sources",
    )
    # Both raise where a name fits none or several.
    assert bitrix.stages is not None
    assert bitrix.fields is not None
    for method, body, tables in _asked(bitrix):
        yield _method(bitrix, method, body, tables)
    yield _zone(bitrix)
    yield from bitrix.connection.unset()


def _owner(bitrix: Bitrix24) -> Iterator[Finding]:
    profile = bitrix.api.call("profile")["result"]
    name = mapping.joined(profile.get("NAME"), profile.get("LAST_NAME")) or profile.get("ID")
    if mapping.yes(profile.get("ADMIN")):
        yield Finding("good", f"The webhook acts as {name}, an administrator")
        return
    yield Finding(
        "note",
        f"The webhook acts as {name}, who is no administrator",
        "Rows that he may not see are missing without a word; let an administrator make it.",
    )


def _scopes(bitrix: Bitrix24) -> Iterator[Finding]:
    given = {str(it) for it in bitrix.api.rows(bitrix.api.call("scope"), None, "scope")}
    wanted = ["crm", "department"] + (
        ["sale"] if bitrix.connection.payments_from == "native" else []
    )
    missing = [it for it in wanted if it not in given]
    if not given & {"user", "user_basic"}:
        missing.append("user")
    if missing:
        yield Finding(
            "bad",
            f"The webhook lacks the scope {', '.join(missing)}",
            "Tick it in the webhook's settings.",
        )


def _asked(bitrix: Bitrix24) -> Iterator[tuple[str, dict[str, Any], str]]:
    entities = {
        DEAL: "crm.deals",
        LEAD: "crm.leads",
        CONTACT: "crm.contacts, crm.contact_phones",
        COMPANY: "names and phones of companies",
        QUOTE: "proposals in crm.activities",
    }
    if not bitrix.is_classic:
        del entities[LEAD]
    if not bitrix.connection.read_quotes:
        del entities[QUOTE]
    for entity, tables in entities.items():
        yield "crm.item.list", {"entityTypeId": entity, "select": ["id"]}, tables
    yield _HISTORY, {"entityTypeId": DEAL}, "crm.deal_stage_history"
    yield ACTIVITIES, {"select": ["ID"]}, "crm.meetings, crm.activities"


def _method(bitrix: Bitrix24, method: str, body: dict[str, Any], tables: str) -> Finding:
    name = None if method == ACTIVITIES else "items"
    what = f"{method} {body.get('entityTypeId', '')}".strip()
    try:
        rows = bitrix.api.rows(bitrix.api.call(method, {**body, "start": -1}, what), name, what)
    except VoronkaError as error:
        return Finding("bad", f"{what}: without it no {tables}", error.remedy, [error.message])
    return Finding("good", f"{what} can be read" + ("" if rows else ", and is empty"))


def _zone(bitrix: Bitrix24) -> Finding:
    """Whether times come in the zone of the webhook's owner."""
    from orchestration.connectors.kinds.bitrix24.sales import Sales

    api = bitrix.api
    body = {"entityTypeId": DEAL, "order": {"id": "DESC"}, "start": -1,
            "select": ["id", "createdTime"]}  # fmt: skip
    deals = api.rows(api.call("crm.item.list", body), "items", "crm.item.list")
    ids = [it["id"] for it in deals]
    body = {"entityTypeId": DEAL, "start": -1, "filter": {"@OWNER_ID": ids, "TYPE_ID": 1}}
    rows = api.rows(api.call(_HISTORY, body), "items", _HISTORY)
    entries: dict[str, list[mapping.Entry]] = {}
    for row in rows:
        values = mapping.history_row(row, DEAL)
        entry = mapping.entry_of([values[it] for it in mapping.HISTORY_COLUMNS])
        entries.setdefault(entry.owner_id, []).append(entry)
    keys = bitrix.connection
    right = [mapping.shifted(it, keys.user_time_shift_minutes) for it in deals]
    minutes = Sales(bitrix).zone_shift(right, entries)
    if not minutes:
        return Finding("good", "Deals are created when their history says so")
    return Finding(
        "bad",
        f"createdTime is {minutes} minutes ahead of the deals' own history",
        "Set the time zone of the webhook's owner to the portal's. If that is impossible, set "
        f"user_time_shift_minutes: {keys.user_time_shift_minutes + minutes}.",
    )
