-- One row per grain, period and manager with anything to count or an open deal.

with periods as (

    select * from {{ ref('int_periods__managers') }}

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
