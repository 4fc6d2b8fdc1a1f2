-- Daily money measures, credited to the owner of the payment's deal.

{{ config(materialized='tracked_table') }}

with payments as (

    select * from {{ ref('fct_payments') }}

),

final as (

    select
        paid_on as date_day,
        manager_id,
        source_id,
        cast(coalesce(sum(amount), 0) as {{ type_money() }}) as revenue,
        cast(coalesce(-sum(amount) filter (where kind = 'refund'), 0) as {{ type_money() }})
            as refunds,
        cast(coalesce(sum(amount) filter (
            where coalesce(deal_type, 'new') = 'new'
        ), 0) as {{ type_money() }}) as revenue_new,
        cast(coalesce(sum(amount) filter (
            where deal_type in ('repeat', 'upsell')
        ), 0) as {{ type_money() }}) as revenue_repeat,
        count(*) filter (where is_first_of_contact) as new_customers
    from payments
    group by 1, 2, 3

)

select * from final
