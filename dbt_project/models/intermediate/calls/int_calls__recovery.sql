-- One row per missed inbound conversation: how the caller was reached. The earliest
-- answered conversation with the same number that begins after it and within
-- `recovery_window_hours` settles it: ours is `by_agent`, the customer's own
-- `by_client`, ours first at the same instant. Else `lost` once the window has
-- ended, `open` until then.

{{ config(materialized='touched_keys', meta={
    'key': 'caller',
    'touched_by': {
        'int_calls__sessions': 'select coalesce(customer_number, session_id) as caller from changes',
        'int_refresh__as_of': "select caller from this cross join int_refresh__as_of
            where recovered_at is null
                and (recovery = 'lost') is distinct from coalesce(window_ends_at <= as_of_at, false)",
    },
}) }}

-- Read twice: a copy would cost more.
with sessions as {{ not_materialized_if_whole() }} (

    select * from {{ ref('int_calls__sessions') }}
    {{ where_touched('coalesce(customer_number, session_id)') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

missed as (

    select
        session_id,
        customer_number,
        coalesce(customer_number, session_id) as caller,
        started_at,
        {{ add_seconds('started_at', var('recovery_window_hours') ~ ' * ' ~ seconds_per_hour()) }}
            as window_ends_at
    from sessions
    where direction = 'in' and not is_answered

),

answered as (

    select
        customer_number,
        started_at,
        bool_or(direction = 'out') as is_by_agent
    from sessions
    where is_answered and customer_number is not null
    group by 1, 2

),

next_answered as (

    select
        missed.session_id,
        answered.started_at,
        answered.is_by_agent
    from missed
    asof inner join answered
        on
            missed.customer_number = answered.customer_number
            and missed.started_at < answered.started_at
    where answered.started_at <= missed.window_ends_at

),

final as (

    select
        missed.session_id,
        missed.caller,
        missed.window_ends_at,
        case
            when next_answered.is_by_agent then 'by_agent'
            when next_answered.session_id is not null then 'by_client'
            when missed.window_ends_at <= as_of.as_of_at then 'lost'
            else 'open'
        end as recovery,
        next_answered.started_at as recovered_at
    from missed
    left join next_answered
        on missed.session_id = next_answered.session_id
    cross join as_of

)

select * from final
