create table fct_leads as
with current_leads as (

    select *
    from read_parquet(getvariable('raw') || '/crm/leads/*.parquet')
    where
        is_deleted
        or (coalesce(taken_at >= created_at, true) and coalesce(qualified_at >= created_at, true))
    qualify row_number() over (
        partition by lead_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

)

select
    leads.lead_id,
    contacts.contact_id,
    coalesce(managers.manager_id, 'unknown') as manager_id,
    coalesce(sources.source_id, contacts.source_id) as source_id,
    leads.created_at,
    leads.taken_at,
    leads.qualified_at,
    leads.is_target
from current_leads as leads
left join contacts on leads.contact_id = contacts.contact_id
left join managers on leads.manager_id = managers.manager_id
left join sources on leads.source_id = sources.source_id
where leads.is_deleted is not true;

create temp table contact_leads as
select
    contact_id,
    lead_id,
    source_id,
    created_at - interval 300 second as matches_from,
    lead(created_at - interval 300 second, 1, timestamptz '9999-12-31 00:00:00+00') over (
        partition by contact_id order by created_at
    ) as matches_until
from (
    select * from fct_leads
    where contact_id is not null
    qualify row_number() over (partition by contact_id, created_at order by lead_id) = 1
);
