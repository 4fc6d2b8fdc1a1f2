-- One row per existing payment or refund.

with payments as (

    select * from {{ ref('int_payments__resolved') }}

),

contact_names as (

    select * from {{ ref('dim_contact') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

numbered as (

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
        paid_after,
        paid_at_quality,
        amount,
        contact_id is not null
        and kind = 'payment'
        and row_number() over (
            partition by contact_id, kind
            order by paid_at, payment_id
        ) = 1 as is_first_of_contact
    from payments

),

keyed as (

    select
        *,
        case
            when paid_at >= min(case when is_first_of_contact then paid_at end) over contacts
                then {{ period_start("'month'",
                    'min(case when is_first_of_contact then paid_on end) over contacts') }}
        end as cohort_month
    from numbered
    window contacts as (partition by contact_id)

),

final as (

    select
        keyed.*,
        contact_names.contact_name,
        manager_names.manager_name,
        manager_names.team,
        source_names.source_name
    from keyed
    left join contact_names
        on keyed.contact_id = contact_names.contact_id
    left join manager_names
        on keyed.manager_id = manager_names.manager_id
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
