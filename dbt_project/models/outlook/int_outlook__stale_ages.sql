-- One row per day on which a forecast is made and pipeline: the age that 95 % of its closed
-- deals had not passed when they closed, as it was known then.

with days as (

    select * from {{ ref('int_outlook__days') }}

),

closings as (

    select * from {{ ref('int_outlook__closings') }}

),

final as (

    select
        days.date_day as observed_on,
        closings.pipeline_id,
        count(*) as closed_deals,
        cast(percentile_disc(0.95) within group (order by closings.age_days) as integer)
            as stale_after_days
    from days
    inner join closings
        on
            days.date_day >= closings.closed_on
            and (closings.reopened_on is null or days.date_day < closings.reopened_on)
    where days.is_forecast_day or days.is_as_of
    group by 1, 2

)

select * from final
