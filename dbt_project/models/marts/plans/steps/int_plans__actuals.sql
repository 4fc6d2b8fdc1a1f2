-- One row per quota: the figure of kpi_manager_period with the quota's name. Where
-- the manager's period has no row, what is added up or open is 0 and a ratio is
-- unknown; so is a metric of no known name.

with quotas as (

    select * from {{ ref('stg_crm__quotas') }}

),

manager_periods as (

    select * from {{ ref('kpi_manager_period') }}

),

final as (

    select
        quotas.manager_id,
        quotas.metric,
        quotas.period,
        quotas.period_start,
        case quotas.metric
            {%- for metric in additive_metrics() + open_metrics() %}
            when '{{ metric }}' then coalesce(cast(manager_periods.{{ metric }} as double), 0)
            {%- endfor %}
            {%- for metric in ratio_metrics() %}
            when '{{ metric }}' then manager_periods.{{ metric }}
            {%- endfor %}
        end as actual
    from quotas
    left join manager_periods
        on
            quotas.manager_id = manager_periods.manager_id
            and quotas.period = manager_periods.period_grain
            and quotas.period_start = manager_periods.period_start

)

select * from final
