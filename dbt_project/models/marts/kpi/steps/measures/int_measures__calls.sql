-- Daily call measures: one row per date, manager and source of the calls' sessions.

with calls as (

    select * from {{ ref('fct_calls') }}

),

sessions as (

    select * from {{ ref('fct_call_sessions') }}

),

final as (

    select
        sessions.started_on as date_day,
        calls.manager_id,
        calls.source_id,
        count(*) as calls,
        count(*) filter (where calls.direction = 'in') as calls_inbound,
        count(*) filter (where calls.direction = 'out') as calls_outbound,
        count(*) filter (where calls.is_answered) as calls_answered,
        count(*) filter (where calls.is_meaningful) as calls_60s,
        cast(sum(calls.talk_seconds) as bigint) as talk_seconds,
        count(*) filter (
            where calls.direction = 'in' and not sessions.is_answered
        ) as calls_missed,
        count(*) filter (where sessions.is_first_contact) as first_calls,
        count(*) filter (
            where calls.contact_id != 'unknown' and not sessions.is_first_contact
        ) as followup_calls
    from calls
    inner join sessions
        on calls.session_id = sessions.session_id
    group by 1, 2, 3

)

select * from final
