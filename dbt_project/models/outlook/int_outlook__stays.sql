-- One row per deal and stay in a stage as days see it: the days at whose end the deal
-- was there. A stay counts from the deal's creation on; until its first entry the deal is
-- in the unknown stage.

{{ config(materialized='tracked_table') }}

with stage_entries as (

    select * from {{ ref('fct_stage_entries') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

entered as (

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

),

before_first as (

    select
        deal_id,
        created_on,
        0 as entry_no,
        'unknown' as stage_id,
        'unknown' as pipeline_id,
        'open' as stage_kind,
        {{ null_text() }} as movement,
        created_on as entered_on,
        created_on as from_on,
        entered_on as until_on
    from entered
    where entry_no = 1

),

stays as (

    select * from entered
    union all
    select * from before_first

),

final as (

    select *
    from stays
    where until_on is null or from_on < until_on

)

select * from final
