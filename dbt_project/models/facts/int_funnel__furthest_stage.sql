-- One row per deal whose present pipeline has a stage that does not lose: the place
-- of the furthest such stage it was in. Every deal has come as far as the pipeline's
-- first stage: the first that is not deleted, or, where all are, the first.

with deals as (

    select * from {{ ref('fct_deals') }}

),

stays as (

    select * from {{ ref('fct_stage_entries') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

first_stages as (

    select
        pipeline_id,
        coalesce(min(stage_no) filter (where not is_deleted), min(stage_no)) as stage_no
    from stages
    where kind != 'lost' and stage_no is not null
    group by 1

),

furthest_stays as (

    select
        stays.deal_id,
        stages.pipeline_id,
        max(stages.stage_no) as stage_no
    from stays
    inner join stages
        on stays.stage_id = stages.stage_id
    where stages.kind != 'lost' and stages.stage_no is not null
    group by 1, 2

),

final as (

    select
        deals.deal_id,
        deals.pipeline_id,
        {{ period_start("'month'", 'deals.created_on') }} as cohort_month,
        deals.manager_id,
        deals.source_id,
        deals.stage_id,
        deals.outcome,
        greatest(first_stages.stage_no, coalesce(furthest_stays.stage_no, 0)) as furthest_no
    from deals
    inner join first_stages
        on deals.pipeline_id = first_stages.pipeline_id
    left join furthest_stays
        on
            deals.deal_id = furthest_stays.deal_id
            and deals.pipeline_id = furthest_stays.pipeline_id

)

select * from final
