-- One row per local day of every year in which something happened, was paid for or was planned.

with calendar_days as (

    select * from {{ ref('int_calendar__days') }}

),

final as (

    select
        date_day,
        {{ iso_weekday('date_day') }} as weekday,
        working_seconds > 0 as is_working_day,
        cast(floor({{ ratio('working_seconds', 60) }}) as bigint) as working_minutes,
        {{ period_start("'week'", 'date_day') }} as week_start,
        {{ period_start("'month'", 'date_day') }} as month_start,
        {{ period_start("'quarter'", 'date_day') }} as quarter_start,
        {{ period_start("'year'", 'date_day') }} as year_start
    from calendar_days

)

select * from final
