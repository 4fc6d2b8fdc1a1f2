-- One row per deal and stage of its present pipeline that does not lose: whether the
-- deal entered it, reached it, went on from it, was lost or still is there.

with deals as (

    select * from {{ ref('int_funnel__furthest_stage') }}

),

stays as (

    select * from {{ ref('fct_stage_entries') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

visited as (

    select distinct
        deal_id,
        stage_id
    from stays

),

keyed as (

    select
        deals.deal_id,
        deals.cohort_month,
        stages.pipeline_id,
        stages.pipeline_name,
        stages.stage_id,
        stages.stage_name,
        deals.manager_id,
        deals.source_id,
        visited.deal_id is not null as has_entered,
        stages.stage_no <= deals.furthest_no as has_reached,
        stages.stage_no < deals.furthest_no as has_advanced,
        deals.outcome = 'lost' and stages.stage_no = deals.furthest_no as is_lost_here,
        deals.outcome = 'won' and stages.stage_id = deals.stage_id as is_won_here,
        deals.outcome = 'open' and stages.stage_id = deals.stage_id as is_still_here
    from deals
    inner join stages
        on deals.pipeline_id = stages.pipeline_id
    left join visited
        on
            deals.deal_id = visited.deal_id
            and stages.stage_id = visited.stage_id
    where stages.kind != 'lost' and stages.stage_no is not null

),

final as (

    select
        keyed.*,
        manager_names.manager_name,
        manager_names.team,
        source_names.source_name
    from keyed
    left join manager_names
        on keyed.manager_id = manager_names.manager_id
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
