-- One row per conversation, however many legs it had.

{{ config(materialized='touched_keys', meta={
    'key': 'session_id',
    'touched_by': {
        'int_calls__sessions': 'select session_id from changes',
        'int_calls__session_identity': 'select session_id from changes',
        'int_calls__recovery': 'select session_id from changes',
        'int_contacts__first_session': 'select session_id from changes',
        'dim_source': rows_of_members('this', ['session_id'], 'source_id'),
    },
}) }}

with sessions as (

    select * from {{ ref('int_calls__sessions') }}
    {{ where_touched('session_id') }}

),

session_identity as (

    select * from {{ ref('int_calls__session_identity') }}
    {{ where_touched('session_id') }}

),

first_sessions as (

    select * from {{ ref('int_contacts__first_session') }}

),

recovery as (

    select * from {{ ref('int_calls__recovery') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

keyed as (

    select
        sessions.session_id,
        sessions.direction,
        sessions.customer_number,
        sessions.line,
        sessions.queue,
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
        first_sessions.session_id is not null as is_first_contact,
        recovery.recovery,
        recovery.recovered_at,
        {{ seconds_between('sessions.started_at', 'recovery.recovered_at') }} as recovery_seconds
    from sessions
    inner join session_identity
        on sessions.session_id = session_identity.session_id
    left join first_sessions
        on sessions.session_id = first_sessions.session_id
    left join recovery
        on sessions.session_id = recovery.session_id

),

final as (

    select
        keyed.*,
        source_names.source_name
    from keyed
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
