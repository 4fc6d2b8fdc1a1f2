-- One row per figure and currency of its money: how many existing payments, deals with an
-- amount or costs there are, and how many of them have no amount in base currency.

with payments as (

    select * from {{ ref('stg_crm__payments') }}

),

priced_payments as (

    select * from {{ ref('int_payments__resolved') }}

),

deals as (

    select * from {{ ref('int_deals__resolved') }}

),

priced_deals as (

    select * from {{ ref('int_deals__amount') }}

),

outcomes as (

    select * from {{ ref('int_deals__outcome') }}

),

costs as (

    select * from {{ ref('int_quality__costs') }}

),

money as (

    select
        'revenue' as figure,
        'crm.payments' as table_name,
        payments.currency,
        {{ local_date('payments.paid_at') }} as event_on,
        case payments.kind
            when 'refund' then -payments.amount
            else payments.amount
        end as amount,
        priced_payments.has_no_rate
    from payments
    inner join priced_payments
        on payments.payment_id = priced_payments.payment_id

    union all

    select
        case outcomes.outcome
            when 'won' then 'won_amount'
            when 'lost' then 'lost_amount'
            else 'open_amount'
        end as figure,
        'crm.deals' as table_name,
        deals.currency,
        {{ local_date('coalesce(outcomes.closed_at, deals.created_at)') }} as event_on,
        deals.raw_amount as amount,
        priced_deals.has_no_rate
    from deals
    inner join priced_deals
        on deals.deal_id = priced_deals.deal_id
    inner join outcomes
        on deals.deal_id = outcomes.deal_id
    where deals.raw_amount is not null

    union all

    select
        figure,
        table_name,
        currency,
        event_on,
        cost as amount,
        has_no_rate
    from costs

),

final as (

    select
        figure,
        table_name,
        coalesce(currency, {{ base_currency() }}) as currency,
        count(*) as rows,
        count(*) filter (where has_no_rate) as rows_unpriced,
        cast(sum(amount) filter (where has_no_rate) as decimal(38, 4)) as amount_unpriced,
        min(event_on) filter (where has_no_rate) as first_unpriced_on,
        max(event_on) filter (where has_no_rate) as last_unpriced_on
    from money
    group by 1, 2, 3

)

select * from final
