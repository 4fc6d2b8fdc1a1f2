-- How the open pipeline changed: one row per stage, deal owner, source and local day on which
-- a deal came or went, with the running balance until the next such day. A stay is
-- open from the day it was entered until the day before it was left; an unknown stage
-- counts as open.

{{ config(materialized='tracked_table') }}

with stays as (

    select * from {{ ref('fct_stage_entries') }}

),

open_stays as (

    select
        entered_on,
        exited_on,
        stage_id,
        manager_id,
        source_id,
        coalesce(amount, 0) as amount,
        case when amount is null then 1 else 0 end as without_amount
    from stays
    where stage_kind in ('open', 'presale')

),

moves as (

    select
        entered_on as moved_on,
        stage_id,
        manager_id,
        source_id,
        1 as entered,
        0 as exited,
        amount,
        without_amount
    from open_stays
    union all
    select
        exited_on as moved_on,
        stage_id,
        manager_id,
        source_id,
        0 as entered,
        1 as exited,
        -amount as amount,
        -without_amount as without_amount
    from open_stays
    where exited_on is not null

),

daily_moves as (

    select
        moved_on,
        stage_id,
        manager_id,
        source_id,
        cast(sum(entered) as bigint) as entered,
        cast(sum(exited) as bigint) as exited,
        sum(amount) as amount,
        cast(sum(without_amount) as bigint) as without_amount
    from moves
    group by 1, 2, 3, 4

),

final as (

    select
        moved_on,
        stage_id,
        manager_id,
        source_id,
        entered,
        exited,
        cast(sum(entered - exited) over running as bigint) as open_deals,
        cast(sum(amount) over running as {{ type_money() }}) as open_amount,
        cast(sum(without_amount) over running as bigint) as open_deals_without_amount,
        lead(moved_on) over (
            partition by stage_id, manager_id, source_id
            order by moved_on
        ) as next_moved_on
    from daily_moves
    window running as (
        partition by stage_id, manager_id, source_id
        order by moved_on
        rows between unbounded preceding and current row
    )

)

select * from final
