-- One row per customer: a known contact with at least one payment.

with payments as (

    select * from {{ ref('fct_payments') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

contacts as (

    select * from {{ ref('dim_contact') }}

),

sources as (

    select * from {{ ref('dim_source') }}

),

active_spans as (

    select * from {{ ref('fct_customer_spans') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

payment_totals as (

    select
        contact_id,
        min(paid_on) filter (where kind = 'payment') as first_paid_on,
        max(paid_on) filter (where kind = 'payment') as last_paid_on,
        count(*) filter (where kind = 'payment') as payments,
        cast(coalesce(sum(amount), 0) as {{ type_money() }}) as revenue
    from payments
    where contact_id != 'unknown'
    group by 1

),

won_deals as (

    select
        contact_id,
        count(*) as deals_won
    from deals
    where outcome = 'won'
    group by 1

),

final as (

    select
        payment_totals.contact_id,
        contacts.contact_name,
        contacts.company,
        contacts.source_id,
        sources.source_name,
        payment_totals.first_paid_on,
        payment_totals.last_paid_on,
        payment_totals.payments,
        payment_totals.revenue,
        coalesce(won_deals.deals_won, 0) as deals_won,
        {{ days_between('payment_totals.first_paid_on', 'payment_totals.last_paid_on') }}
            as lifetime_days,
        active_spans.contact_id is not null as is_active,
        case
            when {{ add_days('payment_totals.last_paid_on', var('churn_days')) }}
                <= as_of.as_of_date
                then {{ add_days('payment_totals.last_paid_on', var('churn_days')) }}
        end as churned_on
    from payment_totals
    inner join contacts
        on payment_totals.contact_id = contacts.contact_id
    inner join sources
        on contacts.source_id = sources.source_id
    cross join as_of
    left join won_deals
        on payment_totals.contact_id = won_deals.contact_id
    left join active_spans
        on
            payment_totals.contact_id = active_spans.contact_id
            and as_of.as_of_date >= active_spans.active_from
            and as_of.as_of_date < active_spans.active_until
    where payment_totals.payments > 0

)

select * from final
