-- Daily measures of call quality, credited to the manager of the evaluated leg.

{{ config(materialized='tracked_table') }}

with evaluations as (

    select * from {{ ref('fct_call_evaluations') }}

),

final as (

    select
        credited_on as date_day,
        manager_id,
        source_id,
        count(*) as evaluated_calls,
        cast(sum(score) as decimal(38, 4)) as evaluation_score,
        count(*) filter (where needs_found) as needs_found,
        count(*) filter (where presentation_made) as presentations_made,
        count(*) filter (where objections_handled) as objections_handled,
        count(*) filter (where next_step_agreed) as next_steps_agreed
    from evaluations
    group by 1, 2, 3

)

select * from final
