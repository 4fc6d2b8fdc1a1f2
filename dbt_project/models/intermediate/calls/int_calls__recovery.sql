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

{%- set window_seconds = var('recovery_window_hours') ~ ' * ' ~ seconds_per_hour() %}
{%- set window_no = 'floor(' ~ ratio(
    seconds_between(utc_instant('1970-01-01 00:00:00'), 'started_at'), window_seconds
) ~ ')' %}

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
        {{ window_no }} as window_no,
        {{ add_seconds('started_at', window_seconds) }}
            as window_ends_at
    from sessions
    where direction = 'in' and not is_answered

),

answered as (

    select
        customer_number,
        started_at,
        {{ window_no }} as window_no,
        bool_or(direction = 'out') as is_by_agent
    from sessions
    where is_answered and customer_number is not null
    group by 1, 2, 3

),

-- A window lies in its own and the next one of the clock's: looked up by these, a number that
-- is on the line all day is not compared with all its conversations.
searched as (

    select *, window_no as searched_no from missed
    union all
    select *, window_no + 1 as searched_no from missed

),

next_answered as (

    select
        searched.session_id,
        min(answered.started_at) as started_at,
        min_by(answered.is_by_agent, answered.started_at) as is_by_agent
    from searched
    inner join answered
        on
            searched.customer_number = answered.customer_number
            and searched.searched_no = answered.window_no
            and searched.started_at < answered.started_at
            and searched.window_ends_at >= answered.started_at
    group by 1

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
