-- One row per deal, stay and next step, and span of days in which it was the deal's to take.
-- Before the first contact, silence counts from the deal's creation.

with states as (

    select * from {{ ref('int_outlook__states') }}

),

steps as (

    select * from {{ ref('next_steps') }}

),

spans as (

    select
        steps.step,
        states.deal_id,
        states.entry_no,
        states.pipeline_id,
        states.stage_kind,
        states.created_on,
        states.last_contact_on,
        greatest(
            states.from_on,
            {{ add_days('states.created_on', 'steps.min_age_days') }},
            {{ add_days('states.entered_on', 'steps.min_days_in_stage') }},
            {{ add_days('coalesce(states.last_contact_on, states.created_on)',
                'steps.min_silent_days') }}
        ) as from_on,
        states.until_on
    from states
    inner join steps
        on
            ' ' || steps.stage_kinds || ' ' like '% ' || states.stage_kind || ' %'
            and ' ' || steps.meeting_states || ' ' like '% ' || states.meeting_state || ' %'

),

final as (

    select *
    from spans
    where from_on < until_on

)

select * from final
