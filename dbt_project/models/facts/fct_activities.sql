-- One row per existing activity.

with activities as (

    select * from {{ ref('int_activities__resolved') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

keyed as (

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
