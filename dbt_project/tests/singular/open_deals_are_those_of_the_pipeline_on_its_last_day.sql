-- The mart of open deals and the pipeline count the same deals and money on the as-of date.

with open_deals as (

    select * from {{ ref('open_deals') }}

),

pipeline_days as (

    select * from {{ ref('pipeline_daily') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

counted as (

    select
        stage_id,
        manager_id,
        count(*) as deals,
        coalesce(sum(amount), 0) as deals_amount
    from open_deals
    group by 1, 2

),

in_pipeline as (

    select
        pipeline_days.stage_id,
        pipeline_days.manager_id,
        pipeline_days.open_deals,
        pipeline_days.open_amount
    from pipeline_days
    inner join as_of
        on pipeline_days.date_day = as_of.as_of_date
    where pipeline_days.open_deals != 0

)

select
    counted.*,
    in_pipeline.open_deals,
    in_pipeline.open_amount
from counted
full join in_pipeline
    on
        counted.stage_id = in_pipeline.stage_id
        and counted.manager_id = in_pipeline.manager_id
where
    counted.deals is distinct from in_pipeline.open_deals
    or counted.deals_amount is distinct from in_pipeline.open_amount
