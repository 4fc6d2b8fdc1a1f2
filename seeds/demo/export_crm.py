"""Exports of contacts, leads and deals with their history."""

from __future__ import annotations

from collections.abc import Iterable

from seeds.demo import company
from seeds.demo.batch import Batch, Department, Export, is_new, last, seen
from seeds.demo.clock import DAY_SECONDS
from seeds.demo.sales import Deal, Lead


def customers(department: Department, export: Export, since: int) -> Iterable[Batch]:
    """Yield contacts with their telephones, and leads, as they stand at the export."""
    contacts = []
    phones = []
    for contact in department.sales.contacts:
        changed = seen(contact.changed, export)
        at = changed or contact.created
        if not is_new(at, export, since):
            continue
        key = contact.key
        email = None if key % 9 == 0 and not changed else key * 2 + (1 if changed else 0)
        contacts.append((key, key, key, email, contact.created, contact.source, at))
        phones += [(key, phone, contact.created) for phone in contact.phones]
    yield Batch(
        "crm.contacts",
        export,
        {
            "contact_id": "contact",
            "name": "person",
            "company": "company",
            "email": "email",
            "created_at": "time",
            "source_id": "text",
            "updated_at": "time",
        },
        contacts,
    )
    yield Batch(
        "crm.contact_phones",
        export,
        {"contact_id": "contact", "phone": "typed_phone", "updated_at": "time"},
        phones,
    )
    kinds = {
        "lead_id": "lead",
        "contact_id": "contact",
        "manager_id": "manager",
        "source_id": "text",
        "created_at": "time",
        "taken_at": "time",
        "is_target": "bool",
        "qualified_at": "time",
        "rejection_reason": "text",
        "utm_source": "text",
        "utm_medium": "text",
        "utm_campaign": "text",
        "updated_at": "time",
    }
    if export.number == 1:
        kinds["contact_id"] = "contact_float"
    if export.number > 1:
        kinds["utm_content"] = "text"
    width = len(kinds)
    yield Batch(
        "crm.leads",
        export,
        kinds,
        [row[:width] for lead in department.sales.leads if (row := _lead(lead, export, since))],
    )


def _lead(lead: Lead, export: Export, since: int) -> tuple[object, ...] | None:
    if lead.created > export.at:
        return None
    changed = last((lead.created, lead.taken, lead.qualified), export)
    if not is_new(changed, export, since):
        return None
    target = lead.is_target if seen(lead.qualified, export) else None
    reason = None
    if target is False:
        reason = company.REJECTIONS[lead.key % len(company.REJECTIONS)]
    campaign: str | None = None
    medium: str | None = None
    content: str | None = None
    if lead.source in company.WEB_SOURCES and not lead.by_phone:
        campaign = ("b2b_search", "remarketing", "poisk_opt", "rsya_b2b")[lead.key % 4]
        medium = "organic" if lead.source == "website" else "cpc"
        content = f"banner_{lead.key % 3 + 1}"
    # A quarter of the leads leave the source to the contact.
    source: str | None = lead.source
    if source == lead.contact.source and lead.key % 4 == 0:
        source = None
    return (
        lead.key,
        lead.contact.key,
        lead.owner,
        source,
        lead.created,
        seen(lead.taken, export),
        target,
        seen(lead.qualified, export),
        reason,
        lead.source if medium else None,
        medium,
        campaign,
        changed,
        content,
    )


def deals(department: Department, export: Export, since: int) -> Iterable[Batch]:
    """Yield deals as they stand at the export, and the moves since the last one."""
    kinds = {
        "deal_id": "deal",
        "lead_id": "lead",
        "contact_id": "contact",
        "manager_id": "manager",
        "pipeline_id": "text",
        "stage_id": "text",
        "source_id": "text",
        "amount": "cents",
        "currency": "text",
        "deal_type": "text",
        "created_at": "time",
        "expected_close_on": "date",
        "closed_at": "time",
        "lost_reason": "text",
        "updated_at": "time",
    }
    if export.number == 1:
        kinds["amount"] = "cents_float"
    deals = department.sales.deals
    yield Batch(
        "crm.deals",
        export,
        kinds,
        [row for deal in deals if (row := _deal(deal, export, since))],
    )
    number = 0
    moves = []
    for deal in deals:
        for at, stage, who in deal.moves:
            number += 1
            if is_new(at, export, since):
                moves.append((number, deal.key, stage, at, who))
    yield Batch(
        "crm.deal_stage_history",
        export,
        {
            "event_id": "event",
            "deal_id": "deal",
            "stage_id": "text",
            "entered_at": "time_offset",
            "manager_id": "manager",
        },
        moves,
    )


def _deal(deal: Deal, export: Export, since: int) -> tuple[object, ...] | None:
    if deal.created > export.at:
        return None
    moves = [move for move in deal.moves if move[0] <= export.at]
    owner_at, owner = [o for o in deal.owners if o[0] <= export.at][-1]
    at, stage, _ = moves[-1]
    changed = max(at, owner_at)
    if not is_new(changed, export, since):
        return None
    closed = stage.endswith(("_won", "_lost"))
    amount = deal.amount if deal.estimated or len(moves) > 2 or closed else None
    lead = deal.lead
    return (
        deal.key,
        lead.key if lead else None,
        deal.contact.key if lead is None or deal.key % 5 else None,
        owner,
        company.PIPELINE_OF_STAGE[stage],
        stage,
        deal.source,
        amount,
        deal.currency,
        None if deal.kind == "new" and deal.key % 6 == 0 else deal.kind,
        deal.created,
        deal.created // DAY_SECONDS + 30,
        at if closed and deal.key % 8 else None,
        deal.lost_reason if stage.endswith("_lost") else None,
        changed,
    )
