-- One row per conversation with a known contact which, or whose lead, a deal is linked to,
-- and one more for each day on which an answered leg of it ended: what happened, on which
-- day, and on which day it is known. A leg without an extension is a conversation only
-- where no employee had joined by the day on which it ended; a leg without an end is not
-- known to be one.

{{ config(materialized='touched_keys', meta={
    'key': 'event_id',
    'partition_month': 'happened_on',
    'touched_by': {
        'int_calls__legs': 'select session_id as event_id from changes',
        'int_calls__session_identity': 'select session_id as event_id from changes',
        'int_contacts__resolved': 'select session_id as event_id from int_calls__session_identity semi join changes using (contact_id)',
        'int_outlook__deal_links': "select session_id as event_id from int_calls__session_identity where contact_id in (select linked_id from changes where link = 'contact') or lead_id in (select linked_id from changes where link = 'lead')",
    },
}) }}

with legs as (

    select * from {{ ref('int_calls__legs') }}
    {{ where_touched('session_id') }}

),

session_identity as (

    select * from {{ ref('int_calls__session_identity') }}
    {{ where_touched('session_id') }}

),

contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

contact_links as (

    select * from {{ ref('int_outlook__deal_links') }}
    where link = 'contact'

),

lead_links as (

    select * from {{ ref('int_outlook__deal_links') }}
    where link = 'lead'

),

-- Most callers never have a deal.
linked as (

    select
        session_identity.session_id,
        session_identity.contact_id,
        session_identity.lead_id,
        {{ local_date('contacts.created_at') }} as contact_created_on
    from session_identity
    inner join contacts
        on session_identity.contact_id = contacts.contact_id
    where
        session_identity.contact_id in (select linked_id from contact_links)
        or session_identity.lead_id in (select linked_id from lead_links)

),

linked_legs as (

    select
        linked.*,
        legs.leg_no,
        legs.direction,
        legs.extension,
        legs.started_at,
        legs.ended_at,
        legs.talk_seconds,
        legs.is_picked_up
    from legs
    inner join linked
        on legs.session_id = linked.session_id

),

attempts as (

    select
        session_id,
        contact_id,
        lead_id,
        contact_created_on,
        max(case when leg_no = 1 then direction end) as direction,
        {{ local_date('min(started_at)') }} as started_on,
        {{ local_date('min(case when extension is not null then started_at end)') }}
            as employee_joined_on,
        {{ local_date(add_seconds('min(started_at)', var('lead_match_tolerance_seconds'))) }}
            as lead_known_on
    from linked_legs
    group by 1, 2, 3, 4

),

answered as (

    select
        session_id,
        extension,
        {{ local_date('ended_at') }} as ended_on,
        coalesce(talk_seconds, 0) as talk_seconds
    from linked_legs
    where is_picked_up and ended_at is not null

),

final as (

    select
        session_id as event_id,
        contact_id,
        lead_id,
        lead_known_on,
        case direction when 'in' then 'call_in' else 'call_out' end as touch,
        started_on as happened_on,
        greatest(started_on, contact_created_on) as known_on,
        cast(0 as bigint) as talk_seconds
    from attempts
    union all
    select
        attempts.session_id as event_id,
        attempts.contact_id,
        attempts.lead_id,
        attempts.lead_known_on,
        'conversation' as touch,
        answered.ended_on as happened_on,
        greatest(answered.ended_on, attempts.contact_created_on) as known_on,
        cast(sum(answered.talk_seconds) as bigint) as talk_seconds
    from answered
    inner join attempts
        on answered.session_id = attempts.session_id
    where
        answered.extension is not null
        or coalesce(attempts.employee_joined_on > answered.ended_on, true)
    group by 1, 2, 3, 4, 5, 6, 7

)

select * from final
