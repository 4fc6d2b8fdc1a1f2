-- One row per call and evaluator: what each of them said last. The current version of an
-- evaluation is one evaluator's; here those of the others stand beside it.

{{ config(materialized='touched_keys', meta={
    'key': 'call_id',
    'touched_by': ['base_telephony__call_evaluations'],
}) }}

{% set ties = [
    'evaluated_at', 'evaluator', 'score', 'needs_found', 'presentation_made', 'objections_handled',
    'next_step_agreed', 'is_deleted',
] %}

with versions as (

    select * from {{ ref('base_telephony__call_evaluations') }}
    {{ where_touched('call_id') }}

),

numbered as (

    select
        *,
        case when lower(evaluator) = 'human' then 'human' else evaluator end as evaluator_name,
        row_number() over (
            partition by call_id
            order by {{ newest_first(ties) }}
        ) as version_no
    from versions
    where {{ list_length('reasons') }} = 0

),

-- What was said before a call's evaluation was deleted, was deleted with it.
standing as (

    select
        *,
        min(case when is_deleted then version_no end) over (partition by call_id) as deleted_no
    from numbered

),

final as (

    select
        call_id,
        evaluator_name as evaluator,
        score,
        needs_found,
        presentation_made,
        objections_handled,
        next_step_agreed,
        evaluated_at
    from standing
    where
        evaluator_name is not null
        and version_no < coalesce(deleted_no, version_no + 1)
    qualify row_number() over (partition by call_id, evaluator_name order by version_no) = 1

)

select * from final
