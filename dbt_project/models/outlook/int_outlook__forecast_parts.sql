-- One row per forecast point and manager with money, an expectation or a quota: the parts of
-- the forecast. Money that came later than the forecast's day is in `actual` alone.

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
        points.as_of_on, points.period_start, quotas.manager_id,
        0 as paid_so_far, 0 as actual,
        0 as expected_open, 0 as expected_won_unpaid, 0 as expected_new, 0 as expected_repeat,
        false as is_open_unknown
    from points
    inner join quotas
        on points.period_start = quotas.period_start

),

final as (

    select
        as_of_on,
        period_start,
        manager_id,
        sum(paid_so_far) as paid_so_far,
        sum(actual) as actual,
        case when not bool_or(is_open_unknown) then sum(expected_open) end as expected_open,
        bool_or(is_open_unknown) as is_open_unknown,
        sum(expected_won_unpaid) as expected_won_unpaid,
        sum(expected_new) as expected_new,
        sum(expected_repeat) as expected_repeat
    from parts
    group by 1, 2, 3

)

select * from final
