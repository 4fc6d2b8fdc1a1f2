-- What a manager's funnel would have brought beyond what it did, had one step alone been
-- the team's median: one row per month, manager and rate that is a step of a funnel.
--
-- deals = those who came to the step × the team's rate × how many of those who passed it
-- ended in a deal, as his own later steps say. Where nobody passed it, only the last step
-- says what would have followed.

with rates as (

    select * from {{ ref('int_coaching__rates') }}

),

team_medians as (

    select * from {{ ref('int_coaching__team_medians') }}

),

deal_sizes as (

    select * from {{ ref('int_coaching__deal_sizes') }}

),

role_metrics as (

    select * from {{ ref('role_metrics') }}

),

last_steps as (

    select
        funnel,
        max(to_step) as last_step
    from role_metrics
    where funnel is not null
    group by 1

),

steps as (

    select
        rates.period_start,
        rates.manager_id,
        rates.metric,
        rates.value,
        rates.denominator,
        rates.funnel_deals,
        team_medians.team_median,
        case
            when rates.to_step = last_steps.last_step then 1
            else {{ ratio('rates.funnel_deals', 'rates.numerator') }}
        end as deals_per_passed
    from rates
    inner join last_steps
        on rates.funnel = last_steps.funnel
    inner join team_medians
        on {{ same_cell('rates', 'team_medians', ['period_start', 'team_role', 'metric']) }}

),

in_deals as (

    select
        period_start,
        manager_id,
        metric,
        case
            when value is not null
                then denominator * team_median * deals_per_passed - funnel_deals
        end as gap_in_deals
    from steps

),

final as (

    select
        in_deals.period_start,
        in_deals.manager_id,
        in_deals.metric,
        in_deals.gap_in_deals,
        in_deals.gap_in_deals * deal_sizes.deal_size as gap_in_money
    from in_deals
    inner join deal_sizes
        on {{ same_cell('in_deals', 'deal_sizes', ['period_start', 'manager_id']) }}

)

select * from final
