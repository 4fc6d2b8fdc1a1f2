-- One row per source, deleted ones too, and one for the unknown.

{{ config(materialized='tracked_table') }}

with sources as (

    select * from {{ ref('stg_crm__sources') }}

),

members as (

    select
        source_id,
        {{ display_text('name') }} as source_name,
        {{ display_text('channel') }} as channel,
        is_deleted
    from sources
    where source_id != 'unknown'

),

unknown_member as (

    select
        'unknown' as source_id,
        'Unknown' as source_name,
        {{ null_text() }} as channel,
        false as is_deleted

),

final as (

    select * from members
    union all
    select * from unknown_member

)

select * from final
