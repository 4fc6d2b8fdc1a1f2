-- One row per existing deal: its stage and pipeline, whether it is won, lost or
-- open by the kind of its stage, and when it closed: its own time, else the latest
-- history entry into its stage, else its last change, else its creation.

with deals as (

    select * from {{ ref('int_deals__resolved') }}

),

stages as (

    select * from {{ ref('int_stages__ordered') }}

),

pipelines as (

    select * from {{ ref('stg_crm__pipelines') }}

),

history as (

    select * from {{ ref('stg_crm__deal_stage_history') }}

),

last_entries as (

    select
        deal_id,
        stage_id,
        max(entered_at) as last_entered_at
    from history
    group by 1, 2

),

outcomes as (

    select
        deals.*,
        stages.stage_id,
        coalesce(stages.pipeline_id, {{ found('pipelines.pipeline_id') }}, 'unknown')
            as pipeline_id,
        case when stages.kind in ('won', 'lost') then stages.kind else 'open' end as outcome
    from deals
    left join stages
        on deals.raw_stage_id = stages.stage_id
    left join pipelines
        on deals.raw_pipeline_id = pipelines.pipeline_id

),

final as (

    select
        outcomes.deal_id,
        outcomes.stage_id,
        outcomes.pipeline_id,
        outcomes.outcome,
        case
            when outcomes.outcome != 'open'
                then coalesce(
                    outcomes.raw_closed_at,
                    last_entries.last_entered_at,
                    outcomes.updated_at,
                    outcomes.created_at
                )
        end as closed_at
    from outcomes
    left join last_entries
        on
            outcomes.deal_id = last_entries.deal_id
            and outcomes.stage_id = last_entries.stage_id

)

select * from final
