-- One row per month and team, with the cost in base currency at the rate of the
-- month's first day. NULL where there is no rate or the result is beyond its type.

with sales_costs as (

    select * from {{ ref('stg_finance__sales_costs') }}

),

rates as (

    select * from {{ ref('int_exchange_rates__spans') }}

),

final as (

    select
        sales_costs.month,
        sales_costs.team,
        {{ base_amount('sales_costs.cost', 'rates.rate') }} as cost,
        {{ base_amount('sales_costs.cost', 'rates.rate') }} is null as has_no_rate
    from sales_costs
    left join rates
        on
            coalesce(sales_costs.currency, {{ base_currency() }}) = rates.currency
            and sales_costs.month >= rates.holds_from
            and sales_costs.month < rates.holds_until

)

select * from final
