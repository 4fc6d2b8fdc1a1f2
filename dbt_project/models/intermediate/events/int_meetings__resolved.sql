-- One row per existing meeting, with the lead, deal, contact, managers and source
-- it belongs to. Deal: its own, else the first one of its lead. Contact: its own,
-- else that deal's, else the lead's. Source: the lead's, else that deal's, else the
-- contact's. NULL: none found.

with meetings as (

    select * from {{ ref('stg_crm__meetings') }}

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

managers as (

    select * from {{ ref('stg_crm__managers') }}

),

first_deals as (

    select
        lead_id,
        deal_id
    from deals
    where lead_id is not null
    qualify row_number() over (partition by lead_id order by created_at, deal_id) = 1

),

with_deal as (

    select
        meetings.*,
        leads.lead_id as found_lead_id,
        leads.contact_id as lead_contact_id,
        leads.source_id as lead_source_id,
        coalesce(own_deals.deal_id, first_deals.deal_id) as found_deal_id
    from meetings
    left join leads
        on meetings.lead_id = leads.lead_id
    left join deals as own_deals
        on meetings.deal_id = own_deals.deal_id
    left join first_deals
        on leads.lead_id = first_deals.lead_id

),

with_contact as (

    select
        with_deal.*,
        deals.source_id as deal_source_id,
        coalesce(
            own_contacts.contact_id, deals.contact_id, with_deal.lead_contact_id
        ) as found_contact_id
    from with_deal
    left join deals
        on with_deal.found_deal_id = deals.deal_id
    left join contacts as own_contacts
        on with_deal.contact_id = own_contacts.contact_id

),

final as (

    select
        with_contact.meeting_id,
        with_contact.found_lead_id as lead_id,
        with_contact.found_deal_id as deal_id,
        with_contact.found_contact_id as contact_id,
        {{ found('setters.manager_id') }} as set_by,
        {{ found('holders.manager_id') }} as held_by,
        coalesce(
            with_contact.lead_source_id, with_contact.deal_source_id, contacts.source_id
        ) as source_id,
        coalesce(with_contact.kind, 'meeting') as kind,
        with_contact.set_at,
        with_contact.scheduled_for,
        with_contact.confirmed_at,
        with_contact.held_at,
        with_contact.cancelled_at
    from with_contact
    left join contacts
        on with_contact.found_contact_id = contacts.contact_id
    left join managers as setters
        on with_contact.set_by = setters.manager_id
    left join managers as holders
        on with_contact.held_by = holders.manager_id

)

select * from final
