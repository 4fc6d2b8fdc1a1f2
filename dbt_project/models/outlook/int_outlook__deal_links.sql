-- One row per deal and contact or lead that events of the deal are found by, and the day
-- on which the link is known: deal, lead and contact exist by then. A lead's contact
-- stands in for the deal's own until that one exists.

{{ config(materialized='tracked_table') }}

with deals as (

    select * from {{ ref('stg_crm__deals') }}

),

leads as (

    select * from {{ ref('int_leads__resolved') }}

),

contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

with_parents as (

    select
        deals.deal_id,
        deals.created_at,
        leads.lead_id,
        leads.created_at as lead_created_at,
        own_contacts.contact_id as own_contact_id,
        own_contacts.created_at as own_contact_created_at,
        lead_contacts.contact_id as lead_contact_id,
        lead_contacts.created_at as lead_contact_created_at
    from deals
    left join leads
        on deals.lead_id = leads.lead_id
    left join contacts as own_contacts
        on deals.contact_id = own_contacts.contact_id
    left join contacts as lead_contacts
        on leads.contact_id = lead_contacts.contact_id

),

links as (

    select
        deal_id,
        'lead' as link,
        lead_id as linked_id,
        {{ local_date('greatest(created_at, lead_created_at)') }} as known_on,
        cast(null as date) as replaced_on
    from with_parents
    where lead_id is not null
    union all
    select
        deal_id,
        'contact' as link,
        own_contact_id as linked_id,
        {{ local_date('greatest(created_at, own_contact_created_at)') }} as known_on,
        cast(null as date) as replaced_on
    from with_parents
    where own_contact_id is not null
    union all
    select
        deal_id,
        'contact' as link,
        lead_contact_id as linked_id,
        {{ local_date('greatest(created_at, lead_created_at, lead_contact_created_at)') }}
            as known_on,
        {{ local_date('own_contact_created_at') }} as replaced_on
    from with_parents
    where
        lead_contact_id is not null
        and lead_contact_id is distinct from own_contact_id

),

final as (

    select *
    from links
    where replaced_on is null or known_on < replaced_on

)

select * from final
