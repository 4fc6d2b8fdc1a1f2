-- One row per conversation: the contact that owned the customer's number when it
-- began, that contact's lead at the time, and the source: the tracked one, else that of
-- the lead, else of the contact. NULL: none found.

{{ config(materialized='touched_keys', meta={
    'key': 'session_id',
    'touched_by': {
        'int_calls__sessions': 'select session_id from changes',
        'int_calls__tracked_source': 'select session_id from changes',
        'int_phones__owner_spans': 'select session_id from int_calls__sessions semi join changes on customer_number = phone_number',
        'int_contacts__resolved': 'select session_id from this semi join changes using (contact_id)',
        'int_leads__contact_spans': 'select session_id from this semi join changes using (contact_id)',
    },
}) }}

with sessions as (

    select * from {{ ref('int_calls__sessions') }}
    {{ where_touched('session_id') }}

),

tracked_sources as (

    select * from {{ ref('int_calls__tracked_source') }}

),

phone_owners as (

    select * from {{ ref('int_phones__owner_spans') }}

),

contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

contact_leads as (

    select * from {{ ref('int_leads__contact_spans') }}

),

final as (

    select
        sessions.session_id,
        contacts.contact_id,
        contact_leads.lead_id,
        coalesce(
            tracked_sources.source_id, contact_leads.source_id, contacts.source_id
        ) as source_id
    from sessions
    left join tracked_sources
        on sessions.session_id = tracked_sources.session_id
    left join phone_owners
        on
            sessions.customer_number = phone_owners.phone_number
            and sessions.started_at >= phone_owners.owned_from
            and sessions.started_at < phone_owners.owned_until
    left join contacts
        on phone_owners.contact_id = contacts.contact_id
    left join contact_leads
        on
            phone_owners.contact_id = contact_leads.contact_id
            and sessions.started_at >= contact_leads.matches_from
            and sessions.started_at < contact_leads.matches_until

)

select * from final
