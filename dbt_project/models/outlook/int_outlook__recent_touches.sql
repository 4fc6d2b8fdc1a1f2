-- One row per observation of an open deal: its touches so far, and those of the last
-- thirty days.

{{ config(materialized='touched_keys', meta={
    'key': 'deal_id',
    'touched_by': ['int_outlook__observations', 'int_outlook__touches'],
}) }}

{%- set counted = outlook_touches() %}
{%- set names = counted.keys() | list + ['talk_seconds'] %}

with observations as (

    select * from {{ ref('int_outlook__observations') }}
    {{ where_touched('deal_id') }}

),

touches as (

    select * from {{ ref('int_outlook__touches') }}
    {{ where_touched('deal_id') }}

),

touch_days as (

    select
        deal_id,
        known_on,
        {%- for name, touch in counted.items() %}
        sum(case when touch = '{{ touch }}' then touches else 0 end) as {{ name }},
        {%- endfor %}
        sum(talk_seconds) as talk_seconds
    from touches
    group by 1, 2

),

so_far as (

    select
        deal_id,
        known_on,
        {%- for name in names %}
        cast(sum({{ name }}) over until_now as bigint) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from touch_days
    window until_now as (
        partition by deal_id order by known_on
        rows between unbounded preceding and current row
    )

),

-- In the order of days: what happened, then the observations of that day, and those of
-- thirty days later.
marks as (

    select
        deal_id,
        known_on as date_day,
        0 as mark,
        known_on,
        cast(null as date) as observed_on
    from touch_days
    union all
    select
        deal_id,
        observed_on as date_day,
        1 as mark,
        cast(null as date) as known_on,
        observed_on
    from observations
    union all
    select
        deal_id,
        {{ add_days('observed_on', -30) }} as date_day,
        2 as mark,
        cast(null as date) as known_on,
        observed_on
    from observations

),

dated as (

    select
        deal_id,
        mark,
        observed_on,
        max(known_on) over (
            partition by deal_id order by date_day, mark, observed_on
            rows between unbounded preceding and current row
        ) as last_on
    from marks

),

last_touches as (

    select
        deal_id,
        observed_on,
        max(case when mark = 1 then last_on end) as last_on,
        max(case when mark = 2 then last_on end) as last_on_30d
    from dated
    where mark > 0
    group by 1, 2

),

final as (

    select
        last_touches.deal_id,
        last_touches.observed_on,
        {%- for name in names %}
        coalesce(by_now.{{ name }}, 0) as {{ name }},
        coalesce(by_now.{{ name }}, 0) - coalesce(by_then.{{ name }}, 0)
            as {{ name }}_30d{{ ',' if not loop.last }}
        {%- endfor %}
    from last_touches
    left join so_far as by_now
        on
            last_touches.deal_id = by_now.deal_id
            and last_touches.last_on = by_now.known_on
    left join so_far as by_then
        on
            last_touches.deal_id = by_then.deal_id
            and last_touches.last_on_30d = by_then.known_on

)

select * from final
