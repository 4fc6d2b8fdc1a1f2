-- Returns a mart (and grain) whose revenue is not that of the payments it is about,
-- with both figures: to the kopeck.

with payments as (

    select * from {{ ref('fct_payments') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

grains as (
    {{ period_grains() }}

),

customers as (

    select
        contact_id,
        min(paid_at) as first_paid_at
    from payments
    where kind = 'payment' and contact_id != 'unknown'
    group by 1

),

paid as (

    select
        sum(payments.amount) as by_anyone,
        sum(payments.amount) filter (where customers.contact_id is not null) as by_customers,
        -- Cohorts end with the as-of month, and leave out refunds before a first payment.
        sum(payments.amount) filter (
            where payments.paid_at >= customers.first_paid_at
                and {{ period_start("'month'", 'payments.paid_on') }} <= as_of.as_of_date
                and {{ period_start("'month'", local_date('customers.first_paid_at')) }}
                <= as_of.as_of_date
        ) as in_cohorts
    from payments
    cross join as_of
    left join customers
        on payments.contact_id = customers.contact_id

),

marts as (

    select 'kpi_daily' as mart, sum(revenue) as revenue, 'by_anyone' as scope
    from {{ ref('kpi_daily') }}

    {% for mart in ['kpi_manager_period', 'kpi_company_period', 'kpi_source_period'] %}
    union all

    select
        '{{ mart }} by ' || grains.period_grain as mart,
        sum(periods.revenue) as revenue,
        'by_anyone' as scope
    from grains
    left join {{ ref(mart) }} as periods
        on grains.period_grain = periods.period_grain
    group by 1
    {% endfor %}

    union all

    select 'customer_value' as mart, sum(revenue) as revenue, 'by_customers' as scope
    from {{ ref('customer_value') }}

    union all

    select 'customer_cohorts' as mart, sum(revenue) as revenue, 'in_cohorts' as scope
    from {{ ref('customer_cohorts') }}

    union all

    select
        'customer_cohorts, cumulative' as mart,
        sum(cumulative_revenue) as revenue,
        'in_cohorts' as scope
    from {{ ref('customer_cohorts') }}
    cross join as_of
    where month_start = {{ period_start("'month'", 'as_of.as_of_date') }}

),

final as (

    select
        marts.mart,
        coalesce(marts.revenue, 0) as revenue,
        coalesce(case marts.scope
            when 'by_anyone' then paid.by_anyone
            when 'by_customers' then paid.by_customers
            when 'in_cohorts' then paid.in_cohorts
        end, 0) as payments
    from marts
    cross join paid

)

select * from final
where revenue != payments
