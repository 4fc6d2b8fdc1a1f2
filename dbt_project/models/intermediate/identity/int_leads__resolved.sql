-- One row per existing lead, with its contact, owner and source. Source: its own,
-- else its contact's. NULL: none found.

{{ config(materialized='tracked_table') }}

with leads as (

    select * from {{ ref('stg_crm__leads') }}

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

final as (

    select
        leads.lead_id,
        contacts.contact_id,
        {{ found('managers.manager_id') }} as manager_id,
        coalesce({{ found('sources.source_id') }}, contacts.source_id) as source_id,
        leads.created_at,
        leads.taken_at,
        leads.qualified_at,
        leads.is_target,
        leads.rejection_reason,
        leads.utm_source,
        leads.utm_medium,
        leads.utm_campaign
    from leads
    left join contacts
        on leads.contact_id = contacts.contact_id
    left join managers
        on leads.manager_id = managers.manager_id
    left join sources
        on leads.source_id = sources.source_id

)

select * from final
