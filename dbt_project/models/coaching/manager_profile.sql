-- What a manager is good at and where he falls behind: one row per month, known manager and
-- rate of his role, against the team's median, his own month before and chance.

with rates as (

    select * from {{ ref('int_coaching__rates') }}

),

team_medians as (

    select * from {{ ref('int_coaching__team_medians') }}

),

gaps as (

    select * from {{ ref('int_coaching__gaps') }}

),

deal_load as (

    select * from {{ ref('int_coaching__deal_load') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

intervals as (

    select
        *,
        {{ wilson_bound('low', 'numerator', 'denominator') }} as low,
        {{ wilson_bound('high', 'numerator', 'denominator') }} as high
    from rates

),

final as (

    select
        rates.period_start,
        rates.manager_id,
        managers.manager_name,
        managers.team,
        managers.role,
        rates.metric,
        rates.value,
        rates.numerator,
        rates.denominator,
        team_medians.team_median,
        coalesce(team_medians.team_managers, 0) as team_managers,
        last_month.value as own_previous,
        rates.low,
        rates.high,
        rates.denominator < {{ small_sample() }} as is_small_sample,
        rates.funnel,
        rates.from_step,
        rates.to_step,
        gaps.gap_in_deals,
        gaps.gap_in_money,
        case
            when
                (rates.good_direction = 'up' and rates.low > team_medians.team_median)
                or (rates.good_direction = 'down' and rates.high < team_medians.team_median)
                then 'strength'
            when
                (rates.good_direction = 'up' and rates.high < team_medians.team_median)
                or (rates.good_direction = 'down' and rates.low > team_medians.team_median)
                then 'weakness'
        end as verdict,
        deal_load.depth_or_breadth,
        deal_load.deals_in_work,
        deal_load.actions_per_deal,
        deal_load.team_deals_in_work,
        deal_load.team_actions_per_deal
    from intervals as rates
    inner join managers
        on rates.manager_id = managers.manager_id
    left join team_medians
        on {{ same_cell('rates', 'team_medians', ['period_start', 'team_role', 'metric']) }}
    left join rates as last_month
        on
            {{ same_cell('rates', 'last_month', ['manager_id', 'metric']) }}
            and {{ previous_period_start("'month'", 'rates.period_start') }}
                = last_month.period_start
    left join gaps
        on {{ same_cell('rates', 'gaps', ['period_start', 'manager_id', 'metric']) }}
    left join deal_load
        on {{ same_cell('rates', 'deal_load', ['period_start', 'manager_id']) }}

)

select * from final
