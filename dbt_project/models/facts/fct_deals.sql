-- One row per existing deal, with its outcome, base amount and first payment.

with deals as (

    select * from {{ ref('int_deals__resolved') }}

),

outcomes as (

    select * from {{ ref('int_deals__outcome') }}

),

amounts as (

    select * from {{ ref('int_deals__amount') }}

),

first_payments as (

    select * from {{ ref('int_deals__first_payment') }}

),

deals_with_cycle as (

    select
        deals.deal_id,
        deals.lead_id,
        coalesce(deals.contact_id, 'unknown') as contact_id,
        coalesce(deals.manager_id, 'unknown') as manager_id,
        coalesce(deals.source_id, 'unknown') as source_id,
        coalesce(outcomes.stage_id, 'unknown') as stage_id,
        outcomes.pipeline_id,
        deals.deal_type,
        deals.lost_reason,
        deals.created_at,
        {{ local_date('deals.created_at') }} as created_on,
        deals.expected_close_on,
        outcomes.outcome,
        outcomes.closed_at,
        {{ local_date('outcomes.closed_at') }} as closed_on,
        case
            when outcomes.outcome = 'won' then {{ microseconds_between(
                'coalesce(deals.lead_created_at, deals.created_at)', 'outcomes.closed_at'
            ) }}
        end as cycle_microseconds,
        amounts.amount,
        first_payments.first_paid_at
    from deals
    inner join outcomes
        on deals.deal_id = outcomes.deal_id
    inner join amounts
        on deals.deal_id = amounts.deal_id
    left join first_payments
        on deals.deal_id = first_payments.deal_id

),

final as (

    select
        *,
        {{ ratio('cycle_microseconds', microseconds_per_day()) }} as cycle_days
    from deals_with_cycle

)

select * from final
