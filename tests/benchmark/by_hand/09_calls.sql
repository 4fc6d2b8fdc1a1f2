-- Who talked, and of sessions that nobody answered whoever the first leg rang.
create table fct_calls as
with bare_sessions as (

    select session_id from sessions where is_answered and not has_extension

),

missed_sessions as (

    select session_id from sessions where not is_answered

),

parts as (

    select session_id, manager_id, true as is_answered, sum(talk_seconds) as talk_seconds
    from legs
    where is_answered and has_extension
    group by session_id, manager_id

    union all

    select session_id, 'unknown' as manager_id, true, sum(talk_seconds)
    from legs
    where is_answered and session_id in (from bare_sessions)
    group by session_id

    union all

    select
        session_id,
        arg_min(manager_id, {'bare': not has_extension, 'at': started_at, 'id': call_id}),
        false,
        0
    from legs
    where session_id in (from missed_sessions)
    group by session_id

)

select
    parts.*,
    sessions.direction,
    sessions.contact_id,
    sessions.source_id,
    sessions.started_on,
    sessions.is_first_contact
from parts
inner join fct_call_sessions as sessions on parts.session_id = sessions.session_id;

create table fct_call_evaluations as
with current_evaluations as (

    select *
    from read_parquet(getvariable('raw') || '/telephony/call_evaluations/*.parquet')
    where score between 0 and 100
    qualify row_number() over (partition by call_id order by _loaded_at desc) = 1

)

select
    coalesce(legs.manager_id, 'unknown') as manager_id,
    coalesce(sessions.source_id, 'unknown') as source_id,
    coalesce(sessions.started_on, local_date(evaluations.evaluated_at)) as credited_on,
    evaluations.score,
    evaluations.needs_found,
    evaluations.presentation_made,
    evaluations.objections_handled,
    evaluations.next_step_agreed
from current_evaluations as evaluations
left join legs on evaluations.call_id = legs.call_id
left join fct_call_sessions as sessions on legs.session_id = sessions.session_id;
