-- One row per day on which a forecast would have been made and month that has ended since:
-- the company's forecast of then, and what came.

with forecasts as (

    select * from {{ ref('int_outlook__forecasts') }}

),

intervals as (

    select * from {{ ref('int_outlook__forecast_intervals') }}

),

bounded as (

    select
        forecasts.as_of_on,
        forecasts.period_start,
        cast(forecasts.months_ahead as integer) as months_ahead,
        forecasts.forecast,
        forecasts.actual,
        forecasts.paid_so_far,
        cast(forecasts.actual - forecasts.forecast as {{ type_money() }}) as error,
        {{ bounded_forecast('least', 'forecasts', 'intervals') }} as forecast_low,
        {{ bounded_forecast('greatest', 'forecasts', 'intervals') }} as forecast_high
    from forecasts
    left join intervals
        on {{ same_cell('forecasts', 'intervals', ['as_of_on', 'period_start', 'manager_id']) }}
    where
        forecasts.manager_id = '*'
        and forecasts.actual is not null
        and forecasts.forecast is not null
        and not forecasts.is_as_of

),

final as (

    select
        *,
        actual between forecast_low and forecast_high as is_inside
    from bounded

)

select * from final
