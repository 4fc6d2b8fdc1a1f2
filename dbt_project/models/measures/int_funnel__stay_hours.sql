-- How long deals stayed in a stage of their present pipeline: one row per month of
-- creation, stage, owner and source, over the stays that ended, where beginning
-- and end are certain to a day.

with deals as (

    select * from {{ ref('int_funnel__furthest_stage') }}

),

stays as (

    select * from {{ ref('fct_stage_entries') }}

),

final as (

    select
        deals.cohort_month,
        stays.stage_id,
        deals.manager_id,
        deals.source_id,
        {{ ratio(
            median_of('cast(stays.certain_stay_seconds as double)'), seconds_per_hour()
        ) }} as median_stay_hours
    from stays
    inner join deals
        on
            stays.deal_id = deals.deal_id
            and stays.pipeline_id = deals.pipeline_id
    where stays.certain_stay_seconds is not null
    group by 1, 2, 3, 4

)

select * from final
