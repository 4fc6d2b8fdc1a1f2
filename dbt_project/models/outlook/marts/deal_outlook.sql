-- One row per deal that was open at the end of the as-of date: what the past says of it,
-- and what to do next.

with observations as (

    select * from {{ ref('int_outlook__observations') }}
    where is_as_of

),

deals as (

    select * from {{ ref('fct_deals') }}

),

scores as (

    select * from {{ source('outlook', 'scores') }}

),

reasons as (

    select * from {{ source('outlook', 'reasons') }}

),

stale_ages as (

    select * from {{ ref('int_outlook__stale_ages') }}

),

next_steps as (

    select * from {{ ref('int_outlook__next_steps') }}

),

payments as (

    select * from {{ ref('fct_payments') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

paid as (

    select
        payments.deal_id,
        sum(payments.amount) as paid_amount
    from payments
    cross join as_of
    where payments.paid_on <= as_of.as_of_date
    group by 1

),

outlooks as (

    select
        observations.deal_id,
        observations.observed_on as as_of_on,
        observations.pipeline_id,
        observations.stage_id,
        stages.stage_name,
        deals.manager_id,
        managers.manager_name,
        managers.team,
        deals.source_id,
        deals.amount,
        cast(coalesce(paid.paid_amount, 0) as {{ type_money() }}) as paid_amount,
        observations.age_days,
        observations.days_in_stage,
        observations.days_since_contact,
        coalesce(observations.age_days > stale_ages.stale_after_days, false) as is_stale,
        scores.win_probability,
        scores.win_probability_low,
        scores.win_probability_high,
        scores.closes_this_month_probability,
        scores.closes_next_month_probability,
        {{ add_days('observations.observed_on', 'scores.median_days') }} as expected_close_on,
        cast(
            cast({{ unpaid_amount('deals.amount', 'paid.paid_amount') }} as double)
            * scores.win_probability
        as {{ type_money() }}) as expected_amount,
        coalesce(scores.method, 'none') as method,
        {%- for number in [1, 2, 3] %}
        reasons.reason_{{ number }},
        reasons.reason_{{ number }}_ru,
        reasons.reason_{{ number }}_en,
        {%- endfor %}
        next_steps.next_step,
        next_steps.next_step_ru,
        next_steps.next_step_en,
        next_steps.next_step_lift,
        next_steps.next_step_cases
    from observations
    inner join deals
        on observations.deal_id = deals.deal_id
    inner join managers
        on deals.manager_id = managers.manager_id
    inner join stages
        on observations.stage_id = stages.stage_id
    left join scores
        on
            observations.deal_id = scores.deal_id
            and observations.observed_on = scores.observed_on
    left join reasons
        on observations.deal_id = reasons.deal_id
    left join stale_ages
        on
            observations.observed_on = stale_ages.observed_on
            and observations.pipeline_id = stale_ages.pipeline_id
    left join next_steps
        on observations.deal_id = next_steps.deal_id
    left join paid
        on observations.deal_id = paid.deal_id

),

final as (

    select
        *,
        row_number() over (
            partition by manager_id
            order by
                is_stale asc,
                coalesce(next_step_lift, 0) * coalesce(cast(amount as double), 0) desc,
                expected_amount desc nulls last,
                deal_id asc
        ) as rank
    from outlooks

)

select * from final
