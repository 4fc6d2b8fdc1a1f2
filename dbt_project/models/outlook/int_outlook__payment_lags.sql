-- One row per day on which a forecast is made: the median days from winning a deal to its
-- first payment, over the deals that were won and paid by then. A deal paid before it was
-- won took none. 0 where none was.

with days as (

    select * from {{ ref('int_outlook__days') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

stays as (

    select * from {{ ref('int_outlook__stays') }}

),

lags as (

    select
        stays.deal_id,
        greatest(stays.from_on, {{ local_date('deals.first_paid_at') }}) as known_on,
        stays.until_on as reopened_on,
        greatest({{ days_between('stays.from_on', local_date('deals.first_paid_at')) }}, 0)
            as lag_days
    from stays
    inner join deals
        on stays.deal_id = deals.deal_id
    where stays.stage_kind = 'won' and deals.first_paid_at is not null

),

final as (

    select
        days.date_day as observed_on,
        cast(coalesce(floor({{ median_of('cast(lags.lag_days as double)') }}), 0) as integer)
            as lag_days,
        count(lags.deal_id) as deals
    from days
    left join lags
        on
            days.date_day >= lags.known_on
            and (lags.reopened_on is null or days.date_day < lags.reopened_on)
    where days.is_forecast_day or days.is_as_of
    group by 1

)

select * from final
