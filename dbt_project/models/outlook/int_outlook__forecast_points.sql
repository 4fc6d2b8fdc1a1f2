-- One row per day on which a forecast is made and month that it is made for: the running
-- one and the two after it. `elapsed_seconds` is the working time of the running month
-- up to the end of the day; `whole_months` are those of the last six before it that the
-- history covers.

with days as (

    select * from {{ ref('int_outlook__days') }}

),

calendar as (

    select * from {{ ref('int_calendar__days') }}

),

events as (

    select * from {{ ref('int_events__dated') }}

),

-- The first month that is whole: the first event lies before it, or on its first day.
history as (

    select
        min(first_on) as first_on,
        {{ period_start("'month'", next_period_start(
        "'month'", period_start("'month'", add_days('min(first_on)', -1))
    )) }} as first_month
    from events

),

points as (

    select
        days.date_day as as_of_on,
        days.is_as_of,
        {{ period_start("'month'", 'days.date_day') }} as month_start,
        today.working_seconds_before + today.working_seconds - first_days.working_seconds_before
            as elapsed_seconds,
        history.first_month,
        least(
            {{ months_between('history.first_month', period_start("'month'", 'days.date_day')) }}, 6
        ) as whole_months
    from days
    cross join history
    inner join calendar as today
        on days.date_day = today.date_day
    inner join calendar as first_days
        on {{ period_start("'month'", 'days.date_day') }} = first_days.date_day
    where
        (days.is_forecast_day or days.is_as_of)
        and days.date_day >= history.first_on

),

final as (

    select
        as_of_on, is_as_of, month_start, elapsed_seconds, first_month, whole_months,
        0 as months_ahead,
        month_start as period_start
    from points
    union all
    select
        as_of_on, is_as_of, month_start, elapsed_seconds, first_month, whole_months,
        1 as months_ahead,
        {{ next_period_start("'month'", 'month_start') }} as period_start
    from points
    union all
    select
        as_of_on, is_as_of, month_start, elapsed_seconds, first_month, whole_months,
        2 as months_ahead,
        {{ next_period_start("'month'", next_period_start("'month'", 'month_start')) }}
            as period_start
    from points

)

select * from final
