-- One row per conversation and employee who took part in it.

with parts as (

    select * from {{ ref('int_calls__parts') }}

),

sessions as (

    select * from {{ ref('int_calls__sessions') }}

),

session_identity as (

    select * from {{ ref('int_calls__session_identity') }}

),

final as (

    select
        parts.session_id,
        parts.manager_id,
        parts.call_id,
        sessions.direction,
        coalesce(session_identity.contact_id, 'unknown') as contact_id,
        session_identity.lead_id,
        coalesce(session_identity.source_id, 'unknown') as source_id,
        parts.started_at,
        {{ local_date('sessions.started_at') }} as session_started_on,
        parts.is_answered,
        parts.is_answered
        and parts.talk_seconds >= {{ var('meaningful_call_seconds') }} as is_meaningful,
        parts.talk_seconds
    from parts
    inner join sessions
        on parts.session_id = sessions.session_id
    inner join session_identity
        on parts.session_id = session_identity.session_id

)

select * from final
