-- One row per stage, with its pipeline and its place in it by position, then key.
-- Stages of pipelines that do not exist lie together in the pipeline `unknown`.
-- The unknown stage itself has no place and is not here.

with stages as (

    select * from {{ ref('stg_crm__stages') }}

),

pipelines as (

    select * from {{ ref('stg_crm__pipelines') }}

),

placed as (

    select
        stages.stage_id,
        stages.name as stage_name,
        coalesce({{ found('pipelines.pipeline_id') }}, 'unknown') as pipeline_id,
        stages.position,
        stages.kind,
        stages.is_deleted,
        case when stages.kind != 'lost' and not stages.is_deleted then 1 else 0 end as is_live
    from stages
    left join pipelines
        on stages.pipeline_id = pipelines.pipeline_id
    where stages.stage_id != 'unknown'

),

ordered as (

    select
        *,
        cast(row_number() over (
            partition by pipeline_id
            order by position nulls last, stage_id
        ) as bigint) as stage_no,
        cast(coalesce(sum(is_live) over (
            partition by pipeline_id
            order by position nulls last, stage_id
            rows between unbounded preceding and 1 preceding
        ), 0) as bigint) as live_stages_before
    from placed

),

final as (

    select
        *,
        live_stages_before + is_live as live_stages_so_far
    from ordered

)

select * from final
