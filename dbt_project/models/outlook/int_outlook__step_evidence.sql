-- One row per next step: by how much more often deals were won that had it within a week
-- than deals that had not, within strata of pipeline, stage kind, age and silence
-- (Mantel-Haenszel risk difference; Greenland-Robins variance, clustered by deal).

with landmarks as (

    select * from {{ ref('int_outlook__step_landmarks') }}

),

steps as (

    select * from {{ ref('next_steps') }}

),

strata as (

    select
        *,
        count(*) over stratum as cases,
        sum(case when is_done then 1 else 0 end) over stratum as done_cases,
        sum(case when is_done and is_won then 1 else 0 end) over stratum as done_won,
        sum(case when not is_done and is_won then 1 else 0 end) over stratum as other_won
    from landmarks
    window stratum as (partition by step, pipeline_id, stage_kind, age_band, silence_band)

),

-- A stratum in which all or none had the step says nothing.
telling as (

    select
        step,
        deal_id,
        is_done,
        {{ ratio('done_cases', 'cases') }} as done_share,
        case when is_won then 1.0 else 0.0 end as won,
        {{ ratio('done_won', 'done_cases') }} as done_rate,
        {{ ratio('other_won', '(cases - done_cases)') }} as other_rate
    from strata
    where done_cases > 0 and done_cases < cases

),

by_case as (

    select
        step,
        deal_id,
        is_done,
        -- Summed over a stratum: n1 * n0 / n.
        done_share * (1 - done_share) as weight,
        case when is_done then (1 - done_share) * won else -done_share * won end as difference,
        case
            when is_done then (1 - done_share) * (won - done_rate)
            else -done_share * (won - other_rate)
        end as deviation
    from telling

),

by_deal as (

    select
        step,
        deal_id,
        bool_or(is_done) as has_done,
        bool_or(not is_done) as has_other,
        sum(weight) as weight,
        sum(difference) as difference,
        sum(deviation) as deviation
    from by_case
    group by 1, 2

),

summed as (

    select
        step,
        count(*) filter (where has_done) as done_deals,
        count(*) filter (where has_other) as other_deals,
        {{ ratio('sum(difference)', 'sum(weight)') }} as lift,
        {{ ratio('sqrt(sum(deviation * deviation))', 'sum(weight)') }} as standard_error
    from by_deal
    group by 1

),

counted_steps as (

    select count(*) as steps
    from steps

),

final as (

    select
        summed.step,
        summed.done_deals,
        summed.other_deals,
        least(summed.done_deals, summed.other_deals) as cases,
        {{ rounded('summed.lift', 6) }} as lift,
        {{ rounded('summed.standard_error', 6) }} as standard_error,
        least(summed.done_deals, summed.other_deals) >= 30
        and summed.lift - {{ normal_quantile('(' ~ ratio('0.2', 'counted_steps.steps') ~ ')') }}
            * summed.standard_error > 0 as is_evident
    from summed
    cross join counted_steps

)

select * from final
