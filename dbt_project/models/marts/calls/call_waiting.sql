-- How long people wait for an answer: one row per local day, hour and source with an
-- inbound conversation.

with sessions as (

    select * from {{ ref('fct_call_sessions') }}

),

sources as (

    select * from {{ ref('dim_source') }}

),

inbound as (

    select
        *,
        case when is_answered then wait_seconds end as answer_wait,
        case when not is_answered then wait_seconds end as missed_wait
    from sessions
    where direction = 'in'

),

cells as (

    select
        started_on as date_day,
        {{ local_hour('started_at') }} as hour_of_day,
        source_id,
        count(*) as sessions_inbound,
        count(answer_wait) as answer_waits,
        cast(coalesce(sum(answer_wait), 0) as {{ type_total() }}) as answer_wait_seconds,
        count(missed_wait) as missed_waits,
        cast(coalesce(sum(missed_wait), 0) as {{ type_total() }}) as missed_wait_seconds
    from inbound
    group by 1, 2, 3

),

final as (

    select
        cells.date_day,
        {{ iso_weekday('cells.date_day') }} as weekday,
        cells.hour_of_day,
        cells.source_id,
        sources.source_name,
        sources.channel,
        cells.sessions_inbound,
        cells.answer_waits,
        cells.answer_wait_seconds,
        cells.missed_waits,
        cells.missed_wait_seconds,
        {{ figure('avg_answer_wait_seconds', 'cells') }} as avg_answer_wait_seconds,
        {{ figure('avg_missed_wait_seconds', 'cells') }} as avg_missed_wait_seconds
    from cells
    inner join sources
        on cells.source_id = sources.source_id

)

select * from final
