-- One row per grain and period that the company has. Dense: every period from the
-- first date of kpi_daily, advertising or sales costs to the as-of date; later ones
-- only where something is not 0.

with daily_measures as (

    select * from {{ ref('int_measures__daily') }}

),

ad_spend as (

    select * from {{ ref('fct_ad_spend') }}

),

sales_costs as (

    select * from {{ ref('fct_sales_costs') }}

),

snapshot_days as (

    select * from {{ ref('int_calendar__snapshot_days') }}

),

measures as (

    select * from {{ ref('int_measures__periods') }}

),

costs as (

    select * from {{ ref('int_periods__costs') }}

),

sessions as (

    select * from {{ ref('int_periods__sessions') }}

),

first_dates as (

    select min(date_day) as first_on
    from daily_measures
    where {{ any_not_zero(stored_measures()) }}
    union all
    select min(spend_date) as first_on from ad_spend
    union all
    select min(month) as first_on from sales_costs

),

first_date as (

    select min(first_on) as first_on from first_dates

),

dense as (

    select
        snapshot_days.period_grain,
        snapshot_days.period_start
    from snapshot_days
    cross join first_date
    where snapshot_days.snapshot_on >= first_date.first_on

),

totals as (

    select
        period_grain,
        period_start,
        {{- summed_measures() }}
    from measures
    group by 1, 2

),

final as (

    select period_grain, period_start from dense
    union
    select period_grain, period_start from totals
    where {{ any_not_zero(stored_measures()) }}
    union
    select period_grain, period_start from costs
    where {{ any_not_zero(['ad_spend', 'sales_cost']) }}
    union
    select period_grain, period_start from sessions

)

select * from final
