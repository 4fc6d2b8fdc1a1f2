-- One row per forecast point and manager, and one for the company (`*`), which is there even
-- where nothing is expected: the parts of the forecast and their sum. `actual` is NULL for
-- a month that has not ended.

with points as (

    select * from {{ ref('int_outlook__forecast_points') }}

),

parts as (

    select * from {{ ref('int_outlook__forecast_parts') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

company as (

    select
        points.as_of_on,
        points.period_start,
        '*' as manager_id,
        coalesce(sum(parts.paid_so_far), 0) as paid_so_far,
        coalesce(sum(parts.actual), 0) as actual,
        case
            when not coalesce(bool_or(parts.is_open_unknown), false)
                then coalesce(sum(parts.expected_open), 0)
        end as expected_open,
        coalesce(sum(parts.expected_won_unpaid), 0) as expected_won_unpaid,
        coalesce(sum(parts.expected_new), 0) as expected_new,
        coalesce(sum(parts.expected_repeat), 0) as expected_repeat
    from points
    left join parts
        on {{ same_cell('points', 'parts', ['as_of_on', 'period_start']) }}
    group by 1, 2, 3

),

summed as (

    select
        as_of_on, period_start, manager_id, paid_so_far, actual,
        expected_open, expected_won_unpaid, expected_new, expected_repeat
    from parts
    union all
    select
        as_of_on, period_start, manager_id, paid_so_far, actual,
        expected_open, expected_won_unpaid, expected_new, expected_repeat
    from company

),

final as (

    select
        points.is_as_of,
        points.months_ahead,
        points.whole_months,
        summed.as_of_on,
        summed.period_start,
        summed.manager_id,
        cast(summed.paid_so_far as {{ type_money() }}) as paid_so_far,
        cast(summed.expected_open as {{ type_money() }}) as expected_open,
        cast(summed.expected_won_unpaid as {{ type_money() }}) as expected_won_unpaid,
        cast(summed.expected_new as {{ type_money() }}) as expected_new,
        cast(summed.expected_repeat as {{ type_money() }}) as expected_repeat,
        cast(
            summed.paid_so_far + summed.expected_open + summed.expected_won_unpaid
            + summed.expected_new + summed.expected_repeat
        as {{ type_money() }}) as forecast,
        case
            when {{ next_period_start("'month'", 'summed.period_start') }}
                <= {{ add_days('as_of.as_of_date', 1) }}
                then cast(summed.actual as {{ type_money() }})
        end as actual
    from summed
    inner join points
        on
            summed.as_of_on = points.as_of_on
            and summed.period_start = points.period_start
    cross join as_of

)

select * from final
