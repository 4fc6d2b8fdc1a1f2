-- The open pipeline at the end of a period, or on the as-of date where the period
-- still runs: one row per grain, period and deal owner. Presale is part of open.

{{ config(materialized='tracked_table') }}

with pipeline_days as (

    select * from {{ ref('fct_pipeline_days') }}

),

snapshot_days as (

    select * from {{ ref('int_calendar__snapshot_days') }}

),

final as (

    select
        snapshot_days.period_grain,
        snapshot_days.period_start,
        pipeline_days.manager_id,
        cast(sum(pipeline_days.open_deals) as bigint) as open_deals,
        cast(sum(pipeline_days.open_amount) as {{ type_money() }}) as open_amount,
        cast(coalesce(sum(pipeline_days.open_deals) filter (
            where pipeline_days.stage_kind = 'presale'
        ), 0) as bigint) as presale_deals,
        cast(coalesce(sum(pipeline_days.open_amount) filter (
            where pipeline_days.stage_kind = 'presale'
        ), 0) as {{ type_money() }}) as presale_amount
    from pipeline_days
    inner join snapshot_days
        on pipeline_days.date_day = snapshot_days.snapshot_on
    where pipeline_days.open_deals != 0
    group by 1, 2, 3

)

select * from final
