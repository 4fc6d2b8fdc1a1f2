-- One row per stay of a deal in a stage. The history tells them, an entry into the
-- stage where the deal already is being no new stay; where the last stay is not in
-- the deal's present stage, or there is no history, one more is inferred there.

with history as (

    select * from {{ ref('stg_crm__deal_stage_history') }}

),

deals as (

    select * from {{ ref('int_deals__resolved') }}

),

outcomes as (

    select * from {{ ref('int_deals__outcome') }}

),

stages as (

    select * from {{ ref('int_stages__ordered') }}

),

moves as (

    select
        history.event_id,
        history.deal_id,
        coalesce(stages.stage_id, 'unknown') as stage_id,
        history.entered_at,
        history.entered_after,
        history.entered_at_quality,
        lag(coalesce(stages.stage_id, 'unknown')) over (
            partition by history.deal_id
            order by history.entered_at, history.event_id
        ) as previous_stage_id
    from history
    inner join deals
        on history.deal_id = deals.deal_id
    left join stages
        on history.stage_id = stages.stage_id

),

recorded as (

    select
        event_id,
        deal_id,
        stage_id,
        entered_at,
        entered_after,
        entered_at_quality,
        row_number() over (partition by deal_id order by entered_at desc, event_id desc)
            as from_last
    from moves
    where previous_stage_id is distinct from stage_id

),

inferred as (

    select
        {{ null_text() }} as event_id,
        deals.deal_id,
        coalesce(outcomes.stage_id, 'unknown') as stage_id,
        greatest(
            coalesce(
                outcomes.closed_at,
                case when last_stays.deal_id is not null then deals.updated_at end,
                deals.created_at
            ),
            coalesce(last_stays.entered_at, {{ utc_instant('0001-01-01 00:00:00') }})
        ) as entered_at,
        cast(null as {{ type_instant() }}) as entered_after,
        {{ null_text() }} as entered_at_quality
    from deals
    inner join outcomes
        on deals.deal_id = outcomes.deal_id
    left join recorded as last_stays
        on deals.deal_id = last_stays.deal_id and last_stays.from_last = 1
    where last_stays.stage_id is distinct from coalesce(outcomes.stage_id, 'unknown')

),

final as (

    select
        event_id, deal_id, stage_id, entered_at, entered_after, entered_at_quality,
        false as is_inferred
    from recorded
    union all
    select
        event_id, deal_id, stage_id, entered_at, entered_after, entered_at_quality,
        true as is_inferred
    from inferred

)

select * from final
