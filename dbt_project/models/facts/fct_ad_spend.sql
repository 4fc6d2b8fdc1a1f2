-- One row per day, source and campaign of advertising, with the cost in base
-- currency at the rate of its day. NULL where there is no rate or the result is beyond
-- its type.

with ad_spend as (

    select * from {{ ref('stg_marketing__ad_spend') }}

),

sources as (

    select * from {{ ref('stg_crm__sources') }}

),

rates as (

    select * from {{ ref('int_exchange_rates__spans') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

keyed as (

    select
        ad_spend.spend_date,
        coalesce(sources.source_id, 'unknown') as source_id,
        ad_spend.campaign,
        ad_spend.campaign_name,
        {{ base_amount('ad_spend.cost', 'rates.rate') }} as cost,
        {{ base_amount('ad_spend.cost', 'rates.rate') }} is null as has_no_rate,
        ad_spend.impressions,
        ad_spend.clicks
    from ad_spend
    left join sources
        on ad_spend.source_id = sources.source_id
    left join rates
        on
            coalesce(ad_spend.currency, {{ base_currency() }}) = rates.currency
            and ad_spend.spend_date >= rates.holds_from
            and ad_spend.spend_date < rates.holds_until

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
