-- How soon leads are answered: one row per month, weekday and hour of the lead's
-- creation, lead owner and source.

with leads as (

    select * from {{ ref('fct_leads') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

sources as (

    select * from {{ ref('dim_source') }}

),

cells as (

    select
        {{ period_start("'month'", 'created_on') }} as month_start,
        {{ iso_weekday('created_on') }} as weekday,
        {{ local_hour('created_at') }} as hour_of_day,
        manager_id,
        source_id,
        count(*) as leads_created,
        count(response_seconds) as leads_answered,
        count(*) filter (where response_seconds <= {{ prompt_response_seconds() }})
            as leads_answered_in_5min,
        cast(coalesce(sum(response_seconds), 0) as bigint) as response_seconds,
        cast(coalesce(sum(response_working_seconds), 0) as bigint) as response_working_seconds,
        {{ ratio(median_of('cast(response_seconds as double)'), 60) }} as median_response_minutes,
        {{ ratio(median_of('cast(response_working_seconds as double)'), 60) }}
            as median_response_working_minutes
    from leads
    group by 1, 2, 3, 4, 5

),

final as (

    select
        cells.month_start,
        cells.weekday,
        cells.hour_of_day,
        cells.manager_id,
        managers.manager_name,
        managers.team,
        cells.source_id,
        sources.source_name,
        sources.channel,
        cells.leads_created,
        cells.leads_answered,
        cells.leads_answered_in_5min,
        cells.response_seconds,
        cells.response_working_seconds,
        {{ figure('answered_rate', 'cells') }} as answered_rate,
        {{ figure('responded_in_5min_rate', 'cells') }} as responded_in_5min_rate,
        {{ figure('avg_response_minutes', 'cells') }} as avg_response_minutes,
        {{ figure('avg_response_working_minutes', 'cells') }} as avg_response_working_minutes,
        cells.median_response_minutes,
        cells.median_response_working_minutes
    from cells
    inner join managers
        on cells.manager_id = managers.manager_id
    inner join sources
        on cells.source_id = sources.source_id

)

select * from final
