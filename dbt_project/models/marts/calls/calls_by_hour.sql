-- When people talk: one row per local day, hour and manager with a call.

{% set key = ['date_day', 'hour_of_day', 'manager_id'] %}
{{ config(materialized='touched_keys', meta={
    'key': key,
    'touched_by': {
        'fct_calls': 'select session_started_on as date_day,'
            ~ ' hour(session_started_hour) as hour_of_day, manager_id from changes',
        'dim_manager': rows_of_members('this', key, 'manager_id'),
    },
}) }}

with calls as (

    select * from {{ ref('fct_calls') }}
    {{ where_touched('session_started_on, hour(session_started_hour), manager_id') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

cells as (

    select
        session_started_on as date_day,
        cast(hour(session_started_hour) as bigint) as hour_of_day,
        manager_id,
        count(*) as calls,
        count(*) filter (where is_answered) as calls_answered,
        count(*) filter (where direction = 'in' and not is_answered) as calls_missed,
        cast({{ unbounded_sum('talk_seconds') }} as {{ type_total() }}) as talk_seconds
    from calls
    group by 1, 2, 3

),

final as (

    select
        cells.date_day,
        {{ iso_weekday('cells.date_day') }} as weekday,
        cells.hour_of_day,
        cells.manager_id,
        managers.manager_name,
        managers.team,
        cells.calls,
        cells.calls_answered,
        cells.calls_missed,
        cells.talk_seconds,
        {{ figure('answer_rate', 'cells') }} as answer_rate
    from cells
    inner join managers
        on cells.manager_id = managers.manager_id

)

select * from final
