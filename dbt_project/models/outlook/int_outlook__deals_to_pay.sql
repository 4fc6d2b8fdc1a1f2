-- One row per day on which a forecast is made and deal that is open or won then: what of
-- its amount has not been paid, never below 0. NULL without an amount. Deals that were won
-- long before owe nothing that is expected any more.

with scores as (

    select * from {{ source('outlook', 'scores') }}

),

closings as (

    select * from {{ ref('int_outlook__closings') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

payments as (

    select * from {{ ref('fct_payments') }}

),

lags as (

    select * from {{ ref('int_outlook__payment_lags') }}

),

candidates as (

    select
        observed_on,
        deal_id,
        'open' as outcome,
        cast(null as date) as closed_on
    from scores
    union all
    select
        lags.observed_on,
        closings.deal_id,
        'won' as outcome,
        closings.closed_on
    from lags
    inner join closings
        on
            lags.observed_on >= closings.closed_on
            and (closings.reopened_on is null or lags.observed_on < closings.reopened_on)
    where
        closings.outcome = 'won'
        and {{ add_days('closings.closed_on', 'lags.lag_days + ' ~ patience_days()) }}
            >= lags.observed_on

),

paid as (

    select
        candidates.observed_on,
        candidates.deal_id,
        sum(payments.amount) as paid_amount
    from candidates
    inner join payments
        on
            candidates.deal_id = payments.deal_id
            and candidates.observed_on >= payments.paid_on
    group by 1, 2

),

final as (

    select
        candidates.observed_on,
        candidates.deal_id,
        deals.manager_id,
        candidates.outcome,
        candidates.closed_on,
        {{ unpaid_amount('deals.amount', 'paid.paid_amount') }} as unpaid_amount
    from candidates
    inner join deals
        on candidates.deal_id = deals.deal_id
    left join paid
        on
            candidates.observed_on = paid.observed_on
            and candidates.deal_id = paid.deal_id

)

select * from final
