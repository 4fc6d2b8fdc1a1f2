-- Daily meeting measures: what was set, confirmed, held and paid goes to who set the
-- meeting; what was held also to who held it, each on its own date.

{{ config(materialized='tracked_table') }}

with meetings as (

    select * from {{ ref('fct_meetings') }}

),

dated as (

    select set_on as date_day, set_by as manager_id, source_id, kind, 'set' as what
    from meetings

    union all

    select confirmed_on as date_day, set_by as manager_id, source_id, kind, 'confirmed' as what
    from meetings
    where confirmed_at is not null

    union all

    select held_on as date_day, set_by as manager_id, source_id, kind, 'set_held' as what
    from meetings
    where held_at is not null

    union all

    select held_on as date_day, held_by as manager_id, source_id, kind, 'held' as what
    from meetings
    where held_at is not null

    union all

    select
        first_paid_on as date_day,
        set_by as manager_id,
        source_id,
        kind,
        'paid' as what
    from meetings
    where first_paid_at is not null

),

final as (

    select
        date_day,
        manager_id,
        source_id,
        count(*) filter (where what = 'set') as meetings_set,
        count(*) filter (where what = 'confirmed') as meetings_confirmed,
        count(*) filter (where what = 'set_held') as set_meetings_held,
        count(*) filter (where what = 'paid') as set_meetings_paid,
        count(*) filter (where what = 'held') as meetings_held,
        count(*) filter (where what = 'held' and kind = 'demo') as demos_held,
        count(*) filter (where what = 'held' and kind = 'visit') as visits_held
    from dated
    group by 1, 2, 3

)

select * from final
