-- The open pipeline day by day: one row per local day, stage and deal owner with an
-- open deal at its end, or a deal that came or went. A stay is open from the day it
-- was entered until the day before it was left; an unknown stage counts as open.

with stays as (

    select * from {{ ref('fct_stage_entries') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

pipelines as (

    select * from {{ ref('dim_pipeline') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

days as (

    select * from {{ ref('dim_date') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

open_stays as (

    select
        stays.entered_on,
        stays.exited_on,
        stays.stage_id,
        deals.manager_id,
        coalesce(deals.amount, 0) as amount
    from stays
    inner join deals
        on stays.deal_id = deals.deal_id
    inner join stages
        on stays.stage_id = stages.stage_id
    where stages.kind in ('open', 'presale')

),

moves as (

    select entered_on as moved_on, stage_id, manager_id, 1 as entered, 0 as exited, amount
    from open_stays
    union all
    select exited_on as moved_on, stage_id, manager_id, 0 as entered, 1 as exited, -amount
    from open_stays
    where exited_on is not null

),

daily_moves as (

    select
        moved_on,
        stage_id,
        manager_id,
        sum(entered) as entered,
        sum(exited) as exited,
        sum(amount) as amount
    from moves
    group by 1, 2, 3

),

balances as (

    select
        moved_on,
        stage_id,
        manager_id,
        entered,
        exited,
        sum(entered - exited) over running as open_deals,
        sum(amount) over running as open_amount,
        lead(moved_on) over (
            partition by stage_id, manager_id
            order by moved_on
        ) as next_moved_on
    from daily_moves
    window running as (
        partition by stage_id, manager_id
        order by moved_on
        rows between unbounded preceding and current row
    )

),

final as (

    select
        days.date_day,
        stages.pipeline_id,
        pipelines.pipeline_name,
        balances.stage_id,
        stages.stage_name,
        stages.stage_no,
        stages.kind as stage_kind,
        balances.manager_id,
        managers.manager_name,
        managers.team,
        cast(balances.open_deals as bigint) as open_deals,
        cast(balances.open_amount as {{ type_money() }}) as open_amount,
        cast(case when days.date_day = balances.moved_on then balances.entered else 0 end
            as bigint) as entered,
        cast(case when days.date_day = balances.moved_on then balances.exited else 0 end
            as bigint) as exited
    from balances
    cross join as_of
    inner join days
        on
            days.date_day >= balances.moved_on
            and days.date_day < coalesce(balances.next_moved_on, date '9999-12-31')
            and days.date_day <= as_of.as_of_date
            and (balances.open_deals != 0 or days.date_day = balances.moved_on)
    inner join stages
        on balances.stage_id = stages.stage_id
    inner join pipelines
        on stages.pipeline_id = pipelines.pipeline_id
    inner join managers
        on balances.manager_id = managers.manager_id

)

select * from final
