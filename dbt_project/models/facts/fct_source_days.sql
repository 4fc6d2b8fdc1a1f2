-- Revenue and advertising of every source by day, and how much of the revenue stands
-- against advertising: all of a period's, if anything was spent on the source in it.

{% set grains = ['day', 'week', 'month', 'quarter', 'year'] %}

with payments as (

    select * from {{ ref('fct_payments') }}

),

ad_spend as (

    select * from {{ ref('fct_ad_spend') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

events as (

    select paid_on as date_day, source_id, amount as revenue, 0 as ad_spend
    from payments
    union all
    select spend_date as date_day, source_id, 0 as revenue, cost as ad_spend
    from ad_spend

),

totals as (

    select
        date_day,
        source_id,
        cast(coalesce(sum(revenue), 0) as {{ type_money() }}) as revenue,
        cast(coalesce(sum(ad_spend), 0) as {{ type_money() }}) as ad_spend
    from events
    group by 1, 2

),

keyed as (

    select
        date_day,
        source_id,
        revenue,
        ad_spend,
        {%- for grain in grains %}
        case
            when sum(ad_spend) over (
                partition by source_id, {{ period_start("'" ~ grain ~ "'", 'date_day') }}
            ) > 0 then revenue
            else 0
        end as advertised_revenue_by_{{ grain }},
        {%- endfor %}
        case
            when sum(ad_spend) over (partition by source_id) > 0 then revenue
            else 0
        end as advertised_revenue_ever
    from totals

),

final as (

    select
        keyed.*,
        source_names.source_name
    from keyed
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
