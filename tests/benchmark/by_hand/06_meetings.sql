create table fct_meetings as
with current_meetings as (

    select *
    from read_parquet(getvariable('raw') || '/crm/meetings/*.parquet')
    where
        is_deleted
        or (coalesce(confirmed_at >= set_at, true) and coalesce(held_at >= set_at, true))
    qualify row_number() over (
        partition by meeting_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

),

first_deals as (

    select lead_id, arg_min(deal_id, (created_at, deal_id)) as deal_id
    from deals
    where lead_id is not null
    group by lead_id

),

with_deal as (

    select
        meetings.*,
        leads.contact_id as lead_contact_id,
        leads.source_id as lead_source_id,
        coalesce(own_deals.deal_id, first_deals.deal_id) as found_deal_id
    from current_meetings as meetings
    left join fct_leads as leads on meetings.lead_id = leads.lead_id
    left join deals as own_deals on meetings.deal_id = own_deals.deal_id
    left join first_deals on leads.lead_id = first_deals.lead_id
    where meetings.is_deleted is not true

),

resolved as (

    select
        with_deal.meeting_id,
        with_deal.found_deal_id as deal_id,
        coalesce(setters.manager_id, 'unknown') as set_by,
        coalesce(holders.manager_id, 'unknown') as held_by,
        coalesce(
            with_deal.lead_source_id, deals.source_id, contacts.source_id, 'unknown'
        ) as source_id,
        coalesce(with_deal.kind, 'meeting') as kind,
        with_deal.set_at,
        with_deal.confirmed_at,
        with_deal.held_at
    from with_deal
    left join deals on with_deal.found_deal_id = deals.deal_id
    left join contacts as own_contacts on with_deal.contact_id = own_contacts.contact_id
    left join contacts
        on coalesce(own_contacts.contact_id, deals.contact_id, with_deal.lead_contact_id)
            = contacts.contact_id
    left join managers as setters on with_deal.set_by = setters.manager_id
    left join managers as holders on with_deal.held_by = holders.manager_id

),

first_payments as (

    select deal_id, min(paid_at) as first_paid_at
    from fct_payments
    where kind = 'payment' and deal_id is not null
    group by deal_id

),

paid as (

    select resolved.meeting_id, first_payments.first_paid_at
    from first_payments
    inner join resolved
        on
            first_payments.deal_id = resolved.deal_id
            and first_payments.first_paid_at >= resolved.held_at
    qualify row_number() over (
        partition by first_payments.deal_id
        order by resolved.held_at desc, resolved.meeting_id asc
    ) = 1

)

select resolved.*, paid.first_paid_at
from resolved
left join paid on resolved.meeting_id = paid.meeting_id;
