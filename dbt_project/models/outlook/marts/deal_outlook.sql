-- One row per deal that was open at the end of the as-of date: what the past says of it,
-- and what to do next.

with open_deals as (

    select * from {{ ref('int_outlook__open_deals') }}

),

scores as (

    select * from {{ source('outlook', 'scores') }}

),

reasons as (

    select * from {{ source('outlook', 'reasons') }}

),

next_steps as (

    select * from {{ ref('int_outlook__next_steps') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

outlooks as (

    select
        open_deals.deal_id,
        open_deals.observed_on as as_of_on,
        open_deals.pipeline_id,
        open_deals.stage_id,
        stages.stage_name,
        open_deals.manager_id,
        managers.manager_name,
        managers.team,
        open_deals.source_id,
        open_deals.amount,
        open_deals.paid_amount,
        open_deals.age_days,
        open_deals.days_in_stage,
        open_deals.days_since_contact,
        open_deals.is_stale,
        scores.win_probability,
        scores.win_probability_low,
        scores.win_probability_high,
        scores.closes_this_month_probability,
        scores.closes_next_month_probability,
        {{ add_days('open_deals.observed_on', 'scores.median_days') }} as expected_close_on,
        cast({{ rounded(
            'cast(open_deals.unpaid_amount as double) * scores.win_probability', 2
        ) }} as {{ type_money() }}) as expected_amount,
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
    from open_deals
    inner join managers
        on open_deals.manager_id = managers.manager_id
    inner join stages
        on open_deals.stage_id = stages.stage_id
    left join scores
        on
            open_deals.deal_id = scores.deal_id
            and open_deals.observed_on = scores.observed_on
    left join reasons
        on open_deals.deal_id = reasons.deal_id
    left join next_steps
        on open_deals.deal_id = next_steps.deal_id

),

final as (

    select
        *,
        cast(row_number() over (
            partition by manager_id
            order by
                is_stale asc,
                coalesce(next_step_lift, 0) * coalesce(cast(amount as double), 0) desc,
                expected_amount desc nulls last,
                deal_id asc
        ) as bigint) as rank
    from outlooks

)

select * from final
