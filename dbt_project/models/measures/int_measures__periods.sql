-- All daily measures summed by period: one row per grain, period, manager and source.

{{ config(materialized='touched_keys', meta={
    'key': ['period_grain', 'period_start', 'manager_id', 'source_id'],
    'touched_by': {
        'int_measures__daily': 'select period_grain, ' ~ period_start('period_grain', 'date_day')
            ~ ' as period_start, manager_id, source_id from changes cross join ('
            ~ period_grains() ~ ')',
    },
}) }}

with daily_measures as (

    select * from {{ ref('int_measures__daily') }}

),

grains as (
    {{ period_grains() }}

),

days_of_periods as (

    select
        daily_measures.*,
        grains.period_grain,
        {{ period_start('grains.period_grain', 'daily_measures.date_day') }} as period_start
    from daily_measures
    cross join grains

),

asked_days as (

    select * from days_of_periods
    {{ where_touched('period_grain, period_start, manager_id, source_id') }}

),

final as (

    select
        period_grain,
        period_start,
        manager_id,
        source_id,
        {{- summed_measures() }}
    from asked_days
    group by 1, 2, 3, 4

)

select * from final
