-- One row per observation of an open deal: its touches so far, and those of the last
-- thirty days.

{%- set counted = outlook_touches() %}

with observations as (

    select * from {{ ref('int_outlook__observations') }}

),

touches as (

    select * from {{ ref('int_outlook__touches') }}

),

-- In the order of days: what happened, then the observations of that day.
marks as (

    select
        deal_id,
        known_on as date_day,
        0 as mark,
        cast(null as date) as observed_on,
        {%- for name, touch in counted.items() %}
        sum(case when touch = '{{ touch }}' then touches else 0 end) as {{ name }},
        {%- endfor %}
        sum(talk_seconds) as talk_seconds
    from touches
    group by 1, 2
    union all
    select
        deal_id,
        observed_on as date_day,
        1 as mark,
        observed_on,
        {%- for name in counted.keys() | list + ['talk_seconds'] %}
        0 as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from observations
    union all
    select
        deal_id,
        {{ add_days('observed_on', -30) }} as date_day,
        2 as mark,
        observed_on,
        {%- for name in counted.keys() | list + ['talk_seconds'] %}
        0 as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from observations

),

so_far as (

    select
        deal_id,
        mark,
        observed_on,
        {%- for name in counted.keys() | list + ['talk_seconds'] %}
        sum({{ name }}) over until_now as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from marks
    window until_now as (
        partition by deal_id order by date_day, mark, observed_on
        rows between unbounded preceding and current row
    )

),

final as (

    select
        deal_id,
        observed_on,
        {%- for name in counted.keys() | list + ['talk_seconds'] %}
        cast(max(case when mark = 1 then {{ name }} end) as bigint) as {{ name }},
        cast(
            max(case when mark = 1 then {{ name }} end)
            - max(case when mark = 2 then {{ name }} end)
        as bigint) as {{ name }}_30d{{ ',' if not loop.last }}
        {%- endfor %}
    from so_far
    where mark > 0
    group by 1, 2

)

select * from final
