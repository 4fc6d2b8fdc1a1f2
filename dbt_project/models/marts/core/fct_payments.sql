-- One row per existing payment or refund.

with payments as (

    select * from {{ ref('int_payments__resolved') }}

),

final as (

    select
        payment_id,
        deal_id,
        coalesce(contact_id, 'unknown') as contact_id,
        coalesce(manager_id, 'unknown') as manager_id,
        coalesce(source_id, 'unknown') as source_id,
        kind,
        deal_type,
        paid_at,
        {{ local_date('paid_at') }} as paid_on,
        amount,
        contact_id is not null
        and kind = 'payment'
        and row_number() over (
            partition by contact_id, kind
            order by paid_at, payment_id
        ) = 1 as is_first_of_contact
    from payments

)

select * from final
