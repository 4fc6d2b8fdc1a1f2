-- One row per deal and stay in a stage as days see it: the days at whose end the deal
-- was there. A stay counts from the deal's creation on.

with stage_entries as (

    select * from {{ ref('fct_stage_entries') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

final as (

    select
        stage_entries.deal_id,
        deals.created_on,
        stage_entries.entry_no,
        stage_entries.stage_id,
        stage_entries.pipeline_id,
        stage_entries.stage_kind,
        stage_entries.movement,
        stage_entries.entered_on,
        greatest(stage_entries.entered_on, deals.created_on) as from_on,
        stage_entries.exited_on as until_on
    from stage_entries
    inner join deals
        on stage_entries.deal_id = deals.deal_id
    where
        stage_entries.exited_on is null
        or greatest(stage_entries.entered_on, deals.created_on) < stage_entries.exited_on

)

select * from final
