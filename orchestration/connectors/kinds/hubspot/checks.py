"""What `voronka connect check` asks a HubSpot portal; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestration.base.errors import VoronkaError
from orchestration.base.findings import Finding
from orchestration.base.text import counted
from orchestration.connectors.kinds.hubspot.mapping import (
    COMPANIES,
    CONTACTS,
    DEALS,
    FEEDBACK,
    LEAD_OBJECTS,
    MEETINGS,
    Kind,
)
from orchestration.connectors.kinds.hubspot.touches import KINDS

if TYPE_CHECKING:
    from orchestration.connectors.kinds.hubspot.connector import Hubspot


def findings(hubspot: Hubspot) -> Iterator[Finding]:
    """Who the token acts as, the portal, each kind of object, and keys that are not set."""
    account = hubspot.account
    yield from _token(hubspot)
    yield Finding(
        "good",
        f"Portal {account.get('portalId')}: times in {hubspot.zone.key}, amounts in "
        f"{hubspot.base_currency}",
    )
    leads = "lead objects" if hubspot.has_lead_objects else "contacts"
    yield Finding("good", f"Leads are the portal's {leads}")
    archived = sum(bool(it.get("archived")) for it in hubspot.owners)
    stages = sum(len(it.get("stages") or []) for it in hubspot.pipelines)
    yield Finding(
        "good",
        f"{counted(len(hubspot.owners) - archived, 'owner')} ({archived} archived), "
        f"{counted(len(hubspot.pipelines), 'pipeline')}, {counted(stages, 'stage')}",
    )
    # Both raise where a name fits none or several, or a closed stage is neither won nor lost.
    assert hubspot.stages is not None
    assert hubspot.fields is not None
    for kind, tables in _asked(hubspot):
        yield _kind(hubspot, kind, tables)
    yield from hubspot.connection.unset()


def _token(hubspot: Hubspot) -> Iterator[Finding]:
    info = hubspot.api.token_info()
    if not info:
        yield Finding("note", "HubSpot does not say whom the token acts as")
        return
    user = str(info.get("userId") or "")
    owner = next((it for it in hubspot.owners if str(it.get("userId")) == user), None)
    name = owner and f"{owner.get('firstName') or ''} {owner.get('lastName') or ''}".strip()
    scopes = [str(it) for it in info.get("scopes") or []]
    # A private app sees what its scopes allow, whoever has made it.
    yield Finding(
        "good",
        f"The token is of a private app of {name or f'user {user}'}, with "
        f"{counted(len(scopes), 'scope')}",
    )
    wanted = [f"crm.objects.{it}.read" for it in ("contacts", "companies", "deals", "owners")]
    missing = [it for it in [*wanted, "crm.schemas.deals.read"] if it not in scopes]
    if missing and scopes:
        yield Finding(
            "bad",
            f"The private app lacks the scope {', '.join(missing)}",
            "Settings, Integrations, Private Apps, Scopes: tick it and commit the change.",
        )


def _asked(hubspot: Hubspot) -> Iterator[tuple[Kind, str]]:
    yield DEALS, "crm.deals, crm.deal_stage_history"
    yield CONTACTS, "crm.contacts, crm.contact_phones"
    yield COMPANIES, "names and phones of companies"
    if hubspot.has_lead_objects:
        yield LEAD_OBJECTS, "crm.leads"
    tables = {MEETINGS.name: "crm.meetings", FEEDBACK.name: "crm.surveys"}
    for kind in KINDS:
        yield kind, tables.get(kind.name, f"{kind.name} in crm.activities")


def _kind(hubspot: Hubspot, kind: Kind, tables: str) -> Finding:
    try:
        page = next(hubspot.api.listed(kind.name, is_archived=False))
    except VoronkaError as error:
        grade = "bad" if kind.is_needed else "note"
        text = f"{kind.name}: without it no {tables}"
        return Finding(grade, text, error.remedy, [error.message])
    return Finding("good", f"{kind.name} can be read" + ("" if page.rows else ", and are empty"))
