-- How soon the leads created in a period were answered: one row per grain, period
-- and lead owner, and one for the company (manager_id NULL).

{{ config(materialized='tracked_table') }}

with leads as (

    select * from {{ ref('fct_leads') }}

),

grains as (
    {{ period_grains() }}

),

final as (

    select
        grains.period_grain,
        {{ period_start('grains.period_grain', 'leads.created_on') }} as period_start,
        leads.manager_id,
        count(leads.response_seconds) as leads_answered,
        cast(sum(leads.response_seconds) as bigint) as response_seconds,
        {{ ratio(median_of('cast(leads.response_seconds as double)'), 60) }}
            as median_response_minutes,
        count(*) filter (where leads.response_seconds <= {{ prompt_response_seconds() }})
            as leads_answered_in_5min
    from leads
    cross join grains
    group by grouping sets ((1, 2, 3), (1, 2))

)

select * from final
