-- How far the deals of a month came: one row per month of creation, stage of the
-- deals' present pipeline, owner and source. Stages that lose are apart.

with progress as (

    select * from {{ ref('fct_deal_stages') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

sources as (

    select * from {{ ref('dim_source') }}

),

stay_hours as (

    select * from {{ ref('int_funnel__stay_hours') }}

),

counts as (

    select
        cohort_month,
        stage_id,
        manager_id,
        source_id,
        count(*) filter (where has_entered) as entered,
        count(*) filter (where has_reached) as reached,
        count(*) filter (where has_advanced) as advanced,
        count(*) filter (where is_lost_here) as lost_here,
        count(*) filter (where is_won_here) as won_here,
        count(*) filter (where is_still_here) as still_here
    from progress
    group by 1, 2, 3, 4

),

final as (

    select
        counts.cohort_month,
        stages.pipeline_id,
        stages.pipeline_name,
        counts.stage_id,
        stages.stage_name,
        stages.stage_no,
        stages.kind as stage_kind,
        counts.manager_id,
        managers.manager_name,
        managers.team,
        counts.source_id,
        sources.source_name,
        sources.channel,
        counts.entered,
        counts.reached,
        {{ figure('skipped', 'counts') }} as skipped,
        counts.advanced,
        counts.lost_here,
        counts.won_here,
        counts.still_here,
        {{ figure('conversion_to_next', 'counts') }} as conversion_to_next,
        stay_hours.median_stay_hours
    from counts
    inner join stages
        on counts.stage_id = stages.stage_id
    inner join managers
        on counts.manager_id = managers.manager_id
    inner join sources
        on counts.source_id = sources.source_id
    left join stay_hours
        on {{ same_cell('counts', 'stay_hours',
            ['cohort_month', 'stage_id', 'manager_id', 'source_id']) }}
    where counts.reached != 0

)

select * from final
