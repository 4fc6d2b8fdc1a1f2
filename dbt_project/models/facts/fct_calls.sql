-- One row per conversation and employee who took part in it.

{{ config(materialized='touched_keys', meta={
    'key': 'session_id',
    'touched_by': {
        'int_calls__parts': 'select session_id from changes',
        'fct_call_sessions': 'select session_id from changes',
        'dim_manager': rows_of_members('this', ['session_id'], 'manager_id'),
    },
}) }}

with parts as (

    select * from {{ ref('int_calls__parts') }}
    {{ where_touched('session_id') }}

),

sessions as (

    select * from {{ ref('fct_call_sessions') }}
    {{ where_touched('session_id') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

keyed as (

    select
        parts.session_id,
        parts.manager_id,
        parts.call_id,
        sessions.direction,
        sessions.contact_id,
        sessions.lead_id,
        sessions.source_id,
        sessions.source_name,
        parts.started_at,
        sessions.started_on as session_started_on,
        sessions.started_hour as session_started_hour,
        sessions.is_first_contact,
        parts.is_answered,
        parts.is_answered
        and parts.talk_seconds >= {{ var('meaningful_call_seconds') }} as is_meaningful,
        parts.talk_seconds,
        parts.recording_url
    from parts
    inner join sessions
        on parts.session_id = sessions.session_id

),

final as (

    select
        keyed.*,
        manager_names.manager_name,
        manager_names.team
    from keyed
    left join manager_names
        on keyed.manager_id = manager_names.manager_id

)

select * from final
