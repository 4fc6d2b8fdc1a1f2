-- One row per week or month and manager with meetings set: the greatest share of them
-- from a source that gave the manager none in the period before, 0 if there is none.

with sourced_periods as (

    select * from {{ ref('kpi_lead_generator_period') }}

),

meetings as (

    select
        period_grain,
        period_start,
        manager_id,
        source_id,
        meetings_set,
        sum(meetings_set) over (
            partition by period_grain, period_start, manager_id
        ) as all_meetings_set
    from sourced_periods
    where period_grain in ('week', 'month') and meetings_set > 0

),

final as (

    select
        this_period.period_grain,
        this_period.period_start,
        this_period.manager_id,
        max(case
            when last_period.source_id is null
                then {{ ratio('this_period.meetings_set', 'this_period.all_meetings_set') }}
            else 0
        end) as new_source_share
    from meetings as this_period
    left join meetings as last_period
        on
            this_period.period_grain = last_period.period_grain
            and {{ previous_period_start('this_period.period_grain', 'this_period.period_start') }}
                = last_period.period_start
            and this_period.manager_id = last_period.manager_id
            and this_period.source_id = last_period.source_id
    group by 1, 2, 3

)

select * from final
