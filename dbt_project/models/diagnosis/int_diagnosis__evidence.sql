-- What each check has to say: one row per period, manager and metric of a check, with
-- both values and whether the check holds. Call quality shows the rate that changed
-- for the worse of two, and holds if either fell.

{% set plain_metrics = ['target_lead_rate', 'meeting_confirmation_rate',
    'confirmed_to_held_rate', 'calls_60s', 'talk_minutes', 'leads_taken'] %}
{% set needs_ratio = ratio('needs_found_rate', 'previous_needs_found_rate') %}
{% set step_ratio = ratio('next_step_rate', 'previous_next_step_rate') %}

with figures as (

    select * from {{ ref('int_diagnosis__figures') }}

),

new_source_shares as (

    select * from {{ ref('int_diagnosis__new_source_share') }}

),

plain as (

    {% for metric in plain_metrics %}
    select
        period_grain,
        period_start,
        manager_id,
        '{{ metric }}' as check_metric,
        '{{ metric }}' as metric,
        cast({{ metric }} as double) as current_value,
        cast(previous_{{ metric }} as double) as previous_value,
        {{ metric }} is not null and previous_{{ metric }} is not null as has_data,
        {{ fell(metric) }} as holds
    from figures
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

call_quality as (

    select
        *,
        coalesce({{ step_ratio }} < {{ needs_ratio }}, {{ needs_ratio }} is null
            and {{ step_ratio }} is not null) as shows_next_step
    from figures

),

shown_call_quality as (

    select
        period_grain,
        period_start,
        manager_id,
        'call_quality' as check_metric,
        case when shows_next_step then 'next_step_rate' else 'needs_found_rate' end as metric,
        case when shows_next_step then next_step_rate else needs_found_rate end as current_value,
        case
            when shows_next_step then previous_next_step_rate
            else previous_needs_found_rate
        end as previous_value,
        (needs_found_rate is not null and previous_needs_found_rate is not null)
        or (next_step_rate is not null and previous_next_step_rate is not null) as has_data,
        {{ fell('needs_found_rate') }} or {{ fell('next_step_rate') }} as holds
    from call_quality

),

new_sources as (

    select
        figures.period_grain,
        figures.period_start,
        figures.manager_id,
        'new_source_share' as check_metric,
        'new_source_share' as metric,
        case
            when figures.previous_meetings_set > 0 then new_source_shares.new_source_share
        end as current_value,
        cast(null as double) as previous_value,
        figures.meetings_set > 0 and figures.previous_meetings_set > 0 as has_data,
        coalesce(new_source_shares.new_source_share >= {{ large_new_source_share() }}, false)
            as holds
    from figures
    left join new_source_shares
        on {{ same_cell('figures', 'new_source_shares') }}

),

final as (

    select * from plain
    union all
    select * from shown_call_quality
    union all
    select * from new_sources

)

select * from final
