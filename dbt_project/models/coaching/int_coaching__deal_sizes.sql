-- What a deal more would have been worth to a manager: one row per month and manager. His
-- own mean deal size; else the median of those of his role; else the company's mean. A mean
-- of 0 is none: its deals have no amount.

with manager_periods as (

    select * from {{ ref('kpi_manager_period') }}

),

company_periods as (

    select * from {{ ref('kpi_company_period') }}

),

months as (

    select
        period_start,
        manager_id,
        coalesce(role, 'none') as team_role,
        nullif(avg_deal_size, 0) as deal_size
    from manager_periods
    where period_grain = 'month' and manager_id != 'unknown'

),

teams as (

    select
        period_start,
        team_role,
        {{ median_of('deal_size') }} as deal_size
    from months
    group by 1, 2

),

final as (

    select
        months.period_start,
        months.manager_id,
        coalesce(
            months.deal_size, teams.deal_size, nullif(company_periods.avg_deal_size, 0)
        ) as deal_size
    from months
    inner join teams
        on {{ same_cell('months', 'teams', ['period_start', 'team_role']) }}
    left join company_periods
        on
            months.period_start = company_periods.period_start
            and company_periods.period_grain = 'month'

)

select * from final
