-- Whether a manager works many deals lightly or few deeply: one row per month and known
-- manager with deals in work, those open at the month's end or closed in it. `breadth` is
-- more deals than the team's median with fewer actions a deal, `depth` the opposite.

with manager_periods as (

    select * from {{ ref('kpi_manager_period') }}

),

months as (

    select
        period_start,
        manager_id,
        coalesce(role, 'none') as team_role,
        open_deals + deals_won + deals_lost as deals_in_work,
        {{ ratio('sales_actions', 'open_deals + deals_won + deals_lost') }} as actions_per_deal
    from manager_periods
    where
        period_grain = 'month'
        and manager_id != 'unknown'
        and open_deals + deals_won + deals_lost > 0

),

teams as (

    select
        period_start,
        team_role,
        {{ median_of('cast(deals_in_work as double)') }} as team_deals_in_work,
        {{ median_of('actions_per_deal') }} as team_actions_per_deal
    from months
    group by 1, 2

),

final as (

    select
        months.period_start,
        months.manager_id,
        months.deals_in_work,
        months.actions_per_deal,
        teams.team_deals_in_work,
        teams.team_actions_per_deal,
        case
            when
                months.deals_in_work > teams.team_deals_in_work
                and months.actions_per_deal < teams.team_actions_per_deal
                then 'breadth'
            when
                months.deals_in_work < teams.team_deals_in_work
                and months.actions_per_deal > teams.team_actions_per_deal
                then 'depth'
        end as depth_or_breadth
    from months
    inner join teams
        on {{ same_cell('months', 'teams', ['period_start', 'team_role']) }}

)

select * from final
