-- One row per grain and period that has begun by the as-of date: its last day, or the
-- as-of date where the period still runs.

with days as (

    select * from {{ ref('int_calendar__days') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

grains as (
    {{ period_grains() }}

),

final as (

    select
        grains.period_grain,
        {{ period_start('grains.period_grain', 'days.date_day') }} as period_start,
        max(days.date_day) as snapshot_on
    from days
    cross join as_of
    cross join grains
    where days.date_day <= as_of.as_of_date
    group by 1, 2

)

select * from final
