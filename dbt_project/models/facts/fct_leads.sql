-- One row per existing lead, with how soon it was answered.

with leads as (

    select * from {{ ref('int_leads__resolved') }}

),

response_times as (

    select * from {{ ref('int_leads__response_time') }}

),

final as (

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

)

select * from final
