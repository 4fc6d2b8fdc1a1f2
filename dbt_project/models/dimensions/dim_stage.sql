-- One row per stage, deleted ones too, and one for the unknown, which has no place
-- in any order and counts as open.

with stages as (

    select * from {{ ref('int_stages__ordered') }}

),

pipelines as (

    select * from {{ ref('dim_pipeline') }}

),

members as (

    select
        stage_id,
        {{ display_text('stage_name') }} as stage_name,
        pipeline_id,
        position,
        stage_no,
        kind,
        is_deleted
    from stages

),

unknown_member as (

    select
        'unknown' as stage_id,
        'Unknown' as stage_name,
        'unknown' as pipeline_id,
        cast(null as bigint) as position,
        cast(null as bigint) as stage_no,
        'open' as kind,
        false as is_deleted

),

all_stages as (

    select * from members
    union all
    select * from unknown_member

),

final as (

    select
        all_stages.stage_id,
        all_stages.stage_name,
        all_stages.pipeline_id,
        pipelines.pipeline_name,
        all_stages.position,
        all_stages.stage_no,
        all_stages.kind,
        all_stages.is_deleted
    from all_stages
    inner join pipelines
        on all_stages.pipeline_id = pipelines.pipeline_id

)

select * from final
