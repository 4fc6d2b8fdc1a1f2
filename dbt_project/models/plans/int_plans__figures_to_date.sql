-- One row per manager and period that has a quota: the figures that add up, over the
-- period's days to the as-of date.

with quotas as (

    select * from {{ ref('stg_crm__quotas') }}

),

measures as (

    select * from {{ ref('int_measures__daily') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

periods as (

    select distinct
        manager_id,
        period,
        period_start
    from quotas

),

totals as (

    select
        periods.manager_id,
        periods.period,
        periods.period_start,
        {{- summed_measures() }}
    from periods
    cross join as_of
    inner join measures
        on
            periods.manager_id = measures.manager_id
            and measures.date_day >= periods.period_start
            and measures.date_day
            < {{ next_period_start('periods.period', 'periods.period_start') }}
            and measures.date_day <= as_of.as_of_date
    group by 1, 2, 3

),

final as (

    select
        totals.manager_id,
        totals.period,
        totals.period_start,
        {{- additive_figures('totals') }}
    from totals

)

select * from final
