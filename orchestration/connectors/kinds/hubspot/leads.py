"""Leads: HubSpot's lead objects, or its contacts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from orchestration.connectors.connector import Row
from orchestration.connectors.crm.rules import Deal, Fields, Rules, folded, reference, text
from orchestration.connectors.kinds.hubspot import mapping
from orchestration.connectors.kinds.hubspot.api import Json
from orchestration.connectors.kinds.hubspot.connector import Chunk
from orchestration.connectors.kinds.hubspot.mapping import CONTACTS, LEAD_OBJECTS, Kind, Version
from orchestration.connectors.loading import text_of

if TYPE_CHECKING:
    from orchestration.connectors.kinds.hubspot.connector import Hubspot


class Leads:
    """Rows of crm.leads, and the sources that they name."""

    def __init__(self, hubspot: Hubspot) -> None:
        self._hubspot = hubspot
        self._keys = hubspot.connection

    def of_objects(self, chunk: Chunk) -> dict[str, list[Row]]:
        """The rows of lead objects."""
        rows: dict[str, list[Row]] = {"crm.sources": [], "crm.leads": []}
        for item, stamp in chunk.items:
            own = mapping.properties(item)
            entries = mapping.entries(item, self._hubspot.stages.by_id, leads=True)
            pipeline, status = own.get("hs_pipeline"), own.get("hs_pipeline_stage")
            contact = contact_of(chunk, item, self._keys.companies_as_contacts)
            lead = self._facts(
                LEAD_OBJECTS, item, f"{mapping.LEADS}{pipeline}:{status}", contact, entries
            )
            is_target, qualified_at = self._rules.target(lead)
            self._add(rows, item, stamp, lead, self._taken_at(entries), is_target, qualified_at)
        return rows

    def of_contacts(self, chunk: Chunk) -> dict[str, list[Row]]:
        """The rows of contacts that are leads; those from before `start_date` are none."""
        rows: dict[str, list[Row]] = {"crm.sources": [], "crm.leads": []}
        start = self._hubspot.start
        for item, stamp in chunk.items:
            own, created = mapping.properties(item), mapping.moment(mapping.created(item))
            if start and created and created < start:
                continue
            lead = self._facts(CONTACTS, item, "", str(item["id"]), ())
            system = self._by_lifecycle(own)
            is_target, qualified_at = self._rules.target(lead, system)
            if is_target and system and not lead.values(self._fields.target):
                qualified_at = mapping.moment(own.get("hs_lifecyclestage_salesqualifiedlead_date"))
            taken_at = mapping.moment(own.get("hubspot_owner_assigneddate"))
            self._add(rows, item, stamp, lead, taken_at, is_target, qualified_at)
        return rows

    @property
    def _rules(self) -> Rules:
        return self._hubspot.rules[self._hubspot.lead_kind.name]

    @property
    def _fields(self) -> Fields:
        return self._hubspot.fields[self._hubspot.lead_kind.name]

    def _by_lifecycle(self, own: Json) -> bool | None:
        """A contact's stage of life says that it is a target lead, its status that it is none."""
        stage, status = (
            folded(str(own.get("lifecyclestage"))),
            folded(str(own.get("hs_lead_status"))),
        )
        if stage in {folded(it) for it in self._keys.target_lifecycle}:
            return True
        if status in {folded(it) for it in self._keys.non_target_lead_status}:
            return False
        return None

    def _facts(
        self, kind: Kind, item: Json, stage: str, contact: str | None, entries: Sequence[Version]
    ) -> Deal:
        hubspot, own = self._hubspot, mapping.properties(item)
        types = hubspot.custom[kind.name][1]
        values = hubspot.values(kind.name, own)
        reasons = (
            values.get(self._fields.lost_reason.field_id, ()) if self._fields.lost_reason else ()
        )
        system = text(own.get("hs_lead_disqualification_reason")) if kind is LEAD_OBJECTS else None
        return Deal(
            deal_id=str(item["id"]),
            stage_id=stage,
            pipeline_id="",
            owner=reference(own.get("hubspot_owner_id")),
            contact_id=contact,
            amount=None,
            currency=None,
            created_at=mapping.moment(mapping.created(item)),
            updated_at=mapping.moment(mapping.updated(item, kind)),
            closed_at=None,
            reason=reasons[0].text if reasons else system,
            fields=values,
            moves=mapping.moves(entries, hubspot.users),
            changes={
                it.field_id: mapping.field_changes(item, it, types[it.field_id])
                for it in self._fields.watched
            },
        )

    def _taken_at(self, entries: Sequence[Version]) -> datetime | None:
        """The first move out of the first stage, or into a named one."""
        taken, waiting = self._hubspot.stages.taken, self._hubspot.first_stages
        for entry in entries:
            if entry.value in taken or (not taken and entry.value not in waiting):
                return entry.at
        return None

    def _add(
        self,
        rows: dict[str, list[Row]],
        item: Json,
        stamp: datetime,
        lead: Deal,
        taken_at: datetime | None,
        is_target: bool | None,
        qualified_at: datetime | None,
    ) -> None:
        hubspot, fields = self._hubspot, self._fields
        utm = lead.value(fields.utm_source)
        source, named = hubspot.source_of(mapping.properties(item), lead.values(fields.source), utm)
        rows["crm.sources"] += hubspot.sources(named, stamp)
        row = {
            "lead_id": hubspot.id(lead.deal_id),
            "contact_id": hubspot.id(lead.contact_id),
            "manager_id": hubspot.id(lead.owner),
            "source_id": source,
            "created_at": mapping.created(item),
            "taken_at": text_of(taken_at) if taken_at else None,
            "is_target": text(is_target),
            "qualified_at": text_of(qualified_at) if qualified_at else None,
            "rejection_reason": lead.reason if is_target is False else None,
            "utm_source": utm,
            "utm_medium": lead.value(fields.utm_medium),
            "utm_campaign": lead.value(fields.utm_campaign),
            "updated_at": mapping.updated(item, hubspot.lead_kind),
        }
        rows["crm.leads"].append({**self._rules.repair_lead(row), "_loaded_at": stamp})


def contact_of(chunk: Chunk, item: Json, companies_as_contacts: bool) -> str | None:
    """The contact that an object points at, else its company as one; without prefix."""
    contact = mapping.chosen(chunk.linked("contacts", item))
    company = mapping.chosen(chunk.linked("companies", item))
    if contact is None and company is not None and companies_as_contacts:
        return f"co{company}"
    return contact
