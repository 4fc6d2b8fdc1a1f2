-- One row per forecast that can be judged: how much of what it expected beyond the money
-- that was there came indeed. 1 is a forecast that came true.

with forecasts as (

    select * from {{ ref('int_outlook__forecasts') }}

),

final as (

    select
        months_ahead,
        as_of_on,
        period_start,
        manager_id,
        {{ ratio('actual - paid_so_far', 'forecast - paid_so_far') }} as came_true
    from forecasts
    where
        actual is not null
        and whole_months >= {{ least_whole_months() }}
        and forecast > paid_so_far
        and as_of_on < {{ next_period_start("'month'", 'period_start') }}

)

select * from final
