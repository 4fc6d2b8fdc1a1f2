-- What advertising cost and brought by period and source.

with ad_spend as (

    select * from {{ ref('fct_ad_spend') }}

),

grains as (
    {{ period_grains() }}

),

final as (

    select
        grains.period_grain,
        {{ period_start('grains.period_grain', 'ad_spend.spend_date') }} as period_start,
        ad_spend.source_id,
        cast(coalesce(sum(ad_spend.cost), 0) as {{ type_money() }}) as ad_spend,
        cast(coalesce({{ unbounded_sum('ad_spend.impressions') }}, 0) as {{ type_total() }})
            as impressions,
        cast(coalesce({{ unbounded_sum('ad_spend.clicks') }}, 0) as {{ type_total() }}) as clicks
    from ad_spend
    cross join grains
    group by 1, 2, 3

)

select * from final
