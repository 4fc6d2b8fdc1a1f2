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

contact_names as (

    select * from {{ ref('dim_contact') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

stage_names as (

    select * from {{ ref('dim_stage') }}

),

pipeline_names as (

    select * from {{ ref('dim_pipeline') }}

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

keyed as (

    select
        *,
        {{ ratio('cycle_microseconds', microseconds_per_day()) }} as cycle_days
    from deals_with_cycle

),

final as (

    select
        keyed.*,
        contact_names.contact_name,
        manager_names.manager_name,
        manager_names.team,
        source_names.source_name,
        stage_names.stage_name,
        pipeline_names.pipeline_name
    from keyed
    left join contact_names
        on keyed.contact_id = contact_names.contact_id
    left join manager_names
        on keyed.manager_id = manager_names.manager_id
    left join source_names
        on keyed.source_id = source_names.source_id
    left join stage_names
        on keyed.stage_id = stage_names.stage_id
    left join pipeline_names
        on keyed.pipeline_id = pipeline_names.pipeline_id

)

select * from final
