create table fct_activities as
with current_activities as (

    select *
    from current_rows('/crm/activities/*.parquet', activity_id)
    where is_deleted is not true

),

with_lead as (

    select
        activities.happened_at,
        activities.kind,
        activities.direction,
        managers.manager_id,
        deals.source_id as deal_source_id,
        coalesce(leads.source_id, deal_leads.source_id) as lead_source_id,
        coalesce(contacts.contact_id, deals.contact_id) as person_id,
        case
            when coalesce(leads.lead_id, deals.lead_id) is null
                then coalesce(contacts.contact_id, deals.contact_id)
        end as person_without_lead,
        leads.contact_id as lead_contact_id
    from current_activities as activities
    left join fct_leads as leads on activities.lead_id = leads.lead_id
    left join deals on activities.deal_id = deals.deal_id
    left join fct_leads as deal_leads
        on if(leads.lead_id is null, deals.lead_id, null) = deal_leads.lead_id
    left join contacts on activities.contact_id = contacts.contact_id
    left join managers on activities.manager_id = managers.manager_id

)

select
    local_date(with_lead.happened_at) as happened_on,
    coalesce(with_lead.manager_id, 'unknown') as manager_id,
    coalesce(
        with_lead.lead_source_id, contact_leads.source_id, with_lead.deal_source_id,
        contacts.source_id, 'unknown'
    ) as source_id,
    with_lead.kind,
    with_lead.direction
from with_lead
left join contact_leads
    on
        with_lead.person_without_lead = contact_leads.contact_id
        and with_lead.happened_at >= contact_leads.matches_from
        and with_lead.happened_at < contact_leads.matches_until
left join contacts
    on coalesce(with_lead.person_id, with_lead.lead_contact_id) = contacts.contact_id;

create table fct_surveys as
with current_surveys as (

    select *
    from read_parquet(getvariable('raw') || '/crm/surveys/*.parquet')
    where is_deleted or score between 1 and 5
    qualify row_number() over (
        partition by survey_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

)

select
    coalesce(managers.manager_id, deals.manager_id, 'unknown') as manager_id,
    coalesce(deals.source_id, contacts.source_id, 'unknown') as source_id,
    surveys.score,
    local_date(surveys.answered_at) as answered_on
from current_surveys as surveys
left join deals on surveys.deal_id = deals.deal_id
left join contacts on surveys.contact_id = contacts.contact_id
left join managers on surveys.manager_id = managers.manager_id
where surveys.is_deleted is not true;
