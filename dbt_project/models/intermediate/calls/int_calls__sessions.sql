-- One row per conversation: its legs put together, with direction, number, line and
-- queue of the leg that began first.

{{ config(materialized='touched_keys', meta={
    'key': 'session_id',
    'partition_month': 'started_at',
    'touched_by': {'int_calls__legs': 'select session_id from changes'},
}) }}

-- Read twice: a copy would cost more.
with legs as {{ not_materialized_if_whole() }} (

    select * from {{ ref('int_calls__legs') }}
    {{ where_touched('session_id') }}

),

conversations as (

    select
        session_id,
        max(direction) filter (where leg_no = 1) as direction,
        max(raw_customer_number) filter (where leg_no = 1) as raw_customer_number,
        max(line) filter (where leg_no = 1) as line,
        max(queue) filter (where leg_no = 1) as queue,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        bool_or(is_answered) as is_answered,
        min(answered_at) filter (where is_answered) as answered_at
    from legs
    group by 1

),

-- A number is read once, however often it is on the line.
numbers as (

    select
        raw_customer_number,
        {{ text_as_phone_number('raw_customer_number') }} as customer_number
    from (
        select distinct raw_customer_number
        from legs
        where leg_no = 1
    ) as distinct_numbers

),

final as (

    select
        conversations.session_id,
        conversations.direction,
        numbers.customer_number,
        conversations.line,
        conversations.queue,
        conversations.started_at,
        conversations.ended_at,
        conversations.is_answered,
        conversations.answered_at
    from conversations
    left join numbers
        on conversations.raw_customer_number = numbers.raw_customer_number

)

select * from final
