-- Daily survey measures, credited to the manager whom the answer speaks of.

with surveys as (

    select * from {{ ref('int_surveys__resolved') }}

),

final as (

    select
        {{ local_date('answered_at') }} as date_day,
        coalesce(manager_id, 'unknown') as manager_id,
        coalesce(source_id, 'unknown') as source_id,
        count(*) as surveys,
        count(*) filter (where score >= 4) as surveys_positive,
        cast(sum(score) as bigint) as survey_score
    from surveys
    group by 1, 2, 3

)

select * from final
