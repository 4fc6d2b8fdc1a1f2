-- All daily measures summed by period: one row per grain, period, manager and source.

{{ config(materialized='touched_keys', meta={
    'key': ['period_grain', 'period_start'],
    'touched_by': {
        'int_measures__daily': 'select period_grain, ' ~ period_start('period_grain', 'date_day')
            ~ ' as period_start from changes cross join (' ~ period_grains() ~ ')',
    },
}) }}

with daily_measures as (

    select * from {{ ref('int_measures__daily') }}

),

grains as (
    {{ period_grains() }}

),

dates as (

    select distinct date_day from daily_measures

),

periods as (

    select
        dates.date_day,
        grains.period_grain,
        {{ period_start('grains.period_grain', 'dates.date_day') }} as period_start
    from dates
    cross join grains

),

asked_periods as (

    select * from periods
    {{ where_touched('period_grain, period_start') }}

),

final as (

    select
        asked_periods.period_grain,
        asked_periods.period_start,
        daily_measures.manager_id,
        daily_measures.source_id,
        {{- summed_measures() }}
    from daily_measures
    inner join asked_periods
        on daily_measures.date_day = asked_periods.date_day
    group by 1, 2, 3, 4

)

select * from final
