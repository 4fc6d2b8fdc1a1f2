-- What a diagnosis compares: one row per week or month that ended by the as-of date
-- and known manager with a row in it or in the one before, with the figures of both.
-- A missing figure that adds up is 0, a missing ratio unknown.

{% set additive = ['calls_60s', 'talk_minutes', 'leads_taken', 'meetings_set',
    'set_meetings_held', 'set_meetings_paid'] %}
{% set ratios = ['target_lead_rate', 'needs_found_rate', 'next_step_rate',
    'meeting_confirmation_rate', 'confirmed_to_held_rate'] %}

with manager_periods as (

    select * from {{ ref('kpi_manager_period') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

known as (

    select *
    from manager_periods
    where period_grain in ('week', 'month') and manager_id != 'unknown'

),

cells as (

    select period_grain, period_start, manager_id
    from known
    union
    select
        period_grain,
        {{ next_period_start('period_grain', 'period_start') }} as period_start,
        manager_id
    from known

),

final as (

    select
        cells.period_grain,
        cells.period_start,
        cells.manager_id,
        {%- for metric in additive %}
        coalesce(this_period.{{ metric }}, 0) as {{ metric }},
        coalesce(last_period.{{ metric }}, 0) as previous_{{ metric }},
        {%- endfor %}
        {%- for metric in ratios %}
        this_period.{{ metric }},
        last_period.{{ metric }} as previous_{{ metric }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from cells
    cross join as_of
    left join known as this_period
        on {{ same_cell('cells', 'this_period') }}
    left join known as last_period
        on
            cells.period_grain = last_period.period_grain
            and {{ previous_period_start('cells.period_grain', 'cells.period_start') }}
                = last_period.period_start
            and cells.manager_id = last_period.manager_id
    where
        {{ next_period_start('cells.period_grain', 'cells.period_start') }}
        <= {{ add_days('as_of.as_of_date', 1) }}

)

select * from final
