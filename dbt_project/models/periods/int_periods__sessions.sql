-- Conversations of a period and what became of the missed ones: one row per grain
-- and period with a conversation.

with sessions as (

    select * from {{ ref('fct_call_sessions') }}

),

grains as (
    {{ period_grains() }}

),

final as (

    select
        grains.period_grain,
        {{ period_start('grains.period_grain', 'sessions.started_on') }} as period_start,
        count(*) as sessions,
        count(*) filter (where sessions.recovery = 'by_agent') as recovered_by_agent,
        count(*) filter (where sessions.recovery = 'by_client') as recovered_by_client,
        count(*) filter (where sessions.recovery = 'lost') as missed_calls_lost
    from sessions
    cross join grains
    group by 1, 2

)

select * from final
