-- One row per customer and unbroken stretch of being active: from a payment until
-- `churn_days` after the last one that came before the stretch ran out.

with payments as (

    select * from {{ ref('fct_payments') }}

),

contacts as (

    select * from {{ ref('dim_contact') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

paid_days as (

    select distinct
        contact_id,
        paid_on
    from payments
    where kind = 'payment' and contact_id != 'unknown'

),

breaks as (

    select
        contact_id,
        paid_on,
        case
            when lag(paid_on) over (partition by contact_id order by paid_on)
                > {{ add_days('paid_on', '-' ~ var('churn_days')) }} then 0
            else 1
        end as is_new_span
    from paid_days

),

numbered as (

    select
        contact_id,
        paid_on,
        sum(is_new_span) over (
            partition by contact_id
            order by paid_on
            rows between unbounded preceding and current row
        ) as span_no
    from breaks

),

spans as (

    select
        contact_id,
        cast(span_no as bigint) as span_no,
        min(paid_on) as active_from,
        {{ add_days('max(paid_on)', var('churn_days')) }} as active_until
    from numbered
    group by 1, 2

),

keyed as (

    select
        spans.contact_id,
        spans.span_no,
        contacts.source_id,
        spans.active_from,
        spans.active_until
    from spans
    inner join contacts
        on spans.contact_id = contacts.contact_id

),

final as (

    select
        keyed.*,
        source_names.source_name
    from keyed
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
