-- Daily call measures: one row per date, manager and source of the calls' sessions.

{{ config(materialized='touched_keys', meta={
    'key': 'date_day',
    'touched_by': {'fct_calls': 'select session_started_on as date_day from changes'},
}) }}

with calls as (

    select * from {{ ref('fct_calls') }}
    {{ where_touched('session_started_on') }}

),

final as (

    select
        session_started_on as date_day,
        manager_id,
        source_id,
        count(*) as calls,
        count(*) filter (where direction = 'in') as calls_inbound,
        count(*) filter (where direction = 'out') as calls_outbound,
        count(*) filter (where is_answered) as calls_answered,
        count(*) filter (where is_meaningful) as calls_60s,
        cast({{ unbounded_sum('talk_seconds') }} as {{ type_total() }}) as talk_seconds,
        count(*) filter (where direction = 'in' and not is_answered) as calls_missed,
        count(*) filter (where is_first_contact) as first_calls,
        count(*) filter (where contact_id != 'unknown' and not is_first_contact)
            as followup_calls
    from calls
    group by 1, 2, 3

)

select * from final
