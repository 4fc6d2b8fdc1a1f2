-- Customers by the month of their first payment and the months since: one row for
-- every month from the first up to the as-of month, also where nobody paid.

with payments as (

    select * from {{ ref('fct_payments') }}

),

months as (

    select distinct month_start from {{ ref('dim_date') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

cohort_sizes as (

    select
        cohort_month,
        count(*) as customers
    from payments
    where is_first_of_contact
    group by 1

),

cohort_months as (

    select
        cohort_sizes.cohort_month,
        cohort_sizes.customers,
        months.month_start
    from cohort_sizes
    cross join as_of
    inner join months
        on
            months.month_start >= cohort_sizes.cohort_month
            and months.month_start <= as_of.as_of_date

),

monthly as (

    select
        cohort_month,
        {{ period_start("'month'", 'paid_on') }} as month_start,
        count(distinct case when kind = 'payment' then contact_id end) as active,
        sum(amount) as revenue
    from payments
    where cohort_month is not null
    group by 1, 2

),

final as (

    select
        cohort_months.cohort_month,
        {{ months_between('cohort_months.cohort_month', 'cohort_months.month_start') }}
            as months_since,
        cohort_months.month_start,
        cohort_months.customers,
        coalesce(monthly.active, 0) as active,
        {{ ratio('coalesce(monthly.active, 0)', 'cohort_months.customers') }} as active_share,
        cast(coalesce(monthly.revenue, 0) as {{ type_money() }}) as revenue,
        cast(sum(coalesce(monthly.revenue, 0)) over (
            partition by cohort_months.cohort_month
            order by cohort_months.month_start
            rows between unbounded preceding and current row
        ) as {{ type_money() }}) as cumulative_revenue
    from cohort_months
    left join monthly
        on
            cohort_months.cohort_month = monthly.cohort_month
            and cohort_months.month_start = monthly.month_start

)

select * from final
