-- One row per grain and period of the whole company, without gaps.

with periods as (

    select * from {{ ref('int_periods__company') }}

),

customers as (

    select * from {{ ref('int_periods__customers') }}

),

inputs as (

    select
        periods.*,
        customers.active_customers,
        customers.active_customers_before,
        customers.churned_customers
    from periods
    left join customers
        on {{ same_cell('periods', 'customers', ['period_grain', 'period_start']) }}

),

figures as (

    select
        inputs.period_grain,
        inputs.period_start,
        {{- period_figures('inputs') }},
        inputs.ad_spend,
        inputs.sales_cost,
        {{ figure('cac', 'inputs') }} as cac,
        inputs.active_customers,
        inputs.churned_customers,
        {{ figure('churn_rate', 'inputs') }} as churn_rate,
        {{ figure('arpc', 'inputs') }} as arpc,
        inputs.sessions,
        inputs.missed_calls_lost,
        {{ figure('missed_recovery_rate', 'inputs') }} as missed_recovery_rate
    from inputs

),

final as (

    select
        *,
        {{ figure('retention_rate') }} as retention_rate,
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
