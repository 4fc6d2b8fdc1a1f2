-- One row per missed inbound conversation: how the caller was reached. The earliest
-- answered conversation with the same number that begins after it and within
-- `recovery_window_hours` settles it: ours is `by_agent`, the customer's own
-- `by_client`, ours first at the same instant. Else `lost` once the window has
-- ended, `open` until then.

{{ rebuilt_by('caller', {
    'int_calls__sessions': 'select coalesce(customer_number, session_id) as caller from changes',
    'int_refresh__as_of': "select caller from this cross join " ~ ref('int_refresh__as_of') ~ "
        where recovered_at is null
            and (recovery = 'lost') is distinct from coalesce(window_ends_at <= as_of_at, false)",
}) }}

with sessions as (

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
        {{ add_seconds('started_at', 3600 * var('recovery_window_hours')) }} as window_ends_at
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

instants as (

    select customer_number, started_at from missed
    union
    select customer_number, started_at from answered

),

next_answered as (

    select
        instants.customer_number,
        instants.started_at,
        min(answered.started_at) over (
            partition by instants.customer_number
            order by instants.started_at
            rows between 1 following and unbounded following
        ) as recovered_at
    from instants
    left join answered
        on
            instants.customer_number = answered.customer_number
            and instants.started_at = answered.started_at
    where instants.customer_number is not null

),

final as (

    select
        missed.session_id,
        missed.caller,
        missed.window_ends_at,
        case
            when answered.is_by_agent then 'by_agent'
            when answered.customer_number is not null then 'by_client'
            when missed.window_ends_at <= as_of.as_of_at then 'lost'
            else 'open'
        end as recovery,
        answered.started_at as recovered_at
    from missed
    left join next_answered
        on
            missed.customer_number = next_answered.customer_number
            and missed.started_at = next_answered.started_at
            and next_answered.recovered_at <= missed.window_ends_at
    left join answered
        on
            next_answered.customer_number = answered.customer_number
            and next_answered.recovered_at = answered.started_at
    cross join as_of

)

select * from final
