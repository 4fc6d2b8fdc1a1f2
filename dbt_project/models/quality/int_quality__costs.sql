-- One row per cost of advertising or of the sales department: what it was in its own
-- currency, and whether that has a rate.

with ad_spend as (

    select * from {{ ref('stg_marketing__ad_spend') }}

),

sales_costs as (

    select * from {{ ref('stg_finance__sales_costs') }}

),

rates as (

    select * from {{ ref('int_exchange_rates__spans') }}

),

costs as (

    select
        'ad_spend' as figure,
        'marketing.ad_spend' as table_name,
        coalesce(currency, {{ base_currency() }}) as currency,
        spend_date as event_on,
        cost
    from ad_spend

    union all

    select
        'sales_cost' as figure,
        'finance.sales_costs' as table_name,
        coalesce(currency, {{ base_currency() }}) as currency,
        month as event_on,
        cost
    from sales_costs

),

final as (

    select
        costs.figure,
        costs.table_name,
        costs.currency,
        costs.event_on,
        costs.cost,
        {{ base_amount('costs.cost', 'rates.rate') }} is null as has_no_rate
    from costs
    left join rates
        on
            costs.currency = rates.currency
            and costs.event_on >= rates.holds_from
            and costs.event_on < rates.holds_until

)

select * from final
