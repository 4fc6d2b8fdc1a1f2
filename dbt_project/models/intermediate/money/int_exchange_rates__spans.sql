-- One row per currency and run of days on which a rate holds: from its date until
-- the currency's next rate. The base currency is always worth one.

with rates as (

    select * from {{ ref('stg_finance__exchange_rates') }}

),

spans as (

    select
        currency,
        rate,
        rate_date as holds_from,
        coalesce(
            lead(rate_date) over (partition by currency order by rate_date),
            date '9999-12-31'
        ) as holds_until
    from rates
    where currency != {{ base_currency() }}

),

base_currency as (

    select
        {{ base_currency() }} as currency,
        cast(1 as decimal(18, 8)) as rate,
        date '0001-01-01' as holds_from,
        date '9999-12-31' as holds_until

),

final as (

    select * from spans
    union all
    select * from base_currency

)

select * from final
