-- One row per existing payment or refund, with the deal, contact, manager (the
-- deal's owner) and source it belongs to, and its signed amount in base currency at
-- the rate of its local date. NULL: none found, no rate, or beyond its type.

with payments as (

    select * from {{ ref('stg_crm__payments') }}

),

deals as (

    select * from {{ ref('int_deals__resolved') }}

),

contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

rates as (

    select * from {{ ref('int_exchange_rates__spans') }}

),

with_contact as (

    select
        payments.*,
        deals.deal_id as found_deal_id,
        deals.manager_id,
        deals.source_id as deal_source_id,
        deals.deal_type,
        coalesce(own_contacts.contact_id, deals.contact_id) as found_contact_id
    from payments
    left join deals
        on payments.deal_id = deals.deal_id
    left join contacts as own_contacts
        on payments.contact_id = own_contacts.contact_id

),

final as (

    select
        with_contact.payment_id,
        with_contact.found_deal_id as deal_id,
        with_contact.found_contact_id as contact_id,
        with_contact.manager_id,
        coalesce(with_contact.deal_source_id, contacts.source_id) as source_id,
        with_contact.deal_type,
        with_contact.kind,
        with_contact.paid_at,
        with_contact.paid_after,
        with_contact.paid_at_quality,
        {{ base_amount(
            "case with_contact.kind when 'refund' then -with_contact.amount "
            ~ "else with_contact.amount end",
            'rates.rate'
        ) }} as amount,
        {{ base_amount('with_contact.amount', 'rates.rate') }} is null as has_no_rate
    from with_contact
    left join contacts
        on with_contact.found_contact_id = contacts.contact_id
    left join rates
        on
            coalesce(with_contact.currency, {{ base_currency() }}) = rates.currency
            and {{ local_date('with_contact.paid_at') }} >= rates.holds_from
            and {{ local_date('with_contact.paid_at') }} < rates.holds_until

)

select * from final
