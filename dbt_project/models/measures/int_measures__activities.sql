-- Daily counts of what managers sent and presented.

{{ config(materialized='tracked_table') }}

with activities as (

    select * from {{ ref('fct_activities') }}

),

final as (

    select
        happened_on as date_day,
        manager_id,
        source_id,
        count(*) filter (
            where kind = 'email' and coalesce(direction, 'out') = 'out'
        ) as emails_sent,
        count(*) filter (
            where kind = 'message' and coalesce(direction, 'out') = 'out'
        ) as messages_sent,
        count(*) filter (
            where kind = 'social' and coalesce(direction, 'out') = 'out'
        ) as social_touches,
        count(*) filter (
            where kind = 'proposal' and coalesce(direction, 'out') = 'out'
        ) as proposals_sent,
        count(*) filter (where kind = 'presentation') as presentations
    from activities
    group by 1, 2, 3

)

select * from final
