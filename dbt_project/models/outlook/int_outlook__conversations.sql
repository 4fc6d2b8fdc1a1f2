-- One row per conversation with a known contact, and one more for each day on which an
-- answered leg of it ended: what happened, on which day, and on which day it is known.
-- A leg without an extension is a conversation only where no employee had joined by
-- the day on which it ended; a leg without an end is not known to be one.

with legs as (

    select * from {{ ref('int_calls__legs') }}

),

session_identity as (

    select * from {{ ref('int_calls__session_identity') }}

),

contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

identified as (

    select
        legs.*,
        session_identity.contact_id,
        session_identity.lead_id,
        {{ local_date('contacts.created_at') }} as contact_created_on,
        {{ local_date('legs.started_at') }} as started_on,
        {{ local_date('legs.ended_at') }} as ended_on,
        {{ local_date('min(case when legs.extension is not null then legs.started_at end)'
            ' over (partition by legs.session_id)') }} as employee_joined_on,
        {{ local_date(add_seconds('min(legs.started_at) over (partition by legs.session_id)',
            var('lead_match_tolerance_seconds'))) }} as lead_known_on
    from legs
    inner join session_identity
        on legs.session_id = session_identity.session_id
    inner join contacts
        on session_identity.contact_id = contacts.contact_id

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
    from identified
    where leg_no = 1
    union all
    select
        session_id as event_id,
        contact_id,
        lead_id,
        lead_known_on,
        'conversation' as touch,
        ended_on as happened_on,
        greatest(ended_on, contact_created_on) as known_on,
        cast(sum(coalesce(talk_seconds, 0)) as bigint) as talk_seconds
    from identified
    where
        is_picked_up
        and ended_on is not null
        and (
            extension is not null
            or coalesce(employee_joined_on > ended_on, true)
        )
    group by session_id, contact_id, lead_id, lead_known_on, ended_on, contact_created_on

)

select * from final
