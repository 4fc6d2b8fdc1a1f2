-- One row per existing meeting.

with meetings as (

    select * from {{ ref('int_meetings__resolved') }}

),

final as (

    select
        meeting_id,
        lead_id,
        deal_id,
        coalesce(contact_id, 'unknown') as contact_id,
        coalesce(set_by, 'unknown') as set_by,
        coalesce(held_by, 'unknown') as held_by,
        coalesce(source_id, 'unknown') as source_id,
        kind,
        case
            when held_at is not null then 'held'
            when cancelled_at is not null then 'cancelled'
            when confirmed_at is not null then 'confirmed'
            else 'set'
        end as status,
        set_at,
        {{ local_date('set_at') }} as set_on,
        scheduled_for,
        confirmed_at,
        {{ local_date('confirmed_at') }} as confirmed_on,
        held_at,
        {{ local_date('held_at') }} as held_on,
        cancelled_at
    from meetings

)

select * from final
