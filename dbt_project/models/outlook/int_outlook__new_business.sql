-- One row per forecast point and manager: what deals that are not there yet are expected to
-- bring. For each of the last six whole months: what it brought from deals that were
-- created after the same working minute of the month that lay as far before it as the
-- forecast's month lies ahead. 0 where there are fewer than three whole months.

with points as (

    select * from {{ ref('int_outlook__forecast_points') }}

),

payments as (

    select * from {{ ref('fct_payments') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

calendar as (

    select * from {{ ref('int_calendar__days') }}

),

paid as (

    select
        {{ period_start("'month'", 'payments.paid_on') }} as month_start,
        payments.manager_id,
        {{ period_start("'month'", 'deals.created_on') }} as created_month,
        created.working_seconds_before - first_days.working_seconds_before
        + floor({{ ratio(
            opened_microseconds('deals.created_at', 'created'), microseconds_per_second()
        ) }}) as created_after_seconds,
        coalesce(deals.deal_type, 'new') = 'new' as is_new,
        payments.amount
    from payments
    inner join deals
        on payments.deal_id = deals.deal_id
    inner join calendar as created
        on deals.created_on = created.date_day
    inner join calendar as first_days
        on {{ period_start("'month'", 'deals.created_on') }} = first_days.date_day

),

final as (

    select
        points.as_of_on,
        points.period_start,
        paid.manager_id,
        cast({{ rounded(ratio(
            'sum(case when paid.is_new then paid.amount else 0 end)', 'max(points.whole_months)'
        ), 2) }} as {{ type_money() }}) as expected_new,
        cast({{ rounded(ratio(
            'sum(case when not paid.is_new then paid.amount else 0 end)', 'max(points.whole_months)'
        ), 2) }} as {{ type_money() }}) as expected_repeat
    from points
    inner join paid
        on
            points.month_start > paid.month_start
            and points.first_month <= paid.month_start
            and {{ months_between('paid.month_start', 'points.month_start') }} <= 6
    where
        points.whole_months >= {{ least_whole_months() }}
        and (
            {{ months_between('paid.created_month', 'paid.month_start') }} < points.months_ahead
            or (
                {{ months_between('paid.created_month', 'paid.month_start') }}
                = points.months_ahead
                and paid.created_after_seconds > points.elapsed_seconds
            )
        )
    group by 1, 2, 3

)

select * from final
