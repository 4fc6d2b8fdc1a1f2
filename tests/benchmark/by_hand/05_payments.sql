create table fct_payments as
with current_payments as (

    select *
    from read_parquet(getvariable('raw') || '/crm/payments/*.parquet')
    where is_deleted or (amount > 0 and kind in ('payment', 'refund'))
    qualify row_number() over (
        partition by payment_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

),

resolved as (

    select
        payments.payment_id,
        deals.deal_id,
        coalesce(contacts.contact_id, deals.contact_id) as contact_id,
        deals.manager_id,
        coalesce(deals.source_id, contacts.source_id) as source_id,
        deals.deal_type,
        payments.kind,
        payments.paid_at,
        local_date(payments.paid_at) as paid_on,
        if(payments.kind = 'refund', -payments.amount, payments.amount) as amount,
        coalesce(payments.currency, 'RUB') as currency
    from current_payments as payments
    left join deals on payments.deal_id = deals.deal_id
    left join contacts on payments.contact_id = contacts.contact_id
    where payments.is_deleted is not true

)

select
    resolved.payment_id,
    resolved.deal_id,
    coalesce(resolved.manager_id, 'unknown') as manager_id,
    coalesce(resolved.source_id, 'unknown') as source_id,
    resolved.deal_type,
    resolved.kind,
    resolved.paid_at,
    resolved.paid_on,
    base_amount(resolved.amount, rates.rate) as amount,
    resolved.contact_id is not null
    and resolved.kind = 'payment'
    and row_number() over (
        partition by resolved.contact_id, resolved.kind
        order by resolved.paid_at, resolved.payment_id
    ) = 1 as is_first_of_contact
from resolved
left join rates
    on
        resolved.currency = rates.currency
        and resolved.paid_on >= rates.holds_from
        and resolved.paid_on < rates.holds_until;
