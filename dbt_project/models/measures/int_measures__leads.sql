-- Daily lead measures, credited to the lead's owner: created, taken and judged leads
-- each on a date of their own.

{{ config(materialized='tracked_table') }}

with leads as (

    select * from {{ ref('fct_leads') }}

),

dated as (

    select
        created_on as date_day,
        manager_id,
        source_id,
        'created' as what
    from leads

    union all

    select
        taken_on as date_day,
        manager_id,
        source_id,
        'taken' as what
    from leads
    where taken_at is not null

    union all

    select
        judged_on as date_day,
        manager_id,
        source_id,
        case when is_target then 'target' else 'non_target' end as what
    from leads
    where is_target is not null

),

final as (

    select
        date_day,
        manager_id,
        source_id,
        count(*) filter (where what = 'created') as leads_created,
        count(*) filter (where what = 'taken') as leads_taken,
        count(*) filter (where what = 'target') as leads_target,
        count(*) filter (where what = 'non_target') as leads_non_target
    from dated
    group by 1, 2, 3

)

select * from final
