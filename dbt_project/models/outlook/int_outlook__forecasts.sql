-- One row per forecast point and manager, and one for the company (`*`): the parts of the
-- forecast and their sum. Money that came later than the forecast's day is in `actual`
-- alone, which is NULL for a month that has not ended.

with points as (

    select * from {{ ref('int_outlook__forecast_points') }}

),

payments as (

    select * from {{ ref('fct_payments') }}

),

expected as (

    select * from {{ ref('int_outlook__expected_payments') }}

),

new_business as (

    select * from {{ ref('int_outlook__new_business') }}

),

quotas as (

    select * from {{ ref('quota_attainment') }}
    where metric = 'revenue' and period = 'month'

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

paid as (

    select
        points.as_of_on,
        points.period_start,
        payments.manager_id,
        coalesce(sum(case when payments.paid_on <= points.as_of_on then payments.amount end), 0)
            as paid_so_far,
        sum(payments.amount) as actual
    from points
    inner join payments
        on points.period_start = {{ period_start("'month'", 'payments.paid_on') }}
    group by 1, 2, 3

),

parts as (

    select
        as_of_on, period_start, manager_id,
        paid_so_far, actual,
        0 as expected_open, 0 as expected_won_unpaid, 0 as expected_new, 0 as expected_repeat,
        false as is_open_unknown
    from paid
    union all
    select
        as_of_on, period_start, manager_id,
        0 as paid_so_far, 0 as actual,
        expected_open, expected_won_unpaid, 0 as expected_new, 0 as expected_repeat,
        expected_open is null as is_open_unknown
    from expected
    union all
    select
        as_of_on, period_start, manager_id,
        0 as paid_so_far, 0 as actual,
        0 as expected_open, 0 as expected_won_unpaid, expected_new, expected_repeat,
        false as is_open_unknown
    from new_business
    union all
    select
        as_of_on, period_start, '*' as manager_id,
        0 as paid_so_far, 0 as actual,
        0 as expected_open, 0 as expected_won_unpaid, 0 as expected_new, 0 as expected_repeat,
        false as is_open_unknown
    from points
    union all
    select
        points.as_of_on, points.period_start, quotas.manager_id,
        0 as paid_so_far, 0 as actual,
        0 as expected_open, 0 as expected_won_unpaid, 0 as expected_new, 0 as expected_repeat,
        false as is_open_unknown
    from points
    inner join quotas
        on points.period_start = quotas.period_start

),

with_company as (

    select * from parts
    union all
    select
        as_of_on, period_start, '*' as manager_id,
        paid_so_far, actual,
        expected_open, expected_won_unpaid, expected_new, expected_repeat,
        is_open_unknown
    from parts

),

summed as (

    select
        as_of_on,
        period_start,
        manager_id,
        sum(paid_so_far) as paid_so_far,
        sum(actual) as actual,
        case when not bool_or(is_open_unknown) then sum(expected_open) end as expected_open,
        sum(expected_won_unpaid) as expected_won_unpaid,
        sum(expected_new) as expected_new,
        sum(expected_repeat) as expected_repeat
    from with_company
    group by 1, 2, 3

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
