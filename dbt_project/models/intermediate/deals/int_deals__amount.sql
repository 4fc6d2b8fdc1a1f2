-- One row per existing deal: its amount in base currency at the rate of the local
-- date on which it closed, else was created. NULL where there is none, no
-- rate, or the result is beyond its type.

with deals as (

    select * from {{ ref('int_deals__resolved') }}

),

outcomes as (

    select * from {{ ref('int_deals__outcome') }}

),

rates as (

    select * from {{ ref('int_exchange_rates__spans') }}

),

final as (

    select
        deals.deal_id,
        {{ base_amount('deals.raw_amount', 'rates.rate') }} as amount,
        deals.raw_amount is not null
        and {{ base_amount('deals.raw_amount', 'rates.rate') }} is null as has_no_rate
    from deals
    inner join outcomes
        on deals.deal_id = outcomes.deal_id
    left join rates
        on
            coalesce(deals.currency, {{ base_currency() }}) = rates.currency
            and {{ local_date('coalesce(outcomes.closed_at, deals.created_at)') }}
                >= rates.holds_from
            and {{ local_date('coalesce(outcomes.closed_at, deals.created_at)') }}
                < rates.holds_until

)

select * from final
