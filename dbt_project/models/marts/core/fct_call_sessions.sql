-- One row per conversation, however many legs it had.

with sessions as (

    select * from {{ ref('int_calls__sessions') }}

),

session_identity as (

    select * from {{ ref('int_calls__session_identity') }}

),

recovery as (

    select * from {{ ref('int_calls__recovery') }}

),

final as (

    select
        sessions.session_id,
        sessions.direction,
        sessions.customer_number,
        sessions.line,
        sessions.started_at,
        {{ local_date('sessions.started_at') }} as started_on,
        {{ local_hour_start('sessions.started_at') }} as started_hour,
        sessions.ended_at,
        sessions.is_answered,
        sessions.answered_at,
        case
            when sessions.is_answered
                then {{ seconds_between('sessions.started_at', 'sessions.answered_at') }}
            else {{ seconds_between('sessions.started_at', 'sessions.ended_at') }}
        end as wait_seconds,
        coalesce(session_identity.contact_id, 'unknown') as contact_id,
        session_identity.lead_id,
        coalesce(session_identity.source_id, 'unknown') as source_id,
        session_identity.contact_id is not null
        and row_number() over (
            partition by session_identity.contact_id
            order by sessions.started_at, sessions.session_id
        ) = 1 as is_first_contact,
        recovery.recovery,
        recovery.recovered_at,
        {{ seconds_between('sessions.started_at', 'recovery.recovered_at') }} as recovery_seconds
    from sessions
    inner join session_identity
        on sessions.session_id = session_identity.session_id
    left join recovery
        on sessions.session_id = recovery.session_id

)

select * from final
