-- One row per manager, deleted ones too, and one for the unknown.

{{ config(materialized='tracked_table') }}

with managers as (

    select * from {{ ref('stg_crm__managers') }}

),

members as (

    select
        manager_id,
        {{ display_text('full_name') }} as manager_name,
        {{ display_text('email') }} as email,
        {{ display_text('team') }} as team,
        role,
        hired_on,
        dismissed_on,
        is_deleted
    from managers
    where manager_id != 'unknown'

),

unknown_member as (

    select
        'unknown' as manager_id,
        'Unknown' as manager_name,
        {{ null_text() }} as email,
        {{ null_text() }} as team,
        {{ null_text() }} as role,
        cast(null as date) as hired_on,
        cast(null as date) as dismissed_on,
        false as is_deleted

),

final as (

    select * from members
    union all
    select * from unknown_member

)

select * from final
