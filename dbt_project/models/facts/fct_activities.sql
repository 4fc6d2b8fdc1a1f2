-- One row per existing activity.

with activities as (

    select * from {{ ref('int_activities__resolved') }}

),

final as (

    select
        activity_id,
        kind,
        direction,
        coalesce(manager_id, 'unknown') as manager_id,
        coalesce(contact_id, 'unknown') as contact_id,
        lead_id,
        deal_id,
        coalesce(source_id, 'unknown') as source_id,
        happened_at,
        {{ local_date('happened_at') }} as happened_on,
        {{ local_hour_start('happened_at') }} as happened_hour
    from activities

)

select * from final
