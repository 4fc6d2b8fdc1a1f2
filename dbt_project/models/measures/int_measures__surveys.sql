-- Daily survey measures, credited to the manager whom the answer speaks of.

{{ config(materialized='tracked_table') }}

with surveys as (

    select * from {{ ref('fct_surveys') }}

),

final as (

    select
        answered_on as date_day,
        manager_id,
        source_id,
        count(*) as surveys,
        count(*) filter (where score >= 4) as surveys_positive,
        cast(sum(score) as bigint) as survey_score
    from surveys
    group by 1, 2, 3

)

select * from final
