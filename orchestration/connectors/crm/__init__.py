"""What all CRMs share: their keys, and the rules by which facts become rows of the contract."""

# What a CRM with activities fills.
CRM_TABLES = (
    "crm.managers",
    "crm.sources",
    "crm.contacts",
    "crm.contact_phones",
    "crm.pipelines",
    "crm.stages",
    "crm.leads",
    "crm.deals",
    "crm.deal_stage_history",
    "crm.meetings",
    "crm.activities",
    "crm.payments",
)
