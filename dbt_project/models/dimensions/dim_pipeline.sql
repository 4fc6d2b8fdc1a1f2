-- One row per pipeline, deleted ones too, and one for the unknown.

with pipelines as (

    select * from {{ ref('stg_crm__pipelines') }}

),

members as (

    select
        pipeline_id,
        {{ display_text('name') }} as pipeline_name,
        is_deleted
    from pipelines
    where pipeline_id != 'unknown'

),

unknown_member as (

    select
        'unknown' as pipeline_id,
        'Unknown' as pipeline_name,
        false as is_deleted

),

final as (

    select * from members
    union all
    select * from unknown_member

)

select * from final
