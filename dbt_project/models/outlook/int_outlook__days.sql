-- One row per day on which deals are looked at: the as-of date, week ends and month ends,
-- and the 1st, 10th and 20th of each month, for the five years before the as-of date.

{{ config(materialized='tracked_table') }}

with days as (

    select * from {{ ref('int_calendar__days') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

looked_at as (

    select
        days.date_day,
        days.date_day = as_of.as_of_date as is_as_of,
        {{ iso_weekday('days.date_day') }} = 7 as is_week_end,
        extract(day from {{ add_days('days.date_day', 1) }}) = 1 as is_month_end,
        extract(day from days.date_day) in (1, 10, 20) as is_forecast_day
    from days
    cross join as_of
    where
        days.date_day <= as_of.as_of_date
        and days.date_day > {{ add_days('as_of.as_of_date', -outlook_days()) }}

),

final as (

    select *
    from looked_at
    where is_as_of or is_week_end or is_month_end or is_forecast_day

)

select * from final
