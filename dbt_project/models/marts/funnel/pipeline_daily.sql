-- The open pipeline day by day: one row per local day, stage and deal owner with an
-- open deal at its end, or a deal that came or went.

with pipeline_days as (

    select * from {{ ref('fct_pipeline_days') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

totals as (

    select
        date_day,
        pipeline_id,
        stage_id,
        stage_kind,
        manager_id,
        cast(sum(open_deals) as bigint) as open_deals,
        cast(sum(open_amount) as {{ type_money() }}) as open_amount,
        cast(sum(open_deals_without_amount) as bigint) as open_deals_without_amount,
        cast(sum(entered) as bigint) as entered,
        cast(sum(exited) as bigint) as exited
    from pipeline_days
    group by 1, 2, 3, 4, 5

),

final as (

    select
        totals.date_day,
        totals.pipeline_id,
        stages.pipeline_name,
        totals.stage_id,
        stages.stage_name,
        stages.stage_no,
        totals.stage_kind,
        totals.manager_id,
        managers.manager_name,
        managers.team,
        totals.open_deals,
        totals.open_amount,
        totals.open_deals_without_amount,
        totals.entered,
        totals.exited
    from totals
    inner join stages
        on totals.stage_id = stages.stage_id
    inner join managers
        on totals.manager_id = managers.manager_id
    where {{ any_not_zero(['totals.open_deals', 'totals.entered', 'totals.exited']) }}

)

select * from final
