-- What a period cost: advertising in every grain, the sales department's months only
-- from a month on (NULL for day and week). One row per grain and period with a cost.

with ad_spend as (

    select * from {{ ref('fct_ad_spend') }}

),

sales_costs as (

    select * from {{ ref('fct_sales_costs') }}

),

grains as (
    {{ period_grains() }}

),

costs as (

    select
        spend_date as date_day,
        cost as ad_spend,
        0 as sales_cost
    from ad_spend

    union all

    select
        month as date_day,
        0 as ad_spend,
        cost as sales_cost
    from sales_costs

),

final as (

    select
        grains.period_grain,
        {{ period_start('grains.period_grain', 'costs.date_day') }} as period_start,
        cast(coalesce(sum(costs.ad_spend), 0) as {{ type_money() }}) as ad_spend,
        case
            when grains.period_grain not in ('day', 'week')
                then cast(coalesce(sum(costs.sales_cost), 0) as {{ type_money() }})
        end as sales_cost
    from costs
    cross join grains
    group by 1, 2

)

select * from final
