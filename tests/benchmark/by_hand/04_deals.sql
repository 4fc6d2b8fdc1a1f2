create temp table deals as
with current_deals as (

    select *
    from read_parquet(getvariable('raw') || '/crm/deals/*.parquet')
    where
        is_deleted
        or (coalesce(amount >= 0, true) and coalesce(closed_at >= created_at, true))
    qualify row_number() over (
        partition by deal_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

),

with_contact as (

    select
        deals.*,
        leads.lead_id as found_lead_id,
        leads.source_id as lead_source_id,
        leads.created_at as lead_created_at,
        coalesce(own_contacts.contact_id, leads.contact_id) as found_contact_id,
        coalesce(own_contacts.source_id, lead_contacts.source_id) as contact_source_id
    from current_deals as deals
    left join fct_leads as leads on deals.lead_id = leads.lead_id
    left join contacts as own_contacts on deals.contact_id = own_contacts.contact_id
    left join contacts as lead_contacts on leads.contact_id = lead_contacts.contact_id
    where deals.is_deleted is not true

)

select
    with_contact.deal_id,
    with_contact.found_lead_id as lead_id,
    with_contact.lead_created_at,
    with_contact.found_contact_id as contact_id,
    managers.manager_id,
    coalesce(
        sources.source_id, with_contact.lead_source_id, with_contact.contact_source_id
    ) as source_id,
    stages.stage_id,
    stages.kind,
    with_contact.amount,
    coalesce(with_contact.currency, 'RUB') as currency,
    with_contact.deal_type,
    with_contact.created_at,
    with_contact.closed_at,
    with_contact.updated_at
from with_contact
left join managers on with_contact.manager_id = managers.manager_id
left join sources on with_contact.source_id = sources.source_id
left join stages on with_contact.stage_id = stages.stage_id;

create table fct_deals as
with last_entries as (

    -- Only closed deals without a time of their own ask their history.
    select history.deal_id, max(history.entered_at) as entered_at
    from current_rows('/crm/deal_stage_history/*.parquet', event_id) as history
    inner join deals
        on history.deal_id = deals.deal_id and history.stage_id = deals.stage_id
    where
        history.is_deleted is not true
        and deals.kind in ('won', 'lost')
        and deals.closed_at is null
    group by history.deal_id

),

closed as (

    select
        deals.* exclude (closed_at),
        if(deals.kind in ('won', 'lost'), deals.kind, 'open') as outcome,
        case
            when deals.kind in ('won', 'lost')
                then coalesce(
                    deals.closed_at, last_entries.entered_at, deals.updated_at, deals.created_at
                )
        end as closed_at
    from deals
    left join last_entries on deals.deal_id = last_entries.deal_id

)

select
    closed.deal_id,
    coalesce(closed.manager_id, 'unknown') as manager_id,
    coalesce(closed.source_id, 'unknown') as source_id,
    closed.deal_type,
    closed.outcome,
    local_date(closed.created_at) as created_on,
    local_date(closed.closed_at) as closed_on,
    if(
        closed.outcome = 'won',
        date_sub('microsecond', coalesce(closed.lead_created_at, closed.created_at), closed.closed_at),
        null
    ) as cycle_microseconds,
    base_amount(closed.amount, rates.rate) as amount
from closed
left join rates
    on
        closed.currency = rates.currency
        and local_date(coalesce(closed.closed_at, closed.created_at)) >= rates.holds_from
        and local_date(coalesce(closed.closed_at, closed.created_at)) < rates.holds_until;
