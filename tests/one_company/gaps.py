"""What each system cannot say, with its reason: every other difference is a fault."""

from __future__ import annotations

from tests.one_company.compare import Gap

_ORPHANS = Gap(
    "A deleted deal's history stays in the zone; marts leave it out and count it.",
    {"crm.deal_stage_history": "+:1"},
)

AMOCRM = (
    _ORPHANS,
    Gap(
        "The first stage has no event of its own: it is unknown of deals that are older than the "
        "oldest event.",
        {"crm.deal_stage_history": "-:1"},
    ),
)

_BITRIX = (
    _ORPHANS,
    Gap(
        "History names nobody; only the last mover of a deal is known.",
        {"crm.deal_stage_history": "manager_id:14"},
    ),
    Gap(
        "A meeting that did not take place is deleted by people, and leaves no trace.",
        {"crm.meetings": "-:1"},
    ),
    Gap(
        "Activities name the contact themselves, where others leave it to the deal.",
        {"crm.activities": "contact_id:6", "crm.meetings": "contact_id:2"},
    ),
    Gap(
        "Incoming mails and messages have somebody responsible.",
        {"crm.activities": "manager_id:2"},
    ),
)
BITRIX24 = (
    *_BITRIX,
    Gap(
        "An activity belongs to one object: a chat to the lead, a mail or a meeting to the deal.",
        {"crm.activities": "deal_id:2 lead_id:3", "crm.meetings": "lead_id:3"},
    ),
)
BITRIX24_SIMPLE = _BITRIX

HUBSPOT = (
    _ORPHANS,
    Gap(
        "Activities name deal and contact; the lead is the deal's.",
        {
            "crm.activities": "contact_id:6 lead_id:5",
            "crm.meetings": "contact_id:3 lead_id:4",
        },
    ),
    Gap("Messages have no direction, and count as sent.", {"crm.activities": "direction:2"}),
    Gap("Incoming mails have an owner.", {"crm.activities": "manager_id:2"}),
    Gap(
        "An open deal always has a day on which it should close; of a closed one it is unknown.",
        {"crm.deals": "expected_close_on:5"},
    ),
    Gap(
        "A deal without a lead of its own has its contact's newest.",
        {"crm.deals": "lead_id:2"},
    ),
    Gap("Only leads have marks of campaigns.", {"crm.deals": "source_id:1"}),
    Gap("Sources have names of HubSpot's own.", {"crm.sources": "name:4"}),
    Gap("Ratings are read, which the others do not have.", {"crm.surveys": "+:1"}),
)

BLUESALES = (
    _ORPHANS,
    Gap(
        "A customer's first contact is a day without a time.",
        {"crm.contacts": "created_at:9", "crm.leads": "created_at:9", "crm.deals": "created_at:11"},
    ),
    Gap(
        "There is no history: stages are what the nightly loads saw, dated to the day or the load.",
        {
            "crm.deal_stage_history": "-:7 entered_at:13 entered_after:15 entered_at_quality:26",
            "crm.leads": "taken_at:3 qualified_at:2",
            "crm.deals": "closed_at:4",
        },
    ),
    Gap(
        "Nobody is named who moved a customer.",
        {"crm.deal_stage_history": "manager_id:24"},
    ),
    Gap(
        "There are no companies: a customer's firm, and its telephones, are unknown.",
        {"crm.contacts": "-:2 company:2", "crm.contact_phones": "-:2"},
    ),
    Gap(
        "A customer is the contact: his source is known, and he is deleted with his sale.",
        {"crm.contacts": "source_id:8", "crm.meetings": "contact_id:4"},
    ),
    Gap(
        "A later order names its customer, who is a lead.",
        {"crm.deals": "lead_id:2"},
    ),
    Gap(
        "The amount is that of the first order that is not cancelled.",
        {"crm.deals": "amount:2"},
    ),
    Gap(
        "There are no meetings: entries into stages stand for them, set and held by the owner, "
        "without kind and plan; a stage that was skipped on the way gives one too.",
        {"crm.meetings": "+:1 set_at:1 held_at:1 set_by:3 kind:1 scheduled_for:4"},
    ),
    Gap(
        "An order's status has no date: it was paid before the load that saw it, on the same day.",
        {"crm.payments": "paid_at:4 paid_after:3 paid_at_quality:4"},
    ),
    Gap("The API gives no mails and messages.", {"crm.activities": "-:6"}),
    Gap("The pipeline has no name of its own.", {"crm.pipelines": "name:1"}),
)

_NO_QUEUE = Gap("Calls name no queue.", {"conversations": "queue:5"})
_RINGS_ONLY = Gap(
    "A conversation begins with the first ring: what a customer waited in the queue before it is "
    "not among its legs.",
    {"conversations": "started_at:5"},
)
ASTERISK_SQL = (Gap("The line of an outbound call is its trunk.", {"conversations": "line:4"}),)
ASTERISK_CSV = (
    Gap(
        "cdr_csv has no dialled number, and the line of an outbound call is its trunk.",
        {"conversations": "line:14"},
    ),
)
MANGO = (_NO_QUEUE, _RINGS_ONLY)
UIS = (_NO_QUEUE,)
ZADARMA = (
    _NO_QUEUE,
    Gap(
        "A row has its beginning and the seconds of talk, not its answer and its end.",
        {"conversations": "ended_at:14", "rings": "answered_at:9 ended_at:15"},
    ),
    Gap("The line of an outbound call is unknown.", {"conversations": "line:4"}),
)
TWILIO = (
    _NO_QUEUE,
    Gap("A call's beginning and end are known, not its answer.", {"rings": "answered_at:9"}),
    Gap(
        "The customer's own leg is a row, and begins before the telephone rings.",
        {"conversations": "started_at:4"},
    ),
)
