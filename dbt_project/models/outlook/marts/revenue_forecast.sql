-- One row per month, the running one and the two after it, and manager: what will have
-- come in by its end. The company is the manager `*`.

with forecasts as (

    select * from {{ ref('int_outlook__forecasts') }}
    where is_as_of

),

intervals as (

    select * from {{ ref('int_outlook__forecast_intervals') }}

),

quotas as (

    select * from {{ ref('quota_attainment') }}
    where metric = 'revenue' and period = 'month'

),

managers as (

    select * from {{ ref('dim_manager') }}

),

targets as (

    select
        period_start,
        manager_id,
        cast(target as {{ type_money() }}) as target
    from quotas
    union all
    select
        period_start,
        '*' as manager_id,
        cast(sum(target) as {{ type_money() }}) as target
    from quotas
    group by 1

),

bounded as (

    select
        forecasts.period_start,
        forecasts.manager_id,
        forecasts.paid_so_far,
        forecasts.expected_open,
        forecasts.expected_won_unpaid,
        forecasts.expected_new,
        forecasts.expected_repeat,
        forecasts.forecast,
        {{ bounded_forecast('least', 'forecasts', 'intervals') }} as forecast_low,
        {{ bounded_forecast('greatest', 'forecasts', 'intervals') }} as forecast_high,
        targets.target
    from forecasts
    left join intervals
        on
            {{ same_cell('forecasts', 'intervals', ['as_of_on', 'period_start', 'manager_id']) }}
    left join targets
        on {{ same_cell('forecasts', 'targets', ['period_start', 'manager_id']) }}

),

final as (

    select
        bounded.period_start,
        bounded.manager_id,
        coalesce(managers.manager_name, bounded.manager_id) as manager_name,
        managers.team,
        bounded.paid_so_far,
        bounded.expected_open,
        bounded.expected_won_unpaid,
        bounded.expected_new,
        bounded.expected_repeat,
        bounded.forecast,
        bounded.forecast_low,
        bounded.forecast_high,
        bounded.target,
        {{ ratio('bounded.forecast', 'bounded.target') }} as attainment_forecast
    from bounded
    left join managers
        on bounded.manager_id = managers.manager_id

)

select * from final
