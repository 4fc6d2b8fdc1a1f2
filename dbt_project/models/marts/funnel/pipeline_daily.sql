-- The open pipeline day by day: one row per local day, stage and deal owner with an
-- open deal at its end, or a deal that came or went.

with balances as (

    select * from {{ ref('int_pipeline__balances') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

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

final as (

    select
        days.date_day,
        stages.pipeline_id,
        stages.pipeline_name,
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
    inner join managers
        on balances.manager_id = managers.manager_id

)

select * from final
