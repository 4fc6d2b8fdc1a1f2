-- One row per quota: the figure of kpi_manager_period with the quota's name, and what of
-- it is due to date: of a figure that adds up, its part up to the as-of date. Where the
-- manager's period has no row, what is added up or open is 0 and a ratio is unknown; so
-- is a metric of no known name.

with quotas as (

    select * from {{ ref('stg_crm__quotas') }}

),

to_date as (

    select * from {{ ref('int_plans__figures_to_date') }}

),

manager_periods as (

    select * from {{ ref('kpi_manager_period') }}

),

figures as (

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
        end as actual,
        case
            when quotas.metric in (
                {%- for metric in additive_metrics() %}
                '{{ metric }}'{{ ',' if not loop.last }}
                {%- endfor %}
            ) then coalesce(
                case quotas.metric
                    {%- for metric in additive_metrics() %}
                    when '{{ metric }}' then cast(to_date.{{ metric }} as double)
                    {%- endfor %}
                end,
                0
            )
        end as added_up_to_date
    from quotas
    left join to_date
        on {{ same_cell('quotas', 'to_date', ['manager_id', 'period', 'period_start']) }}
    left join manager_periods
        on
            quotas.manager_id = manager_periods.manager_id
            and quotas.period = manager_periods.period_grain
            and quotas.period_start = manager_periods.period_start

),

final as (

    select
        manager_id,
        metric,
        period,
        period_start,
        actual,
        coalesce(added_up_to_date, actual) as actual_to_date
    from figures

)

select * from final
