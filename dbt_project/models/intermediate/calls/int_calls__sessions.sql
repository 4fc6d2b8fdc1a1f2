-- One row per conversation: its legs put together, with direction, number and line
-- of the leg that began first.

{{ rebuilt_by('session_id', {'int_calls__legs': 'select session_id from changes'}) }}

with legs as (

    select * from {{ ref('int_calls__legs') }}
    {{ where_touched('session_id') }}

),

first_legs as (

    select *
    from legs
    qualify row_number() over (partition by session_id order by started_at, call_id) = 1

),

-- A number is read once, however often it is on the line.
numbers as (

    select
        raw_customer_number,
        {{ text_as_phone_number('raw_customer_number') }} as customer_number
    from (select distinct raw_customer_number from first_legs) as distinct_numbers

),

totals as (

    select
        session_id,
        max(ended_at) as ended_at,
        bool_or(is_answered) as is_answered,
        min(answered_at) filter (where is_answered) as answered_at
    from legs
    group by 1

),

final as (

    select
        first_legs.session_id,
        first_legs.direction,
        numbers.customer_number,
        first_legs.line,
        first_legs.started_at,
        totals.ended_at,
        totals.is_answered,
        totals.answered_at
    from first_legs
    inner join totals
        on first_legs.session_id = totals.session_id
    left join numbers
        on first_legs.raw_customer_number = numbers.raw_customer_number

)

select * from final
