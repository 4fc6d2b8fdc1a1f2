-- One row per existing leg that is not internal: the session it belongs to and its
-- place there, who answered for the company, and whether it counts as answered. A leg
-- without an extension (a menu, a queue) does so only where no leg of its session has one.

{{ config(materialized='touched_keys', meta={
    'key': 'session_id',
    'partition_month': 'started_at',
    'touched_by': {
        'stg_telephony__calls': 'select coalesce(linked_id, call_id) as session_id from changes',
        'int_extensions__holder_spans': 'select session_id from this semi join changes using (extension)',
    },
}) }}

with calls as (

    select * from {{ ref('stg_telephony__calls') }}
    {{ where_touched('coalesce(linked_id, call_id)') }}

),

holders as (

    select * from {{ ref('int_extensions__holder_spans') }}

),

external_legs as (

    select
        *,
        coalesce(linked_id, call_id) as session_id
    from calls
    where direction != 'internal'

),

final as (

    select
        legs.call_id,
        legs.session_id,
        cast(row_number() over (
            partition by legs.session_id order by legs.started_at, legs.call_id
        ) as bigint) as leg_no,
        legs.direction,
        legs.extension,
        holders.manager_id,
        case legs.direction
            when 'in' then legs.from_number
            else legs.to_number
        end as raw_customer_number,
        legs.line,
        legs.queue,
        legs.source_id,
        legs.recording_url,
        legs.started_at,
        legs.answered_at,
        legs.ended_at,
        legs.talk_seconds,
        legs.disposition = 'answered' as is_picked_up,
        legs.disposition = 'answered' and (
            legs.extension is not null
            or count(legs.extension) over (partition by legs.session_id) = 0
        ) as is_answered
    from external_legs as legs
    left join holders
        on
            legs.extension = holders.extension
            and legs.started_at >= holders.held_from
            and legs.started_at < holders.held_until

)

select * from final
