-- One row per existing activity, with the lead, deal, contact, manager and source
-- it belongs to. Contact: its own, else its deal's, else its lead's. Lead: its own,
-- else its deal's, else the lead that its contact (own, else its deal's) had then.
-- Source: the lead's, else the deal's, else the contact's. NULL: none found.

{{ config(materialized='tracked_table') }}

with activities as (

    select * from {{ ref('stg_crm__activities') }}

),

leads as (

    select * from {{ ref('int_leads__resolved') }}

),

deals as (

    select * from {{ ref('int_deals__resolved') }}

),

contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

contact_leads as (

    select * from {{ ref('int_leads__contact_spans') }}

),

managers as (

    select * from {{ ref('stg_crm__managers') }}

),

with_own as (

    select
        activities.*,
        leads.lead_id as own_lead_id,
        leads.contact_id as own_lead_contact_id,
        deals.deal_id as found_deal_id,
        deals.lead_id as deal_lead_id,
        deals.source_id as deal_source_id,
        coalesce(contacts.contact_id, deals.contact_id) as person_id,
        {{ found('managers.manager_id') }} as found_manager_id
    from activities
    left join leads
        on activities.lead_id = leads.lead_id
    left join deals
        on activities.deal_id = deals.deal_id
    left join contacts
        on activities.contact_id = contacts.contact_id
    left join managers
        on activities.manager_id = managers.manager_id

),

with_lead as (

    select
        with_own.*,
        coalesce(
            with_own.own_lead_id, with_own.deal_lead_id, contact_leads.lead_id
        ) as found_lead_id,
        coalesce(with_own.person_id, with_own.own_lead_contact_id) as found_contact_id
    from with_own
    left join contact_leads
        on
            with_own.person_id = contact_leads.contact_id
            and with_own.happened_at >= contact_leads.matches_from
            and with_own.happened_at < contact_leads.matches_until

),

final as (

    select
        with_lead.activity_id,
        with_lead.kind,
        with_lead.direction,
        with_lead.found_manager_id as manager_id,
        with_lead.found_contact_id as contact_id,
        with_lead.found_lead_id as lead_id,
        with_lead.found_deal_id as deal_id,
        coalesce(
            leads.source_id, with_lead.deal_source_id, contacts.source_id
        ) as source_id,
        with_lead.happened_at
    from with_lead
    left join leads
        on with_lead.found_lead_id = leads.lead_id
    left join contacts
        on with_lead.found_contact_id = contacts.contact_id

)

select * from final
