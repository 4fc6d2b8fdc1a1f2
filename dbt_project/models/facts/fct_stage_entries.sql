-- One row per stay of a deal in a stage, in order, with how it moved there.

with stays as (

    select * from {{ ref('int_deals__stays') }}

),

stages as (

    select * from {{ ref('int_stages__ordered') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

stage_names as (

    select * from {{ ref('dim_stage') }}

),

ordered as (

    select
        stays.deal_id,
        cast(row_number() over deal_stays as bigint) as entry_no,
        stays.event_id,
        stays.stage_id,
        coalesce(stages.pipeline_id, 'unknown') as pipeline_id,
        stages.stage_no,
        coalesce(stages.kind, 'open') as kind,
        stages.live_stages_so_far,
        stages.live_stages_before,
        stays.is_inferred,
        stays.entered_at,
        stays.entered_after,
        stays.entered_at_quality,
        coalesce(
            stays.entered_at_quality != 'exact'
            and {{ microseconds_between('stays.entered_after', 'stays.entered_at') }}
                > {{ microseconds_per_day() }},
            false
        ) as is_entry_uncertain,
        lead(stays.entered_at) over deal_stays as exited_at,
        lead(stays.stage_id) over deal_stays as next_stage_id
    from stays
    left join stages
        on stays.stage_id = stages.stage_id
    window deal_stays as (
        partition by stays.deal_id
        order by stays.is_inferred, stays.entered_at, stays.event_id
    )

),

final as (

    select
        stays.deal_id,
        stays.entry_no,
        stays.event_id,
        stays.stage_id,
        stage_names.stage_name,
        stays.kind as stage_kind,
        stays.pipeline_id,
        stage_names.pipeline_name,
        deals.manager_id,
        deals.manager_name,
        deals.team,
        deals.source_id,
        deals.source_name,
        deals.created_on as deal_created_on,
        stays.pipeline_id = deals.pipeline_id as is_in_present_pipeline,
        deals.amount,
        stays.entered_at,
        {{ local_date('stays.entered_at') }} as entered_on,
        stays.entered_after,
        stays.entered_at_quality,
        stays.is_entry_uncertain,
        stays.exited_at,
        {{ local_date('stays.exited_at') }} as exited_on,
        stays.next_stage_id,
        {{ seconds_between('stays.entered_at', 'stays.exited_at') }} as stay_seconds,
        case
            when not stays.is_entry_uncertain and not following.is_entry_uncertain
                then {{ seconds_between('stays.entered_at', 'stays.exited_at') }}
        end as certain_stay_seconds,
        case
            when previous.deal_id is null then 'first'
            when
                previous.pipeline_id != stays.pipeline_id
                or previous.stage_no is null
                or stays.stage_no is null then 'pipeline_change'
            when previous.kind in ('won', 'lost') then 'reopen'
            when stays.kind = 'lost' then 'forward'
            when stays.stage_no < previous.stage_no then 'back'
            when stays.live_stages_before > previous.live_stages_so_far then 'skip'
            else 'forward'
        end as movement,
        stays.is_inferred
    from ordered as stays
    inner join deals
        on stays.deal_id = deals.deal_id
    left join stage_names
        on stays.stage_id = stage_names.stage_id
    left join ordered as previous
        on
            stays.deal_id = previous.deal_id
            and stays.entry_no = previous.entry_no + 1
    left join ordered as following
        on
            stays.deal_id = following.deal_id
            and stays.entry_no = following.entry_no - 1

)

select * from final
