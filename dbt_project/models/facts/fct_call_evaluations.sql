-- One row per existing evaluation of a call: credited to the evaluated leg's
-- manager, the source of its conversation, on the date it began. Of an internal or
-- unknown call: nobody, on the date of the evaluation.

{{ config(materialized='touched_keys', meta={
    'key': 'call_id',
    'touched_by': {
        'stg_telephony__call_evaluations': 'select call_id from changes',
        'stg_telephony__calls': 'select call_id from changes',
        'int_calls__legs': 'select call_id from changes',
        'int_calls__sessions': 'select call_id from this semi join changes using (session_id)',
        'int_calls__session_identity': 'select call_id from this semi join changes using (session_id)',
        'dim_manager': rows_of_members('this', ['call_id'], 'manager_id'),
        'dim_source': rows_of_members('this', ['call_id'], 'source_id'),
    },
}) }}

with evaluations as (

    select * from {{ ref('stg_telephony__call_evaluations') }}
    {{ where_touched('call_id') }}

),

calls as (

    select * from {{ ref('stg_telephony__calls') }}
    {{ where_touched('call_id') }}

),

legs as (

    select * from {{ ref('int_calls__legs') }}
    {{ where_touched('call_id') }}

),

sessions as (

    select * from {{ ref('int_calls__sessions') }}

),

session_identity as (

    select * from {{ ref('int_calls__session_identity') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

keyed as (

    select
        evaluations.call_id,
        sessions.session_id,
        coalesce(legs.manager_id, 'unknown') as manager_id,
        coalesce(session_identity.source_id, 'unknown') as source_id,
        evaluations.evaluator,
        evaluations.score,
        evaluations.needs_found,
        evaluations.presentation_made,
        evaluations.objections_handled,
        evaluations.next_step_agreed,
        calls.recording_url,
        evaluations.evaluated_at,
        {{ local_date('coalesce(sessions.started_at, evaluations.evaluated_at)') }} as credited_on
    from evaluations
    left join calls
        on evaluations.call_id = calls.call_id
    left join legs
        on evaluations.call_id = legs.call_id
    left join sessions
        on legs.session_id = sessions.session_id
    left join session_identity
        on sessions.session_id = session_identity.session_id

),

final as (

    select
        keyed.*,
        manager_names.manager_name,
        manager_names.team,
        source_names.source_name
    from keyed
    left join manager_names
        on keyed.manager_id = manager_names.manager_id
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
