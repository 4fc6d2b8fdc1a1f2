-- One row per grain and period of the whole company, without gaps.

with periods as (

    select * from {{ ref('int_periods__company') }}

),

customers as (

    select * from {{ ref('int_periods__customers') }}

),

figures as (

    select
        periods.period_grain,
        periods.period_start,
        {{- period_figures('periods') }},
        periods.ad_spend,
        periods.sales_cost,
        {{ ratio('periods.ad_spend + periods.sales_cost', 'periods.new_customers') }} as cac,
        customers.active_customers,
        customers.churned_customers,
        {{ ratio('customers.churned_customers', 'customers.active_customers_before') }}
            as churn_rate,
        {{ ratio('periods.revenue', 'customers.active_customers') }} as arpc,
        periods.sessions,
        periods.missed_calls_lost,
        {{ ratio(
            'periods.missed_calls_recovered',
            '(periods.missed_calls_recovered + periods.missed_calls_lost)'
        ) }} as missed_recovery_rate
    from periods
    left join customers
        on {{ same_cell('periods', 'customers', ['period_grain', 'period_start']) }}

),

final as (

    select
        *,
        1 - churn_rate as retention_rate,
        case
            when period_grain = 'month' and active_customers is not null
                then {{ ratio('avg(arpc) over three_months', 'avg(churn_rate) over three_months') }}
        end as clv
    from figures
    window three_months as (
        partition by period_grain
        order by period_start
        rows between 2 preceding and current row
    )

)

select * from final
