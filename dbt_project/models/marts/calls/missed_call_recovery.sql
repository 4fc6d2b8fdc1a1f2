-- What became of missed inbound calls: one row per local day, hour and source.

with sessions as (

    select * from {{ ref('fct_call_sessions') }}

),

sources as (

    select * from {{ ref('dim_source') }}

),

cells as (

    select
        started_on as date_day,
        {{ local_hour('started_at') }} as hour_of_day,
        source_id,
        count(*) as missed_calls,
        count(*) filter (where recovery = 'by_agent') as recovered_by_agent,
        count(*) filter (where recovery = 'by_client') as recovered_by_client,
        count(*) filter (where recovery = 'lost') as missed_calls_lost,
        count(*) filter (where recovery = 'lost' and customer_number is null)
            as missed_calls_lost_unnumbered,
        count(*) filter (where recovery = 'open') as missed_calls_open,
        cast(coalesce(sum(recovery_seconds), 0) as bigint) as recovery_seconds
    from sessions
    where recovery is not null
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
        cells.missed_calls,
        cells.recovered_by_agent,
        cells.recovered_by_client,
        cells.missed_calls_lost,
        cells.missed_calls_lost_unnumbered,
        cells.missed_calls_open,
        cells.recovery_seconds,
        {{ figure('missed_recovery_rate', 'cells') }} as missed_recovery_rate,
        {{ figure('avg_recovery_minutes', 'cells') }} as avg_recovery_minutes
    from cells
    inner join sources
        on cells.source_id = sources.source_id

)

select * from final
