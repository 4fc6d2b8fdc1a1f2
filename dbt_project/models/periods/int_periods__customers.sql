-- Customers of a period that has begun by the as-of date: active on the day before
-- it and on its last day (the as-of date where it still runs), and those who left.

with snapshot_days as (

    select * from {{ ref('int_calendar__snapshot_days') }}

),

customer_base as (

    select * from {{ ref('fct_customer_base') }}

),

active_daily as (

    select
        date_day,
        cast(sum(active_customers) as bigint) as active_customers
    from customer_base
    group by 1

),

churn as (

    select * from {{ ref('fct_customer_churn') }}

),

churned as (

    select
        period_grain,
        period_start,
        count(*) as churned_customers
    from churn
    group by 1, 2

),

final as (

    select
        snapshot_days.period_grain,
        snapshot_days.period_start,
        coalesce(last_days.active_customers, 0) as active_customers,
        coalesce(days_before.active_customers, 0) as active_customers_before,
        coalesce(churned.churned_customers, 0) as churned_customers
    from snapshot_days
    left join active_daily as last_days
        on snapshot_days.snapshot_on = last_days.date_day
    left join active_daily as days_before
        on {{ add_days('snapshot_days.period_start', -1) }} = days_before.date_day
    left join churned
        on
            snapshot_days.period_grain = churned.period_grain
            and snapshot_days.period_start = churned.period_start

)

select * from final
