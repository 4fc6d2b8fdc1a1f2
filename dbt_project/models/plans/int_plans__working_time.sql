-- One row per period that has a quota: its working time, and how much of it has gone
-- by the end of the as-of date.

with quotas as (

    select * from {{ ref('stg_crm__quotas') }}

),

days as (

    select * from {{ ref('int_calendar__days') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

periods as (

    select distinct
        period,
        period_start
    from quotas

),

final as (

    select
        periods.period,
        periods.period_start,
        cast(sum(days.working_seconds) as bigint) as working_seconds,
        cast(coalesce(sum(days.working_seconds) filter (
            where days.date_day <= as_of.as_of_date
        ), 0) as bigint) as elapsed_seconds
    from periods
    cross join as_of
    inner join days
        on
            days.date_day >= periods.period_start
            and days.date_day < {{ next_period_start('periods.period', 'periods.period_start') }}
    group by 1, 2

)

select * from final
