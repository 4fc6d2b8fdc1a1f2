-- One row per deal that was paid: when its first payment came.

with payments as (

    select * from {{ ref('int_payments__resolved') }}

),

final as (

    select
        deal_id,
        min(paid_at) as first_paid_at
    from payments
    where kind = 'payment' and deal_id is not null
    group by 1

)

select * from final
