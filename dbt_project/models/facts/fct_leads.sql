-- One row per existing lead, with how soon it was answered.

with leads as (

    select * from {{ ref('int_leads__resolved') }}

),

response_times as (

    select * from {{ ref('int_leads__response_time') }}

),

contact_names as (

    select * from {{ ref('dim_contact') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

keyed as (

    select
        leads.lead_id,
        coalesce(leads.contact_id, 'unknown') as contact_id,
        coalesce(leads.manager_id, 'unknown') as manager_id,
        coalesce(leads.source_id, 'unknown') as source_id,
        leads.created_at,
        {{ local_date('leads.created_at') }} as created_on,
        {{ local_hour_start('leads.created_at') }} as created_hour,
        leads.taken_at,
        {{ local_date('leads.taken_at') }} as taken_on,
        leads.qualified_at,
        {{ local_date('coalesce(leads.qualified_at, leads.created_at)') }} as judged_on,
        leads.is_target,
        leads.rejection_reason,
        leads.utm_source,
        leads.utm_medium,
        leads.utm_campaign,
        response_times.first_response_at,
        response_times.response_seconds,
        response_times.response_working_seconds
    from leads
    left join response_times
        on leads.lead_id = response_times.lead_id

),

final as (

    select
        keyed.*,
        contact_names.contact_name,
        manager_names.manager_name,
        manager_names.team,
        source_names.source_name
    from keyed
    left join contact_names
        on keyed.contact_id = contact_names.contact_id
    left join manager_names
        on keyed.manager_id = manager_names.manager_id
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
