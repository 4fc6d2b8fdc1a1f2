-- All daily measures summed by period: one row per grain, period, manager and source.

with daily_measures as (

    select * from {{ ref('int_measures__daily') }}

),

grains as (
    {{ period_grains() }}

),

final as (

    select
        grains.period_grain,
        {{ period_start('grains.period_grain', 'daily_measures.date_day') }} as period_start,
        daily_measures.manager_id,
        daily_measures.source_id,
        {{- summed_measures() }}
    from daily_measures
    cross join grains
    group by 1, 2, 3, 4

)

select * from final
