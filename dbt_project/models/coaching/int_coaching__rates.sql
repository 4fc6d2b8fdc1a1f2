-- The rates that belong to a manager's role, with both sides of each: one row per month
-- that began by the as-of date, known manager with a row in it, and rate of his role. A
-- role without rates of its own has those of `any`, where there is something to divide by.

with manager_periods as (

    select * from {{ ref('kpi_manager_period') }}

),

period_parts as (

    select * from {{ ref('int_periods__managers') }}

),

role_metrics as (

    select * from {{ ref('role_metrics') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

months as (

    select
        manager_periods.*,
        coalesce(period_parts.leads_answered_in_5min, 0) as leads_answered_in_5min
    from manager_periods
    cross join as_of
    left join period_parts
        on {{ same_cell('manager_periods', 'period_parts') }}
    where
        manager_periods.period_grain = 'month'
        and manager_periods.manager_id != 'unknown'
        and manager_periods.period_start <= as_of.as_of_date

),

named_roles as (

    select distinct role
    from role_metrics

),

rates as (

    {% for metric in manager_rates() %}
    select
        period_start,
        manager_id,
        role,
        '{{ metric }}' as metric,
        '{{ good_directions()[metric] }}' as good_direction,
        cast({{ figure_side(metric, 0) }} as bigint) as numerator,
        cast({{ figure_side(metric, 1) }} as bigint) as denominator,
        {{ metric }} as value,
        set_meetings_paid,
        deals_won
    from months
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        rates.period_start,
        rates.manager_id,
        coalesce(rates.role, 'none') as team_role,
        rates.metric,
        rates.good_direction,
        rates.numerator,
        rates.denominator,
        rates.value,
        role_metrics.funnel,
        role_metrics.from_step,
        role_metrics.to_step,
        case role_metrics.funnel
            when 'meetings' then rates.set_meetings_paid
            when 'deals' then rates.deals_won
        end as funnel_deals
    from rates
    left join named_roles
        on rates.role = named_roles.role
    inner join role_metrics
        on
            rates.metric = role_metrics.metric
            and coalesce(named_roles.role, 'any') = role_metrics.role
    where role_metrics.role != 'any' or rates.denominator > 0

)

select * from final
