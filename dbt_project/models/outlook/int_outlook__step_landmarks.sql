-- One row per deal, stay and next step: the first day on which the step was the deal's to
-- take, if the deal was still open a week later and has closed since; whether the step
-- came within that week; and how the deal ended.

with eligible as (

    select * from {{ ref('int_outlook__eligible_spans') }}

),

steps as (

    select * from {{ ref('next_steps') }}

),

states as (

    select * from {{ ref('int_outlook__states') }}

),

touches as (

    select * from {{ ref('int_outlook__touches') }}

),

closings as (

    select * from {{ ref('int_outlook__closings') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

outcomes as (

    select closings.*
    from closings
    cross join as_of
    where
        closings.closed_on <= as_of.as_of_date
        and (closings.reopened_on is null or closings.reopened_on > as_of.as_of_date)

),

landmarks as (

    select *
    from eligible
    qualify row_number() over (
        partition by step, deal_id, entry_no order by from_on
    ) = 1

),

judged as (

    select
        landmarks.step,
        landmarks.deal_id,
        landmarks.entry_no,
        landmarks.pipeline_id,
        landmarks.stage_kind,
        landmarks.from_on as landmark_on,
        {{ days_between('landmarks.created_on', 'landmarks.from_on') }} as age_days,
        {{ days_between('landmarks.last_contact_on', 'landmarks.from_on') }} as silent_days,
        outcomes.outcome = 'won' as is_won
    from landmarks
    inner join steps
        on landmarks.step = steps.step
    inner join outcomes
        on landmarks.deal_id = outcomes.deal_id
    inner join states
        on
            landmarks.deal_id = states.deal_id
            and {{ add_days('landmarks.from_on', 7) }} >= states.from_on
            and {{ add_days('landmarks.from_on', 7) }} < states.until_on
    where steps.done_by is not null

),

done as (

    select distinct
        judged.step,
        judged.deal_id,
        judged.entry_no
    from judged
    inner join steps
        on judged.step = steps.step
    inner join touches
        on
            judged.deal_id = touches.deal_id
            and touches.known_on > judged.landmark_on
            and touches.known_on <= {{ add_days('judged.landmark_on', 7) }}
            and ' ' || steps.done_by || ' ' like '% ' || touches.touch || ' %'

),

final as (

    select
        judged.step,
        judged.deal_id,
        judged.entry_no,
        judged.landmark_on,
        judged.pipeline_id,
        judged.stage_kind,
        case
            when judged.age_days < 7 then 1
            when judged.age_days < 30 then 2
            when judged.age_days < 90 then 3
            else 4
        end as age_band,
        case
            when judged.silent_days is null then 0
            when judged.silent_days < 7 then 1
            when judged.silent_days < 30 then 2
            else 3
        end as silence_band,
        done.deal_id is not null as is_done,
        judged.is_won
    from judged
    left join done
        on {{ same_cell('judged', 'done', ['step', 'deal_id', 'entry_no']) }}

)

select * from final
