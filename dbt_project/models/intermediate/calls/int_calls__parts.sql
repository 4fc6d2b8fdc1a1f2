-- One row per conversation and employee who took part in it: the employees with
-- answered legs (all unknown ones together), or, where nobody answered, whoever the
-- first leg with an extension rang, else the first leg.

{{ config(materialized='touched_keys', meta={
    'key': 'session_id',
    'partition_month': 'started_at',
    'touched_by': {
        'int_calls__legs': 'select session_id from changes',
        'int_calls__sessions': 'select session_id from changes',
    },
}) }}

-- Read twice: a copy would cost more.
with legs as {{ not_materialized_if_whole() }} (

    select * from {{ ref('int_calls__legs') }}
    {{ where_touched('session_id') }}

),

sessions as (

    select * from {{ ref('int_calls__sessions') }}
    {{ where_touched('session_id') }}

),

answered_parts as (

    select
        session_id,
        coalesce(manager_id, 'unknown') as manager_id,
        min(started_at) as started_at,
        min_by(call_id, leg_no) as call_id,
        min_by(recording_url, leg_no)
            filter (where recording_url is not null) as recording_url,
        -- Ends at the greatest BIGINT: with a wider type all sums of talk take four times as long.
        cast(least({{ unbounded_sum(
            'coalesce(talk_seconds, ' ~ seconds_between('answered_at', 'ended_at') ~ ', 0)'
        ) }}, 9223372036854775807) as bigint) as talk_seconds
    from legs
    where is_answered
    group by 1, 2

),

missed_parts as (

    select
        legs.session_id,
        coalesce(legs.manager_id, 'unknown') as manager_id,
        legs.started_at,
        legs.call_id,
        legs.recording_url,
        0 as talk_seconds
    from legs
    inner join sessions
        on legs.session_id = sessions.session_id
    where not sessions.is_answered
    qualify row_number() over (
        partition by legs.session_id
        order by legs.extension is null, legs.leg_no
    ) = 1

),

final as (

    select *, true as is_answered from answered_parts
    union all
    select *, false as is_answered from missed_parts

)

select * from final
