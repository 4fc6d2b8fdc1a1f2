-- Rows whose money is not known in base currency: one row per day on which a sum lacks
-- them, manager and source.

with payments as (

    select * from {{ ref('fct_payments') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

ad_spend as (

    select * from {{ ref('fct_ad_spend') }}

),

sales_costs as (

    select * from {{ ref('fct_sales_costs') }}

),

events as (

    select paid_on as date_day, manager_id, source_id, 'payment' as event
    from payments
    where amount is null
    union all
    select closed_on as date_day, manager_id, source_id, outcome as event
    from deals
    where outcome in ('won', 'lost') and amount is null
    union all
    select spend_date as date_day, 'unknown' as manager_id, source_id, 'advertising' as event
    from ad_spend
    where cost is null
    union all
    select
        month as date_day,
        'unknown' as manager_id,
        'unknown' as source_id,
        'sales department' as event
    from sales_costs
    where cost is null

),

final as (

    select
        date_day,
        manager_id,
        source_id,
        count(*) filter (where event = 'payment') as payments_unpriced,
        count(*) filter (where event = 'won') as deals_won_unpriced,
        count(*) filter (where event = 'lost') as deals_lost_unpriced,
        count(*) filter (where event = 'advertising') as ad_costs_unpriced,
        count(*) filter (where event = 'sales department') as sales_costs_unpriced
    from events
    group by 1, 2, 3

)

select * from final
