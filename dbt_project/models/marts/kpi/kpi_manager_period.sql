-- One row per grain, period and manager with anything to count or an open deal.

{% set key = ['period_grain', 'period_start', 'manager_id'] %}
{{ config(materialized='touched_keys', meta={
    'key': key,
    'touched_by': {
        'int_periods__managers': 'select ' ~ key | join(', ') ~ ' from changes',
        'dim_manager': rows_of_members('int_periods__managers', key, 'manager_id'),
    },
}) }}

with periods as (

    select * from {{ ref('int_periods__managers') }}
    {{ where_touched(key | join(', ')) }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

final as (

    select
        periods.period_grain,
        periods.period_start,
        periods.manager_id,
        managers.manager_name,
        managers.team,
        managers.role,
        {{- period_figures('periods') }}
    from periods
    inner join managers
        on periods.manager_id = managers.manager_id

)

select * from final
