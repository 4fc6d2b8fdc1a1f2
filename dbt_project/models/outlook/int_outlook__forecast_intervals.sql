-- One row per forecast point and manager that has an interval: between these shares of what
-- was expected came with a chance of 80 %, by the errors of like forecasts (Student's t
-- over months). The errors of the judged month are left out; a single other month says
-- nothing.

with forecasts as (

    select * from {{ ref('int_outlook__forecasts') }}

),

errors as (

    select * from {{ ref('int_outlook__forecast_errors') }}

),

compared as (

    select
        forecasts.as_of_on,
        forecasts.period_start,
        forecasts.manager_id,
        avg(errors.came_true) as mean_share,
        stddev_samp(errors.came_true) as deviation,
        cast(count(distinct errors.period_start) as double) as months
    from forecasts
    inner join errors
        on
            forecasts.manager_id = errors.manager_id
            and forecasts.months_ahead = errors.months_ahead
            and forecasts.period_start != errors.period_start
    where
        (forecasts.is_as_of or forecasts.manager_id = '*')
        and forecasts.whole_months >= {{ least_whole_months() }}
    group by 1, 2, 3

),

widths as (

    select
        *,
        {{ student_quantile('months - 1') }}
        * deviation * sqrt(1 + {{ ratio('1', 'months') }}) as half_width
    from compared
    where months >= 2

),

final as (

    select
        as_of_on,
        period_start,
        manager_id,
        -- The forecast itself lies within; what is there does not go away.
        greatest(least({{ rounded('mean_share - half_width', 6) }}, 1), 0) as low_share,
        greatest({{ rounded('mean_share + half_width', 6) }}, 1) as high_share
    from widths

)

select * from final
