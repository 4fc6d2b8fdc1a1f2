-- One row per deal that was open at the end of the as-of date: where it stands, what has
-- been paid of it, and whether it is stale: older than 95 % of the pipeline's closed deals
-- were when they closed.

with observations as (

    select * from {{ ref('int_outlook__observations') }}
    where is_as_of

),

deals as (

    select * from {{ ref('fct_deals') }}

),

payments as (

    select * from {{ ref('fct_payments') }}

),

stale_ages as (

    select * from {{ ref('int_outlook__stale_ages') }}

),

paid as (

    select
        observations.deal_id,
        sum(payments.amount) as paid_amount
    from observations
    inner join payments
        on
            observations.deal_id = payments.deal_id
            and observations.observed_on >= payments.paid_on
    group by 1

),

final as (

    select
        observations.deal_id,
        observations.observed_on,
        observations.pipeline_id,
        observations.stage_id,
        deals.manager_id,
        deals.source_id,
        deals.amount,
        cast(coalesce(paid.paid_amount, 0) as {{ type_money() }}) as paid_amount,
        {{ unpaid_amount('deals.amount', 'paid.paid_amount') }} as unpaid_amount,
        observations.age_days,
        observations.days_in_stage,
        observations.days_since_contact,
        coalesce(observations.age_days > stale_ages.stale_after_days, false) as is_stale
    from observations
    inner join deals
        on observations.deal_id = deals.deal_id
    left join paid
        on observations.deal_id = paid.deal_id
    left join stale_ages
        on
            observations.observed_on = stale_ages.observed_on
            and observations.pipeline_id = stale_ages.pipeline_id

)

select * from final
