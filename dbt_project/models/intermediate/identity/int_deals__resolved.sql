-- One row per existing deal, with its lead, contact, owner and source. Contact: its
-- own, else its lead's. Source: its own, else its lead's, else its contact's.
-- NULL: none found.

with deals as (

    select * from {{ ref('stg_crm__deals') }}

),

leads as (

    select * from {{ ref('int_leads__resolved') }}

),

contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

managers as (

    select * from {{ ref('stg_crm__managers') }}

),

sources as (

    select * from {{ ref('stg_crm__sources') }}

),

with_lead as (

    select
        deals.*,
        leads.lead_id as found_lead_id,
        leads.source_id as lead_source_id,
        leads.created_at as lead_created_at,
        coalesce(own_contacts.contact_id, leads.contact_id) as found_contact_id
    from deals
    left join leads
        on deals.lead_id = leads.lead_id
    left join contacts as own_contacts
        on deals.contact_id = own_contacts.contact_id

),

final as (

    select
        with_lead.deal_id,
        with_lead.found_lead_id as lead_id,
        with_lead.lead_created_at,
        with_lead.found_contact_id as contact_id,
        {{ found('managers.manager_id') }} as manager_id,
        coalesce(
            {{ found('sources.source_id') }}, with_lead.lead_source_id, contacts.source_id
        ) as source_id,
        with_lead.pipeline_id as raw_pipeline_id,
        with_lead.stage_id as raw_stage_id,
        with_lead.amount as raw_amount,
        with_lead.currency,
        with_lead.deal_type,
        with_lead.lost_reason,
        with_lead.created_at,
        with_lead.expected_close_on,
        with_lead.closed_at as raw_closed_at,
        with_lead.updated_at
    from with_lead
    left join contacts
        on with_lead.found_contact_id = contacts.contact_id
    left join managers
        on with_lead.manager_id = managers.manager_id
    left join sources
        on with_lead.source_id = sources.source_id

)

select * from final
