-- How long the deals won in a period took: one row per grain, period and deal owner,
-- and one for the company (manager_id NULL).

{{ config(materialized='tracked_table') }}

with deals as (

    select * from {{ ref('fct_deals') }}

),

grains as (
    {{ period_grains() }}

),

final as (

    select
        grains.period_grain,
        {{ period_start('grains.period_grain', 'deals.closed_on') }} as period_start,
        deals.manager_id,
        {{ median_of('deals.cycle_days') }} as median_cycle_days
    from deals
    cross join grains
    where deals.outcome = 'won'
    group by grouping sets ((1, 2, 3), (1, 2))

)

select * from final
