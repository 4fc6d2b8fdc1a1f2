-- One row per call, criterion and evaluator that is not a person: its judgement beside that of a
-- person. Values stand there only where both judged: what one left out is not compared.

{% set flags = ['needs_found', 'presentation_made', 'objections_handled', 'next_step_agreed'] %}

with evaluations as (

    select * from {{ ref('int_evaluations__by_evaluator') }}

),

judgements as (

    select
        call_id,
        evaluator,
        'score' as criterion,
        score,
        cast(null as boolean) as is_met
    from evaluations
    {%- for flag in flags %}
    union all
    select
        call_id,
        evaluator,
        '{{ flag }}' as criterion,
        cast(null as decimal(18, 4)) as score,
        {{ flag }} as is_met
    from evaluations
    {%- endfor %}

),

final as (

    select
        judged.call_id,
        judged.evaluator,
        judged.criterion,
        judged.score is not null or judged.is_met is not null as is_judged,
        -- Decimals, whose sums are the same in any order; of nine digits, so that squares fit.
        cast(case when people.score is not null then judged.score end as decimal(9, 4)) as score,
        cast(case when judged.score is not null then people.score end as decimal(9, 4))
            as person_score,
        case when people.is_met is not null then judged.is_met end as is_met,
        case when judged.is_met is not null then people.is_met end as person_is_met
    from judgements as judged
    left join judgements as people
        on
            judged.call_id = people.call_id
            and judged.criterion = people.criterion
            and people.evaluator = 'human'
    where judged.evaluator != 'human'

)

select * from final
